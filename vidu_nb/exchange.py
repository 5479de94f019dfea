"""One call, from a request to a kept clip: every step is on disk before the next one is taken.

    room on disk, budget reserved, attempt journalled ("prepared")
      ► connect ► journal "sent" ► POST
      ► bytes on disk ► journal "received" ► parse (► journal "linked" ► fetch) ► stored ► journal "stored"

A process may die at any arrow: the journal's last word tells whether there is something to fetch, something that may
have been billed, or nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any
from urllib.parse import quote

from .answers import error_text, link_in, what_is_wrong
from .archive import Archive
from .budget import Budget
from .engines import Engine
from .errors import APIError, ArchiveError, CallInterrupted, OutcomeUnknown, RateLimited, Unreachable, api_error
from .journal import Attempt, State
from .keys import KeyHeader
from .request import NAMES_HEADER, PREVIEW, VideoRequest
from .retry import Pause, asked_wait, decide
from .transport import Answer, Call, Interrupted
from .video import Receipt, Video, describe

_FREE_CALL_TIMEOUT = 30.0  # s
#: The answer's headers that are kept; never a request's.
_KEPT_HEADERS = ("x-request-id", "x-cost", "x-remaining-credits", "x-generation-time", "x-seed-value", "x-vidu-engine")


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
    budget
        What the calls may cost together, None for no limit.
    notify
        Gets a line when something takes its time.
    call
        Makes what carries a request for a clip to the engine and brings its answer: a `transport.Call`, or its like.
    pause
        When the service may be asked again; those who ask it together share one.
    """

    engine: Engine
    archive: Archive
    price_usd: float
    timeout: float
    budget: Budget | None
    notify: Callable[[str], object]
    call: Callable[..., Call] = Call
    pause: Pause = field(default_factory=Pause)
    balance: float | None = field(default=None, init=False)  # US dollars, as last told
    _calls: set[Call] = field(default_factory=set, init=False)
    _cancels: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

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

    def ask(self, request: VideoRequest, key: str, lock: str, *, check: Callable[[], None]) -> Video:
        """Call until there is an answer, as far as the retry rule allows and `check` raises nothing."""
        tries = 0
        while True:
            tries += 1
            self.pause.wait(check)
            error: Unreachable | RateLimited
            try:
                return self._attempt(request, key, lock, check)
            except Unreachable as refused:
                error, decision = refused, decide(sent=False, transient=refused.transient, tries=tries)
            except RateLimited as refused:
                asked = {} if refused.retry_after is None else {"retry-after": str(refused.retry_after)}
                error, decision = refused, decide(sent=True, status=429, headers=asked, tries=tries)
            if decision.again != "yes":
                raise error
            self.notify(f"{error.message}. Nothing was billed; the next try is in {decision.after_s:.0f} s.")
            if isinstance(error, RateLimited):
                self.pause.extend(decision.after_s)
            else:
                Pause(decision.after_s).wait(check)

    def _attempt(self, request: VideoRequest, key: str, lock: str, check: Callable[[], None]) -> Video:
        """One POST, journalled at each step."""
        attempt = self._prepare(request, key, lock)

        def leaving() -> None:
            nonlocal attempt
            attempt = self._note(attempt, "sent")

        call = self.call(timeout=self.timeout, on_send=leaving)
        names = {NAMES_HEADER: quote("/".join(one.name.replace("/", " ")[:80] for one in request.references), safe="/")}
        with self._in_flight(call):
            try:
                check()  # whoever cancels from here on finds the call in flight
                answer = self._scrubbed(  # at once: tracebacks show each frame's variables
                    call.request(
                        "POST",
                        self.engine.generate_url,
                        key=KeyHeader(self.engine.key),
                        body=json.dumps(request.payload()).encode(),
                        headers=names if self.engine.is_free else None,
                    )
                )
            except Interrupted as error:
                answer = self._whole_after_all(attempt, error)
            except CallInterrupted as error:
                self._take(attempt, self._whole_after_all(attempt, error), request)
                raise KeyboardInterrupt from None  # the clip had just arrived and is kept; the wish to stop counts
            except BaseException as error:
                if not call.sent:
                    self._close(attempt, "not charged", reason=type(error).__name__)
                raise
        return self._take(attempt, answer, request)

    def _prepare(self, request: VideoRequest, key: str, lock: str) -> Attempt:
        """Everything that can fail for nothing fails here, before the call."""
        self.archive.check_room()
        price = 0.0 if self.engine.is_free else self.price_usd
        problem = ""
        try:
            self.archive.keep_references(request)
            attempt = self.archive.journal.open(
                key,
                engine=self.engine.name,
                model=self.engine.model,
                lock=lock,
                price_usd=price,
                credits_before=self.balance,
                request=describe(request),
            )
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if problem:
            raise ArchiveError(f"nothing was sent: {self.archive.folder} can't be written ({problem})")
        if self.budget and price:
            try:
                self.budget.reserve(attempt.id, price)
            except BaseException:
                self._close(attempt, "not charged", reason="the budget refused")
                raise
        return attempt

    def _whole_after_all(self, attempt: Attempt, error: Interrupted | CallInterrupted) -> Answer:
        """The answer of a call that broke off with a whole clip in hand; else the error, journalled."""
        broken = error.answer = self._scrubbed(error.answer) if error.answer else None
        if broken and broken.status == 200 and not what_is_wrong(broken.body):
            return broken
        if broken and broken.status >= 300 and broken.status != 429 and isinstance(error, Interrupted):
            return broken  # its status was told, whatever became of its words; no 429: a cancelled call must not wait
        if self.engine.is_free:
            error.billed, error.remedy = "no", "It was a free preview: call again."
        details = {"reason": error.message}
        if broken and broken.body:
            details["quarantine"] = self._put_aside(attempt, broken.body)
        self._note(attempt, "unknown", **details)
        raise error.with_traceback(None)

    def _take(self, attempt: Attempt, answer: Answer, request: VideoRequest) -> Video:
        """From a whole answer to a kept clip."""
        if answer.status != 200 and (answer.status // 100 != 2 or what_is_wrong(answer.body)):
            error = self.refusal(answer)
            if error.billed == "unknown":
                self._note(attempt, "unknown", reason=error.message, status=answer.status)
            else:
                self._close(attempt, "not charged", reason=error.message, status=answer.status)
            raise error
        headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        with _uninterrupted():
            self.archive.receive(attempt, answer.body)
            attempt = self._note(attempt, "received", headers=headers, elapsed_s=round(answer.elapsed_s, 3))
        return self.finish(attempt, request, answer.body)

    def finish(self, attempt: Attempt, request: VideoRequest | None, body: bytes | None = None) -> Video:
        """From bytes on disk to a kept clip; may be done again after anything that happened in between."""
        data = self.archive.received(attempt) if body is None else body
        data = data or b""
        problem = what_is_wrong(data)
        if problem and (link := str(attempt.told("link") or link_in(data))):
            attempt = self._note(attempt, "linked", link=link)
            data = self._fetch(link, attempt)
            self.archive.receive(attempt, data)
        elif problem:
            where = self._put_aside(attempt, data)
            self._note(attempt, "unknown", reason=f"the answer is no whole clip: {problem}", quarantine=where)
            raise self._no_clip(f"the service answered 200, but no whole clip: {problem}; kept as {where}", attempt)
        headers: Mapping[str, str] = attempt.told("headers") or {}
        receipt = Receipt.from_headers(
            headers,
            engine=self._who_answered(attempt, headers),
            model=str(attempt.facts["model"]),
            elapsed_s=float(attempt.told("elapsed_s") or 0.0),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        entry = self.archive.store(attempt, data, receipt)
        if receipt.cost_usd is not None:
            self._correct(attempt, receipt.cost_usd)
        self.balance = receipt.credits_remaining if receipt.credits_remaining is not None else self.balance
        return Video(entry.clip, request or self.archive.request_of(entry), receipt)

    def _fetch(self, link: str, attempt: Attempt) -> bytes:
        """The clip behind the answer's URL. No key goes there: it is public storage, often another company's."""
        call = Call(timeout=self.timeout)
        status, body, problem = 0, b"", ""
        with self._in_flight(call):
            try:
                answer = call.request("GET", link)
                status, body = answer.status, answer.body
            except (Unreachable, Interrupted) as error:
                problem = error.message
                if isinstance(error, Interrupted) and error.answer:
                    status, body = error.answer.status, error.answer.body
        wrong = what_is_wrong(body)
        if status == 200 and not wrong:
            return body
        problem = problem or (f"its URL answered {status}" if status != 200 else wrong)
        raise self._no_clip(f"the clip is made, but it could not be fetched: {problem}", attempt, fetchable=True)

    def _no_clip(self, message: str, attempt: Attempt, *, fetchable: bool = False) -> OutcomeUnknown:
        headers = attempt.told("headers") or {}
        remedy = (
            "client.resume() fetches it again at no cost; do so soon, such files are kept for a few days."
            if fetchable
            else "Check the credit balance before asking again: a second call may be a second bill."
        )
        told = headers.get("x-request-id")
        return OutcomeUnknown(message, billed="yes", remedy=remedy, request_id=told, fetchable=fetchable)

    def refusal(self, answer: Answer) -> APIError:
        """The error for an answer whose status is not 200."""
        return api_error(
            answer.status,
            error_text(answer.body),
            request_id=(answer.headers.get("x-request-id") or "")[:200] or None,
            retry_after=asked_wait(answer.headers),
        )

    def _who_answered(self, attempt: Attempt, headers: Mapping[str, str]) -> str:
        """The engine for the receipt: a preview server under any address is a preview, and nobody else may say so."""
        engine = str(attempt.facts["engine"])
        return PREVIEW if headers.get("x-vidu-engine") == PREVIEW and engine != "segmind" else engine

    # Small things around a call.

    def get(self, url: str) -> Answer:
        """A free call with the key.

        Raises
        ------
        Unreachable
            No whole answer came.
        """
        call = Call(timeout=_FREE_CALL_TIMEOUT, max_bytes=1_000_000)
        problem = ""
        try:
            return self._scrubbed(call.request("GET", url, key=KeyHeader(self.engine.key)))
        except Interrupted as error:
            problem = error.message
        raise Unreachable(problem, remedy="This call is free: ask again.")

    def _scrub(self, said: bytes) -> bytes:
        return self.engine.key.scrub(said) if self.engine.key and what_is_wrong(said) else said

    def _scrubbed(self, answer: Answer) -> Answer:
        """The answer without the key, should the service echo it; a clip's bytes are never touched."""
        headers = {name.lower(): self._scrub(value.encode()).decode() for name, value in answer.headers.items()}
        return Answer(answer.status, headers, self._scrub(answer.body), answer.elapsed_s)

    def _note(self, attempt: Attempt, state: State, **details: Any) -> Attempt:
        """Journal a step. Once bytes have left, a full disk must not hide what happened: "sent" says enough."""
        problem = ""
        try:
            return attempt.add(state, **details)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if state == "sent":
            raise ArchiveError(f"nothing was sent: the journal can't be written ({problem})", remedy="Free room.")
        return attempt

    def _close(self, attempt: Attempt, state: State, **details: Any) -> None:
        self._note(attempt, state, **details)
        self._correct(attempt, 0.0)

    def _correct(self, attempt: Attempt, usd: float) -> None:
        """Tell the budget what a call cost. Where that fails, the reservation stands and nothing is hidden."""
        if not self.budget or not attempt.facts["price_usd"]:
            return
        try:
            self.budget.correct(attempt.id, usd)
        except ArchiveError as error:
            self.notify(f"{error.message}; ${attempt.facts['price_usd']:.2f} stay reserved in it.")

    def _put_aside(self, attempt: Attempt, data: bytes) -> str:
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
    def _in_flight(self, call: Call) -> Iterator[None]:
        with self._lock:
            self._calls.add(call)
        try:
            yield
        finally:
            with self._lock:
                self._calls.discard(call)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
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
