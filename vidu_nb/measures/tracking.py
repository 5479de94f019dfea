"""One pass over a clip: a few samples looked at, and what came and went between two of them found to the frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ViduError
from ..media import decode
from .embedding import Measure
from .matching import Picture, shrunk

SIDE = 256  # px of the longer side of what is looked at: half the time of 384, and no less is found
_AHEAD = 12  # frames that are decoded while one is being looked at; 3 MB each
STRIP_SIDE = 160  # px of the longer side of the pictures that are kept of every sample

_PLAIN_LUMA = ("yuv420p", "yuvj420p")  # read as they lie: FFmpeg's way to grey costs ten times that

_CUT = 14.0  # mean change of luma, of 255, from one frame to the next ...
_SUDDEN = 2.5  # ... and that many times the change before and after: a fast pan is no cut


def decoded(path: Path) -> Iterator[Any]:
    """Frames as the decoder gives them, a few ahead: turning each into RGB would cost as much as decoding it."""
    frames = decode(path)
    with ThreadPoolExecutor(1) as pool:
        ahead = deque(pool.submit(next, frames, None) for _ in range(_AHEAD))
        while (frame := ahead.popleft().result()) is not None:
            ahead.append(pool.submit(next, frames, None))
            yield frame


class Watch:
    """Goes through a clip once, and keeps no more of it than lies between two samples."""

    def __init__(self, measure: Measure, sought: Sequence[Any], threshold: float, step: int) -> None:
        self.measure, self.sought, self.threshold, self._step = measure, sought, threshold, step
        self._luma: list[NDArray[np.float32]] = []  # of every frame, very small
        self._since: list[Any] = []  # frames from the last sample on
        self._changes: list[float] = []  # of luma, from each frame to the next
        self.frames = 0
        self.samples: list[int] = []
        self.seen: list[Any] = []
        self.scores: list[list[float]] = []
        self.edges: list[dict[int, bool]] = [{} for _ in sought]  # frame → on screen from here on
        self.best: list[tuple[int, float, Picture]] = []
        self.strip: list[Picture] = []

    def see(self, frame: Any) -> None:
        """The next frame."""
        luma = _small_luma(frame)
        self._changes.append(float(np.abs(luma - self._luma[-1]).mean()) if self._luma else 0.0)
        self._luma.append(luma)
        self._since.append(frame)
        if self.frames % self._step == 0:
            self._sample()
        self.frames += 1

    def finish(self) -> None:
        """The last frame is a sample too."""
        if not self.frames:
            raise ViduError("the file holds no picture")
        if self.samples[-1] != self.frames - 1:
            self.frames -= 1
            self._sample()
            self.frames += 1

    def cuts(self) -> list[int]:
        """The frames that hard cuts lead to."""
        padded = [0.0, *self._changes, 0.0]
        return [
            i for i, (a, b, c) in enumerate(zip(padded, padded[1:], padded[2:], strict=False))
            if b > _CUT and b > _SUDDEN * max(a, c)
        ]  # fmt: skip

    def turn(self, first: int, last: int) -> int:
        """The first frame from `first` to `last` that is more like `last` than like `first`: a dissolve's middle."""
        first, last = max(0, first), min(self.frames - 1, last)
        before, way = self._luma[first], self._luma[last] - self._luma[first]
        half = float((way**2).sum()) / 2
        return next(
            (frame for frame in range(first, last) if float(((self._luma[frame] - before) * way).sum()) > half), last
        )

    def _sample(self) -> None:
        picture = _rgb(self._since[-1])
        seen = self.measure.look(picture)
        scores = self._scores(seen)
        if not self.samples:
            self.best = [(0, score, picture) for score in scores]
            for edges, score in zip(self.edges, scores, strict=True):
                edges[0] = score >= self.threshold
        else:
            self._refine(scores)
        self.best = [
            (self.frames, score, picture) if score > old[1] else old
            for old, score in zip(self.best, scores, strict=True)
        ]
        self.samples.append(self.frames)
        self.seen.append(seen)
        self.scores.append(scores)
        self.strip.append(shrunk(picture, STRIP_SIDE))
        self._since = self._since[-1:]

    def _scores(self, seen: Any) -> list[float]:
        return [self.measure.compare(wanted, seen) for wanted in self.sought]

    def _refine(self, scores: list[float]) -> None:
        """Where between the last sample and this one each reference came or went."""
        first = self.samples[-1]
        cuts = [cut for cut in self.cuts() if cut > first]
        looked: dict[int, list[float]] = {}
        for number, (old, new) in enumerate(zip(self.scores[-1], scores, strict=True)):
            if (old >= self.threshold) == (new >= self.threshold):
                continue
            low, high = (cuts[0] - 1, cuts[0]) if cuts else (first, self.frames)
            while high - low > 1:
                middle = (low + high) // 2
                if middle not in looked:
                    looked[middle] = self._scores(self.measure.look(_rgb(self._since[middle - first])))
                if (looked[middle][number] >= self.threshold) == (old >= self.threshold):
                    low = middle
                else:
                    high = middle
            self.edges[number][high] = new >= self.threshold


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
