"""What is written on a preview: the word PREVIEW, and each shot's number and words."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

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
        """The same overlay at `opacity` of its strength, 0 to 1."""
        colours = [cv2.convertScaleAbs(plane, alpha=opacity) for plane in self.colours]
        rest = [cv2.convertScaleAbs(plane, alpha=opacity, beta=255 * (1 - opacity)) for plane in self.rest]
        return Overlay(self.x, self.y, _three(colours), _three(rest))


def _overlay(image: Image.Image, x: int, y: int) -> Overlay:
    """An RGBA image of even size as an overlay."""
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


def badge(width: int, height: int) -> Overlay:
    """The word that keeps a preview from being taken for the model's work, for the top right corner."""
    font = ImageFont.load_default(max(7.0, 0.027 * width))  # at 480 pixels across, still 13 pixels high
    return _chip(width, height, [("PREVIEW", (255, 255, 255))], font, (200, 62, 28, 255), top_right=True)


def caption(width: int, height: int, number: str, text: str) -> Overlay:
    """A shot's number and its words, shortened to one line, for the bottom left corner."""
    font = ImageFont.load_default(max(7.0, 0.03 * min(width, height)))
    gap, room = _width(font, "  "), 0.86 * width - 2 * _margin(width, height)
    words = elide(
        drawable(text[:_ENOUGH], font), font, min(room, 0.62 * width + 0.2 * height) - _width(font, number) - gap
    )
    parts = [(number, (255, 190, 110)), ("  " + words, (255, 255, 255))] if words else [(number, (255, 190, 110))]
    return _chip(width, height, parts, font, (12, 14, 18, 170), top_right=False)


_ENOUGH = 500  # characters: far more than a line holds
# Typographic characters that the font lacks, and their typewriter forms.
_PLAIN = str.maketrans("‘’“”–—", "''\"\"--")
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _chip(
    width: int,
    height: int,
    parts: Sequence[tuple[str, tuple[int, int, int]]],
    font: _Font,
    ground: tuple[int, int, int, int],
    *,
    top_right: bool,
) -> Overlay:
    """Words on a rounded ground, its corners smooth."""
    ascent = font.getbbox("Ag")[3]
    pad = 0.45 * ascent
    chip_width = min(width, _even(sum(_width(font, text) for text, _ in parts) + 2.2 * pad))
    chip_height = min(height, _even(ascent + 1.3 * pad))
    shape = Image.new("L", (chip_width * 4, chip_height * 4))
    corners = (0, 0, chip_width * 4 - 1, chip_height * 4 - 1)
    ImageDraw.Draw(shape).rounded_rectangle(corners, chip_height, fill=ground[3])
    image = Image.new("RGBA", (chip_width, chip_height), (*ground[:3], 255))
    image.putalpha(shape.resize(image.size, Image.Resampling.BOX))
    letters = Image.new("RGBA", image.size)
    pen, x = ImageDraw.Draw(letters), 1.1 * pad
    for text, colour in parts:
        # Transparent pixels of the letters' own colour: smooth edges then have no dark rim.
        letters.paste((*colour, 0), (min(round(x), chip_width), 0, *image.size))
        pen.text((x, 0.5 * pad), text, font=font, fill=(*colour, 255))
        x += _width(font, text)
    image.alpha_composite(letters)
    margin = _margin(width, height)
    corner = (width - chip_width - margin, margin) if top_right else (margin, height - chip_height - margin)
    return _overlay(image, max(0, corner[0] // 2 * 2), max(0, corner[1] // 2 * 2))


def _margin(width: int, height: int) -> int:
    return _even(0.03 * min(width, height))


def _even(value: float) -> int:
    return 2 * math.ceil(value / 2)


def _width(font: _Font, text: str) -> float:
    return float(font.getlength(text))


def drawable(text: str, font: _Font) -> str:
    """The text in one line without what the font would draw as a box; accents go before their letters do."""
    plain = unicodedata.normalize("NFKD", text).translate(_PLAIN)
    box = bytes(font.getmask("\U0010fffe"))
    known = {c: c.isspace() or (c.isprintable() and bytes(font.getmask(c)) != box) for c in set(plain)}
    line = " ".join("".join(" " if c.isspace() else c for c in plain if known[c]).split())
    return re.sub(r" +(?=[,.;:!?])", "", line)  # where a word went, the comma after it moves up


def elide(text: str, font: _Font, room: float) -> str:
    """The text, cut after a whole word where it is wider than `room` pixels, with three dots for the rest."""
    text = text[: max(0, int(room))]  # no letter is narrower than a pixel, and measuring a long text takes long
    if _width(font, text) <= room:
        return text
    words = text.split()
    while len(words) > 1 and _width(font, " ".join(words) + " ...") > room:
        words.pop()
    line = " ".join(words)
    while line and _width(font, line + " ...") > room:
        line = line[:-1]
    return f"{line.rstrip(' ,;:')} ..." if line else ""
