"""From any request to the files that it brings: a clip from pictures, storyboard and frames, or pictures."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalogue.request import Request
from ..media import append_box
from ..request import MISSING_BOX
from .cancellation import Question
from .fetching import AddressRule, is_allowed, load_pictures, load_voice
from .film.render import last_frame, render
from .output import Output
from .parameters import details, seed_of
from .story.moves import AMPLITUDES
from .story.storyboard import FPS, Storyboard, plan_of, scenes_in

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from ..catalogue.field import Role

#: What can be seen or heard in a clip without words about it.
_SHOWN: tuple[Role, ...] = (
    "prompt", "references", "picture", "face", "videos", "voice", "seed", "duration", "aspect_ratio", "width", "height",
    "sound",
)  # fmt: skip


def make_clip(
    request: Request,
    *,
    seed: int | None = None,
    draft: bool = False,
    allow: AddressRule = is_allowed,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Question | None = None,
) -> bytes:
    """Render a request's animatic.

    Parameters
    ----------
    request
        What is asked, of a model that returns a video.
    seed
        Stands in for the request's own, for a request with a random one.
    draft
        Whether frames are small, 960 pixels on their longer side: the same shots in about a third of the time.
    allow
        Which addresses a reference's URL may lead to.
    progress
        Called with (frames done, frames in all).
    cancelled
        Asked between frames, and while pictures are fetched; True ends the work with `Cancelled`.

    Returns
    -------
    bytes
        An MP4; the same for the same arguments. Where slates stand in for pictures, a box of it holds their numbers.

    Raises
    ------
    InvalidRequest
        A picture, a video or a sound is damaged or can't be fetched.
    Cancelled
        When `cancelled()` returned True.
    """
    missing: list[int] = []
    pictures = load_pictures(request, allow=allow, missing=missing.append, cancelled=cancelled)
    with tempfile.TemporaryDirectory(prefix="vidu-nb-") as folder:
        path = Path(folder) / "clip.mp4"
        board = plan_of(request, seed=seed, draft=draft)
        voice = load_voice(request, seconds=board.frames / FPS, allow=allow, cancelled=cancelled)
        render(
            board,
            pictures or _scenes(board),
            path,
            details=details(request, shown=(*_SHOWN, "movement") if _moves(request) else _SHOWN),
            voice=voice,
            progress=progress,
            cancelled=cancelled,
        )
        if missing:
            append_box(path, MISSING_BOX, json.dumps(missing).encode())
        return path.read_bytes()


def make_last_frame(request: Request, *, draft: bool = False, allow: AddressRule = is_allowed) -> Image:
    """Draw the last frame of a request's animatic, without the words that are written on it.

    Parameters are those of `make_clip`, and so are the errors; another clip may begin with that frame.

    >>> from vidu_nb import VideoRequest, samples
    >>> make_last_frame(VideoRequest(prompt="A cat. Push in.", references=samples.sample_references()), draft=True).size
    (960, 540)
    """
    board = plan_of(request, draft=draft)
    pictures = load_pictures(request, allow=allow)
    return last_frame(board, pictures or _scenes(board))


def make_outputs(
    request: Request,
    *,
    seed: int | None = None,
    draft: bool = False,
    allow: AddressRule = is_allowed,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Question | None = None,
    clip: Callable[..., bytes] = make_clip,
) -> tuple[Output, ...]:
    """Make a free preview of what a model would bring.

    Chosen by what the model returns and by its parameters' roles: a clip; a picture with another face; a restyled
    picture; or a designed card.

    Parameters
    ----------
    request
        Of any model.
    seed
        Stands in for the request's own, for a request with a random one.
    draft
        Whether a clip's frames are small; pictures are quick anyway.
    allow
        Which addresses a URL may lead to.
    progress
        Called with (frames or pictures done, all of them).
    cancelled
        Asked between frames, and while files are fetched; True ends the work with `Cancelled`.
    clip
        What makes a clip, called as `make_clip` is.

    Returns
    -------
    tuple of Output
        One file, or as many as the request has samples; the same bytes for the same arguments.

    Raises
    ------
    InvalidRequest
        A file is damaged or can't be fetched, or a face isn't there.
    Cancelled
        When `cancelled()` returned True.

    >>> from vidu_nb import models
    >>> [one.media_type for one in make_outputs(models["sdxl1.0-txt2img"].request(prompt="A lighthouse", samples=2))]
    ['image/jpeg', 'image/jpeg']
    """
    if request.model.returns == "video":
        made = clip(request, seed=seed, draft=draft, allow=allow, progress=progress, cancelled=cancelled)
        return (Output(made, "video/mp4"),)
    from .stills.pictures import make_pictures  # 60 ms, and clips do without it

    seed = seed_of(request) if seed is None else seed
    return make_pictures(request, seed=seed, allow=allow, progress=progress, cancelled=cancelled)


def _moves(request: Request) -> bool:
    """Return whether the camera can go as far as the request says; other words for it become small print."""
    return request.by_role("movement") in tuple(AMPLITUDES)


def _scenes(board: Storyboard) -> list[np.ndarray]:
    """Paint the grounds that stand in where a request names no pictures, each in the colours of its shot's words."""
    from .stills.ground import ground
    from .stills.palette import palette_of

    words = {shot.picture: shot.text for shot in board.shots}
    scenes = []
    for number in range(scenes_in(board.prompt)):
        dice = random.Random(f"scene {number} {board.seed}\n{board.prompt}".encode("utf-8", "surrogatepass"))
        palette = palette_of(words.get(number, ""), "", dice)
        scenes.append(ground(board.width * 5 // 4, board.height * 5 // 4, palette, dice))
    return scenes
