"""What is written on a preview: the word PREVIEW, and each shot's number and words."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from . import fonts
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


def badge(width: int, height: int) -> Overlay:
    """Draw the badge that keeps a preview from being taken for the model's work, for the top right corner."""
    letters = _Letters(max(7, round(0.027 * width)), 560)  # at 480 pixels across, still 13 pixels high
    return _chip(width, height, [("PREVIEW", (255, 255, 255))], letters, (200, 62, 28, 255), top_right=True)


def caption(width: int, height: int, number: str, text: str) -> Overlay:
    """Draw a shot's number and its words, shortened to one line, for the bottom left corner."""
    letters = _Letters(max(7, round(0.03 * min(width, height))), 420)
    room = min(0.86 * width - 2 * _margin(width, height), 0.62 * width + 0.2 * height)
    words = elide(drawable(text[:_ENOUGH]), letters, room - letters.width(number) - letters.gap)
    parts = [(number, (255, 190, 110)), (words, (255, 255, 255))] if words else [(number, (255, 190, 110))]
    return _chip(width, height, parts, letters, (12, 14, 18, 170), top_right=False)


_Font = tuple[str, int]  # the file and the number in it
_ENOUGH = 500  # characters: far more than a line holds
_NEVER_LAST = " ,;:，、；：。（「『《【(“‘"  # where the words are cut off
_MOSTLY = 0.6  # with fewer of its letters than this a text is a riddle


class _Letters:
    """OpenCV's own typeface (Rubik, and WenQuanYi Micro Hei for what that lacks) in one size and weight.

    It comes with the library: the same letters on every machine, and none that a machine may or may not have. Only what
    it lacks is drawn with a font of the machine.
    """

    def __init__(self, size: int, weight: int) -> None:
        self.size, self._weight = size, weight
        self.gap = round(0.55 * size)  # between the number and the words
        self._face = cv2.FontFace("sans")

    def width(self, text: str) -> int:
        """Measure a line from one end to the other, in pixels."""
        return sum(self._width(run, font) for run, font in _runs(text))

    def _width(self, run: str, font: _Font | None) -> int:
        if font:
            return fonts.width(run, font, self.size)
        return int(cv2.getTextSize((0, 0), run, (0, 0), self._face, self.size, self._weight)[2])

    def drawn(self, text: str, shape: tuple[int, int], x: int, baseline: int) -> NDArray[np.uint8]:
        """Draw letters of 255 on an empty plane of this shape."""
        plane = np.zeros(shape, np.uint8)
        for run, font in _runs(text):
            if font:
                layer = np.asarray(fonts.drawn(run, font, self.size, shape, x, baseline))
            else:
                layer = self.plain(run, shape, x, baseline)
            plane = np.maximum(plane, layer)
            x += self._width(run, font)
        return plane

    def plain(self, text: str, shape: tuple[int, int], x: int, baseline: int) -> NDArray[np.uint8]:
        """Draw letters with OpenCV's typeface alone."""
        plane = np.zeros(shape, np.uint8)
        cv2.putText(plane, text, (x, baseline), 255, self._face, self.size, self._weight)
        return plane


