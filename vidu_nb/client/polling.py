"""The durable queue: a call is answered at once by a ticket, and whoever holds it can poll for the clip later.

Polling is free and may be repeated; only the call that drew the ticket was paid for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from ..errors import Unreachable
from ..net.retry import MAX_WAIT, Pause, asked_wait
from ..net.transport import Answer, is_loopback
from ..receipt import number
from .messages import as_json
from .responses import Kind, Ticket, read, report_in

JobStatus = Literal["waiting", "completed", "failed", "expired", "refused", "late", "cancelled"]
_POLL = 1.0  # s before the second look at a job; each later wait is a little longer
_POLL_LOCAL = 0.1  # s, where the service is on this machine
_SLOWER = 1.25
_MAX_POLL = 5.0  # s
_MISSES = 3  # answers of 404 one after another before a job counts as expired: it may not be listed yet


class Outcome(NamedTuple):
    """What became of a job: its status, and the answer that reported it where one did."""

    status: JobStatus
    answer: Answer | None = None


def await_job(
    ticket: Ticket,
    get: Callable[[str], Answer],
    *,
    seconds: float,
    kind: Kind = "video",
    check: Callable[[], object] = lambda: None,
    progress: Callable[[float], object] = lambda _: None,
) -> Outcome:
    """Poll a job until it ends, or `check` raises.

    Parameters
    ----------
    ticket
        Which one.
    get
        A free call; `Unreachable` counts as one more reason to ask again.
    seconds
        How long to go on.
    kind
        What the job makes.
    check
        Called while waiting; when it raises `Unreachable`, the wait is called off.
    progress
        Gets the part that is done, 0 to 1, where the service reports it.

    Returns
    -------
    Outcome
        ``"completed"`` with the answer that holds the result; ``"failed"``; ``"expired"``: the service knows of no such
        job; ``"refused"``: the key is not accepted; ``"late"`` and ``"cancelled"``: it is still being made.
    """
    end = time.monotonic() + seconds
    wait, misses = _POLL_LOCAL if is_loopback(ticket.status_url) else _POLL, 0
    longest = wait if is_loopback(ticket.status_url) else _MAX_POLL
    while True:
        outcome = _poll(ticket, get, kind, progress)
        misses = misses + 1 if outcome.status == "expired" else 0
        if outcome.status != "waiting" and (outcome.status != "expired" or misses == _MISSES):
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


def _poll(ticket: Ticket, get: Callable[[str], Answer], kind: Kind, progress: Callable[[float], object]) -> Outcome:
    try:
        answer = get(ticket.status_url)
        status = job_status(answer, kind)
        if status == "completed":
            answer = get(ticket.response_url)
            status = job_status(answer, kind)
    except Unreachable:
        return Outcome("waiting")
    payload = as_json(answer.body)
    done = number(payload.get("progress")) if isinstance(payload, dict) else None
    if status == "waiting" and done is not None:
        progress(min(done, 1.0))
    return Outcome(status, answer)


def job_status(answer: Answer, kind: Kind = "video") -> JobStatus:
    """Read a job's status from an answer; anything unclear means to ask again.

    >>> job_status(Answer(200, {}, b'{"status": "PROCESSING"}', 0.1))
    'waiting'
    >>> job_status(Answer(422, {}, b'{"error": "the job failed"}', 0.1))
    'failed'
    """
    found = read(answer.body, kind)
    payload = report_in(found.payload)
    reported = str(payload.get("status") or payload.get("model_status") or "").upper()
    if answer.status in (401, 403):
        return "refused"
    if answer.status in (404, 410):
        return "expired"
    if answer.status == 422 or (answer.status < 300 and reported == "FAILED"):
        return "failed"
    # A row of the record may be complete before its link has landed in it.
    is_done = found.is_result if not reported or "model_status" in payload else reported == "COMPLETED"
    return "completed" if answer.status < 300 and is_done else "waiting"
