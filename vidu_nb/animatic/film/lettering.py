"""What is written on a preview: the word PREVIEW, each shot's number and words, and small print."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .letters import Letters, drawable, elide
from .stage import Planes, to_planes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Overlay:
    """A small picture with transparency, ready to be laid over Y, U and V at (x, y), both even.

    `colours` are multiplied by their opacity beforehand; `rest` is what remains of the ground, 255 for all of it.
    """

    x: int
    y: int
    colours: Planes
    rest: Planes

    def onto(self, planes: Planes) -> None:
        """Lay the overlay over a frame."""
        for number, (plane, colour, rest) in enumerate(zip(planes, self.colours, self.rest, strict=True)):
            x, y = (self.x, self.y) if number == 0 else (self.x // 2, self.y // 2)
            ground = plane[y : y + colour.shape[0], x : x + colour.shape[1]]
            cv2.multiply(ground, rest, dst=ground, scale=1 / 255)
            cv2.add(ground, colour, dst=ground)

    def faded(self, opacity: float) -> Overlay:
        """Return the same overlay at `opacity` of its strength, 0 to 1."""
        colours = [cv2.convertScaleAbs(plane, alpha=opacity) for plane in self.colours]
        rest = [cv2.convertScaleAbs(plane, alpha=opacity, beta=255 * (1 - opacity)) for plane in self.rest]
        return Overlay(self.x, self.y, _three(colours), _three(rest))


def _overlay(image: Image.Image, x: int, y: int) -> Overlay:
    """Turn an RGBA image of even size into an overlay."""
    rgba = np.asarray(image, np.uint8)
    alpha = rgba[..., 3]
    colours = to_planes(np.ascontiguousarray(rgba[..., :3]))
    small = cv2.resize(alpha, (alpha.shape[1] // 2, alpha.shape[0] // 2), interpolation=cv2.INTER_AREA)
    alphas = (alpha, small, small)
    weighted = [cv2.multiply(colour, a, scale=1 / 255) for colour, a in zip(colours, alphas, strict=True)]
    rest = [cv2.bitwise_not(a) for a in alphas]
    return Overlay(x, y, _three(weighted), _three(rest))


def _three(planes: Sequence[NDArray[Any]]) -> Planes:
    y, u, v = (np.asarray(plane, np.uint8) for plane in planes)
    return y, u, v


class Chip(NamedTuple):
    """Words on a rounded ground, an RGBA image of even size, and where its corner lies on the frame."""

    image: Image.Image
    x: int
    y: int

    def overlay(self) -> Overlay:
        """Return it for a frame of a clip."""
        return _overlay(*self)

    def onto(self, picture: Image.Image) -> None:
        """Lay it over an RGB image."""
        picture.paste(self.image, (self.x, self.y), self.image)


def badge(width: int, height: int) -> Overlay:
    """Draw the badge that keeps a preview from being taken for the model's work, for the top right corner."""
    return badge_chip(width, height).overlay()


def badge_chip(width: int, height: int) -> Chip:
    """Draw the same for a picture."""
    letters = Letters(max(7, round(0.027 * width)), 560)  # at 480 pixels across, still 13 pixels high
    return _chip(width, height, [("PREVIEW", (255, 255, 255))], letters, (200, 62, 28, 255), corner="top right")


def caption(width: int, height: int, number: str, text: str) -> Overlay:
    """Draw a shot's number and its words, shortened to one line, for the bottom left corner."""
    return caption_chip(width, height, number, text).overlay()


def caption_chip(width: int, height: int, number: str, text: str) -> Chip:
    """Draw the same for a picture; either may be empty."""
    letters = Letters(max(7, round(0.03 * min(width, height))), 420)
    room = min(0.86 * width - 2 * _margin(width, height), 0.62 * width + 0.2 * height)
    numbered = letters.width(number) + letters.gap if number else 0
    words = elide(drawable(text[:_ENOUGH]), letters, room - numbered)
    parts = [(number, (255, 190, 110)), (words, (255, 255, 255))]
    return _chip(width, height, [part for part in parts if part[0]], letters, (12, 14, 18, 170), corner="bottom left")


def small_print(width: int, height: int, text: str) -> Chip:
    """Draw parameters that can't be seen otherwise, shortened to one line, for the top left corner."""
    letters = Letters(max(7, round(0.024 * min(width, height))), 400)
    taken = badge_chip(width, height).image.width + 4 * _margin(width, height)
    words = elide(drawable(text[:_ENOUGH]), letters, width - taken)
    return _chip(
        width, height, [(words, (225, 228, 235))] if words else [], letters, (12, 14, 18, 140), corner="top left"
    )


def small_prints(width: int, height: int, text: str) -> list[Chip]:
    """Draw the same in as many lines as it takes, one below the other, at most down to the picture's middle."""
    letters = Letters(max(7, round(0.024 * min(width, height))), 400)
    room = width - badge_chip(width, height).image.width - 4 * _margin(width, height)
    lines: list[str] = []
    for part in drawable(text[:_ENOUGH]).split(_BETWEEN):
        longer = f"{lines[-1]}{_BETWEEN}{part}" if lines else part
        if lines and letters.width(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(part)
    chips: list[Chip] = []
    top = 0
    for line in lines:
        chip = small_print(width, height, line)
        top = top + chip.image.height if chips else chip.y
        if top + chip.image.height > height // 2:
            break
        chips.append(chip._replace(y=top))
    return chips


_BETWEEN = " · "  # two parameters


_ENOUGH = 500  # characters: far more than a line holds


def _chip(
    width: int,
    height: int,
    parts: Sequence[tuple[str, tuple[int, int, int]]],
    letters: Letters,
    ground: tuple[int, int, int, int],
    *,
    corner: str,
) -> Chip:
    """Draw words on a rounded ground with smooth corners."""
    pad = 0.42 * letters.size
    words = sum(letters.width(text) for text, _ in parts) + letters.gap * (len(parts) - 1)
    chip_width, chip_height = min(width, _even(words + 2.2 * pad)), min(height, _even(1.05 * letters.size + 1.2 * pad))
    shape = Image.new("L", (chip_width * 4, chip_height * 4))
    corners = (0, 0, chip_width * 4 - 1, chip_height * 4 - 1)
    ImageDraw.Draw(shape).rounded_rectangle(corners, chip_height, fill=ground[3])
    image = Image.new("RGBA", (chip_width, chip_height), (*ground[:3], 255))
    image.putalpha(shape.resize(image.size, Image.Resampling.BOX))
    x = round(1.1 * pad)
    for text, colour in parts:
        # All of a layer has the letters' own colour, and only they show: smooth edges then have no dark rim.
        layer = Image.new("RGBA", image.size, (*colour, 255))
        drawn = letters.drawn(text, (chip_height, chip_width), x, round(chip_height / 2 + 0.36 * letters.size))
        layer.putalpha(Image.fromarray(drawn))
        image.alpha_composite(layer)
        x += letters.width(text) + letters.gap
    margin = _margin(width, height)
    x = width - chip_width - margin if corner.endswith("right") else margin
    y = margin if corner.startswith("top") else height - chip_height - margin
    return Chip(image, max(0, x // 2 * 2), max(0, y // 2 * 2))


def _margin(width: int, height: int) -> int:
    return _even(0.03 * min(width, height))


def _even(value: float) -> int:
    return 2 * math.ceil(value / 2)
