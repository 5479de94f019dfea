"""Painted grounds: abstract places in a palette, drawn from a seed, in any size."""

from __future__ import annotations

import math
import random

import cv2
import numpy as np
from numpy.typing import NDArray

from .palette import Palette

Picture = NDArray[np.uint8]
_Plane = NDArray[np.float32]

_SIDE = 1280  # px: a larger ground is painted in this size and enlarged
_GRAIN = 3.0  # levels


def ground(width: int, height: int, palette: Palette, rng: random.Random) -> Picture:
    """Paint a ground: ridges under a sun, discs, or folds of silk, whichever the seed draws.

    Parameters
    ----------
    width, height
        In pixels.
    palette
        Its colours.
    rng
        Decides everything else.

    Returns
    -------
    numpy.ndarray
        uint8 RGB of shape (height, width, 3); the same for the same arguments.
    """
    scale = min(1.0, _SIDE / max(width, height))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    paint = (_ridges, _discs, _silk)[int(rng.random() * 3)]
    painted = paint(*size, palette, rng)
    if scale < 1:
        painted = np.asarray(cv2.resize(painted, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    else:
        painted = painted[:height, :width]
    grain = np.random.RandomState(int(rng.random() * 2**32)).standard_normal(painted.shape[:2])  # a frozen generator
    painted = painted + (_GRAIN * grain).astype(np.float32)[..., None]
    return np.clip(np.rint(painted), 0, 255).astype(np.uint8)


def _across(width: int, height: int) -> tuple[_Plane, _Plane]:
    """Return x and y of each pixel, in units of the shorter side, from the top left."""
    short = min(width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (x + 0.5) / short, (y + 0.5) / short


def _colour(colour: tuple[float, float, float]) -> _Plane:
    return np.asarray(colour, np.float32)


def _mixed(under: _Plane, over: _Plane, share: _Plane | float) -> _Plane:
    share = np.asarray(share, np.float32)
    return under + (over - under) * (share[..., None] if share.ndim == 2 else share)


def _smooth(values: _Plane, low: float, high: float) -> _Plane:
    ramp = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


def _ridges(width: int, height: int, palette: Palette, rng: random.Random) -> _Plane:
    """Mountains behind mountains, under a sun."""
    x, y = _across(width, height)
    tall, wide = float(y[-1, 0]), float(x[0, -1])
    pixel = 1 / min(width, height)
    sky = _mixed(_colour(palette.middle), _colour(palette.light), _smooth(y, 0, 0.75 * tall))
    sky = _mixed(sky, _colour(palette.deep), 0.55 * (1 - _smooth(y, 0, 0.5 * tall)))
    radius = 0.09 + 0.10 * rng.random()
    sun = (wide * (0.22 + 0.56 * rng.random()), tall * (0.26 + 0.18 * rng.random()))
    away = np.hypot(x - sun[0], y - sun[1]).astype(np.float32)
    sky = _mixed(sky, _colour(palette.accent), 0.55 * np.exp(-((away / (4.2 * radius)) ** 2)))
    picture = _mixed(sky, 0.35 * _colour(palette.accent) + 0.65 * _colour(palette.light), 1 - _smooth(
        away, radius - pixel, radius + pixel
    ))  # fmt: skip
    count = 5 + int(rng.random() * 3)
    for number in range(count):
        depth = (number + 1) / count
        base = tall * (0.44 + 0.46 * depth**1.15)
        line = np.full(width, base, np.float32)
        high = (0.11 - 0.05 * depth) * (0.8 + 0.5 * rng.random())
        for octave in range(6):
            pitch = (1.6 + 1.4 * rng.random()) * 1.9**octave
            line -= (high * 0.58**octave * np.sin(math.tau * (pitch * x[0] / 2 + rng.random()))).astype(np.float32)
        share = _smooth(y - line[None, :], -pixel, pixel)
        near = palette.ramp(np.asarray([0.62 * (1 - depth) ** 1.25], np.float32))[0]
        mist = _mixed(near, _colour(palette.light), (0.34 * (1 - depth) * _smooth(y - line[None, :], 0.0, 0.22)))
        picture = _mixed(picture, mist, share)
    return picture


def _discs(width: int, height: int, palette: Palette, rng: random.Random) -> _Plane:
    """Translucent discs and rings over a gradient."""
    x, y = _across(width, height)
    tall, wide = float(y[-1, 0]), float(x[0, -1])
    pixel = 1 / min(width, height)
    turn = rng.random() * math.tau
    slope = np.cos(turn) * (x / wide - 0.5) + np.sin(turn) * (y / tall - 0.5)
    picture = palette.ramp(_smooth(slope.astype(np.float32), -0.8, 0.9) * 0.5 + 0.06)
    colours = (palette.accent, palette.light, palette.middle, palette.accent, palette.deep)
    for number in range(6 + int(rng.random() * 4)):
        radius = (0.40 if number < 2 else 0.26) * (0.35 + 0.8 * rng.random())
        middle = (wide * rng.random(), tall * (0.05 + 0.75 * rng.random()))
        away = np.hypot(x - middle[0], y - middle[1]).astype(np.float32)
        inside = 1 - _smooth(away, radius - pixel, radius + pixel)
        kind = rng.random()
        if kind < 0.3:  # a ring
            inside = inside * _smooth(away, 0.82 * radius - pixel, 0.82 * radius + pixel)
        light = 0.5 + 0.5 * np.clip(((x - middle[0]) * np.cos(turn) + (y - middle[1]) * np.sin(turn)) / radius, -1, 1)
        strength = (0.35 + 0.5 * rng.random()) * inside * (0.45 + 0.55 * light)
        picture = _mixed(picture, _colour(colours[number % len(colours)]), strength.astype(np.float32))
    return picture


def _silk(width: int, height: int, palette: Palette, rng: random.Random) -> _Plane:
    """Folds of cloth: a sum of sines whose places are bent by sines."""
    x, y = _across(width, height)
    turn = rng.random() * math.tau
    across = (x * math.cos(turn) + y * math.sin(turn)).astype(np.float32)
    along = (y * math.cos(turn) - x * math.sin(turn)).astype(np.float32)
    for octave in range(4):
        pitch, sway = 0.9 * 1.7**octave, 0.16 * 0.6**octave
        across = across + (sway * np.sin(math.tau * (pitch * along + rng.random()))).astype(np.float32)
        along = along + (sway * np.sin(math.tau * (pitch * across + rng.random()))).astype(np.float32)
    folds = (1.3 + 1.2 * rng.random()) * across + 0.25 * np.sin(math.tau * along * 0.7)
    wave = (0.5 + 0.5 * np.sin(math.tau * folds)).astype(np.float32)
    sheen = (0.5 + 0.5 * np.sin(math.tau * (folds * 2 + rng.random()))).astype(np.float32)
    tone = 0.10 + 0.52 * wave**1.6 + 0.26 * (wave * sheen) ** 3
    return palette.ramp(np.clip(tone, 0, 0.98).astype(np.float32))
