"""`sweep`: plan, price, confirmation where it costs, then run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from functools import partial
from typing import Any, get_args

from ..catalogue.model import Model
from ..client.client import Client
from ..errors import InvalidRequest, SweepInterrupted
from ..net.transport import NewTransport
from ..references.reference import Source
from ..request import DEFAULTS, AspectRatio, MovementAmplitude, Quality
from ..storage.budget import Budget
from .plan import Plan
from .remote import PreviewWorkers, RemotePreview
from .result import Sweep
from .run import WORKERS, ask_first, budget_of, follow, still_paid, workers_of
from .runner import Runner
from .views import SweepPage, choose_view


def sweep(
    prompt: str | Iterable[str] = DEFAULTS.prompt,
    references: Source = DEFAULTS.references,
    *,
    aspect_ratio: AspectRatio | Iterable[AspectRatio] = DEFAULTS.aspect_ratio,
    duration: int | Iterable[int] = DEFAULTS.duration,
    seed: int | Iterable[int] = DEFAULTS.seed,
    bgm: bool | Iterable[bool] = DEFAULTS.bgm,
    movement_amplitude: MovementAmplitude | Iterable[MovementAmplitude] = DEFAULTS.movement_amplitude,
    model: Model | str | None = None,
    budget_usd: float | Budget | None = None,
    confirm: bool = False,
    quality: Quality = "full",
    executor: Executor | None = None,
    max_workers: int | None = None,
    client: Client | None = None,
    **parameters: Any,
) -> Sweep:
    """Make a clip, or a picture, for every combination of what is listed, several at a time, within a budget.

    In a notebook the plan with its price comes first, then each clip as it lands. What the archive holds costs nothing,
    so a sweep that was interrupted goes on where it stood. Interrupting asks for no more and keeps what has landed;
    paid calls in flight are waited for, until a second interrupt.

    Parameters
    ----------
    prompt, references, aspect_ratio, duration, seed, bgm, movement_amplitude
        As for `Plan.of`: any may be a list; of ``references``, a list of lists.
    model
        A `Model` or its slug from `models`; by default Vidu Q1.
    budget_usd
        US dollars that this sweep may cost in all, however often it is run again; or a `Budget` that is shared with
        others. A call of unknown outcome counts in full.
    confirm
        Needed to spend more than one dollar, or to spend anything without a budget.
    quality
        ``"draft"`` makes small and quick animatics on the free preview engine, whatever the environment says.
    executor
        Whose workers render free previews: any `concurrent.futures.Executor`, or a Dask ``Client``. None makes them
        here, as paid calls are.
    max_workers
        Calls at a time; by default 4, or what the executor has workers for.
    client
        Who to ask; defaults to `Client.from_env()`.
    **parameters
        Another model's own, as for `Plan.of`.

    Returns
    -------
    Sweep
        With an error in place of each clip that could not be made; of a model that returns pictures, with pictures.

    Raises
    ------
    InvalidRequest
        A parameter is wrong, or paid calls were to be made on an executor; nothing was sent.
    ConfirmationNeeded
        It would cost more than is spent without confirmation; nothing was sent. ``.plan`` holds the price.
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
        model=model,
        **parameters,
    )
    return run_plan(plan, client, budget_usd=budget_usd, confirm=confirm, executor=executor, max_workers=max_workers)


def run_plan(
    plan: Plan,
    client: Client,
    *,
    budget_usd: float | Budget | None = None,
    confirm: bool = False,
    executor: Executor | None = None,
    max_workers: int | None = None,
) -> Sweep:
    """Make what a plan asks for; parameters, result and errors are those of `sweep`."""
    remote = None if executor is None else PreviewWorkers(executor, client)
    workers = workers_of(max_workers, default=remote.at_a_time if remote else WORKERS)
    plan = plan.priced(client, workers=workers)
    budget = budget_of(budget_usd, client, plan.digest)
    view = choose_view(SweepPage(plan), budget)
    if not confirm:
        ask_first(plan, budget, view, what="sweep")
    view.begin()
    transport: NewTransport | None = partial(RemotePreview, remote) if remote else None
    asked = client.sibling(notify=view.notify, budget=budget, call=transport)
    runner = Runner(plan, asked, workers=workers, order=_cached_first(plan))
    swept = Sweep(plan, runner, budget)
    if follow(runner, view, lambda: swept.headline, what="sweep"):
        raise _interrupted(runner, swept)
    return swept


def _client(client: Client | None, quality: Quality) -> Client:
    if quality == "full":
        return client or Client.from_env()
    if client and quality in get_args(Quality):
        problem = "quality: the client says who is asked: pass client=Client.preview(quality='draft') alone"
        raise InvalidRequest(problem, field="quality")
    return Client.preview(quality=quality)


def _cached_first(plan: Plan) -> Iterator[int]:
    """Order a plan's requests: what is cached comes first, so that nothing stands between it and the eye."""
    cached = plan.quote.kept if plan.quote else frozenset()
    yield from sorted(cached)
    yield from (index for index in range(len(plan)) if index not in cached)


def _interrupted(runner: Runner, swept: Sweep) -> SweepInterrupted:
    remedy = "Run the same sweep again to go on: what landed is in the archive."
    error = SweepInterrupted(f"{swept.headline}{still_paid(runner)}", remedy=remedy)
    error.sweep = swept
    return error
