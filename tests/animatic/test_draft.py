"""A draft is the same animatic, quicker and smaller."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest
from skimage import data

from vidu_nb.animatic.engine import make_clip
from vidu_nb.animatic.film.render import Film, new_frame, planes_of, render
from vidu_nb.animatic.story.storyboard import Shot, Storyboard, plan_of
from vidu_nb.request import VideoRequest

SIZES = {"16:9": (960, 540), "1:1": (960, 960), "9:16": (540, 960)}
PROMPT = "An astronaut smiles. Then the camera pans left over a cat. Cut to a cup"


def request_for(ratio="16:9", **changes):
    pictures = [data.astronaut(), data.cat(), data.coffee()]
    return VideoRequest(prompt=PROMPT, references=pictures, aspect_ratio=ratio, seed=3).replace(**changes)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A draft with music."""
    path = tmp_path_factory.mktemp("draft") / "draft.mp4"
    path.write_bytes(make_clip(request_for(), draft=True))
    return path


def luma(board, pictures, indices):
    """Y of some frames, without encoding, at a quarter of a draft's size."""
    film, frame = Film(board, pictures, captions=False), new_frame(board.width, board.height)
    for index in range(max(indices) + 1):
        film.draw(index, planes_of(frame))
        if index in indices:
            yield cv2.resize(planes_of(frame)[0], (240, 136), interpolation=cv2.INTER_AREA).astype(int)


@pytest.mark.parametrize("ratio", SIZES)
def test_a_draft_has_the_same_plan(ratio):
    """Shots, times, moves and words are the full clip's; only the size is another: 960 pixels on the longer side."""
    request = request_for(ratio)
    full, draft = plan_of(request), plan_of(request, draft=True)
    assert (draft.width, draft.height) == SIZES[ratio]
    assert (full.width, full.height) == request.frame_size
    assert (draft.shots, draft.frames, draft.seed, draft.bgm) == (full.shots, full.frames, full.seed, full.bgm)
    assert str(draft) == str(full)


def test_a_draft_shows_the_same_pictures():
    """Frame by frame a draft is the full clip, shrunk: the camera stands in the same places."""
    pictures = [data.astronaut(), data.cat(), data.coffee()]
    full, draft = plan_of(request_for()), plan_of(request_for(), draft=True)
    for one, two in zip(luma(full, pictures, {0, 30, 61}), luma(draft, pictures, {0, 30, 61}), strict=True):
        inner = np.abs(one - two)[24:]  # the word PREVIEW stands above
        assert inner.mean() < 2


def test_a_draft_is_as_long_and_sounds_the_same(clip):
    """All its frames are there, and the music is not shortened."""
    with av.open(str(clip)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.frames, video.average_rate) == (960, 540, 120, 24)
        assert float(audio.duration * audio.time_base) == pytest.approx(5, abs=0.05)


def test_captions_can_be_left_away(tmp_path):
    """Without them no words are on the picture but PREVIEW."""
    storyboard = Storyboard((Shot(0, 1, 0, "static", "wide", "some words"),), 480, 270, 1, 1, "auto", False, "")
    grey = [np.full((270, 480, 3), 128, np.uint8)]
    (bare,) = luma(storyboard, grey, {0})
    assert np.ptp(bare[68:]) <= 1
    assert np.ptp(bare[:68]) > 50
    sizes = []
    for captions in (True, False):
        render(storyboard, grey, tmp_path / "clip.mp4", captions=captions)
        sizes.append((tmp_path / "clip.mp4").stat().st_size)
    assert sizes[0] > sizes[1]
