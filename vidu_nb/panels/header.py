"""The panel's first line: the model, starting points, and sample pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets

from ..catalogue.field import Role
from ..catalogue.models import DEFAULT, models
from ..samples import STARTERS, sample_references
from .carry import room_for
from .form import Form

_OWN = "Start from ..."


class Header:
    """Chooses the model, and fills a form with a starting point or with sample pictures.

    Parameters
    ----------
    form
        Which one.
    choose
        Gets the slug of the model that a person chose.
    """

    def __init__(self, form: Form, choose: Callable[[str], object]) -> None:
        self._form, self._choose = form, choose
        self._own: dict[str, Any] = {}  # what a person had before they took a starting point
        self._models = widgets.Dropdown(description="Model")
        self._models.add_class("vidu-models")
        self._ideas = widgets.Dropdown(description="Idea", options=[_OWN, *STARTERS])
        self._samples = widgets.Button(
            description="Sample pictures", icon="picture-o", tooltip="Three photographs to try"
        )
        self._models.observe(self._model_chosen, "value")
        self._ideas.observe(self._idea_chosen, "value")
        self._samples.on_click(lambda _: self._add_samples())
        self.box = widgets.HBox([self._models, self._ideas, self._samples])
        self.box.add_class("vidu-head")
        self.follow()

    def follow(self) -> None:
        """Show the form's model, and what there is for it."""
        model = self._form.model
        known = {one.slug: one.title for one in models.values()} | {model.slug: model.title}
        if [value for _, value in self._models.options] != list(known):
            self._models.options = [(title, slug) for slug, title in known.items()]
        self._models.value = model.slug
        is_told = model.returns == "video" and model.by_role("prompt")  # the ideas are of clips
        takes_pictures = any(one.type in ("picture", "pictures") for one in model.media)
        for part, is_shown in ((self._ideas, is_told), (self._samples, takes_pictures)):
            part.layout.display = "" if is_shown else "none"

    def _model_chosen(self, change: Mapping[str, Any]) -> None:
        if change["new"] and change["new"] != self._form.model.slug:
            self._choose(change["new"])

    def _idea_chosen(self, change: Mapping[str, Any]) -> None:
        """Take a starting point; back at the first choice, what was there before is there again."""
        now, old = self._form.values(), self._fitting(STARTERS.get(change["old"]))
        if not old or any(now.get(name) != value for name, value in old.items()):
            self._own = {name: now.get(name) for name in self._fitting(next(iter(STARTERS.values())))}
        self._form.fill(self._fitting(STARTERS.get(change["new"])) or self._own)

    def _fitting(self, starter: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return of a starting point, which is written for the default model, what this one has a parameter for."""
        roles: dict[str, Role] = {name: one.role for name, one in models[DEFAULT].by_parameter.items()}
        fields = {name: self._form.model.by_role(roles[name]) for name in starter or {}}
        return {
            field.parameter: (starter or {})[name]
            for name, field in fields.items()
            if field is not None and (not field.choices or (starter or {})[name] in field.choices)
        }

    def _add_samples(self) -> None:
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
