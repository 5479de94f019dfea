"""Models as facts and as text: what each returns and costs, and what can be asked of one. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..catalogue.field import Field
from ..catalogue.model import Model
from ..console import dollars, printable
from ..errors import one_line
from ..sweeps.result import Rows

_VALUES = 40  # characters
_FACTS = (
    "type", "role", "title", "help", "required", "default", "minimum", "maximum", "multiple_of", "max_length",
    "min_items", "max_items", "choices", "random", "mark",
)  # fmt: skip


def model_facts(model: Model) -> dict[str, Any]:
    """Return a model's own facts as JSON-ready values."""
    return {
        "slug": model.slug, "title": model.title, "returns": model.returns, "price_usd": model.price_usd,
        "seconds": model.seconds,
    }  # fmt: skip


def field_facts(field: Field) -> dict[str, Any]:
    """Return what a model's file says of a parameter as JSON-ready values; `documented` is whether that is sure."""
    known = {name: value for name in _FACTS if (value := getattr(field, name)) not in (None, "", (), False)}
    if "choices" in known:
        known["choices"] = list(field.choices)
    if field.default is not None:
        known["default"] = field.default
    return {"name": field.name, "parameter": field.parameter, **known, "documented": field.sure}


def described(model: Model) -> dict[str, Any]:
    """Return a model's facts with its parameters as JSON-ready values."""
    return {
        **model_facts(model),
        "source": model.source,
        "fields": [field_facts(field) for field in model.fields.values()],
    }


def models_text(models: Iterable[Model]) -> str:
    """List models in columns: slug, title, what it returns, price and time of a call."""
    return repr(Rows(
        {
            "model": one.slug, "title": one.title, "returns": one.returns, "price": dollars(one.price_usd),
            "time": f"{one.seconds:g} s",
        }
        for one in models
    ))  # fmt: skip


def model_text(model: Model) -> str:
    """List a model's parameters in columns, with limits and what is not documented."""
    rows = Rows(
        {
            "parameter": field.parameter,
            "type": field.type,
            "default": _default(field),
            "values": one_line(", ".join(_limits(field)), _VALUES),
            "": "" if field.sure else "not documented",
            "what it is": field.help,
        }
        for field in model.fields.values()
    )
    head = f"{model.slug}: {model.title}"
    facts = f"returns: {model.returns}; about {dollars(model.price_usd)} and {model.seconds:g} s a call"
    lines = [head, facts, *([f"source: {model.source}"] if model.source else [])]
    unsure = "What is not documented is passed on unchecked, and such a default is not sent."
    more = [unsure] if any(not field.sure for field in model.fields.values()) else []
    return "\n".join([*map(printable, lines), "", repr(rows), *more])


def _default(field: Field) -> str:
    if field.required:
        return "required"
    value = ("off", "on")[field.default] if isinstance(field.default, bool) else field.default
    return "" if value is None else str(value)


def _limits(field: Field) -> Iterator[str]:
    """Say what a parameter takes, in parts of a sentence."""
    if field.choices:
        yield " | ".join(map(str, field.choices))
    low, high = (field.min_items, field.max_items) if field.is_media else (field.minimum, field.maximum)
    if low is not None and high is not None:
        yield f"{low} to {high}"
    elif low is not None or high is not None:
        yield f"at least {low}" if high is None else f"at most {high}"
    if field.multiple_of is not None:
        yield f"multiples of {field.multiple_of:g}"
    if field.max_length is not None:
        yield f"at most {field.max_length:,} characters"
    if field.random is not None:
        yield f"{field.random} is random"
