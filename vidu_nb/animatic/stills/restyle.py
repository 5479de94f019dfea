"""A picture restyled in the place of what an image-to-image model would make of it."""

from __future__ import annotations

import random

import cv2
import numpy as np
from numpy.typing import NDArray

from .palette import Palette, colours_in, palette_of

Picture = NDArray[np.uint8]
_Plane = NDArray[np.float32]

_WORKED = (
    900_000  # pixels: brushes are laid on in this size at most, and the picture's own detail comes back afterwards
)


def restyle(picture: Picture, *, prompt: str, style: str, seed: int, strength: float) -> Picture:
    """Restyle a picture.

    Parameters
    ----------
    picture
        uint8 RGB of shape (height, width, 3).
    prompt
        Its colour words lead the palette.
    style
        Any text: it bends the colours, and chooses between paint, ink and print.
    seed
        Decides the rest.
    strength
        From 0, which changes nothing, to 1.

    Returns
    -------
    numpy.ndarray
        Of the same shape; the same for the same arguments.
    """
    if strength <= 0:
        return picture.copy()
    rng = random.Random(f"restyle {seed}\n{prompt}\n{style}".encode("utf-8", "surrogatepass"))
    palette = palette_of(prompt, style, rng)
    apply = (_painted, _inked, _printed)[int(random.Random(f"{seed} {style}".encode()).random() * 3)]
    small = _shrunk(picture)
    styled = apply(_smoothed(small, strength), palette, strength, bool(colours_in(prompt)), rng)
    whole = cv2.resize(styled, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_CUBIC)
    share = min(1.0, 0.25 + 0.95 * strength) * min(1.0, 6 * strength)
    mixed = picture.astype(np.float32) * (1 - share) + np.asarray(whole, np.float32) * share
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _shrunk(picture: Picture) -> Picture:
    scale = (_WORKED / (picture.shape[0] * picture.shape[1])) ** 0.5
    if scale >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _smoothed(picture: Picture, strength: float) -> Picture:
    """Return the picture in strokes: flat areas, sharp edges."""
    scale = min(picture.shape[:2]) / 512
    reach, contrast = (8 + 52 * strength) * scale + 1, 0.12 + 0.38 * strength
    return np.asarray(cv2.edgePreservingFilter(picture, flags=1, sigma_s=reach, sigma_r=contrast), np.uint8)


def _graded(picture: Picture, palette: Palette, strength: float, *, is_named: bool) -> _Plane:
    """Return the picture with its tones drawn towards a palette; further where the prompt names colours."""
    values = _light(picture)
    spread = np.clip((values - 0.04) / 0.9, 0, 1)
    toned = palette.ramp(spread)
    share = (0.30 + 0.45 * strength) * (0.95 if is_named else 0.75)
    return np.asarray(picture.astype(np.float32) * (1 - share) + toned * share, np.float32)


def _light(picture: Picture) -> _Plane:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)


def _edges(picture: Picture, width: float) -> _Plane:
    """Return how much of a line each place is, 0 to 1: a difference of Gaussians (Winnemöller et al., 2012)."""
    values = _light(picture)
    fine = cv2.GaussianBlur(values, (0, 0), width)
    coarse = cv2.GaussianBlur(values, (0, 0), 1.7 * width)
    return np.asarray(np.clip((coarse - fine) * 14 - 0.12, 0, 1), np.float32)


def _painted(picture: Picture, palette: Palette, strength: float, is_named: bool, rng: random.Random) -> _Plane:
    """Oil: flat strokes with a relief of bristles along the shapes."""
    graded = _graded(picture, palette, strength, is_named=is_named)
    noise = np.random.RandomState(int(rng.random() * 2**32)).standard_normal(picture.shape[:2]).astype(np.float32)
    scale = min(picture.shape[:2]) / 512
    turn = rng.random() * 180
    bristles = _streaked(noise, 1 + int(13 * scale), turn)
    values = cv2.GaussianBlur(_light(picture), (0, 0), 1.5 * scale + 0.5)
    relief = np.asarray(cv2.Sobel(values, cv2.CV_32F, 1, 1, ksize=3), np.float32)
    lit = 1 + strength * (0.10 * bristles + 0.9 * relief)
    return np.asarray(
        graded * lit[..., None] * (1 - 0.35 * strength * _edges(picture, 1.2 * scale))[..., None], np.float32
    )


def _streaked(noise: _Plane, length: int, degrees: float) -> _Plane:
    """Smear noise along a direction, and bring it to a deviation of 1."""
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    middle = (length - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), degrees, 1)
    turned = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    smeared = cv2.filter2D(noise, -1, turned / np.float32(max(1e-6, float(turned.sum()))))
    return np.asarray(smeared / max(1e-6, float(smeared.std())), np.float32)


def _inked(picture: Picture, palette: Palette, strength: float, is_named: bool, rng: random.Random) -> _Plane:
    """Ink and wash: few tones, dark lines, on paper."""
    steps = 4 + int(rng.random() * 3)
    graded = _graded(picture, palette, strength, is_named=is_named)
    values = graded / 255
    flat = (np.floor(values * steps) + 0.5) / steps
    washed = values * (1 - 0.4 * strength) + flat * 0.4 * strength
    soft = np.asarray(cv2.GaussianBlur(washed.astype(np.float32), (0, 0), 0.8), np.float32)
    lines = _edges(picture, min(picture.shape[:2]) / 512 * 1.5) * (0.5 + 0.5 * strength)
    ink = np.asarray(palette.ink, np.float32)
    grain = np.random.RandomState(int(rng.random() * 2**32)).standard_normal(picture.shape[:2]).astype(np.float32)
    paper = cv2.GaussianBlur(grain, (0, 0), 1.0)[..., None] * 9 * strength
    return np.asarray((soft * 255) * (1 - lines[..., None]) + ink * lines[..., None] + paper, np.float32)


def _printed(picture: Picture, palette: Palette, strength: float, is_named: bool, rng: random.Random) -> _Plane:
    """A print in two inks: the palette's tones with a screen of dots."""
    graded = _graded(picture, palette, min(1.0, strength + 0.15), is_named=is_named)
    height, width = picture.shape[:2]
    pitch = max(4.0, min(height, width) / 120)
    turn = 0.4 + 0.7 * rng.random()
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = (x * np.cos(turn) + y * np.sin(turn)) / pitch, (y * np.cos(turn) - x * np.sin(turn)) / pitch
    screen = 0.5 + 0.25 * (np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v))
    dots = 1 / (1 + np.exp(-(screen - _light(picture) * 1.05) * 12))
    ink = np.asarray(palette.ink, np.float32)
    share = (0.42 * strength * dots)[..., None]
    return np.asarray(graded * (1 - share) + ink * share, np.float32)
