"""What the measures over a film share: its scenes, and figures by scene as text, as a table and as a heat map."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..console import printable
from ..video import Video
from .plots import INK, WARN, shortened

_MOST_CELLS = 600  # of a table in HTML; the plot shows any number
_TICK = 16  # characters of a scene's title below the heat map
_LETTERED = "\u04ff"  # the last of the Cyrillic letters: beyond these matplotlib's typeface has gaps
_NOT_THERE, _NO_CLIP = "-", "?"
_KEY = f"{_NOT_THERE} not measured, {_NO_CLIP} no clip yet"


class SceneClip(NamedTuple):
    """A scene as a measure sees it: its title, the names that its prompt mentions, and its clip, None for none."""

    title: str
    names: tuple[str, ...]
    clip: Video | None


def missing_of(scenes: Sequence[SceneClip]) -> tuple[int, ...]:
    """Return the places of the scenes that have no clip."""
    return tuple(index for index, scene in enumerate(scenes) if scene.clip is None)


def told_missing(missing: Sequence[int]) -> str:
    """Return a line about scenes that have no clip."""
    numbers = ", ".join(str(index + 1) for index in missing)
    return f"no clip yet: scene{'s' if len(missing) > 1 else ''} {numbers}"


def _figure(value: float, *, index: int, missing: Sequence[int]) -> str:
    if math.isnan(value):
        return _NO_CLIP if index in missing else _NOT_THERE
    return f"{value:.2f}"


def heat_text(names: Sequence[str], values: NDArray[np.float64], missing: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a table of figures, a row for each name and a column for each scene."""
    width = max((len(name) for name in names), default=0)
    yield " ".join([" " * width, *(f"{number:>5}" for number in range(1, values.shape[1] + 1))])
    for name, row in zip(names, values, strict=True):
        figures = (_figure(value, index=index, missing=missing) for index, value in enumerate(row))
        yield " ".join([f"{printable(name):<{width}}", *(f"{figure:>5}" for figure in figures)])
    if np.isnan(values).any():
        yield _KEY


def heat_html(names: Sequence[str], titles: Sequence[str], values: NDArray[np.float64], missing: Sequence[int]) -> str:
    """Return the same as HTML, where it is not too large: a row for each scene, in colours that suit either theme."""
    if values.size > _MOST_CELLS:
        return ""
    left = 'style="text-align:left;max-width:20em;overflow-wrap:anywhere;white-space:normal"'
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    lines = []
    for index, title in enumerate(titles):
        cells = ""
        for value in values[:, index]:
            colour = "" if math.isnan(value) else f' style="background:rgba(21,101,192,{0.6 * value:.2f})"'
            cells += f"<td{colour}>{_figure(value, index=index, missing=missing)}</td>"
        lines.append(f'<tr><th scope="row" {left}>{index + 1} {escape(title[:80])}</th>{cells}</tr>')
    key = f'<p style="font-size:12px">{_KEY}</p>' if np.isnan(values).any() else ""
    return f"<table><thead><tr><th>scene</th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>{key}"


def draw_heat(
    figure: Any,
    names: Sequence[str],
    titles: Sequence[str],
    values: NDArray[np.float64],
    *,
    what: str,
    mark: tuple[int, int] | None,
) -> None:
    """Draw figures by name and scene; `what` they are, and the row and the column of a cell to be outlined."""
    from matplotlib.patches import Rectangle

    axes = figure.subplots()
    axes.set_facecolor("#eeeeee")
    mesh = axes.pcolormesh(np.ma.masked_invalid(values), vmin=0, vmax=1, cmap="Blues", edgecolors="white", lw=0.6)
    if mark:
        row, column = mark
        axes.add_patch(Rectangle((column, row), 1, 1, fill=False, ec=WARN, lw=2))
    each = max(1, math.ceil(len(titles) / 20))
    shown = range(0, len(titles), each)
    words = [_tick(index, titles[index]) for index in shown]
    tilt = {"rotation": 30, "ha": "right"} if any(len(word) > 3 for word in words) else {}
    axes.set_xticks([index + 0.5 for index in shown], words, fontsize=8, parse_math=False, **tilt)
    axes.set_yticks([row + 0.5 for row in range(len(names))], [shortened(name, 18) for name in names], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("scene (grey: not measured" + (", outlined: weakest)" if mark else ")"), color=INK)
    figure.colorbar(mesh, ax=axes, label=what, pad=0.01)


def _tick(index: int, title: str) -> str:
    """Return a scene's number and the beginning of its title, where matplotlib's own typeface has the letters."""
    text = f"{index + 1} {title}".strip()
    if max(text) > _LETTERED:
        return str(index + 1)
    return text if len(text) <= _TICK else f"{text[: _TICK - 1].rstrip()}…"
