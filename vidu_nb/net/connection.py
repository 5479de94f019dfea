"""Connections that report when the first byte of a request leaves, and that another thread can end at any moment.

urllib3 can't say whether a request left the machine, and closing its connection doesn't end a call in flight. So its
connections are extended: a `Wire` makes their sockets and is told before the first byte of the request.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Mapping
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


def is_this_machine(host: str) -> bool:
    """Return whether a URL's host can only be this machine: a loopback address in any notation, or a localhost name.

    ``localhost.localdomain`` is none: nothing reserves it, and a resolver may send it anywhere.

    >>> [is_this_machine(one) for one in ("127.1", "2130706433", "0", "::1", "LOCALHOST.", "class.localhost")]
    [True, True, True, True, True, True]
    >>> [is_this_machine(one) for one in ("10.0.0.1", "localhost.example.com", "localhost.localdomain", "")]
    [False, False, False, False]
    """
    if _is_localhost_name(host):
        return True
    is_number = re.fullmatch("[0-9a-fx.]+", host.lower())  # inet_aton also takes what has more behind a space
    try:
        ip = ipaddress.ip_address(socket.inet_aton(host) if is_number else host)
    except (OSError, ValueError):
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_unspecified  # a connection to 0.0.0.0 comes out here


def _is_localhost_name(host: str) -> bool:
    """Return whether a name is reserved for this machine (RFC 6761, 6.3)."""
    return re.fullmatch(r"([a-z0-9_-]+\.)*localhost\.?", host.lower()) is not None


class WireError(Exception):
    """The call can't go on; the text says why. With `transient`, another try may succeed."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class Wire:
    """The sockets of one call.

    Parameters
    ----------
    timeout, connect_timeout
        Seconds for one read or write, and for looking a name up or connecting.
    address
        The IP address to connect to in place of the URL's host.
    on_send
        Called before the first byte leaves; if it raises, none does.

    Attributes
    ----------
    sent : bool
        Whether a byte of the request may have left.
    reason : str
        Why the call was ended from outside, empty while it was not.
    refusal : BaseException or None
        What `on_send` raised.
    """

    def __init__(
        self,
        *,
        timeout: float,
        connect_timeout: float,
        address: str | None = None,
        on_send: Callable[[], object] | None = None,
    ) -> None:
        self.timeout = timeout
        self.sent = False
        self.reason = ""
        self.refusal: BaseException | None = None
        self._connect_timeout = connect_timeout
        self._address = address
        self._on_send = on_send
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._woken = threading.Event()

    def cut(self, reason: str) -> None:
        """End the call at once, from any thread; the first reason counts."""
        with self._lock:
            self.reason = self.reason or reason
            sockets = list(self._sockets)
        self._woken.set()
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut what is still open, and give the sockets back to the system."""
        self.cut("the call is over")
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()

    def leaving(self) -> None:
        """Note that a byte of the request is about to leave, or raise so that it doesn't."""
        if self.sent:
            return
        if self.reason:  # ended while connecting: TLS may not even have begun, and nothing must leave
            raise WireError(self.reason)
        if self._on_send:
            try:
                self._on_send()
            except BaseException as error:
                self.refusal = error
                raise WireError("nothing may be sent") from None  # urllib3 would ignore a BrokenPipeError
            if self.reason:  # it may have waited for a disk or a lock
                raise WireError(self.reason)
        self.sent = True

    def connect(self, host: str, port: int) -> socket.socket:
        """Return a connected socket that `cut` can end from its first moment on; urllib3's own can only be waited for.

        Raises
        ------
        WireError
            No such host, refused, too slow, or `cut`.
        """
        problem: OSError = OSError("no address")
        if _is_localhost_name(host):
            host = "localhost"  # not every system's resolver knows the others; some ask a stranger
        for family, kind, protocol, _, place in self._look_up(self._address or host.strip("[]"), port):
            one = socket.socket(family, kind, protocol)
            try:
                self._watch(one)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                one.settimeout(self._connect_timeout)
                one.connect(place)
            except OSError as error:
                one.close()
                problem = error
            else:
                return one
        raise WireError(_reason_of(problem), transient=True)

    def connect_through(self, proxy: Mapping[str, Any], host: str, port: int) -> socket.socket:
        """Return a socket that is connected through a SOCKS proxy, which `cut` can end as well.

        Raises
        ------
        WireError
            The proxy or the host can't be reached, or `cut`.
        """
        socks: Any = importlib.import_module("socks")
        if not proxy["rdns"]:
            host = self._look_up(host, port)[0][4][0]
        one: socket.socket = socks.socksocket()
        one.set_proxy(  # type: ignore[attr-defined]
            proxy["socks_version"], proxy["proxy_host"], proxy["proxy_port"], proxy["rdns"],
            proxy["username"], proxy["password"],
        )  # fmt: skip
        try:
            self._watch(one)
            one.settimeout(self._connect_timeout)
            one.connect((host, port))
        except OSError as error:
            one.close()
            raise WireError(f"the SOCKS proxy: {_reason_of(error)}", transient=True) from error
        return one

    def _look_up(self, host: str, port: int) -> list[Any]:
        """Return a host's addresses. The system's resolver can't be interrupted: it runs aside and is left behind."""
        with contextlib.suppress(ValueError):  # an address that is written out needs no thread to look it up
            ipaddress.ip_address(host)
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found: list[Any] = []

        def look() -> None:
            try:
                found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                found.append(error)
            self._woken.set()

        threading.Thread(target=look, daemon=True, name="vidu-nb name look-up").start()
        self._woken.wait(self._connect_timeout)
        match found:
            case []:
                raise WireError(self.reason or f"the name {host} was not resolved in time", transient=True)
            case [OSError() | UnicodeError() as error]:
                raise WireError(f"the host {host} is not known ({_reason_of(error)})", transient=True)
        addresses: list[Any] = found[0]
        return addresses

    def _watch(self, one: socket.socket) -> None:
        # A duplicate still reaches the connection when TLS has taken the first object over, and unlike a TLS socket its
        # shutdown doesn't drop the encryption first.
        with self._lock:
            self._sockets.append(one.dup())
        if self.reason:
            one.close()
            raise WireError(self.reason)


