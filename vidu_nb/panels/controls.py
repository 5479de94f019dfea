"""The controls: what a parameter of a kind looks like, and how its value gets in and out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as widgets

from ..catalogue.field import Field, whole
from ..errors import InvalidRequest
from ..references.attachment import Attachment
from ..references.reference import Reference, as_references
from ..references.sources import is_web_url
from ..widgets.tray import ReferenceTray
from .carry import room_for

_RADIOS = 4  # choices; more stand in a list that drops down
_NOT_SENT = "not sent"
_NONE = ""


@dataclass(frozen=True)
class Shape:
    """What holds a parameter's value in the page.

    Attributes
    ----------
    widget
    fits : callable
        Whether it can show a value, right or wrong.
    read : callable
        The value from what the widget holds, None where that is empty; ValueError where it makes none.
    write : callable
        What the widget holds for a value.
    trait : str
        Where the widget holds it.
    """

    widget: Any
    fits: Callable[[Any], bool]
    read: Callable[[Any], Any] = lambda value: value
    write: Callable[[Any], Any] = lambda value: value
    trait: str = "value"


class Control:
    """Shows a parameter's control with a line below it: help, or what is wrong.

    Parameters
    ----------
    field
        The parameter.
    noun
        What the model makes: a clip, a picture.
    beside
        What stands behind the control.
    below
        What stands between the control and its line.
    """

    def __init__(self, field: Field, *, noun: str, beside: tuple[Any, ...] = (), below: tuple[Any, ...] = ()) -> None:
        self.field = field
        self._shape = shape_of(field, noun)
        self.widget = self._shape.widget
        self.is_touched = False  # nobody is blamed for a control that they have not come to yet
        self.line = widgets.HTML()
        self.line.add_class("vidu-line")
        row = widgets.HBox([self.widget, *beside]) if beside else self.widget
        self.box = widgets.VBox([widgets.VBox([row, *below]) if below else row, self.line])
        for name in ("field", field.parameter, f"role-{field.role}"):
            self.box.add_class(f"vidu-{name.replace('_', '-')}")
        self.say()

    @property
    def raw(self) -> Any:
        """What the widget holds."""
        return getattr(self.widget, self.trait)

    @property
    def value(self) -> Any:
        """The parameter's value, None where the control is empty; ValueError where it makes none."""
        return self._shape.read(self.raw)

    @value.setter
    def value(self, value: Any) -> None:
        setattr(self.widget, self.trait, self._shape.write(value))

    @property
    def trait(self) -> str:
        """The widget's trait that holds the value."""
        return self._shape.trait

    def can_show(self, value: Any) -> bool:
        """Return whether the control can hold a value, also one that the model refuses, for a person to correct."""
        return self._shape.fits(value)

    def taken(self, value: Any) -> Any:
        """Return a value from code as the control takes it.

        Raises
        ------
        InvalidRequest
            Something in it is no picture, video or sound.
        """
        if self.field.type == "pictures":
            most = room_for(self.field)
            return as_references(value, most=most, name=self.field.parameter, animated=[self.field.animated] * most)
        if value is None or not self.field.is_media:
            return whole(value)  # a widget takes Python's own numbers alone
        return self.field.check(value)

    def say(self, problem: str = "", *, note: str = "", extra: str = "") -> None:
        """Show a problem, else a note, else the help; `extra` is HTML beside it."""
        help_text = "" if isinstance(self.widget, ReferenceTray) else self.field.help  # the tray explains itself
        text = problem.removeprefix(f"{self.field.parameter}: ") or note or help_text
        text = f"{text[:1].upper()}{text[1:]}"
        kind = "problem" if problem else "note" if note else "help"
        sign = '<span aria-hidden="true">⚠ </span>' if problem or note else ""
        alert = ' role="alert"' if problem else ""
        extra = f"{self._mark}{extra}" if kind == "help" else extra
        self.line.layout.display = "none" if not text and not extra else ""
        self.line.value = f'<div class="vidu-{kind}"><span{alert}>{sign}{escape(text)}</span>{extra}</div>'

    @property
    def _mark(self) -> str:
        """Say that the service does not document this; where it was read stands in the tooltip."""
        if self.field.sure:
            return ""
        mark = self.field.mark or "what it takes was not read in the service's own documentation"
        return f' <span class="vidu-mark" title="{escape(mark)}">Not documented.</span>'


