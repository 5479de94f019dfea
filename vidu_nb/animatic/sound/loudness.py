"""Loudness in LUFS (EBU R 128), measured and brought to a level, of sound that comes in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import av.filter
import numpy as np
from numpy.typing import NDArray

RATE = 48_000  # samples a second
LOUDNESS = -16.0  # LUFS
SILENCE = -70.0  # LUFS, of what is softer than the measure's gate, or shorter than 0.4 seconds
PEAK = 0.84  # of full scale, -1.5 dBFS; between samples, and after coding, it is a little more
_TRIES = 8
_NEAR = 0.2  # LU; one of them is what can be heard

Samples = NDArray[np.float32]  # left and right, (2, count)


def measure(pieces: Iterable[Samples]) -> tuple[float, float]:
    """Return integrated loudness in LUFS, by FFmpeg's `ebur128` filter, and the highest sample's absolute value."""
    graph = _Graph("ebur128", "metadata=1")
    loudness, peak = SILENCE, 0.0
    for piece in pieces:
        if piece.size:
            peak = max(peak, float(-piece.min()), float(piece.max()))
        for frame in graph.push(piece):
            loudness = float(frame.metadata.get("lavfi.r128.I", loudness))
    for frame in graph.push(None):
        loudness = float(frame.metadata.get("lavfi.r128.I", loudness))
    return loudness, peak


def find_gain(make: Callable[[], Iterable[Samples]]) -> tuple[float, float]:
    """Return the factor by which a sound becomes as loud as it should be, and how loud it is without, in LUFS.

    Its peaks are limited by `amplified`, which takes loudness, too, and is counted in.

    Parameters
    ----------
    make
        Called for the sound, as often as it has to be measured.
    """
    loudness, peak = measure(make())
    if loudness <= SILENCE:
        return min(1.0, PEAK / peak) if peak else 1.0, loudness
    gain = _factor(LOUDNESS - loudness)
    for _ in range(_TRIES if gain * peak > PEAK else 0):
        missing = LOUDNESS - measure(amplified(make(), gain))[0]
        if abs(missing) <= _NEAR:
            break
        gain *= _factor(1.5 * missing)  # of what is added, the limiter takes more than of what was there
    return gain, loudness


def amplified(pieces: Iterable[Samples], gain: float) -> Iterator[Samples]:
    """Yield a sound with a factor applied, its peaks held below `PEAK`; its length stays."""
    graph = _Graph("alimiter", f"limit={PEAK}:level=0:latency=1:attack=5:release=50")
    for piece in pieces:
        for frame in graph.push(piece * np.float32(gain)):
            yield frame.to_ndarray()
    for frame in graph.push(None):
        yield frame.to_ndarray()


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))


class _Graph:
    """One of FFmpeg's filters, that takes sound in pieces."""

    def __init__(self, name: str, arguments: str) -> None:
        self._graph = graph = av.filter.Graph()
        self._source = graph.add_abuffer(sample_rate=RATE, format="fltp", layout="stereo", time_base=Fraction(1, RATE))
        self._sink = graph.add("abuffersink")
        planar = graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo")
        graph.link_nodes(self._source, graph.add(name, arguments), planar, self._sink).configure()
        self._pushed = 0

    def push(self, piece: Samples | None) -> Iterator[Any]:
        """Take a piece, or None at the end, and yield the frames that are ready."""
        if piece is None:
            self._source.push(None)
        elif piece.shape[1]:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, self._pushed, Fraction(1, RATE)
            self._pushed += piece.shape[1]
            self._source.push(frame)
        with suppress(av.BlockingIOError, av.EOFError):
            while True:
                yield self._sink.pull()
