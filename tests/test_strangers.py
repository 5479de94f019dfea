"""Files that strangers send: nothing that they say of themselves writes, reads or pays for anything else."""

from __future__ import annotations

import contextlib
import json

import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb import media
from vidu_nb.recipe import PICTURES_BOX, RECIPE_TAG


def evil_clip(small_clip, target, *, picture, sha256):
    """An MP4 whose recipe calls a picture's hash whatever it wants."""
    note = {"name": "cat.png", "size": [256, 192], "sha256": sha256, "url": None}
    said = {"format": 1, "request": {"prompt": "A wave. Zoom in.", "image_urls": [note], "aspect_ratio": "1:1"}}
    media.write_tags(small_clip, target, {RECIPE_TAG: json.dumps(said)})
    media.append_box(target, PICTURES_BOX, json.dumps([picture]).encode())
    return target


@pytest.mark.parametrize("engine", ["preview", "nobody", "storage"])
@pytest.mark.parametrize("claim", ["../../mine/photo", "{tmp_path}/mine/photo", "..\\mine\\photo"])
def test_a_strangers_clip_overwrites_no_file(small_clip, photo, tmp_path, engine, claim, faults):
    """A recipe's hash that is a path leads nowhere: the user's pictures stay as they are, whoever is asked."""
    mine = tmp_path / "mine" / "photo.png"
    mine.parent.mkdir()
    mine.write_bytes(b"my picture")
    mine.with_suffix(".json").write_bytes(b"my notes")
    picture = vidu.Reference(photo).url
    clip = evil_clip(small_clip, tmp_path / "evil.mp4", picture=picture, sha256=claim.format(tmp_path=tmp_path))
    client = {
        "preview": lambda: vidu.Client.preview(quality="draft"),
        "nobody": lambda: vidu.Client(KEY, "http://127.0.0.1:9", timeout=2, notify=len),
        "storage": lambda: vidu.Client(KEY, faults.root, uploads="storage", notify=len),
    }[engine]()
    if request := vidu.load(clip).request:
        with contextlib.suppress(vidu.errors.ViduError):
            client.generate(request)
    assert mine.read_bytes() == b"my picture"
    assert mine.with_suffix(".json").read_bytes() == b"my notes"
    outside = {path.name for path in tmp_path.iterdir()} - {"archive"}
    assert outside == {"mine", "evil.mp4"}
