"""A text set in a block: as large as it fits, in any script, wrapped between its words."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..film.letters import Letters, drawable, elide
from ..story.language import UNSPACED

_ENOUGH = 2400  # characters: more can't be read on a picture
_FEW = 6  # lines: more are a paragraph, which fills its column
_LEADING = 1.28  # from one line to the next, in sizes of the letters
_CLOSING = set("，。、；：！？）》」』”’…,.;:!?)")  # never begins a line


class Block(NamedTuple):
    """Lines of one size."""

    lines: tuple[str, ...]
    size: int
    weight: int

    @property
    def height(self) -> int:
        """Pixels from the top of the first line to the bottom of the last."""
        return round(_LEADING * self.size * len(self.lines))

    def onto(self, picture: Image.Image, x: int, y: int, colour: tuple[int, int, int], *, opacity: float = 1.0) -> None:
        """Draw the lines on an RGB image, the top left corner at (x, y)."""
        letters = Letters(self.size, self.weight)
        step = _LEADING * self.size
        for number, line in enumerate(self.lines):
            shape = (round(1.7 * self.size), max(1, picture.width - x))
            drawn = letters.drawn(line, shape, 0, round(1.15 * self.size))
            if opacity < 1:
                drawn = (drawn * opacity).astype(np.uint8)
            picture.paste(colour, (x, round(y + number * step - 0.15 * self.size)), Image.fromarray(drawn))


def set_block(text: str, *, width: int, height: int, largest: int, smallest: int, weight: int) -> Block:
    """Set a text in the largest letters in which it fits; what doesn't fit in the smallest is cut, with an ellipsis.

    Parameters
    ----------
    text
        Any; what no font has is left out.
    width, height
        Of the block at most, in pixels.
    largest, smallest
        Sizes of the letters, in pixels.
    weight
        Of the letters, 100 to 900.
    """
    text = drawable(text[:_ENOUGH])
    pieces = _pieces(text)
    size = largest
    while True:
        letters = Letters(size, weight)
        most = max(1, int(height / (_LEADING * size)))
        lines = _wrapped(pieces, letters, width, most + 1)
        if len(lines) <= most:
            return Block(tuple(_balanced(pieces, letters, width, lines)), size, weight)
        if size <= smallest:
            rest = " ".join(lines[most - 1 :])
            last = elide(f"{rest} …", letters, width)
            return Block((*lines[: most - 1], last), size, weight)
        size = max(smallest, int(size * 0.88))


def _pieces(text: str) -> list[tuple[str, bool]]:
    """Cut a text where a line may end: words, each with whether a space stands before it, or single Han letters."""
    pieces: list[tuple[str, bool]] = []
    for word in text.split():
        spaced = True
        for part in re.split(f"({UNSPACED.pattern})", word):
            for piece in list(part) if UNSPACED.fullmatch(part or "-") else [part] if part else []:
                if pieces and not spaced and (piece[0] in _CLOSING or unicodedata.category(piece[0])[0] == "M"):
                    pieces[-1] = (pieces[-1][0] + piece, pieces[-1][1])
                else:
                    pieces.append((piece, spaced))
                spaced = False
    return pieces


def _balanced(pieces: list[tuple[str, bool]], letters: Letters, width: int, lines: list[str]) -> list[str]:
    """Wrap a short text so that its lines are about as long: no last word stands alone."""
    if not 1 < len(lines) <= _FEW:
        return lines
    low, high = width // len(lines), width
    while high - low > letters.size // 2:
        middle = (low + high) // 2
        if len(_wrapped(pieces, letters, middle, len(lines) + 1)) <= len(lines):
            high = middle
        else:
            low = middle
    return _wrapped(pieces, letters, high, len(lines) + 1)


def _wrapped(pieces: list[tuple[str, bool]], letters: Letters, width: int, most: int) -> list[str]:
    """Return the lines of a text, at most so many: who asks for more knows that it doesn't fit."""
    lines: list[str] = []
    line, filled = "", 0
    space = letters.width("n n") - letters.width("nn")
    for number, (whole, spaced) in enumerate(pieces):
        piece, wide = whole, letters.width(whole)
        gap = space if spaced and line else 0
        if line and filled + gap + wide > width:
            lines.append(line)
            line, filled, gap = "", 0, 0
            if len(lines) >= most:
                return [*lines[:-1], lines[-1] + " " + " ".join(one for one, _ in pieces[number : number + 40])]
        while wide > width and len(piece) > 1:  # longer than a line: cut anywhere
            cut = max(1, int(len(piece) * width / wide))
            while cut > 1 and letters.width(piece[:cut]) > width:
                cut -= 1
            lines.append(piece[:cut])
            piece = piece[cut:]
            wide = letters.width(piece)
            if len(lines) >= most:
                return [*lines[:-1], lines[-1] + piece]
        line += (" " if gap else "") + piece
        filled += gap + wide
    return [*lines, line] if line else lines