def _reason_of(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "connecting took too long"
    return str(getattr(error, "strerror", None) or error)


class _Response(HTTPResponse):
    """Passes over interim answers (102, 103): http.client takes them for the answer, and a paid clip would be lost."""

    def begin(self) -> None:
        super().begin()
        while 101 < self.status < 200:
            self.headers = None  # type: ignore[assignment]  # else it thinks that it has begun
            super().begin()


class _Watched:
    """The difference to urllib3's connections: the wire makes the sockets and is told of the first byte."""

    response_class: Any = _Response
    sock: Any
    host: str
    port: int

    def __init__(self, *args: Any, wire: Wire, _socks_options: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = wire
        self._socks_options = _socks_options  # urllib3's name
        self._is_connecting = False

    def _new_conn(self) -> socket.socket:
        if self._socks_options:
            return self._wire.connect_through(self._socks_options, self.host, self.port)
        return self._wire.connect(self.host, self.port)

    def connect(self) -> None:
        self._is_connecting = True
        super().connect()  # type: ignore[misc]
        self._is_connecting = False
        self.sock.settimeout(self._wire.timeout)  # urllib3 would have the whole upload fit in the time for connecting

    def send(self, data: Any) -> None:
        if self.sock is None:  # http.client connects on the first send
            self.connect()
        if not self._is_connecting:  # a proxy's CONNECT is not the request
            self._wire.leaving()
        super().send(data)  # type: ignore[misc]


class _WatchedHTTP(_Watched, HTTPConnection):
    pass


class _WatchedHTTPS(_Watched, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class WatchedAdapter(HTTPAdapter):
    """Makes `requests` use connections that report to a wire, through a proxy as well."""

    def __init__(self, wire: Wire) -> None:
        self._pools = {
            "http": functools.partial(_HTTPPool, wire=wire),
            "https": functools.partial(_HTTPSPool, wire=wire),
        }
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Extend the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Extend the pools of a proxy's connections."""
        scheme = proxy.partition("://")[0].lower()
        if scheme not in _PROXY_SCHEMES:
            raise WireError(
                f"the environment names a proxy of the kind {scheme[:20]!r}, which is not known: write "
                "socks5h://HOST:PORT for a SOCKS proxy, http://HOST:PORT for any other"
            )
        if scheme.startswith("socks") and importlib.util.find_spec("socks") is None:
            raise WireError("the environment names a SOCKS proxy, which needs a package: pip install PySocks")
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager
