"""`Field`: one parameter of a model, as its file describes it, and the check of a value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from ..errors import InvalidRequest
from ..references.attachment import Attachment, as_attachments
from ..references.reference import Reference, as_references

Type = Literal["string", "integer", "number", "boolean", "picture", "pictures", "link", "links"]
#: What a parameter is for, whatever a model calls it: previews, panels and the archive go by it.
Role = Literal[
    "", "prompt", "negative_prompt", "references", "picture", "face", "videos", "voice", "seed", "duration",
    "aspect_ratio", "resolution", "width", "height", "samples", "style", "strength", "sound", "movement",
    "picture_faces", "face_faces", "file_type", "base64",
]  # fmt: skip
MEDIA = ("picture", "pictures", "link", "links")
MANY = ("pictures", "links")
MOST_MEDIA = 100  # pictures or links, where a model's own limit is not known: an iterator may have no end
#: A character that leaves a mark. Those that don't are white space, controls, and what Unicode lists as ignorable by
#: default (DerivedCoreProperties.txt): joiners, marks of direction, fillers of Hangul; and the empty Braille pattern.
VISIBLE = (
    "[^\\s\\x00-\\x1f\\x7f-\\xa0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_SHOWN = 40  # characters of a bad value that an error shows
_SWITCHES = {"on": True, "true": True, "off": False, "false": False}
_JSON_TYPES = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}


def plain(value: Any) -> Any:
    """Return a NumPy number or truth value, or another library's single one, as Python's own; all else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def whole(value: Any) -> Any:
    """Return a number without a fraction, of whatever type, as an int; all else as it is.

    >>> whole(7.0), whole(7.5), whole(True)
    (7, 7.5, True)
    """
    value = plain(value)
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) <= 2**53  # up to there a float is exact
    return int(value) if is_whole else value


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One parameter of a model.

    Attributes
    ----------
    name : str
        As the API has it.
    parameter : str
        As Python has it: ``references`` and ``prompt`` for those roles, whatever the API calls them.
    type : str
        ``"string"``, ``"integer"``, ``"number"`` or ``"boolean"``; ``"picture"`` or ``"pictures"``; ``"link"`` or
        ``"links"``, which name a video or a sound.
    role : str
        What it is for, empty where nothing but the model knows; see `Role`.
    title, help, hint : str
        For people; the hint ends the sentence about a missing value.
    required : bool
    default
        None where there is none, or the service's own is not known.
    minimum, maximum, multiple_of : float or None
        Limits of a number.
    max_length : int or None
        Characters of a text.
    min_items, max_items : int or None
        Counts of pictures and links.
    choices : tuple
        The values that may be taken; those that are known, where it is not `sure`.
    sizes : mapping
        A choice → width and height of what comes back, in pixels.
    remarks : mapping
        A choice → why it may be refused.
    random
        A seed's value that asks for a random one; None where there is none.
    animated : bool
        Whether a picture may be an animated GIF.
    sure : bool
        Whether limits, choices and default are the service's own. What isn't sure is passed on unchecked, and a default
        that isn't sure is not sent.
    mark : str
        Where it was read, where that is not the model's `source`.
    added : bool
        Whether it came after others had been paid for: it then counts in a key only where it isn't its default.
    """

    name: str
    type: Type
    parameter: str
    role: Role = ""
    title: str = ""
    help: str = ""
    hint: str = ""
    required: bool = False
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: float | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    choices: tuple[Any, ...] = ()
    sizes: Mapping[Any, tuple[int, int]] = field(default_factory=dict)
    remarks: Mapping[Any, str] = field(default_factory=dict)
    random: Any = None
    animated: bool = False
    sure: bool = True
    mark: str = ""
    added: bool = False

    @property
    def is_media(self) -> bool:
        """Whether its value is made of pictures or links."""
        return self.type in MEDIA

    @property
    def sent_default(self) -> Any:
        """What stands for a value that isn't given: the default, where that is sure; None sends nothing."""
        return self.default if self.sure else None

    @property
    def most(self) -> int:
        """How many pictures or links are taken."""
        return self.max_items if self.sure and self.max_items is not None else MOST_MEDIA

    @property
    def missing(self) -> str:
        """The sentence about a required value that isn't given."""
        cure = f"pass {self._wanted_media}" if self.is_media else self.hint
        return f"is missing: {cure}" if cure else "is missing"

    def check(self, value: Any) -> Any:
        """Return a value as a request holds it.

        Raises
        ------
        ValueError
            It is wrong; the message is a part of a sentence that begins with the parameter's name.
        InvalidRequest
            A picture is; the message is the whole sentence.
        """
        if self.type in MANY:
            return self._checked_many(value)
        value = plain(value)
        if value is None and not self.required and self.sent_default is None:
            return None
        if self.role == "prompt":
            return self._checked_prompt(value)
        if value is None and self.required:
            raise ValueError(self.missing)
        if self.is_media:
            return self._checked_medium(value)
        if not self.sure:
            return _sendable(whole(value))
        check = {
            "string": self._checked_text,
            "integer": self._checked_integer,
            "number": self._checked_number,
            "boolean": _checked_boolean,
        }[self.type]
        return _sendable(check(value))

    def read(self, text: Any) -> Any:
        """Return a text as a value of this type; as it is where it is no such value, for `check` to judge."""
        if not isinstance(text, str):
            return text
        if self.type == "boolean":
            return _SWITCHES.get(text.lower(), text)
        for kind in {"integer": (int,), "number": (int, float)}.get(self.type, ()):
            try:
                return kind(text)
            except ValueError:
                continue
        return text

    def schema(self) -> dict[str, Any]:
        """Return the value as JSON Schema, but for pictures, whose limits the caller knows."""
        described: dict[str, Any] = {"title": self.title, "description": self.help}
        if not self.sure:
            return described
        if self.is_media:
            text = {"type": "string", "format": "picture" if self.type.startswith("picture") else "uri"}
            counts = {"minItems": self.min_items, "maxItems": self.max_items}
            known = {name: count for name, count in counts.items() if count is not None}
            return {**({"type": "array", "items": text} if self.type in MANY else text), **known, **described}
        limits = {
            "minimum": self.minimum, "maximum": self.maximum, "multipleOf": self.multiple_of,
            "maxLength": self.max_length, "default": self.default, "enum": list(self.choices) or None,
        }  # fmt: skip
        known = {name: limit for name, limit in limits.items() if limit is not None}
        return {"type": _JSON_TYPES[self.type], **known, **described}

    @property
    def _wanted_media(self) -> str:
        if self.type not in MANY:
            return "a picture" if self.type == "picture" else "a video or a sound"
        low, high = (self.min_items, self.max_items) if self.sure else (None, None)
        count = f"{'one' if low in (None, 1) else low} {f'to {high}' if high else 'or more'}"
        return f"{count} {'pictures' if self.type == 'pictures' else 'videos or sounds'}"

    def _checked_many(self, value: Any) -> tuple[Any, ...]:
        found: tuple[Any, ...]
        if self.type == "pictures":
            found = as_references(value, most=self.most, name=self.parameter, animated=[self.animated] * self.most)
        else:
            found = as_attachments(value, most=self.most, name=self.parameter)
        if not found and self.required:
            raise ValueError(f"is empty: pass {self._wanted_media}")
        if found and self.sure and len(found) < (self.min_items or 0):
            raise ValueError(f"{len(found)} given: pass {self._wanted_media}")
        return found

    def _checked_medium(self, value: Any) -> Reference | Attachment:
        kind = Reference if self.type == "picture" else Attachment
        make = Reference.moving if self.animated else kind
        message = ""
        try:
            return value if isinstance(value, kind) else make(value)
        except InvalidRequest as error:
            message = error.message
        raise InvalidRequest(f"{self.parameter}: {message}", field=self.parameter)

    def _checked_prompt(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{_shown(value)} is not text")  # noqa: TRY004  # pydantic takes a ValueError alone
        prompt: str = value.strip()
        self._check_length(prompt)
        _check_characters(prompt)
        if not re.search(VISIBLE, prompt):
            raise ValueError(f"is empty: {self.hint}" if self.hint else "is empty")
        return prompt

    def _checked_text(self, value: Any) -> str:
        if self.choices and value not in self.choices:
            raise ValueError(f"{_shown(value)} is not one of {', '.join(self.choices)}")
        if not isinstance(value, str):
            raise ValueError(f"{_shown(value)} is not text")  # noqa: TRY004  # pydantic takes a ValueError alone
        self._check_length(value)
        return value

    def _check_length(self, value: str) -> None:
        if self.sure and self.max_length is not None and len(value) > self.max_length:
            raise ValueError(f"has {len(value):,} characters: the limit is {self.max_length:,}")

    def _checked_integer(self, value: Any) -> int:
        value = whole(value)
        if type(value) is not int:
            if self.choices:
                raise ValueError(f"{_shown(value)} is not offered: pass the whole number {self._offered}")
            raise ValueError(f"{_shown(value)} is not a whole number: pass one{self._range}")
        self._check_limits(value, "a whole number")
        return value

    def _checked_number(self, value: Any) -> float:
        value = whole(value)
        if type(value) not in (int, float) or (type(value) is float and not math.isfinite(value)):
            raise ValueError(f"{_shown(value)} is not a number: pass one{self._range}")
        self._check_limits(value, "a number")
        return value  # type: ignore[no-any-return]

    def _check_limits(self, value: float, kind: str) -> None:
        if self.choices and value not in self.choices:
            raise ValueError(f"{_shown(value)} is not offered: pass {self._offered}")
        low, high = self.minimum, self.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError(f"{_shown(value)} is out of range: pass {kind}{self._range}")
        if self.multiple_of is not None and _exact(value) % _exact(self.multiple_of):
            multiple = _shown(whole(self.multiple_of))
            raise ValueError(f"{_shown(value)} is not a multiple of {multiple}: pass {kind} that is one")

    @property
    def _offered(self) -> str:
        """The choices to advise: those that nothing is remarked about, if there are any."""
        likely = [choice for choice in self.choices if choice not in self.remarks]
        return either(likely or self.choices)

    @property
    def _range(self) -> str:
        low, high = (None if limit is None else _shown(limit) for limit in (self.minimum, self.maximum))
        if low and high:
            return f" from {low} to {high}"
        return f" from {low}" if low else f" up to {high}" if high else ""


def entry(mapping: Mapping[Any, Any], value: Any) -> Any:
    """Return what a mapping has for a value, None where it has nothing; the value may be a list.

    >>> entry({5: "five"}, 5), entry({5: "five"}, [5])
    ('five', None)
    """
    return next((found for key, found in mapping.items() if key == value), None)


def either(values: Sequence[Any]) -> str:
    """Return values as a list for people.

    >>> either([5, 7, 9]), either([5])
    ('5, 7 or 9', '5')
    """
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last


def _check_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return
    raise ValueError("holds half a character (a lone surrogate): delete it")


def _sendable(value: Any) -> Any:
    """Return a value that can be sent as JSON; of a list or a table a copy, since a request never changes."""
    if isinstance(value, str):
        _check_characters(value)
        return value
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        pass
    else:
        return json.loads(text) if isinstance(value, list | tuple | dict) else value
    raise ValueError(f"{_shown(value)} can't be sent as JSON")


def _exact(value: float) -> Fraction:
    """Return the number that was written: 0.3 is a multiple of 0.1, although no float is exactly either."""
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))


def _checked_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"{_shown(value)} is not True or False")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a whole number of more than 4300 digits"  # Python's own limit for writing one
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
