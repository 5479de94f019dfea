"""Price a plan: which clips are cached, and what the others would cost and take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from ..client.estimates import Estimate, recent_receipts
from ..folders import KEY_DIGITS
from ..request import VideoRequest

if TYPE_CHECKING:
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
    price = 0.0 if client.is_free else left * client.price_usd
    seconds = left * _seconds_each(client, workers) / workers
    return Quote(client.engine, client.is_free, cached, price, seconds)


def _kept(plan: Plan, client: Client) -> Iterator[int]:
    """The places of the requests that the archive answers; one look at its folder, and a key for each likely one."""
    known = defaultdict(set)
    for one in client.archive.keys(client.engine):
        known[one.aspect_ratio, one.seed].add(one.start)
    if not known:
        return
    likely: dict[str, set[Any]] = {"aspect_ratio": {ratio for ratio, _ in known}}
    likely["seed"] = {seed for _, seed in known} - {0}
    choices = [
        [(place, value) for place, value in enumerate(values) if name not in likely or value in likely[name]]
        for name, values in plan.parameters.items()
    ]
    for chosen in product(*choices):
        index, said = 0, {}
        for (name, values), (place, value) in zip(plan.parameters.items(), chosen, strict=True):
            index, said[name] = index * len(values) + place, value
        found = known.get((said["aspect_ratio"], said["seed"]))
        if not found:
            continue
        request = client.archive.recognise(VideoRequest.model_construct(**said))  # checked with the plan
        name = client.name_of(request.model)
        if client.archive.key_of(request, engine=client.engine, model=name)[:KEY_DIGITS] in found:
            yield index


def _seconds_each(client: Client, workers: int) -> float:
    """Estimate what a clip of this model takes while others are made."""
    seen = recent_receipts(client.archive, client.engine, client.model)
    estimate = Estimate(client.price_usd)
    estimate.learn(seen)
    seconds = estimate.seconds(client.engine)
    return seconds * workers if client.is_free and not seen else seconds  # one preview takes all of this machine
