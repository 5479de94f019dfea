"""What the measures' results share when they are shown: colours, tables, and plots without global state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import TYPE_CHECKING

from ..errors import ViduError

if TYPE_CHECKING:
    from .figure import Plot

INK, MUTED, ACCENT, WARN = "#212121", "#757575", "#1565c0", "#c62828"


def new_plot(width: float, height: float, alt: str) -> Plot:
    """Make an empty figure, see `Plot`.

    Raises
    ------
    ViduError
        matplotlib is missing.
    """
    try:
        from .figure import Plot
    except ImportError as error:
        raise ViduError("plots need matplotlib", remedy="Install it with: pip install 'vidu-nb[plots]'") from error
    return Plot(width, height, alt)


def plot_html(draw: Callable[[], Plot]) -> str:
    """Draw a plot as HTML; where that fails return the reason, since the figures beside it are worth showing alone."""
    try:
        return draw()._repr_html_()
    except ViduError as error:
        return f"<p>{escape(str(error))}</p>"


def table_html(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Return a table as HTML; a line break in a cell is one in the table."""

    def row_html(cell: str, values: Iterable[object]) -> str:
        texts = (escape(str(value)).replace("\n", "<br>") for value in values)
        return "<tr>" + "".join(cell.format(text) for text in texts) + "</tr>"

    header, data = '<th scope="col" style="text-align:left">{}</th>', '<td style="text-align:left">{}</td>'
    body = "".join(row_html(data, row) for row in rows)
    return f"<table><thead>{row_html(header, head)}</thead><tbody>{body}</tbody></table>"


def shortened(name: str, most: int) -> str:
    """Return a name of at most so many characters; of a file's name the end shows most, its seed and hash.

    >>> shortened("astronaut", 18), shortened("the-astronaut-smiles_16x9_seed42", 18)
    ('astronaut', 'the-as…16x9_seed42')
    """
    head = most // 3
    return name if len(name) <= most else f"{name[:head]}…{name[head + 1 - most :]}"
