"""Save a film in the forms that other tools read: a file with its recipe, animated pictures, posters, timelines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..animated import WRITERS, checked_side
from ..client.client import Client
from ..files import remove_parts, write_atomically
from ..folders import copy_target
from .clips import whole_clips
from .edit import check_adapter, timeline_endings, write_timeline

if TYPE_CHECKING:
    from .film import Film

COPIES = (".mp4", *WRITERS)  # of the joined clip


def film_endings() -> tuple[str, ...]:
    """Return how the names of a film's copies end, the usual one first."""
    return (*COPIES, ".png", *timeline_endings())


def save_film(film: Film, path: str | os.PathLike[str], *, references: bool, side: int) -> Path:
    """Save a film; parameters, result and errors are those of `Film.save`."""
    target = copy_target(path, film_endings())  # refused before anything is joined
    side = checked_side(side)
    kind = target.suffix.lower()
    if kind in (*COPIES, ""):
        return film.video.save(path, references=references, side=side)
    remove_parts(target.parent)
    if kind == ".png":
        from .sheet import write_sheet  # OpenCV and PyAV: neither is loaded, nor needed, by who only lists clips

        video = film.video
        write_atomically(target, lambda part: write_sheet(film, video, part))
    else:
        check_adapter(kind)
        clips = whole_clips(film, film.client or Client.from_env())
        ordered = [clips[index] for index in range(len(film))]
        write_atomically(target, lambda part: write_timeline(film, ordered, part, kind))
    return target.resolve()
