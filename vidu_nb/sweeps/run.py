"""Run many requests for somebody who watches: budget, confirmation where it costs, and interrupts in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol

from ..catalogue.field import whole
from ..client.client import Client
from ..client.session import uninterrupted
from ..console import dollars
from ..errors import ConfirmationNeeded, InvalidRequest
from ..storage.budget import Budget
from .runner import Runner
from .views import TICK, RunView

UNCONFIRMED_USD = 1.0  # what a run with a budget may cost without confirmation
WORKERS = 4


class Priced(Protocol):
    """What has a price once it was looked up."""

    @property
    def price_usd(self) -> float | None:
        """US dollars for what is not cached."""


def workers_of(wanted: int | None, *, default: int) -> int:
    """Return the number of calls at a time.

    Raises
    ------
    InvalidRequest
        It is no whole number above 0.
    """
    if wanted is None:
        return default
    wanted = whole(wanted)
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise InvalidRequest(f"max_workers: {wanted!r} is not a number of calls: pass 1 or more", field="max_workers")
    return wanted


def budget_of(given: float | Budget | None, client: Client, digest: Callable[[Client], str]) -> Budget | None:
    """Return the budget of a run.

    A number becomes one of these requests' own, in the archive: running them again spends from the same one.
    """
    if given is None or isinstance(given, Budget):
        return given
    return Budget(given, client.archive.budget_file(digest(client)))


def ask_first(plan: Priced, budget: Budget | None, view: RunView, *, what: str) -> None:
    """Show the price, and stop where it is more than is spent without confirmation.

    Raises
    ------
    ConfirmationNeeded
        It is; ``.plan`` is what was priced.
    """
    price = plan.price_usd or 0.0
    at_most = min(price, budget.left) if budget else price
    if price and (budget is None or at_most > UNCONFIRMED_USD):
        view.ask()
        limit = "" if budget is None else f" (the budget has {dollars(budget.left)} left)"
        cure = "Pass confirm=True" + (", best with budget_usd=..." if budget is None else "") + " to go on."
        error = ConfirmationNeeded(
            f"this {what} would cost about {dollars(price)}{limit}; nothing was sent", remedy=cure
        )
        error.plan = plan
        raise error


def follow(runner: Runner, view: RunView, headline: Callable[[], str], *, what: str) -> bool:
    """Run and show it, and return whether a person interrupted it: once ends it in order, twice at once."""
    interrupted = False
    try:
        with uninterrupted():  # until all threads have begun
            runner.start()
        _watch(runner, view)
    except KeyboardInterrupt:
        interrupted = True
        with contextlib.suppress(KeyboardInterrupt):
            _wind_up(runner, view, what)
            _watch(runner, view)
    finally:
        runner.stop("interrupted")  # whatever ended the wait, nobody goes on to ask for more
    view.end(runner, headline())
    return interrupted


def _watch(runner: Runner, view: RunView) -> None:
    while not runner.wait(TICK):
        with contextlib.suppress(Exception):  # whatever showing it stumbles over, the calls go on
            view.update(runner)


def _wind_up(runner: Runner, view: RunView, what: str) -> None:
    """Ask for no more, and end what costs nothing."""
    runner.stop("interrupted")
    if runner.is_free:
        runner.cancel()
    elif runner.in_flight:
        view.notify(
            f"{len(runner.in_flight)} paid calls are in flight and are waited for, since they can't be cancelled. "
            f"Interrupt again to leave at once: they stay in the journal, and the same {what} again picks them up."
        )


def still_paid(runner: Runner) -> str:
    """Say how many paid calls go on after a run was left; empty where none does."""
    paid = () if runner.is_free else runner.in_flight
    return f"; {len(paid)} paid calls go on, see client.pending()" if paid else ""
