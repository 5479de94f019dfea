"""Buttons that copy a text each."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets


class Copier(anywidget.AnyWidget):
    """A row of buttons; a click on one puts its text on the clipboard.

    Where the browser allows no copying, as it may on pages that are not https, the text is shown and selected instead.

    Attributes
    ----------
    snippets : list of [label, text]
        One button for each.
    """

    _esm = Path(__file__).with_name("copier.js")
    _css = Path(__file__).with_name("copier.css")

    snippets = traitlets.List(traitlets.List(traitlets.Unicode(), minlen=2, maxlen=2)).tag(sync=True)
