"""A plane is seen through a map cheaply where the map is simple, and shows the same as if it had been warped."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from vidu_nb.animatic.film.sampling import MARGIN, Sampler

WIDTH, HEIGHT = 480, 270


@pytest.fixture(scope="module")
def source():
    """Soft noise in all directions, with a margin: any slip of a sample shows."""
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT * 2, WIDTH * 2), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.6), None, 0, 255, cv2.NORM_MINMAX)


def warped(source, matrix):
    """The map's picture in floating point."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        source.astype(np.float32),
        np.array(matrix, float),
        (WIDTH, HEIGHT),
        flags=flags,
        borderMode=cv2.BORDER_REPLICATE,
    )


def sampled(source, matrix):
    target = np.empty((HEIGHT, WIDTH), np.uint8)
    Sampler(WIDTH, HEIGHT).fill([target], [source], matrix)
    return target


@pytest.mark.parametrize("scale", [0.62, 0.853, 0.97, 0.999, 1, 1.0004, 1.031, 1.17, 1.391])
@pytest.mark.parametrize("roll", [0, 0.03])
def test_any_way_of_sampling_shows_the_same(source, scale, roll):
    """A pan, a zoom and a turn, wherever they start, are within a few levels of an exact warp."""
    for x, y in ((70.0, 66.0), (64.37, 80.81), (90.999, 64.004)):
        matrix = ((scale, -roll, x), (roll, scale, y))
        difference = np.abs(sampled(source, matrix) - warped(source, matrix))
        assert difference.max() < 12
        assert difference.mean() < 1.2  # a cubic is a little sharper


@pytest.mark.parametrize("matrix", [((1, 0, -9.5), (0, 1, 3)), ((0.9, 0, -40), (0, 0.9, -3)), ((1, 0, 600), (0, 1, 1))])
def test_beyond_the_source_its_edge_goes_on(source, matrix):
    """No frame shows black, or another row's pixels, where a map looks over the edge."""
    assert np.abs(sampled(source, matrix) - warped(source, matrix)).max() < 3


def test_a_zoom_moves_evenly(source):
    """Frame after frame nothing is more than a few hundredths of a pixel from where the zoom has it."""
    sampler, target = Sampler(WIDTH, HEIGHT), np.empty((HEIGHT, WIDTH), np.uint8)
    slope = np.abs(np.gradient(source.astype(float))).max()
    for i in range(30):
        scale = 1.25 ** (-i / 30)
        matrix = ((scale, 0, MARGIN + 0.31 * i), (0, scale, MARGIN + 0.17 * i))
        sampler.fill([target], [source], matrix)
        assert np.abs(target - warped(source, matrix)).max() <= 0.5 + 0.6 + 2 * 0.03 * slope


def test_a_blur_smears_along_the_move_only():
    """An upright edge is smeared by a move across, and kept by one down."""
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    plane[:, WIDTH // 2 :] = 200
    across, down = plane.copy(), plane.copy()
    sampler = Sampler(WIDTH, HEIGHT)
    sampler.blur([across], 20, 0)
    sampler.blur([down], 0, 20)
    assert np.array_equal(down, plane)
    assert math.isclose(np.count_nonzero((across[0] > 0) & (across[0] < 200)), 20, abs_tol=1)
