"""One request, one clip: the same bytes however many threads there are, in any process, after any other work."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import cv2
import pytest
from skimage import data

from vidu_nb.animatic.engine import make_clip
from vidu_nb.request import VideoRequest

PROMPT = "A whip pan to the right over a cup of coffee, then orbit a cat. Finally zoom in on an astronaut"
#: Runs in a process of its own, with other work done before.
ALONE = """
import hashlib, sys
import cv2
from skimage import data
from vidu_nb.animatic.engine import make_clip
from vidu_nb.request import VideoRequest
if int(sys.argv[1]):
    cv2.setNumThreads(int(sys.argv[1]))
pictures = [data.coffee(), data.cat(), data.astronaut()]
request = VideoRequest(prompt=sys.argv[2], references=pictures, aspect_ratio=sys.argv[3], seed=5)
print(hashlib.sha256(make_clip(request, draft=sys.argv[4] == "draft")).hexdigest())
"""


@pytest.fixture(scope="module")
def request_of():
    """A request in a ratio, with a fast move, a turn and a zoom in it, and music."""
    pictures = [data.coffee(), data.cat(), data.astronaut()]
    return lambda ratio: VideoRequest(prompt=PROMPT, references=pictures, aspect_ratio=ratio, seed=5)


@pytest.fixture(scope="module")
def small(request_of):
    """The digest of a small clip, as this process makes it."""
    return digest(make_clip(request_of("16:9"), draft=True))


@pytest.fixture
def threads():
    """Sets the number of OpenCV's threads for a test."""
    before = cv2.getNumThreads()
    yield cv2.setNumThreads
    cv2.setNumThreads(before)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def alone(*arguments, before=(), **environment):
    command = [*before, sys.executable, "-c", ALONE, *map(str, arguments)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=120, env=os.environ | environment
    )
    return done.stdout.strip()


@pytest.mark.parametrize("count", [1, 4])
def test_the_number_of_threads_changes_no_byte(count, small, threads, request_of):
    """More threads divide the work in other places, and the pictures stay the same."""
    threads(count)
    assert digest(make_clip(request_of("16:9"), draft=True)) == small


def test_other_work_before_changes_no_byte(small, request_of):
    """A clip doesn't depend on the clips before it."""
    make_clip(request_of("1:1").replace(seed=6, bgm=False), draft=True)
    assert digest(make_clip(request_of("16:9"), draft=True)) == small


def test_another_process_makes_the_same_bytes(small):
    """With other hashes, other pools and a single one of the machine's cores."""
    core = str(min(os.sched_getaffinity(0)))
    got = alone(0, PROMPT, "16:9", "draft", before=("taskset", "-c", core), OMP_NUM_THREADS="1", PYTHONHASHSEED="7")
    assert got == small


def test_a_full_clip_is_the_same_everywhere(request_of):
    """In full size too: here, and with one thread in another process."""
    assert alone(1, PROMPT, "1:1", "full", OMP_NUM_THREADS="1") == digest(make_clip(request_of("1:1")))
