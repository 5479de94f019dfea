"""`Collection`: from an answer's bytes on disk to a cached clip or pictures: poll a job, fetch links, store.

The steps are those of the journal's states, and each may be done again after anything that happened in between. Where a
process died after bytes came and before the journal could say so, the bytes count: they are newer.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from ..catalogue.request import PREVIEW, Request
from ..errors import APIError, ArchiveError, CallInterrupted, OutcomeUnknown, Unreachable
from ..image_file import packed, unpacked
from ..media import box_in
from ..net.redirects import BadRedirect
from ..net.retry import Pause
from ..net.transport import Answer, Interrupted
from ..receipt import Receipt, number, picture_numbers
from ..references.signatures import shareable
from ..references.sources import shorten
from ..request import MISSING_BOX
from ..storage.archive import Made
from ..storage.journal import Attempt, State
from .matching import known_id
from .messages import as_json, error_text
from .polling import JobStatus, await_job, job_status
from .responses import Content, Kind, Ticket, kind_of, metrics_in, read, replay_mark
from .session import Session, uninterrupted

_GONE = (400, 401, 403, 404, 410)  # what storages answer to a link that was dropped or whose signature has expired

_NOT_YET = (202, 408, 425, 429)
_FETCH_WAITS = (0.5, 1.5)  # s before a link is tried again


class Look(NamedTuple):
    """What one free question brought: its content, else why there is no clip in it, for good or for a moment."""

    content: Content = Content(b"")
    problem: str = ""
    is_over: bool = False
    may_pass: bool = False


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

    def run(self, request: Request | None) -> Made:
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
        found = read(self._received(), self._kind)
        # A whole clip is what was paid for, wherever the journal stands.
        clip = self._resulting(found) if found.clip else self._bring(found)
        if clip != found.body:
            self.session.archive.receive(self.attempt, clip)
        return self._store(clip, request)

    def _bring(self, found: Content) -> bytes:
        """From what lies on disk to the clip, by the journal's state."""
        match self.attempt.state:
            case "linked":
                return self._fetched(found)
            case "queued":  # the result may have come when the process died
                return self._resulting(found if found.link else self._await_job())
            case _:  # "received"; or "sent", where the process died before the journal could say so
                return self._answered(found)

    @property
    def _kind(self) -> Kind:
        return kind_of(self.attempt)

    @property
    def _what(self) -> str:
        return "picture" if self._kind == "image" else "clip"

    def _received(self) -> bytes:
        try:
            return self.session.archive.received(self.attempt) or b""
        except OSError as error:
            problem = error.strerror or type(error).__name__
            raise ArchiveError(
                f"what came of call {self.attempt.id} can't be read ({problem})",
                remedy="It was paid for: once the disk can be read, client.resume() brings it in.",
            ) from error

    def _answered(self, found: Content) -> bytes:
        """From the answer to the POST, which leads to the clip: by a ticket or by a link."""
        ticket = Ticket.from_json(found.payload, base_url=self.session.engine.base_url)
        if ticket:
            self._note("queued", ticket=ticket.to_dict())  # beside a link as well: it may expire
        return self._resulting(self._await_job() if ticket and not found.link else found)

    def _resulting(self, found: Content) -> bytes:
        """From a result to the clip: it is the clip, or names its URL."""
        if found.is_result and found.problem:
            self._put_aside(found)
        if found.clip:
            return found.clip
        if found.is_result:
            links = [one for one in found.items if isinstance(one, str)]
            self._note("linked", link=found.link, **({"links": links} if len(found.items) > 1 else {}))
            return self._fetched(found)
        where = self.session.put_aside(self.attempt, found.body)
        self._note("unknown", reason=f"the answer is no whole {self._what}: {found.problem}", quarantine=where)
        raise self._no_clip(f"the service answered 200, but no whole {self._what}: {found.problem}; kept as {where}")

    def _put_aside(self, found: Content) -> None:
        """Keep an answer of several pictures, one of which is no whole one; the others go on."""
        with contextlib.suppress(OSError):
            where = self.session.archive.put_aside(self.attempt, found.body)
            self.session.notify(f"{found.problem}; the others are kept, and the answer as {where}")

    def _fetched(self, found: Content) -> bytes:
        """From the links of the answer, or of the journal, to what is behind them."""
        journalled = self.attempt.latest("links") or [self.attempt.latest("link")]
        items = list(found.items if len(found.items) > 1 else map(str, journalled))
        if len(items) > 1:
            return self._fetched_each(items)
        return self._fetched_one(str(self.attempt.latest("link")), 0)

    def _fetched_each(self, items: list[bytes | str]) -> bytes:
        """From several links to the pictures; each one that came is on disk before the next one is asked for."""
        failures = []
        for index, one in enumerate(items):
            if isinstance(one, str):
                try:
                    items[index] = self._fetched_one(one, index)
                except OutcomeUnknown as error:
                    failures.append(error)
                    continue
                with uninterrupted():
                    self.session.archive.receive(self.attempt, packed(items))
        came = [one for one in items if isinstance(one, bytes)]
        if failures and (not came or any(error.fetchable for error in failures)):
            if came:  # a fresh answer of the job may have taken its place
                self.session.archive.receive(self.attempt, packed(items))
            raise failures[0]
        if failures:
            self.session.notify(
                f"{len(failures)} of {len(items)} pictures: {failures[0].message}; the others are kept."
            )
        return packed(came)

    def _fetched_one(self, link: str, index: int) -> bytes:
        """From a link to what is behind it; one that brings nothing is replaced by those who know the job.

        That is the queue, for about an hour, and the service's record. The link is the answer's one of that index.
        """
        first = self._fetch(link)
        if first.content.clip:
            return first.content.clip
        problems, is_over = [f"{first.problem} ({_shown(link)})"], False
        for ticket in self._tickets():
            fresh = self._ask_again(ticket, link, index)
            again = fresh.content.items[index] if index < len(fresh.content.items) else ""
            if isinstance(again, bytes):
                return again
            problem = fresh.problem or "the job names the same URL again"
            if again not in ("", link):
                self._note("linked", link=again)
                second = self._fetch(again)
                if second.content.clip:
                    return second.content.clip
                problem = f"the job gave a fresh one, and {second.problem}"
            problems.append(f"{problem} (job {ticket.request_id[:60]})")
            # That a direct call isn't in the record says nothing, since there may be none.
            is_over = is_over or (first.is_over and fresh.is_over and ticket.to_dict() == self.attempt.latest("ticket"))
        problem = "; ".join(problems)
        raise self._lost(problem) if is_over else self._not_fetched(problem)

    def _tickets(self) -> Iterator[Ticket]:
        """The journal's ticket, and the one for the call's place in the service's record."""
        engine, payload = self.session.engine, self.attempt.latest("ticket")
        ticket = Ticket.from_json(payload, base_url=engine.base_url, record_url=engine.record_url)
        if ticket:
            yield ticket
        url = engine.call_url(known_id(self.attempt))
        if url and (ticket is None or ticket.response_url != url):
            yield Ticket(known_id(self.attempt), status_url=url, response_url=url)

    def _store(self, clip: bytes, request: Request | None) -> Made:
        headers: Mapping[str, str] = self.attempt.latest("headers") or {}
        receipt = Receipt.from_headers(
            headers,
            engine=_who_answered(self.attempt, headers),
            model=str(self.attempt.facts["model"]),
            elapsed_s=float(self.attempt.latest("elapsed_s") or 0.0),
            sha256=hashlib.sha256(next(iter(unpacked(clip)), clip)).hexdigest(),
        )
        if receipt.engine == PREVIEW:
            receipt = replace(receipt, pictures_missing=picture_numbers(as_json(box_in(clip, MISSING_BOX) or b"")))
        entry = self.session.archive.store(self.attempt, clip, receipt)
        if receipt.cost_usd is not None:
            self.session.correct(self.attempt, receipt.cost_usd)
        if receipt.credits_remaining is not None:
            self.session.account.balance = receipt.credits_remaining
        return self.session.archive.made(entry, request, receipt)

    # Asking the service: all of it is free.

    def _await_job(self) -> Content:
        """Poll the job of the journal's ticket until its result is on disk."""
        session, asked = self.session, self.attempt.facts["engine"]
        if asked != session.engine.name:  # which knows nothing of the job, and has another key
            raise self._no_clip(_only_a_client_of(asked), fetchable=True)
        ticket = next(self._tickets(), None)
        if ticket is None:
            raise self._expired("the journal names no job")
        status, answer = await_job(
            ticket,
            partial(session.free_call, "GET"),
            seconds=session.timeout if session.waits is None else session.waits,
            kind=self._kind,
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

    def _ask_again(self, ticket: Ticket, link: str, index: int) -> Look:
        """Look once more at a job whose link of that index brings nothing; what is new about its result is on disk."""
        asked = self.attempt.facts["engine"]
        if asked != self.session.engine.name:
            return Look(problem=_only_a_client_of(asked))
        try:
            self.check()
            answer = self.session.free_call("GET", ticket.response_url)
        except Unreachable as error:
            return Look(problem=error.message)
        status = job_status(answer, self._kind)
        if status == "completed":
            content = read(answer.body, self._kind)
            if content.items[index : index + 1] not in ((), (link,)):
                self._receive(answer, ticket)
            return Look(content, content.problem)
        problems = {
            "failed": f"now the job counts as failed: {error_text(answer.body)}",
            "expired": "the service no longer knows the job",
            "refused": "the service refused to report on the job: check the key",
        }
        problem = problems.get(status, f"the service answered {answer.status} to the question for a fresh one")
        return Look(problem=problem, is_over=status in ("failed", "expired"))

    def _receive(self, answer: Answer, ticket: Ticket) -> Content:
        headers = {**(self.attempt.latest("headers") or {}), "x-request-id": ticket.request_id}
        with uninterrupted():
            self.session.archive.receive(self.attempt, answer.body)
            elapsed = round(self.attempt.age_s, 3)
            facts = {**headers, **replay_mark(answer.headers), **metrics_in(answer.body)}
            self._note("received", headers=facts, elapsed_s=elapsed)
        return read(answer.body, self._kind)

    def _fetch(self, link: str) -> Look:
        """GET the clip behind a link, a few times where what is wrong may pass: a storage that is busy, or behind."""
        end = time.monotonic() + self.session.timeout
        look = self._fetch_once(link, self.session.timeout)
        for wait in _FETCH_WAITS:
            left = end - time.monotonic() - wait
            if not look.may_pass or left <= 0:
                break
            try:
                Pause(wait).wait(self.check)
            except Unreachable:  # it was cancelled
                break
            look = self._fetch_once(link, left)
        return look

    def _fetch_once(self, link: str, seconds: float) -> Look:
        try:
            answer = self.session.fetch(link, seconds=seconds)
        except BadRedirect as error:
            return Look(problem=f"its URL {error.message}")
        except Unreachable as error:
            return Look(problem=error.message, may_pass=error.transient)
        except Interrupted as error:
            if error.answer and error.answer.status == 200:
                return Look(read(error.answer.body, self._kind), error.message, may_pass=True)
            return Look(problem=error.message, may_pass=True)
        except CallInterrupted:
            raise KeyboardInterrupt from None  # the link is in the journal: the same call again fetches it
        content = read(answer.body, self._kind) if answer.status // 100 == 2 else Content(b"")
        if content.clip or answer.status == 200:
            return Look(content, content.problem or "its URL answered with another URL")
        may_pass = answer.status in _NOT_YET or answer.status >= 500
        return Look(problem=f"its URL answered {answer.status}", is_over=answer.status in _GONE, may_pass=may_pass)

    # What goes wrong.

    def _note(self, state: State, **details: Any) -> None:
        self.attempt = self.session.note(self.attempt, state, **details)

    def _failed(self, answer: Answer) -> APIError:
        """A job that failed costs nothing, unless the service itself names a cost."""
        error = self.session.refusal(replace(answer, status=422), self.attempt)
        cost = number(metrics_in(answer.body).get("x-cost")) or 0.0
        error.billed = "yes" if cost else "no"
        self._note("settled" if cost else "not charged", reason=error.message, billed=bool(cost), cost_usd=cost)
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
        return self._no_clip(f"the {self._what} is made, but it could not be fetched: {problem}", fetchable=True)

    def _lost(self, problem: str) -> OutcomeUnknown:
        """Journal that neither the link nor the job leads to the clip any more; `resume` tries all the same."""
        message = f"the {self._what} was made, and can't be fetched any more: {problem}"
        if self.attempt.facts["engine"] == PREVIEW:
            return self._no_clip(message)
        if self.attempt.facts["events"][-1].get("lost") != problem:
            self._note("linked", lost=problem, reason=message)
        remedy = (
            f"Ask the service's support for this job's {self._what}. client.settle"
            f"({self.attempt.id!r}, billed=True) closes the call, and again=True pays for another {self._what}."
        )
        return OutcomeUnknown(message, billed="yes", remedy=remedy, request_id=self._request_id())

    def _no_clip(self, message: str, *, fetchable: bool = False) -> OutcomeUnknown:
        if self.attempt.facts["engine"] == PREVIEW:
            return OutcomeUnknown(message, billed="no", remedy="It was a free preview: call again.")
        remedy = (
            "client.resume() or the same call again fetches it at no cost; do so soon: it is kept for a while only."
            if fetchable
            else "Check the credit balance before asking again: a second call may be a second bill."
        )
        return OutcomeUnknown(message, billed="yes", remedy=remedy, request_id=self._request_id(), fetchable=fetchable)

    def _request_id(self) -> str | None:
        return (self.attempt.latest("headers") or {}).get("x-request-id")


def _shown(link: str) -> str:
    return shorten(shareable(link), 60)


def _only_a_client_of(engine: str) -> str:
    return f"the job is one of {engine}: only a client of that service can ask for it"


def _who_answered(attempt: Attempt, headers: Mapping[str, str]) -> str:
    """The engine for the receipt: a preview server under any address is a preview, and nobody else may say so."""
    engine = str(attempt.facts["engine"])
    return PREVIEW if headers.get("x-vidu-engine") == PREVIEW and engine != "segmind" else engine
