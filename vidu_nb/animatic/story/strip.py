"""A storyboard's strip: a small frame of the clip for each shot, with an arrow for where the camera goes."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw

from ... import media
from .moves import Move, move_of

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_SIDE = 208  # px, the longer side of a frame
_BYTES = 52_000  # of all frames together; base64 adds a third
_FINE = 4  # arrows are drawn so many times larger, for smooth edges
_NEAR, _STILL = 1 / 1.15, 0.05  # what changes the view by less gets no arrow: it only goes along with another move

_Point = tuple[float, float]


def strip_html(clip: Path, shots: Sequence[tuple[float, str, str]]) -> str:
    """Show frames of a clip in a row, as HTML that holds no script.

    Parameters
    ----------
    clip
        The MP4.
    shots
        For each one the second at which to look, its move, and a line of text to stand under the frame.

    Raises
    ------
    ViduError
        The file is missing or no video.
    """
    cells = []
    seconds = [second for second, _, _ in shots]
    for frame, (_, move, words) in zip(_frames(clip, seconds), shots, strict=False):
        drawn = media.jpeg(arrowed(frame, move), max_bytes=_BYTES // len(shots))
        source = f"data:image/jpeg;base64,{base64.b64encode(drawn).decode('ascii')}"
        cells.append(
            f'<div style="width:{frame.width}px"><img width="{frame.width}" height="{frame.height}" src="{source}" '
            f'alt="{escape(words)}" style="border-radius:4px;display:block"><div style="font-size:12px;line-height:1.4;'
            f'overflow-wrap:anywhere;margin-top:3px">{escape(words)}</div></div>'
        )
    row = "display:flex;flex-wrap:wrap;gap:10px;align-items:flex-start;margin-top:8px"
    return f'<div class="vidu-strip" style="{row}">{"".join(cells)}</div>'


def _frames(clip: Path, seconds: Sequence[float]) -> Iterator[Picture]:
    """Decode the frames shown at these moments, in their order; the last one stands for those beyond the end."""
    left = list(seconds)
    last = None
    for last in media.decode(clip):
        while left and last.time is not None and last.time >= left[0]:
            left.pop(0)
            yield _small(last)
        if not left:
            return
    for _ in left if last is not None else ():
        yield _small(last)


def _small(frame: Any) -> Picture:
    scale = _SIDE / max(frame.width, frame.height)
    size = {"width": round(frame.width * scale), "height": round(frame.height * scale)}
    image: Picture = frame.to_image(**size, interpolation="AREA")
    return image


def arrowed(frame: Picture, move: str) -> Picture:
    """Draw the storyboard artist's arrows for a move over a frame.

    Corners that point in or out for a zoom, a straight arrow for travel, a bent one for an orbit, a wavy line for a
    hand; nothing for a camera that stands.
    """
    width, height = (side * _FINE for side in frame.size)
    layer = Image.new("RGBA", (width, height))
    pen, thick = ImageDraw.Draw(layer), max(width, height) / 75
    lines = [([(x * width, y * height) for x, y in line], head) for line, head in _lines(move_of(move))]
    under, over = ((0, 0, 0, 190), 1.2 * thick), ((255, 255, 255, 255), 0.0)
    for colour, wider in (under, over):
        for line, head in lines:
            body = [*line[:-1], _before(line, 1.5 * thick)] if head else line
            pen.line(body, fill=colour, width=round(thick + wider), joint="curve")
            if head:
                pen.polygon(_head(line, 3.4 * thick), fill=colour, outline=colour, width=round(wider / 2))
    drawn = frame.convert("RGBA")
    drawn.alpha_composite(layer.resize(frame.size, Image.Resampling.BOX))
    return drawn.convert("RGB")


def _lines(move: Move) -> Iterator[tuple[list[_Point], bool]]:
    """Return lines in shares of the frame's width and height, and whether an arrow's head ends them."""
    if not _NEAR < move.zoom < 1 / _NEAR:
        for right, low in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            ends = [(0.5 + 0.4 * right, 0.5 + 0.38 * low), (0.5 + 0.28 * right, 0.5 + 0.22 * low)]
            yield ends if move.zoom > 1 else ends[::-1], True
    if move.roll:
        bend = [(0.5 + 0.26 * math.sin(i / 8), 0.64 + 0.14 * math.cos(i / 8)) for i in range(-12, 13)]
        yield bend if move.x > 0 else bend[::-1], True
    elif (far := math.hypot(move.x, move.y)) > _STILL:
        # Below the middle or at the right, where faces seldom are.
        across, down = move.x / far, move.y / far
        x, y, dx, dy = 0.5 + 0.2 * abs(down), 0.5 + 0.28 * abs(across), 0.2 * across, 0.2 * down
        yield [(x - dx, y - dy), (x + dx, y + dy)], True
        for side in (-0.09, 0.09) if move.whip else ():  # what is fast has lines beside it
            yield [(x - dx, y + side), (x + dx / 3, y + side)], False
    if move.sway:
        yield [(0.36 + 0.28 * i / 48, 0.12 + 0.03 * math.sin(i / 48 * 6 * math.pi)) for i in range(49)], False


def _head(line: Sequence[_Point], size: float) -> list[_Point]:
    """Return the triangle at a line's end."""
    (x, y), (dx, dy) = line[-1], _towards(line)
    return [
        (x + 0.35 * size * dx, y + 0.35 * size * dy),
        (x - 0.65 * size * dx - 0.5 * size * dy, y - 0.65 * size * dy + 0.5 * size * dx),
        (x - 0.65 * size * dx + 0.5 * size * dy, y - 0.65 * size * dy - 0.5 * size * dx),
    ]


def _before(line: Sequence[_Point], far: float) -> _Point:
    """Return the point a little before a line's end, where its head begins."""
    (x, y), (dx, dy) = line[-1], _towards(line)
    return x - far * dx, y - far * dy


def _towards(line: Sequence[_Point]) -> _Point:
    (x0, y0), (x1, y1) = line[-2:]
    far = math.hypot(x1 - x0, y1 - y0)
    return (x1 - x0) / far, (y1 - y0) / far
