"""`Model`: what can be asked of one model of a service, read from its TOML file."""

from __future__ import annotations

import keyword
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import InvalidRequest, one_line
from .field import MANY, Field, Role, Type
from .request import Request, request_class

Returns = Literal["video", "image"]
MAX_FILE_BYTES = 1_000_000
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NAME = re.compile(r"[A-Za-z_]\w{0,99}", re.ASCII)
_FRAME_SIDE = 8192  # px
_PLAYED = (1920, 1080)
_DRAWN = (1024, 1024)

#: What may stand in a file, and of which kind it is.
_TOP: dict[str, tuple[type, ...]] = {
    "slug": (str,), "title": (str,), "returns": (str,), "price_usd": (int, float), "price_factors": (dict,),
    "seconds": (int, float), "source": (str,), "mention": (str,), "fields": (dict,),
}  # fmt: skip
_OF_A_FIELD: dict[str, tuple[type, ...]] = {
    "type": (str,), "role": (str,), "title": (str,), "help": (str,), "hint": (str,), "mark": (str,),
    "required": (bool,), "sure": (bool,), "added": (bool,), "animated": (bool,),
    "minimum": (int, float), "maximum": (int, float), "multiple_of": (int, float),
    "max_length": (int,), "min_items": (int,), "max_items": (int,),
    "choices": (list,), "sizes": (dict,), "remarks": (dict,),
    "default": (str, int, float, bool), "random": (str, int, float),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Model:
    """What can be asked of one model: its parameters, what it returns, what it costs.

    Equal to its slug, so that either names a model.

    Attributes
    ----------
    slug : str
        Its name in the API's URL.
    title : str
        Its name for people.
    returns : str
        ``"video"`` or ``"image"``.
    price_usd : float
        Expected US dollars for a call with every default.
    seconds : float
        Expected seconds for a call.
    fields : mapping of str to Field
        The parameters, by the API's names and in its order.
    source : str
        Where all this was read.
    mention : str
        How a prompt names a picture, with ``{name}`` and ``{number}`` in it.
    price_factors : mapping
        A parameter → what the price is multiplied by: a number, by the value over that number; a mapping, by what it
        has for the value.

    >>> from vidu_nb import models
    >>> model = models["sdxl1.0-txt2img"]
    >>> model.returns, model.price_usd, model.fields["samples"].maximum, model == "sdxl1.0-txt2img"
    ('image', 0.008, 4, True)
    >>> request = model.request(prompt="A lighthouse at dusk", samples=3)
    >>> request.frame_size, round(model.price_of(request), 3)
    ((1024, 1024), 0.024)
    """

    slug: str
    title: str
    returns: Returns
    price_usd: float
    seconds: float
    fields: Mapping[str, Field]
    source: str = ""
    mention: str = "{name} (image {number})"
    price_factors: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_toml(cls, text: str, *, where: str = "model") -> Model:
        """Read a model's file.

        Parameters
        ----------
        text
            The file's content.
        where
            The file's name, for errors.

        Raises
        ------
        InvalidRequest
            Something in it is wrong; the message names the line and the field.

        >>> Model.from_toml('slug = "painter"', where="painter.toml")
        Traceback (most recent call last):
        ...
        vidu_nb.errors.InvalidRequest: painter.toml: title: is missing
        """
        return _read(cls, text, where)

    def request(self, **parameters: Any) -> Request:
        """Make a checked request.

        Parameters
        ----------
        **parameters
            By the API's names. ``references`` stands for the pictures, whatever the API calls them.

        Raises
        ------
        InvalidRequest
            Names the parameter, the bad value and what to pass instead.
        """
        return self.request_class(**parameters)

    @cached_property
    def request_class(self) -> type[Request]:
        """The class of its requests."""
        return request_class(self)

    def by_role(self, role: Role) -> Field | None:
        """Return the parameter with a role, None where there is none."""
        return next((one for one in self.fields.values() if one.role == role), None)

    @cached_property
    def by_parameter(self) -> Mapping[str, Field]:
        """The parameters by their names in Python."""
        return {one.parameter: one for one in self.fields.values()}

    @property
    def media(self) -> tuple[Field, ...]:
        """The parameters that are made of pictures and links."""
        return tuple(one for one in self.fields.values() if one.is_media)

    def price_of(self, request: Request) -> float:
        """Return the expected US dollars for a request."""
        price = self.price_usd
        for name, factor in self.price_factors.items():
            value, default = request.value(name), self.fields[name].default
            price *= _factor(factor, value, default)
        return price

    def size_of(self, request: Request) -> tuple[int, int]:
        """Return width and height in pixels of what a request brings, as far as that is known."""
        for one in self.fields.values():
            value = request.value(one.name)
            if one.sizes:
                likely = value if value in one.sizes else one.default
                return one.sizes.get(likely) or list(one.sizes.values())[-1]
        width, height = (request.by_role(role) for role in ("width", "height"))
        if isinstance(width, int) and isinstance(height, int):
            return width, height
        changed = request.by_role("picture")
        if self.returns == "image" and changed is not None and changed.size:
            return int(changed.size[0]), int(changed.size[1])
        return _PLAYED if self.returns == "video" else _DRAWN

    def schema(self) -> dict[str, Any]:
        """Return a request's body as JSON Schema."""
        return {
            "type": "object",
            "properties": {name: one.schema() for name, one in self.fields.items()},
            "required": [name for name, one in self.fields.items() if one.required],
            "additionalProperties": False,
        }

    def __eq__(self, other: object) -> bool:
        return self.slug == (other.slug if isinstance(other, Model) else other)

    def __hash__(self) -> int:
        return hash(self.slug)

    def __str__(self) -> str:
        return self.slug

    def __repr__(self) -> str:
        return f"Model({self.slug!r}, returns={self.returns!r}, price_usd={self.price_usd:g})"


def _factor(factor: Any, value: Any, default: Any) -> float:
    value = default if value is None else value
    if isinstance(factor, Mapping):
        return float(factor.get(value, max(factor.values())))  # of a value that nobody knows, the dearest
    usable = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return value / factor if usable else 1.0


# From a file to a model.


class _Wrong(Exception):  # never leaves this module
    """What is wrong, and where in the tables it stands."""

    def __init__(self, problem: str, *where: str) -> None:
        super().__init__(problem)
        self.where = where


def _read(cls: type[Model], text: str, where: str) -> Model:
    problem = ""
    try:
        return _made(cls, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        problem = f"{where}: {one_line(str(error))}"
    except RecursionError:
        problem = f"{where}: is nested too deeply"
    except _Wrong as error:
        line = _line_of(text, error.where)
        place = ".".join(error.where)
        problem = f"{where}{f', line {line}' if line else ''}: {one_line(f'{place}: {error}')}"
    raise InvalidRequest(problem, field="model")


def _line_of(text: str, where: tuple[str, ...]) -> int:
    """Return the number of the line that a key stands in, its table's where that can't be told; 0 for neither."""
    table, found = "", 0
    *tables, key = where
    for number, line in enumerate(text.splitlines(), 1):
        if head := re.match(r"\s*\[([^\]]+)\]", line):
            table = re.sub(r"[\s\"']", "", head[1])
            if table == ".".join(where):
                found = found or number
        elif table == ".".join(tables) and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return found or (_line_of(text, tuple(tables)) if tables else 0)


def _made(cls: type[Model], payload: dict[str, Any]) -> Model:
    _check_keys(payload, _TOP)
    for name in ("slug", "title", "returns", "price_usd", "fields"):
        if name not in payload:
            raise _Wrong("is missing", name)
    _check_facts(payload)
    fields: dict[str, Field] = {}
    for name, table in payload["fields"].items():
        if not isinstance(table, dict):
            raise _Wrong("must be a table", "fields", name)
        fields[name] = _field(name, table)
    for role in set(get_args(Role)) - {""}:
        named = [name for name, one in fields.items() if one.role == role]
        if len(named) > 1:
            raise _Wrong(f"{role!r} is {named[0]}'s role already", "fields", named[1], "role")
    return cls(
        **{name: payload[name] for name in ("slug", "title", "returns")},
        price_usd=float(payload["price_usd"]),
        seconds=float(payload.get("seconds", 60)),
        fields=fields,
        source=payload.get("source", ""),
        mention=_mention(payload.get("mention", Model.mention)),
        price_factors=_factors(payload.get("price_factors", {}), fields),
    )


def _check_facts(payload: dict[str, Any]) -> None:
    if not _SLUG.fullmatch(payload["slug"]):
        raise _Wrong("must be letters, digits, dots, dashes and underscores", "slug")
    if payload["returns"] not in get_args(Returns):
        raise _Wrong(f"{payload['returns']!r} is not one of {', '.join(get_args(Returns))}", "returns")
    for name in ("price_usd", "seconds"):
        if not 0 <= payload.get(name, 1) < 1e6:
            raise _Wrong(f"{payload[name]!r} is not an amount", name)


def _field(name: str, table: dict[str, Any]) -> Field:
    def wrong(problem: str, key: str) -> _Wrong:
        return _Wrong(problem, "fields", name, key)

    if not _NAME.fullmatch(name):
        raise _Wrong("a parameter's name is made of letters, digits and underscores", "fields", name)
    _check_keys(table, _OF_A_FIELD, "fields", name)
    for key, allowed in (("type", get_args(Type)), ("role", get_args(Role))):
        if key in table and table[key] not in allowed:
            raise wrong(f"{table[key]!r} is not one of {', '.join(filter(None, allowed))}", key)
    if "type" not in table:
        raise wrong("is missing", "type")
    known = {key: value for key, value in table.items() if key not in ("choices", "sizes", "remarks")}
    choices = tuple(table.get("choices", ()))
    made = Field(
        name=name,
        parameter=_parameter(name, table),
        **{"title": name.replace("_", " ").capitalize(), **known},
        choices=choices,
        sizes={_value(choices, key): _size(size, wrong) for key, size in table.get("sizes", {}).items()},
        remarks={_value(choices, key): str(text) for key, text in table.get("remarks", {}).items()},
    )
    _check_role(made, wrong)
    for key in ("default", "random"):
        value = getattr(made, key)
        if value is not None and made.sure:
            problem = ""
            try:
                made.check(value)
            except ValueError as error:
                problem = str(error)
            if problem:
                raise wrong(problem, key)
    return made


def _check_role(made: Field, wrong: Callable[[str, str], _Wrong]) -> None:
    """Refuse a role that its type can't play."""
    types: dict[str, tuple[str, ...]] = {
        "prompt": ("string",), "references": ("pictures",), "picture": ("picture",), "face": ("picture",),
        "videos": ("links",), "voice": ("link",), "seed": ("integer",), "duration": ("integer", "number"),
        "width": ("integer",), "height": ("integer",), "samples": ("integer",), "base64": ("boolean",),
    }  # fmt: skip
    allowed = types.get(made.role)
    if allowed and made.type not in allowed:
        raise wrong(f"with the role {made.role!r} it must be {' or '.join(allowed)}", "type")
    if made.default is not None and (made.is_media or made.required):
        raise wrong("what is required has no default, and neither have pictures and links", "default")
    if made.type not in MANY and (made.min_items is not None or made.max_items is not None):
        raise wrong("only pictures and links are counted", "min_items" if made.min_items is not None else "max_items")


def _parameter(name: str, table: dict[str, Any]) -> str:
    """Return the name in Python: one of its own where a request has something else of that name."""
    if table.get("role") in ("prompt", "references"):
        return str(table["role"])
    taken = (
        keyword.iskeyword(name) or name.startswith("_") or hasattr(Request, name) or name in ("prompt", "references")
    )
    return f"{name.strip('_')}_" if taken else name


def _check_keys(table: dict[str, Any], known: dict[str, tuple[type, ...]], *where: str) -> None:
    for key, value in table.items():
        if key not in known:
            raise _Wrong(f"is not known; known are {', '.join(known)}", *where, key)
        kinds = known[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
            wanted = [names.get(kind, "a list" if kind is list else "a table") for kind in kinds]
            raise _Wrong(f"must be {' or '.join(wanted)}", *where, key)


def _value(choices: tuple[Any, ...], key: str) -> Any:
    """Return the choice that a table's key, which is always text, stands for."""
    return next((choice for choice in choices if str(choice) == key), key)


def _size(size: Any, wrong: Callable[[str, str], _Wrong]) -> tuple[int, int]:
    if (
        isinstance(size, list)
        and len(size) == 2
        and all(type(side) is int and 0 < side <= _FRAME_SIDE for side in size)
    ):
        return size[0], size[1]
    raise wrong("each must be width and height in pixels", "sizes")


def _mention(text: str) -> str:
    try:
        text.format(name="anna", number=1)
    except (KeyError, IndexError, ValueError, AttributeError):
        raise _Wrong("may hold {name} and {number}, and no other braces", "mention") from None
    return text


def _factors(table: dict[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    for name, factor in table.items():
        numbers = list(factor.values()) if isinstance(factor, dict) else [factor]
        if name not in fields:
            raise _Wrong("there is no such parameter", "price_factors", name)
        if not numbers or not all(isinstance(one, int | float) and 0 < one < 1e6 for one in numbers):
            raise _Wrong("must be a number above 0, or a table of such", "price_factors", name)
    return {
        name: {_value(fields[name].choices, key): one for key, one in factor.items()}
        if isinstance(factor, dict)
        else factor
        for name, factor in table.items()
    }


def read_model(path: Path) -> Model:
    """Read a model from a file.

    Raises
    ------
    InvalidRequest
        It is not there, no text, too large, or wrong: the message names the line and the field.
    """
    problem = ""
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else None
        if data is not None:
            return Model.from_toml(data.decode(), where=path.name)
        problem = f"is larger than {MAX_FILE_BYTES // 1000} kB"
    except UnicodeDecodeError:
        problem = "is not UTF-8 text"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    raise InvalidRequest(f"{path.name}: {problem}", field="model")
