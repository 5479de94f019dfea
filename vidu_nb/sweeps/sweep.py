"""`sweep`: plan, price, a word where it costs, then run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import get_args

from ..client.client import Client
from ..errors import ConfirmationNeeded, InvalidRequest, SweepInterrupted
from ..references.reference import Source
from ..request import AspectRatio, MovementAmplitude, Quality
from ..storage.budget import Budget
from .formatting import money
from .plan import Plan
from .remote import Courier
from .result import Sweep
from .runner import Run
from .views import TICK, View, best_view

FREE_HAND_USD = 1.0  # what a sweep with a budget may cost without a word
WORKERS = 4


def sweep(
    prompt: str | Iterable[str],
    references: Source,
    *,
    aspect_ratio: AspectRatio | Iterable[AspectRatio] = "16:9",
    duration: int | Iterable[int] = 5,
    seed: int | Iterable[int] = 42,
    bgm: bool | Iterable[bool] = True,
    movement_amplitude: MovementAmplitude | Iterable[MovementAmplitude] = "auto",
    budget_usd: float | Budget | None = None,
    confirm: bool = False,
    quality: Quality = "full",
    executor: Executor | None = None,
    max_workers: int | None = None,
    share_key: bool = False,
    client: Client | None = None,
) -> Sweep:
    """Make a clip for every combination of what is listed, several at a time, within a budget.

    In a notebook the plan with its price comes first, then each clip as it lands. What the archive holds costs nothing,
    so a sweep that was interrupted goes on where it stood. Interrupting asks for no more and keeps what has landed;
    paid calls in flight are waited for, until a second interrupt.

    Parameters
    ----------
    prompt, references, aspect_ratio, duration, seed, bgm, movement_amplitude
        As for `Plan.of`: any may be a list; of ``references``, a list of lists.
    budget_usd
        US dollars that this sweep may cost in all, however often it is run again; or a `Budget` that is shared with
        others. A call of unknown outcome counts in full.
    confirm
        Needed to spend more than one dollar, or to spend anything without a budget.
    quality
        ``"draft"`` makes small and quick animatics on the free preview engine, whatever the environment says.
    executor
        Where the calls are made: any `concurrent.futures.Executor`, or a Dask ``Client``. None makes them here.
    max_workers
        Calls at a time; by default 4, or what the executor has workers for.
    share_key
        Lets the key travel to the executor's other processes, which paid calls need.
    client
        Who to ask; defaults to `Client.from_env()`.

    Returns
    -------
    Sweep
        With an error in place of each clip that could not be made.

    Raises
    ------
    InvalidRequest
        A parameter is wrong; nothing was sent.
    ConfirmationNeeded
        It would cost more than is spent without a word; nothing was sent. ``.plan`` tells what it comes to.
    SweepInterrupted
        A person interrupted it; ``.sweep`` holds what has landed.

    >>> from PIL import Image
    >>> grid = sweep("A wall", Image.new("RGB", (256, 256)), seed=[1, 2], aspect_ratio="1:1", quality="draft")
    >>> grid
    Sweep(2 of 2 clips)
    >>> grid.at(seed=2).request.seed
    2
    """
    client = _client(client, quality)
    plan = Plan.of(
        prompt,
        references,
        aspect_ratio=aspect_ratio,
        duration=duration,
        seed=seed,
        bgm=bgm,
        movement_amplitude=movement_amplitude,
    )
    courier = Courier.of(executor, client, share_key=share_key)
    workers = _workers(max_workers, courier)
    plan = plan.priced(client, workers=workers)
    budget = _budget(budget_usd, plan, client)
    view = best_view()
    if not confirm:
        _ask_first(plan, budget, view)
    view.begin(plan)
    asked = client.sibling(notify=view.say, budget=budget, call=courier.call if courier else None)
    run = Run(plan, asked, workers=workers, budget=budget)
    return _follow(run, view)


def _client(client: Client | None, quality: Quality) -> Client:
    if quality == "full":
        return client or Client.from_env()
    if client and quality in get_args(Quality):
        told = "quality: the client says who is asked: pass client=Client.preview(quality='draft') alone"
        raise InvalidRequest(told, field="quality")
    return Client.preview(quality=quality)


def _workers(wanted: int | None, courier: Courier | None) -> int:
    if wanted is None:
        return courier.workers if courier else WORKERS
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise InvalidRequest(f"max_workers: {wanted!r} is not a number of calls: pass 1 or more", field="max_workers")
    return wanted


def _budget(given: float | Budget | None, plan: Plan, client: Client) -> Budget | None:
    """A number becomes a budget of this plan's own, in the archive: running it again spends from the same purse."""
    if given is None or isinstance(given, Budget):
        return given
    return Budget(given, client.archive.budget_file(plan.digest(client)))


def _ask_first(plan: Plan, budget: Budget | None, view: View) -> None:
    price = plan.price_usd or 0.0
    at_most = min(price, budget.left) if budget else price
    if price and (budget is None or at_most > FREE_HAND_USD):
        view.ask(plan)
        limit = "" if budget is None else f" (the budget has {money(budget.left)} left)"
        cure = "Pass confirm=True" + (", best with budget_usd=..." if budget is None else "") + " to go on."
        error = ConfirmationNeeded(f"this sweep would cost about {money(price)}{limit}; nothing was sent", remedy=cure)
        error.plan = plan
        raise error


def _follow(run: Run, view: View) -> Sweep:
    """Wait for a run, and show it; an interrupt ends it in order, a second one at once."""
    swept = Sweep(run)
    interrupts = 0
    run.start()
    while True:
        try:
            while not run.wait(TICK):
                with contextlib.suppress(Exception):  # whatever telling of it stumbles over, the calls go on
                    view.update(run)
            break
        except KeyboardInterrupt:
            interrupts += 1
            _wind_up(run, view)
        if interrupts > 1:
            break
    view.end(run, swept.headline)
    if interrupts:
        raise _interrupted(run, swept)
    return swept


def _wind_up(run: Run, view: View) -> None:
    """Ask for no more, and end what costs nothing."""
    run.stop("interrupted")
    if run.is_free:
        run.cancel()
    elif run.flying:
        view.say(
            f"{len(run.flying)} paid calls are in flight and are waited for, since they can't be cancelled. Interrupt "
            "again to leave at once: they stay in the journal, and the same sweep again picks them up."
        )


def _interrupted(run: Run, swept: Sweep) -> SweepInterrupted:
    left = f"; {len(run.flying)} paid calls go on, see client.pending()" if run.flying and not run.is_free else ""
    error = SweepInterrupted(
        f"{swept.headline}{left}", remedy="Run the same sweep again to go on: what landed is kept."
    )
    error.sweep = swept
    return error
