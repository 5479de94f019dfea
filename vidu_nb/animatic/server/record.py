"""The preview server's record of calls, in the form of the hosted service's own."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from ...errors import InvalidRequest
from .queue import RenderJob

MAX_PER_PAGE = 100
MAX_DAYS = 31  # between the first day and the last, both counted
_DEFAULT_DAYS = 7
_STATUSES = {"QUEUED": "PENDING", "PROCESSING": "PENDING"}
_DEFAULTS = {
    "page": "1", "per_page": "20", "from_date": "", "to_date": "", "model_name": "", "status": "",
    "sort_by": "model_created", "sort_order": "desc",
}  # fmt: skip
NO_QUERY: Mapping[str, str] = {}
_SORTED_BY = ("model_created", "model_name", "credits_deduction")
Row = dict[str, Any]
T = TypeVar("T")


class StoredFile(NamedTuple):
    """A file that a call brought, and what it is called on this server."""

    name: str
    media_type: str
    size: int


def one_or_many(values: list[T]) -> T | list[T]:
    """Return the only one of a list, or the list."""
    return values[0] if len(values) == 1 else values


@dataclass(eq=False, slots=True)
class Call:
    """One call for a clip, or for pictures.

    Attributes
    ----------
    request_id, model : str
    inputs : dict
        The request's body; of a picture in it, its first characters.
    seed : int or None
        The one that was used; None for a model without.
    job : RenderJob
        Its result is the files that it brought.
    price : float
        Credits that it costs where it succeeds.
    is_base64 : bool
        Whether the answer holds the files themselves.
    created : datetime.datetime
    """

    request_id: str
    model: str
    inputs: dict[str, Any]
    seed: int | None
    job: RenderJob[tuple[StoredFile, ...]]
    price: float
    is_base64: bool = False
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def age_s(self) -> float:
        """The seconds since it was made."""
        return (datetime.now(UTC) - self.created).total_seconds()

    def row(self, message_of: Callable[[BaseException], str]) -> Row:
        """Return the call as the record shows it now, its files by name; `message_of` words an error."""
        status = _STATUSES.get(self.job.status, self.job.status)
        problem = self.job.done.exception() if status == "FAILED" else None
        files = self.job.done.result() if status == "COMPLETED" else ()
        return {
            "request_id": self.request_id,
            "model_name": self.model,
            "model_status": status,
            "credits_deduction": self.price if status == "COMPLETED" else 0.0,
            "request_body": self.inputs,
            "generation_url": one_or_many([one.name for one in files]) if files else None,
            "latency_ms": round(1000 * self.job.times["total_time"]),
            "model_created": self.created.isoformat(timespec="milliseconds"),
            "error": message_of(problem) if problem else None,
        }


class CallRecord:
    """The calls of this server, the newest so many of them.

    Parameters
    ----------
    count
        Calls at most.
    message_of
        Words the error of a call that failed.
    """

    def __init__(self, *, count: int, message_of: Callable[[BaseException], str]) -> None:
        self._calls: OrderedDict[str, Call] = OrderedDict()
        self._count, self._message_of = count, message_of
        self._lock = threading.Lock()
        #: What becomes of the rows before they are shown: a test's way to a record that is late, cut or wrong.
        self.shown: Callable[[list[Row]], list[Row]] = list

    def add(self, call: Call) -> None:
        """Note a call, and forget the oldest where there are too many."""
        with self._lock:
            self._calls[call.request_id] = call
            while len(self._calls) > self._count:
                self._calls.popitem(last=False)

    def get(self, request_id: str) -> Call | None:
        """Return a call, None where there is none of that id."""
        with self._lock:
            return self._calls.get(request_id)

    def find(self, request_id: str) -> Row | None:
        """Return the row of one's own call, None where there is none."""
        call = self.get(request_id)
        return call.row(self._message_of) if call else None

    def history(self, query: Mapping[str, str] = NO_QUERY) -> Row:
        """Return a page of rows, newest first, in the service's form; `query` holds the service's parameters as text.

        Raises
        ------
        InvalidRequest
            A filter makes no sense, or is outside of its limits.
        """
        asked = HistoryQuery.from_text(query)
        with self._lock:
            calls = list(self._calls.values())
        rows = [row for row in self.shown([call.row(self._message_of) for call in calls]) if asked.matches(row)]
        rows.sort(key=lambda row: row[asked.sort_by], reverse=asked.is_descending)
        return asked.page_of(rows[asked.start : asked.start + asked.count], total=len(rows))


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which rows of a record are asked for: the service's parameters, checked.

    Attributes
    ----------
    first, last : datetime.date
        Both counted.
    model : str
        Only rows whose model's name contains this.
    status : str
        Only rows with this ``model_status``; empty for all.
    number, count : int
        Which page, from 1, of how many rows.
    sort_by : str
        A column.
    is_descending : bool
    """

    first: date
    last: date
    model: str
    status: str
    number: int
    count: int
    sort_by: str
    is_descending: bool

    @classmethod
    def from_text(cls, query: Mapping[str, str]) -> HistoryQuery:
        """Read the parameters of a URL.

        Raises
        ------
        InvalidRequest
            A filter makes no sense, or is outside of its limits.

        >>> HistoryQuery.from_text({"page": "3", "per_page": "50"}).start
        100
        """
        asked = {**_DEFAULTS, **query}
        last = _day("to_date", asked["to_date"]) or datetime.now(UTC).date()
        first = _day("from_date", asked["from_date"]) or last - timedelta(days=_DEFAULT_DAYS - 1)
        number, count = _whole("page", asked["page"]), _whole("per_page", asked["per_page"])
        _check("per_page", count <= MAX_PER_PAGE, f"must be between 1 and {MAX_PER_PAGE}")
        _check("from_date", 0 <= (last - first).days < MAX_DAYS, f"the window must be 1 to {MAX_DAYS} days long")
        _check("sort_by", asked["sort_by"] in _SORTED_BY, f"must be one of {', '.join(_SORTED_BY)}")
        _check("sort_order", asked["sort_order"] in ("asc", "desc"), "must be asc or desc")
        is_descending = asked["sort_order"] == "desc"
        return cls(first, last, asked["model_name"], asked["status"], number, count, asked["sort_by"], is_descending)

    @property
    def start(self) -> int:
        """How many rows come before the page."""
        return (self.number - 1) * self.count

    def matches(self, row: Row) -> bool:
        """Return whether a row is asked for."""
        return (
            self.first <= datetime.fromisoformat(row["model_created"]).date() <= self.last
            and self.model in row["model_name"]
            and self.status in ("", row["model_status"])
        )

    def page_of(self, rows: list[Row], *, total: int) -> Row:
        """Return the answer: the page's rows, and how many there are in all."""
        return {"page": self.number, "per_page": self.count, "total": total, "data": rows}


