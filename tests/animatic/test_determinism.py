"""One request, one clip: the same bytes however many threads there are, in any process, after any other work."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from skimage import data

from vidu_nb.animatic.engine import make_clip
from vidu_nb.animatic.film.render import render
from vidu_nb.animatic.story.storyboard import plan
from vidu_nb.request import VideoRequest

#: A fast move, a turn, a zoom, and music.
PROMPT = "A whip pan to the right over a cup of coffee, then orbit a cat. Finally zoom in on an astronaut"
PICTURES = [data.coffee(), data.cat(), data.astronaut()]


def short_clip(name="short.mp4"):
    """The digest of two seconds, as large as a draft."""
    board = plan(
        PROMPT, [""] * 3, width=960, height=540, duration=2, seed=5, movement_amplitude="auto", bgm=True
    )  # fmt: skip
    render(board, PICTURES, name)
    return digest(Path(name).read_bytes())


def full_clip():
    """The digest of a request's whole clip."""
    return digest(make_clip(VideoRequest(prompt=PROMPT, references=PICTURES, aspect_ratio="1:1", seed=5)))


def digest(data):
    return hashlib.sha256(data).hexdigest()


def alone(made, *before, **environment):
    """What a function of this file returns in a process of its own."""
    code = f"import test_determinism; print(test_determinism.{made.__name__}())"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    ran = subprocess.run(
        [*before, sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env=os.environ | environment | {"PYTHONPATH": path},
    )  # fmt: skip
    return ran.stdout.strip()


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """The digest of the short clip, as this process makes it."""
    return short_clip(tmp_path_factory.mktemp("short") / "clip.mp4")


@pytest.fixture
def threads():
    """Sets the number of OpenCV's threads for a test."""
    before = cv2.getNumThreads()
    yield cv2.setNumThreads
    cv2.setNumThreads(before)


@pytest.mark.parametrize("count", [1, 4])
def test_the_number_of_threads_changes_no_byte(count, short, threads):
    """More threads divide the work in other places, and the pictures stay the same, whatever was made before."""
    threads(count)
    assert short_clip() == short


def test_another_process_makes_the_same_bytes(short):
    """With other hashes, other pools and a single one of the machine's cores."""
    core = str(min(os.sched_getaffinity(0)))
    assert alone(short_clip, "taskset", "-c", core, OMP_NUM_THREADS="1", PYTHONHASHSEED="7") == short


def test_a_full_clip_is_the_same_everywhere():
    """In full size too, from a request to its bytes: here, after other work, and in another process."""
    assert alone(full_clip, OMP_NUM_THREADS="1", PYTHONHASHSEED="5") == full_clip()
