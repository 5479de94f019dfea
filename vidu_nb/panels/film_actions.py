"""The buttons of a film's panel: what a click costs, what is kept already, and the budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..console import dollars
from ..errors import InvalidRequest
from .actions import minutes, reason


@dataclass(frozen=True, slots=True)
class FilmOffer:
    """What a click would do now.

    Attributes
    ----------
    problem : str
        What stands between the scenes and a film; empty where it is whole.
    many, kept_count : int
        Scenes, and those of them that cost nothing.
    blocked_count : int
        Scenes that can't be asked for.
    price_usd, seconds : float
        Expected for the others.
    has_key : bool
        Whether somebody can be paid.
    budget : str
        What the film may cost in all, as it was written.
    credits : float or None
        US dollars left on the account, where known.
    """

    problem: str
    many: int
    kept_count: int
    blocked_count: int
    price_usd: float
    seconds: float
    has_key: bool
    budget: str
    credits: float | None

    def item(self, *, is_running: bool) -> dict[str, Any]:
        """Return what the page shows: the texts, whether the buttons do something, and why they don't."""
        problem = self.problem
        try:
            read_budget(self.budget)
        except InvalidRequest as error:
            problem = problem or error.message
        left = reason(problem, self.credits, is_running=is_running)
        if self.credits is not None and not (problem or is_running) and self.price_usd > self.credits + 1e-9:
            left += f", less than these scenes cost, about {dollars(self.price_usd)}"
        return {
            "shoot": self.shoot_label,
            "price": self.price_usd if self.is_paid else 0.0,
            "budget": self.budget,
            "is_running": is_running,
            "can_preview": not (is_running or self.problem),
            "can_shoot": not (is_running or problem),
            "reason": f"{left[:1].upper()}{left[1:]}",
        }

    @property
    def is_paid(self) -> bool:
        """Whether the paying button names a price."""
        return self.has_key and self.kept_count + self.blocked_count < self.many

    @property
    def shoot_label(self) -> str:
        """The paying button's text."""
        if self.kept_count == self.many:
            return "Show the film (all kept: no cost)"
        if not self.has_key:
            return "Shoot (needs a key)"
        beside = f"; {self.kept_count} of {self.many} kept" if self.kept_count else ""
        beside += f"; {self.blocked_count} blocked" if self.blocked_count else ""
        if not self.is_paid:
            return f"Shoot (no cost{beside})"
        return f"Shoot (about {dollars(self.price_usd)}, about {minutes(self.seconds)}{beside})"


def read_budget(text: str) -> float | None:
    """Return the US dollars that a film may cost in all; None where nothing is written.

    Raises
    ------
    InvalidRequest
        It is no amount.

    >>> read_budget(" $3 "), read_budget("")
    (3.0, None)
    """
    text = text.strip().removeprefix("$")
    if not text:
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < 1e6:
        raise InvalidRequest("budget: write an amount in US dollars, such as 3, or leave it empty", field="budget")
    return amount
