"""What a call made, as the panel reads it: a clip, a picture, or several pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from .. import media
from ..catalogue.models import DEFAULT
from ..catalogue.request import PREVIEW
from ..pictures import Picture
from ..player import Player
from ..video import Video

_PROMPT_SHOWN = 60  # characters


Made = Video | Picture


def each(made: Any) -> tuple[Made, ...]:
    """Return the clip, or each of the pictures, that a call returned."""
    return tuple(made) if isinstance(made, tuple) else (made,)


def short_label(made: Made) -> str:
    """Return what distinguishes a result from its neighbours: model, seed, shape and engine."""
    request, receipt = made.request, made.receipt
    if not request:
        return made.path.name
    shape = request.by_role("aspect_ratio") or request.by_role("resolution")
    parts = [] if request.model == DEFAULT else [request.model.title]
    parts += [f"seed {made.seed or 'random'}"] if request.model.by_role("seed") else []
    parts += [str(shape)] if shape else ["{}x{}".format(*request.frame_size)]
    engine = receipt.engine if receipt else ""
    return " · ".join(filter(None, [*parts, "preview" if engine == PREVIEW else engine]))


def prompt_of(made: Made) -> str:
    """Return what was asked for in a line: the prompt, where the model takes one."""
    asked = str(made.request.by_role("prompt") or made.request.model.title) if made.request else made.path.name
    return asked if len(asked) <= _PROMPT_SHOWN else f"{asked[: _PROMPT_SHOWN - 1]}…"


def thumbnail(made: Made, *, side: int) -> bytes:
    """Return a small JPEG of a picture, or of a clip's poster.

    Raises
    ------
    ViduError, OSError
        The file can't be read.
    """
    if isinstance(made, Video):
        return media.poster_jpeg(made.path, side=side)
    small = made.open()
    small.thumbnail((side, side))
    return media.jpeg(small)


def thumbnail_uri(made: Made, *, side: int) -> str:
    """Return the same as a ``data:`` URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(thumbnail(made, side=side)).decode('ascii')}"


def player_of(made: Sequence[Made]) -> Player:
    """Return several results side by side, each under its label."""
    return Player(made, labels=[short_label(one) for one in made])
