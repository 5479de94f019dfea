"""Format values, amounts and a plan for people, as text and as HTML. Pure functions."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ..console import dollars
from ..errors import one_line

if TYPE_CHECKING:
    from ..catalogue.field import Field
    from .plan import Plan

_ROWS = 4  # requests of a plan that are shown
_VALUES = 6  # values of a parameter that are shown
_PROMPT = 60  # characters
_TELLING = ("prompt", "references", "aspect_ratio", "duration")  # roles whose values say what they are
_CELL = "text-align:left;padding:2px 12px 2px 0;background:none;overflow-wrap:anywhere"
_MUTED = "color:var(--jp-ui-font-color2,#616161)"


def format_value(field: Field, value: Any) -> str:
    """Format a parameter's value.

    >>> from vidu_nb import models
    >>> fields = models["vidu-q1-reference-to-video"].fields
    >>> format_value(fields["seed"], 7), format_value(fields["duration"], 5), format_value(fields["bgm"], False)
    ('7', '5 s', 'off')
    """
    if value is None:
        return "not set"
    if field.is_media:
        many = value if isinstance(value, tuple) else (value,)
        return one_line(", ".join(one.label for one in many), 2 * _PROMPT)
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value} s" if field.role == "duration" else one_line(str(value), _PROMPT)


def label_value(field: Field, value: Any) -> str:
    """Format a parameter's value so that it tells which parameter it is.

    >>> from vidu_nb import models
    >>> fields = models["vidu-q1-reference-to-video"].fields
    >>> label_value(fields["seed"], 7), label_value(fields["duration"], 5), label_value(fields["bgm"], False)
    ('seed 7', '5 s', 'bgm off')
    """
    tells_itself = field.role in _TELLING and value is not None
    title = {"movement": "movement"}.get(field.role, field.parameter.replace("_", " "))
    return format_value(field, value) if tells_itself else f"{title} {format_value(field, value)}"


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
        price = "free" if plan.quote.is_free else f"about {dollars(plan.quote.price_usd)}"
        parts.append(f"{left:,} to make with {plan.quote.engine}: {price}, about {format_seconds(plan.quote.seconds)}")
    return " · ".join(parts)


def plan_text(plan: Plan) -> str:
    """Format a plan as one page of plain text."""
    axes = {name: (f"{len(values):,}", _listing(plan.fields[name], values)) for name, values in plan.axes.items()}
    wide = max((len(name) for name in axes), default=0)
    wider = max((len(count) for count, _ in axes.values()), default=0)
    lines = [f"  {name:{wide}}  {count:>{wider}}  {values}" for name, (count, values) in axes.items()]
    rows = [f"  [{index}] {label}" for index, label in _rows(plan)]
    return "\n".join([f"Plan: {plan_headline(plan)}", *lines, *rows, *_more(plan)])


def plan_html(plan: Plan) -> str:
    """Format a plan as HTML; every text in it is escaped."""
    cells = [(name, f"{len(values):,}", _listing(plan.fields[name], values)) for name, values in plan.axes.items()]
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


def _listing(field: Field, values: tuple[Any, ...]) -> str:
    holds_commas = field.is_media or field.role in ("prompt", "negative_prompt")
    between = " | " if holds_commas else ", "
    shown = [format_value(field, value) for value in values[:_VALUES]]
    if len(values) > _VALUES:
        shown[-1] = f"… {format_value(field, values[-1])}"
    return between.join(shown)


def _rows(plan: Plan) -> list[tuple[int, str]]:
    shown = range(min(len(plan), _ROWS)) if len(plan) > 1 else ()
    return [(index, plan.label(index)) for index in shown]


def _more(plan: Plan) -> list[str]:
    return [f"  … and {len(plan) - _ROWS:,} more"] if len(plan) > _ROWS else []
