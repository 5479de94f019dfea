"""The controls: what the page shows for a parameter of a kind, and how its value gets in and out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..catalogue.field import Field, whole
from ..errors import InvalidRequest
from ..references.attachment import Attachment
from ..references.reference import Reference, as_references
from ..references.sources import is_web_url
from ..widgets.tray import Tray
from .carry import room_for

_RADIOS = 4  # choices; more stand in a list that drops down
_MAX_TEXT = 100_000  # characters that a page may send; each change sends them back
_NOT_SENT = "not sent"


@dataclass(frozen=True)
class Shape:
    """What holds a parameter's value in the page: a text, a truth value, or the place of a choice.

    Attributes
    ----------
    kind : str
        What the page shows: ``"text"``, ``"line"``, ``"number"``, ``"suggest"``, ``"radio"``, ``"select"``,
        ``"check"`` or ``"tray"``.
    raw
        What it holds at first.
    fits : callable
        Whether it can show a value, right or wrong.
    read : callable
        The value from what it holds, None where that is empty; ValueError where it makes none.
    write : callable
        What it holds for a value.
    more : mapping
        What else the page has to know.
    """

    kind: str
    raw: Any
    fits: Callable[[Any], bool]
    read: Callable[[Any], Any] = lambda value: value
    write: Callable[[Any], Any] = lambda value: value
    more: Mapping[str, Any] = field(default_factory=dict)


class Control:
    """Holds what the page shows for a parameter.

    Parameters
    ----------
    field
        The parameter.
    noun
        What the model makes: a clip, a picture.

    Attributes
    ----------
    raw
        What the page holds: a text, a truth value, or the place of a choice; of a tray, its pictures.
    tray : Tray or None
        Of a parameter for pictures.
    is_touched : bool
        Whether somebody has come to it: nobody is blamed for a control before that.
    """

    def __init__(self, field: Field, *, noun: str) -> None:
        self.field = field
        self.tray = _tray(field, noun) if field.type in ("picture", "pictures") else None
        self._shape = _pictures(field) if self.tray else shape_of(field)
        self._raw = self._shape.raw
        self.is_touched = False

    @property
    def raw(self) -> Any:
        """What the page holds."""
        return self.tray.references if self.tray else self._raw

    @property
    def value(self) -> Any:
        """The parameter's value, None where the control is empty; ValueError where it makes none."""
        return self._shape.read(self.raw)

    @value.setter
    def value(self, value: Any) -> None:
        raw = self._shape.write(value)
        if self.tray:
            self.tray.references = raw
        elif raw != self._raw or type(raw) is not type(self._raw):
            self._raw, self.is_touched = raw, raw != self._shape.raw

    def take(self, raw: object) -> bool:
        """Take what a page holds, and return whether that is news; what no page of ours sends is left alone.

        Raises
        ------
        InvalidRequest
            A text that is far longer than any model takes.
        """
        is_kind = type(raw) is type(self._shape.raw) and not self.tray
        is_place = not self.holds_place or (isinstance(raw, int) and 0 <= raw < len(self._options))
        if not (is_kind and is_place) or raw == self._raw:
            return False
        if isinstance(raw, str) and len(raw) > _MAX_TEXT:
            message = f"{self.field.title}: {len(raw):,} characters are too many: the text before stays"
            raise InvalidRequest(message, field=self.field.parameter)
        self._raw, self.is_touched = raw, True
        return True

    @property
    def kind(self) -> str:
        """What the page shows."""
        return self._shape.kind

    @property
    def holds_place(self) -> bool:
        """Whether the page holds the place of a choice."""
        return self.kind in ("radio", "select")

    @property
    def _options(self) -> list[str]:
        options: list[str] = self._shape.more["options"]
        return options

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
            return whole(value)
        return self.field.check(value)

    def item(self) -> dict[str, Any]:
        """Return what the page shows, beside the value."""
        one = self.field
        mark = "" if one.sure else one.mark or "what it takes was not read in the service's own documentation"
        return {
            "name": one.parameter, "role": one.role, "kind": self.kind, "title": one.title,
            "help": _sentence(one.help), "mark": mark, **self._shape.more,
        }  # fmt: skip

    def said(self, problem: str, note: str) -> dict[str, str] | None:
        """Return a problem, else a note, as the page shows it; None where there is neither."""
        text = problem.removeprefix(f"{self.field.parameter}: ") or note
        return {"kind": "problem" if problem else "note", "text": _sentence(text)} if text else None


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def shape_of(field: Field) -> Shape:
    """Return what suits a parameter's type, role and limits."""
    if field.role in ("prompt", "negative_prompt"):
        return _text(field, "text", limit=field.max_length)
    if field.choices:
        return _choice(field) if field.sure else _suggestions(field)
    shapes = {"link": _links, "links": _links, "boolean": _boolean, "integer": _number, "number": _number}
    return shapes.get(field.type, _line)(field)


def _line(field: Field) -> Shape:
    return _text(field, "line", placeholder=_empty(field))


def _empty(field: Field) -> str:
    """Say what an empty control means."""
    if field.required or field.sent_default is not None:
        return ""
    likely = {True: "yes", False: "no"}[field.default] if isinstance(field.default, bool) else field.default
    return _NOT_SENT if likely is None else f"{_NOT_SENT} (probably {likely})"


