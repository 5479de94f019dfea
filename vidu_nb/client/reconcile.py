"""Find calls of unknown outcome in the service's own record: each that is found has a ticket from then on.

A ticket is all that a call needs to be collected as a queued job is: waited for while it runs, fetched when it is made,
closed where it failed. It stands in the journal before it is used, and claims the row: no other call of this archive
gets the same one. What the record doesn't hold stays unknown, however long.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from ..errors import APIError, Unreachable, ViduError
from ..net.retry import Pause
from ..net.transport import is_loopback
from ..storage.journal import Attempt
from .matching import agreement, known_id, match, window
from .record import Record, Row
from .responses import Ticket
from .session import Session

PATIENCE_S = 90.0  # how long a call that was just sent is looked for: its row may come late
_FIRST_WAIT, _FIRST_WAIT_LOCAL, _MAX_WAIT = 1.0, 0.1, 10.0  # s between two looks
_SLOWER = 1.5
_FAILURES = 3  # looks in a row that brought no answer, before nothing more is expected
_ONE_LOOK_S = 10.0  # the least that a look may take, should the record ask for a pause


class Reconciliation:
    """Looks for a session's calls in the record of its service.

    Parameters
    ----------
    session
        Whose service and journal.
    check
        Called while waiting; what it raises ends the wait.
    seconds
        How long to look; one look is taken at least.
    """

    def __init__(
        self, session: Session, check: Callable[[], None] = lambda: None, *, seconds: float = math.inf
    ) -> None:
        self._session, self._check, self._end = session, check, time.monotonic() + seconds
        self._record = Record(session, check, seconds=max(seconds, _ONE_LOOK_S))

    def search(self, wanted: Sequence[Attempt]) -> list[tuple[Attempt, Row]]:
        """Return each call that the record has for certain, with its row; nothing is written.

        Raises
        ------
        Unreachable, APIError, ViduError
            The record can't be read.
        """
        wanted = [attempt for attempt in wanted if attempt.facts["engine"] == self._session.engine.name]
        found = [
            (attempt, row) for attempt in wanted if (name := known_id(attempt)) and (row := self._record.find(name))
        ]
        left = [attempt for attempt in wanted if attempt.id not in {one.id for one, _ in found}]
        if not left:
            return found
        models = {str(attempt.facts["model"]) for attempt in left}
        rows = self._record.history(
            [window(attempt) for attempt in left], model=models.pop() if len(models) == 1 else ""
        )
        # After the rows: each call of this archive that has a row is in the journal by now.
        ids = {attempt.id for attempt in left}
        return found + [(attempt, row) for attempt, row in match(self._sent(), rows) if attempt.id in ids]

    def confirm(self, attempt: Attempt, row: Row) -> Ticket | None:
        """Return the ticket for a call's row, None unless the service gives the row out as one's own.

        Raises
        ------
        Unreachable, APIError
            The record can't be read.
        """
        own = self._record.find(row.request_id)
        if own is None or (known_id(attempt) != own.request_id and agreement(attempt, own) == "no"):
            return None  # a team mate's
        url = self._session.engine.call_url(own.request_id)
        return Ticket(own.request_id, status_url=url, response_url=url)

    def claim(self, attempt: Attempt, ticket: Ticket) -> Attempt:
        """Journal the ticket for a call's row; the caller holds the call's lock.

        Raises
        ------
        ArchiveError
            The journal can't be written.
        """
        return self._session.record(attempt, "queued", ticket=ticket.to_dict(), reason="found in the service's record")

    def look_for(self, attempt: Attempt) -> Attempt:
        """Look for one call until it is found or time is over; returns it with a ticket, or as it was.

        The caller holds its lock. Whatever is wrong with the record leaves the call unknown.
        """
        if not self._session.engine.record_url:
            return attempt
        self._session.notify("Looking for it in the service's record ...")
        is_local = is_loopback(self._session.engine.record_url)
        wait, failures = _FIRST_WAIT_LOCAL if is_local else _FIRST_WAIT, 0
        while failures < _FAILURES:
            try:
                for _, row in self.search([attempt]):
                    if ticket := self.confirm(attempt, row):
                        return self.claim(attempt, ticket)
                failures = 0
            except ViduError as error:
                if is_lasting(error):
                    break
                failures += 1
            left = self._end - time.monotonic()
            if left <= 0:
                break
            try:
                Pause(min(wait, left)).wait(self._check)
            except Unreachable:  # it was cancelled
                break
            wait = min(wait * _SLOWER, _MAX_WAIT)
        return attempt

    def _sent(self) -> list[Attempt]:
        """Every call of this archive that this service may have a row of."""
        return [
            attempt
            for attempt in self._session.archive.journal
            if isinstance(attempt, Attempt)
            and attempt.facts["engine"] == self._session.engine.name
            and any(event["state"] == "sent" for event in attempt.facts["events"])
        ]


def is_lasting(error: ViduError) -> bool:
    """Whether an error says that there is no record, or none for this key; asking again would bring the same."""
    return isinstance(error, APIError) and error.status in (401, 403, 404, 405, 410, 501)
