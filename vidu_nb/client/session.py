"""One engine, and what every step of a call needs: the journal, the budget, the connections in flight."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal

from ..errors import APIError, ArchiveError, CallInterrupted, Unreachable, api_error
from ..net.credentials import KeyHeader
from ..net.retry import Pause, asked_wait
from ..net.transport import Answer, Call, Interrupted, NewTransport, Transport
from ..request import PREVIEW
from ..storage.archive import Archive
from ..storage.budget import Budget
from ..storage.journal import Attempt, State
from .engines import Engine
from .responses import error_text, what_is_wrong

Mode = Literal["sync", "queue"]
Uploads = Literal["inline", "storage"]
_FREE_CALL_TIMEOUT = 30.0  # s


@dataclass(eq=False)
class Exchange:
    """Calls one engine and keeps what comes.

    Parameters
    ----------
    engine
        Who is asked.
    archive
        Where everything is kept.
    price_usd
        Expected US dollars a clip.
    timeout
        Seconds for one call.
    budgets
        What the calls may cost together: each call must fit into all of them.
    notify
        Gets a line when something takes its time.
    mode
        ``"sync"`` waits in the call itself (v1), ``"queue"`` takes a ticket and asks for the clip (v2).
    uploads
        ``"inline"`` sends pictures inside the request, ``"storage"`` puts them into the service's storage first.
    progress
        Gets the part of a queued clip that is made, 0 to 1, where the service tells it.
    call
        Makes what carries a request for a clip to the engine and brings its answer: a `transport.Call`, or its like.
    pause
        When the service may be asked again; those who ask it together share one.
    """

    engine: Engine
    archive: Archive
    price_usd: float
    timeout: float
    budgets: tuple[Budget, ...]
    notify: Callable[[str], object]
    mode: Mode = "sync"
    uploads: Uploads = "inline"
    progress: Callable[[float], object] = lambda _: None
    call: NewTransport = Call
    pause: Pause = field(default_factory=Pause)
    told: dict[str, float] = field(default_factory=dict)  # the balance in US dollars; siblings share it
    _calls: set[Transport] = field(default_factory=set, init=False)
    _cancels: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def balance(self) -> float | None:
        """US dollars on the account, as last told to this client or a sibling."""
        return self.told.get("balance")

    @balance.setter
    def balance(self, usd: float | None) -> None:
        if usd is not None:
            self.told["balance"] = usd

    def patience(self) -> Callable[[], None]:
        """Something to call while waiting before a call: it raises once `cancel` was called.

        Raises
        ------
        Unreachable
            By what is returned: nothing was sent.
        """
        seen = self._cancels

        def check() -> None:
            if self._cancels != seen:
                raise Unreachable("cancelled before it was sent")

        return check

    def refusal(self, answer: Answer) -> APIError:
        """The error for an answer whose status is not 200."""
        return api_error(
            answer.status,
            error_text(answer.body),
            request_id=(answer.headers.get("x-request-id") or "")[:200] or None,
            retry_after=asked_wait(answer.headers),
        )

    # Small things around a call.

    def free_call(
        self, method: str, url: str, body: bytes | None = None, *, timeout: float = _FREE_CALL_TIMEOUT
    ) -> Answer:
        """A call with the key that is never billed; `timeout` in seconds.

        Raises
        ------
        Unreachable
            No whole answer came.
        """
        call = Call(timeout=timeout)
        problem, stopped = "", False
        with self.in_flight(call):
            try:
                return self.scrubbed(call.request(method, url, key=KeyHeader(self.engine.key), body=body))
            except Interrupted as error:
                problem = error.message
            except CallInterrupted:  # which speaks of a bill
                stopped = True
        if stopped:
            raise KeyboardInterrupt
        raise Unreachable(problem, remedy="This call is free: ask again.")

    def _scrub(self, said: bytes) -> bytes:
        return self.engine.key.scrub(said) if self.engine.key and what_is_wrong(said) else said

    def scrubbed(self, answer: Answer) -> Answer:
        """The answer without the key, should the service echo it; a clip's bytes are never touched."""
        headers = {name.lower(): self._scrub(value.encode()).decode() for name, value in answer.headers.items()}
        return Answer(answer.status, headers, self._scrub(answer.body), answer.elapsed_s)

    def note(self, attempt: Attempt, state: State, *, must: bool = False, **details: Any) -> Attempt:
        """Journal a step. Once bytes have left, a full disk must not hide what happened: "sent" says enough.

        Raises
        ------
        ArchiveError
            The journal can't be written, and bytes have not left, or the step is one that `must` be on disk.
        """
        problem = ""
        try:
            return attempt.add(state, **details)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if must or state == "sent":
            raise ArchiveError(f"nothing was sent: the journal can't be written ({problem})", remedy="Free room.")
        return attempt

    def close(self, attempt: Attempt, state: State, **details: Any) -> None:
        """Journal that nothing was billed, and give the reservation back."""
        self.note(attempt, state, **details)
        self.correct(attempt, 0.0)

    def reserve(self, attempt: Attempt, usd: float) -> None:
        """Set a call's price aside in every budget, or in none.

        Raises
        ------
        BudgetExceeded, ArchiveError
            One of them refused; what the others had set aside is given back.
        """
        for budget in {budget.file: budget for budget in self.budgets}.values():
            try:
                budget.reserve(attempt.id, usd)
            except BaseException:
                self.correct(attempt, 0.0)
                raise

    def correct(self, attempt: Attempt, usd: float) -> None:
        """Tell what a call cost: to this exchange's budgets, and to the sweeps', one of which may have begun it.

        Where that fails, the reservation stands and nothing is hidden.
        """
        if attempt.facts["engine"] == PREVIEW:
            return
        budgets = {budget.file: budget for budget in Budget.kept_in(self.archive.budgets)}
        budgets |= {budget.file: budget for budget in self.budgets}
        for budget in budgets.values():
            try:
                budget.correct(attempt.id, usd)
            except ArchiveError as error:
                self.notify(f"{error.message}; ${attempt.facts['price_usd']:.2f} stay reserved in it.")

    def put_aside(self, attempt: Attempt, data: bytes) -> str:
        """Keep an answer that is no clip; tells where."""
        try:
            return str(self.archive.quarantine(attempt, data))
        except OSError:
            return "nowhere: the disk refused"

    def cancel(self) -> None:
        """End every call that is in flight, or waits before one, at once."""
        with self._lock:
            self._cancels += 1
            calls = list(self._calls)
        for call in calls:
            call.abort()

    @contextlib.contextmanager
    def in_flight(self, call: Transport) -> Iterator[None]:
        """Let `cancel` reach a call while the block runs."""
        with self._lock:
            self._calls.add(call)
        try:
            yield
        finally:
            with self._lock:
                self._calls.discard(call)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block is done: between an answer in hand and on disk, it would lose a clip."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []

    def later(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    before = signal.signal(signal.SIGINT, later)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if asked:
            raise KeyboardInterrupt
