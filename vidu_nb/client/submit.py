"""One call: every step is on disk before the next one is taken.

    room on disk, budget reserved
      ► connect ► journal "sent" ► POST
      ► bytes on disk ► journal "received" ► parse (► journal "queued" ► wait) (► journal "linked" ► fetch)
      ► stored ► journal "stored"

A process may die at any arrow: the journal's last word tells whether there is something to fetch, something that may
have been billed, or nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from ..errors import ArchiveError, CallInterrupted, RateLimited, Unreachable
from ..net.credentials import KeyHeader
from ..net.retry import Pause, decide
from ..net.transport import Answer, Interrupted
from ..recipe import describe
from ..request import NAMES_HEADER, VideoRequest
from ..storage.journal import Attempt
from ..video import Video
from .collect import finish, is_useful
from .responses import what_is_wrong
from .session import Exchange, uninterrupted
from .uploads import stored_links

#: The answer's headers that are kept; never a request's.
_KEPT_HEADERS = (
    "x-request-id",
    "x-cost",
    "x-remaining-credits",
    "x-generation-time",
    "x-seed-value",
    "x-vidu-engine",
    "x-vidu-engine-version",
)


def ask(exchange: Exchange, request: VideoRequest, key: str, lock: str, *, check: Callable[[], None]) -> Video:
    """Call until there is an answer, as far as the retry rule allows and `check` raises nothing."""
    tries = 0
    while True:
        tries += 1
        exchange.pause.wait(check)
        error: Unreachable | RateLimited
        try:
            return _attempt(exchange, request, key, lock, check)
        except Unreachable as refused:
            error, decision = refused, decide(sent=False, transient=refused.transient, tries=tries)
        except RateLimited as refused:
            asked = {} if refused.retry_after is None else {"retry-after": str(refused.retry_after)}
            error, decision = refused, decide(sent=True, status=429, headers=asked, tries=tries)
        if decision.again != "yes":
            raise error
        exchange.notify(f"{error.message}. Nothing was billed; the next try is in {decision.after_s:.0f} s.")
        if isinstance(error, RateLimited):
            exchange.pause.extend(decision.after_s)
        else:
            Pause(decision.after_s).wait(check)


def _attempt(exchange: Exchange, request: VideoRequest, key: str, lock: str, check: Callable[[], None]) -> Video:
    """One POST, journalled at each step."""
    attempt = _prepare(exchange, request, key, lock)
    try:
        body = _body(exchange, request)
    except BaseException as error:
        exchange.close(attempt, "not charged", reason=type(error).__name__)
        raise

    def leaving() -> None:
        nonlocal attempt
        attempt = exchange.note(attempt, "sent")

    call = exchange.call(timeout=exchange.timeout, on_send=leaving)
    names = {NAMES_HEADER: quote("/".join(one.name.replace("/", " ")[:80] for one in request.references), safe="/")}
    with exchange.in_flight(call):
        try:
            check()  # whoever cancels from here on finds the call in flight
            answer = exchange.scrubbed(  # at once: tracebacks show each frame's variables
                call.request(
                    "POST",
                    exchange.engine.queue_url if exchange.mode == "queue" else exchange.engine.generate_url,
                    key=KeyHeader(exchange.engine.key),
                    body=body,
                    headers=names if exchange.engine.is_free else None,
                )
            )
        except Interrupted as error:
            answer = _whole_after_all(exchange, attempt, error)
        except CallInterrupted as error:
            answer = _whole_after_all(exchange, attempt, error)
            attempt = _receive(exchange, attempt, answer)
            if not what_is_wrong(answer.body):
                finish(exchange, attempt, request, answer.body)
            raise KeyboardInterrupt from None  # what had just arrived is kept; the wish to stop counts
        except BaseException as error:
            if not call.sent:
                exchange.close(attempt, "not charged", reason=type(error).__name__)
            raise
    return _take(exchange, attempt, answer, request, check)


def _body(exchange: Exchange, request: VideoRequest) -> bytes:
    payload = request.payload()
    if exchange.uploads == "storage" and not exchange.engine.is_free:  # previews stay on this machine anyway
        payload["image_urls"] = stored_links(exchange, request)
    return json.dumps(payload).encode()


def _prepare(exchange: Exchange, request: VideoRequest, key: str, lock: str) -> Attempt:
    """Everything that can fail for nothing fails here, before the call."""
    exchange.archive.check_room()
    price = 0.0 if exchange.engine.is_free else exchange.price_usd
    problem = ""
    try:
        exchange.archive.keep_references(request)
        attempt = exchange.archive.journal.open(
            key,
            engine=exchange.engine.name,
            model=exchange.engine.model,
            lock=lock,
            price_usd=price,
            credits_before=exchange.balance,
            request=describe(request),
        )
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise ArchiveError(f"nothing was sent: {exchange.archive.folder} can't be written ({problem})")
    if not exchange.engine.is_free:
        try:
            exchange.reserve(attempt, price)
        except BaseException:
            exchange.close(attempt, "not charged", reason="the budget refused")
            raise
    return attempt


def _whole_after_all(exchange: Exchange, attempt: Attempt, error: Interrupted | CallInterrupted) -> Answer:
    """The answer of a call that broke off with a whole clip or ticket in hand; else the error, journalled."""
    broken = error.answer = exchange.scrubbed(error.answer) if error.answer else None
    if broken and broken.status // 100 == 2 and is_useful(exchange, broken.body):
        return broken
    if broken and broken.status >= 300 and broken.status != 429 and isinstance(error, Interrupted):
        return broken  # its status was told, whatever became of its words; no 429: a cancelled call must not wait
    if exchange.engine.is_free:
        error.billed, error.remedy = "no", "It was a free preview: call again."
    details: dict[str, Any] = {"reason": error.message}
    if broken and broken.body:
        details["quarantine"] = exchange.put_aside(attempt, broken.body)
    exchange.note(attempt, "unknown", **details)
    raise error.with_traceback(None)


def _take(
    exchange: Exchange, attempt: Attempt, answer: Answer, request: VideoRequest, check: Callable[[], None]
) -> Video:
    """From a whole answer to a kept clip."""
    if answer.status != 200 and (answer.status // 100 != 2 or not is_useful(exchange, answer.body)):
        error = exchange.refusal(answer)
        if error.billed == "unknown":
            exchange.note(attempt, "unknown", reason=error.message, status=answer.status)
        else:
            exchange.close(attempt, "not charged", reason=error.message, status=answer.status)
        raise error
    attempt = _receive(exchange, attempt, answer)
    return finish(exchange, attempt, request, answer.body, check=check)


def _receive(exchange: Exchange, attempt: Attempt, answer: Answer) -> Attempt:
    headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
    with uninterrupted():
        exchange.archive.receive(attempt, answer.body)
        return exchange.note(attempt, "received", headers=headers, elapsed_s=round(answer.elapsed_s, 3))
