"""One pass over a clip: which frames are samples, and what is found between two of them."""

from __future__ import annotations

import numpy as np
import pytest

from vidu_nb.errors import ViduError
from vidu_nb.measures.embedding import Embedded
from vidu_nb.measures.tracking import track
from vidu_nb.media import decode

STEP = 8
DARK, BRIGHT = (np.full((64, 64, 3), value, np.uint8) for value in (60, 180))


def brightness(pictures):
    """One direction for dark pictures and another for bright ones."""
    return np.array([[1.0, 0.0] if picture.mean() < 120 else [0.0, 1.0] for picture in pictures])


@pytest.fixture
def tracked(make_clip):
    """Follows the bright picture through a clip of such frames: ``tracked([DARK, BRIGHT])``."""

    def follow(frames):
        clip = make_clip("clip.mp4", frames, crf=10, sound=False)
        measure = Embedded(brightness)
        return track(decode(clip), measure, [measure.extract_reference(BRIGHT)], threshold=0.5, step=STEP)

    return follow


@pytest.mark.parametrize(
    ("frames", "samples"),
    [(1, [0]), (8, [0, 7]), (9, [0, 8]), (10, [0, 8, 9]), (17, [0, 8, 16]), (20, [0, 8, 16, 19])],
)
def test_the_first_and_the_last_frame_are_samples(tracked, frames, samples):
    """Wherever the last one falls between two steps; none is a sample twice."""
    found = tracked([DARK] * frames)
    assert [sample.frame for sample in found.samples] == samples
    assert found.frames == frames
    assert found.edges == [{0: False}]


@pytest.mark.parametrize("first", [1, 7, 8, 9, 15, 18, 19])
def test_what_comes_is_found_at_its_frame(tracked, first):
    """Between two samples, at one, and in the very last frame."""
    found = tracked([DARK] * first + [BRIGHT] * (20 - first))
    assert found.edges == [{0: False, first: True}]
    assert found.luma.cuts() == [first]


@pytest.mark.parametrize("second", [11, 13, 15])
def test_of_two_cuts_between_samples_the_right_one_counts(tracked, second):
    """A cut to yet another picture is no sign of the one that is looked for."""
    other = np.full((64, 64, 3), 100, np.uint8)
    found = tracked([DARK] * 9 + [other] * (second - 9) + [BRIGHT] * (20 - second))
    assert found.luma.cuts() == [9, second]
    assert found.edges == [{0: False, second: True}]


def test_what_comes_slowly_is_found_at_the_frame_that_shows_it(tracked):
    """Without a cut, the frames between two samples are searched."""
    found = tracked([np.full((64, 64, 3), 57 + 6 * i, np.uint8) for i in range(20)])
    assert found.luma.cuts() == []
    assert found.edges == [{0: False, 11: True}]


def test_a_clip_without_a_frame_is_refused():
    """There is nothing to measure."""
    with pytest.raises(ViduError, match="holds no picture"):
        track([], Embedded(brightness), [], threshold=0.5, step=STEP)
