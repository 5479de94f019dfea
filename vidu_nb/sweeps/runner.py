"""Many requests at a time: threads that ask for one after another, and the rule when no more are asked for."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..catalogue.request import Request
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
from ..receipt import Receipt

MAX_TROUBLES = 3  # in a row; a service that is broken is not paid to prove it

#: Errors that every further request would meet as well.
_FINAL = (InsufficientCredits, Unauthorized, Forbidden, NotFound, Retired)
#: Errors of a service in trouble, where they happen again and again.
_TROUBLE = (ServerError, OutcomeUnknown, Unreachable, RateLimited)


class Made(Protocol):
    """What a clip and a picture have in common."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def request(self) -> Request | None:
        """What was asked."""

    @property
    def receipt(self) -> Receipt | None:
        """What the service reported."""


#: What came of a request: a clip, a picture or several of one call, or the error.
Outcome = Made | tuple[Made, ...] | ViduError


def made_by(outcome: Outcome | None) -> tuple[Made, ...]:
    """Return the clip or the pictures that a request brought."""
    if outcome is None or isinstance(outcome, ViduError):
        return ()
    return outcome if isinstance(outcome, tuple) else (outcome,)


class Requests(Protocol):
    """A sequence of requests; each may be made when it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Request: ...


def is_from_this_run(error: ViduError) -> bool:
    """Whether an error is of a call that was made now.

    The client refuses to repeat an earlier call of unknown outcome with an `OutcomeUnknown` of no more special class.
    """
    return type(error) is not OutcomeUnknown or error.billed != "unknown"


@dataclass
class Progress:
    """How far a run is: counts, money, and the reason to ask for no more.

    Attributes
    ----------
    landed, replayed, failed : int
        Requests that brought something, those of them that were cached and cost nothing, and errors.
    spent_usd : float
        US dollars; calls of unknown outcome and those that named no cost count with their price.
    reason : str
        Why no more are asked for; empty while more are.
    """

    landed: int = 0
    replayed: int = 0
    failed: int = 0
    spent_usd: float = 0.0
    reason: str = ""
    _troubles: int = field(default=0, repr=False)

    @property
    def done(self) -> int:
        """Requests that have a clip or an error."""
        return self.landed + self.failed

    def count(self, outcome: Outcome, price_usd: float) -> None:
        """Take one more outcome into account, of a request that was expected to cost so much."""
        if isinstance(outcome, ViduError):
            self._count_error(outcome, price_usd)
        else:
            self._count_made(made_by(outcome)[0].receipt, price_usd)

    def _count_made(self, receipt: Receipt | None, price_usd: float) -> None:
        self.landed += 1
        if receipt and receipt.replayed:
            self.replayed += 1
            return
        cost = receipt.cost_usd if receipt else None
        self.spent_usd += price_usd if cost is None else cost
        self._troubles = 0

    def _count_error(self, error: ViduError, price_usd: float) -> None:
        self.failed += 1
        if is_from_this_run(error):
            self.spent_usd += price_usd if error.billed != "no" else 0.0
            self._troubles = self._troubles + 1 if isinstance(error, _TROUBLE) else 0
        if isinstance(error, _FINAL):
            self.reason = self.reason or error.message
        elif self._troubles >= MAX_TROUBLES:
            self.reason = self.reason or f"{MAX_TROUBLES} calls in a row went wrong, the last: {error.message}"


class Runner:
    """Makes requests, several at a time, until all are made or a rule says to ask for no more.

    Parameters
    ----------
    requests
        What is asked for.
    client
        Who is asked, by all threads.
    workers
        Calls at a time.
    order
        The requests' places in the order in which they are asked for; by default as they stand.
    after
        A place → the place of the request that has to land before: it is made of what that brings. Where that fails,
        it is not asked for.
    ask
        What makes a request, by its place; by default `Client.generate`.

    Attributes
    ----------
    results : dict of int to Video, Picture, tuple of Picture, or ViduError
        What came, by the request's place.
    progress : Progress
    started : float
        When it was made, on the monotonic clock.
    """

    def __init__(
        self,
        requests: Requests,
        client: Client,
        *,
        workers: int = 4,
        order: Iterable[int] | None = None,
        after: Mapping[int, int] | None = None,
        ask: Callable[[int, Request], Made | tuple[Made, ...]] | None = None,
    ) -> None:
        self.requests = requests
        self.is_free = client.is_free
        self.results: dict[int, Outcome] = {}
        self.progress = Progress()
        self.started = time.monotonic()
        self._client = client
        self._workers = max(1, min(workers, len(requests)))
        self._todo: Iterator[int] = iter(range(len(requests)) if order is None else order)
        self._after = dict(after or {})
        self._waiting: list[int] = []
        self._ask = ask or (lambda _, request: client.generate(request))
        self._in_flight: set[int] = set()
        self._cancelled = False
        self._bug: BaseException | None = None
        self._lock = threading.Condition()
        self._working = 0
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._working = self._workers
        for number in range(self._workers):
            # On threads that a process doesn't wait for when it ends: a second interrupt leaves at once.
            work = contextvars.copy_context().run
            threading.Thread(target=work, args=(self._work,), daemon=True, name=f"vidu-nb runner {number}").start()

    def wait(self, seconds: float) -> bool:
        """Wait until nobody works any more, and return whether it is so; raise what no thread expected."""
        ended = self._ended.wait(seconds)
        if ended and self._bug:
            raise self._bug
        return ended

    def stop(self, reason: str) -> None:
        """Ask for no more; calls in flight go on. Where all has ended, nothing is changed."""
        with self._lock:
            if not self._ended.is_set():
                self.progress.reason = self.progress.reason or reason
                self._lock.notify_all()

    def cancel(self) -> None:
        """End the calls in flight as well; for an engine that costs nothing."""
        self._cancelled = True
        self._client.cancel()

    @property
    def in_flight(self) -> frozenset[int]:
        """The places of the requests that are being made."""
        with self._lock:
            return frozenset(self._in_flight)

    def _work(self) -> None:
        try:
            while (index := self._take()) is not None:
                self._land(index, *self._outcome(index))
        except BaseException as error:  # a mistake of ours: raised where the run is waited for
            self._bug = error
            self.stop("something unexpected happened")
        finally:
            with self._lock:
                self._working -= 1
                self._lock.notify_all()
                if not self._working:
                    self._ended.set()

    def _outcome(self, index: int) -> tuple[Outcome, float]:
        """Make a request, and return what it brought, and the price that was expected."""
        price = 0.0
        try:
            request = self.requests[index]
            price = 0.0 if self.is_free else self._client.price_of(request)
            return self._ask(index, request), price
        except ViduError as error:
            return error.with_traceback(None), price  # frames hold pictures
        except OSError as error:
            return ViduError(f"the archive: {error.strerror or type(error).__name__}"), price

    def _take(self) -> int | None:
        """Return the next request's place; wait where all that are left need what is in flight."""
        with self._lock:
            while not self.progress.reason:
                index = self._next()
                if index is not None:
                    self._in_flight.add(index)
                    return index
                if not (self._waiting and self._in_flight):
                    return None
                self._lock.wait()
            return None

    def _next(self) -> int | None:
        """Return the first place that has what it needs, and drop those that can't get it any more."""
        for index in [*self._waiting]:
            if self._is_ready(index):
                self._waiting.remove(index)
                return index
        for index in self._todo:
            if self._is_ready(index):
                return index
            self._waiting.append(index)
        return None

    def _is_ready(self, index: int) -> bool:
        earlier = self._after.get(index)
        return earlier is None or bool(made_by(self.results.get(earlier)))

    def _land(self, index: int, outcome: Outcome, price_usd: float) -> None:
        with self._lock:
            self._in_flight.discard(index)
            self._lock.notify_all()
            if self._cancelled and isinstance(outcome, ViduError) and outcome.billed == "no":
                return  # that is our own doing
            if isinstance(outcome, BudgetExceeded):  # it was not asked for, like all that come after it
                self.progress.reason = self.progress.reason or outcome.message
                return
            self.results[index] = outcome
            self.progress.count(outcome, price_usd)