def _text(field: Field, kind: str, **more: Any) -> Shape:
    may_be_left_out = not field.required and field.sent_default is None
    is_told_as_empty = field.required and field.role == "prompt"  # anything else that is empty is not sent
    return Shape(
        kind,
        str(field.sent_default or ""),
        fits=lambda value: isinstance(value, str) or (value is None and may_be_left_out),
        read=lambda text: text if text.strip() or is_told_as_empty else None,
        write=lambda value: value or "",
        more=more,
    )


def _choice(field: Field) -> Shape:
    """One of a few values in a row, or of many in a list; and none, where there is no default."""
    labels = [f"{one} s" if field.role == "duration" else str(one) for one in field.choices]
    has_none = not field.required and field.default is None
    values = [None, *field.choices] if has_none else list(field.choices)
    labels = [_NOT_SENT, *labels] if has_none else labels
    kind = "select" if has_none or len(values) > _RADIOS else "radio"  # that nothing is sent is no choice among others
    first = None if field.default is None and has_none else field.default
    return _selection(kind, labels, values, values[0] if first is None else first, shapes=_shapes(field))


def _selection(kind: str, labels: list[str], values: list[Any], value: Any, **more: Any) -> Shape:
    """One of some values; the page holds its place."""

    def place(one: Any) -> int:
        return next(i for i, known in enumerate(values) if type(known) is type(one) and known == one)

    return Shape(
        kind,
        place(value),
        fits=lambda one: any(type(one) is type(known) and one == known for known in values),
        read=lambda raw: values[raw],
        write=place,
        more={"options": labels, **more},
    )


def _suggestions(field: Field) -> Shape:
    """Any text, with those that are known to choose from."""
    known = [str(one) for one in field.choices]
    make = _number_in_text if field.type in ("integer", "number") else _text
    return make(field, "suggest", placeholder=_empty(field), known=known)


def _boolean(field: Field) -> Shape:
    if isinstance(field.sent_default, bool):
        return Shape("check", field.sent_default, fits=lambda value: isinstance(value, bool))
    return _selection("select", [_empty(field) or _NOT_SENT, "yes", "no"], [None, True, False], None)


def _number(field: Field) -> Shape:
    step = field.multiple_of or (1 if field.type == "integer" else _step(field.minimum, field.maximum))
    return _number_in_text(field, "number", placeholder=_empty(field), step=step)


def _step(low: float | None, high: float | None) -> float:
    """A step of which there are about a hundred between two limits."""
    return 10 ** math.floor(math.log10((high - low) / 50)) if low is not None and high and high > low else 0.1


def _number_in_text(field: Field, kind: str, **more: Any) -> Shape:
    """A number as it was typed; it may be left out where nothing is sent by default."""
    noun = "whole number" if field.type == "integer" else "number"
    may_be_left_out = field.sent_default is None

    def read(text: str) -> Any:
        if not text.strip() and may_be_left_out:
            return None
        try:
            value = whole(float(text)) if field.type == "number" or "e" in text.lower() else int(text)
        except ValueError:
            value = None
        if value is None or not math.isfinite(value):
            more = ", or leave it empty" if may_be_left_out else ""
            raise ValueError(f"{text.strip()[:40]!r} is not a {noun}: write one{more}")
        return value

    return Shape(
        kind,
        "" if field.sent_default is None else str(field.sent_default),
        fits=lambda value: (value is None and may_be_left_out) or (_is_whole if field.type == "integer" and
                            not may_be_left_out else _is_number)(value),
        read=read,
        write=lambda value: "" if value is None else str(value),
        more=more,
    )  # fmt: skip


def _is_whole(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _tray(field: Field, noun: str) -> Tray:
    most, is_list = room_for(field), field.type == "pictures"
    about = f"{field.help[:1].lower()}{field.help[1:]}".rstrip(".")
    if is_list and field.max_items:
        count = f"{field.min_items} to {most}" if field.min_items else f"up to {most}"
        about = f"{count} pictures of what the {noun} shows"
    return Tray(most=most, title=field.title, about=about, parameter=field.parameter)


def _pictures(field: Field) -> Shape:
    if field.type == "pictures":
        return Shape("tray", (), fits=lambda value: isinstance(value, tuple))
    return Shape(
        "tray",
        (),
        fits=lambda value: value is None or isinstance(value, Reference),
        read=lambda pictures: pictures[0] if pictures else None,
        write=lambda value: () if value is None else (value,),
    )


def _links(field: Field) -> Shape:
    """Addresses of videos and sounds, one on each line. Files come from code alone: the page names no path."""
    is_list = field.type == "links"
    given: dict[str, Attachment] = {}  # what code put there, by the line that stands for it

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

    return Shape(
        "text" if is_list else "line",
        "",
        fits=lambda value: value is None or isinstance(value, tuple | Attachment),
        read=read,
        write=write,
        more={"placeholder": "https://" + (", one on each line" if is_list else "")},
    )


def _shapes(field: Field) -> list[float]:
    """Return width by height of each choice of a row of ratios; none where they are no ratios."""
    sides = [str(choice).partition(":")[::2] for choice in field.choices]
    if len(sides) > _RADIOS or not all(a.isdecimal() and b.isdecimal() and int(a) * int(b) for a, b in sides):
        return []
    return [int(a) / int(b) for a, b in sides]
