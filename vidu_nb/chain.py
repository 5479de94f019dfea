"""`Chain`: how a clip or a picture came to be, from the first request to the last."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from .catalogue.models import DEFAULT
from .catalogue.request import Request
from .console import dollars, printable
from .errors import ArchiveError, InvalidRequest
from .files import is_regular, read_regular
from .folders import PICTURE_ENDINGS, archive_of, checked_hash
from .receipt import Receipt
from .recipe import (
    FILM_FACT,
    MODEL_FACT,
    media_noted,
    prompt_noted,
    recipe_in,
    recipe_of,
    request_from,
    value_noted,
    without_makers,
)
from .references.makers import MADE_BY, bounded
from .references.sources import data_uri

_PROMPT_SHOWN = 160  # characters
_NAME_SHOWN = 60
_MOST_SCENES = 200  # of a film
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"
_WRAP = "break-word;max-width:24em"  # a long name is cut into lines; short words make their column as wide as they are


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """One request of a chain.

    Attributes
    ----------
    model : str
        The model's slug, as far as the recipe names one.
    described : mapping
        What was asked, by the API's names; pictures by name, size and hash.
    receipt : Receipt or None
        What the service reported.
    request : Request or None
        To make it again with `Client.generate`; None where its model is not known, or its pictures are not at hand: of
        earlier steps, those that lie in the archive of the file are.
    used_as : str
        The name under which a later step took the picture; empty for the last step.
    """

    model: str
    described: Mapping[str, Any] = field(repr=False)
    receipt: Receipt | None = None
    request: Request | None = None
    used_as: str = ""

    @property
    def prompt(self) -> str:
        """What was to be made; empty for a model that takes no prompt."""
        return prompt_noted(self.described, model=self.model)

    @property
    def seed(self) -> int | None:
        """The seed, as asked for or as the service reported it."""
        asked = self.request.seed_value if self.request else value_noted(self.described, "seed", model=self.model)
        return (asked if type(asked) is int else None) or (self.receipt.seed if self.receipt else None) or None

    @property
    def cost_usd(self) -> float | None:
        """US dollars; None where it isn't known."""
        return self.receipt.cost_usd if self.receipt else None

    @property
    def engine(self) -> str:
        """Who answered, empty where it isn't known; ``"preview"`` is never the model's work."""
        return self.receipt.engine if self.receipt else ""

    def cells(self) -> tuple[str, ...]:
        """Return model, engine, prompt, seed, cost and the name of what came of it, as texts to be shown."""
        cost = "" if self.cost_usd is None else dollars(self.cost_usd)
        texts = (
            self.model, self.engine, _short(self.prompt, _PROMPT_SHOWN), str(self.seed or ""), cost, self.used_as,
        )  # fmt: skip
        return tuple(printable(_short(text, _PROMPT_SHOWN)) for text in texts)

    def __repr__(self) -> str:
        return f"Step({' · '.join(filter(None, self.cells()))})"


class Chain(tuple[Step, ...]):
    """The steps that led to a clip or a picture, the first one first; shows itself as a table.

    >>> from vidu_nb import VideoRequest
    >>> request = VideoRequest(prompt="A cat naps", references="https://example.com/cat.png")
    >>> chain = chain_of(Path("cat.mp4"), request, Receipt(engine="segmind", cost_usd=0.5))
    >>> [step.prompt for step in chain], chain.cost_usd, chain[-1].request == request
    (['A cat naps'], 0.5, True)
    """

    __slots__ = ()

    @property
    def cost_usd(self) -> float | None:
        """US dollars of all steps; None where one of them is not known."""
        costs = [step.cost_usd for step in self]
        return None if None in costs else round(sum(cost for cost in costs if cost is not None), 9)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}

    def html(self) -> str:
        """Return the table as HTML; every text in it is escaped."""
        heads = "".join(
            f'<th style="{_CELL}">{head}</th>' for head in ("", "Model", "Engine", "Prompt", "Seed", "Cost", "Used as")
        )
        rows = "".join(
            f'<tr><td style="{_CELL}">{number}</td>'
            + "".join(f'<td style="{_CELL};overflow-wrap:{_WRAP}">{escape(cell)}</td>' for cell in step.cells())
            + "</tr>"
            for number, step in enumerate(self, 1)
        )
        return f'<table class="vidu-chain" style="font-size:12px"><tr>{heads}</tr>{rows}</table>'

    def __repr__(self) -> str:
        return "\n".join(f"{number}. {step!r}" for number, step in enumerate(self, 1)) or "Chain(nothing is known)"


def chain_of(path: Path, request: Request | None, receipt: Receipt | None) -> Chain:
    """Return the steps that led to a file; for a film those of all its scenes.

    Parameters
    ----------
    path
        The file, whose own recipe tells where the request isn't at hand.
    request, receipt
        Of the last step.

    Raises
    ------
    ViduError
        The file can't be read, and only it tells.
    """
    made = (receipt and receipt.original) or receipt
    recipe = recipe_of(request, made) if request else recipe_in(path)
    steps: dict[str, Step] = {}  # by what was asked and reported: one picture may be used in several places
    for one in _clips_of(recipe):
        for found in _walk(one, archive_of(path), request=request, used_as=""):
            steps.setdefault(_identity(found), found)
    return Chain(steps.values())


def _clips_of(recipe: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a recipe, or those of a film's scenes; a file may hold anything."""
    film = recipe.get(FILM_FACT)
    scenes = film.get("scenes") if isinstance(film, Mapping) else None
    if not isinstance(scenes, list):
        return [recipe]
    clips = (scene.get("clip") for scene in scenes[:_MOST_SCENES] if isinstance(scene, Mapping))
    return [clip for clip in clips if isinstance(clip, Mapping)]


def _identity(step: Step) -> str:
    """Return what tells a step from others: what was asked, however far it remembers, and what came of it.

    A receipt may be a replay's: the file that came is the same.
    """
    asked = {name: without_makers(value) for name, value in step.described.items()}
    came = step.receipt and (step.receipt.sha256 or step.receipt.to_dict())
    return json.dumps([step.model, asked, came], sort_keys=True)


def _walk(recipe: Mapping[str, Any], archive: Path | None, *, request: Request | None, used_as: str) -> Iterator[Step]:
    described = recipe.get("request")
    if not isinstance(described, Mapping):
        return
    model = recipe.get(MODEL_FACT)
    notes = media_noted(described, model=model)
    for note in notes:
        if maker := bounded(note.get(MADE_BY)):  # bounded again: what a file holds may be anything
            used = _short(str(note.get("name") or ""), _NAME_SHOWN)
            yield from _walk(maker, archive, request=None, used_as=used)
    told = recipe.get("receipt")
    yield Step(
        DEFAULT if model is None else str(model),
        dict(described),
        Receipt.from_dict(told) if isinstance(told, Mapping) else None,
        request or request_from(described, [_picture_of(note, archive) for note in notes], model=model),
        used_as,
    )


def _picture_of(note: Mapping[str, Any], archive: Path | None) -> str | None:
    """Return a picture that an archive holds as a ``data:`` URI, None where it is a URL's or isn't there."""
    if archive is None or note.get("url"):
        return None
    with contextlib.suppress(ArchiveError, InvalidRequest, OSError, TypeError, KeyError):
        name = checked_hash(note["sha256"])
        for path in (archive / "references" / f"{name}.{kind}" for kind in PICTURE_ENDINGS):
            if is_regular(path):
                return data_uri(read_regular(path))
    return None


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
