"""What an account tells: its balance, and the calls that are not closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from ..receipt import number
from ..storage.journal import Attempt
from .responses import as_json


class Credits(float):
    """US dollars left on the account; `.paid` and `.free` tell the two parts.

    >>> Credits(2.0, 0.5)
    Credits(2.50 USD: 2.00 paid, 0.50 free)
    """

    paid: float
    free: float

    def __new__(cls, paid: float, free: float = 0.0) -> Self:
        """Make the sum of both parts."""
        self = super().__new__(cls, paid + free)
        self.paid, self.free = paid, free
        return self

    @classmethod
    def from_answer(cls, body: bytes) -> Credits | None:
        """The balance in an answer's body, None where it names none."""
        said = as_json(body)
        said = said if isinstance(said, dict) else {}
        paid, free = number(said.get("credits")), number(said.get("free-credits"))
        return None if paid is None and free is None else cls(paid or 0.0, free or 0.0)

    def __repr__(self) -> str:
        return f"Credits({float(self):.2f} USD: {self.paid:.2f} paid, {self.free:.2f} free)"


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

    @classmethod
    def from_attempt(cls, attempt: Attempt, *, fetchable: bool, credits_now: float | None) -> Pending:
        """What the journal tells of an attempt."""
        said: dict[str, Any] = attempt.facts["request"]
        return cls(
            id=attempt.id,
            state="fetchable" if fetchable else "unknown",
            prompt=str(said["prompt"]),
            seed=int(said["seed"]),
            engine=str(attempt.facts["engine"]),
            since=str(attempt.facts["events"][0]["at"]),
            price_usd=float(attempt.facts["price_usd"]),
            credits_before=attempt.facts.get("credits_before"),
            credits_now=credits_now,
            reason=str(attempt.told("reason") or "the process ended before an answer came"),
        )