def _chip(
    width: int,
    height: int,
    parts: Sequence[tuple[str, tuple[int, int, int]]],
    letters: _Letters,
    ground: tuple[int, int, int, int],
    *,
    top_right: bool,
) -> Overlay:
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
    corner = (width - chip_width - margin, margin) if top_right else (margin, height - chip_height - margin)
    return _overlay(image, max(0, corner[0] // 2 * 2), max(0, corner[1] // 2 * 2))


def _margin(width: int, height: int) -> int:
    return _even(0.03 * min(width, height))


def _even(value: float) -> int:
    return 2 * math.ceil(value / 2)


@cache
def _has_glyph(letter: str) -> bool:
    """Return whether OpenCV draws a letter as itself; what it can't draw it draws as a question mark."""
    if letter == "?" or letter.isspace() or " " < letter <= "~":
        return True
    # Right-to-left scripts would come out backwards and unjoined, and loose marks beside their letters.
    if not letter.isprintable() or unicodedata.bidirectional(letter) in {"R", "AL"} or unicodedata.combining(letter):
        return False
    letters = _Letters(16, 400)
    box = (32, 32)
    return not np.array_equal(letters.plain(letter, box, 4, 22), letters.plain("?", box, 4, 22))


@lru_cache(maxsize=64)
def _fonts(text: str) -> dict[str, _Font | None]:
    """Return for each letter that OpenCV can't draw a font that can, one for each script, or None."""
    scripts: dict[str, set[str]] = {}
    for letter in text:
        if not _has_glyph(letter) and (script := fonts.script_of(letter)):
            scripts.setdefault(script, set()).add(letter)
    found = {script: fonts.font_for(frozenset(letters)) for script, letters in scripts.items()}
    return {letter: found[script] for script, letters in scripts.items() for letter in letters}


@lru_cache(maxsize=512)
def _runs(text: str) -> tuple[tuple[str, _Font | None], ...]:
    """Cut a line where another font has to draw on; None is OpenCV's own."""
    own = _fonts(text)
    if any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in own):
        # A line with words from right to left is put in order as a whole, if one font has all of it.
        whole = fonts.font_for(frozenset(letter for letter in text if not letter.isspace()))
        if whole:
            return ((text, whole),)
    runs: list[tuple[str, _Font | None]] = []
    for letter in text:
        font = own.get(letter)
        if letter in own or not runs or (runs[-1][1] and not letter.isspace()):
            if runs and runs[-1][1] == font:
                runs[-1] = (runs[-1][0] + letter, font)
            else:
                runs.append((letter, font))
        else:  # between two words of a font a space is its own
            runs[-1] = (runs[-1][0] + letter, runs[-1][1])
    return tuple(runs)


def missing(text: str) -> list[str]:
    """Return the names of the scripts for which neither OpenCV nor this machine has letters.

    >>> missing("Café 猫 Кошка 😀")
    []
    """
    lacking = {letter for letter, font in _fonts(_composed(text)).items() if font is None and not _simpler(letter)}
    return sorted({fonts.script_of(letter) for letter in lacking if letter.isalpha()})


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _simpler(letter: str) -> str:
    """Return what stands in for a letter that can't be drawn: the letter that it is a form of, or nothing."""
    return "".join(filter(_has_glyph, unicodedata.normalize("NFKD", letter)))


def drawable(text: str) -> str:
    """Return the text in one line without what can't be drawn; nothing where most of its letters can't.

    >>> drawable("Café  “bon” 猫 😀!")
    'Café “bon” 猫!'
    """
    whole = _composed(text)
    own = _fonts(whole)
    known = "".join(c if _has_glyph(c) or own.get(c) else _simpler(c) for c in whole)
    if sum(map(str.isalpha, known)) < _MOSTLY * sum(map(str.isalpha, whole)):
        return ""
    return re.sub(r" +(?=[,.;:!?])", "", " ".join(known.split()))  # where a word went, the comma after it moves up


def elide(text: str, letters: _Letters, room: float) -> str:
    """Cut the text after a whole word where it is wider than `room` pixels, with an ellipsis for the rest."""
    text = text[: max(0, int(room))]  # no letter is narrower than a pixel, and measuring a long text takes long
    if letters.width(text) <= room:
        return text
    words = text.split()
    while len(words) > 1 and letters.width(" ".join(words) + " …") > room:
        words.pop()
    line = " ".join(words)
    while line and letters.width(line + " …") > room:
        line = line[:-1]
        while line and unicodedata.category(text[len(line)])[0] == "M":  # a letter keeps its marks
            line = line[:-1]
    line = line.rstrip(_NEVER_LAST)
    return f"{line} …" if line else ""
