"""A clip's storyboard in a notebook: a table, and a strip of frames whose arrows tell the moves."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vidu_nb.animatic.film.render import render
from vidu_nb.animatic.story.moves import MOVES
from vidu_nb.animatic.story.storyboard import plan_of
from vidu_nb.animatic.story.strip import arrowed, strip_html
from vidu_nb.catalogue.request import PREVIEW_VERSION
from vidu_nb.receipt import Receipt
from vidu_nb.references.reference import Reference
from vidu_nb.request import VideoRequest
from vidu_nb.samples import sample_references
from vidu_nb.video import Video

PROMPT = "Zoom in on the astronaut. Whip pan right to the coffee, then pull out. And the rocket, orbit left, slow."


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A small clip whose request has a random seed that its receipt tells."""
    request = VideoRequest(prompt=PROMPT, references=sample_references(), seed=0)
    board = replace(plan_of(request, seed=7), width=320, height=180, bgm=False)
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    render(board, [np.asarray(one.open().convert("RGB")) for one in request.references], path)
    return Video(path, request, Receipt("preview", seed=7, engine_version=PREVIEW_VERSION))


def frames_of(html):
    """The strip's pictures."""
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def test_a_clip_tells_its_plan(video):
    """The plan that it was made by, with the seed that the receipt tells; the same as the engine's."""
    assert video.storyboard == plan_of(video.request, seed=7)
    assert video.storyboard != plan_of(video.request, seed=8)
    assert "whip pan right (fast)" in str(video.storyboard)


@pytest.mark.parametrize(
    ("engine", "version", "noted"),
    [
        ("preview", PREVIEW_VERSION, False),
        ("preview", PREVIEW_VERSION - 1, True),
        ("preview", PREVIEW_VERSION + 1, True),
        ("preview", None, True),  # version 0.1 wrote none
        ("segmind", None, False),  # a model's clip never followed the plan
    ],
)
def test_a_preview_of_another_engine_version_says_that_its_plan_may_be_another(video, engine, version, noted):
    """Today's plan beneath yesterday's frames is marked as such, in text and in HTML."""
    other = replace(video, receipt=Receipt(engine, seed=7, engine_version=version))
    assert other.storyboard.shots == video.storyboard.shots
    for shown in str(other.storyboard), other.storyboard._repr_html_():
        assert ("Another version of the preview engine made this clip" in shown) == noted


def test_a_file_that_tells_no_request_has_no_plan(video):
    """None, as for its request."""
    assert Video(video.path).storyboard is None


def test_a_small_picture_gets_a_warning_and_no_refusal(video):
    """It is told by number, size and how often it is enlarged; a large one isn't."""
    assert "1 (512x512, 3.8 times)" in str(video.storyboard)
    assert "therefore soft" in video.storyboard._repr_html_()
    large = VideoRequest(prompt="A wall", references=[Reference(Image.new("RGB", (1920, 1200)))])
    assert not plan_of(large).notes


def test_there_is_a_small_frame_for_each_shot(video):
    """Each of the size of the strip, all together below 80 kB, and the same each time."""
    html = video.storyboard._repr_html_()
    pictures = frames_of(html)
    assert len(pictures) == len(video.storyboard.shots) == html.count("<img")
    assert {picture.size for picture in pictures} == {(208, 117)}
    assert len(html) < 80_000
    assert html == video.storyboard._repr_html_()


def test_without_its_file_the_plan_is_still_shown(video, tmp_path):
    """A clip that was moved away leaves the table, and a word about it."""
    html = replace(video, path=tmp_path / "gone.mp4").storyboard._repr_html_()
    assert "whip pan right" in html
    assert "gone.mp4" in html
    assert "<img" not in html


@pytest.mark.parametrize("move", [*sorted(MOVES), "zoom in + pan left", "push in + tilt up + handheld"])
def test_moves_have_arrows_of_their_own(move):
    """Bright lines with dark rims on any ground; a camera that stands has none."""
    for ground in ((250, 250, 250), (5, 5, 5)):
        frame = Image.new("RGB", (208, 117), ground)
        drawn = np.abs(np.asarray(arrowed(frame, move), int) - ground).max(axis=2) > 60
        assert drawn.any() == (move != "static")
        assert drawn.mean() < 0.12
    left, right = (
        np.asarray(arrowed(Image.new("L", (208, 117)).convert("RGB"), f"pan {way}"), int) for way in ("left", "right")
    )
    assert np.array_equal(left[:, ::-1], right) or np.abs(left[:, ::-1] - right).mean() < 3


def test_a_strip_of_a_clip_that_is_too_short_shows_its_last_frame(small_clip):
    """A file that was cut after it was planned still gives every shot its frame."""
    html = strip_html(small_clip, [(0.0, "static", "first"), (3.0, "static", "second"), (4.0, "static", "third")])
    first, second, third = re.findall(r'src="([^"]+)"', html)
    assert second == third != first
