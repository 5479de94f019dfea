"""A panel's call in flight: what makes its result, how far it is, and how it is cancelled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..catalogue.request import PREVIEW, Request
from ..client.client import Client
from ..errors import Unreachable
from .actions import Progress
from .service import Service


@dataclass(eq=False)
class Running:
    """One call of a panel.

    Parameters
    ----------
    service
        Provides the client, and what the journal says of the call.
    request
        What is asked for.
    engine
        The name of who is asked.
    fresh, again
        As for `Client.generate`.
    shows
        Whether what comes goes to the place below the panel.
    may_pay
        Whether it may ask anybody for money; else only what is kept can be had.

    Attributes
    ----------
    expected_s : float
        Seconds that it is expected to take.
    is_cancelled : bool
        Whether somebody wants it to end.
    """

    service: Service
    request: Request
    engine: str
    fresh: bool = False
    again: bool = False
    shows: bool = False
    may_pay: bool = True
    expected_s: float = field(init=False)
    is_cancelled: bool = field(default=False, init=False)
    _client: Client | None = field(default=None, init=False)
    _notice: str = field(default="", init=False)  # the client's last line on a wait
    _reported: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.expected_s = self.service.seconds(self.request.model, self.engine)

    def work(self) -> Any:
        """Make the clip or the picture; see `Client.generate` for what is raised."""
        offline = self.engine != PREVIEW and not (self.may_pay and (self.service.can_pay or self.fresh))
        client = self.service.client(self.engine).sibling(notify=self._note, progress=self._report)
        self._client = client
        if self.is_cancelled:
            raise Unreachable("cancelled before it was sent")
        return client.generate(self.request, fresh=self.fresh, again=self.again, offline=offline)

    def tick(self, elapsed_s: float) -> Progress:
        """Return how far the call is after so many seconds."""
        if self.is_cancelled:
            self.cancel()  # again: the first may have come a moment too early
        stage = self.service.stage(self.request, self.engine) or self._notice or "Starting"
        return Progress(stage, elapsed_s, self.expected_s, self._reported)

    def cancel(self) -> None:
        """End the call, at once where it has a client already, else before it is sent."""
        self.is_cancelled = True
        if self._client:
            self._client.cancel()

    def _note(self, line: str) -> None:
        self._notice = line.rstrip(" .")

    def _report(self, share: float) -> None:
        self._reported = share
