"""Serve a gateway: uvicorn on a port, in this thread or in one of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import ViduError
from . import classroom, oauth, pages
from .app import GatewayState, build_app
from .classroom import Front
from .guard import Guard, Hosts
from .guesses import Guesses
from .hub import HubPeople
from .sessions import Sessions

_HEAD_S = 30.0  # for the first request's head to arrive
_FILES = 20_000  # connections and files at once, where the system lets a process have them


class GatewayServer:
    """A gateway on a port.

    Parameters
    ----------
    state
        What it serves.
    host, port
        Where; port 0 takes a free one.
    public_url
        What people type, where that is another name.
    certfile, keyfile
        For TLS.
    proxies
        The addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, with commas between.
    open_wall
        Whether everybody in the class sees everybody's clips.
    guesses
        Who counts wrong tokens.
    hub
        The users of the JupyterHub that started this.

    Raises
    ------
    ViduError
        The certificate, the proxies or the public URL can't be used.
    OSError
        The port can't.
    """

    def __init__(
        self,
        state: GatewayState,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str | None = None,
        certfile: Path | None = None,
        keyfile: Path | None = None,
        proxies: str | None = None,
        open_wall: bool = False,
        guesses: Guesses | None = None,
        hub: HubPeople | None = None,
    ) -> None:
        self.state = state
        self.ready = threading.Event()
        self._then: Callable[[], object] = bool
        if "*" in (proxies or ""):
            raise ViduError("proxies are named by their addresses: with * everybody could choose theirs")
        if keyfile and not certfile:
            raise ViduError("the certificate is missing that the key belongs to", remedy="Name it as --certfile.")
        front = Front(Sessions(state.secret, path=f"{state.prefix}/"), guesses or Guesses(), open_wall, hub)
        app = build_app(state, self._is_ready)
        app.state.front = front
        for router in (oauth.router, classroom.router, pages.router):
            app.include_router(router, prefix=state.prefix)
        hosts = Hosts(host, public_url, behind_hub=hub is not None)
        config = uvicorn.Config(
            Guard(app, hosts, front.guesses, state.prefix),
            log_level="error", access_log=False, server_header=False, date_header=False,
            timeout_graceful_shutdown=2, timeout_keep_alive=15, lifespan="on", http=_Protocol,
            ws="none",  # where a WebSocket package is installed, an upgrade would go round the guard
            proxy_headers=proxies is not None, forwarded_allow_ips=proxies or "",
            ssl_certfile=certfile, ssl_keyfile=keyfile,
        )  # fmt: skip
        _check_tls(config)
        _raise_limit()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=512)
        shown = f"[{host}]" if family is socket.AF_INET6 else host
        self.base_url = f"{'https' if certfile else 'http'}://{shown}:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def on_ready(self, then: Callable[[], object]) -> None:
        """Call a function once it answers."""
        self._then = then

    def _is_ready(self) -> None:
        self.ready.set()
        self._then()

    def run(self) -> None:
        """Serve in this thread until SIGINT or SIGTERM."""
        self._server.run(sockets=[self._socket])

    def start(self) -> Self:
        """Serve in a thread of its own; returns when it answers."""
        self._thread = threading.Thread(target=self.run, name="vidu-nb gateway", daemon=True)
        self._thread.start()
        if not self.ready.wait(timeout=30):
            raise ViduError("the gateway did not start", remedy="Look whether its ledger can be opened.")
        return self

    def stop(self) -> None:
        """End the thread."""
        self._server.should_exit = True
        if self._thread:
            self._thread.join(timeout=10)
        self._socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Protocol(H11Protocol):
    """uvicorn's protocol, with a limit on how long the first request's head may take.

    uvicorn closes connections that are idle after a request, and waits for ever for the first.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(_HEAD_S, self._close_unless_begun)

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)

    def _close_unless_begun(self) -> None:
        if self.cycle is None:
            self.transport.abort()


def _check_tls(config: Any) -> None:
    """Read the certificate now, so that a wrong one is told in a line."""
    problem = ""
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise ViduError(f"the certificate or its key can't be used ({problem})")


def _raise_limit() -> None:
    """Allow as many connections as the system does: a process begins with 1024 files on many."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
