"""A model's TOML file: read and checked, or refused by the line and the key that is wrong."""

from __future__ import annotations

import dataclasses
import json
import keyword
import math
import re
import string
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from ..errors import InvalidRequest, one_line
from .field import MEDIA, Field, Role, Type, either
from .request import DRAFT_ENDING, Request
from .toml_lines import TomlError, line_of, parse

Returns = Literal["video", "image"]
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NAME = re.compile(r"[A-Za-z_]\w{0,99}", re.ASCII)
_BARE = re.compile(r"[A-Za-z0-9_-]+")  # a key that needs no quotes
FRAME_SIDE = 8192  # px
MOST = 1e6  # US dollars, seconds, and what a price is multiplied by

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
_NUMBERS = ("integer", "number")
#: Which types a key is for, where it isn't for all.
_KEYS_OF_TYPES: dict[str, tuple[str, ...]] = {
    "minimum": _NUMBERS, "maximum": _NUMBERS, "multiple_of": _NUMBERS,
    "max_length": ("string",), "min_items": ("pictures", "links"), "max_items": ("pictures", "links"),
    "choices": ("string", *_NUMBERS), "sizes": ("string", *_NUMBERS), "remarks": ("string", *_NUMBERS),
    "random": ("string", *_NUMBERS), "animated": ("picture", "pictures"),
}  # fmt: skip
#: Which types a role can be played by, where it can't by all.
_ROLES_OF_TYPES: dict[str, tuple[str, ...]] = {
    "prompt": ("string",), "references": ("pictures",), "picture": ("picture",), "face": ("picture",),
    "videos": ("links",), "voice": ("link",), "seed": ("integer",), "duration": _NUMBERS,
    "width": ("integer",), "height": ("integer",), "samples": ("integer",), "base64": ("boolean",),
}  # fmt: skip
#: Names that functions such as `vidu_nb.generate` have for something of their own.
_OF_CALLERS = frozenset({
    "again", "budget_usd", "client", "confirm", "executor", "fresh", "max_workers", "offline", "quality",
})  # fmt: skip


class _Wrong(Exception):  # never leaves this module
    """What is wrong, and where in the tables it stands."""

    def __init__(self, problem: str, *where: str) -> None:
        super().__init__(problem)
        self.where = where


def read(text: str, where: str) -> dict[str, Any]:
    """Return a model's facts: what stands in its file, checked, with a `Field` for each parameter.

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
    """
    text = text.replace("\r\n", "\n")
    try:
        return _facts(parse(text))
    except _Wrong as error:
        place = ".".join(key if _BARE.fullmatch(key) else json.dumps(key) for key in error.where)
        line, problem = line_of(text, error.where), f"{place}: {error}"
    except TomlError as error:
        line, problem = error.line, str(error)
    raise InvalidRequest(f"{where}, line {line}: {one_line(problem)}", field="model")


def _facts(payload: dict[str, Any]) -> dict[str, Any]:
    _check_keys(payload, _TOP)
    for name in ("slug", "title", "returns", "price_usd", "fields"):
        if name not in payload:
            raise _Wrong("is missing", name)
    _check_facts(payload)
    tables = payload["fields"]
    for name, table in tables.items():
        _check_table(name, table)
    parameters = _parameters(tables)
    fields = {name: _field(name, parameters[name], table) for name, table in tables.items()}
    factors = {name: _checked_factor(name, factor, fields) for name, factor in payload.get("price_factors", {}).items()}
    texts = {name: one_line(payload[name]) for name in ("title", "source") if name in payload}
    amounts = {name: float(payload[name]) for name in ("price_usd", "seconds") if name in payload}
    return payload | texts | amounts | {"fields": fields, "price_factors": factors}


