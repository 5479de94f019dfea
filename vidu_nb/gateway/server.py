"""Serve a gateway: uvicorn on a port, in this thread or in one of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Self

import uvicorn

from ..errors import ViduError
from .app import GatewayState, build_app


class GatewayServer:
    """A gateway on a port.

    Parameters
    ----------
    state
        What it serves.
    host, port
        Where; port 0 takes a free one.
    """

    def __init__(self, state: GatewayState, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.state = state
        self.ready = threading.Event()
        self._then: Callable[[], object] = bool
        self._socket = socket.create_server((host, port), backlog=512)
        self.base_url = f"http://{host}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            build_app(state, self._is_ready),
            log_level="error", access_log=False, server_header=False, date_header=False,
            timeout_graceful_shutdown=2, lifespan="on", http="h11", ws="none", proxy_headers=False,
        )  # fmt: skip
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
