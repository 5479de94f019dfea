"""References to decoded pictures, frames and sounds; URLs are fetched under guard: strangers choose them.

A URL may point anywhere: at this machine's own services, at a cloud's metadata address, at a host whose name resolves
to another address the second time. So only public addresses are connected to, the address that was checked is the one
that is used, and each redirect starts over.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PIL import Image

from ..catalogue.field import Role
from ..catalogue.request import Request
from ..environment import ENV_CONTACT, setting
from ..errors import InvalidRequest, OutcomeUnknown, Unreachable
from ..net.redirects import BadRedirect, follow
from ..net.transport import Answer, Call
from ..references.images import MAX_FILE_BYTES, decode
from ..references.reference import MAX_REFERENCES
from .attachments import frames_of, sound_of
from .cancellation import Question, check
from .slate import slate
from .subjects import Subject, subjects_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FETCH_TIMEOUT = 20.0  # s for one picture
_USEFUL_SIDE = 4096  # px; twice the frame's: no crop shows more
_ALL_PIXELS = 16_000_000  # of all pictures together, at 3 bytes each
_PATIENCE = 0.1  # s between two looks at whether anybody still waits
MAX_REDIRECTS = 3

AddressRule = Callable[[str], bool]
"""Whether an IP address, given as text, may be connected to."""

ENV_ALLOWED = "VIDU_NB_ALLOW_NETWORKS"

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in an IPv6 one, for networks without IPv4
_IN_IPV4_FORM = ipaddress.ip_network("::/96")
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215; where in it the IPv4 address lies, its network knows
#: What is not public and yet stands for public hosts on some people's machines.
_SPECIAL = {
    ipaddress.ip_network("198.18.0.0/15"): "what a proxy such as Clash or Surge in fake-IP mode gives for every host",
    ipaddress.ip_network("100.64.0.0/10"): "an address of a provider's NAT or of a VPN such as Tailscale",
    ipaddress.ip_network("fc00::/7"): "an address of a local network, a VPN or a proxy in fake-IP mode",
    _LOCAL_NAT64: "an address of a local NAT64 gateway",
}

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: str) -> bool:
    """Return whether an address belongs to the public internet; one that carries an IPv4 address is judged by that.

    >>> [is_public(one) for one in ("93.184.215.14", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1")]
    [True, False, False, False]
    >>> is_public("64:ff9b::5db8:d70e"), is_public("64:ff9b::7f00:1")  # NAT64
    (True, False)
    """
    ip = _real(address)
    if ip is None or ip in _LOCAL_NAT64 or (isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local):
        return False
    return ip.is_global and not ip.is_multicast


def is_allowed(address: str) -> bool:
    """Return whether an address is public, or in one of the networks that ``VIDU_NB_ALLOW_NETWORKS`` names.

    Raises
    ------
    InvalidRequest
        The variable names something else.
    """
    ip = _real(address)
    return is_public(address) or (ip is not None and any(ip in network for network in _allowed_networks()))


def _real(address: str) -> _Address | None:
    """Return the address that is meant in the end, None for a text that is none."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64 or (ip in _IN_IPV4_FORM and int(ip) > 1):  # not [::] and [::1]
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _allowed_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    texts = setting(ENV_ALLOWED).replace(",", " ").split()
    try:
        return [ipaddress.ip_network(text, strict=False) for text in texts]
    except ValueError:
        pass
    raise InvalidRequest(f"{ENV_ALLOWED}: {' '.join(texts)[:80]!r} is no list of networks such as 198.18.0.0/15")


class NotReached(InvalidRequest):
    """A URL's host could not be reached: no network here, no such host, nobody listening."""


def load_pictures(
    request: Request,
    *,
    allow: AddressRule = is_allowed,
    missing: Callable[[int], object] = lambda _: None,
    cancelled: Question | None = None,
) -> list[np.ndarray]:
    """Return a request's pictures, and some frames of each of its videos, as uint8 RGB arrays (height, width, 3).

    In order, as `subjects_of` has them. The more there are, the smaller they get, so that all of them together take
    48 MB at most. Where a URL's host can't be reached at all, a numbered slate stands in: order, pace and camera still
    show.

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
        A picture or a video is damaged, its URL is not allowed, or what came is none; the message names it.
    Cancelled
        When `cancelled()` returned True.
    """
    subjects = subjects_of(request)
    wanted = {i: (one.medium.url, _kind(one)) for i, one in enumerate(subjects) if one.medium.is_url}
    fetched = _fetched(wanted, allow, cancelled)
    pixels = _ALL_PIXELS // max(1, sum(one.frames for one in subjects))
    pictures: list[np.ndarray] = []
    for i, subject in enumerate(subjects):  # decoded one after the other: the large ones take 300 MB each
        check(cancelled)
        with _about(subject.where):
            try:
                pictures += _shown(subject, fetched.get(i), pixels, cancelled)
            except NotReached:
                pictures += [slate(i + 1, subject.medium.url)] * subject.frames
                missing(i + 1)
    return pictures


def load_picture(
    request: Request, role: Role, *, allow: AddressRule = is_allowed, cancelled: Question | None = None
) -> bytes:
    """Return the encoded picture that plays a role in a request.

    Raises
    ------
    InvalidRequest
        There is none, its URL is not allowed or its host can't be reached; the message names the parameter.
    Cancelled
        When `cancelled()` returned True.
    """
    field, reference = request.model.by_role(role), request.by_role(role)
    with _about(field.name if field else role):
        if reference is None:
            raise InvalidRequest("is missing: pass a picture")
        if not reference.is_url:
            return bytes(reference.bytes)
        return _fetched({0: (reference.url, "picture")}, allow, cancelled)[0].result()


def load_voice(
    request: Request, *, seconds: float, allow: AddressRule = is_allowed, cancelled: Question | None = None
) -> NDArray[np.int16] | None:
    """Return a request's reference voice as `sound_of` does; None where there is none or its host can't be reached.

    Raises
    ------
    InvalidRequest
        The sound is damaged, its URL is not allowed, or what came is none; the message names the parameter.
    Cancelled
        When `cancelled()` returned True.
    """
    field, voice = request.model.by_role("voice"), request.by_role("voice")
    if field is None or voice is None:
        return None
    with _about(field.name), contextlib.suppress(NotReached):
        fetched = _fetched({0: (voice.url, "sound")} if voice.is_url else {}, allow, cancelled)
        return sound_of(fetched[0].result() if fetched else voice.bytes, seconds=seconds)
    return None


@contextlib.contextmanager
def _about(where: str) -> Iterator[None]:
    """Name the parameter in what is wrong with its picture."""
    problem = ""
    try:
        yield
    except InvalidRequest as error:
        problem, kind = error.message, type(error)
    if problem:
        raise kind(f"{where}: {problem}", field=where)


def _kind(subject: Subject) -> str:
    return "video" if subject.is_video else "picture"


def _fetched(
    urls: dict[int, tuple[str, str]], allow: AddressRule, cancelled: Question | None
) -> dict[int, Future[bytes]]:
    """Fetch URLs, each with what is behind it, side by side, so that slow hosts are waited for together."""
    if not urls:
        return {}
    calls: list[Call] = []  # all that were begun, to be ended from here
    pool = ThreadPoolExecutor(MAX_REFERENCES, thread_name_prefix="fetch")
    try:
        fetching = {
            i: pool.submit(fetch, url, allow=allow, begun=calls.append, what=what) for i, (url, what) in urls.items()
        }
        while wait(fetching.values(), timeout=_PATIENCE).not_done:
            check(cancelled)
        return fetching
    finally:
        # A name that is being looked up can't be given up; its thread ends by itself, and nobody waits for it.
        pool.shutdown(wait=False, cancel_futures=True)
        for call in calls:
            call.abort()


def _shown(
    subject: Subject, fetched: Future[bytes] | None, pixels: int, cancelled: Question | None
) -> list[np.ndarray]:
    """Return the still pictures that show a subject."""
    import numpy as np

    data = fetched.result() if fetched else subject.medium.bytes
    if not subject.is_video:
        return [np.asarray(fitted(decode(data), pixels))]
    frames = frames_of(data, count=subject.frames, cancelled=cancelled)
    return [np.asarray(fitted(Image.fromarray(frame), pixels)) for frame in frames]


def fitted(image: Image.Image, pixels: int) -> Image.Image:
    """Return an image of at most so many pixels, and of at most 4096 on its longer side."""
    scale = min(_USEFUL_SIDE / max(image.size), math.sqrt(pixels / (image.width * image.height)))
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), reducing_gap=2.0)


