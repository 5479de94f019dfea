"""Restyled pictures: as strongly as is asked, in the prompt's colours, in the picture's own size."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from vidu_nb.animatic.stills.restyle import restyle

PICTURE = data.coffee()[::2, ::2]


def made(prompt="a wave", style="", seed=1, strength=0.7):
    return restyle(PICTURE, prompt=prompt, style=style, seed=seed, strength=strength)


def test_strength_nought_changes_nothing():
    """At 0 the picture is what it was."""
    assert np.array_equal(made(strength=0), PICTURE)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_more_strength_changes_more(seed):
    """Each step away from 0 leads further away from the picture, whichever style the seed draws."""
    steps = [np.abs(made(seed=seed, strength=one).astype(int) - PICTURE).mean() for one in (0.05, 0.3, 0.65, 1)]
    assert steps == sorted(steps)
    assert steps[0] < 8 < steps[-1]


def test_the_size_stays():
    """A picture of any shape keeps it."""
    assert made().shape == PICTURE.shape


def test_colour_words_are_followed():
    """A blue prompt makes a bluer picture than a red one."""
    blue, red = (made(f"a {colour} morning").mean((0, 1)) for colour in ("blue", "red"))
    assert blue[2] - blue[0] > red[2] - red[0] + 30
