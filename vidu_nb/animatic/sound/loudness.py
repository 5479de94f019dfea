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
PEAK = 0.84  # of full scale, -1.5 dBFS: between samples it is a little more
_LIMIT = 0.75  # of full scale: what had to be limited is a little more once it was coded
_TRIES = 8
_NEAR = 0.2  # LU; one of them is what can be heard
_CODED = 32_000  # samples a second; of what is higher than half of it, AAC leaves little

Samples = NDArray[np.float32]  # left and right, (2, count)


def measure(pieces: Iterable[Samples], *, rate: int = RATE) -> tuple[float, float]:
    """Return integrated loudness in LUFS, by FFmpeg's `ebur128` filter, and the highest sample's absolute value.

    Parameters
    ----------
    pieces
        The sound, at 48 kHz.
    rate
        Samples a second that are measured: what is higher than half of it doesn't count.
    """
    graph = _Graph(("aresample", str(rate)), ("ebur128", "metadata=1"))
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
    loudness, peak = measure(make(), rate=_CODED)
    if loudness <= SILENCE:
        return min(1.0, _LIMIT / peak) if peak else 1.0, loudness
    gain = _factor(LOUDNESS - loudness)
    for _ in range(_TRIES if gain * peak > _LIMIT else 0):
        missing = LOUDNESS - measure(amplified(make(), gain), rate=_CODED)[0]
        if abs(missing) <= _NEAR:
            break
        gain *= _factor(1.5 * missing)  # of what is added, the limiter takes more than of what was there
    return gain, loudness


def amplified(pieces: Iterable[Samples], gain: float) -> Iterator[Samples]:
    """Yield a sound with a factor applied, its peaks limited; its length stays."""
    graph = _Graph(("alimiter", f"limit={_LIMIT}:level=0:latency=1:attack=5:release=50"))
    for piece in pieces:
        for frame in graph.push(piece * np.float32(gain)):
            yield frame.to_ndarray()
    for frame in graph.push(None):
        yield frame.to_ndarray()


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))


class _Graph:
    """Some of FFmpeg's filters in a row, that take sound in pieces."""

    def __init__(self, *filters: tuple[str, str]) -> None:
        self._graph = graph = av.filter.Graph()
        self._source = graph.add_abuffer(sample_rate=RATE, format="fltp", layout="stereo", time_base=Fraction(1, RATE))
        self._sink = graph.add("abuffersink")
        planar = ("aformat", "sample_fmts=fltp:channel_layouts=stereo")
        graph.link_nodes(self._source, *(graph.add(*one) for one in (*filters, planar)), self._sink).configure()
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