def shape_of(field: Field, noun: str) -> Shape:
    """Return what suits a parameter's type, role and limits."""
    if field.type in ("picture", "pictures"):
        return _tray(field, noun)
    if field.role in ("prompt", "negative_prompt"):
        return _text(widgets.Textarea(description=field.title), field)
    if field.choices:
        return _choice(field) if field.sure else _suggestions(field)
    shapes = {"link": _links, "links": _links, "boolean": _boolean, "integer": _number, "number": _number}
    return shapes.get(field.type, _line)(field)


def _line(field: Field) -> Shape:
    return _text(widgets.Text(description=field.title, placeholder=_empty(field)), field)


def _empty(field: Field) -> str:
    """Say what an empty control means."""
    if field.required or field.sent_default is not None:
        return ""
    likely = {True: "yes", False: "no"}[field.default] if isinstance(field.default, bool) else field.default
    return _NOT_SENT if likely is None else f"{_NOT_SENT} (probably {likely})"


def _text(widget: Any, field: Field) -> Shape:
    widget.value = field.sent_default or ""
    may_be_left_out = not field.required and field.sent_default is None
    is_told_as_empty = field.required and field.role == "prompt"  # anything else that is empty is not sent
    return Shape(
        widget,
        fits=lambda value: isinstance(value, str) or (value is None and may_be_left_out),
        read=lambda text: text if text.strip() or is_told_as_empty else None,
        write=lambda value: value or "",
    )


def _choice(field: Field) -> Shape:
    """One of a few values in a row, or of many in a list; and none, where there is no default."""
    shown = [(f"{one} s" if field.role == "duration" else str(one), one) for one in field.choices]
    has_none = not field.required and field.default is None
    options = [(_NOT_SENT, _NONE), *shown] if has_none else shown
    value = options[0][1] if field.default is None else field.default
    if has_none or len(options) > _RADIOS:  # that nothing is sent is no choice among the others
        return _selection(widgets.Dropdown(description=field.title, options=options, value=value))
    radio = widgets.RadioButtons(description=field.title, options=options, value=value, orientation="horizontal")
    return _selection(radio)


def _selection(widget: Any) -> Shape:
    """One of a widget's options; None would unmake the selection, so that something else stands for it there."""
    values = [None if value == _NONE else value for _, value in widget.options]
    return Shape(
        widget,
        fits=lambda value: any(type(value) is type(one) and value == one for one in values),
        read=lambda value: None if value == _NONE else value,
        write=lambda value: _NONE if value is None else value,
    )


def _suggestions(field: Field) -> Shape:
    """Any text, with those that are known to choose from."""
    made = widgets.Combobox(
        description=field.title, options=[str(one) for one in field.choices], ensure_option=False,
        placeholder=_empty(field),
    )  # fmt: skip
    return _number_in_text(made, field) if field.type in ("integer", "number") else _text(made, field)


def _boolean(field: Field) -> Shape:
    if isinstance(field.sent_default, bool):
        made: Any = widgets.Checkbox(description=field.title, value=field.sent_default, indent=False)
        return Shape(made, fits=lambda value: isinstance(value, bool))
    options = [(_empty(field) or _NOT_SENT, _NONE), ("yes", True), ("no", False)]
    return _selection(widgets.Dropdown(description=field.title, options=options, value=_NONE))


def _number(field: Field) -> Shape:
    default = field.sent_default
    if default is None:
        return _number_in_text(widgets.Text(description=field.title, placeholder=_empty(field)), field)
    if field.type == "integer":
        number = widgets.IntText(description=field.title, value=default, step=int(field.multiple_of or 1))
        return Shape(number, fits=_is_whole)
    step = field.multiple_of or _step(field.minimum, field.maximum)
    return Shape(widgets.FloatText(description=field.title, value=default, step=step), fits=_is_number)


