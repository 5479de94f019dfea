"""One HTTP call over one fresh connection: a total deadline, a size cap, no redirects, and an end from outside.

The time-outs of `requests` are per read, and closing its session doesn't stop a call in flight. So a timer, or another
thread, may cut the call's `Wire`.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from requests.exceptions import InvalidProxyURL, InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ..environment import user_agent
from ..errors import CallInterrupted, OutcomeUnknown, Unreachable
from .connection import WatchedAdapter, Wire, WireError, is_this_machine
from .credentials import KeyHeader

MAX_ANSWER_BYTES = 256_000_000  # a 5 s clip in 1080p takes 5 to 30 MB
CONNECT_TIMEOUT = 10.0  # s
_CHUNK = 1 << 16
_PORTS = {"http": 80, "https": 443}
_NO_URL = "it is no http(s):// URL"
_UNSURE = "Check the credit balance before asking again: a second call may be a second bill."

#: Whatever the layers below raise for a call that goes wrong.
_TROUBLES = (WireError, requests.RequestException, HTTPError, HTTPException, OSError, ValueError, zlib.error)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: status, headers (names without regard to case), body and the seconds it took."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # a service may echo the key: no traceback shows its answer
    body: bytes = field(repr=False)
    elapsed_s: float


class Interrupted(OutcomeUnknown):
    """The answer broke off: deadline, cut connection, or `Call.abort`. `.answer` holds what had arrived, if any."""

    def __init__(self, message: str, *, remedy: str = "", answer: Answer | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.answer = answer


class Transport(Protocol):
    """Carries one request and brings its answer: a `Call`, or whatever sends it from elsewhere.

    Attributes
    ----------
    sent : bool
        Whether a byte of the request may have left.
    """

    @property
    def sent(self) -> bool: ...  # noqa: D102

    def abort(self, reason: str = ...) -> None:
        """End the call from another thread, at once."""

    def request(
        self,
        method: str,
        url: str,
        *,
        key: KeyHeader | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send and read to the end; raises as `Call.request` does."""


class NewTransport(Protocol):
    """Makes a `Transport` for one request: `Call` does, and so may a function."""

    def __call__(self, *, timeout: float, on_send: Callable[[], object] | None = None) -> Transport:
        """Return one with so many seconds, that calls `on_send` before the first byte leaves."""


@dataclass(frozen=True, slots=True)
class _NotSent:
    problem: str
    transient: bool


@dataclass(frozen=True, slots=True)
class _Broken:
    problem: str
    partial: Answer | None


@dataclass(frozen=True, slots=True)
class _CtrlC:
    partial: Answer | None


@dataclass(frozen=True, slots=True)
class _PassedOn:
    error: BaseException


_Outcome = Answer | _NotSent | _Broken | _CtrlC | _PassedOn


