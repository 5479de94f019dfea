"""The service's own record of calls: what it says became of each, readable with the same key and free.

Of the routes, `history` lists a team's calls and `find` answers one's own calls alone. How soon a call appears is not
documented, nor under which names all its parts stand: what can't be read of a row counts as unknown.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from ..errors import Unreachable, ViduError
from ..net.retry import decide, moment
from ..net.transport import Answer
from ..receipt import number
from .messages import as_json, parts_of, reported
from .session import FREE_CALL_TIMEOUT, Session

PER_PAGE = 100  # the most that the service gives at once
MAX_DAYS = 31  # of one question, both days counted
_MAX_PAGES = 500
_LEAST_S = 0.5  # for one question, however little time is left
_TRIES = 6  # in all, where the service says 429
_ABROAD = timedelta(hours=14)  # how far the day that a service's clock is in may be from UTC's
_TIMES = ("model_created", "created_at", "created", "started_at", "request_time", "timestamp", "date")


@dataclass(frozen=True, slots=True)
class Row:
    """A call, as the record has it.

    Attributes
    ----------
    request_id : str
    model : str
    status : str
        In the service's words: ``"COMPLETED"``, ``"FAILED"``, ``"PENDING"``.
    created : datetime.datetime or None
        With a time zone; None where it can't be read.
    inputs : dict
        What was sent, as far as the record holds it.
    """

    request_id: str
    model: str
    status: str
    created: datetime | None = None
    inputs: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, payload: Any) -> Row | None:
        """Read a row, None where it names no call.

        >>> Row.from_json({"request_id": "a1", "model_name": "m", "model_status": "PENDING"}).status
        'PENDING'
        """
        name = payload.get("request_id") if isinstance(payload, dict) else None
        if not isinstance(name, str) or not name:
            return None
        body = payload.get("request_body") or payload.get("parameters")
        inputs = as_json(body.encode()) if isinstance(body, str) else body
        return cls(
            name,
            str(payload.get("model_name") or ""),
            str(payload.get("model_status") or payload.get("status") or "").upper(),
            next(filter(None, (_time(payload.get(key)) for key in _TIMES)), None),
            inputs if isinstance(inputs, dict) else {},
        )


class Record:
    """Reads the record of the service that a session asks.

    Parameters
    ----------
    session
        Whose service and key.
    check
        Called while a rate limit is waited for; what it raises ends the wait.
    seconds
        How long it may take in all, pauses and slow answers included.
    """

    def __init__(
        self, session: Session, check: Callable[[], None] = lambda: None, *, seconds: float = math.inf
    ) -> None:
        self._session, self._check, self._end = session, check, time.monotonic() + seconds

    def find(self, request_id: str) -> Row | None:
        """Return one's own call of that id, None where the record doesn't give one out.

        Raises
        ------
        Unreachable, APIError
            The record can't be read: nothing is known, least of all that a call was not billed.
        """
        answer = self._get(self._session.engine.call_url(request_id))
        if answer.status in (401, 429):
            raise self._session.refusal(answer)
        # Any other answer is about this id: a team mate's, none of the record's form, one that it trips over.
        rows = map(Row.from_json, parts_of(as_json(answer.body) if answer.status == 200 else None))
        return next((row for row in rows if row and row.request_id == request_id), None)

    def history(self, windows: Sequence[tuple[datetime, datetime]], *, model: str = "") -> list[Row]:
        """Return every row of the days around some windows of time, all of them or none.

        Parameters
        ----------
        windows
            First and last moments; days that none of them touches are not asked for.
        model
            Only rows whose model's name contains this.

        Raises
        ------
        Unreachable, APIError, ViduError
            As for `find`.
        """
        return [row for days in spans(windows) for row in self._days(*days, model)]

    def _days(self, first: date, last: date, model: str) -> Iterator[Row]:
        query = {"model_name": model} if model else {}
        query |= {"from_date": first.isoformat(), "to_date": last.isoformat(), "per_page": str(PER_PAGE)}
        query |= {"sort_by": "model_created", "sort_order": "desc"}
        history, seen, before = self._session.engine.history_url, 0, None
        for page in range(1, _MAX_PAGES + 1):
            answer = self._get(f"{history}?{urlencode({'page': page, **query})}")
            if page > 1 and answer.status == 404:  # there is no such page
                return
            payload = self._payload(answer)
            found = _rows_in(payload)
            if found and found == before:
                raise ViduError("the service's record gives the same page again and again")
            yield from filter(None, map(Row.from_json, found))
            seen, before = seen + len(found), found
            if not found or _is_last(payload, page, len(found), seen):
                return
        raise ViduError(f"the service's record has over {_MAX_PAGES} pages for {first} to {last}")

    def _get(self, url: str) -> Answer:
        """GET, again where the record asks for a pause, which holds back all who read it for this account."""
        pause = self._session.account.record_pause
        for tries in range(1, _TRIES + 1):
            pause.wait(self._in_time)
            seconds = min(FREE_CALL_TIMEOUT, self._end - time.monotonic())
            answer = self._session.free_call("GET", url, timeout=max(_LEAST_S, seconds))
            decision = decide(sent=True, status=answer.status, headers=answer.headers, tries=tries)
            if answer.status != 429 or decision.again != "yes":
                break
            pause.extend(decision.after_s)
        return answer

    def _in_time(self) -> None:
        self._check()
        if time.monotonic() > self._end:
            raise Unreachable("the service's record takes too long to read")

    def _payload(self, answer: Answer) -> Any:
        if answer.status != 200:
            raise self._session.refusal(answer)
        payload = as_json(answer.body)
        if not isinstance(payload, dict | list):
            raise ViduError("the service's record of calls is no JSON", remedy="Check VIDU_NB_HISTORY_URL.")
        return payload


def spans(windows: Iterable[tuple[datetime, datetime]]) -> list[tuple[date, date]]:
    """Return the days that some windows touch, wherever the service's clock is, in as few questions as they permit.

    >>> noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    >>> spans([(noon, noon + timedelta(minutes=30))])
    [(datetime.date(2026, 1, 1), datetime.date(2026, 1, 3))]
    """
    days: list[tuple[date, date]] = []
    for begin, end in sorted(windows):
        first, last = (begin.astimezone(UTC) - _ABROAD).date(), (end.astimezone(UTC) + _ABROAD).date()
        if days and first <= days[-1][1] + timedelta(days=1):
            days[-1] = days[-1][0], max(days[-1][1], last)
        else:
            days.append((first, last))
    return [part for first, last in days for part in _parts(first, last)]


def _parts(first: date, last: date) -> Iterator[tuple[date, date]]:
    while first <= last:
        end = min(last, first + timedelta(days=MAX_DAYS - 1))
        yield first, end
        first = end + timedelta(days=1)


def _rows_in(payload: Any) -> list[Any]:
    """Return a page's rows: the outermost list of objects with an id, in whatever wrapper.

    Raises
    ------
    ViduError
        It holds no list, but a message: it is no page.
    """
    lists = [part for part in parts_of(payload) if isinstance(part, list)]
    if not lists and (message := reported(payload)):
        raise ViduError(f"the service's record can't be read: {message}")
    return next((one for one in lists if any(isinstance(row, dict) and "request_id" in row for row in one)), [])


def _is_last(payload: Any, page: int, count: int, seen: int) -> bool:
    """Whether a page of so many rows is the last one: it is not full, and the answer names no more than were seen.

    A full one never is, whatever the answer says: a row that is missed might be the second that fits a call.
    """
    figures = [part for part in parts_of(payload) if isinstance(part, dict) and "request_id" not in part]

    def figure(*names: str) -> float:
        return max((number(one.get(name)) or 0.0 for one in figures for name in names), default=0.0)

    size = min(PER_PAGE, figure("per_page", "page_size", "limit") or PER_PAGE)
    return count < size and figure("total_pages", "page_count") <= page and figure("total", "total_count") <= seen


def _time(value: Any) -> datetime | None:
    """Read a moment: a day with a time, in UTC where it names no zone, or seconds or milliseconds since 1970."""
    seconds = number(value)
    try:
        if seconds is not None:  # "20260301" is a day, and no moment
            seconds = seconds / 1000 if seconds > 1e11 else seconds
            return datetime.fromtimestamp(seconds, UTC) if seconds > 1e9 else None
        return moment(value.strip().removesuffix(" UTC")) if isinstance(value, str) and ":" in value else None
    except (ValueError, OverflowError, OSError):
        return None
