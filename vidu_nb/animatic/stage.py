"""A shot's picture made ready to be filmed, and filmed: cut, resized, laid out, converted, warped."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import Box, Matrix, Path, Scene, path
from .storyboard import FPS, Shot, Storyboard

if TYPE_CHECKING:
    from .subject import Framing

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


class Stage:
    """One shot's picture, made ready: cut to what the camera will see, resized, and converted to Y, U and V."""

    def __init__(self, picture: Picture, scene: Scene, shot: Shot, span: int, board: Storyboard) -> None:
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
        widths = [self._path.begin.width, self._path.end.width]
        # One pixel of the stage for one of the output midway through a zoom: a wider view then skips few pixels, and a
        # narrower one magnifies little.
        scale = self._out[0] / math.sqrt(min(widths) * max(widths))
        left, top, right, bottom = _pixels(self._path.bounds(), picture)
        self._origin = (left, top)
        part = picture[top:bottom, left:right]
        size = (max(2, round(part.shape[1] * scale)), max(2, round(part.shape[0] * scale)))
        self._scale = scale
        self._planes = to_planes(_resized(part, size))

    def draw(self, index: int, planes: Planes) -> None:
        """Draw the shot as it stands at frame `index` of the clip."""
        time = (index - self._start) / max(1, self._span - 1)
        matrix = self._path.at(time).matrix(self._out, self._origin, self._scale)
        half = _halved(matrix)
        for plane, source, m in zip(planes, self._planes, (matrix, half, half), strict=True):
            cv2.warpAffine(
                source,
                np.array(m),
                (plane.shape[1], plane.shape[0]),
                dst=plane,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )


def _halved(matrix: Matrix) -> Matrix:
    """The same map between planes of half the size; pixel middles move by a quarter of a large pixel."""
    (a, b, x), (c, d, y) = matrix
    return (a, b, (x + 0.5 * (a + b) - 0.5) / 2), (c, d, (y + 0.5 * (c + d) - 0.5) / 2)


def _pixels(box: Box, picture: Picture) -> tuple[int, int, int, int]:
    """The whole pixels that hold a box, with one more around, within the picture."""
    height, width = picture.shape[:2]
    left, top = max(0, math.floor(box.left) - 1), max(0, math.floor(box.top) - 1)
    return left, top, min(width, math.ceil(box.right) + 1), min(height, math.ceil(box.bottom) + 1)


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    smaller = size[0] * size[1] < picture.shape[0] * picture.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def to_planes(picture: Picture) -> Planes:
    """RGB of shape (h, w, 3) to Y of the same size and U and V of half of it, BT.709 in limited range."""
    y, u, v = cv2.split(cv2.transform(picture, _BT709))
    half = (max(1, (y.shape[1] + 1) // 2), max(1, (y.shape[0] + 1) // 2))
    u, v = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (u, v))
    return np.asarray(y, np.uint8), np.asarray(u, np.uint8), np.asarray(v, np.uint8)


def lay_out(picture: Picture, framing: Framing, out: tuple[int, int]) -> tuple[Picture, Scene]:
    """A filled frame: the picture's part over a blurred and darkened copy of itself, and its scene in canvas pixels."""
    crop = framing.crop
    scale = 1.2 * out[0] / framing.canvas[0]
    width, height = round(framing.canvas[0] * scale), round(framing.canvas[1] * scale)
    part = picture[round(crop.top) : round(crop.bottom), round(crop.left) : round(crop.right)]
    canvas = _backdrop(part, width, height)
    size = (min(width, round(crop.width * scale)), min(height, round(crop.height * scale)))
    x, y = min(round(framing.place[0] * scale), width - size[0]), min(round(framing.place[1] * scale), height - size[1])
    _shade(canvas, x, y, size)
    canvas[y : y + size[1], x : x + size[0]] = _resized(part, size)
    scene, box = framing.scene, framing.scene.subject
    subject = Box(box.left * scale, box.top * scale, box.right * scale, box.bottom * scale)
    return canvas, Scene(width, height, subject, (scene.focus[0] * scale, scene.focus[1] * scale))


def _backdrop(part: Picture, width: int, height: int) -> Picture:
    """The part stretched over the canvas without distortion, blurred beyond recognition, at half its brightness."""
    small = (max(8, width // 16), max(8, height // 16))
    cover = max(small[0] / part.shape[1], small[1] / part.shape[0])
    cut = (max(1, round(small[0] / cover)), max(1, round(small[1] / cover)))
    x, y = (part.shape[1] - cut[0]) // 2, (part.shape[0] - cut[1]) // 2
    tiny = cv2.resize(part[y : y + cut[1], x : x + cut[0]], small, interpolation=cv2.INTER_AREA)
    soft = cv2.convertScaleAbs(cv2.GaussianBlur(tiny, (0, 0), max(small) / 22), alpha=0.5)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _shade(canvas: Picture, x: int, y: int, size: tuple[int, int]) -> None:
    """A soft shadow around the place where the picture will lie."""
    height, width = canvas.shape[0] // 8, canvas.shape[1] // 8
    mask = np.zeros((height, width), np.float32)
    mask[y // 8 : (y + size[1]) // 8, x // 8 : (x + size[0]) // 8] = 0.55
    mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, width / 50))
    full = cv2.resize(mask, (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_LINEAR)
    canvas[:] = (canvas * (1 - full[..., None])).astype(np.uint8)