def _check_facts(payload: dict[str, Any]) -> None:
    slug = payload["slug"]
    if not _SLUG.fullmatch(slug):
        raise _Wrong(f"{slug!r} must be letters, digits, dots, dashes and underscores", "slug")
    if slug.endswith(DRAFT_ENDING):
        raise _Wrong(f"{slug!r} ends in {DRAFT_ENDING}, which asks for a draft of a preview", "slug")
    if not one_line(payload["title"]):
        raise _Wrong("is empty", "title")
    if payload["returns"] not in get_args(Returns):
        raise _Wrong(f"{payload['returns']!r} is not one of {', '.join(get_args(Returns))}", "returns")
    for name in ("price_usd", "seconds"):
        if not 0 <= payload.get(name, 1) < MOST:
            raise _Wrong(f"{payload[name]!r} is not an amount", name)
    try:
        parts = [part[1:] for part in string.Formatter().parse(payload.get("mention", ""))]
    except ValueError:
        parts = [("", "", "")]
    if any(part not in ((None, None, None), ("name", "", None), ("number", "", None)) for part in parts):
        raise _Wrong("may hold {name} and {number}, and no other braces", "mention")


def _check_table(name: str, table: Any) -> None:
    """Check what a parameter's table has, and whether it fits together; not yet the values."""
    if not isinstance(table, dict):
        raise _Wrong("must be a table", "fields", name)
    if not _NAME.fullmatch(name):
        raise _Wrong("a parameter's name is made of letters, digits and underscores", "fields", name)
    _check_keys(table, _OF_A_FIELD, "fields", name)
    for key, allowed in (("type", get_args(Type)), ("role", get_args(Role))):
        if key in table and table[key] not in allowed:
            raise _Wrong(f"{table[key]!r} is not one of {', '.join(filter(None, allowed))}", "fields", name, key)
    if "type" not in table:
        raise _Wrong("is missing", "fields", name, "type")
    role, kind = table.get("role", ""), table["type"]
    if kind not in (allowed := _ROLES_OF_TYPES.get(role, (kind,))):
        raise _Wrong(f"with the role {role!r} it must be {either(allowed)}", "fields", name, "type")
    for key in table:
        if kind not in (allowed := _KEYS_OF_TYPES.get(key, (kind,))):
            raise _Wrong(f"is for {either(allowed)}", "fields", name, key)
    if "default" in table and (kind in MEDIA or table.get("required")):
        raise _Wrong("what is required has no default, and neither have pictures and links", "fields", name, "default")
    _check_limits(table, "fields", name)


def _check_limits(table: dict[str, Any], *where: str) -> None:
    for key in ("minimum", "maximum", "multiple_of"):
        if isinstance(table.get(key), float) and not math.isfinite(table[key]):
            raise _Wrong(f"{table[key]!r} is no limit", *where, key)
    for key in ("multiple_of", "max_length", "min_items", "max_items"):
        if key in table and table[key] <= 0:
            raise _Wrong("must be above 0", *where, key)
    for low, high in (("minimum", "maximum"), ("min_items", "max_items")):
        if low in table and high in table and table[high] < table[low]:
            raise _Wrong(f"{table[high]!r} is below {low}, {table[low]!r}", *where, high)
    if table.get("choices") == []:
        raise _Wrong("is empty", *where, "choices")


def _field(name: str, parameter: str, table: dict[str, Any]) -> Field:
    where = ("fields", name)
    bare = Field(name, table["type"], parameter)  # with nothing but a type
    facts = table | {key: one_line(table[key]) for key in ("title", "help", "hint", "mark") if key in table}
    facts = {"title": name.replace("_", " ").strip().capitalize()} | facts
    facts["choices"] = tuple(_checked(bare, choice, *where, "choices") for choice in table.get("choices", ()))
    made = Field(
        name=name, parameter=parameter, **{key: facts[key] for key in facts if key not in ("sizes", "remarks")}
    )
    exact = made if made.sure else bare
    values = {key: _checked(exact, table[key], *where, key) for key in ("default", "random") if key in table}
    return dataclasses.replace(
        made,
        sizes=_by_value(made, table.get("sizes", {}), _size, *where, "sizes"),
        remarks=_by_value(made, table.get("remarks", {}), _remark, *where, "remarks"),
        **values,
    )


