"""What is known of an account: its balance, and the calls that are not closed."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from ..catalogue.field import plain
from ..receipt import number
from ..recipe import MODEL_FACT, prompt_noted, value_noted
from ..storage.journal import Attempt
from .messages import as_json


@functools.total_ordering
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Credits:
    """US dollars left on the account. Compares and formats like its total, and ``float()`` gives that.

    Attributes
    ----------
    paid, free : float
        The two parts: bought, and given by the service.

    >>> credits = Credits(2.0, 0.5)
    >>> credits, credits.total, float(credits)
    (Credits(2.50 USD: 2.00 paid, 0.50 free), 2.5, 2.5)
    >>> credits > 0.5, credits == 2.5, f"{credits:.2f}"
    (True, True, '2.50')
    """

    paid: float
    free: float = 0.0

    @classmethod
    def from_answer(cls, body: bytes) -> Credits | None:
        """Read the balance from an answer's body, None where it names none."""
        payload = as_json(body)
        payload = payload if isinstance(payload, dict) else {}
        paid, free = number(payload.get("credits")), number(payload.get("free-credits"))
        return None if paid is None and free is None else cls(paid or 0.0, free or 0.0)

    @property
    def total(self) -> float:
        """Both parts together."""
        return self.paid + self.free

    def __float__(self) -> float:
        return self.total

    def __eq__(self, other: object) -> bool:
        other = plain(other)
        return self.total == float(other) if isinstance(other, Credits | int | float) else NotImplemented

    def __lt__(self, other: Credits | float) -> bool:
        other = plain(other)
        return self.total < float(other) if isinstance(other, Credits | int | float) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.total)

    def __format__(self, spec: str) -> str:
        return format(self.total, spec) if spec else repr(self)

    def __repr__(self) -> str:
        return f"Credits({self.total:.2f} USD: {self.paid:.2f} paid, {self.free:.2f} free)"


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that is not closed.

    Attributes
    ----------
    id : str
        For `Client.settle`.
    state : str
        ``"unknown"``: it may have been billed. ``"fetchable"``: paid, and `Client.resume` brings the clip at no cost.
    prompt : str
    seed : int
    engine : str
    since : str
        UTC, ISO 8601.
    price_usd : float
        What it may have cost.
    credits_before, credits_now : float or None
        US dollars on the account before the call and now, where known.
    reason : str
        What happened.
    record : str
        What the service's own record says: ``"completed"``, ``"failed"``, ``"pending"``, or ``"not found"``, which does
        not mean that it was not billed. Empty where the record can't be read.

    >>> from vidu_nb import Client
    >>> [call.price_usd for call in Client("an-invented-key").pending()]  # nothing was asked yet
    []
    """

    id: str
    state: str
    prompt: str
    seed: int
    engine: str
    since: str
    price_usd: float
    credits_before: float | None
    credits_now: float | None
    reason: str
    record: str = ""

    @classmethod
    def from_attempt(cls, attempt: Attempt, *, fetchable: bool, credits_now: float | None, record: str) -> Pending:
        """Make the entry for an attempt in the journal."""
        request: dict[str, Any] = attempt.facts["request"]
        model = attempt.facts.get(MODEL_FACT)
        seed = value_noted(request, "seed", model=model)
        return cls(
            id=attempt.id,
            state="fetchable" if fetchable else "unknown",
            prompt=prompt_noted(request, model=model),
            seed=seed if type(seed) is int else 0,
            engine=str(attempt.facts["engine"]),
            since=str(attempt.facts["events"][0]["at"]),
            price_usd=float(attempt.facts["price_usd"]),
            credits_before=attempt.facts.get("credits_before"),
            credits_now=credits_now,
            reason=str(attempt.latest("reason") or "the process ended before an answer came"),
            record=record,
        )
