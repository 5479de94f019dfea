"""What can be done with a result: its request as code elsewhere, its seed, a copy of its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..catalogue.request import Medium, Request
from ..errors import InvalidRequest, ViduError
from ..files import expanded, shown_path
from ..references.attachment import Attachment
from ..references.sources import is_png
from ..storage.archive import Archive
from ..video import COPIES, Video
from .made import Made
from .seeds import next_seed
from .snippets import PicturePath, as_curl, as_python, as_requests

SNIPPETS: dict[str, Callable[[Request, PicturePath], str]] = {
    "Python": as_python,
    "curl": as_curl,
    "requests": as_requests,
}
_STILLS = (".png", ".jpg", ".jpeg")


def tools_for(made: Made) -> dict[str, Any]:
    """Return what the page offers for a result."""
    has_seed = made.request is None or made.request.model.by_role("seed") is not None
    is_video = isinstance(made, Video)
    return {
        "name": made.path.name,
        "endings": list(COPIES) if is_video else list(dict.fromkeys([made.path.suffix.lower(), *_STILLS[:2]])),
        "seed": has_seed and made.seed is not None,
        "code": list(SNIPPETS) if made.request else [],
        "is_video": is_video,
    }  # fmt: skip


def code_for(made: Made, language: object, archive: Archive) -> str:
    """Return a result's request as code for elsewhere, whose pictures are files of the archive.

    Raises
    ------
    InvalidRequest
        No such language, or the request is gone.
    """
    write = SNIPPETS.get(language) if isinstance(language, str) else None
    if write is None or made.request is None:
        raise InvalidRequest("there is no such code for it")

    def path_of(medium: Medium) -> str:
        kind = "png" if is_png(medium.url) else "jpg"
        if isinstance(medium, Attachment):
            kind = medium.name.rpartition(".")[2] or "bin"
        return shown_path(archive.folder / "references" / f"{medium.sha256}.{kind}")

    return write(made.request, path_of)


def seed_after(made: Made) -> int | None:
    """Return the seed after a result's own, None where it has none."""
    field = made.request.model.by_role("seed") if made.request else None
    return next_seed(field, made.seed) if field and made.seed is not None else None


def save_copy(made: Made, name: object) -> Path:
    """Save a copy of a result's file with its recipe inside, under a name that nothing has yet.

    Raises
    ------
    InvalidRequest
        No name, one that is taken, or a folder that can't be written to.
    ViduError
        The file can't be read, or not be made into one of that kind.
    """
    text = name.strip() if isinstance(name, str) else ""
    if not text:
        raise InvalidRequest("name a file first")
    problem = ""
    try:
        target = _target(made, expanded(text))
        if target.exists():
            raise InvalidRequest(f"{target.name} is there already: choose another name")
        return made.save(target)
    except ViduError:
        raise
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    raise InvalidRequest(problem)


def _target(made: Made, target: Path) -> Path:
    """Return a copy's path, with the ending that says what is in it."""
    endings = COPIES if isinstance(made, Video) else (made.path.suffix.lower(), *_STILLS)
    ending = ".mp4" if isinstance(made, Video) else made.path.suffix
    return target if target.suffix.lower() in endings else target.with_name(f"{target.name}{ending}")
