"""Connections that can't be held open for nothing: deadlines, and a limit on their number.

uvicorn waits for ever for a request's head, and for a reader of an answer. Here a whole head has to arrive in time, an
answer has to be read in time, and where there are too many connections, those that wait for their caller make room.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 400  # a sudden crowd may be half as many again; most systems allow a process 1024 files
HEAD_TIMEOUT = 10.0  # s from the connection, or from the last answer, to the end of a request's head
READ_TIMEOUT = 60.0  # s for a caller to read an answer
GRACE = 0.5  # s in which a new connection is not given up for a newer one, unless the crowd is too large
CROWDED = "crowded"  # in the ASGI scope's state: no room could be made for this one


class Connection(H11Protocol):
    """uvicorn's connection, with deadlines. Made by uvicorn, one a connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the first deadline; make room where there is none."""
        super().connection_made(transport)
        self._reading: asyncio.TimerHandle | None = None
        self._await_head()
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the deadlines."""
        self._head.cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Act on what arrived; a whole head meets its deadline."""
        super().handle_events()
        if self.cycle and not self.cycle.response_complete:
            self._head.cancel()

    def on_response_complete(self) -> None:
        """The next head may come; its deadline runs from now, however many bytes of it drip in."""
        self._head.cancel()
        self._await_head()
        super().on_response_complete()

    def shutdown(self) -> None:
        """The server stops: who is still sending is not waited for."""
        if self.waits_for_caller:
            self.transport.abort()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """The caller reads more slowly than we write: for so long, and no longer."""
        super().pause_writing()
        self._reading = self.loop.call_later(READ_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        """The caller has caught up."""
        if self._reading:
            self._reading.cancel()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP at all is refused in the service's form, like everything else."""
        self._refuse(400, msg.rstrip(".").lower().replace("http", "HTTP"))

    @property
    def waits_for_caller(self) -> bool:
        """True before a request, while one arrives, and when its answer has left."""
        if self.transport.get_write_buffer_size():
            return False
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def _await_head(self) -> None:
        self.since = self.loop.time()
        self._head = self.loop.call_later(HEAD_TIMEOUT, self._too_late)

    def _too_late(self) -> None:
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(408, f"the request's head did not arrive within {HEAD_TIMEOUT:g} s")
        self.transport.close()
        self.loop.call_later(READ_TIMEOUT, self.transport.abort)  # closing waits for a reader

    def _refuse(self, status: int, message: str) -> None:
        if self.cycle and not self.cycle.response_complete:  # a body that broke off: nobody reads what the app says
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps({"error": message}).encode()
            headers = [
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            head = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode())
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _make_room(self) -> None:
        others = cast("set[Connection]", self.connections) - {self}
        oldest = min((one for one in others if one.waits_for_caller), key=lambda one: one.since, default=None)
        full = len(others) >= 1.5 * MAX_CONNECTIONS
        if oldest and (full or self.loop.time() - oldest.since > GRACE):
            self.connections.discard(oldest)
            oldest.transport.abort()
        else:
            self.app_state = {**self.app_state, CROWDED: True}  # the app answers, so that /health always does
