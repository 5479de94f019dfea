"""The subject is found, and stays in the frame whatever its shape."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from vidu_nb.animatic.film.camera import Box, Scene
from vidu_nb.animatic.film.subject import find_subject, frame_subject

RATIOS = [16 / 9, 1.0, 9 / 16]


def spotted(width, height, x, y, radius=30):
    """A dim picture with one bright disc."""
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[(columns - x) ** 2 + (rows - y) ** 2 < radius**2] = (240, 200, 60)
    return picture


def test_a_face_is_found():
    """The astronaut's face lies where it lies, and her hair belongs to the subject."""
    scene = find_subject(data.astronaut())
    assert scene.face > 60
    assert scene.focus == pytest.approx((222, 110), abs=25)
    assert scene.subject.top < 40


@pytest.mark.parametrize("name", ["coffee", "cat", "rocket"])
def test_no_face_is_seen_where_there_is_none(name):
    """A cup, a cat and a rocket are no people."""
    assert find_subject(getattr(data, name)()).face == 0


@pytest.mark.parametrize(("x", "y"), [(90, 80), (510, 80), (300, 200), (120, 330)])
def test_what_stands_out_is_the_subject(x, y):
    """One bright disc on a dim ground draws the focus, and lies in the subject's box."""
    scene = find_subject(spotted(600, 400, x, y))
    assert scene.focus == pytest.approx((x, y), abs=60)
    assert scene.subject.left <= x <= scene.subject.right
    assert scene.subject.top <= y <= scene.subject.bottom


def test_a_flat_picture_has_its_subject_in_the_middle():
    """With nothing to go by, the middle it is."""
    scene = find_subject(np.full((300, 400, 3), 128, np.uint8))
    assert scene.focus == pytest.approx((200, 150), abs=8)


@pytest.mark.parametrize("shape", [(128, 128), (128, 512), (512, 128), (2000, 500)])
@pytest.mark.parametrize("aspect", RATIOS)
def test_every_shape_can_be_framed(shape, aspect):
    """From 1:4 to 4:1 the used part lies within the picture, and a canvas has the output's shape."""
    rng = np.random.default_rng(1)
    scene = find_subject(rng.integers(0, 255, (*shape, 3), np.uint8))
    framing = frame_subject(scene, aspect)
    assert 0 <= framing.crop.left < framing.crop.right <= shape[1] + 1e-6
    assert 0 <= framing.crop.top < framing.crop.bottom <= shape[0] + 1e-6
    if framing.fill:
        assert framing.canvas[0] / framing.canvas[1] == pytest.approx(aspect)
        assert framing.crop.width * framing.crop.height > 0.5 * framing.canvas[0] * framing.canvas[1]


@pytest.mark.parametrize("aspect", RATIOS)
def test_a_small_subject_is_cropped_to_and_a_broad_one_is_filled_around(aspect):
    """A crop wherever it keeps the subject; a filled frame where it would not."""
    small = Scene(1600, 900, Box(700, 400, 900, 500), (800, 450))
    assert not frame_subject(small, aspect).fill
    broad = Scene(3600, 900, Box(100, 100, 3500, 800), (1800, 450))
    assert frame_subject(broad, aspect).fill
