"""Small pictures for pages: thumbnails as ``data:`` URIs, and a sheet of them for viewers that show no HTML."""

from __future__ import annotations

import base64
import bisect
import functools
import io
import itertools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import media

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_QUALITIES = (74, 52, 34)
_SHEET_WIDTH, _SHEET_BYTES = 760, 21_000  # px at most, and bytes
_BLOCK = 8  # px: an edge inside one of a JPEG's blocks takes many bytes, hence all edges lie between them
_MARGIN, _LINE, _LETTERS = _BLOCK, 16, 12  # px
_PAPER, _INK, _PALE, _EMPTY = "#ffffff", "#212121", "#616161", "#e8eaed"
_COLUMNS = ((3, 3), (8, 4), (15, 5), (24, 6))  # up to so many pictures, in so many columns
_DETAILS = (1.0, 0.6, 0.4, 0.25)
MAX_SHEET = 24  # pictures


@dataclass(frozen=True, slots=True)
class Card:
    """A picture of a sheet, None for an empty box, and what stands below it: the first line is the heading."""

    picture: Image | None
    lines: tuple[str, ...]
    is_faint: bool = False  # it only stands in for one


def small_jpeg(image: Image, *, side: int) -> bytes:
    """Return a small copy as JPEG, some 8 kB at 200 px; transparent parts become white."""
    from PIL import Image as Images

    image.thumbnail((side, side), reducing_gap=2.0)
    if image.mode in ("RGBA", "LA", "PA", "P"):
        clear = image.convert("RGBA")
        image = Images.new("RGBA", clear.size, "white")
        image.alpha_composite(clear)
    return media.jpeg(image.convert("RGB"), max_bytes=16_000)


def opened(data: bytes) -> Image:
    """Open a small picture that was made here."""
    from PIL import Image as Images

    return Images.open(io.BytesIO(data)).convert("RGB")


def grey(side: int) -> Image:
    """Return what stands in for a picture that can't be read."""
    from PIL import Image as Images

    return Images.new("RGB", (side, side), _EMPTY)


def covered(image: Image, width: int, height: int) -> Image:
    """Return the middle of a picture that fills a box of this shape; people's heads are in the upper part of it."""
    from PIL import ImageOps

    return ImageOps.fit(image, (width, height), centering=(0.5, 0.2))


@functools.lru_cache(maxsize=256)  # some 2 MB; a storyboard that is shown again and again
def thumbnail_uri(data: bytes, size: tuple[int, int], most: int, *, fills: bool = False) -> str:
    """Return a picture as a WebP in a ``data:`` URI.

    Parameters
    ----------
    data
        A JPEG of some kB, such as `media.poster_jpeg` and `small_jpeg` make.
    size
        The box that it fits into, or fills.
    most
        Bytes in base64, at most, if that can be had.
    fills
        Cut off what is longer than the box.
    """
    image = opened(data)
    if fills:
        image = covered(image, *size)
    image.thumbnail(size)
    width, height = image.size
    shapes = [(max(1, round(width * part)), max(1, round(height * part))) for part in (1, 0.75, 0.5, 0.35)]
    for shape, quality in itertools.product(shapes, _QUALITIES):
        buffer = io.BytesIO()
        image.resize(shape).save(buffer, "WEBP", quality=quality, method=4)
        if buffer.tell() * 4 // 3 <= most:
            break
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


@functools.lru_cache(maxsize=64)  # a panel shows the same scenes at each change
def side_by_side(pictures: tuple[bytes, ...], size: tuple[int, int]) -> bytes:
    """Return a JPEG of small pictures beside each other, which together fill a box."""
    from PIL import Image as Images

    width, height = size
    sheet = Images.new("RGB", size, _EMPTY)
    edges = [round(width * place / len(pictures)) for place in range(len(pictures) + 1)]
    for data, left, right in zip(pictures, edges, edges[1:], strict=False):
        sheet.paste(covered(opened(data), right - left, height), (left, 0))
    return media.jpeg(sheet, max_bytes=16_000)


