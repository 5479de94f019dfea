"""The preview server: the service's HTTP API on 127.0.0.1, answered by the preview engine; `api` holds the routes."""

from __future__ import annotations

import functools
import os
import secrets
import socket
import threading
from typing import Self

import uvicorn

from ..errors import ViduError
from .api import API
from .connections import Connection
from .fetching import AddressRule, is_public
from .jobs import WAITING


class PreviewServer:
    """The API on a port of 127.0.0.1.

    Parameters
    ----------
    port
        0 takes a free one.
    key
        What callers must send as ``x-api-key``; a random one by default.
    credits
        Play money to run down, half a credit a clip; None for no limit.
    allow
        Which addresses a reference's URL may lead to.
    waiting
        Renders that may wait for their turn; beyond that callers are told to come back.

    >>> with PreviewServer() as server:
    ...     server.base_url
    'http://127.0.0.1:...'
    """

    def __init__(
        self,
        *,
        port: int = 0,
        key: str | None = None,
        credits: float | None = None,
        allow: AddressRule = is_public,
        waiting: int = WAITING,
    ) -> None:
        self.key = key or secrets.token_urlsafe(24)
        self.api = API(self.key, credits=credits, allow=allow, waiting=waiting)
        self.ready = threading.Event()
        # Bound and listening from here on: a caller who knows the address never meets a closed door.
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self.api.app(self.ready), log_level="error", access_log=False, server_header=False, date_header=False,
            timeout_graceful_shutdown=2, lifespan="on", http=Connection,
            ws="none",  # where a WebSocket package is installed, an upgrade would go round the guard
            proxy_headers=False,  # a caller must not choose the scheme of the URLs that we hand out
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._server.server_state.connections)

    def run(self) -> None:
        """Serve in this thread until SIGINT or SIGTERM."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self.api.jobs.close(timeout=0)

    def start(self) -> Self:
        """Serve in a thread of its own; returns when it answers."""
        self._thread = threading.Thread(target=self.run, name="vidu-nb preview server", daemon=True)
        self._thread.start()
        if not self.ready.wait(timeout=30):
            raise ViduError("the preview server did not start", remedy="Restart the kernel.")
        return self

    def stop(self) -> bool:
        """End the thread and every render; False where one is still at work, waiting for a picture's slow host."""
        ended = self.api.jobs.close()
        self._server.should_exit = True
        if self._thread:
            self._thread.join(timeout=10)
        self._socket.close()
        return ended

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def embedded() -> PreviewServer:
    """The process's own server, started at the first call and shared from then on."""
    return _embedded(os.getpid())


@functools.lru_cache(maxsize=1)
def _embedded(_process: int) -> PreviewServer:
    # By process: a forked child has the parent's memory, but not its threads.
    return PreviewServer().start()
