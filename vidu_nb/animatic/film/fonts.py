"""Fonts of the machine, for letters that OpenCV's own typeface lacks: found through fontconfig, drawn by Pillow."""

from __future__ import annotations

import subprocess
import unicodedata
from functools import cache

from PIL import Image, ImageDraw, ImageFont, features

# Where there is no fontconfig, Pillow looks for these in the system's folders: Linux, macOS, Windows.
_FILES = ("DejaVuSans.ttf", "Arial Unicode.ttf", "arial.ttf", "Nirmala.ttf", "LeelawUI.ttf", "ebrima.ttf", "gadugi.ttf")
_SIZE = 24  # px, at which glyphs are compared
_NOWHERE = "\U0010ffff"  # no character, so no font has it


def script_of(letter: str) -> str:
    """Return the script of a letter, mark, digit or stop, or "" for anything else, such as an emoji.

    >>> script_of("ק"), script_of("😀")
    ('Hebrew', '')
    """
    if unicodedata.category(letter)[0] not in "LMNP":
        return ""
    name = unicodedata.name(letter, "").partition(" ")[0]
    return "" if name == "COMBINING" else name.capitalize()


@cache
def font_for(letters: frozenset[str]) -> tuple[str, int] | None:
    """Find a font on this machine that has all of these letters, as its file and its number therein.

    Letters that change their shape beside others need Pillow's Raqm; without it there is no font for them.
    """
    if not features.check("raqm") and any(_is_joined(letter) for letter in letters):
        return None
    return next(
        (found for found in (*_matched(letters), *((name, 0) for name in _FILES)) if _has(found, letters)), None
    )


def _is_joined(letter: str) -> bool:
    return unicodedata.bidirectional(letter) in {"R", "AL"} or unicodedata.category(letter)[0] == "M"


def _matched(letters: frozenset[str]) -> list[tuple[str, int]]:
    """Ask fontconfig for the font that fits best; it may lack some of the letters."""
    charset = " ".join(sorted(f"{ord(letter):x}" for letter in letters))
    command = ["fc-match", "--format=%{file}\n%{index}", f"sans:charset={charset}"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=20, encoding="utf-8")  # noqa: S603
    except (OSError, subprocess.SubprocessError, UnicodeError):  # not installed, or its configuration is broken
        return []
    file, _, index = done.stdout.partition("\n")
    return [(file, int(index))] if index.isdecimal() else []


def _has(found: tuple[str, int], letters: frozenset[str]) -> bool:
    """Return whether each letter has a glyph of its own: not the box of a missing one, and not nothing."""
    try:
        font = ImageFont.truetype(found[0], _SIZE, found[1], layout_engine=ImageFont.Layout.BASIC)
        box = bytes(font.getmask(_NOWHERE))
        masks = (font.getmask(letter) for letter in letters)
        return all(mask.getbbox() is not None and bytes(mask) != box for mask in masks)
    except OSError:  # no such file, or a bitmap font without this size
        return False


@cache
def _opened(file: str, index: int, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size, index)


def width(text: str, font: tuple[str, int], size: int) -> int:
    """Measure a text in pixels."""
    return round(_opened(*font, size).getlength(text))


def drawn(text: str, font: tuple[str, int], size: int, shape: tuple[int, int], x: int, baseline: int) -> Image.Image:
    """Draw letters of 255 on an empty picture of this height and width."""
    image = Image.new("L", shape[::-1])
    ImageDraw.Draw(image).text((x, baseline), text, 255, _opened(*font, size), anchor="ls")
    return image
