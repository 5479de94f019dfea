"""Decide whether to call again: "no", "yes, after N seconds" or "unknown", by one pure function; and wait.

A call is repeated only where nothing can have been billed: no byte had left this machine, or the service said 429.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from ..errors import api_error

CONNECT_TRIES = 3  # in all, where nothing was sent
RATE_LIMIT_TRIES = 6  # in all, where the service said 429
MAX_WAIT = 120.0  # s; a service that asks for more is asked again by a person
_DAY = 86_400.0  # s; a number this close to the clock is a moment, not a duration
_FIRST_WAIT = {"connect": 0.5, "rate": 2.0}  # s, doubled each time


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do after a call that brought no clip.

    Attributes
    ----------
    again : {"no", "yes", "unknown"}
        ``"unknown"``: it may have been billed, so a person decides.
    after_s : float
        Seconds to wait first, for ``"yes"``.
    """

    again: Literal["no", "yes", "unknown"]
    after_s: float = 0.0


def decide(
    *,
    sent: bool,
    transient: bool = False,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    tries: int = 1,
    now: datetime | None = None,
    jitter: float | None = None,
) -> Decision:
    """Decide whether to call again.

    Parameters
    ----------
    sent
        Whether a byte of the request may have left this machine.
    transient
        For a call that was not sent: refused, no such host, or slow to connect, which may pass.
    status
        The answer's HTTP status, None where no whole answer came.
    headers
        The answer's headers.
    tries
        Calls made so far.
    now
        The time, for headers that give a date; defaults to the clock.
    jitter
        0 to 1: how much of a quarter of the wait is added, so that many waiters don't return at once.

    >>> decide(sent=False, transient=True, tries=1, jitter=0)
    Decision(again='yes', after_s=0.5)
    >>> decide(sent=True)
    Decision(again='unknown', after_s=0.0)
    >>> decide(sent=True, status=429, headers={"retry-after": "7"}, jitter=0)
    Decision(again='yes', after_s=7.0)
    """
    spread = 1 + 0.25 * (random.random() if jitter is None else jitter)
    if not sent:
        wait = _FIRST_WAIT["connect"] * 2 ** (tries - 1) * spread
        return Decision("yes", wait) if transient and tries < CONNECT_TRIES else Decision("no")
    if status is None or api_error(status, "").billed == "unknown":
        return Decision("unknown")
    if status == 429 and tries < RATE_LIMIT_TRIES:
        asked = asked_wait(headers or {}, now=now)
        floor = _FIRST_WAIT["connect"] * 2 ** (tries - 1)  # a service that says 0 again and again is not hammered
        wait = _FIRST_WAIT["rate"] * 2 ** (tries - 1) if asked is None else max(asked, floor)
        return Decision("yes", wait * spread) if wait <= MAX_WAIT else Decision("no")
    return Decision("no")


class Pause:
    """A time before which nobody calls again. Threads share one: a rate limit of one call holds all of them back.

    Parameters
    ----------
    seconds
        How long it lasts from now on.

    >>> pause = Pause()
    >>> pause.wait()  # there is no rate limit
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()

    def extend(self, seconds: float) -> None:
        """Let it last this long from now on, or longer where another thread has set a later end."""
        with self._lock:
            self._end = max(self._end, time.monotonic() + seconds)

    def wait(self, check: Callable[[], object] = lambda: None) -> None:
        """Wait for the end in slices, so that an interrupt gets through on every system; `check` may raise."""
        check()
        while (left := self._end - time.monotonic()) > 0:
            time.sleep(min(0.2, left))
            check()


def asked_wait(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the seconds that a 429 asks for, by ``Retry-After`` (seconds or a date) or ``x-rate-limit-reset-at-utc``.

    None where there is neither, or nonsense such as ``soon``, a negative number or an infinite one.

    >>> asked_wait({"retry-after": "soon"}) is None
    True
    """
    lower = {name.lower(): value for name, value in headers.items()}
    now = now or datetime.now(UTC)
    for name in ("retry-after", "x-rate-limit-reset-at-utc"):
        text = (lower.get(name) or "").strip()
        if not text:
            continue
        seconds = _seconds(text, now)
        if seconds is not None:
            return seconds
    return None


def _seconds(text: str, now: datetime) -> float | None:
    try:
        value = float(text)
    except ValueError:
        until = moment(text)
        return None if until is None else max(0.0, (until - now).total_seconds())
    if not math.isfinite(value) or value < 0:
        return None
    since_1970 = value - now.timestamp()
    return max(0.0, since_1970) if abs(since_1970) < _DAY else value


def moment(text: str) -> datetime | None:
    """Read a date and time as ISO 8601 or HTTP write it, in UTC where it names no zone; None where it is none."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = parse(text)
        except (ValueError, TypeError, OverflowError):
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None
