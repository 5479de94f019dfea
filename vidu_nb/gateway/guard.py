"""What every request passes before a route: its Host, its headers, and what is added to the answer.

A web page in somebody's browser can reach a gateway on their machine or in their network. Against that stand the
token, no CORS headers, and an allow-list for Host: a name that a stranger points at us (DNS rebinding) is none of it.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from ..animatic.server.guard import error_response
from ..errors import InvalidRequest
from ..net.connection import is_this_machine
from .guesses import Guesses

_HEADERS = {
    b"cache-control": b"no-store",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",  # with no-referrer a form's Origin would be null
    b"content-security-policy": b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'",
}
_SERVICE = ("/v1/", "/v2/", "/inference-request/", "/upload-asset")  # its files are shown by notebooks elsewhere
_ONCE = (b"host", b"x-api-key", b"origin", b"content-length", b"transfer-encoding", b"content-type", b"authorization")


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts that a request may name.

    Attributes
    ----------
    host : str
        The address that is listened on. Where that isn't this machine's own, addresses in figures are accepted too: no
        name that a stranger points here is one.
    public_url : str or None
        What people type, where that is a name.
    behind_hub : bool
        Whether a JupyterHub's proxy stands before it: that has names which only its owner knows. Then any is accepted;
        a browser sends the cookie to none but the one that set it.
    """

    host: str = "127.0.0.1"
    public_url: str | None = None
    behind_hub: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.public_url or "http://localhost")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise InvalidRequest("a public URL looks like https://class.example.org", field="public_url")

    def accepts(self, header: str) -> bool:
        """Return whether a Host header names this gateway.

        >>> hosts = Hosts("0.0.0.0", "https://class.example.org")
        >>> [hosts.accepts(one) for one in ("localhost:80", "10.0.0.7:80", "class.example.org", "evil.example", "a@b")]
        [True, True, True, False, False]
        """
        found = re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", header)
        name = found[1].strip("[]").lower().rstrip(".") if found else ""
        named = {self.host.lower(), urlsplit(self.public_url or "").hostname}
        is_open = self.host not in ("127.0.0.1", "::1", "localhost")
        is_known = self.behind_hub or is_this_machine(name) or name in named
        return bool(name) and (is_known or (is_open and _is_address(name)))

    def scheme_of(self, header: str, scheme: str) -> str:
        """Return the scheme of the links that an answer holds."""
        public = urlsplit(self.public_url or "")
        return public.scheme if header.lower() == public.netloc.lower() else scheme


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Refuses what is ambiguous or meant for another host, and slows down who guesses tokens.

    Parameters
    ----------
    app
        What is guarded.
    hosts
        Which hosts a request may name.
    guesses
        Who counts wrong tokens.
    prefix
        Of every path.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, guesses: Guesses, prefix: str = "") -> None:
        self.app = app
        self.hosts = hosts
        self.guesses = guesses
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        own = _HEADERS
        if not scope["path"].removeprefix(self.prefix).startswith(_SERVICE):
            own = own | {b"cross-origin-resource-policy": b"same-origin"}

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                sent = {name for name, _ in message["headers"]}
                more = [(name, value) for name, value in own.items() if name not in sent]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        app = self._refusal(scope["headers"]) or self.app
        if scope["method"] == "HEAD":  # FastAPI routes none; uvicorn, which knows of it, sends no body
            scope = {**scope, "method": "GET"}
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        scope = {**scope, "scheme": self.hosts.scheme_of(host, scope["scheme"])}
        await _SlowDown(app, self.guesses)(scope, receive, send_with_headers)

    def _refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> ASGIApp | None:
        found = [name for name, _ in headers]
        twice = next((name for name in _ONCE if found.count(name) > 1), None)
        if twice:
            return error_response(400, f"{twice.decode()}: sent twice", _CLOSE)
        if b"content-length" in found and b"transfer-encoding" in found:
            return error_response(400, "content-length and transfer-encoding can't both say where a body ends", _CLOSE)
        host = next((value.decode("latin-1") for name, value in headers if name == b"host"), "")
        if not self.hosts.accepts(host):
            return error_response(
                400, f"this gateway does not answer to {host[:80]!r}: start it with --public-url to use that name"
            )
        return None


_CLOSE = {"connection": "close"}


class _SlowDown:
    """Holds back the answer to a wrong token where there were many."""

    def __init__(self, app: ASGIApp, guesses: Guesses) -> None:
        self.app = app
        self.guesses = guesses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tries = scope["path"].endswith("/sign-in") or any(name == b"x-api-key" for name, _ in scope["headers"])
        seconds = 0.0

        async def send_slowly(message: Any) -> None:
            nonlocal seconds
            if message["type"] == "http.response.start" and message["status"] == 401 and tries:
                seconds = await self.guesses.refuse((scope.get("client") or ("unknown", 0))[0])
                if seconds:
                    headers = {"retry-after": str(math.ceil(seconds))}
                    refusal = error_response(429, "too many wrong tokens: ask again later", headers)
                    await refusal(scope, receive, send)
            if not seconds:
                await send(message)

        await self.app(scope, receive, send_slowly)
