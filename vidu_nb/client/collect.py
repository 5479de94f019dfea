"""`Collection`: from an answer's bytes on disk to a cached clip: poll a job, fetch a link, store.

The steps are those of the journal's states, and each may be done again after anything that happened in between. Where a
process died after bytes came and before the journal could say so, the bytes count: they are newer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..errors import APIError, ArchiveError, CallInterrupted, OutcomeUnknown, Unreachable
from ..media import box_in
from ..net.transport import Answer, Call, Interrupted
from ..receipt import Receipt, number, picture_numbers
from ..request import MISSING_BOX, PREVIEW, VideoRequest
from ..storage.journal import Attempt, State
from ..video import Video
from .polling import JobStatus, await_job
from .responses import Ticket, as_json, link_in, metrics_in, what_is_wrong
from .session import Session, uninterrupted


@dataclass(slots=True)
class Collection:
    """An attempt whose answer came, on its way to a cached clip.

    Parameters
    ----------
    session
        Whose archive and budgets.
    attempt
        From `Submission.run` or from the journal; moves on with each step.
    check
        Called while a job is waited for; what it raises ends the wait.
    """

    session: Session
    attempt: Attempt
    check: Callable[[], None]

    def run(self, request: VideoRequest | None) -> Video:
        """Bring the clip into the archive; `request` is the one that it answers, where it is at hand.

        Raises
        ------
        OutcomeUnknown
            There is no clip, or not yet: ``.fetchable`` tells the two apart.
        JobFailed
            The service took the job, and it failed.
        ArchiveError
            The clip can't be written; ``.data`` holds it.
        """
        data = self._received()
        if what_is_wrong(data):  # a whole clip is what was paid for, wherever the journal stands
            match self.attempt.state:
                case "linked":
                    data = self._fetched()
                case "queued":
                    data = self._polled(data)
                case _:  # "received"; or "sent", where the process died before the journal could say so
                    data = self._answered(data)
        return self._store(data, request)

    def _received(self) -> bytes:
        try:
            return self.session.archive.received(self.attempt) or b""
        except OSError as error:
            problem = error.strerror or type(error).__name__
            raise ArchiveError(
                f"what came of call {self.attempt.id} can't be read ({problem})",
                remedy="It was paid for: once the disk can be read, client.resume() brings it in.",
            ) from error

    def _answered(self, data: bytes) -> bytes:
        """From the answer to the POST, which leads to the clip: by a ticket or by a link."""
        ticket = Ticket.from_json(as_json(data), base_url=self.session.engine.base_url)
        if ticket is None or link_in(data):
            return self._resulting(data)
        self._note("queued", ticket=ticket.to_dict())
        return self._polled(data)

    def _polled(self, data: bytes) -> bytes:
        """From the ticket to the job's result; it was paid for, and is never sent again whatever goes wrong here."""
        if not link_in(data):  # else the result had come when the process died
            data = self._await_job()
        return self._resulting(data)

    def _resulting(self, data: bytes) -> bytes:
        """From a result to the clip: it is the clip, or names its URL."""
        problem, link = what_is_wrong(data), link_in(data)
        if not problem:
            return data
        if link:
            self._note("linked", link=link)
            return self._fetched()
        where = self.session.put_aside(self.attempt, data)
        self._note("unknown", reason=f"the answer is no whole clip: {problem}", quarantine=where)
        raise self._no_clip(f"the service answered 200, but no whole clip: {problem}; kept as {where}")

    def _fetched(self) -> bytes:
        """From the journal's link to the clip behind it."""
        clip = self._fetch(str(self.attempt.latest("link")))
        self.session.archive.receive(self.attempt, clip)
        return clip

    def _store(self, clip: bytes, request: VideoRequest | None) -> Video:
        headers: Mapping[str, str] = self.attempt.latest("headers") or {}
        receipt = Receipt.from_headers(
            headers,
            engine=_who_answered(self.attempt, headers),
            model=str(self.attempt.facts["model"]),
            elapsed_s=float(self.attempt.latest("elapsed_s") or 0.0),
            sha256=hashlib.sha256(clip).hexdigest(),
        )
        if receipt.engine == PREVIEW:
            receipt = replace(receipt, pictures_missing=picture_numbers(as_json(box_in(clip, MISSING_BOX) or b"")))
        entry = self.session.archive.store(self.attempt, clip, receipt)
        if receipt.cost_usd is not None:
            self.session.correct(self.attempt, receipt.cost_usd)
        if receipt.credits_remaining is not None:
            self.session.account.balance = receipt.credits_remaining
        return Video(entry.clip, request or self.session.archive.request_of(entry), receipt)

    # Asking the service: all of it is free.

    def _await_job(self) -> bytes:
        """Poll the job of the journal's ticket until its result is on disk."""
        session, asked = self.session, self.attempt.facts["engine"]
        if asked != session.engine.name:  # which knows nothing of the job, and has another key
            raise self._no_clip(
                f"the job is one of {asked}: only a client of that service can ask for it", fetchable=True
            )
        ticket = Ticket.from_json(self.attempt.latest("ticket"), base_url=session.engine.base_url)
        if ticket is None:
            raise self._expired("the journal names no job")
        status, answer = await_job(
            ticket,
            partial(session.free_call, "GET"),
            seconds=session.timeout,
            check=self.check,
            progress=session.progress,
        )
        match status:
            case "completed" if answer:
                return self._receive(answer, ticket)
            case "failed" if answer:
                raise self._failed(answer)
            case "expired":
                raise self._expired(
                    f"the service no longer knows the job {ticket.request_id}: it keeps them for about an hour"
                )
            case _:
                raise self._no_clip(self._why_not_yet(status), fetchable=True)

    def _receive(self, answer: Answer, ticket: Ticket) -> bytes:
        headers = {**(self.attempt.latest("headers") or {}), "x-request-id": ticket.request_id}
        with uninterrupted():
            self.session.archive.receive(self.attempt, answer.body)
            elapsed = round(self.attempt.age_s, 3)
            self._note("received", headers={**headers, **metrics_in(answer.body)}, elapsed_s=elapsed)
        return answer.body

    def _fetch(self, link: str) -> bytes:
        """GET the clip behind a link. No key goes there: it is public storage, often another company's."""
        call = Call(timeout=self.session.timeout)
        try:
            with self.session.in_flight(call):
                answer = call.request("GET", link)
        except Unreachable as error:
            raise self._not_fetched(error.message) from None
        except Interrupted as error:
            if error.answer and error.answer.status == 200 and not what_is_wrong(error.answer.body):
                return error.answer.body
            raise self._not_fetched(error.message) from None
        except CallInterrupted:
            raise KeyboardInterrupt from None  # the link is in the journal: the same call again fetches it
        if answer.status != 200:
            raise self._not_fetched(f"its URL answered {answer.status}")
        if problem := what_is_wrong(answer.body):
            raise self._not_fetched(problem)
        return answer.body

    # What goes wrong.

    def _note(self, state: State, **details: Any) -> None:
        self.attempt = self.session.note(self.attempt, state, **details)

    def _failed(self, answer: Answer) -> APIError:
        """A job that failed costs nothing, unless the service itself names a cost."""
        error = self.session.refusal(replace(answer, status=422))
        cost = number(metrics_in(answer.body).get("x-cost")) or 0.0
        error.billed = "yes" if cost else "no"
        self._note("settled" if cost else "not charged", reason=error.message, billed=bool(cost))
        self.session.correct(self.attempt, cost)
        return error

    def _expired(self, reason: str) -> OutcomeUnknown:
        self._note("not charged" if self.attempt.facts["engine"] == PREVIEW else "unknown", reason=reason)
        return self._no_clip(reason)

    def _why_not_yet(self, status: JobStatus) -> str:
        reasons: dict[JobStatus, str] = {
            "refused": "the service refused to report on the job: check the key",
            "late": f"the job is not done after {self.session.timeout:g} s, and goes on",
            "cancelled": "the wait was cancelled; the job goes on",
        }
        return reasons[status]

    def _not_fetched(self, problem: str) -> OutcomeUnknown:
        return self._no_clip(f"the clip is made, but it could not be fetched: {problem}", fetchable=True)

    def _no_clip(self, message: str, *, fetchable: bool = False) -> OutcomeUnknown:
        if self.attempt.facts["engine"] == PREVIEW:
            return OutcomeUnknown(message, billed="no", remedy="It was a free preview: call again.")
        remedy = (
            "client.resume() or the same call again fetches it at no cost; do so soon: it is kept for a while only."
            if fetchable
            else "Check the credit balance before asking again: a second call may be a second bill."
        )
        request_id = (self.attempt.latest("headers") or {}).get("x-request-id")
        return OutcomeUnknown(message, billed="yes", remedy=remedy, request_id=request_id, fetchable=fetchable)


def _who_answered(attempt: Attempt, headers: Mapping[str, str]) -> str:
    """The engine for the receipt: a preview server under any address is a preview, and nobody else may say so."""
    engine = str(attempt.facts["engine"])
    return PREVIEW if headers.get("x-vidu-engine") == PREVIEW and engine != "segmind" else engine
