"""A sweep's plan: every combination of what is listed, in a fixed order, known in full before anything runs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import Any

from ..catalogue.field import MANY, Field
from ..catalogue.model import Model
from ..catalogue.models import DEFAULT, models
from ..catalogue.request import Request, identifies, quietly, spread, with_cast
from ..client.client import Client
from ..errors import InvalidRequest, one_line
from ..references.cast import Cast, holds_cast
from ..references.reference import Reference, Source
from ..request import DEFAULTS, AspectRatio, MovementAmplitude, given
from .formatting import format_value, label_value, plan_html, plan_text
from .pricing import Quote, quote_plan

MAX_REQUESTS = 1_000_000


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """The requests of a sweep: a sequence that makes each one when it is asked for.

    The order is that of a nested loop over the parameters as the model lists them, the rightmost swept one changing
    fastest.

    Attributes
    ----------
    parameters : mapping of str to tuple
        The values of each parameter, one or many; of ``references``, sets of pictures. None is what is not sent. With a
        `Cast` in a set, prompts are as they were written, and each request takes those that its prompt mentions.
    quote : Quote or None
        Price, time and cached clips with one client, from `priced`.
    model : Model
        Which is asked.

    >>> plan = Plan.of("A cat", "https://example.com/cat.png", seed=[1, 2, 3], aspect_ratio=["16:9", "9:16"])
    >>> len(plan), plan[1].seed, plan[1].aspect_ratio
    (6, 2, '16:9')
    >>> plan.axes
    {'aspect_ratio': ('16:9', '9:16'), 'seed': (1, 2, 3)}
    >>> plan.values(4)["seed"], plan.label(4), plan.facts()["requests"]
    (2, '9:16 · seed 2', 6)
    >>> plan.unit, plan.fields["seed"].maximum, plan.unchecked(4) == plan[4]
    ('clip', 999999, True)
    """

    parameters: Mapping[str, tuple[Any, ...]]
    quote: Quote | None = field(default=None, compare=False)
    model: Model = field(default_factory=lambda: models[DEFAULT])

    @classmethod
    def of(
        cls,
        /,
        prompt: str | Iterable[str] = DEFAULTS.prompt,
        references: Source = DEFAULTS.references,
        *,
        aspect_ratio: AspectRatio | Iterable[AspectRatio] = DEFAULTS.aspect_ratio,
        duration: int | Iterable[int] = DEFAULTS.duration,
        seed: int | Iterable[int] = DEFAULTS.seed,
        bgm: bool | Iterable[bool] = DEFAULTS.bgm,
        movement_amplitude: MovementAmplitude | Iterable[MovementAmplitude] = DEFAULTS.movement_amplitude,
        model: Model | str | None = None,
        **parameters: Any,
    ) -> Plan:
        """Make a plan over every parameter that is given as a list.

        Parameters
        ----------
        prompt, aspect_ratio, duration, seed, bgm, movement_amplitude
            A value as `VideoRequest` takes it, or a list, range or array of them, each named once.
        references
            One source or a flat list is one set of pictures; a list of lists sweeps over sets. Of a `Cast` in a set,
            each prompt takes whom it mentions.
        model
            A `Model` or its slug from `models`; by default Vidu Q1.
        **parameters
            Another model's own, one value or a list; of a parameter that is itself a list of pictures or links, as of
            ``references``, a list of lists.

        Raises
        ------
        InvalidRequest
            A value is wrong, is given twice, or there are more than a million requests. Nothing was sent.

        >>> Plan.of("A cat", [["https://example.com/a.png"], ["https://example.com/b.png"]], seed=range(1, 4))
        Plan: 6 requests
          references  2  a.png | b.png
          seed        3  1, 2, 3
          ...
        """
        asked = models.find(model)
        listed = _listed(asked, given({
            "prompt": prompt, "references": references, "aspect_ratio": aspect_ratio, "duration": duration,
            "seed": seed, "bgm": bgm, "movement_amplitude": movement_amplitude, **parameters,
        }))  # fmt: skip
        many = math.prod(len(values) for values in listed.values())
        if many > MAX_REQUESTS:
            raise InvalidRequest(f"sweep: {many:,} requests: at most {MAX_REQUESTS:,} are taken", field="sweep")
        first = {name: values[0] for name, values in listed.items()}
        with quietly():
            request = asked.request(**first)
        checked = {name: tuple(_checked(asked, name, values, first)) for name, values in listed.items()}
        _check_casts(asked, checked)
        return cls({name: checked.get(name, (value,)) for name, value in request.values().items()}, model=asked)

    def priced(self, client: Client | None = None, *, workers: int = 4) -> Plan:
        """Return the plan with a quote: how many clips are cached, US dollars and seconds for the others.

        Parameters
        ----------
        client
            Who would be asked; defaults to `Client.from_env()`. Nothing is sent.
        workers
            Calls at a time.

        >>> from vidu_nb import Client
        >>> plan = Plan.of("A cat", "https://example.com/cat.png", seed=[1, 2, 3])
        >>> priced = plan.priced(Client("an-invented-key", price_usd=0.5))
        >>> priced.kept, priced.price_usd, priced.seconds
        (0, 1.5, 120.0)
        """
        return replace(self, quote=quote_plan(self, client or Client.from_env(), workers=workers))

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The swept parameters, those with more than one value, slowest first."""
        return {name: values for name, values in self.parameters.items() if len(values) > 1}

    @property
    def kept(self) -> int | None:
        """How many of the clips are cached in the archive; None for a plan that is not `priced`."""
        return None if self.quote is None else len(self.quote.kept)

    @property
    def price_usd(self) -> float | None:
        """US dollars for the clips that are not cached; None for a plan that is not `priced`."""
        return None if self.quote is None else self.quote.price_usd

    @property
    def seconds(self) -> float | None:
        """Expected seconds for the clips that are not cached; None for a plan that is not `priced`."""
        return None if self.quote is None else self.quote.seconds

    @property
    def unit(self) -> str:
        """What a request brings, as a word: a clip, or a result of one picture or more."""
        return "clip" if self.model.returns == "video" else "result"

    @property
    def fields(self) -> Mapping[str, Field]:
        """What the model's file says of each parameter."""
        return self.model.by_parameter

    def values(self, index: int) -> dict[str, Any]:
        """Return one request's parameters, as `Model.request` takes them.

        Raises
        ------
        IndexError
            There are fewer requests.
        """
        place = range(len(self))[index]
        found = {}
        for name, values in reversed([*self.parameters.items()]):
            place, at = divmod(place, len(values))
            found[name] = values[at]
        return found

    def unchecked(self, index: int) -> Request:
        """Return one request without checking its parameters again, for those who need many."""
        if _has_cast(self.parameters):  # it is yet to be written out
            return self[index]
        return self.model.request_class.model_construct(**self.values(index))

    def label(self, index: int) -> str:
        """Return the values that tell one request from the others, as text; IndexError as for `values`.

        >>> Plan.of("A cat", "https://example.com/cat.png", seed=[1, 2], bgm=[True, False]).label(1)
        'seed 1 · bgm off'
        """
        values = self.values(index)
        return " · ".join(label_value(self.fields[name], values[name]) for name in self.axes)

    def position(self, **parameters: Any) -> int:
        """Return the place of the request with these parameters.

        Parameters
        ----------
        **parameters
            A value for each swept parameter; of ``references`` and other pictures, its number.

        Raises
        ------
        InvalidRequest
            A swept parameter is not named, or the plan has no such value.

        >>> Plan.of("A cat", "https://example.com/cat.png", seed=[1, 2, 3]).position(seed=2)
        1
        """
        if missing := [name for name in self.axes if name not in parameters]:
            values = self.axes[missing[0]]
            problem = f"{missing[0]}: the plan has {len(values):,} values of it: pass {missing[0]}=..., too"
            raise InvalidRequest(problem, field=missing[0])
        if strange := [name for name in parameters if name not in self.parameters]:
            raise InvalidRequest(f"{strange[0]}: no such parameter", field=strange[0])
        place = 0
        for name, values in self.parameters.items():
            choices: tuple[Any, ...] = tuple(range(len(values))) if self.fields[name].is_media else values
            wanted = parameters.get(name, choices[0])
            if wanted not in choices:
                raise InvalidRequest(f"{name}: {wanted!r} is not in this plan", field=name)
            place = place * len(values) + choices.index(wanted)
        return place

    def facts(self) -> dict[str, Any]:
        """Return axes, counts, price and time as JSON-ready values."""
        axes: dict[str, Any] = {
            name: [format_value(self.fields[name], value) for value in values]
            if self.fields[name].is_media
            else list(values)
            for name, values in self.axes.items()
        }
        quote = self.quote
        figures = {"engine": quote.engine, "kept": self.kept, "price_usd": self.price_usd} if quote else {}
        named = {} if self.model == DEFAULT else {"model": self.model.slug}
        return {**named, "axes": axes, "requests": len(self), **figures, "seconds": self.seconds}

    def digest(self, client: Client) -> str:
        """Return a name for this plan with this client's engine, 16 hex digits: the same for the same requests.

        >>> from vidu_nb import Client
        >>> len(Plan.of("A cat", "https://example.com/cat.png", seed=[1, 2]).digest(Client.preview()))
        16
        """
        asked = dict(self.parameters)
        if _has_cast(asked):  # what is sent counts, and not who else is in the cast
            pairs = list(_pairs(self.model, asked))
            asked["prompt"] = tuple(one["prompt"] for one in pairs)
            asked["references"] = tuple(tuple(one["references"]) for one in pairs)
        counted = {
            name: [_identity(one) for one in values] if self.fields[name].is_media else values
            for name, values in asked.items()
            if len(values) > 1 or (values[0] is not None and identifies(self.fields[name], *values))
        }
        identity = [client.engine, client.name_of(self.model), counted]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.parameters.values())

    def __getitem__(self, index: int) -> Request:
        with quietly():  # the plan has warned already
            return self.model.request(**self.values(index))

    def __iter__(self) -> Iterator[Request]:
        return (self[index] for index in range(len(self)))

    def __hash__(self) -> int:
        return hash(tuple(self.parameters.items()))

    def __repr__(self) -> str:
        return plan_text(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        return {"text/plain": plan_text(self), "text/html": plan_html(self)}


def _identity(value: Any) -> Any:
    """Return what tells a set of pictures, or one, from another."""
    if isinstance(value, tuple):
        return [_identity(one) for one in value]
    return None if value is None else (value.sha256, value.name)


def _has_cast(parameters: Mapping[str, Sequence[Any]]) -> bool:
    return any(map(holds_cast, parameters.get("references", ())))


def _pairs(model: Model, parameters: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Each prompt with each set of pictures, as they are sent."""
    for prompt, references in product(parameters["prompt"], parameters["references"]):
        yield with_cast(model, {"prompt": prompt, "references": references})


def _check_casts(model: Model, parameters: Mapping[str, Sequence[Any]]) -> None:
    """Refuse a prompt that mentions somebody who is missing in any of the sets; each was checked with the first."""
    if _has_cast(parameters):
        for _ in _pairs(model, parameters):
            pass


def _listed(model: Model, parameters: dict[str, Any]) -> dict[str, list[Any]]:
    """Return each parameter that is given, under its name in Python and in the model's order, as a list of values."""
    named: dict[str, Any] = {}
    for asked, value in parameters.items():
        one = model.by_parameter.get(asked) or model.fields.get(asked)
        name = one.parameter if one else asked
        if name in named:
            raise InvalidRequest(f"{asked}: is another name of {name}: pass one of the two", field=name)
        named[name] = value
    named = _laid_out(model, named)
    if strange := [name for name in named if name not in model.by_parameter]:
        problem = f"{strange[0]}: unknown parameter; known are {', '.join(model.by_parameter)}"
        raise InvalidRequest(problem, field=strange[0])
    return {name: _values(one, named[name]) for name, one in model.by_parameter.items() if name in named}


def _laid_out(model: Model, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with one set of references laid out over a model's single pictures."""
    pictures = parameters.get("references")
    if "references" in model.by_parameter or not (_is_many(pictures) or holds_cast(pictures)):
        return spread(model, parameters)
    names = [one.parameter for one in model.media if one.type == "picture"]
    problem = f"references: {model.slug} takes single pictures: list them for each of {', '.join(names)}"
    problem += f", as in {names[-1]}=cast['anna'][0]" if holds_cast(pictures) and names else ""
    raise InvalidRequest(problem, field="references")


def _values(field: Field, given: Any) -> list[Any]:
    """Return one value or many as a list; pictures and links as a request holds them, so that they are read once."""
    if not field.is_media:
        return _one_or_many(field.parameter, given)
    is_list = isinstance(given, list | tuple) if field.type not in MANY else _is_many(given)
    return [_medium(field, one) for one in (given if is_list else [given])]


def _is_many(given: Any) -> bool:
    """Return whether these are sets of pictures: a list that holds lists."""
    return isinstance(given, list | tuple) and any(isinstance(one, list | tuple) for one in given)


def _medium(field: Field, given: Any) -> Any:
    if holds_cast(given):
        return _set_with_cast(field.parameter, [given] if isinstance(given, Cast) else given)
    try:
        return field.check(given)
    except InvalidRequest:
        raise
    except ValueError as error:
        problem = f"{field.parameter}: {error}"
    raise InvalidRequest(problem, field=field.parameter)


def _set_with_cast(name: str, sources: Sequence[Any]) -> tuple[Cast | Reference, ...]:
    """Return a set of pictures with a cast in it, whose other pictures are read once."""
    found: list[Cast | Reference] = []
    for i, one in enumerate(sources):
        try:
            found.append(one if isinstance(one, Cast) else Reference(one))
        except InvalidRequest as error:
            raise InvalidRequest(f"{name}[{i}]: {error.message}", field=f"{name}[{i}]") from None
    return tuple(found)


def _one_or_many(name: str, given: Any) -> list[Any]:
    if isinstance(given, set | frozenset | Mapping):
        raise InvalidRequest(f"{name}: a {type(given).__name__} has no order: pass a list", field=name)
    if hasattr(given, "tolist"):
        given = given.tolist()  # the numbers in an array are no Python numbers
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        return [given]
    values = list(islice(given, MAX_REQUESTS + 1))
    if not values:
        raise InvalidRequest(f"{name}: the list is empty: pass one value at least", field=name)
    return values


def _checked(model: Model, name: str, values: list[Any], first: dict[str, Any]) -> Iterator[Any]:
    """The values of one parameter as a request holds them, each checked beside the others' first and named once."""
    field = model.by_parameter[name]
    taken: Iterable[Any] = (_taken(model, field, value, first) for value in values)
    if field.role == "seed" and all(type(value) is int for value in values):  # the one list that is ever long
        for end in (min(values), max(values)):  # a range of numbers is right where its ends are
            _taken(model, field, end, first)
        taken = values
    seen = set()
    for value in taken:
        if isinstance(value, list | dict):
            raise InvalidRequest(f"{name}: {one_line(repr(value), 80)}: a value is no list", field=name)
        if value in seen:
            raise InvalidRequest(
                f"{name}: {format_value(field, value)} is given twice: name each value once", field=name
            )
        seen.add(value)
        yield value


def _taken(model: Model, field: Field, value: Any, first: dict[str, Any]) -> Any:
    """A value as a request holds it; of prompts with a cast, and of a set with one, as it was written."""
    # Who warns is warned of once for each here, and not again with every other parameter's values.
    with nullcontext() if field.remarks else quietly():
        request = model.request(**{**first, field.parameter: value})
    if holds_cast(value):
        return value
    is_written = field.role == "prompt" and holds_cast(first.get("references"))
    return value.strip() if is_written else getattr(request, field.parameter)
