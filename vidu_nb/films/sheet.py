"""A film's poster sheet: a picture of each scene with number, title and first words, as a PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageDraw

from .. import media
from ..animatic.film.letters import Letters
from ..animatic.stills.typesetting import Block, set_block
from ..console import printable
from ..errors import one_line
from ..recipe import MAX_TITLE
from ..video import Video

if TYPE_CHECKING:
    from .film import Film

_WIDTH = 1600  # px
_MARGIN, _GUTTER = 48, 28  # px
_GROUND, _LINE = (20, 22, 27), (44, 48, 56)
_WHITE, _MUTED, _ACCENT = (240, 242, 246), (158, 164, 176), (255, 176, 92)
_HEAD, _FACTS, _FEWEST = 44, 19, 12  # px, sizes of letters: the film's title, what is told of it, and the smallest
_TALLEST = 900  # px, of a poster


class _Grid(NamedTuple):
    """How the cells lie: columns, and a poster's width and height in pixels."""

    columns: int
    width: int
    height: int

    @property
    def size(self) -> int:
        """The letters' size in a cell, in pixels."""
        return max(_FEWEST + 1, min(24, self.width // 18))

    @property
    def foot(self) -> int:
        """Pixels below a poster: a title, and two lines of words."""
        return round(4.3 * self.size)


def write_sheet(film: Film, video: Video, target: Path) -> None:
    """Write the poster sheet of a film as PNG.

    Parameters
    ----------
    film
        The film.
    video
        Its joined clip, whose chapters tell where scenes begin.
    target
        Where to.

    Raises
    ------
    ViduError
        The clip has gone or is damaged.
    """
    info = video.info
    grid = _grid(len(film), info.width / info.height)
    head = _head(film)
    rows = -(-len(film) // grid.columns)
    top = _MARGIN + (head.height if head else 0) + (_GUTTER // 2 if head else 0) + 2 * _FACTS + _GUTTER
    height = top + rows * (grid.height + grid.foot) + (rows - 1) * _GUTTER + _MARGIN
    sheet = Image.new("RGB", (_WIDTH, height), _GROUND)
    y = _MARGIN
    if head:
        head.onto(sheet, _MARGIN, y, _WHITE)
        y += head.height + _GUTTER // 2
    told = video.caption.removeprefix(f"{printable(one_line(film.title, MAX_TITLE))} · ")
    facts = set_block(told, width=_WIDTH - 2 * _MARGIN, height=2 * _FACTS, largest=_FACTS, smallest=_FACTS,
                      weight=400)  # fmt: skip
    facts.onto(sheet, _MARGIN, y, _MUTED)
    ImageDraw.Draw(sheet).line((_MARGIN, top - _GUTTER // 2, _WIDTH - _MARGIN, top - _GUTTER // 2), _LINE, 2)
    for index, start in enumerate(_starts(film, video)):
        row, column = divmod(index, grid.columns)
        x = _MARGIN + column * (grid.width + _GUTTER)
        y = top + _GUTTER // 2 + row * (grid.height + grid.foot + _GUTTER)
        poster = media.poster(video.path, at=start, side=max(grid.width, grid.height))
        _paste_cell(sheet, grid, poster, x, y, f"{index + 1}", film[index].title, film[index].prompt)
    sheet.save(target, "PNG", optimize=True)


def _grid(count: int, shape: float) -> _Grid:
    """Choose as many columns as let all posters be large on a sheet that is not much taller than wide."""
    most = 6 if shape >= 1 else 8
    columns = next((n for n in range(1, most) if n * n * (1.1 if shape >= 1 else 0.45) >= count), most)
    columns = max(columns, 1 if count == 1 else 2)
    width = (_WIDTH - 2 * _MARGIN - (columns - 1) * _GUTTER) // columns
    height = round(width / shape)
    if height > _TALLEST:
        width, height = round(_TALLEST * shape), _TALLEST
    return _Grid(columns, width, height)


def _head(film: Film) -> Block | None:
    title = printable(film.title)
    if not title:
        return None
    return set_block(title, width=_WIDTH - 2 * _MARGIN, height=round(2.6 * _HEAD), largest=_HEAD, smallest=_HEAD - 12,
                     weight=620)  # fmt: skip


def _starts(film: Film, video: Video) -> list[float]:
    """Return a moment of each scene, in seconds: a second from where it begins, or its middle where it is short."""
    found = media.chapters(video.path)
    if len(found) != len(film):
        each = video.info.duration / len(film)
        return [(index + 0.5) * each for index in range(len(film))]
    return [one.start + min(1.0, (one.end - one.start) / 2) for one in found]


def _paste_cell(
    sheet: Image.Image, grid: _Grid, poster: Image.Image, x: int, y: int, number: str, title: str, prompt: str
) -> None:
    fitted = poster.resize((grid.width, grid.height), Image.Resampling.LANCZOS)
    shape = Image.new("L", (grid.width * 4, grid.height * 4))
    ImageDraw.Draw(shape).rounded_rectangle((0, 0, shape.width - 1, shape.height - 1), 32, fill=255)
    sheet.paste(fitted, (x, y), shape.resize(fitted.size, Image.Resampling.BOX))
    y += grid.height + grid.size // 2
    counted = Block((number,), grid.size, 640)
    counted.onto(sheet, x, y, _ACCENT)
    indent = Letters(grid.size, 640).width(number) + grid.size // 2
    line = round(1.4 * grid.size)
    words = printable(prompt)
    if title:
        block = set_block(printable(title), width=grid.width - indent, height=line, largest=grid.size,
                          smallest=grid.size, weight=560)  # fmt: skip
        block.onto(sheet, x + indent, y, _WHITE)
        y, indent = y + line, 0
    size = max(_FEWEST, round(0.82 * grid.size)) if title else grid.size
    block = set_block(words, width=grid.width - indent, height=round(2.6 * size), largest=size, smallest=size,
                      weight=400)  # fmt: skip
    block.onto(sheet, x + indent, y, _MUTED)