def _step(low: float | None, high: float | None) -> float:
    """A step of which there are about a hundred between two limits."""
    return 10 ** math.floor(math.log10((high - low) / 50)) if low is not None and high and high > low else 0.1


def _number_in_text(widget: Any, field: Field) -> Shape:
    """A number that may also be left out, which no widget for numbers can be."""
    kind = "whole number" if field.type == "integer" else "number"

    def read(text: str) -> Any:
        if not text.strip():
            return None
        try:
            value = whole(float(text)) if field.type == "number" or "e" in text.lower() else int(text)
        except ValueError:
            value = None
        if value is None or not math.isfinite(value):
            raise ValueError(f"{text.strip()[:40]!r} is not a {kind}: write one, or leave it empty")
        return value

    return Shape(
        widget,
        fits=lambda value: value is None or _is_number(value),
        read=read,
        write=lambda value: "" if value is None else str(value),
    )


def _is_whole(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _tray(field: Field, noun: str) -> Shape:
    most, is_list = room_for(field), field.type == "pictures"
    about = f"{field.help[:1].lower()}{field.help[1:]}".rstrip(".")
    if is_list and field.max_items:
        count = f"{field.min_items} to {most}" if field.min_items else f"up to {most}"
        about = f"{count} pictures of what the {noun} shows"
    tray = ReferenceTray(most=most, title=field.title, about=about, parameter=field.parameter)
    if is_list:
        return Shape(tray, fits=lambda value: isinstance(value, tuple), trait="references")
    return Shape(
        tray,
        fits=lambda value: value is None or isinstance(value, Reference),
        read=lambda pictures: pictures[0] if pictures else None,
        write=lambda value: () if value is None else (value,),
        trait="references",
    )


def _links(field: Field) -> Shape:
    """Addresses of videos and sounds, one on each line. Files come from code alone: the page names no path."""
    is_list = field.type == "links"
    given: dict[str, Attachment] = {}  # what code put there, by the line that stands for it
    make: Any = widgets.Textarea if is_list else widgets.Text
    widget = make(description=field.title, placeholder="https://" + (", one on each line" if is_list else ""))

    def one(line: str) -> Attachment:
        if line in given:
            return given[line]
        if not is_web_url(line):
            file = "[path]" if is_list else "path"
            raise ValueError(
                f"{line[:60]!r} is not a link: begin it with https://, or give a file in Python: "
                f"panel.fill({field.parameter}={file})"
            )
        try:
            return Attachment(line)
        except InvalidRequest as error:
            message = error.message
        raise ValueError(message)

    def read(text: str) -> Any:
        found = tuple(one(line) for line in map(str.strip, text.splitlines()) if line)
        return (found or None) if is_list else (found[0] if found else None)

    def write(value: Any) -> str:
        many = value if isinstance(value, tuple) else () if value is None else (value,)
        lines = [each.url if each.is_url else f"{each.label} ({each.sha256[:8]})" for each in many]
        given.update(zip(lines, many, strict=True))
        return "\n".join(lines)

    return Shape(widget, fits=lambda value: value is None or isinstance(value, tuple | Attachment), read=read,
                 write=write)  # fmt: skip


def counter(prompt: str, limit: int) -> str:
    """Format a prompt's length and its limit as HTML."""
    length = len(prompt.strip())  # as it is sent
    over = " vidu-over" if length > limit else ""
    return f'<span class="vidu-counter{over}">{length:,} / {limit:,}</span>'


def shapes_style(field: Field) -> str:
    """Return the CSS that draws each ratio of a row of choices as its shape; empty where they are none."""
    sides = [str(choice).partition(":")[::2] for choice in field.choices]
    if len(sides) > _RADIOS or not all(a.isdecimal() and b.isdecimal() and int(a) * int(b) for a, b in sides):
        return ""
    rules = []
    for place, (a, b) in enumerate(sides, 1):
        scale = min(44 / int(a), 35 / int(b), 32 / min(int(a), int(b)))
        size = f"width: {round(int(a) * scale)}px; height: {round(int(b) * scale)}px;"
        rules.append(f".vidu-shapes .widget-radio-box label:nth-of-type({place})::after {{ {size} }}")
    return "\n".join(rules)
