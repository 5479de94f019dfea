"""From a request to an MP4: pictures, storyboard, frames."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from ..request import VideoRequest
from .images import AddressRule, is_public, load_pictures
from .render import render
from .storyboard import Storyboard, plan


def storyboard(request: VideoRequest, *, seed: int | None = None) -> Storyboard:
    """The plan of a request's animatic.

    Parameters
    ----------
    request
        What is asked.
    seed
        Stands in for the request's own, for a request with seed 0.
    """
    width, height = request.frame_size
    return plan(
        request.prompt,
        [reference.name for reference in request.references],
        width=width,
        height=height,
        duration=request.duration,
        seed=request.seed if seed is None else seed,
        movement_amplitude=request.movement_amplitude,
        bgm=request.bgm,
    )


def make_clip(
    request: VideoRequest,
    *,
    seed: int | None = None,
    allow: AddressRule = is_public,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> bytes:
    """Render a request's animatic.

    Parameters
    ----------
    request
        What is asked.
    seed
        Stands in for the request's own, for a request with seed 0.
    allow
        Which addresses a reference's URL may lead to.
    progress
        Called with (frames done, frames in all).
    cancelled
        Asked between frames; True ends the work with `render.Cancelled`.

    Returns
    -------
    bytes
        An MP4; the same for the same arguments.

    Raises
    ------
    InvalidRequest
        A picture is damaged or can't be fetched.
    """
    pictures = load_pictures(request, allow=allow)
    with tempfile.TemporaryDirectory(prefix="vidu-nb-") as folder:
        path = Path(folder) / "clip.mp4"
        render(storyboard(request, seed=seed), pictures, path, progress=progress, cancelled=cancelled)
        return path.read_bytes()
