"""The music: the same for the same seed, another for another, and fit to be heard."""

from __future__ import annotations

import numpy as np
import pytest

from vidu_nb.animatic.music import RATE, compose


@pytest.mark.parametrize("seconds", [0.04, 1, 5, 10.0])
def test_it_is_stereo_of_the_length_asked_for(seconds):
    """int16, two columns, 48 kHz."""
    samples = compose(1, seconds)
    assert samples.dtype == np.int16
    assert samples.shape == (round(seconds * RATE), 2)


def test_the_same_seed_gives_the_same_samples():
    """To the last bit."""
    assert np.array_equal(compose(7, 2.0, "a cat"), compose(7, 2.0, "a cat"))


def test_seeds_and_moods_are_heard():
    """Each seed has its own piece, and so has each mood."""
    pieces = [compose(seed, 2.0).tobytes() for seed in range(6)]
    assert len(set(pieces)) == 6
    assert len({compose(1, 2.0, text).tobytes() for text in ("calm", "dark", "happy")}) == 3


@pytest.mark.parametrize("seed", range(12))
def test_it_is_neither_silent_nor_clipped(seed):
    """A healthy level without overshoot, no offset, and both sides at work."""
    samples = compose(seed, 5.0).astype(float) / 32768
    assert np.abs(samples).max() < 0.75
    assert np.all(np.sqrt((samples**2).mean(axis=0)) > 0.03)
    assert np.all(np.abs(samples.mean(axis=0)) < 0.005)
    assert not np.array_equal(samples[:, 0], samples[:, 1])


@pytest.mark.parametrize("seed", range(6))
def test_it_begins_and_ends_softly(seed):
    """No click at either end, and no gap in between."""
    samples = np.abs(compose(seed, 5.0).astype(int))
    assert samples[:10].max() < 500
    assert samples[-10:].max() < 200
    loud = samples[: 4 * RATE].max(axis=1).reshape(-1, RATE // 2).max(axis=1)
    assert loud.min() > 1000


def test_no_sample_jumps():
    """Neighbouring samples never differ by a third of full scale: that would be heard as a crack."""
    for seed in range(6):
        assert np.abs(np.diff(compose(seed, 5.0).astype(int), axis=0)).max() < 11_000
