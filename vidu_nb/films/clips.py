"""A film's clips: what the archive keeps of its scenes, their takes, and the frames that others go on from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalogue.request import DRAFT_ENDING, Request
from ..client.client import Client
from ..errors import ArchiveError, ViduError
from ..files import is_regular, write_atomically
from ..media import last_frame
from ..references.last_frame import LAST_FRAME
from ..references.reference import Reference, with_maker
from ..video import Video

if TYPE_CHECKING:
    from .film import Film


def kept_clips(film: Film, client: Client) -> dict[int, Video | ViduError]:
    """Return the clip of each scene that has one, and an error where one is kept that can't be used."""
    found: dict[int, Video | ViduError] = {}
    for index, scene in enumerate(film.scenes):
        before = found.get(index - 1)
        if scene.continues and not isinstance(before, Video):
            continue
        try:
            frame = frame_after(before, client) if isinstance(before, Video) else None
            request = film.request(index, frame=frame if scene.continues else None)
            clip = kept_clip(request, client, take=scene.take)
        except ViduError as error:
            found[index] = error
        else:
            found |= {index: clip} if clip else {}
    return found


def kept_clip(request: Request, client: Client, *, take: int | None) -> Video | None:
    """Return a kept take of a request, by default the newest, None where nothing is kept.

    Raises
    ------
    ArchiveError
        There are takes, but not that one; or it is damaged.
    """
    takes = [one for one in client.takes(request) if isinstance(one, Video)]
    if take is None or not takes:
        return takes[-1] if takes else None
    if take > len(takes):
        raise ArchiveError(f"take {take} is not kept: there are {len(takes)}", remedy="Choose one that is kept.")
    return takes[take - 1]


def takes_of(film: Film, index: int, client: Client) -> list[Video]:
    """Return every kept take of a scene, in the order in which they came."""
    frame = None
    if film[index].continues:
        before = kept_clips(film, client).get(index - 1)
        if not isinstance(before, Video):
            return []
        frame = frame_after(before, client)
    return [one for one in client.takes(film.request(index, frame=frame)) if isinstance(one, Video)]


def frame_after(clip: Video, client: Client) -> Reference:
    """Return the last frame of a scene's clip, which another one begins with; read once, and kept in the archive.

    The same clip gives the same frame, whatever decodes it later: what continues from it is found again. A preview's
    frame is drawn anew, without the words that are written on it.
    """
    if client.is_free and clip.request is not None:
        return _drawn(clip.request, client)
    sha256 = clip.receipt.sha256 if clip.receipt and clip.receipt.sha256 else _sha256(clip.path)
    path = client.archive.frames / f"{sha256}.png"
    if not is_regular(path):
        image = last_frame(clip.path)
        write_atomically(path, lambda part: image.save(part, "PNG", compress_level=1))
    return with_maker(Reference(path, name=LAST_FRAME), clip.recipe())


def _drawn(request: Request, client: Client) -> Reference:
    from ..animatic.engine import make_last_frame

    name = client.name_of(request.model)
    path = client.archive.frames / f"{request.key(engine=client.engine, model=name)}.png"
    if not is_regular(path):
        image = make_last_frame(request, draft=name.endswith(DRAFT_ENDING))
        write_atomically(path, lambda part: image.save(part, "PNG", compress_level=1))
    return Reference(path, name=LAST_FRAME)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
