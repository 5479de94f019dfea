"""Format values, amounts and a plan for people, as text and as HTML. Pure functions."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ..errors import one_line

if TYPE_CHECKING:
    from .plan import Plan

_ROWS = 4  # requests of a plan that are shown
_VALUES = 6  # values of a parameter that are shown
_PROMPT = 60  # characters
_CELL = "text-align:left;padding:2px 12px 2px 0;background:none;overflow-wrap:anywhere"
_MUTED = "color:var(--jp-ui-font-color2,#616161)"


def format_value(name: str, value: Any) -> str:
    """Format a parameter's value.

    >>> format_value("seed", 7), format_value("duration", 5), format_value("bgm", False)
    ('7', '5 s', 'off')
    """
    if name == "references":
        return one_line(", ".join(reference.label for reference in value), 2 * _PROMPT)
    if name == "prompt":
        return one_line(value, _PROMPT)
    return {"bgm": "on" if value else "off", "duration": f"{value} s"}.get(name, str(value))


def label_value(name: str, value: Any) -> str:
    """Format a parameter's value so that it tells which parameter it is.

    >>> label_value("seed", 7), label_value("duration", 5), label_value("bgm", False)
    ('seed 7', '5 s', 'bgm off')
    """
    title = {"seed": "seed ", "bgm": "bgm ", "movement_amplitude": "movement "}.get(name, "")
    return f"{title}{format_value(name, value)}"


def format_usd(usd: float) -> str:
    """Format US dollars."""
    return f"${usd:,.2f}"


def format_seconds(seconds: float) -> str:
    """Format seconds.

    >>> format_seconds(8), format_seconds(500), format_seconds(9000)
    ('8 s', '8 min', '2.5 h')
    """
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def plan_headline(plan: Plan) -> str:
    """Return a plan's count, price and time in one line."""
    many = f"{len(plan):,} request{'s' if len(plan) != 1 else ''}"
    if plan.quote is None:
        return many
    cached_count = len(plan.quote.kept)
    left = len(plan) - cached_count
    parts = [many, *([f"{cached_count:,} cached"] if cached_count else [])]
    if left:
        price = "free" if plan.quote.is_free else f"about {format_usd(plan.quote.price_usd)}"
        parts.append(f"{left:,} to make with {plan.quote.engine}: {price}, about {format_seconds(plan.quote.seconds)}")
    return " · ".join(parts)


def plan_text(plan: Plan) -> str:
    """Format a plan as one page of plain text."""
    axes = {name: (f"{len(values):,}", _listing(name, values)) for name, values in plan.axes.items()}
    wide = max((len(name) for name in axes), default=0)
    wider = max((len(count) for count, _ in axes.values()), default=0)
    lines = [f"  {name:{wide}}  {count:>{wider}}  {values}" for name, (count, values) in axes.items()]
    rows = [f"  [{index}] {label}" for index, label in _rows(plan)]
    return "\n".join([f"Plan: {plan_headline(plan)}", *lines, *rows, *_more(plan)])


def plan_html(plan: Plan) -> str:
    """Format a plan as HTML; every text in it is escaped."""
    cells = [(name, f"{len(values):,}", _listing(name, values)) for name, values in plan.axes.items()]
    axes = "".join(
        f'<tr style="background:none"><th scope="row" style="{_CELL}">{escape(name)}</th>'
        f'<td style="{_CELL}">{escape(count)}</td><td style="{_CELL}">{escape(values)}</td></tr>'
        for name, count, values in cells
    )
    rows = "".join(f"<div>[{index}] {escape(label)}</div>" for index, label in _rows(plan))
    more = "".join(f"<div>{escape(line.strip())}</div>" for line in _more(plan))
    return (
        f'<div class="vidu-plan"><div style="font-weight:600">Plan: {escape(plan_headline(plan))}</div>'
        f'<table style="margin:4px 0;border:none">{axes}</table>'
        f'<div style="{_MUTED};font-size:12px;overflow-wrap:anywhere">{rows}{more}</div></div>'
    )


def _listing(name: str, values: tuple[Any, ...]) -> str:
    between = " | " if name in ("prompt", "references") else ", "  # these hold commas of their own
    shown = [format_value(name, value) for value in values[:_VALUES]]
    if len(values) > _VALUES:
        shown[-1] = f"… {format_value(name, values[-1])}"
    return between.join(shown)


def _rows(plan: Plan) -> list[tuple[int, str]]:
    shown = range(min(len(plan), _ROWS)) if len(plan) > 1 else ()
    return [(index, plan.label(index)) for index in shown]


def _more(plan: Plan) -> list[str]:
    return [f"  … and {len(plan) - _ROWS:,} more"] if len(plan) > _ROWS else []
