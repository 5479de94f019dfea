"""A film's clips: what the archive keeps of its scenes, their takes, and the frames that others go on from."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..catalogue.request import DRAFT_ENDING, Request
from ..client.client import Client
from ..errors import ArchiveError, InvalidRequest, NotKept, ViduError
from ..files import listed, read_regular, write_bytes
from ..media import last_frame
from ..recipe import recipe_of
from ..references.images import media_type
from ..references.last_frame import LAST_FRAME
from ..references.reference import Reference, restored, with_maker
from ..storage.archive import Entry
from ..video import Video

if TYPE_CHECKING:
    from PIL.Image import Image

    from .film import Film


_MOST_TOLD = 3  # errors of one film in a message

#: A frame's file: whose it is, the hash of its pixels, the hash of the file's own bytes.
_FRAME = re.compile(r"(?P<of>[0-9a-f]{64})-(?P<pixels>[0-9a-f]{64})-(?P<bytes>[0-9a-f]{16})\.(?:png|jpg)")


def kept_clips(film: Film, client: Client) -> dict[int, Video | ViduError]:
    """Return the clip of each scene that has one, and an error where one is kept that can't be used."""
    found: dict[int, Video | ViduError] = {}
    for index, scene in enumerate(film.scenes):
        before = found.get(index - 1)
        if scene.continues and not isinstance(before, Video):
            continue
        try:
            frame = frame_after(before, client) if scene.continues and isinstance(before, Video) else None
            clip = kept_clip(film.request(index, frame=frame), client, take=scene.take)
        except ViduError as error:
            found[index] = error
        else:
            found |= {index: clip} if clip else {}
    return found


def whole_clips(film: Film, client: Client) -> dict[int, Video]:
    """Return the clip of each scene.

    Raises
    ------
    NotKept
        Scenes are missing, or what is kept of them can't be used: the message names them and says why.
    """
    found = kept_clips(film, client)
    clips = {index: one for index, one in found.items() if isinstance(one, Video)}
    missing = [str(index + 1) for index in range(len(film)) if index not in clips]
    problems = [f"scene {index + 1}: {one}" for index, one in found.items() if isinstance(one, ViduError)]
    if problems:  # another run would not help
        raise NotKept(
            f"{len(missing)} of {len(film)} scenes have no clip that can be used: {', '.join(missing)}",
            remedy=" ".join(problems[:_MOST_TOLD]),
        )
    if missing:
        raise NotKept(
            f"{len(missing)} of {len(film)} scenes have no clip yet: {', '.join(missing)}",
            remedy="film.shoot() makes them; film.preview() shows the whole film for free.",
        )
    return clips


def kept_clip(request: Request, client: Client, *, take: int | None) -> Video | None:
    """Return a kept take of a request, by default the newest, None where nothing is kept.

    Of previews, which can be made again, a damaged one counts as none, and a take that is not there as the newest.

    Raises
    ------
    ArchiveError
        That take is not there, or it is damaged.
    """
    try:
        chosen = _chosen(_takes(request, client), take, client)
        made = client.archive.open(chosen, request=request) if chosen else None
    except ArchiveError:
        if client.is_free:
            return None
        raise
    return made if isinstance(made, Video) else None


def _chosen(takes: list[Entry], take: int | None, client: Client) -> Entry | None:
    if take is not None and take > max(1, len(takes)) and not client.is_free:
        problem = f"take {take} of this scene is not kept: there {'is' if len(takes) == 1 else 'are'} {len(takes)}"
        raise ArchiveError(problem, remedy="Choose one that is kept, or the newest with take=None.")
    if not takes:
        return None
    return takes[-1] if take is None else takes[min(take, len(takes)) - 1]


def takes_of(film: Film, index: int, client: Client) -> list[Video]:
    """Return every kept take of a scene, in the order in which they came."""
    frame = None
    if film[index].continues:
        before = kept_clips(film, client).get(index - 1)
        if not isinstance(before, Video):
            return []
        frame = frame_after(before, client)
    return [one for one in client.takes(film.request(index, frame=frame)) if isinstance(one, Video)]


def _takes(request: Request, client: Client) -> list[Entry]:
    """Return the takes of a request without a look at their bytes: a film needs one of each scene's."""
    request = client.archive.recognise(request)
    key = client.archive.key_of(request, engine=client.engine, model=client.name_of(request.model))
    return client.archive.takes(key, engine=client.engine)


def frame_after(clip: Video, client: Client) -> Reference:
    """Return the last frame of a scene's clip, which another one begins with; made once, and kept in the archive.

    A preview's frame is drawn anew, without the words that are written on it.

    Raises
    ------
    ViduError
        The clip can't be decoded, or not to the pixels that it had when its frame was first taken.
    """
    if client.is_free and clip.request is not None:
        request, model = _with_seed(clip.request, clip.seed), client.name_of(clip.request.model)
        draft = model.endswith(DRAFT_ENDING)
        stem = request.key(engine=client.engine, model=model)
        return with_maker(_frame(client, stem, lambda: _drawn(request, draft=draft)), _recipe(clip))
    stem = clip.receipt.sha256 if clip.receipt and clip.receipt.sha256 else _sha256(clip.bytes)
    return with_maker(_frame(client, stem, lambda: last_frame(clip.path)), _recipe(clip))


def _recipe(clip: Video) -> dict[str, Any]:
    """Return how a clip was made: the same of one that has just come and of one that is replayed."""
    return recipe_of(clip.request, clip.receipt and (clip.receipt.original or clip.receipt))


def _frame(client: Client, stem: str, make: Callable[[], Image]) -> Reference:
    """Return the frame that is kept under a name, else make it and keep it.

    What continues a paid clip is found by this picture, and would be paid for again under another one. So the file
    holds what is sent, and its name tells what it held: a damaged one, or somebody else's, is made anew, and where
    that brings other pixels, as another FFmpeg may, it is refused.
    """
    folder = client.archive.frames
    known = [found for name in sorted(listed(folder)) if (found := _FRAME.fullmatch(name)) and found["of"] == stem]
    for one in known:
        with contextlib.suppress(OSError, InvalidRequest):
            data = read_regular(folder / one[0])
            if _sha256(data).startswith(one["bytes"]):
                return restored(data, one["pixels"], name=LAST_FRAME)
    frame = Reference(make(), name=LAST_FRAME)
    if known and not client.is_free and frame.sha256 not in {one["pixels"] for one in known}:
        raise ArchiveError(
            f"the clip's last frame comes out otherwise here than it did then, and what it was is damaged: "
            f"{folder / known[0][0]}",
            remedy="What continues from it was paid for with that picture: bring the file back, or move it elsewhere.",
        )
    data = frame.bytes
    ending = "png" if media_type(data) == "png" else "jpg"
    with contextlib.suppress(OSError):  # it is at hand all the same
        write_bytes(folder / f"{stem}-{frame.sha256}-{_sha256(data)[:16]}.{ending}", data)
    return frame


def _drawn(request: Request, *, draft: bool) -> Image:
    from ..animatic.engine import make_last_frame

    return make_last_frame(request, draft=draft)


def _with_seed(request: Request, seed: int | None) -> Request:
    """Return a request with the seed that a clip was made with, where it asked for a random one."""
    field = request.model.by_role("seed")
    return request.replace(**{field.parameter: seed}) if field and seed and request.is_random else request


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
