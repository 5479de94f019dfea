"""What a call made, as the panel reads it: a clip, a picture, or several pictures."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from .. import media
from ..catalogue.models import DEFAULT
from ..catalogue.request import PREVIEW, Request
from ..player import Player
from ..receipt import Receipt
from ..video import Video

_PROMPT_SHOWN = 60  # characters


class Made(Protocol):
    """What the panel reads of a `Video` and of a picture."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def request(self) -> Request | None:
        """What was asked."""

    @property
    def receipt(self) -> Receipt | None:
        """What the service reported."""

    @property
    def caption(self) -> str:
        """A line about it."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a copy with its recipe inside."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]: ...


def each(made: Any) -> tuple[Made, ...]:
    """Return the clip, or each of the pictures, that a call returned."""
    return tuple(made) if isinstance(made, tuple) else (made,)


def seed_of(made: Made) -> int | None:
    """Return the seed that something was made with; None where it was random and the service reported none."""
    asked = made.request.seed_value if made.request else None
    return asked or (made.receipt.seed if made.receipt else None) or None


def short_label(made: Made) -> str:
    """Return what distinguishes a result from its neighbours: model, seed, shape and engine."""
    request, receipt = made.request, made.receipt
    if not request:
        return made.path.name
    shape = request.by_role("aspect_ratio") or request.by_role("resolution")
    parts = [] if request.model == DEFAULT else [request.model.title]
    parts += [f"seed {seed_of(made) or 'random'}"] if request.model.by_role("seed") else []
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
    with Image.open(made.path) as picture:
        picture.draft("RGB", (side, side))
        small = picture.convert("RGBA" if "transparency" in picture.info or "A" in picture.mode else "RGB")
    small.thumbnail((side, side))
    if small.mode == "RGBA":
        sheet = Image.new("RGBA", small.size, "white")
        sheet.alpha_composite(small)
        small = sheet.convert("RGB")
    return media.jpeg(small)


def thumbnail_uri(made: Made, *, side: int) -> str:
    """Return the same as a ``data:`` URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(thumbnail(made, side=side)).decode('ascii')}"


def bundle_of(made: Sequence[Made]) -> Mapping[str, Any]:
    """Return the MIME bundle that shows one result, or several side by side, each under its label."""
    if len(made) == 1:
        return made[0]._repr_mimebundle_()
    if all(isinstance(one, Video) for one in made):
        return player_of(made).bundle()
    return {
        "text/plain": "\n".join(f"{short_label(one)}: {one!r}" for one in made),
        "text/html": f'<div style="display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start">{_row(made)}</div>',
    }


def player_of(videos: Sequence[Made]) -> Player:
    """Return several clips in one player, each under its label."""
    clips = [one for one in videos if isinstance(one, Video)]
    return Player(clips, labels=[short_label(one) for one in clips])


def _row(made: Sequence[Made]) -> str:
    return "".join(_labelled(one) for one in made)


def _labelled(made: Made) -> str:
    html = made._repr_mimebundle_().get("text/html") or _image(made)
    return f'<div style="flex:0 1 420px;min-width:0"><b>{escape(short_label(made))}</b>{html}</div>'


def _image(made: Made) -> str:
    return f'<img alt="{escape(made.caption)}" style="max-width:100%" src="{thumbnail_uri(made, side=420)}">'