def inputs_of(payload: dict[str, Any], media: Collection[str]) -> dict[str, Any]:
    """Return a body as the record keeps it: the beginning of each file says enough, and megabytes are spared.

    Parameters
    ----------
    payload
        What was sent.
    media
        Which of its values are pictures, videos and sounds.

    >>> inputs_of({"prompt": "A", "image": "data:image/png;base64," + 99 * "A"}, ["image"])
    {'prompt': 'A', 'image': 'data:image/png;base64,AAAAAAAAAA...'}
    """
    return {
        name: (list(map(_shortened, value)) if isinstance(value, list) else _shortened(value))
        if name in media and value is not None
        else value
        for name, value in payload.items()
    }


def _shortened(text: str) -> str:
    head, _, data = text.rpartition(",")
    return text if text.startswith("http") or not head else f"{head},{data[:10]}..."


def _day(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidRequest(f"{name}: must be a day, YYYY-MM-DD", field=name) from None


def _whole(name: str, text: str) -> int:
    _check(name, text.isascii() and text.isdigit() and int(text[:9]) > 0, "must be a whole number from 1")
    return int(text[:9])


def _check(name: str, is_right: bool, problem: str) -> None:
    if not is_right:
        raise InvalidRequest(f"{name}: {problem}", field=name)
