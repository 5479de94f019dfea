"""One HTTP call over one fresh connection: a total deadline, a size cap, no redirects, and an end from outside.

`requests` alone can't say whether a request left the machine, its time-outs are per read, and closing a session doesn't
stop a call in flight. So the connection itself is watched: it notes when the first byte was handed to the socket, and a
timer or another thread may shut the socket down.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse, parse_headers
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from ..errors import ArchiveError, BudgetExceeded, CallInterrupted, OutcomeUnknown, Unreachable, ViduError
from .credentials import KeyHeader

MAX_ANSWER_BYTES = 256_000_000  # a 5 s clip in 1080p takes 5 to 30 MB
CONNECT_TIMEOUT = 10.0  # s
_CHUNK = 1 << 16
_UNSURE = "Check the credit balance before asking again: a second call may be a second bill."

#: Whatever the layers below raise for a call that goes wrong.
_TROUBLES = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError, zlib.error, ViduError)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: status, headers (names without regard to case), body and the seconds it took."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # a service may echo the key: no traceback shows what it said
    body: bytes = field(repr=False)
    elapsed_s: float


class Interrupted(OutcomeUnknown):
    """The answer broke off: deadline, cut connection, or `Call.abort`. `.answer` holds what had arrived, if any."""

    def __init__(self, message: str, *, remedy: str = "", answer: Answer | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.answer = answer

    @property
    def partial(self) -> bytes:
        """What had arrived of the body."""
        return self.answer.body if self.answer else b""


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
        Called after connecting and before the first byte of the request leaves; if it raises, nothing is sent.
    """

    def __init__(
        self,
        *,
        timeout: float,
        max_bytes: int = MAX_ANSWER_BYTES,
        address: str | None = None,
        on_send: Callable[[], object] | None = None,
    ) -> None:
        self.timeout = timeout
        self.max_bytes = max_bytes
        self.address = address
        self.on_send = on_send
        self.sent = False
        self._reason = ""
        self._head: tuple[int, Mapping[str, str]] | None = None
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._woken = threading.Event()

    def abort(self, reason: str = "the call was cancelled") -> None:
        """End the call from another thread, at once; the caller gets an error that tells `reason`."""
        with self._lock:
            self._reason = self._reason or reason
            sockets = list(self._sockets)
        self._woken.set()
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

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
            Nothing was sent; `.transient` tells whether that may pass.
        Interrupted
            The request was sent, and no whole answer came back.
        CallInterrupted
            The same by Ctrl-C (a plain KeyboardInterrupt where nothing was sent).
        """
        timer = threading.Timer(self.timeout, self.abort, [f"no whole answer within {self.timeout:g} s"])
        timer.daemon = True
        timer.start()
        received = bytearray()
        own: BaseException | None = None
        interrupted = transient = False
        problem = ""
        try:
            return self._exchange(method, url, key or KeyHeader(None), body, dict(headers or {}), received)
        except (ArchiveError, BudgetExceeded, Unreachable) as error:  # from on_send
            own = error
        except _TROUBLES as error:
            problem = self._reason or _in_words(error)
            transient = not self._reason and _may_pass(error)
        except KeyboardInterrupt:
            interrupted = True
        except BaseException as error:  # SystemExit and the like: passed on below, without these frames
            own = error
        finally:
            timer.cancel()
            self.abort()
            self._let_go()
        # Raised here, outside the except block: the frames of requests hold the key in their variables.
        if own:
            own.__cause__ = own.__context__ = None
            raise own.with_traceback(None)
        host = _host(url)
        broken = Answer(*self._head, bytes(received), 0.0) if self._head else None
        if interrupted and self.sent:
            stopped = CallInterrupted(f"{host} took the request, then you interrupted the call", remedy=_UNSURE)
            stopped.answer = broken
            raise stopped
        if interrupted:
            raise KeyboardInterrupt
        if not self.sent:
            told = f"{host} could not be reached: {problem}"
            raise Unreachable(told, remedy="Nothing was sent; call again.", transient=transient)
        raise Interrupted(f"{host} took the request, then: {problem}", remedy=_UNSURE, answer=broken)

    def _exchange(
        self, method: str, url: str, key: KeyHeader, body: bytes | None, headers: dict[str, str], received: bytearray
    ) -> Answer:
        started = time.monotonic()
        headers |= {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "vidu-nb"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        with _Session() as session:
            adapter = _WatchedAdapter(self)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            session.trust_env = not is_loopback(url) and not self.address  # no proxy for this machine's own servers
            with session.request(
                method, url, data=body, headers=headers, auth=key, stream=True, allow_redirects=False,
                timeout=(min(CONNECT_TIMEOUT, self.timeout), self.timeout),
            ) as response:  # fmt: skip
                self._head = response.status_code, response.headers
                while chunk := response.raw.read1(_CHUNK, decode_content=False):  # read() loses it at a reset
                    received += chunk
                    if len(received) > self.max_bytes:
                        raise ViduError(f"the answer is larger than {self.max_bytes // 1_000_000} MB")
                if self._reason:
                    raise ViduError(self._reason)
                plain = _decoded(bytes(received), response.headers.get("Content-Encoding", ""), self.max_bytes)
                return Answer(response.status_code, response.headers, plain, time.monotonic() - started)

    def _connect(self, connection: Any) -> socket.socket:
        """A connected socket that `abort` can end from its first moment on; urllib3's own can only be waited for."""
        problem: OSError = OSError("no address")
        for family, kind, protocol, _, place in self._look_up(connection):
            one = socket.socket(family, kind, protocol)
            try:
                self._watch(one)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                one.settimeout(min(CONNECT_TIMEOUT, self.timeout))
                one.connect(place)
            except OSError as error:
                one.close()
                problem = error
            else:
                return one
            if self._reason:
                break
        if isinstance(problem, TimeoutError):
            raise ConnectTimeoutError(connection, "connecting took too long") from problem
        raise NewConnectionError(connection, problem.strerror or "no connection") from problem

    def _look_up(self, connection: Any) -> list[Any]:
        """The host's addresses. The system's resolver can't be interrupted, so it runs aside and is left behind."""
        # The URL's host stays in Host, SNI and the certificate check.
        host = self.address or connection.host.strip("[]")
        with contextlib.suppress(ValueError):  # an address that is written out needs no thread to look it up
            ipaddress.ip_address(host)
            return socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
        found: list[Any] = []

        def look() -> None:
            try:
                found.append(socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                found.append(error)
            self._woken.set()

        threading.Thread(target=look, daemon=True, name="vidu-nb name look-up").start()
        self._woken.wait(min(CONNECT_TIMEOUT, self.timeout))
        if not found:
            raise ConnectTimeoutError(connection, self._reason or f"the name {host} was not resolved in time")
        if isinstance(found[0], BaseException):
            raise NewConnectionError(connection, f"the host is not known ({found[0]})") from found[0]
        addresses: list[Any] = found[0]
        return addresses

    def _leave(self) -> None:
        if not self.sent:
            if self._reason:  # ended while connecting: TLS may not even have begun, and nothing must leave
                raise OSError(self._reason)
            if self.on_send:
                self.on_send()
            if self._reason:  # it may have waited for a disk or a lock
                raise OSError(self._reason)
            self.sent = True

    def _watch(self, one: socket.socket) -> None:
        # A duplicate still reaches the connection when TLS has taken the first object over, and unlike a TLS socket its
        # shutdown doesn't drop the encryption first.
        with self._lock:
            self._sockets.append(one.dup())
            late = bool(self._reason)
        if late:
            one.close()
            raise OSError(self._reason)

    def _let_go(self) -> None:
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()


class _Session(requests.Session):
    """Keeps `requests` from looking a redirect ahead where it must not follow: it trips over bad places."""

    def resolve_redirects(self, *args: Any, yield_requests: bool = False, **kwargs: Any) -> Any:
        return iter(()) if yield_requests else super().resolve_redirects(*args, **kwargs)


class _Patient(HTTPResponse):
    """Passes over interim answers (102, 103), which http.client takes for the answer."""

    def _read_status(self) -> tuple[str, int, str]:
        found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
        while 101 < found[1] < 200:
            parse_headers(self.fp)
            found = super()._read_status()  # type: ignore[misc]
        return found

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:
            raise ValueError("a negative chunk size")  # http.client would read all there is
        return size


class _WatchedAdapter(HTTPAdapter):
    """Makes connections that report to a `Call`: their sockets, and the moment when the first byte leaves."""

    def __init__(self, call: Call) -> None:
        class Watched:
            response_class = _Patient
            sock: Any
            _connecting = False

            def _new_conn(self) -> socket.socket:
                return call._connect(self)  # noqa: SLF001

            def connect(self) -> None:
                self._connecting = True
                super().connect()  # type: ignore[misc]
                self._connecting = False
                self.sock.settimeout(call.timeout)  # urllib3 would have the whole upload fit in the time for connecting

            def send(self, data: Any) -> None:
                if self.sock is None:  # http.client connects on the first send
                    self.connect()
                if not self._connecting:  # a proxy's CONNECT is not the request
                    call._leave()  # noqa: SLF001
                super().send(data)  # type: ignore[misc]

        http = type("WatchedHTTP", (Watched, HTTPConnection), {})
        https = type("WatchedHTTPS", (Watched, HTTPSConnection), {})
        self._pools = {
            "http": type("HTTPPool", (HTTPConnectionPool,), {"ConnectionCls": http}),
            "https": type("HTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": https}),
        }
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _host(url: str) -> str:
    """The host for a message; the URL may come from outside and be none."""
    try:
        return urlsplit(url).hostname or "the address"
    except ValueError:
        return "the address"