@dataclass(slots=True)
class _Received:
    """How much of an answer has arrived."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)

    def answer(self) -> Answer | None:
        return Answer(self.status, self.headers, bytes(self.body), 0.0) if self.status else None


class Call:
    """One request; make a new one for each.

    Parameters
    ----------
    timeout
        Seconds for the whole call, from connecting to the last byte.
    max_bytes
        Largest answer that is read.
    address
        The IP address to connect to instead of asking DNS for the URL's host; no proxy is used then.
    on_send
        Called after connecting and before the first byte of the request leaves. If it raises, nothing is sent, and
        `request` raises the same.
    connect_timeout
        Seconds for connecting, of those for the whole call.
    """

    def __init__(
        self,
        *,
        timeout: float,
        max_bytes: int = MAX_ANSWER_BYTES,
        address: str | None = None,
        on_send: Callable[[], object] | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self._timeout = timeout
        self._connect_timeout = min(connect_timeout, timeout)
        self._max_bytes = max_bytes
        self._address = address
        self._wire = Wire(timeout=timeout, connect_timeout=self._connect_timeout, address=address, on_send=on_send)

    @property
    def sent(self) -> bool:
        """Whether a byte of the request may have left."""
        return self._wire.sent

    def abort(self, reason: str = "the call was cancelled") -> None:
        """End the call from another thread, at once; the caller gets an error that names `reason`."""
        self._wire.cut(reason)

    def request(
        self,
        method: str,
        url: str,
        *,
        key: KeyHeader | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send and read to the end.

        Raises
        ------
        Unreachable
            Nothing was sent; `.transient` is True where another try may succeed.
        Interrupted
            The request was sent, and no complete response came back.
        CallInterrupted
            The same by Ctrl-C (a plain KeyboardInterrupt where nothing was sent).
        """
        host = _host(url) or "the address"
        # Raised here, where nothing else is being handled: the frames of `requests` hold the key in their variables.
        match self._outcome(method, url, key or KeyHeader(None), body, dict(headers or {})):
            case _NotSent(problem, transient):
                raise Unreachable(
                    f"{host} could not be reached: {problem}",
                    remedy="Nothing was sent; call again.",
                    transient=transient,
                )
            case _Broken(problem, partial):
                raise Interrupted(
                    f"the request was sent to {host}, but no complete response came: {problem}",
                    remedy=_UNSURE,
                    answer=partial,
                )
            case _CtrlC(partial):
                raise CallInterrupted(
                    f"you interrupted the call after the request was sent to {host}", remedy=_UNSURE, answer=partial
                )
            case _PassedOn(error):
                raise error
            case answer:
                return answer

    def _outcome(self, method: str, url: str, key: KeyHeader, body: bytes | None, headers: dict[str, str]) -> _Outcome:
        received = _Received()
        timer = threading.Timer(self._timeout, self.abort, [f"timed out after {self._timeout:g} s"])
        timer.daemon = True
        timer.start()
        try:
            return self._send_and_read(method, url, key, body, headers, received)
        except BaseException as error:
            return self._judge(error, received.answer())
        finally:
            timer.cancel()
            self._wire.close()

    def _judge(self, error: BaseException, partial: Answer | None) -> _Outcome:
        wire = self._wire
        if wire.refusal:
            return _PassedOn(wire.refusal)
        if isinstance(error, _TROUBLES):
            problem = wire.reason or _describe(error)
            if wire.sent:
                return _Broken(problem, partial)
            return _NotSent(problem, not wire.reason and isinstance(error, WireError) and error.transient)
        if isinstance(error, KeyboardInterrupt):
            return _CtrlC(partial) if wire.sent else _PassedOn(KeyboardInterrupt())
        error.__cause__ = error.__context__ = None  # SystemExit and the like: passed on without these frames
        return _PassedOn(error.with_traceback(None))

    def _send_and_read(
        self, method: str, url: str, key: KeyHeader, body: bytes | None, headers: dict[str, str], received: _Received
    ) -> Answer:
        if not _host(url):
            raise WireError(_NO_URL)
        started = time.monotonic()
        headers |= {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": user_agent()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        with _Session() as session:
            adapter = WatchedAdapter(self._wire)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            session.trust_env = not is_loopback(url) and not self._address  # no proxy for this machine's own servers
            with session.request(
                method, url, data=body, headers=headers, auth=key, stream=True, allow_redirects=False,
                timeout=(self._connect_timeout, self._timeout),
            ) as response:  # fmt: skip
                received.status, received.headers = response.status_code, response.headers
                while chunk := response.raw.read1(_CHUNK, decode_content=False):  # read() loses it at a reset
                    received.body += chunk
                    if len(received.body) > self._max_bytes:
                        raise WireError(f"the answer is larger than {self._max_bytes // 1_000_000} MB")
                if self._wire.reason:
                    raise WireError(self._wire.reason)
                plain = _decoded(bytes(received.body), response.headers.get("Content-Encoding", ""), self._max_bytes)
                return Answer(response.status_code, response.headers, plain, time.monotonic() - started)


class _Session(requests.Session):
    """Keeps `requests` from looking a redirect ahead where it must not follow: it trips over bad places."""

    def resolve_redirects(self, *args: Any, yield_requests: bool = False, **kwargs: Any) -> Any:
        return iter(()) if yield_requests else super().resolve_redirects(*args, **kwargs)


def _host(url: str) -> str:
    """Return a URL's host, empty where there is none; the URL may come from outside and be none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def origin(url: str) -> tuple[str, str, int] | None:
    """Return a URL's scheme, host and port, None where it has none: what a key may go to.

    >>> origin("HTTPS://Api.Example/v1") == origin("https://api.example:443"), origin("javascript:alert(1)")
    (True, None)
    """
    try:
        parts = urlsplit(url)
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
    except (ValueError, KeyError):  # such as a broken IPv6 address; another scheme
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def is_loopback(url: str) -> bool:
    """Return whether a URL is one of this machine's own servers."""
    return is_this_machine(_host(url))


def _decoded(data: bytes, encoding: str, limit: int) -> bytes:
    """Decode a body whose server compressed it unasked; a bomb of a thousandth of its size stops at `limit`."""
    if encoding.lower() in ("", "identity"):
        return data
    if encoding.lower() not in ("gzip", "deflate"):
        raise WireError(f"the answer is encoded as {encoding[:20]!r}, which was not asked for")
    plain = b""
    while data:  # gzip may come in several members
        machine = zlib.decompressobj(wbits=47 if encoding.lower() == "gzip" else 15)
        plain += machine.decompress(data, limit - len(plain) + 1)
        if not machine.eof or len(plain) > limit:
            raise WireError("the compressed answer is cut off or too large")
        data = machine.unused_data
    return plain


def _describe(error: BaseException) -> str:
    """Say what went wrong, by the innermost cause that has a text of the system's; never the request's headers."""
    match error:
        case WireError():
            return str(error)
        case InvalidProxyURL():
            return "the proxy that the environment names is no URL"
        case InvalidURL() | InvalidSchema() | MissingSchema():
            return _NO_URL
    texts = [text for cause in _causes(error) if (text := getattr(cause, "strerror", None))]
    if texts:
        return str(texts[-1])
    if isinstance(error, requests.ReadTimeout | ReadTimeoutError):
        return "timed out"
    return "TLS failed" if isinstance(error, requests.exceptions.SSLError) else "the connection was cut"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it wraps, outermost first; urllib3 wraps in attributes and arguments as well."""
    cause: BaseException | None = error
    for _ in range(8):
        if cause is None:
            return
        yield cause
        inside = [getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__]
        cause = next((one for one in inside if isinstance(one, BaseException)), None)