def _parameters(tables: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the parameters' names in Python.

    A prompt and references are called so; others as the API calls them, with an underscore more where a request or
    Python has something else of that name.
    """
    roles: dict[str, str] = {}  # a role → who plays it
    for name, table in tables.items():
        if role := table.get("role"):
            if role in roles:
                raise _Wrong(f"{role!r} is {roles[role]}'s role already", "fields", name, "role")
            roles[role] = name
    named: dict[str, str] = {roles[role]: role for role in ("prompt", "references") if role in roles}
    named |= {name: name for name in tables if name not in named and _is_free(name) and name not in named.values()}
    for name in tables:
        if name not in named:
            base = name.strip("_")
            parameter = f"{base}_" if base[:1].isalpha() else f"x{base}_"
            while parameter in named.values():
                parameter += "_"
            named[name] = parameter
    return named


def _is_free(name: str) -> bool:
    taken = keyword.iskeyword(name) or name in _OF_CALLERS or name in Request.__class_vars__ or hasattr(Request, name)
    return not taken and not name.startswith("_")


def _check_keys(table: dict[str, Any], known: dict[str, tuple[type, ...]], *where: str) -> None:
    names = {str: "text", float: "a number", bool: "true or false", list: "a list", dict: "a table"}
    for key, value in table.items():
        if key not in known:
            raise _Wrong(f"is not known; known are {', '.join(known)}", *where, key)
        kinds = known[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            wanted = [names[kind] for kind in kinds if kind in names] or ["a whole number"]
            raise _Wrong(f"must be {either(wanted)}", *where, key)


def _checked(one: Field, value: Any, *where: str) -> Any:
    problem = ""
    try:
        return one.check(value)
    except ValueError as error:
        problem = str(error)
    raise _Wrong(problem, *where)


def _by_value(one: Field, table: dict[str, Any], read: Callable[..., Any], *where: str) -> dict[Any, Any]:
    """Return a table by the values that its keys, which are always text, stand for."""
    strict = dataclasses.replace(one, sure=True)
    return {_checked(strict, _parsed(one, key), *where): read(value, *where) for key, value in table.items()}


def _parsed(one: Field, key: str) -> Any:
    try:
        if one.type == "boolean":
            return {"true": True, "false": False}[key]
        return {"integer": int, "number": float}[one.type](key) if one.type in _NUMBERS else key
    except (ValueError, KeyError):
        return key  # and refused as the text that it is


def _size(size: Any, *where: str) -> tuple[int, int]:
    is_pair = isinstance(size, list) and len(size) == 2
    if is_pair and all(type(side) is int and 0 < side <= FRAME_SIDE for side in size):
        return size[0], size[1]
    raise _Wrong("each must be width and height in pixels", *where)


def _remark(text: Any, *where: str) -> str:
    if isinstance(text, str):
        return one_line(text)
    raise _Wrong("each must be text", *where)


def _checked_factor(name: str, factor: Any, fields: Mapping[str, Field]) -> Any:
    where = ("price_factors", name)
    if name not in fields:
        raise _Wrong("there is no such parameter", *where)
    one = fields[name]
    numbers = list(factor.values()) if isinstance(factor, dict) else [factor]
    if not numbers or not all(type(number) in (int, float) and 0 < number < MOST for number in numbers):
        raise _Wrong("must be a number above 0, or a table of such", *where)
    if isinstance(factor, dict) and not one.is_media:
        return _by_value(one, factor, lambda number, *_: number, *where)
    if one.type not in _NUMBERS:
        raise _Wrong("only a number's value multiplies a price; for others write a table of values", *where)
    return factor
