"""Calls that are not closed: collected where that costs nothing, closed by a person, never repeated."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from enum import Enum

from ..catalogue.request import PREVIEW, Request
from ..errors import ArchiveError, InvalidRequest, OutcomeUnknown, ViduError
from ..locks import is_held
from ..storage.archive import Made
from ..storage.journal import CLOSED, Attempt, State
from .account import Pending
from .collect import Collection
from .reconcile import PATIENCE_S, Reconciliation, is_lasting
from .session import Session

_GLANCE_S = 10.0  # what `pending` waits at most for a record that asks for a pause


class Action(Enum):
    """What to do about an earlier attempt at a request before the same is sent again."""

    IGNORE = "it is closed, or another thread or kernel makes it and takes care of it"
    WAIT = "another brings its clip in, or looks for it: soon more is known"
    COLLECT = "it was paid for, and its clip can be had at no cost"
    REFUSE = "it may have been billed, and nobody has agreed to pay again"
    GO_ON = "it brought nothing, and costs nothing or somebody has agreed to pay again"


def verdict(state: State, *, fetchable: bool, running: bool, again: bool, free: bool) -> Action:
    """Decide whether a request may be sent again, or must not be, after an attempt at it.

    Parameters
    ----------
    state
        Where the attempt stands in the journal.
    fetchable
        Whether its clip can be had at no cost: its bytes, its ticket or its link are at hand.
    running
        Whether another thread or process holds its lock.
    again
        Whether a person has agreed to pay again.
    free
        Whether calls cost nothing.

    >>> verdict("sent", fetchable=False, running=False, again=False, free=False)  # the process died, it may be billed
    <Action.REFUSE: ...>
    """
    if state in CLOSED:
        return Action.IGNORE
    if running:  # an unknown one is being looked for in the service's record, or closed
        return Action.WAIT if state in ("received", "linked", "unknown") else Action.IGNORE
    if fetchable:
        return Action.COLLECT
    return Action.GO_ON if again or free else Action.REFUSE


class Recovery:
    """The attempts in a session's journal that are not closed.

    Parameters
    ----------
    session
        Who was asked, and where everything is kept.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.archive = session.archive

    def pending(self) -> list[Pending]:
        """List the paid calls that are of unknown outcome, or paid and not fetched yet."""
        left_open = list(self._left_open())
        ours = self.session.engine.name
        balance: float | None = None
        statuses: dict[str, str] = {}
        if asked := [attempt for attempt in left_open if attempt.facts["engine"] == ours]:
            with contextlib.suppress(ViduError):
                balance = self.session.credits().total
            with contextlib.suppress(ViduError):
                statuses = self._in_record(asked)
        return [
            Pending.from_attempt(
                attempt,
                fetchable=self._is_fetchable(attempt) and "lost" not in attempt.facts["events"][-1],
                credits_now=balance if attempt.facts["engine"] == ours else None,
                record=statuses.get(attempt.id, ""),
            )
            for attempt in left_open
        ]

    def _in_record(self, attempts: list[Attempt]) -> dict[str, str]:
        """What the service's record has of some calls, by their ids; of those that it hasn't, that it hasn't."""
        if not self.session.engine.record_url:
            return {}
        found = Reconciliation(self.session, seconds=_GLANCE_S).search(attempts)
        return {attempt.id: "not found" for attempt in attempts} | {one.id: row.status.lower() for one, row in found}

    def settle(self, name: str, *, billed: bool) -> None:
        """Close the call of that id; where it was not billed, its budget gets the reservation back.

        Raises
        ------
        InvalidRequest
            No such open call.
        ArchiveError
            The journal can't be written.
        """
        for attempt in self._left_open():
            if attempt.id == name:
                with self.session.holding(_lock_of(attempt)):
                    now = self.archive.journal.read_again(attempt)
                    if not now.is_open:  # its clip came in meanwhile
                        break
                    self.session.record(now, "settled", billed=billed)
                if not billed:
                    self.session.correct(attempt, 0.0)
                return
        raise InvalidRequest(f"call: {name!r} is not an open call; client.pending() lists them", field="call")

    def resume(self) -> list[Made]:
        """Collect every clip that was paid for and is not in the archive yet; costs nothing."""
        check = self.session.cancellation_check()
        left_open = list(self._left_open())
        found = self._collect_each([attempt for attempt in left_open if self._is_fetchable(attempt)], check)
        try:
            return found + self._reconcile(map(self.archive.journal.read_again, left_open), check)
        except ViduError as error:
            if not is_lasting(error):
                self.session.notify(f"{error.message}: calls of unknown outcome stay so.")
            return found

    def reconcile(self) -> list[Made]:
        """Collect the calls of unknown outcome that the service's record has for certain.

        Raises
        ------
        Unreachable, APIError, ViduError
            The record can't be read.
        """
        return self._reconcile(self._left_open(), self.session.cancellation_check())

    def _reconcile(self, attempts: Iterable[Attempt], check: Callable[[], None]) -> list[Made]:
        record, ended = Reconciliation(self.session, check), []
        lost = [attempt for attempt in attempts if self._is_in_doubt(attempt)]
        if lost and self.session.engine.record_url:
            for attempt, row in record.search(lost):
                ticket = record.confirm(attempt, row)  # before the lock: it may have to wait for a rate limit
                if ticket is None:
                    continue
                with self.session.holding(_lock_of(attempt), check):
                    now = self.archive.journal.read_again(attempt)
                    if self._is_in_doubt(now):
                        now = record.claim(now, ticket)
                if self._is_fetchable(now) and row.status in ("COMPLETED", "FAILED"):
                    ended.append(now)
        return self._collect_each(ended, check)

    def collect(self, attempt: Attempt) -> Made | None:
        """Take the next step of a call that is not closed, or return what was made of it meanwhile.

        Raises
        ------
        OutcomeUnknown
            It brings nothing, or not yet: ``.fetchable`` tells the two apart.
        """
        return self._collect(attempt, None, "", self.session.cancellation_check())

    def look_for_lost(self, key: str, lock: str, check: Callable[[], None]) -> Attempt | None:
        """Look for the call that the caller has just made under its lock; None unless it was lost and is found."""
        made = [attempt for attempt in self.archive.journal.attempts_for(key) if _lock_of(attempt) == lock]
        if not made or made[-1].state != "unknown" or self.session.engine.is_free:
            return None
        found = self._search(made[-1], lock, check)
        return found if self._is_fetchable(found) else None

    def _search(self, attempt: Attempt, held: str, check: Callable[[], None]) -> Attempt:
        """Look for a call of unknown outcome in the record, unless somebody else has it in hand."""
        lock = _lock_of(attempt)
        if self._is_running(attempt, held_by_us=held):
            return attempt
        with contextlib.nullcontext() if lock == held else self.session.holding(lock, check):
            now = self.archive.journal.read_again(attempt)
            if not self._is_in_doubt(now):
                return now
            patience = PATIENCE_S if self.session.waits is None else self.session.waits
            seconds = min(patience, self.session.timeout - now.age_s)
            return Reconciliation(self.session, check, seconds=seconds).look_for(now)

    def _collect_each(self, attempts: list[Attempt], check: Callable[[], None]) -> list[Made]:
        found = []
        for attempt in attempts:
            try:
                found.append(self._collect(attempt, None, "", check))
            except (ViduError, OSError) as error:
                self.session.notify(f"{attempt.id}: {error}")
        return [video for video in found if video]

    def look_at_earlier(
        self, request: Request, key: str, lock: str, check: Callable[[], None], *, again: bool
    ) -> Made | None:
        """Look at the earlier attempts at a request: the clip of one that can be had, None where a new one may be sent.

        Parameters
        ----------
        request, key
            What is asked, and its identity.
        lock
            The lock that the caller holds for it.
        check
            Called while waiting; what it raises ends the wait.
        again
            Whether to pay again, though an earlier attempt may have been billed.

        Raises
        ------
        OutcomeUnknown
            An earlier attempt may have been billed, and `again` doesn't say to go on.
        """
        ours = ("", self.session.errand.mark) if self.session.errand else None
        for attempt in self.archive.journal.attempts_for(key):
            if ours and attempt.mark not in ours:
                continue
            if video := self._look_at(attempt, request, lock, check, again=again):
                return video
        return None

    def _look_at(
        self, attempt: Attempt, request: Request, lock: str, check: Callable[[], None], *, again: bool
    ) -> Made | None:
        free = self.session.engine.is_free
        running = self._is_running(attempt, held_by_us=lock)
        if not running:  # whoever made it may have ended since the journal was read
            attempt = self.archive.journal.read_again(attempt)
        match verdict(attempt.state, fetchable=self._is_fetchable(attempt), running=running, again=again, free=free):
            case Action.IGNORE:
                return None
            case Action.WAIT:
                with self.session.holding(_lock_of(attempt), check):
                    now = self.archive.journal.read_again(attempt)
                return self._look_at(now, request, lock, check, again=again)
            case Action.COLLECT:
                try:
                    return self._collect(attempt, request, lock, check)
                except OutcomeUnknown:
                    if again or free:
                        return None
                    raise
            case Action.GO_ON:
                self._write_off(attempt)
                return None
            case Action.REFUSE:
                found = self._search(self._write_off(attempt), lock, check)
                if not self._is_in_doubt(found):
                    return self._look_at(found, request, lock, check, again=again)
                raise OutcomeUnknown(
                    f"this request was sent on {attempt.facts['events'][0]['at'][:16]}Z and brought no usable answer",
                    remedy=(
                        "It is not sent again by itself: see client.pending() and the credit balance, then call with "
                        f"again=True to pay again, or close it with client.settle({attempt.id!r}, billed=...)."
                    ),
                )

    def _write_off(self, attempt: Attempt) -> Attempt:
        if attempt.state != "sent":
            return attempt
        state: State = "not charged" if self.session.engine.is_free else "unknown"
        return self.session.record(attempt, state, reason="the process ended before an answer came")

    def _collect(self, attempt: Attempt, request: Request | None, held: str, check: Callable[[], None]) -> Made | None:
        """Collect an attempt's clip under its lock, or find what another made of it meanwhile."""
        lock = _lock_of(attempt)
        with contextlib.nullcontext() if lock == held else self.session.holding(lock, check):
            attempt = self.archive.journal.read_again(attempt)
            if self._is_fetchable(attempt):
                return Collection(self.session, attempt, check).run(request)
        key = str(attempt.facts["key"])
        return self.session.find_journalled(key, request) if attempt.state == "stored" else None

    def _is_running(self, attempt: Attempt, held_by_us: str = "") -> bool:
        lock = _lock_of(attempt)
        return lock != held_by_us and is_held(self.archive.lock_path(lock))

    def _left_open(self) -> Iterator[Attempt]:
        """Go through the journal's open calls; a file of it that can't be read is reported, and hides no other."""
        for attempt in self.archive.journal:
            if isinstance(attempt, ArchiveError):
                self.session.notify(str(attempt))
            elif self._is_left_open(attempt):
                yield attempt

    def _is_left_open(self, attempt: Attempt) -> bool:
        return attempt.is_open and attempt.facts["engine"] != PREVIEW and not self._is_running(attempt)

    def _is_in_doubt(self, attempt: Attempt) -> bool:
        return attempt.is_open and not self._is_fetchable(attempt)

    def _is_fetchable(self, attempt: Attempt) -> bool:
        return attempt.state in ("queued", "linked") or (
            attempt.state in ("sent", "received") and self.archive.has_received(attempt)
        )


def _lock_of(attempt: Attempt) -> str:
    return str(attempt.facts["lock"])
