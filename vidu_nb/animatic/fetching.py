"""References to decoded pictures; URLs are fetched under guard, since whoever wrote the request chose them.

A URL may point anywhere: at this machine's own services, at a cloud's metadata address, at a host whose name resolves
to another address the second time. So only public addresses are connected to, the address that was checked is the one
that is used, and each redirect starts over.
"""

from __future__ import annotations

import ipaddress
import math
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from ..errors import InvalidRequest, OutcomeUnknown, Unreachable
from ..net.transport import Call
from ..references.images import MAX_FILE_BYTES, decode
from ..references.reference import MAX_REFERENCES, Reference
from ..request import VideoRequest
from .cancellation import Question, check
from .slate import slate

if TYPE_CHECKING:
    import numpy as np

FETCH_TIMEOUT = 20.0  # s for one picture
_USEFUL_SIDE = 4096  # px; twice the frame's: no crop shows more
_ALL_PIXELS = 16_000_000  # of all pictures together, at 3 bytes each
_PATIENCE = 0.1  # s between two looks at whether anybody still waits
MAX_REDIRECTS = 3

AddressRule = Callable[[str], bool]
"""Whether an IP address, given as text, may be connected to."""

#: Prefixes that carry an IPv4 address inside a global IPv6 one (NAT64, RFC 6052 and 8215).
_NAT64 = tuple(ipaddress.ip_network(prefix) for prefix in ("64:ff9b::/96", "64:ff9b:1::/48"))


def is_public(address: str) -> bool:
    """Return whether an address belongs to the public internet.

    >>> [is_public(one) for one in ("93.184.215.14", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1")]
    [True, False, False, False]
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and (
        ip.ipv4_mapped or ip.sixtofour or ip.teredo or any(ip in network for network in _NAT64)
    ):
        return False
    return ip.is_global and not ip.is_multicast


class NotReached(InvalidRequest):
    """A URL's host could not be reached: no network here, no such host, nobody listening."""


def load_pictures(
    request: VideoRequest,
    *,
    allow: AddressRule = is_public,
    missing: Callable[[int], object] = lambda _: None,
    cancelled: Question | None = None,
) -> list[np.ndarray]:
    """Return a request's references as uint8 RGB arrays (height, width, 3), in order.

    The more there are, the smaller they get, so that all of them together take 48 MB at most. Where a URL's host can't
    be reached at all, a numbered slate stands in: order, pace and camera still show.

    Parameters
    ----------
    request
        Whose references.
    allow
        Which addresses a reference's URL may lead to.
    missing
        Gets the number of each picture that a slate stands in for, from 1.
    cancelled
        Asked ten times a second while pictures are fetched, and before each is decoded.

    Raises
    ------
    InvalidRequest
        A picture is damaged, its URL is not allowed, or what came is no picture; the message names it.
    Cancelled
        When `cancelled()` returned True.
    """
    fetched = _fetched({i: one.url for i, one in enumerate(request.references) if one.is_url}, allow, cancelled)
    pixels = _ALL_PIXELS // len(request.references)
    pictures = []
    for i, reference in enumerate(request.references):  # decoded one after the other: the large ones take 300 MB each
        check(cancelled)
        problem = ""
        try:
            pictures.append(_picture(reference, fetched.get(i), pixels))
        except NotReached:
            pictures.append(slate(i + 1, reference.url))
            missing(i + 1)
        except InvalidRequest as error:
            problem = error.message
        if problem:
            raise InvalidRequest(f"image_urls[{i}]: {problem}", field=f"image_urls[{i}]")
    return pictures


def _fetched(urls: dict[int, str], allow: AddressRule, cancelled: Question | None) -> dict[int, Future[bytes]]:
    """Fetch URLs side by side, so that slow hosts are waited for together."""
    if not urls:
        return {}
    calls: list[Call] = []  # all that were begun, to be ended from here
    pool = ThreadPoolExecutor(MAX_REFERENCES, thread_name_prefix="fetch")
    try:
        fetching = {i: pool.submit(fetch, url, allow=allow, begun=calls.append) for i, url in urls.items()}
        while wait(fetching.values(), timeout=_PATIENCE).not_done:
            check(cancelled)
        return fetching
    finally:
        # A name that is being looked up can't be given up; its thread ends by itself, and nobody waits for it.
        pool.shutdown(wait=False, cancel_futures=True)
        for call in calls:
            call.abort()


def _picture(reference: Reference, fetched: Future[bytes] | None, pixels: int) -> np.ndarray:
    import numpy as np

    image = decode(fetched.result() if fetched else reference.bytes)
    scale = min(_USEFUL_SIDE / max(image.size), math.sqrt(pixels / (image.width * image.height)))
    if scale < 1:
        image = image.resize([max(1, round(side * scale)) for side in image.size], reducing_gap=2.0)
    return np.asarray(image)


def fetch(
    url: str,
    *,
    allow: AddressRule = is_public,
    timeout: float = FETCH_TIMEOUT,
    begun: Callable[[Call], object] | None = None,
) -> bytes:
    """Fetch the bytes behind an ``http(s)://`` URL.

    Parameters
    ----------
    url
        Where; redirects are followed at most three times, each checked anew.
    allow
        Which addresses may be connected to.
    timeout
        Seconds for all hops together.
    begun
        Told of each hop's call before it is made, so that it can be ended from another thread.

    Raises
    ------
    NotReached
        No connection could be made.
    InvalidRequest
        The address is not allowed, or no picture-sized answer came.
    """
    end = time.monotonic() + timeout
    for _ in range(MAX_REDIRECTS + 1):
        address, problem = _checked_address(url, allow), ""
        try:
            left = max(0.1, end - time.monotonic())
            call = Call(timeout=left, max_bytes=MAX_FILE_BYTES, address=address)
            if begun is not None:
                begun(call)
            answer = call.request("GET", url)
        except (Unreachable, OutcomeUnknown) as error:
            problem, kind = error.message, NotReached if isinstance(error, Unreachable) else InvalidRequest
        if problem:
            raise kind(f"the picture can't be fetched: {problem}; pass the file instead")
        if answer.status in (301, 302, 303, 307, 308) and answer.headers.get("Location"):
            url = _next_hop(url, answer.headers["Location"])
            continue
        if answer.status != 200:
            raise InvalidRequest(f"the picture's URL answered {answer.status}; pass the file instead")
        return answer.body
    raise InvalidRequest(f"the picture's URL redirects more than {MAX_REDIRECTS} times; pass the file instead")


def _next_hop(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        pass
    raise InvalidRequest("the picture's URL redirects to something that is no URL; pass the file instead")


def _checked_address(url: str, allow: AddressRule) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest("only http:// and https:// URLs are fetched")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError, ValueError):
        found = set()
    if not found:
        raise NotReached(f"the host {parts.hostname[:80]!r} is not known here; pass the file instead of its URL")
    if not all(allow(address) for address in found):
        raise InvalidRequest(f"{parts.hostname[:80]!r} is not a public address; pass the file instead of its URL")
    return min(found, key=lambda address: (":" in address, address))  # IPv4 first: it works in more places
