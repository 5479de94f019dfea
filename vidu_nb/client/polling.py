"""The durable queue: a call is answered at once by a ticket, and whoever holds it can ask for the clip later.

Asking about a ticket is free and may be repeated; only the call that drew it was paid for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlsplit

from ..errors import Unreachable
from ..net.retry import MAX_WAIT, Pause, asked_wait
from ..net.transport import Answer, is_loopback
from ..receipt import number
from .responses import as_json, link_in, what_is_wrong

Word = Literal["waiting", "completed", "failed", "expired", "refused", "late", "cancelled"]
_POLL = 1.0  # s before the second look at a job; each later wait is a little longer
_POLL_LOCAL = 0.1  # s, where the service is on this machine
_SLOWER = 1.25
_MAX_POLL = 5.0  # s
_MISSES = 3  # answers of 404 one after another before a job counts as expired: it may not be listed yet


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a queue gives for a job.

    Attributes
    ----------
    request_id : str
        The job's name.
    status_url, response_url : str
        Where the service tells how far it is, and what came of it.
    """

    request_id: str
    status_url: str
    response_url: str

    @classmethod
    def from_json(cls, said: Any, *, base_url: str) -> Ticket | None:
        """The ticket in an answer or in the journal, None where there is none.

        The key goes to these addresses. So one that isn't the service's own is replaced by its documented route.

        >>> said = {"request_id": "a1", "status_url": "https://stranger.example/a1"}
        >>> Ticket.from_json(said, base_url="https://api.example").status_url
        'https://api.example/v2/requests/a1/status'
        """
        name = said.get("request_id") if isinstance(said, dict) else None
        if not name or not isinstance(name, str) or "status_url" not in said:
            return None
        route = f"{base_url}/v2/requests/{quote(name[:200], safe='')}"
        urls = {"status_url": f"{route}/status", "response_url": route}
        return cls(name, **{key: _own(said.get(key), base_url) or url for key, url in urls.items()})

    def to_dict(self) -> dict[str, str]:
        """For the journal."""
        return {"request_id": self.request_id, "status_url": self.status_url, "response_url": self.response_url}


class Outcome(NamedTuple):
    """What became of a job: a word, and the answer that told it where one did."""

    word: Word
    answer: Answer | None = None


def await_job(
    ticket: Ticket,
    get: Callable[[str], Answer],
    *,
    seconds: float,
    check: Callable[[], object] = lambda: None,
    progress: Callable[[float], object] = lambda _: None,
) -> Outcome:
    """Ask about a job until it is done, or `check` raises.

    Parameters
    ----------
    ticket
        Which one.
    get
        A free call; `Unreachable` counts as one more reason to ask again.
    seconds
        How long to go on.
    check
        Called while waiting; when it raises `Unreachable`, the wait is called off.
    progress
        Gets the part that is done, 0 to 1, where the service tells it.

    Returns
    -------
    Outcome
        ``"completed"`` with the answer that holds the result; ``"failed"``; ``"expired"``: the service knows of no such
        job; ``"refused"``: it won't tell us; ``"late"`` and ``"cancelled"``: it is still being made.
    """
    end = time.monotonic() + seconds
    wait, misses = _POLL_LOCAL if is_loopback(ticket.status_url) else _POLL, 0
    longest = wait if is_loopback(ticket.status_url) else _MAX_POLL
    while True:
        outcome = _look(ticket, get, progress)
        misses = misses + 1 if outcome.word == "expired" else 0
        if outcome.word != "waiting" and (outcome.word != "expired" or misses == _MISSES):
            return outcome
        asked = asked_wait(outcome.answer.headers) if outcome.answer and outcome.answer.status == 429 else None
        pause = max(wait, min(asked or 0.0, MAX_WAIT))
        left = end - time.monotonic()
        if left <= 0:
            return Outcome("late")
        try:
            Pause(min(pause, left)).wait(check)
        except Unreachable:
            return Outcome("cancelled")
        wait = min(longest, wait * _SLOWER)


def _look(ticket: Ticket, get: Callable[[str], Answer], progress: Callable[[float], object]) -> Outcome:
    try:
        answer = get(ticket.status_url)
        word = standing(answer)
        if word == "completed":
            answer = get(ticket.response_url)
            word = standing(answer)
    except Unreachable:
        return Outcome("waiting")
    said = as_json(answer.body)
    done = number(said.get("progress")) if isinstance(said, dict) else None
    if word == "waiting" and done is not None:
        progress(min(done, 1.0))
    return Outcome(word, answer)


def standing(answer: Answer) -> Word:
    """What an answer about a job says; anything unclear means to ask again.

    >>> standing(Answer(200, {}, b'{"status": "PROCESSING"}', 0.1))
    'waiting'
    >>> standing(Answer(422, {}, b'{"error": "the job failed"}', 0.1))
    'failed'
    """
    said = as_json(answer.body)
    told = str(said.get("status") or "").upper() if isinstance(said, dict) else ""
    if answer.status in (401, 403):
        return "refused"
    if answer.status in (404, 410):
        return "expired"
    if answer.status == 422 or (answer.status < 300 and told == "FAILED"):
        return "failed"
    is_result = not told and (link_in(answer.body) or not what_is_wrong(answer.body))
    return "completed" if answer.status < 300 and (told == "COMPLETED" or is_result) else "waiting"


def metrics_in(body: bytes) -> dict[str, str]:
    """What a job's result tells beside the clip, under the names that the headers of a direct answer have.

    >>> metrics_in(b'{"seed": 7, "metrics": {"cost": 0.5, "inference_time": 118.2}}')
    {'x-cost': '0.5', 'x-generation-time': '118.2', 'x-seed-value': '7'}
    """
    said = as_json(body)
    said = said if isinstance(said, dict) else {}
    metrics = said.get("metrics")
    metrics = metrics if isinstance(metrics, dict) else {}
    told = {
        "x-cost": metrics.get("cost"),
        "x-remaining-credits": metrics.get("remaining_credits"),
        "x-generation-time": metrics.get("inference_time"),
        "x-seed-value": said.get("seed"),
    }
    return {name: str(value) for name, value in told.items() if number(value) is not None}


def _own(url: object, base_url: str) -> str:
    """The URL where it leads to the service itself, else nothing."""
    try:
        return url if isinstance(url, str) and urlsplit(url)[:2] == urlsplit(base_url)[:2] else ""
    except ValueError:  # such as a broken IPv6 address
        return ""
