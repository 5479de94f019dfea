"""What the measures' plots share: figures without global state, and their HTML with words for who can't see them."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ViduError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, ACCENT, WARN = "#212121", "#757575", "#1565c0", "#c62828"
_SAVED: dict[str, dict[str, Any]] = {
    "png": {"metadata": {"Software": None}},  # without matplotlib's version the same figure is the same bytes
    "jpeg": {"pil_kwargs": {"quality": 80, "optimize": True}},
}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches; dark on white, which is readable in either theme.

    Raises
    ------
    ViduError
        matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ViduError("plots need matplotlib", remedy="Install it with: pip install 'vidu-nb[plots]'") from None
    return Figure(figsize=(width, height), dpi=100, facecolor="white", layout="constrained")


def figure_html(figure: Figure, alt: str, kind: Literal["png", "jpeg"] = "png") -> str:
    """A figure as an ``<img>`` with words for screen readers, and for where it can't be shown.

    JPEG is for figures that are mostly photographs, which PNG makes far larger.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, **_SAVED[kind])
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{escape(alt)}" style="max-width:100%" src="data:image/{kind};base64,{data}">'
