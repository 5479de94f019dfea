"""`Submission`: from a request to the answer's bytes on disk; every step is on disk before the next one is taken.

    disk space ► a look at the budgets ► pictures uploaded, where asked for
      ► connect ► journal "sent" ► price reserved ► POST
      ► bytes on disk ► journal "received"; from there on `collect` goes on

A process may die at any arrow: the journal's last event tells whether there is something to fetch, something that may
have been billed, or nothing. An interrupt leaves what had arrived on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from ..catalogue.request import Request, media_names
from ..errors import (
    APIError,
    ArchiveError,
    CallInterrupted,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    Unreachable,
)
from ..net.json_body import json_body
from ..net.retry import Decision, Pause, decide
from ..net.transport import Answer, Interrupted
from ..receipt import REPLAYED
from ..recipe import describe, named_model
from ..request import NAMES_HEADER, TAKE_HEADER
from ..storage.journal import Attempt
from .engines import HOSTED
from .matching import fingerprint
from .responses import counts_though_broken, holds_result
from .session import Session, uninterrupted
from .uploads import stored_links

#: The answer's headers that are kept; never a request's.
_KEPT_HEADERS = (
    "x-request-id",
    "x-cost",
    "x-remaining-credits",
    "x-generation-time",
    "x-seed-value",
    "x-vidu-engine",
    REPLAYED,
    "x-vidu-engine-version",
)


@dataclass(frozen=True, slots=True)
class Submission:
    """A request that is asked of a session's engine.

    Parameters
    ----------
    session
        Whose engine, archive and budgets.
    request
        What is asked.
    key, lock
        The request's identity, and the lock that the caller holds for it: both stand in the journal.
    check
        Called while waiting and before the first byte leaves; what it raises ends the call, and nothing is sent.
    """

    session: Session
    request: Request
    key: str
    lock: str
    check: Callable[[], None]

    def run(self) -> Attempt:
        """Send until there is an answer, as far as the retry rule allows; returns the attempt, state ``received``.

        Raises
        ------
        Unreachable, APIError, OutcomeUnknown, BudgetExceeded, ArchiveError
            As for `Client.generate`.
        """
        tries = 0
        while True:
            tries += 1
            self.session.account.pause.wait(self.check)
            url = self.session.post_url(self._model)
            try:
                return self._send(url)
            except (Unreachable, RateLimited) as error:
                pause = self._pause_after(error, tries)
            except (NotFound, MethodNotAllowed):
                if not self.session.leave_queue(url, self._model):
                    raise
                continue
            pause.wait(self.check)

    @property
    def _model(self) -> str:
        return self.session.engine.name_of(self.request.model)

    def _pause_after(self, error: Unreachable | RateLimited, tries: int) -> Pause:
        """Until when the next try has to wait; the error itself where there is none."""
        decision = _decide(error, tries)
        if decision.again != "yes":
            raise error
        self.session.notify(f"{error.message}. Nothing was billed; the next try is in {decision.after_s:.0f} s.")
        if isinstance(error, Unreachable):
            return Pause(decision.after_s)
        self.session.account.pause.extend(decision.after_s)  # the service asks all of the account's clients to wait
        return self.session.account.pause

    def _send(self, url: str) -> Attempt:
        """Send once."""
        session, attempt = self.session, self._prepare()
        kind = self.request.model.returns

        def leaving() -> None:
            """Connected: what comes next is the first byte."""
            nonlocal attempt
            attempt = session.record(attempt, "sent")
            session.reserve(attempt)
            self.check()  # the budget's lock may have been waited for
            if session.errand:
                session.errand.confirm(attempt.id)

        call = session.call(timeout=session.timeout, on_send=leaving)
        answer: Answer | None
        interrupted = False
        try:
            answer = session.send(call, "POST", url, self._body(), self._headers())
        except (Interrupted, CallInterrupted) as error:
            answer, interrupted = error.answer, isinstance(error, KeyboardInterrupt)
            if not answer or not counts_though_broken(answer, session.engine.base_url, kind, interrupted=interrupted):
                self._lose(attempt, error)
                raise
        except BaseException as error:
            if attempt.state == "sent" and not call.sent:
                session.close(attempt, reason=type(error).__name__)
            raise
        if answer.status != 200 and not holds_result(answer, session.engine.base_url, kind):
            raise self._refused(attempt, answer)
        attempt = self._receive(attempt, answer)
        if interrupted:
            raise KeyboardInterrupt  # what had just arrived is on disk; the wish to stop counts
        return attempt

    def _prepare(self) -> Attempt:
        """Fail here where it is certain, before anything leaves; the attempt is on disk from "sent" on."""
        archive, engine = self.session.archive, self.session.engine
        archive.check_disk_space()
        price = 0.0 if engine.is_free else self.session.price_of(self.request)
        self.session.check_budgets(price)
        try:
            archive.keep_references(self.request)
        except OSError as error:
            problem = error.strerror or type(error).__name__
            raise ArchiveError(f"nothing was sent: {archive.folder} can't be written ({problem})") from error
        return archive.journal.open(
            self.key,
            engine=engine.name,
            model=self._model,
            lock=self.lock,
            price_usd=price,
            credits_before=self.session.account.balance,
            request=describe(self.request),
            **named_model(self.request),
            returns=self.request.model.returns,
            pictures=[] if engine.is_free else [fingerprint(one.url) for one in self.request.media],
            mark=self.session.errand.mark if self.session.errand else "",
        )

    def _body(self) -> bytes:
        if self.session.uploads == "storage" and not self.session.engine.is_free:  # previews stay on this machine
            links = stored_links(self.session, self.request)
            return json_body(self.request.payload(url_of=lambda one: links.get(one.sha256, one.url)))
        return json_body(self.request.payload())

    def _headers(self) -> dict[str, str]:
        engine = self.session.engine
        if not engine.is_free:
            # A gateway replays what anybody has paid for, unless it is told that this is a take of its own.
            take = self.lock.removeprefix(self.key).removeprefix("-")
            return {TAKE_HEADER: take} if take and engine.name != HOSTED else {}
        names = "/".join(name.replace("/", " ")[:80] for name in media_names(self.request))
        return {NAMES_HEADER: quote(names, safe="/")}

    def _lose(self, attempt: Attempt, error: Interrupted | CallInterrupted) -> None:
        """Journal that no usable answer came; what had arrived of one is kept for a person to look at."""
        details = {"reason": error.message}
        if error.answer and error.answer.body:
            details["quarantine"] = self.session.put_aside(attempt, error.answer.body)
        self.session.note(attempt, "unknown", **details)
        if self.session.engine.is_free:
            error.billed, error.remedy = "no", "It was a free preview: call again."

    def _refused(self, attempt: Attempt, answer: Answer) -> APIError:
        """Journal an answer that brings no clip, by whether it may have been billed; returns its error."""
        error = self.session.refusal(answer, attempt)
        if error.billed == "unknown":
            named = {"request_id": error.request_id} if error.request_id else {}
            self.session.note(attempt, "unknown", reason=error.message, status=answer.status, **named)
        else:
            self.session.close(attempt, reason=error.message, status=answer.status)
        return error

    def _receive(self, attempt: Attempt, answer: Answer) -> Attempt:
        headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        with uninterrupted():
            self.session.archive.receive(attempt, answer.body)
            return self.session.note(attempt, "received", headers=headers, elapsed_s=round(answer.elapsed_s, 3))


def _decide(error: Unreachable | RateLimited, tries: int) -> Decision:
    if isinstance(error, Unreachable):
        return decide(sent=False, transient=error.transient, tries=tries)
    asked = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return decide(sent=True, status=429, headers=asked, tries=tries)
