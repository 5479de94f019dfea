"""The panel's first line: starting points, and sample pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets

from ..references.reference import MAX_REFERENCES
from ..samples import STARTERS, sample_references
from .form import Form

_OWN = "Start from ..."


class Header:
    """Fills a form with a starting point, or with sample pictures.

    Parameters
    ----------
    form
        Which one.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._own: dict[str, Any] = {}  # what a person had before they took a starting point
        ideas = widgets.Dropdown(description="Idea", options=[_OWN, *STARTERS])
        ideas.observe(self._chosen, "value")
        samples = widgets.Button(description="Sample pictures", icon="picture-o", tooltip="Three photographs to try")
        samples.on_click(lambda _: self._add_samples())
        self.box = widgets.HBox([widgets.HTML("<strong>Vidu Q1 · Reference to Video</strong>"), ideas, samples])
        self.box.add_class("vidu-head")

    def _chosen(self, change: Mapping[str, Any]) -> None:
        """Take a starting point; back at the first choice, what was there before is there again."""
        now, old = self._form.values(), STARTERS.get(change["old"])
        if old is None or any(now[name] != value for name, value in old.items()):
            self._own = {name: now[name] for name in next(iter(STARTERS.values()))}  # what a person typed
        self._form.fill(STARTERS.get(change["new"], self._own))

    def _add_samples(self) -> None:
        own = self._form.values()["references"]
        new = [one for one in sample_references() if one not in own]
        self._form.fill({"references": (*own, *new)[:MAX_REFERENCES]})
