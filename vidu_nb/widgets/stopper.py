"""A button that stops what a cell waits for."""

from __future__ import annotations

from pathlib import Path

import anywidget


class Stopper(anywidget.AnyWidget):
    """Interrupts the kernel, as the toolbar's button does; where a front end offers no way to, nothing is shown."""

    _esm = Path(__file__).with_name("stopper.js")
    _css = Path(__file__).with_name("stopper.css")
