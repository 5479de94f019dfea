"""`Plot`: a matplotlib figure that shows itself as a cell's last value, with a text alternative.

A module of its own, since importing it takes matplotlib: `plots.new_plot` is the way to it.
"""

from __future__ import annotations

import base64
import io
from html import escape

from matplotlib.figure import Figure

_JPEG = {"quality": 80, "optimize": True}  # photographs make most of a plot, and PNG makes these far larger


class Plot(Figure):
    """An empty figure; dark on white, which is readable in either theme.

    Parameters
    ----------
    width, height
        Inches.
    alt
        The plot in a sentence, for screen readers and for where it can't be shown.
    """

    def __init__(self, width: float, height: float, alt: str) -> None:
        super().__init__(figsize=(width, height), dpi=100, facecolor="white", layout="constrained")
        self.alt = alt

    def _repr_html_(self) -> str:
        buffer = io.BytesIO()
        self.savefig(buffer, format="jpeg", pil_kwargs=_JPEG)
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        return f'<img alt="{escape(self.alt)}" style="max-width:100%" src="data:image/jpeg;base64,{data}">'
