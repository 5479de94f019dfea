"""A filled frame: where a crop would lose the subject, the picture melts into a blurred and dimmed copy of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .camera import Scene
    from .subject import Composition

Picture = NDArray[np.uint8]

_FINER = 1.2  # canvas pixels for one of the output: a camera that goes in still finds some
_COARSE = 16  # the ground is made so many times smaller: nothing fine is left in it
_DIM = 0.6  # how bright it is
_MELT = 0.06  # the share of the picture's longer side that its edges take to melt into it


def lay_out(picture: Picture, framing: Composition, out: tuple[int, int]) -> tuple[Picture, Scene]:
    """Lay the part of a picture that a filled frame uses on its canvas; returns it with its scene in canvas pixels.

    Parameters
    ----------
    picture
        uint8 RGB of shape (height, width, 3).
    framing
        From `frame_subject`, with `fill`.
    out
        Width and height of the frame in pixels; the canvas is a little larger.
    """
    crop = framing.crop
    scale = _FINER * out[0] / framing.canvas[0]
    width, height = round(framing.canvas[0] * scale), round(framing.canvas[1] * scale)
    part = picture[round(crop.top) : round(crop.bottom), round(crop.left) : round(crop.right)]
    canvas = _ground(part, width, height)
    size = (min(width, round(crop.width * scale)), min(height, round(crop.height * scale)))
    x, y = min(round(framing.place[0] * scale), width - size[0]), min(round(framing.place[1] * scale), height - size[1])
    how = cv2.INTER_AREA if size[0] < part.shape[1] else cv2.INTER_CUBIC
    laid = np.asarray(cv2.resize(part, size, interpolation=how), np.uint8)
    place = canvas[y : y + size[1], x : x + size[0]]
    band = max(1, min(round(_MELT * max(size)), min(size) // 2))
    if size[1] < height:
        _melt(laid, place, band)
        _melt(laid[::-1], place[::-1], band)
    if size[0] < width:
        sideways, ground = laid.swapaxes(0, 1), place.swapaxes(0, 1)
        _melt(sideways, ground, band)
        _melt(sideways[::-1], ground[::-1], band)
    place[:] = laid
    return canvas, replace(framing.scene.scaled(scale), width=width, height=height)


def _ground(part: Picture, width: int, height: int) -> Picture:
    """Stretch the part over a canvas without distortion, blurred beyond recognition, and dimmed."""
    small = (max(8, width // _COARSE), max(8, height // _COARSE))
    cover = max(small[0] / part.shape[1], small[1] / part.shape[0])
    cut = (max(1, round(small[0] / cover)), max(1, round(small[1] / cover)))
    x, y = (part.shape[1] - cut[0]) // 2, (part.shape[0] - cut[1]) // 2
    tiny = cv2.resize(part[y : y + cut[1], x : x + cut[0]], small, interpolation=cv2.INTER_AREA)
    soft = cv2.convertScaleAbs(cv2.GaussianBlur(tiny, (0, 0), max(small) / 22), alpha=_DIM)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _melt(laid: Picture, ground: Picture, band: int) -> None:
    """Let the first `band` rows of a picture come out of its ground."""
    ramp = (np.arange(band, dtype=np.float32) + 0.5) / band
    share = (ramp * ramp * (3 - 2 * ramp))[:, None, None]
    rows = ground[:band] + (laid[:band].astype(np.float32) - ground[:band]) * share
    laid[:band] = np.rint(rows)
