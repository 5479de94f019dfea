"""Save a film in the forms that other tools read: a file with its recipe, animated pictures, posters, timelines."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from ..animated import WRITERS, checked_side
from ..errors import NotKept
from ..files import remove_parts, write_atomically
from ..folders import copy_target
from .edit import check_adapter, timeline_endings, write_timeline
from .sheet import write_sheet

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
        video = film.video
        write_atomically(target, lambda part: write_sheet(film, video, part))
    else:
        check_adapter(kind)
        clips = film.clips()
        check_whole(film, clips)
        ordered = [clips[index] for index in range(len(film))]
        write_atomically(target, lambda part: write_timeline(film, ordered, part, kind))
    return target.resolve()


def check_whole(film: Film, clips: Collection[int]) -> None:
    """Refuse a film of which clips are missing.

    Raises
    ------
    NotKept
        It names the scenes.
    """
    if missing := [str(index + 1) for index in range(len(film)) if index not in clips]:
        raise NotKept(
            f"{len(missing)} of {len(film)} scenes have no clip yet: {', '.join(missing)}",
            remedy="film.shoot() makes them; film.preview() shows the whole film for free.",
        )
