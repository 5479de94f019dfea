"""Price a plan: which clips are cached, and what the others would cost and take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from ..client.engines import PREVIEW_SECONDS
from ..client.estimates import Estimate, recent_receipts
from ..folders import KEY_DIGITS
from ..request import MAX_SEED

if TYPE_CHECKING:
    from ..catalogue.model import Model
    from ..client.client import Client
    from .plan import Plan


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a plan with one client.

    Attributes
    ----------
    engine : str
        Who would be asked.
    is_free : bool
    kept : frozenset of int
        The places in the plan of the requests that the archive answers.
    price_usd : float
        US dollars for the others.
    seconds : float
        Expected for the others, with as many calls at a time as were named.
    """

    engine: str
    is_free: bool
    kept: frozenset[int] = field(repr=False)
    price_usd: float
    seconds: float


def quote_plan(plan: Plan, client: Client, *, workers: int) -> Quote:
    """Price a plan; looks at the archive and sends nothing."""
    cached = frozenset(_kept(plan, client))
    left = len(plan) - len(cached)
    workers = max(1, min(workers, left))
    price = 0.0 if client.is_free else _price(plan, client, cached)
    seconds = left * seconds_each(plan.model, client, workers) / workers
    return Quote(client.engine, client.is_free, cached, price, seconds)


def _price(plan: Plan, client: Client, cached: frozenset[int]) -> float:
    if not plan.model.price_factors:  # all cost the same
        return (len(plan) - len(cached)) * client.price_of(plan[0])
    return sum(client.price_of(plan.unchecked(index)) for index in range(len(plan)) if index not in cached)


def _kept(plan: Plan, client: Client) -> Iterator[int]:
    """The places of the requests that the archive answers; one look at its folder, and a key for each likely one."""
    known = client.archive.keys(client.engine)
    if not known:
        return
    starts = {one.start for one in known}
    likely = _likely_seeds(plan, {one.seed for one in known})
    choices = [
        [(place, value) for place, value in enumerate(values) if name not in likely or value in likely[name]]
        for name, values in plan.parameters.items()
    ]
    model = client.name_of(plan.model)
    for chosen in product(*choices):
        index = 0
        for values, (place, _) in zip(plan.parameters.values(), chosen, strict=True):
            index = index * len(values) + place
        request = client.archive.recognise(plan.unchecked(index))
        if client.archive.key_of(request, engine=client.engine, model=model)[:KEY_DIGITS] in starts:
            yield index


def _likely_seeds(plan: Plan, known: set[int]) -> dict[str, set[Any]]:
    """Return the seeds in a plan that a kept clip may have, by its parameter: the one list that is ever long.

    A clip's name holds its seed, and 0 in place of what is no such number. A random seed is never replayed.
    """
    field = plan.model.by_role("seed")
    if field is None:
        return {}

    def is_likely(seed: Any) -> bool:
        is_named = type(seed) is int and 0 < seed <= MAX_SEED and field.name == "seed"
        return seed in known or (0 in known and not is_named)

    seeds = plan.parameters[field.parameter]
    replayed = (one for one in seeds if field.random is None or one != field.random)
    return {field.parameter: set(filter(is_likely, replayed))}


def seconds_each(model: Model, client: Client, workers: int) -> float:
    """Estimate what a request to this model takes while others are made."""
    name = client.name_of(model)
    seen = recent_receipts(client.archive, client.engine, name)
    if not seen:  # one preview takes all of this machine
        return PREVIEW_SECONDS * workers if client.is_free else model.seconds
    estimate = Estimate(client.price_usd, model.seconds)
    estimate.learn(seen)
    return estimate.seconds(client.engine)
