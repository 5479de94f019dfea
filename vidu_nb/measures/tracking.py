"""One pass over a clip: sample a few frames, and find to the frame what came or went between two samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ViduError
from ..media import decode
from .embedding import Measure
from .matching import Picture

SIDE = 256  # px of the longer side of a sample: half the time of 384, and no less is found
_AHEAD = 12  # frames that are decoded while one is being looked at; 3 MB each

_PLAIN_LUMA = ("yuv420p", "yuvj420p")  # read as they lie: FFmpeg's way to grey costs ten times that

_CUT = 14.0  # mean change of luma, of 255, from one frame to the next ...
_SUDDEN = 2.5  # ... and that many times the change before and after: a fast pan is no cut


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame that was looked at.

    Attributes
    ----------
    frame : int
        Its number, from 0.
    picture : numpy.ndarray
        uint8 RGB, `SIDE` px on the longer side.
    features : object
        What the measure made of it.
    scores : tuple of float
        Each reference's score, 0 to 1.
    """

    frame: int
    picture: Picture
    features: Any
    scores: tuple[float, ...]


class Luma:
    """Very small grey copies of all frames: they show where the picture as a whole changes."""

    def __init__(self) -> None:
        self._copies: list[NDArray[np.float32]] = []
        self._changes: list[float] = []  # mean difference to the frame before; 0 for the first

    def __len__(self) -> int:
        return len(self._copies)

    def add(self, frame: Any) -> None:
        """Add the next frame."""
        copy = _small_luma(frame)
        self._changes.append(float(np.abs(copy - self._copies[-1]).mean()) if self._copies else 0.0)
        self._copies.append(copy)

    def cuts(self) -> list[int]:
        """Return the frames that hard cuts lead to."""
        padded = [0.0, *self._changes, 0.0]
        return [
            i for i, (a, b, c) in enumerate(zip(padded, padded[1:], padded[2:], strict=False))
            if b > _CUT and b > _SUDDEN * max(a, c)
        ]  # fmt: skip

    def turn(self, first: int, last: int) -> int:
        """Find a dissolve's middle: the first frame between the two that is more like `last` than like `first`."""
        first, last = max(0, first), min(len(self) - 1, last)
        before, way = self._copies[first], self._copies[last] - self._copies[first]
        half = float((way**2).sum()) / 2
        return next(
            (frame for frame in range(first, last) if float(((self._copies[frame] - before) * way).sum()) > half), last
        )


class Track:
    """References followed through a clip: the samples, and the frames at which each reference comes or goes.

    Attributes
    ----------
    samples : list of Sample
        In the order of time.
    edges : list of dict
        For each reference: frame to whether it is on screen from there on; frame 0 is always in it.
    luma : Luma
        Of every frame.
    """

    def __init__(self, measure: Measure, references: Sequence[Any], threshold: float) -> None:
        self.measure, self.references, self.threshold = measure, references, threshold
        self.luma = Luma()
        self.samples: list[Sample] = []
        self.edges: list[dict[int, bool]] = [{} for _ in references]

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.luma)

    def sample(self, passed: Sequence[Any]) -> None:
        """Look at the last of the frames that passed since the sample before, and find what changed on the way."""
        number, picture = self.frames - 1, _rgb(passed[-1])
        features = self.measure.extract(picture)
        new = Sample(number, picture, features, self._scores(features))
        if self.samples:
            self._find_edges(self.samples[-1], new, passed)
        else:
            for edges, score in zip(self.edges, new.scores, strict=True):
                edges[number] = self._is_there(score)
        self.samples.append(new)

    def _find_edges(self, old: Sample, new: Sample, passed: Sequence[Any]) -> None:
        """Find where each reference came or went: at a cut if there is one, else by halving what lies between."""

        @cache  # references that change together ask for the same frames
        def scores(frame: int) -> tuple[float, ...]:
            return self._scores(self.measure.extract(_rgb(passed[frame - old.frame - 1])))

        cuts = [cut for cut in self.luma.cuts() if cut > old.frame]
        for number, edges in enumerate(self.edges):
            there = self._is_there(new.scores[number])
            if there == self._is_there(old.scores[number]):
                continue
            low, high = old.frame, new.frame
            if cuts:  # the last one, unless an earlier one already leads to what is there then
                high = next((cut for cut in cuts[:-1] if self._is_there(scores(cut)[number]) == there), cuts[-1])
                low = high - 1
            while high - low > 1:
                middle = (low + high) // 2
                if self._is_there(scores(middle)[number]) == there:
                    high = middle
                else:
                    low = middle
            edges[high] = there

    def _scores(self, features: Any) -> tuple[float, ...]:
        return tuple(self.measure.score(reference, features) for reference in self.references)

    def _is_there(self, score: float) -> bool:
        return score >= self.threshold


def track(frames: Iterable[Any], measure: Measure, references: Sequence[Any], *, threshold: float, step: int) -> Track:
    """Follow references through a clip, holding no more of its frames than lie between two samples.

    Parameters
    ----------
    frames
        As the decoder gives them, see `decoded`.
    measure
        What looks at pictures and compares them.
    references
        What ``measure.extract_reference`` made of each reference.
    threshold
        The score from which on a reference counts as on screen.
    step
        Frames from one sample to the next; the last frame is always one.

    Raises
    ------
    ViduError
        There is no frame.
    """
    found = Track(measure, references, threshold)
    passed: list[Any] = []  # since the last sample
    for number, frame in enumerate(frames):
        found.luma.add(frame)
        passed.append(frame)
        if number % step == 0:
            found.sample(passed)
            passed.clear()
    if passed:
        found.sample(passed)
    if not found.samples:
        raise ViduError("the file holds no picture")
    return found


def decoded(path: Path) -> Iterator[Any]:
    """Yield frames as the decoder gives them, a few ahead: turning each into RGB would cost as much as decoding it."""
    frames = decode(path)
    with ThreadPoolExecutor(1) as pool:
        ahead = deque(pool.submit(next, frames, None) for _ in range(_AHEAD))
        while (frame := ahead.popleft().result()) is not None:
            ahead.append(pool.submit(next, frames, None))
            yield frame


def _small_luma(frame: Any) -> NDArray[np.float32]:
    if frame.format.name not in _PLAIN_LUMA:
        small = frame.reformat(width=32, height=32, format="gray", interpolation="AREA")
        return np.asarray(small.to_ndarray(), np.float32)
    plane = frame.planes[0]
    luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height : 8, : frame.width : 8]
    return np.asarray(cv2.resize(luma, (32, 32), interpolation=cv2.INTER_AREA), np.float32)


def _rgb(frame: Any) -> Picture:
    scale = min(1.0, SIDE / max(frame.width, frame.height))
    size = (max(2, round(frame.width * scale)), max(2, round(frame.height * scale)))
    return np.asarray(frame.to_ndarray(format="rgb24", width=size[0], height=size[1], interpolation="AREA"), np.uint8)
