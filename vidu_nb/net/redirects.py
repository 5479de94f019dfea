"""Follow redirects by hand: each hop is a call of its own, so that it is checked, and gets the key, or not, anew."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from ..errors import ViduError
from .transport import Answer

_STATUSES = (301, 302, 303, 307, 308)
_LEAST = 0.1  # s for a hop, however little time is left


class BadRedirect(ViduError):
    """A URL leads nowhere; the message goes on after "its URL"."""


def follow(url: str, get: Callable[[str, float], Answer], *, limit: int, seconds: float) -> Answer:
    """GET what is behind a URL and its redirects.

    Parameters
    ----------
    url
        Where to begin.
    get
        Makes one call: it gets a URL and the seconds that are left, and checks both as the caller's rules are.
    limit
        How many redirects are followed.
    seconds
        For all hops together.

    Raises
    ------
    BadRedirect
        There are more redirects, or one leads to what is no URL; and whatever `get` raises.
    """
    end = time.monotonic() + seconds
    for _ in range(limit + 1):
        answer = get(url, max(_LEAST, end - time.monotonic()))
        location = answer.headers.get("location")
        if answer.status not in _STATUSES or not location:
            return answer
        url = _next(url, location)
    raise BadRedirect(f"redirects more than {limit} times")


def _next(url: str, location: str) -> str:
    with contextlib.suppress(UnicodeError):  # http.client reads headers as Latin-1, and servers write UTF-8
        location = location.encode("latin-1").decode()
    with contextlib.suppress(ValueError):  # such as a broken IPv6 address
        target = urljoin(url, location)
        if urlsplit(target).hostname or urlsplit(target).scheme not in ("http", "https"):
            return target
    raise BadRedirect("redirects to something that is no URL")
