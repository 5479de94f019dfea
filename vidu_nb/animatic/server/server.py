"""The preview server: the service's HTTP API on a port of 127.0.0.1; `routes` holds what it answers."""

from __future__ import annotations

import functools
import os
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Self

import uvicorn

from ...errors import ViduError
from ..engine import make_clip
from ..fetching import AddressRule, is_allowed
from .guard import Guard
from .limits import Limits, PlayMoney
from .queue import WAITING, RenderQueue
from .routes import ServerState, build_app


class PreviewServer:
    """The API on a port of 127.0.0.1.

    Parameters
    ----------
    port
        0 takes a free one.
    key
        What callers must send as ``x-api-key``; a random one by default.
    credits
        Play money to run down, by the prices in the models' files: half a credit a clip; None for no limit.
    allow
        Which addresses a reference's URL may lead to.
    waiting
        Renders that may wait for their turn; further callers get a 429 that says when to ask again.
    limits
        How much is taken on at once, in bytes and seconds.
    render
        What makes clips, called as `make_clip` is.

    >>> with PreviewServer() as server:
    ...     server.base_url
    'http://127.0.0.1:...'
    >>> with PreviewServer(credits=0.5) as poor:
    ...     poor.top_up(2)
    ...     poor.state.money.balance
    2.5
    """

    def __init__(
        self,
        *,
        port: int = 0,
        key: str | None = None,
        credits: float | None = None,
        allow: AddressRule = is_allowed,
        waiting: int = WAITING,
        limits: Limits | None = None,
        render: Callable[..., bytes] = make_clip,
    ) -> None:
        self.key = key or secrets.token_urlsafe(24)
        self.state = ServerState(
            self.key, PlayMoney(credits), RenderQueue(waiting=waiting), limits or Limits(), allow, render
        )
        self.ready = threading.Event()
        # Bound and listening from here on: a caller who knows the address never meets a closed door.
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            Guard(build_app(self.state, self.ready), self.state.money),
            log_level="error", access_log=False, server_header=False, date_header=False,
            timeout_graceful_shutdown=2, lifespan="on",
            http="h11",  # whichever parsers are installed, the same requests are accepted
            ws="none",  # where a WebSocket package is installed, an upgrade would go round the guard
            proxy_headers=False,  # a caller must not choose the scheme of the URLs that we hand out
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def top_up(self, credits: float) -> None:
        """Add play money to the balance."""
        self.state.money.refund(credits)

    def run(self) -> None:
        """Serve in this thread until SIGINT or SIGTERM."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self.state.queue.close(timeout=0)

    def start(self) -> Self:
        """Serve in a thread of its own; returns when it answers."""
        self._thread = threading.Thread(target=self.run, name="vidu-nb preview server", daemon=True)
        self._thread.start()
        if not self.ready.wait(timeout=30):
            raise ViduError("the preview server did not start", remedy="Restart the kernel.")
        return self

    def stop(self) -> bool:
        """End the thread and every render; False where one is still at work, waiting for a picture's slow host."""
        ended = self.state.queue.close()
        self._server.should_exit = True
        if self._thread:
            self._thread.join(timeout=10)
        self._socket.close()
        return ended

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


_starting = threading.Lock()
if hasattr(os, "register_at_fork"):  # a fork waits until no thread is starting a server: the child would wait for ever
    os.register_at_fork(before=_starting.acquire, after_in_parent=_starting.release, after_in_child=_starting.release)


def embedded() -> PreviewServer:
    """Return the process's own server, started at the first call and shared from then on."""
    with _starting:
        return _embedded(os.getpid())


@functools.lru_cache(maxsize=1)
def _embedded(_process: int) -> PreviewServer:
    # By process: a forked child has the parent's memory, but not its threads.
    return PreviewServer().start()
