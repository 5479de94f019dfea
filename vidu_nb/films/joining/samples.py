"""Sound in pieces of samples: 48 kHz, left and right, float32 of shape (2, count)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

from ...animatic.sound.loudness import RATE, Samples

_PIECE = RATE  # samples at a time, at most
_RATES = range(4_000, 400_001)  # samples a second; of one a second, each would become 48,000


class Reader:
    """Reads a sound that comes in pieces: as many samples as are wanted at a time, silence after its end."""

    def __init__(self, pieces: Iterable[Samples]) -> None:
        self._pieces = iter(pieces)
        self._rest: Samples = np.zeros((2, 0), np.float32)

    def take(self, count: int) -> Samples:
        """Return the next samples."""
        found, missing = [self._rest[:, :count]], count - min(count, self._rest.shape[1])
        self._rest = self._rest[:, count:]
        while missing:
            piece = next(self._pieces, None)
            if piece is None:
                piece = np.zeros((2, missing), np.float32)
            found.append(piece[:, :missing])
            self._rest, missing = piece[:, missing:], missing - found[-1].shape[1]
        return np.concatenate(found, 1)

    def pieces(self, count: int) -> Iterator[Samples]:
        """Yield the next samples, a second at a time."""
        for done in range(0, count, _PIECE):
            yield self.take(min(_PIECE, count - done))


def resampled(frames: Iterable[Any]) -> Iterator[tuple[Fraction | None, Samples]]:
    """Yield decoded sound at 48 kHz, left and right, with its time in seconds.

    Raises
    ------
    ValueError
        Its rate is absurd, or becomes another one.
    """
    resampler: av.AudioResampler | None = None
    for frame in frames:
        if frame.sample_rate not in _RATES:
            raise ValueError(f"{frame.sample_rate} samples a second")
        if resampler is None:  # one channel would be played softer from two sides
            layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
            resampler = av.AudioResampler(format="fltp", layout=layout, rate=RATE)
        yield from _read(resampler, frame)
    if resampler is not None:
        yield from _read(resampler, None)


def _read(resampler: av.AudioResampler, frame: Any) -> Iterator[tuple[Fraction | None, Samples]]:
    for part in resampler.resample(frame):
        time = None if part.pts is None or part.time_base is None else part.pts * part.time_base
        samples: Any = part.to_ndarray()
        yield time, np.broadcast_to(samples, (2, samples.shape[1]))


def rising(count: int) -> Samples:
    """Return factors from 0 to 1; with their reverse they add up to 1, so that a mix is no louder than its parts."""
    angles = (np.arange(count, dtype=np.float32) + np.float32(0.5)) * np.float32(np.pi / 2 / max(1, count))
    factors: Samples = np.sin(angles)[None] ** 2
    return factors


def crossfaded(before: Samples, after: Samples) -> Samples:
    """Return one sound that becomes another, which is as long."""
    share = rising(before.shape[1])
    mix: Samples = before * share[:, ::-1] + after * share
    return mix