def is_loopback(url: str) -> bool:
    """True for a URL of this machine's own servers."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _decoded(data: bytes, encoding: str, limit: int) -> bytes:
    """A body whose server compressed it against our word; a bomb of a thousandth of its size stops at `limit`."""
    if encoding.lower() in ("", "identity"):
        return data
    if encoding.lower() not in ("gzip", "deflate"):
        raise ViduError(f"the answer is encoded as {encoding[:20]!r}, which was not asked for")
    plain = b""
    while data:  # gzip may come in several members
        machine = zlib.decompressobj(wbits=47 if encoding.lower() == "gzip" else 15)
        plain += machine.decompress(data, limit - len(plain) + 1)
        if not machine.eof or len(plain) > limit:
            raise ViduError("the compressed answer is cut off or too large")
        data = machine.unused_data
    return plain


def _may_pass(error: BaseException) -> bool:
    """True for what another try may mend: refused, no such host, slow to connect; not a certificate that is wrong."""
    return any(isinstance(cause, NewConnectionError | ConnectTimeoutError) for cause in _causes(error))


def _in_words(error: BaseException) -> str:
    """What went wrong, from the innermost cause that says something; never the request's headers."""
    text = ""
    for cause in _causes(error):
        text = getattr(cause, "strerror", None) or (cause.message if isinstance(cause, ViduError) else "") or text
    names = {"ReadTimeout": "no answer in time", "ConnectTimeout": "connecting took too long", "SSLError": "TLS failed"}
    return str(text) or names.get(type(error).__name__, "the connection was cut")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it wraps, outermost first; urllib3 wraps in attributes and arguments as well."""
    cause: BaseException | None = error
    for _ in range(8):
        if cause is None:
            return
        yield cause
        inside = [getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__]
        cause = next((one for one in inside if isinstance(one, BaseException)), None)
