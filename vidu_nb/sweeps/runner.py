"""A plan under way: threads that ask for one request after another, and the rule when no more are asked for."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..client.client import Client
from ..errors import (
    BudgetExceeded,
    Forbidden,
    InsufficientCredits,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Retired,
    ServerError,
    Unauthorized,
    Unreachable,
    ViduError,
)
from ..storage.budget import Budget
from ..video import Video
from .plan import Plan

MAX_TROUBLES = 3  # in a row; a service that is broken is not paid to prove it

#: What would be said of every further call as well.
_FINAL = (InsufficientCredits, Unauthorized, Forbidden, NotFound, Retired)
#: What tells of a service in trouble, where it happens again and again.
_TROUBLE = (ServerError, OutcomeUnknown, Unreachable, RateLimited)


def is_news(error: ViduError) -> bool:
    """Whether an error tells of a call that was made now.

    The client refuses to repeat an earlier call of unknown outcome with an `OutcomeUnknown` of no more special class.
    """
    return type(error) is not OutcomeUnknown or error.billed != "unknown"


@dataclass
class Tally:
    """What a run came to so far: figures, and the reason to ask no more.

    Attributes
    ----------
    landed, replayed, failed : int
        Clips, those of them that cost nothing since they were kept, and errors.
    spent_usd : float
        US dollars; calls of unknown outcome and those that told no cost count with their price.
    reason : str
        Why no more are asked for, in words; empty while more are.
    """

    price_usd: float
    landed: int = 0
    replayed: int = 0
    failed: int = 0
    spent_usd: float = 0.0
    reason: str = ""
    _troubles: int = field(default=0, repr=False)

    def count(self, outcome: Video | ViduError) -> None:
        """Take one more outcome into account."""
        if isinstance(outcome, Video):
            receipt = outcome.receipt
            self.landed += 1
            if receipt and receipt.replayed:
                self.replayed += 1
                return
            cost = receipt.cost_usd if receipt else None
            self.spent_usd += self.price_usd if cost is None else cost
            self._troubles = 0
            return
        self.failed += 1
        if is_news(outcome):
            self.spent_usd += self.price_usd if outcome.billed != "no" else 0.0
            self._troubles = self._troubles + 1 if isinstance(outcome, _TROUBLE) else 0
        if isinstance(outcome, _FINAL):
            self.reason = self.reason or outcome.message
        elif self._troubles >= MAX_TROUBLES:
            self.reason = self.reason or f"{MAX_TROUBLES} calls in a row went wrong, the last: {outcome.message}"


class Run:
    """A plan under way.

    Parameters
    ----------
    plan
        What is asked for; what is kept comes first, so that nothing stands between it and the eye.
    client
        Who is asked, by all threads.
    workers
        Calls at a time.
    budget
        What the client may spend.

    Attributes
    ----------
    results : dict of int to Video or ViduError
        What came, by its place in the plan.
    tally : Tally
    """

    def __init__(self, plan: Plan, client: Client, *, workers: int, budget: Budget | None = None) -> None:
        self.plan = plan
        self.budget = budget
        self.is_free = client.is_free
        self.results: dict[int, Video | ViduError] = {}
        self.tally = Tally(0.0 if client.is_free else client.price_usd)
        self.started = time.monotonic()
        self.cancelled = False
        self._client = client
        self._workers = max(1, min(workers, len(plan)))
        self._flying: set[int] = set()
        self._todo = _kept_first(plan)
        self._bug: BaseException | None = None
        self._lock = threading.Lock()
        self._working = 0
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._working = self._workers
        for number in range(self._workers):
            # On threads that a process doesn't wait for when it ends: a second interrupt leaves at once.
            work = contextvars.copy_context().run
            threading.Thread(target=work, args=(self._work,), daemon=True, name=f"vidu-nb sweep {number}").start()

    def wait(self, seconds: float) -> bool:
        """Wait until nobody works any more; True when it is so. Raises what no thread expected."""
        ended = self._ended.wait(seconds)
        if ended and self._bug:
            raise self._bug
        return ended

    def stop(self, reason: str) -> None:
        """Ask for no more; calls in flight go on."""
        with self._lock:
            self.tally.reason = self.tally.reason or reason

    def cancel(self) -> None:
        """End the calls in flight as well; for an engine that costs nothing."""
        self.cancelled = True
        self._client.cancel()

    @property
    def flying(self) -> frozenset[int]:
        """The places of the requests that are being made."""
        with self._lock:
            return frozenset(self._flying)

    def _work(self) -> None:
        try:
            while (index := self._take()) is not None:
                outcome: Video | ViduError
                try:
                    outcome = self._client.generate(self.plan[index])
                except ViduError as error:
                    outcome = error.with_traceback(None)  # frames hold pictures
                except OSError as error:
                    outcome = ViduError(f"the archive: {error.strerror or type(error).__name__}")
                self._land(index, outcome)
        except BaseException as error:  # a mistake of ours: raised where the run is waited for
            self._bug = error
            self.stop("something unexpected happened")
        finally:
            with self._lock:
                self._working -= 1
                if not self._working:
                    self._ended.set()

    def _take(self) -> int | None:
        with self._lock:
            index = None if self.tally.reason else next(self._todo, None)
            if index is not None:
                self._flying.add(index)
            return index

    def _land(self, index: int, outcome: Video | ViduError) -> None:
        with self._lock:
            self._flying.discard(index)
            if self.cancelled and isinstance(outcome, ViduError) and outcome.billed == "no":
                return  # that is our own doing
            if isinstance(outcome, BudgetExceeded):  # it was not asked for, like all that come after it
                self.tally.reason = self.tally.reason or outcome.message
                return
            self.results[index] = outcome
            self.tally.count(outcome)


def _kept_first(plan: Plan) -> Iterator[int]:
    kept = plan.quote.kept if plan.quote else frozenset()
    yield from sorted(kept)
    yield from (index for index in range(len(plan)) if index not in kept)
