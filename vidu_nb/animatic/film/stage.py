"""A shot's picture made ready to be filmed, and filmed: cut, resized, laid out, converted, warped."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from ..story.storyboard import FPS, Shot, Storyboard
from .camera import Box, Matrix, Path, Scene, View, path
from .sampling import MARGIN, Sampler

Picture = NDArray[np.uint8]
Planes = tuple[Picture, Picture, Picture]

# RGB to Y'CbCr after ITU-R BT.709, limited range (Y 16 to 235, Cb and Cr 16 to 240), the way HD players expect it.
_BT709 = np.array(
    [
        [0.2126 * 219 / 255, 0.7152 * 219 / 255, 0.0722 * 219 / 255, 16],
        [-0.2126 / 1.8556 * 224 / 255, -0.7152 / 1.8556 * 224 / 255, 0.9278 / 1.8556 * 224 / 255, 128],
        [0.7874 / 1.5748 * 224 / 255, -0.7152 / 1.5748 * 224 / 255, -0.0722 / 1.5748 * 224 / 255, 128],
    ],
    np.float32,
)


# For what is faster than this share of the width each frame, the shutter is open for two thirds of the frame's time; an
# eye follows slower moves, and wants them sharp.
_FAST = 0.008
_SHUTTER = 0.66
# Stage pixels for one of the output in a view that hardly zooms, and what that may cost in size.
_FINER = 1.03
_HARDLY = 1.08


Lenses = tuple[Sampler, Sampler]


def make_lenses(width: int, height: int) -> Lenses:
    """Return the samplers of Y and of U and V; stages that are drawn by one thread can share them."""
    return Sampler(width, height), Sampler(width // 2, height // 2)


class Stage:
    """One shot's picture, made ready: cut to what the camera will see, resized, and converted to Y, U and V."""

    def __init__(
        self, picture: Picture, scene: Scene, shot: Shot, span: int, board: Storyboard, lenses: Lenses | None = None
    ) -> None:
        self._out = (board.width, board.height)
        self._start, self._span = shot.start, span
        self._path: Path = path(
            shot.move,
            shot.size,
            scene,
            aspect=board.width / board.height,
            amplitude=board.amplitude,
            pace=shot.pace,
            seconds=shot.frames / FPS,
        )
        scale = _stage_scale(self._path, board.width)
        left, top, right, bottom = _pixels(self._path.bounds(), picture)
        # The stage has a margin of its edge's colours around it, of as many pixels on every side.
        self._origin = (left - 2 * MARGIN / scale, top - 2 * MARGIN / scale)
        self._scale = scale
        part = picture[top:bottom, left:right]
        self._planes = _staged(part, (_even(part.shape[1] * scale), _even(part.shape[0] * scale)))
        self._luma, self._chroma = lenses or make_lenses(*self._out)

    def draw(self, index: int, planes: Planes) -> None:
        """Draw the shot as it stands at frame `index` of the clip."""
        matrix = self._at(index).matrix(self._out, self._origin, self._scale)
        self._luma.fill(planes[:1], self._planes[:1], matrix)
        self._chroma.fill(planes[1:], self._planes[1:], _halved(matrix))
        across, down = self._smear(index)
        if across >= 1 or down >= 1:
            self._luma.blur(planes[:1], across, down)
            self._chroma.blur(planes[1:], across / 2, down / 2)

    def _at(self, index: float) -> View:
        return self._path.at((index - self._start) / max(1, self._span - 1))

    def _smear(self, index: int) -> tuple[float, float]:
        """Return how far the picture moves while the shutter is open, across and down in px; 0 for slow moves."""
        before, after = self._at(index - 0.5), self._at(index + 0.5)
        pixels = self._out[0] / after.width
        speeds = (abs(after.x - before.x) * pixels, abs(after.y - before.y) * pixels)
        across, down = (_SHUTTER * max(0.0, speed - _FAST * self._out[0]) for speed in speeds)
        return across, down


def _stage_scale(way: Path, width: int) -> float:
    """Return the pixels of the stage for one of the picture.

    One for one of the output midway through a zoom: a wider view then skips few pixels, and a narrower one magnifies
    little. But a view that changes hardly at all would then stay where a resize finds no rectangle (see `sampling`),
    so its stage is a little finer.
    """
    low, high = sorted((way.begin.width, way.end.width))
    middle, finer = width / math.sqrt(low * high), _FINER * width / low
    return finer if high / low > 1 + 1e-6 and finer < _HARDLY * middle else middle


def _halved(matrix: Matrix) -> Matrix:
    """Return the same map between planes of half the size; pixel middles move by a quarter of a large pixel."""
    (a, b, x), (c, d, y) = matrix
    return (a, b, (x + 0.5 * (a + b) - 0.5) / 2), (c, d, (y + 0.5 * (c + d) - 0.5) / 2)


def _pixels(box: Box, picture: Picture) -> tuple[int, int, int, int]:
    """Return the whole pixels that hold a box, with one more around, within the picture."""
    height, width = picture.shape[:2]
    left, top = max(0, math.floor(box.left) - 1), max(0, math.floor(box.top) - 1)
    return left, top, min(width, math.ceil(box.right) + 1), min(height, math.ceil(box.bottom) + 1)


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))


def _staged(part: Picture, size: tuple[int, int]) -> Planes:
    """Return Y, U and V of a picture at this even size, with a margin; converted where the picture is smaller."""
    if size[0] * size[1] < part.shape[0] * part.shape[1]:
        y, u, v = to_planes(_resized(part, size))
    else:
        half = (size[0] // 2, size[1] // 2)
        planes = zip(cv2.split(cv2.transform(part, _BT709)), (size, half, half), strict=True)
        y, u, v = (_resized(np.asarray(plane, np.uint8), wanted) for plane, wanted in planes)
    return _edged(y, 2 * MARGIN), _edged(u, MARGIN), _edged(v, MARGIN)


def _edged(plane: Picture, margin: int) -> Picture:
    return np.asarray(cv2.copyMakeBorder(plane, margin, margin, margin, margin, cv2.BORDER_REPLICATE), np.uint8)


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    smaller = size[0] * size[1] < picture.shape[0] * picture.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def to_planes(picture: Picture) -> Planes:
    """Convert RGB of shape (h, w, 3) to Y of the same size and U and V of half of it, BT.709 in limited range."""
    small = cv2.resize(
        picture,
        (max(1, (picture.shape[1] + 1) // 2), max(1, (picture.shape[0] + 1) // 2)),
        interpolation=cv2.INTER_AREA,
    )
    y, u, v = (cv2.transform(source, row[None]) for source, row in zip((picture, small, small), _BT709, strict=True))
    return np.asarray(y, np.uint8), np.asarray(u, np.uint8), np.asarray(v, np.uint8)
