"""Letters: a line of text to pixels, in OpenCV's own typeface, and in the machine's fonts what that lacks."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from . import fonts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Font = tuple[str, int]  # the file and the number in it
_NEVER_LAST = " ,;:，、；：。（「『《【(“‘"  # where the words are cut off
_MOSTLY = 0.6  # with fewer of its letters than this a text is a riddle


class Letters:
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


@cache
def _has_glyph(letter: str) -> bool:
    """Return whether OpenCV draws a letter as itself; what it can't draw it draws as a question mark."""
    if letter == "?" or letter.isspace() or " " < letter <= "~":
        return True
    # Right-to-left scripts would come out backwards and unjoined, and loose marks beside their letters.
    if not letter.isprintable() or unicodedata.bidirectional(letter) in {"R", "AL"} or unicodedata.combining(letter):
        return False
    letters = Letters(16, 400)
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


def elide(text: str, letters: Letters, room: float) -> str:
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