def fetch(
    url: str,
    *,
    allow: AddressRule = is_allowed,
    timeout: float = FETCH_TIMEOUT,
    begun: Callable[[Call], object] | None = None,
    what: str = "picture",
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
    what
        What is behind the URL, for errors.

    Raises
    ------
    NotReached
        No connection could be made.
    InvalidRequest
        The address is not allowed, or no picture-sized answer came.
    """

    def get(hop: str, seconds: float) -> Answer:
        end = time.monotonic() + seconds
        *others, last = _checked_addresses(hop, allow)
        for address in others:  # a network may have a way to one of a host's addresses alone
            with contextlib.suppress(Unreachable):
                return get_from(address, hop, end - time.monotonic())
        return get_from(last, hop, end - time.monotonic())

    def get_from(address: str, hop: str, seconds: float) -> Answer:
        call = Call(timeout=max(0.1, seconds), max_bytes=MAX_FILE_BYTES, address=address)
        if begun is not None:
            begun(call)
        return call.request("GET", hop)

    problem = ""
    try:
        answer = follow(url, get, limit=MAX_REDIRECTS, seconds=timeout)
    except BadRedirect as error:
        problem, kind = f"the {what}'s URL {error.message}", InvalidRequest
    except Unreachable as error:
        problem, kind = f"the {what} can't be fetched: {error.message}", NotReached
    except OutcomeUnknown as error:
        problem, kind = f"the {what} can't be fetched: {error.message}", InvalidRequest
    if problem:
        raise kind(f"{problem}; pass the file instead")
    if answer.status != 200:
        raise InvalidRequest(f"the {what}'s URL answered {answer.status}{_refusal(answer.status)}")
    return answer.body


def _refusal(status: int) -> str:
    if status in (401, 403, 429):
        return f": many hosts refuse programs, or ask for a contact ({ENV_CONTACT}); download it and pass the file"
    return "; pass the file instead"


def _checked_addresses(url: str, allow: AddressRule) -> list[str]:
    """Return a host's addresses, one of each kind and IPv4 first: it works in more places."""
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
    if refused := sorted(address for address in found if not allow(address)):
        raise InvalidRequest(f"{parts.hostname[:80]!r} is not a public address{_explained(refused[0])}")
    kinds = [sorted(one for one in found if (":" in one) is is_ipv6) for is_ipv6 in (False, True)]
    return [kind[0] for kind in kinds if kind]


def _explained(address: str) -> str:
    """What a refused address is, and what to do about it."""
    ip = _real(address)
    for network, what in _SPECIAL.items():
        if ip in network:
            return f": {ip} is {what}. Set {ENV_ALLOWED}={network} to allow these, or pass the file instead of its URL"
    return "; pass the file instead of its URL"
