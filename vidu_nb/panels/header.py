"""The panel's first line: the model, starting points, and sample pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalogue.field import Role
from ..catalogue.model import Model
from ..catalogue.models import DEFAULT, models
from ..console import dollars
from ..errors import InvalidRequest
from ..samples import STARTERS, sample_references
from .actions import minutes
from .carry import room_for
from .form import Form


class Header:
    """Fills a form with a starting point or with sample pictures.

    Parameters
    ----------
    form
        Which one.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._chosen = ""
        self._own: dict[str, Any] = {}  # what a person had before they took a starting point

    def item(self) -> dict[str, Any]:
        """Return what the page shows: the models with price and time, and the starting points."""
        model = self._form.model
        known = {one.slug: one for one in models.values()} | {model.slug: model}
        is_told = model.returns == "video" and model.by_role("prompt")  # the ideas are of clips
        return {
            "model": model.slug,
            "models": [[slug, one.title, _cost(one)] for slug, one in known.items()],
            "ideas": list(STARTERS) if is_told else [],
            "idea": self._chosen,
        }

    def choose(self, idea: str) -> None:
        """Take a starting point; without a name, what was there before is there again.

        Raises
        ------
        InvalidRequest
            There is none of that name.
        """
        if idea and idea not in STARTERS:
            raise InvalidRequest("there is no such starting point")
        now, old = self._form.values(), self._fitting(STARTERS.get(self._chosen))
        if not old or any(now.get(name) != value for name, value in old.items()):
            self._own = {name: now.get(name) for name in self._fitting(next(iter(STARTERS.values())))}
        self._chosen = idea
        self._form.fill(self._fitting(STARTERS.get(idea)) or self._own)

    def _fitting(self, starter: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return of a starting point, which is written for the default model, what this one has a parameter for."""
        roles: dict[str, Role] = {name: one.role for name, one in models[DEFAULT].by_parameter.items()}
        fields = {name: self._form.model.by_role(roles[name]) for name in starter or {}}
        return {
            field.parameter: (starter or {})[name]
            for name, field in fields.items()
            if field is not None and (not field.choices or (starter or {})[name] in field.choices)
        }

    def add_samples(self) -> None:
        """Put the samples beside a person's own pictures, as far as there is a place for them."""
        now, new = self._form.values(), sample_references()
        filled: dict[str, Any] = {}
        for field in self._form.model.media:
            own = now.get(field.parameter)
            if field.type == "pictures":
                own = own or ()
                filled[field.parameter] = (*own, *(one for one in new if one not in own))[: room_for(field)]
            elif field.type == "picture" and own is None and new:
                filled[field.parameter] = new.pop(0)
        self._form.fill(filled)


def _cost(model: Model) -> str:
    """Return what a call is expected to cost and to take."""
    return f"{dollars(model.price_usd)} · {minutes(model.seconds)}"
