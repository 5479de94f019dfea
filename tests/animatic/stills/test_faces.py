"""Swapped faces: the faces that are named, where they were, in pictures and animations."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from vidu_nb import models
from vidu_nb.animatic.engine import make_outputs
from vidu_nb.animatic.stills.faces import faces_in
from vidu_nb.errors import InvalidRequest

FACE = data.astronaut()[20:212, 120:332]
OTHER = np.ascontiguousarray(FACE[:, ::-1])
TWO = np.full((260, 420, 3), 110, np.uint8)
TWO[20:212, 8:220] = FACE
TWO[60:204, 240:399] = np.asarray(Image.fromarray(OTHER).resize((159, 144)))
NOBODY = np.ascontiguousarray(data.coffee()[:200, :200])


def encoded(pictures, kind="PNG", **options):
    """A picture, or an animation, as a data: URI."""
    images = [Image.fromarray(picture) for picture in pictures]
    buffer = io.BytesIO()
    images[0].save(buffer, kind, **({"save_all": True, "append_images": images[1:]} if images[1:] else {}), **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def swapped(slug="faceswap-v2", **body):
    """What a face-swapping model's preview brings, opened."""
    [made] = make_outputs(models[slug].request_class.from_payload(body))
    return made, Image.open(io.BytesIO(made.data))


def changes(before, after):
    """How much each pixel changed, without the badge and small print above."""
    return np.abs(np.asarray(after.convert("RGB"), int) - before).mean(-1)


def test_faces_are_found_large_to_small():
    """Two faces are two, and the larger is the first."""
    first, second = faces_in(TWO)
    assert first.right < 220 < second.left
    assert first.width > second.width


@pytest.mark.parametrize(("wanted", "left", "right"), [("0", True, False), ("1", False, True), ("0,1", True, True)])
def test_the_faces_that_are_named_are_changed(wanted, left, right):
    """Each number of the list is a face of the picture; the others stay."""
    _, image = swapped(source_img=encoded([OTHER]), target_img=encoded([TWO]), input_faces_index=wanted)
    changed = changes(TWO, image)[40:]
    assert image.size == (420, 260)
    assert (changed[:, 60:160].max() > 40, changed[:, 270:370].max() > 40) == (left, right)


def test_the_face_that_is_named_is_used():
    """The second face of the other picture is another one than the first."""
    first, second = (
        swapped(source_img=encoded([TWO]), target_img=encoded([FACE]), source_faces_index=one)[0].data for one in "01"
    )
    assert first != second


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"source_img": NOBODY}, "source_img: no face was found"),
        ({"target_img": NOBODY}, "target_img: no face was found"),
        ({"input_faces_index": "3"}, "input_faces_index: there is no face 3: 1 face was found"),
        ({"source_faces_index": "0,7"}, "source_faces_index: there is no face 7"),
        ({"input_faces_index": "first"}, "input_faces_index: 'first' is no list of numbers"),
        ({"input_faces_index": "-1"}, "input_faces_index: '-1' is no list"),
    ],
)
def test_a_face_that_is_not_there_is_named(body, says):
    """The sentence begins with the parameter that has to change."""
    whole = {"source_img": OTHER, "target_img": FACE} | body
    sent = {name: encoded([value]) if isinstance(value, np.ndarray) else value for name, value in whole.items()}
    with pytest.raises(InvalidRequest, match=rf"^{says}"):
        swapped(**sent)


def test_an_animation_stays_one():
    """A GIF's frames are swapped one by one; their times and how often they play stay."""
    frames = [np.roll(FACE, 3 * number, axis=1) for number in range(3)]
    target = encoded(frames, "GIF", duration=[80, 200, 40], loop=2)
    made, image = swapped("sd2.1-faceswapper", input_face_image=encoded([OTHER]), target_face_image=target)
    times = []
    for number in range(image.n_frames):
        image.seek(number)
        times.append(image.info["duration"])
        assert changes(frames[number], image)[40:].max() > 30
    assert (made.media_type, times, image.info["loop"]) == ("image/gif", [80, 200, 40], 2)


@pytest.mark.parametrize(
    ("file_type", "media_type"),
    [("png", "image/png"), ("jpg", "image/jpeg"), ("GIF", "image/gif"), ("tga", "image/jpeg"), (7, "image/jpeg")],
)
def test_the_file_type_is_honoured(file_type, media_type):
    """The file that is asked for comes back, JPEG for what no preview writes."""
    made, image = swapped(
        "sd2.1-faceswapper", input_face_image=encoded([OTHER]), target_face_image=encoded([FACE]), file_type=file_type
    )
    assert made.media_type == media_type == Image.MIME[image.format]


def test_a_damaged_animation_is_named():
    """A GIF that ends too early is an error of the request."""
    whole = base64.b64decode(encoded([FACE, OTHER], "GIF").partition(",")[2])
    for part in (whole[: len(whole) // 3], whole[:900]):
        cut = f"data:image/gif;base64,{base64.b64encode(part).decode()}"
        with pytest.raises(InvalidRequest, match=r"^target_face_image: "):
            swapped("sd2.1-faceswapper", input_face_image=encoded([OTHER]), target_face_image=cut)
