"""`Session`: one engine with its archive and budgets, and what every step of a call needs of them."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal
from urllib.parse import urlsplit

from .. import image_file, media
from ..catalogue.models import DEFAULT as MODEL
from ..catalogue.request import PREVIEW, Request
from ..console import dollars
from ..errors import APIError, ArchiveError, CallInterrupted, Unreachable, ViduError, api_error
from ..net.credentials import KeyHeader
from ..net.redirects import BadRedirect, follow
from ..net.retry import Pause, asked_wait
from ..net.transport import Answer, Call, Interrupted, NewTransport, Transport, origin
from ..recipe import MODEL_FACT, value_noted
from ..storage.archive import Archive, Entry, Made
from ..storage.budget import Budget
from ..storage.journal import Attempt, State
from .account import Credits
from .engines import Engine
from .messages import error_text
from .responses import is_link

Mode = Literal["auto", "sync", "queue"]
Uploads = Literal["inline", "storage"]
FREE_CALL_TIMEOUT = 30.0  # s
_MAX_REDIRECTS = 5  # of a result's URL: to a storage, from there to a mirror


@dataclass(eq=False, slots=True)
class Account:
    """What all clients of one account share.

    Attributes
    ----------
    pause : Pause
        Until when the service asked all of them to wait.
    balance : float or None
        US dollars, as last reported to any of them.
    record_pause : Pause
        Until when its record of calls asked all of them to wait.
    without_queue : set of str
        Addresses of queues that turned out not to exist.
    """

    pause: Pause = field(default_factory=Pause)
    balance: float | None = None
    record_pause: Pause = field(default_factory=Pause)
    without_queue: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Errand:
    """What a call is made for, where it is one of many that others wait for.

    Attributes
    ----------
    mark : str
        Stands in the journal. Of the earlier attempts at the same request only those without a mark, and those with
        this one, matter to the call: the others are somebody else's.
    check : callable
        Called while the call waits for its turn; what it raises ends the call, and nothing is sent.
    confirm : callable
        Gets the attempt's id once it is in the journal as sent and before the first byte leaves; what it raises ends
        the call as well.
    """

    mark: str
    check: Callable[[], object]
    confirm: Callable[[str], object]


@dataclass(eq=False, repr=False)
class Session:
    """Calls one engine, and keeps the journal and the budgets of these calls.

    Parameters
    ----------
    engine
        Who is asked.
    archive
        Where everything is kept.
    price_usd
        Expected US dollars for a clip of the default model.
    timeout
        Seconds for one call.
    budgets
        What the calls may cost together: each call must fit into all of them.
    notify
        Gets a line when something takes its time.
    mode
        ``"sync"`` waits in the call itself (v1), ``"queue"`` takes a ticket and polls for the clip (v2), ``"auto"``
        does that where the service has a queue for the model; the process's own preview server is waited for.
    uploads
        ``"inline"`` sends pictures inside the request, ``"storage"`` puts them into the service's storage first.
    progress
        Gets the part of a queued clip that is made, 0 to 1, where the service reports it.
    waits
        Seconds to wait for a queued clip; None for `timeout`.
    errand
        What its calls are made for, where others wait for them.
    call
        Makes what carries a request for a clip to the engine and brings its answer: a `transport.Call`, or its like.
    account
        What is shared with other sessions of the same account.
    """

    engine: Engine
    archive: Archive
    price_usd: float
    timeout: float
    budgets: tuple[Budget, ...]
    notify: Callable[[str], object]
    mode: Mode = "auto"
    uploads: Uploads = "inline"
    progress: Callable[[float], object] = lambda _: None
    waits: float | None = None
    errand: Errand | None = None
    call: NewTransport = Call
    account: Account = field(default_factory=Account)
    _calls: set[Transport] = field(default_factory=set, init=False)
    _cancels: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    # Calls in flight.

    def post_url(self, model: str) -> str:
        """Return where a request for a model of that name is sent."""
        engine, queue = self.engine, self.engine.queue_url(model)
        waits = self.mode == "sync" or (self.mode == "auto" and (engine.is_free or queue in self.account.without_queue))
        return engine.generate_url(model) if waits else queue

    def price_of(self, request: Request) -> float:
        """Return the US dollars that a request is expected to cost."""
        return self.price_usd if request.model == MODEL else request.model.price_of(request)

    def leave_queue(self, url: str, model: str) -> bool:
        """Remember that there is no queue at a URL, where it was only tried; whether another URL is left to be sent to.

        Asked after a 404 or 405, which say that nothing was taken and nothing billed.
        """
        if self.mode != "auto" or url != self.engine.queue_url(model):
            return False
        self.account.without_queue.add(url)
        return True

    def send(
        self,
        call: Transport,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Carry a request with the key, within reach of `cancel`; the answer comes without the key, should it echo it.

        Raises
        ------
        Unreachable, Interrupted, CallInterrupted
            As `Call.request` does; what had arrived is without the key as well.
        """
        with self.in_flight(call):
            try:
                # Scrubbed at once, and never a variable before: tracebacks show each frame's variables.
                return self._scrubbed(
                    call.request(method, url, key=KeyHeader(self.engine.key), body=body, headers=headers)
                )
            except (Interrupted, CallInterrupted) as error:
                if error.answer:
                    error.answer = self._scrubbed(error.answer)
                raise error.with_traceback(None)  # noqa: B904 - the same error, without the frames that held the answer

    def free_call(
        self, method: str, url: str, body: bytes | None = None, *, timeout: float = FREE_CALL_TIMEOUT
    ) -> Answer:
        """Carry a request with the key that is never billed; `timeout` in seconds.

        Raises
        ------
        Unreachable
            No whole answer came.
        """
        try:
            return self.send(Call(timeout=timeout), method, url, body)
        except Interrupted as error:
            raise Unreachable(error.message, remedy="This call is free: ask again.") from None
        except CallInterrupted:
            raise KeyboardInterrupt from None  # the other one speaks of a bill

    def fetch(self, url: str, *, seconds: float) -> Answer:
        """GET a result's URL and what it redirects to: storage is often another company's, or behind a redirect.

        The service's own origin gets the key, which some want for results, and no other place does, whatever leads
        there.

        Raises
        ------
        BadRedirect, Unreachable, Interrupted, CallInterrupted
            It could not be fetched.
        """
        return follow(url, self._fetch_hop, limit=_MAX_REDIRECTS, seconds=seconds)

    def _fetch_hop(self, url: str, seconds: float) -> Answer:
        if not is_link(url):
            raise BadRedirect("leads to something that is no http(s):// URL")
        if "@" in urlsplit(url).netloc:
            raise BadRedirect("holds a user name or a password, which is sent nowhere")
        call = Call(timeout=seconds)
        if origin(url) == origin(self.engine.base_url):
            return self.send(call, "GET", url)
        with self.in_flight(call):
            return call.request("GET", url)

    def credits(self) -> Credits:
        """Ask for the account's balance.

        Raises
        ------
        Unreachable, APIError
            No usable answer came.
        """
        answer = self.free_call("GET", self.engine.credits_url)
        if answer.status != 200:
            raise self.refusal(answer)
        found = Credits.from_answer(answer.body)
        if found is None:
            raise ViduError("the balance's answer names no credits", remedy="Look in the Segmind console.")
        self.account.balance = found.total
        return found

    def refusal(self, answer: Answer, attempt: Attempt | None = None) -> APIError:
        """Make the error for an answer whose status is not 200; of an attempt, it calls the pictures by their names."""
        return api_error(
            answer.status,
            error_text(answer.body, _picture_names(attempt)),
            request_id=(answer.headers.get("x-request-id") or "")[:200] or None,
            retry_after=asked_wait(answer.headers),
        )

    def cancellation_check(self) -> Callable[[], None]:
        """Return what to call while waiting before a call: it raises Unreachable once `cancel` was called."""
        before = self._cancels

        def check() -> None:
            if self._cancels != before:
                raise Unreachable("cancelled before it was sent")
            if self.errand:
                self.errand.check()

        return check

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

    def _scrubbed(self, answer: Answer) -> Answer:
        """The answer without the key; a clip's and a picture's bytes are never touched."""
        headers = {name.lower(): self._scrub(value.encode()).decode() for name, value in answer.headers.items()}
        return Answer(answer.status, headers, self._scrub(answer.body), answer.elapsed_s)

    def _scrub(self, data: bytes) -> bytes:
        is_text = media.what_is_wrong(data) and image_file.what_is_wrong(data)
        return self.engine.key.scrub(data) if self.engine.key and is_text else data

    # The archive and its journal.

    def find(self, key: str, request: Request | None) -> Made | None:
        """Return the cached clip for a request's key, None where there is none.

        A damaged preview counts as none, since it is simply made again.

        Raises
        ------
        ArchiveError
            Something is cached and can't be used.
        """
        return self._open(request, lambda: self.archive.find(key, engine=self.engine.name))

    def find_journalled(self, key: str, request: Request | None) -> Made | None:
        """Find among the clips that the journal knows, as another call of this archive may have brought one since."""
        return self._open(request, lambda: self.archive.find_journalled(key))

    def _open(self, request: Request | None, find: Callable[[], Entry | None]) -> Made | None:
        try:
            entry = find()
            return self.archive.open(entry, request=request) if entry else None
        except ArchiveError:
            if self.engine.is_free:
                return None
            raise

    @contextlib.contextmanager
    def holding(self, lock: str, check: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold a request's lock; whoever waits for another's call is notified once, and `check` may end the wait.

        Raises
        ------
        ArchiveError
            It can't be had; nothing was sent.
        """
        lines = iter(["The same request is being made by another thread or kernel; waiting for its clip."])

        def waiting() -> None:
            for line in lines:  # once
                self.notify(line)
            check()

        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self.archive.lock(lock, timeout=2 * self.timeout, waiting=waiting))
            except TimeoutError:
                raise ArchiveError(
                    "nothing was sent: another thread or kernel has been making the same request for too long",
                    remedy="End the other kernel, then ask again.",
                ) from None
            except OSError as error:
                raise ArchiveError(
                    f"nothing was sent: {self.archive.lock_path(lock)} can't be locked ({error.strerror})",
                    remedy="Set another archive folder.",
                ) from error
            yield

    def record(self, attempt: Attempt, state: State, **details: Any) -> Attempt:
        """Journal a step that has to be on disk before the next one is taken.

        Raises
        ------
        ArchiveError
            The journal can't be written.
        """
        try:
            return attempt.add(state, **details)
        except OSError as error:
            raise ArchiveError(
                f"nothing was sent: the journal can't be written ({error.strerror or type(error).__name__})",
                remedy="Free disk space.",
            ) from error

    def note(self, attempt: Attempt, state: State, **details: Any) -> Attempt:
        """Journal a step as far as the disk permits: once bytes have left, a full disk must not hide what happened.

        Where it does not, the state before stands in the journal, which promises less.
        """
        with contextlib.suppress(OSError):
            return attempt.add(state, **details)
        return attempt

    def close(self, attempt: Attempt, **details: Any) -> None:
        """Journal that nothing was billed, and give the reservation back."""
        try:
            attempt.add("not charged", **details)
        except OSError:
            with contextlib.suppress(OSError):
                attempt.path.unlink()  # which a full disk permits; else it would stand for a call that may be billed
        self.correct(attempt, 0.0)

    def put_aside(self, attempt: Attempt, data: bytes) -> str:
        """Keep an answer that is no clip for a person to look at; returns where."""
        try:
            return str(self.archive.quarantine(attempt, data))
        except OSError:
            return "nowhere: the disk refused"

    # Budgets.

    def check_budgets(self, usd: float) -> None:
        """Look whether a call at that price fits into every budget before anything is done; only `reserve` decides.

        Raises
        ------
        BudgetExceeded, ArchiveError
            One of them refuses.
        """
        for budget in () if self.engine.is_free else self.budgets:
            budget.check(usd)

    def reserve(self, attempt: Attempt) -> None:
        """Set a call's price aside in every budget; `close` gives back what was set aside before one of them refused.

        Raises
        ------
        BudgetExceeded, ArchiveError
            One of them refuses.
        """
        for budget in () if self.engine.is_free else _distinct(self.budgets):
            budget.reserve(attempt.id, attempt.facts["price_usd"])

    def correct(self, attempt: Attempt, usd: float) -> None:
        """Book what a call cost: in this session's budgets, and in the sweeps', one of which may have begun it.

        Where that fails, the reservation stands and nothing is hidden.
        """
        if attempt.facts["engine"] == PREVIEW:
            return
        sweeps = Budget.kept_in(self.archive.budgets)
        for budget in _distinct((*sweeps, *self.budgets)):
            try:
                budget.correct(attempt.id, usd)
            except ArchiveError as error:
                self.notify(f"{error.message}; {dollars(attempt.facts['price_usd'])} stay reserved in it.")


def _picture_names(attempt: Attempt | None) -> list[str]:
    """The names of an attempt's references, as far as the journal holds them."""
    facts: Mapping[str, Any] = attempt.facts if attempt else {"request": {}}
    notes = value_noted(facts["request"], "references", model=facts.get(MODEL_FACT))
    notes = notes if isinstance(notes, list) else []
    return [str(one.get("name") or "") if isinstance(one, Mapping) else "" for one in notes]


def _distinct(budgets: Iterable[Budget]) -> Iterable[Budget]:
    """Each once, though several name one file."""
    return {budget.file: budget for budget in budgets}.values()


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
