"""Animated pictures of a clip: GIF and WebP, small and silent, for slides and README files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image

from . import media
from .errors import InvalidRequest, ViduError, one_line

SIDE = 480  # px, the longer side, where nobody asks for another
MIN_SIDE, MAX_SIDE = 16, 1920  # px
FPS = 12
_STRETCH = 120  # frames of one palette at most: with their sizes, some 50 MB
#: A palette of the pixels that move; ordered dithering, which stays still where the picture does and compresses well.
_PALETTE = "max_colors=128:stats_mode=diff"
_DITHER = "dither=bayer:bayer_scale=5:diff_mode=rectangle"
_QUALITY = 75  # of WebP


def checked_side(side: Any) -> int:
    """Return the longer side of an animated picture in pixels.

    Raises
    ------
    InvalidRequest
        It is no whole number from `MIN_SIDE` to `MAX_SIDE`.

    >>> checked_side(640.0)
    640
    """
    try:
        number = 0.0 if isinstance(side, bool | str) else float(side)
    except (TypeError, ValueError, OverflowError):
        number = 0.0
    if number.is_integer() and MIN_SIDE <= number <= MAX_SIDE:
        return int(number)
    shown = one_line(repr(side), 40)
    raise InvalidRequest(f"side: {shown} is no number of pixels from {MIN_SIDE} to {MAX_SIDE}", field="side")


def write_gif(source: str | os.PathLike[str], target: Path, *, side: int = SIDE) -> tuple[int, int]:
    """Write a clip as a GIF that repeats, of one palette for each chapter; some 2 to 3 MB for 5 s.

    A film's scenes differ: one palette for all of them would leave each a few colours only.

    Parameters
    ----------
    source, target
        The clip, and where to.
    side
        The longer side in pixels at most.

    Returns
    -------
    tuple of int
        Width and height in pixels.

    Raises
    ------
    ViduError
        The clip is missing, holds no video, or is damaged.
    """
    import av

    with av.open(str(target), "w", format="gif") as container:
        stream: Any = None
        for stretch in _stretches(source, side):
            if stream is None:
                stream = container.add_stream("gif", rate=FPS)
                stream.width, stream.height, stream.pix_fmt = stretch[0].width, stretch[0].height, "pal8"
            for frame in _with_palette(stretch):
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        return stream.width, stream.height


def write_webp(source: str | os.PathLike[str], target: Path, *, side: int = SIDE) -> tuple[int, int]:
    """Write a clip as an animated WebP that repeats; some 0.5 to 1 MB for 5 s.

    Parameters, result and errors are those of `write_gif`.
    """
    count = _count(source)
    moving = _Moving(_frames(source, side), count)
    starts = [round(1000 * number / FPS) for number in range(count + 1)]
    lengths = [end - start for start, end in pairwise(starts)]  # ms, without a sum of roundings
    moving.save(target, "WEBP", save_all=True, duration=lengths, loop=0, quality=_QUALITY, method=4)
    return moving.size


WRITERS = {".gif": write_gif, ".webp": write_webp}


class _Moving(Image.Image):
    """A clip's frames, as Pillow takes an animation from another file: only one of them is in memory."""

    def __init__(self, frames: Iterator[Any], count: int) -> None:
        super().__init__()
        self.n_frames = count
        self._left = frames
        self._place = -1
        self.seek(0)

    def seek(self, frame: int) -> None:
        while self._place < frame:
            shown = next(self._left).to_image()
            self.im, self._mode, self._size = shown.im, shown.mode, shown.size
            self._place += 1


def _stretches(source: str | os.PathLike[str], side: int) -> Iterator[list[Any]]:
    """Yield small frames in lists that end where a chapter does."""
    ends = {round(chapter.end * FPS) for chapter in media.chapters(source)}
    stretch: list[Any] = []
    for number, frame in enumerate(_frames(source, side)):
        if stretch and (number in ends or len(stretch) == _STRETCH):
            yield stretch
            stretch = []
        stretch.append(frame)
    yield stretch


def _count(source: str | os.PathLike[str]) -> int:
    info = media.probe(source)
    return max(1, round(info.frames / (info.fps or FPS) * FPS))


def _frames(source: str | os.PathLike[str], side: int) -> Iterator[Any]:
    """Yield small RGB frames, `FPS` of them a second: at each moment the one that the clip shows."""
    count = _count(source)
    shown, number = None, 0
    for frame in media.decode(source):
        while shown and number < count and frame.time > number / FPS + 0.001:
            yield _small(shown, number, side)
            number += 1
        shown = frame
    if shown is None:
        raise ViduError(f"{Path(source).name} holds no picture")
    for left in range(number, count):
        yield _small(shown, left, side)


def _small(frame: Any, number: int, side: int) -> Any:
    scale = min(1.0, side / max(frame.width, frame.height))
    size = {"width": max(1, round(frame.width * scale)), "height": max(1, round(frame.height * scale))}
    small = frame.reformat(**size, format="rgb24", interpolation="AREA")
    small.pts, small.time_base = number, Fraction(1, FPS)
    return small


def _with_palette(frames: list[Any]) -> Iterator[Any]:
    """Yield the frames in one palette, which FFmpeg's filters choose from all of them."""
    import av

    graph = av.filter.Graph()
    size = {"width": frames[0].width, "height": frames[0].height}
    source = graph.add_buffer(**size, format=frames[0].format, time_base=frames[0].time_base)
    split, palette = graph.add("split"), graph.add("palettegen", _PALETTE)
    use, sink = graph.add("paletteuse", _DITHER), graph.add("buffersink")
    source.link_to(split)
    split.link_to(palette, 0, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    for frame in [*frames, None]:
        graph.push(frame)
    for _ in frames:
        yield graph.pull()
