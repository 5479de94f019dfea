"""Animated pictures of a clip: GIF and WebP, small and silent, for slides and README files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from . import media
from .errors import ViduError

SIDE = 480  # px, the longer side
FPS = 12
#: A palette of the pixels that move; ordered dithering, which stays still where the picture does and compresses well.
_PALETTE = "max_colors=128:stats_mode=diff"
_DITHER = "dither=bayer:bayer_scale=5:diff_mode=rectangle"
_QUALITY = 75  # of WebP


def write_gif(source: str | os.PathLike[str], target: Path) -> None:
    """Write a clip as a GIF that repeats, of one palette for all its frames; some 2 to 3 MB for 5 s.

    Raises
    ------
    ViduError
        The clip is missing, holds no video, or is damaged.
    """
    import av

    frames = list(_frames(source))
    with av.open(str(target), "w", format="gif") as container:
        stream = container.add_stream("gif", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "pal8"
        for frame in _with_palette(frames):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_webp(source: str | os.PathLike[str], target: Path) -> None:
    """Write a clip as an animated WebP that repeats; some 0.5 to 1 MB for 5 s.

    Raises
    ------
    ViduError
        The clip is missing, holds no video, or is damaged.
    """
    first, *others = [frame.to_image() for frame in _frames(source)]
    starts = [round(1000 * number / FPS) for number in range(len(others) + 2)]
    lengths = [end - start for start, end in pairwise(starts)]  # ms, without a sum of roundings
    first.save(
        target, "WEBP", save_all=True, append_images=others, duration=lengths, loop=0, quality=_QUALITY, method=4
    )


WRITERS = {".gif": write_gif, ".webp": write_webp}


def _frames(source: str | os.PathLike[str]) -> Iterator[Any]:
    """Yield small RGB frames, `FPS` of them a second: at each moment the one that the clip shows."""
    info = media.probe(source)
    count = max(1, round(info.frames / (info.fps or FPS) * FPS))
    shown, number = None, 0
    for frame in media.decode(source):
        while shown and number < count and frame.time > number / FPS + 0.001:
            yield _small(shown, number)
            number += 1
        shown = frame
    if shown is None:
        raise ViduError(f"{Path(source).name} holds no picture")
    for left in range(number, count):
        yield _small(shown, left)


def _small(frame: Any, number: int) -> Any:
    scale = min(1.0, SIDE / max(frame.width, frame.height))
    size = {"width": round(frame.width * scale), "height": round(frame.height * scale)}
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
