"""Save a film in the forms that other tools read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..animated import WRITERS
from ..files import remove_parts, write_atomically
from ..folders import copy_target
from ..media import write_tags

if TYPE_CHECKING:
    from .film import Film

ENDINGS = (".mp4", ".otio", *WRITERS, ".png")


def save_film(film: Film, path: str | os.PathLike[str], *, references: bool) -> Path:
    """Save a film; parameters, result and errors are those of `Film.save`."""
    video = film.video
    target = copy_target(path, ENDINGS, made=video.path)
    remove_parts(target.parent)

    def write(part: Path) -> None:
        if animated := WRITERS.get(target.suffix.lower()):
            animated(video.path, part)
        elif references:
            part.write_bytes(video.bytes)
        else:
            write_tags(video.path, part, {})

    write_atomically(target, write)
    return target.resolve()
