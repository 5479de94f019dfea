"""Measures go by what a model's file says of a request, and refuse what is no clip in words."""

from __future__ import annotations

import numpy as np
import pytest
from catalogues import FOLDER
from PIL import Image

import vidu_nb as vidu
from vidu_nb.catalogue.model import Model
from vidu_nb.errors import InvalidRequest
from vidu_nb.measures.framing import _planned

PAINTER, SWAPPER, WAN = "sdxl1.0-txt2img", "faceswap-v2", "wan2.7-r2v"
OWN = """\
slug = "own-model"
title = "Own"
returns = "video"
price_usd = 1

[fields.hero]
type = "picture"
role = "picture"
required = true

[fields.others]
type = "pictures"
"""


def edges(box):
    """A box's edges."""
    return [box.left, box.top, box.right, box.bottom]


@pytest.fixture
def own(tmp_path):
    """A model whose pictures are called otherwise, for as long as a test takes."""
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    model = vidu.models.add(path)
    yield model
    vidu.models.remove(model.slug)


def test_all_pictures_of_a_request_are_looked_for(own, small_clip, photo):
    """Whatever the model calls them, and whichever is single."""
    request = own.request(
        hero=vidu.Reference(photo, name="wave"), others=[vidu.Reference(photo[:, ::-1], name="mirrored")]
    )
    found = vidu.consistency(vidu.Video(small_clip, request))
    assert found.names == ("wave", "mirrored")


def test_more_pictures_than_the_default_model_takes_are_looked_for(small_clip, encoded):
    """The limit is the model's own."""
    pictures = [encoded(colour=colour) for colour in ("red", "green", "blue", "navy", "white", "black", "grey")]
    request = vidu.models[WAN].request(prompt="Image1", references=pictures)
    assert len(vidu.consistency(vidu.Video(small_clip, request)).names) == 7


def test_a_clip_of_another_model_is_framed(own, small_clip, photo):
    """By its frames, as every clip is."""
    report = vidu.framing(vidu.Video(small_clip, own.request(hero=photo)))
    assert (report.of, len(report.cuts)) == ("clip", 6)


@pytest.mark.parametrize("kind", ["request", "image"])
def test_a_picture_is_no_clip(kind, photo):
    """Neither a request for one nor one that is at hand: what to pass is told."""
    picture = vidu.models[PAINTER].request(prompt="A lighthouse") if kind == "request" else Image.fromarray(photo)
    with pytest.raises(InvalidRequest, match="is neither a clip nor a request for one"):
        vidu.framing(picture)
    with pytest.raises(InvalidRequest, match="is no clip"):
        vidu.consistency(picture, [photo])
    with pytest.raises(InvalidRequest, match="only clips have shots"):
        vidu.storyboard(picture)


def test_a_ratio_of_another_size_is_measured_in_the_same_frame(photo):
    """A model whose 16:9 has fewer pixels is judged as if it were shown in full."""
    text = (FOLDER / "vidu-q1-reference-to-video.toml").read_text()
    small = Model.from_toml(text.replace("[1920, 1080]", "[1280, 720]"))
    full = vidu.VideoRequest(prompt="A wave. Pan right.", references=photo)
    boards = [list(_planned(one, [photo])) for one in (full, small.request(**full.values()))]
    for one, other in zip(*boards, strict=True):
        assert np.allclose(edges(one.subject), edges(other.subject), atol=2)
