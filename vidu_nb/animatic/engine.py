"""From a request to an MP4: pictures, storyboard, frames."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..catalogue.request import Request
from ..media import append_box
from ..request import MISSING_BOX
from .cancellation import Question
from .fetching import AddressRule, is_allowed, load_pictures
from .film.render import render
from .story.storyboard import plan_of


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
        What is asked.
    seed
        Stands in for the request's own, for a request with seed 0.
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
        A picture is damaged or can't be fetched.
    Cancelled
        When `cancelled()` returned True.
    """
    missing: list[int] = []
    pictures = load_pictures(request, allow=allow, missing=missing.append, cancelled=cancelled)
    with tempfile.TemporaryDirectory(prefix="vidu-nb-") as folder:
        path = Path(folder) / "clip.mp4"
        board = plan_of(request, seed=seed, draft=draft)
        render(board, pictures, path, progress=progress, cancelled=cancelled)
        if missing:
            append_box(path, MISSING_BOX, json.dumps(missing).encode())
        return path.read_bytes()
