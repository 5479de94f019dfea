"""A plane seen through an affine map, at the price of what the map asks for.

Most camera moves don't turn, and then a full warp is three times the work that is needed: a pan mixes neighbours, and
a zoom resizes a rectangle of whole pixels, which a search finds.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .camera import Matrix

Plane = NDArray[np.uint8]

#: Pixels beyond what is seen that a plane should have on each side, for zooms to find their rectangle in.
MARGIN = 64
_TOLERANCE = 0.03  # px, anywhere in the output: an eye notices a tenth
_SAME = 1e-9  # from 1: no zoom at all


class _Span(NamedTuple):
    """A resize along one axis: `length` pixels from `first` on become `size`, and those from `skip` on are wanted."""

    first: int
    length: int
    size: int
    skip: int


class Sampler:
    """Fills planes of one size from others; for one thread at a time."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._spare = np.empty((height + 3 * MARGIN, width + 3 * MARGIN), np.uint8)

    def fill(self, targets: Sequence[Plane], sources: Sequence[Plane], matrix: Matrix) -> None:
        """Fill each target with what one map shows of its source, interpolated: cubically in pans, else linearly.

        Parameters
        ----------
        targets
            Each uint8 of shape (height, width).
        sources
            As many, uint8, all of one shape (rows, columns); their edges go on for ever.
        matrix
            From an index (x, y) in a target to one in its source, as `cv2.warpAffine` takes it with WARP_INVERSE_MAP.

        >>> ramp = np.tile(np.arange(0, 200, 2, dtype=np.uint8), (100, 1))
        >>> target = np.empty((4, 6), np.uint8)
        >>> Sampler(6, 4).fill([target], [ramp], ((1, 0, 10.5), (0, 1, 20)))
        >>> target[0].tolist()
        [21, 23, 25, 27, 29, 31]
        """
        (a, b, x), (c, d, y) = matrix
        rows, columns = sources[0].shape
        upright = b == c == 0
        if upright and abs(a - 1) < _SAME and abs(d - 1) < _SAME and self._within(x, y, rows, columns):
            fill = functools.partial(self._shift, x=x, y=y)
        elif (
            upright
            and (across := _span(a, x, self._width, columns, self._spare.shape[1]))
            and (down := _span(d, y, self._height, rows, self._spare.shape[0]))
        ):
            fill = functools.partial(self._resize, across=across, down=down)
        else:
            fill = functools.partial(self._warp, matrix=np.array(matrix, np.float64))
        for target, source in zip(targets, sources, strict=True):
            fill(target, source)

    def blur(self, targets: Sequence[Plane], across: float, down: float) -> None:
        """Smear filled targets over so many pixels across and down, to the nearest odd numbers."""
        size = (2 * round(across / 2) + 1, 2 * round(down / 2) + 1)
        smeared = self._spare[: self._height, : self._width]
        for target in targets:
            cv2.blur(target, size, dst=smeared, borderType=cv2.BORDER_REPLICATE)
            target[:] = smeared

    def _within(self, x: float, y: float, rows: int, columns: int) -> bool:
        return 1 <= x < columns - self._width - 2 and 1 <= y < rows - self._height - 2

    def _shift(self, target: Plane, source: Plane, x: float, y: float) -> None:
        """Mix each pixel with its neighbours, and round but once: twice would make slow pans jitter.

        A linear mix blurs all pixels alike, most at half a pixel, and makes a pan pulse; a cubic one hardly does.
        """
        left, top = math.floor(x), math.floor(y)
        part = source[top - 1 : top + self._height + 2, left - 1 : left + self._width + 2]
        mixed = self._spare[: self._height + 3, : self._width + 3]
        cv2.filter2D(part, -1, np.outer(_shares(y - top), _shares(x - left)), dst=mixed, anchor=(0, 0))
        target[:] = mixed[:-3, :-3]

    def _resize(self, target: Plane, source: Plane, across: _Span, down: _Span) -> None:
        part = source[down.first : down.first + down.length, across.first : across.first + across.length]
        whole = self._spare[: down.size, : across.size]
        cv2.resize(part, (across.size, down.size), dst=whole, interpolation=cv2.INTER_LINEAR)
        target[:] = whole[down.skip : down.skip + self._height, across.skip : across.skip + self._width]

    def _warp(self, target: Plane, source: Plane, matrix: NDArray[np.float64]) -> None:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (self._width, self._height)
        cv2.warpAffine(source, matrix, size, dst=target, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _shares(way: float) -> NDArray[np.float64]:
    """Return the weights of four neighbours in a value `way` (0 to 1) from the second to the third (Catmull-Rom)."""
    square, cube = way**2, way**3
    return (
        np.array([-way + 2 * square - cube, 2 - 5 * square + 3 * cube, way + 4 * square - 3 * cube, cube - square]) / 2
    )


def _span(scale: float, start: float, count: int, limit: int, room: int) -> _Span | None:
    """Find a resize after which pixel `skip + i` shows `start + scale * i`, for all i below `count`; None if none fits.

    `limit` is how long the source is, and `room` how long the resized part may get.

    A resize of `length` to `size` pixels samples at `first + (j + 1/2) * length / size - 1/2`. `length / size` has to
    be nearly the scale, and the first sample has to fall nearly on the start; `first` and `length` are free within the
    margin, which leaves some thousands of pairs to choose from.
    """
    if not 0 <= start < limit:
        return None
    middle = (count - 1) / 2
    first = math.floor(start) - np.arange(min(MARGIN, math.floor(start) + 1))[:, None]
    needed = math.ceil(start + scale * (count - 1)) + 1 - math.floor(start)
    length = np.arange(needed, needed + 2 * MARGIN)
    length = length[np.abs(length / np.rint(length / scale) - scale) * middle <= _TOLERANCE][None, :]
    if not length.size:
        return None
    size = np.rint(length / scale)
    step = length / size
    skip = (start + scale * middle + 0.5 - first) / step - 0.5 - middle
    whole = np.rint(skip)
    error = np.abs(skip - whole) * step + np.abs(step - scale) * middle
    error[(whole < 0) | (whole + count > size) | (size > room) | (first + length > limit)] = np.inf
    # Of those that fit, a shorter one is less work: a hundred pixels are worth a hundredth of one.
    cost = np.where(error <= _TOLERANCE, error + 1e-4 * size, np.inf)
    row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
    if not np.isfinite(cost[row, column]):
        return None
    return _Span(int(first[row, 0]), int(length[0, column]), int(size[0, column]), int(whole[row, column]))
