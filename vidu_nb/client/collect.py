"""From an answer on disk to a kept clip: wait for a job, fetch a link, store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ..errors import APIError, CallInterrupted, OutcomeUnknown, Unreachable
from ..net.transport import Answer, Call, Interrupted
from ..receipt import Receipt, number
from ..request import PREVIEW, VideoRequest
from ..storage.journal import Attempt
from ..video import Video
from .polling import Ticket, await_job, metrics_in
from .responses import as_json, link_in, what_is_wrong
from .session import Exchange, uninterrupted


def finish(
    exchange: Exchange,
    attempt: Attempt,
    request: VideoRequest | None,
    body: bytes | None = None,
    *,
    check: Callable[[], None] | None = None,
) -> Video:
    """From bytes on disk to a kept clip; may be done again after anything that happened in between."""
    data = exchange.archive.received(attempt) if body is None else body
    data = data or b""
    problem, link = what_is_wrong(data), str(attempt.told("link") or link_in(data))
    if problem and not link and (ticket := _ticket(exchange, attempt.told("ticket") or as_json(data))):
        attempt, data = _wait(exchange, attempt, ticket, check)
        problem, link = what_is_wrong(data), link_in(data)
    if problem and link:
        attempt = exchange.note(attempt, "linked", link=link)
        data = _fetch(exchange, link, attempt)
        exchange.archive.receive(attempt, data)
    elif problem:
        where = exchange.put_aside(attempt, data)
        exchange.note(attempt, "unknown", reason=f"the answer is no whole clip: {problem}", quarantine=where)
        raise _no_clip(f"the service answered 200, but no whole clip: {problem}; kept as {where}", exchange, attempt)
    headers: Mapping[str, str] = attempt.told("headers") or {}
    receipt = Receipt.from_headers(
        headers,
        engine=_who_answered(attempt, headers),
        model=str(attempt.facts["model"]),
        elapsed_s=float(attempt.told("elapsed_s") or 0.0),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    entry = exchange.archive.store(attempt, data, receipt)
    if receipt.cost_usd is not None:
        exchange.correct(attempt, receipt.cost_usd)
    exchange.balance = receipt.credits_remaining
    return Video(entry.clip, request or exchange.archive.request_of(entry), receipt)


def _wait(
    exchange: Exchange, attempt: Attempt, ticket: Ticket, check: Callable[[], None] | None
) -> tuple[Attempt, bytes]:
    """Until a queued job's result is on disk. It was paid for: whatever goes wrong here, it is never sent again."""
    if attempt.state != "queued":
        attempt = exchange.note(attempt, "queued", ticket=ticket.to_dict())
    word, answer = await_job(
        ticket,
        partial(exchange.free_call, "GET"),
        seconds=exchange.timeout,
        check=check or exchange.patience(),
        progress=exchange.progress,
    )
    if word == "completed" and answer:
        headers = {**(attempt.told("headers") or {}), "x-request-id": ticket.request_id, **metrics_in(answer.body)}
        with uninterrupted():
            exchange.archive.receive(attempt, answer.body)
            return exchange.note(attempt, "received", headers=headers, elapsed_s=round(attempt.age_s, 3)), answer.body
    if word == "failed" and answer:
        raise _failed(exchange, attempt, answer)
    if word == "expired":
        gone = f"the service no longer knows the job {ticket.request_id}: it keeps them for about an hour"
        exchange.note(attempt, "not charged" if exchange.engine.is_free else "unknown", reason=gone)
        raise _no_clip(gone, exchange, attempt)
    reasons = {
        "refused": "the service won't tell what became of the job: check the key",
        "late": f"the job is not done after {exchange.timeout:g} s, and goes on",
        "cancelled": "the wait was cancelled; the job goes on",
    }
    raise _no_clip(reasons[word], exchange, attempt, fetchable=True)


def _failed(exchange: Exchange, attempt: Attempt, answer: Answer) -> APIError:
    """A job that failed costs nothing, unless the service itself names a cost."""
    error = exchange.refusal(replace(answer, status=422))
    cost = number(metrics_in(answer.body).get("x-cost")) or 0.0
    error.billed = "yes" if cost else "no"
    exchange.note(attempt, "settled" if cost else "not charged", reason=error.message, billed=bool(cost))
    exchange.correct(attempt, cost)
    return error


def _ticket(exchange: Exchange, said: Any) -> Ticket | None:
    return Ticket.from_json(said, base_url=exchange.engine.base_url)


def is_useful(exchange: Exchange, body: bytes) -> bool:
    """Whether an answer's bytes hold a clip, or a ticket for one."""
    return not what_is_wrong(body) or bool(_ticket(exchange, as_json(body)))


def _fetch(exchange: Exchange, link: str, attempt: Attempt) -> bytes:
    """The clip behind the answer's URL. No key goes there: it is public storage, often another company's."""
    call = Call(timeout=exchange.timeout)
    status, body, problem, stopped = 0, b"", "", False
    with exchange.in_flight(call):
        try:
            answer = call.request("GET", link)
            status, body = answer.status, answer.body
        except (Unreachable, Interrupted) as error:
            problem = error.message
            if isinstance(error, Interrupted) and error.answer:
                status, body = error.answer.status, error.answer.body
        except CallInterrupted:
            stopped = True
    if stopped:
        raise KeyboardInterrupt  # the link is in the journal: the same call again fetches it
    wrong = what_is_wrong(body)
    if status == 200 and not wrong:
        return body
    problem = problem or (f"its URL answered {status}" if status != 200 else wrong)
    raise _no_clip(f"the clip is made, but it could not be fetched: {problem}", exchange, attempt, fetchable=True)


def _no_clip(message: str, exchange: Exchange, attempt: Attempt, *, fetchable: bool = False) -> OutcomeUnknown:
    headers = attempt.told("headers") or {}
    if exchange.engine.is_free:
        return OutcomeUnknown(message, billed="no", remedy="It was a free preview: call again.")
    remedy = (
        "client.resume() or the same call again fetches it at no cost; do so soon: it is kept for a while only."
        if fetchable
        else "Check the credit balance before asking again: a second call may be a second bill."
    )
    told = headers.get("x-request-id")
    return OutcomeUnknown(message, billed="yes", remedy=remedy, request_id=told, fetchable=fetchable)


def _who_answered(attempt: Attempt, headers: Mapping[str, str]) -> str:
    """The engine for the receipt: a preview server under any address is a preview, and nobody else may say so."""
    engine = str(attempt.facts["engine"])
    return PREVIEW if headers.get("x-vidu-engine") == PREVIEW and engine != "segmind" else engine
