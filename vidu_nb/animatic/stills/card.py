"""A designed card in the place of a picture that a model would paint: the prompt in type on a painted ground."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image

from ..film.lettering import badge_chip
from .ground import Picture, ground
from .palette import palette_of
from .typesetting import Block, set_block

_MARGIN = 0.065  # of the shorter side
_SHADE = 0.66  # how dark the ground gets beneath the words
_SHADED = 0.16  # of the height, over which the shade comes up above the words


def card(width: int, height: int, *, prompt: str, style: str, seed: int, small_print: str) -> Picture:
    """Design a card.

    Parameters
    ----------
    width, height
        In pixels.
    prompt
        What is set in type.
    style
        Any text; it bends the colours.
    seed
        Decides ground and colours.
    small_print
        What else was asked for, for the foot.

    Returns
    -------
    numpy.ndarray
        uint8 RGB of shape (height, width, 3); the same for the same arguments.
    """
    rng = random.Random(f"card {seed}\n{prompt}\n{style}".encode("utf-8", "surrogatepass"))
    palette = palette_of(prompt, style, rng)
    painted = ground(width, height, palette, rng)
    short = min(width, height)
    margin = round(_MARGIN * short)
    column = width - 2 * margin
    foot = set_block(
        small_print, width=column, height=round(0.16 * height), largest=_size(0.021, short),
        smallest=_size(0.015, short), weight=400,
    )  # fmt: skip
    words = set_block(
        prompt, width=column, height=round(0.60 * height - foot.height), largest=_size(0.086, short),
        smallest=_size(0.024, short), weight=560,
    )  # fmt: skip
    return _set(painted, words, foot, margin, palette.accent)


def _size(share: float, short: int) -> int:
    return max(9, round(share * short))


def _set(painted: Picture, words: Block, foot: Block, margin: int, accent: tuple[float, float, float]) -> Picture:
    """Set the words and the small print at the foot of a ground, with a shade beneath them."""
    height, width = painted.shape[:2]
    gap = round(0.35 * margin)
    foot_top = height - margin - foot.height
    words_top = foot_top - 2 * gap - words.height
    rule = max(2, round(0.004 * min(width, height)))
    image = Image.fromarray(_shaded(painted, words_top - 2 * gap if words.lines else foot_top - gap))
    if words.lines:
        words.onto(image, margin, words_top, (255, 255, 255))
        colour = tuple(round(128 + one / 2) for one in accent)
        image.paste(colour, (margin, words_top - 2 * gap, margin + round(1.6 * margin), words_top - 2 * gap + rule))
    foot.onto(image, margin, foot_top, (255, 255, 255), opacity=0.78)
    badge_chip(width, height).onto(image)
    return np.asarray(image)


def _shaded(painted: Picture, top: int) -> Picture:
    height = painted.shape[0]
    rows = np.arange(height, dtype=np.float32)
    ramp = np.clip((rows - (top - _SHADED * height)) / (1.6 * _SHADED * height), 0, 1)
    light = 1 - _SHADE * ramp * ramp * (3 - 2 * ramp)
    return np.asarray(np.rint(painted * light[:, None, None]), np.uint8)
