"""The preview engine's version stands in the keys of its clips: it must be raised when they look different."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from PIL import Image
from skimage import data

from vidu_nb.animatic.engine import make_clip
from vidu_nb.catalogue.request import PREVIEW_VERSION
from vidu_nb.request import VideoRequest
from vidu_nb.video import load

PROMPT = "A whip pan to the right over a cup of coffee, then orbit a cat. Finally zoom in on an astronaut."
SIZE = (12, 7)  # of a frame's digest, in pixels; other versions of the libraries change no such pixel by much
LIMIT = 6  # of 255
#: The digests of some frames, by the engine's version.
LOOKS = {
    3: (
        "6fk3RWT3O0p|78;Nos0bS+|gFWNn$nY+q+rPo#Kzj*)z@XM1Z+OjWz4p`xX_jDu!MUrb1mtgDJvi;r?lOfD}WASFCHb9GfpHyTPS"
        "4i#xI987U*Y|5RUr@Ez=Vr*hva=U+JWq`5PW?^JbUAAnAl7@-Faeh-wN{_Rnp{25bhJH^`T|#T6ub*p6jD2EKJ|-?6Au%~ed1F;T"
        "E+kS95IJ8fb82<UoSvz@(W!)iVO)f<dSqvXwAYD#V@++UZ;X?IkhgDrP)tdmu%n`-w{cQ`PgGh#b*QhLWK2<EVNp9KEFK~?I!IDm"
        "RX;5)Ne&Q1RxwmrbZ>!eV{u(jYleMYdwz0oV{vg|Zh~=TePVNTTXKkefr)!=Wq5aTJXwX0Wp0pMagK6rY)g!XN_&-?cxh;Ab6;<b"
        "Z*gX2cxH2ueRWTIXNIAXXNGcTX=qeie1vmcdv<VPb8lj0e12$UZfksJbboV*e}Z*xV0d;+JBNpiUVnsFkbZ1xNPdNOOpTwMXl7?^"
        "ab1gZbZld2X=;9fc3E_CaFCRiF08S<s-T>|#LRS(Fo><EZ+>8p#>P>u7ml%|dbwqJzrjYfCXcwlwy&Va&elw*Z$7_IK$?-%(AR9A"
        "r9Osm76%BT)zhY_X?TEAJ3l~c#GzJ)"
    ),
}


def test_clips_that_look_different_have_another_version(tmp_path):
    """Frames from every shot of a clip are those that this version is known for."""
    pictures = [data.coffee(), data.cat(), data.astronaut()]
    request = VideoRequest(prompt=PROMPT, references=pictures, seed=5, bgm=False)
    path = tmp_path / "clip.mp4"
    path.write_bytes(make_clip(request, draft=True))
    small = [Image.fromarray(frame).convert("L").resize(SIZE, Image.Resampling.BOX) for frame in load(path).frames()]
    looks = np.stack([np.asarray(frame) for frame in small[::20]])
    pinned = np.frombuffer(base64.b85decode(LOOKS.get(PREVIEW_VERSION, "")), np.uint8).reshape(-1, *SIZE[::-1])
    if pinned.shape != looks.shape or np.abs(looks.astype(int) - pinned).max() > LIMIT:
        now = base64.b85encode(looks.tobytes()).decode()
        pytest.fail(f"the frames have changed: raise PREVIEW_VERSION, and put this into LOOKS:\n{now}")
