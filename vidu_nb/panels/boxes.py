"""Boxes of widgets: one that is folded away until a person opens it, and how one is closed with all that is in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets


class Fold:
    """A button, and what it shows and hides.

    Parameters
    ----------
    label, tooltip
        The button's.
    inside
        What is shown once it is open.
    opened
        Called each time that it is opened.
    """

    def __init__(
        self, label: str, inside: Sequence[Any], *, tooltip: str, opened: Callable[[], object] = lambda: None
    ) -> None:
        self._opened = opened
        self._toggle = widgets.ToggleButton(description=label, icon="caret-right", tooltip=tooltip)
        self._inside = widgets.VBox(list(inside))
        self._inside.layout.display = "none"
        self.box = widgets.VBox([self._toggle, self._inside])
        self._toggle.observe(self._switched, "value")

    def _switched(self, change: dict[str, Any]) -> None:
        self._toggle.icon = "caret-down" if change["new"] else "caret-right"
        self._inside.layout.display = "" if change["new"] else "none"
        if change["new"]:
            self._opened()


def close(box: Any) -> None:
    """Close a widget with everything in it: each one left open stays in the kernel and in the saved notebook."""
    for child in getattr(box, "children", ()):
        close(child)
    box.close()