def sheet_jpeg(
    title: str, cards: Sequence[Card], *, shape: tuple[int, int], more: str = "", most: int = _SHEET_BYTES
) -> str:
    """Return labelled pictures in rows as a JPEG in base64, as Jupyter wants it; at most 24 of them.

    Parameters
    ----------
    title
        A line above them.
    cards
        What is shown.
    shape
        Width and height, of which only the proportion counts, of the box that each picture fits into.
    more
        A line below them.
    most
        Bytes of the JPEG, if that can be had; a third more in base64.
    """
    for detail in _DETAILS:  # letters stay sharp
        data = media.jpeg(_sheet(title, cards[:MAX_SHEET], shape, more, detail), max_bytes=most)
        if len(data) <= most:
            break
    return base64.b64encode(data).decode("ascii")


def _sheet(title: str, cards: Sequence[Card], shape: tuple[int, int], more: str, detail: float) -> Image:
    from PIL import Image as Images
    from PIL import ImageDraw as Pens

    columns = next(columns for most, columns in _COLUMNS if len(cards) <= most)
    wide = _whole((_SHEET_WIDTH - _MARGIN) / columns - _MARGIN - _BLOCK / 2)
    high = min(_whole(wide * shape[1] / shape[0]), wide)
    lines = max((len(card.lines) for card in cards), default=0)
    step = (wide + _MARGIN, high + lines * _LINE + 2 * _MARGIN)
    top = _MARGIN + (_LINE + 8 if title else 0)
    height = top + step[1] * math.ceil(len(cards) / columns) + (_LINE + 4 if more else 0)
    width = _MARGIN + columns * step[0]
    sheet = Images.new("RGB", (width, max(height, 40)), _PAPER)
    pen = Pens.Draw(sheet)
    _write(pen, title, (_MARGIN, _MARGIN), width - 2 * _MARGIN, _INK, 14)
    for place, card in enumerate(cards):
        x, y = _MARGIN + place % columns * step[0], top + place // columns * step[1]
        pen.rectangle((x, y, x + wide - 1, y + high - 1), fill=_EMPTY)
        if card.picture is not None:
            picture = _fitted(card.picture, (wide, high), detail)
            if card.is_faint:
                picture = Images.blend(picture, Images.new("RGB", picture.size, _PAPER), 0.5)
            sheet.paste(picture, (x + (wide - picture.width) // 2, y + (high - picture.height) // 2))
        for number, line in enumerate(card.lines):
            _write(pen, line, (x, y + high + 3 + number * _LINE), wide, _PALE if number else _INK, _LETTERS)
    _write(pen, more, (_MARGIN, height - _LINE - 4), width - 2 * _MARGIN, _PALE, _LETTERS)
    return sheet


def _whole(pixels: float) -> int:
    """Return the nearest number of pixels that is whole blocks of a JPEG, one at least."""
    return max(1, round(pixels / _BLOCK)) * _BLOCK


def _fitted(picture: Image, box: tuple[int, int], detail: float) -> Image:
    """Return a picture that fits into a box, with so much of its detail; one of nearly the same shape fills it."""
    scale = min(box[0] / picture.width, box[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    if all(one - other < _BLOCK for one, other in zip(box, size, strict=True)):
        picture, size = covered(picture, *box), box
    coarse = (max(1, round(size[0] * detail)), max(1, round(size[1] * detail)))
    return picture.resize(coarse).resize(size)


def _write(pen: ImageDraw, text: str, at: tuple[int, int], wide: int, colour: str, size: int) -> None:
    """Write a line, cut to a width, in the letters that Pillow's own typeface has."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    text = text[: 2 * wide]  # a letter is at least a pixel wide, and measuring a whole prompt takes milliseconds
    parts = (one if one in "…·" else unicodedata.normalize("NFKD", one.replace("ß", "ss")) for one in text)
    line = "".join(one for one in "".join(parts) if " " <= one <= "~" or one in "…·").strip()
    if font.getlength(line) > wide:
        cuts = range(1, len(line))
        fitting = bisect.bisect_right(cuts, wide, key=lambda many: math.ceil(font.getlength(f"{line[:many]}…")))
        line = f"{line[:fitting]}…"
    pen.text(at, line, fill=colour, font=font)
