"""The service's own record of calls: what it says became of each, readable with the same key and free.

Of the routes, `history` lists a team's calls and `find` answers one's own calls alone. How soon a call appears is not
documented, nor under which names all its parts stand: what can't be read of a row counts as unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from ..errors import ViduError
from ..net.retry import decide, moment
from ..net.transport import Answer
from ..receipt import number
from .messages import as_json
from .session import Session

PER_PAGE = 100  # the most that the service gives at once
MAX_DAYS = 31  # of one question, both days counted
_MAX_PAGES = 500
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
    """

    def __init__(self, session: Session, check: Callable[[], None] = lambda: None) -> None:
        self._session, self._check = session, check

    def find(self, request_id: str) -> Row | None:
        """Return one's own call of that id, None where the record has none.

        Raises
        ------
        Unreachable, APIError, ViduError
            The record can't be read: nothing is known, least of all that a call was not billed.
        """
        answer = self._get(self._session.engine.call_url(request_id))
        if answer.status == 404:
            return None
        payload = self._payload(answer)
        rows = [Row.from_json(payload), *_rows_in(payload)]
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
        history = self._session.engine.history_url
        for page in range(1, _MAX_PAGES + 1):
            payload = self._payload(self._get(f"{history}?{urlencode({'page': page, **query})}"))
            found = list(_rows_in(payload))
            yield from filter(None, found)
            if len(found) < PER_PAGE or page == _number_of_pages(payload):
                return
        raise ViduError(f"the service's record has over {_MAX_PAGES} pages for {first} to {last}")

    def _get(self, url: str) -> Answer:
        """GET, again where the record asks for a pause, which holds back all who read it for this account."""
        pause = self._session.account.record_pause
        for tries in range(1, _TRIES + 1):
            pause.wait(self._check)
            answer = self._session.free_call("GET", url)
            decision = decide(sent=True, status=answer.status, headers=answer.headers, tries=tries)
            if answer.status != 429 or decision.again != "yes":
                break
            pause.extend(decision.after_s)
        return answer

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


def _rows_in(payload: Any) -> Iterator[Row | None]:
    """The rows of a page: the first list of objects in it, whatever it is called there."""
    lists = [payload] if isinstance(payload, list) else [one for one in payload.values() if isinstance(one, list)]
    for found in lists:
        if found and all(isinstance(row, dict) for row in found):
            yield from map(Row.from_json, found)
            return


def _number_of_pages(payload: Any) -> int | None:
    """How many pages there are, where the answer says so."""
    places = [payload, payload.get("pagination"), payload.get("meta")] if isinstance(payload, dict) else []
    for place in (one for one in places if isinstance(one, dict)):
        for name in ("total_pages", "page_count"):
            if (count := number(place.get(name))) is not None:
                return int(count)
        for name in ("total", "total_count"):
            if (total := number(place.get(name))) is not None:
                return math.ceil(total / PER_PAGE)
    return None


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
