"""Where works are made: short steps on a few threads, and waiting that costs none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

from ..catalogue.request import Request
from ..client.client import Client, Waiting
from ..errors import APIError, OutcomeUnknown, ViduError
from ..receipt import Receipt
from ..storage.archive import Made
from ..storage.journal import Attempt
from .ledger import LEASE_S, Ledger

T = TypeVar("T")
THREADS = 32  # for steps that talk to the service; a queued job takes one for milliseconds at a time
FIRST_LOOK_S, LONGEST_LOOK_S, SLOWER = 0.5, 5.0, 1.25
KEY_LENGTH = 64  # of a request's key; a work of a request with a random seed has more behind it
_JOINED_LOOK_S = 1.0  # between two looks at what another gateway makes


class Desk:
    """Makes works, and tells those who wait when they end.

    Parameters
    ----------
    client
        Who is asked.
    ledger
        Where works are claimed and closed.
    """

    def __init__(self, client: Client, ledger: Ledger) -> None:
        self.client = client
        self.ledger = ledger
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="vidu-nb gateway")
        self._ended: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run a short piece of work on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def start(self, key: str, request: Request) -> None:
        """Begin to make a work that this gateway has claimed."""
        self._spawn(key, self._make(key, request))

    def resume(self, row: dict[str, Any]) -> None:
        """Go on with a work whose gateway gave no sign of life."""
        self._spawn(row["key"], self._go_on(row))

    async def watch(self) -> None:
        """Renew leases and take over what others left, until cancelled."""
        while True:
            with contextlib.suppress(Exception):  # the database may be away for a while
                await self.run(self.ledger.keep_alive)
                for row in await self.run(self.ledger.take_over):
                    self.resume(row)
            await asyncio.sleep(LEASE_S / 4)

    async def until_ended(self, key: str) -> dict[str, Any]:
        """Wait until a work has ended, here or at another gateway, and return its row."""
        while True:
            row = await self.run(self.ledger.work, key)
            if row is None or row["state"] != "running":
                return row or {}
            event = self._ended.get(key)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_JOINED_LOOK_S if event is None else None):
                    await (asyncio.sleep(_JOINED_LOOK_S) if event is None else event.wait())

    async def close(self) -> None:
        """End the tasks; what they make goes on at the service, and is taken over by the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _spawn(self, key: str, work: Awaitable[None]) -> None:
        self._ended[key] = asyncio.Event()

        async def guarded() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except Exception:
                logging.getLogger(__name__).exception("a work failed")
                await self.run(lambda: self.ledger.finish(key, state="unknown", usd=self._reserved(key)))
            finally:
                self._ended.pop(key).set()

        task = asyncio.ensure_future(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _reserved(self, key: str) -> float:
        row = self.ledger.work(key)
        return float(row["usd"]) if row else 0.0

    async def _make(self, key: str, request: Request) -> None:
        try:
            made: Made | None
            begun = await self.run(self.client.begin, request)
            if isinstance(begun, Waiting):
                await self.run(self.ledger.note_attempt, key, begun.id)
                made = await self._await(begun)
            else:
                made = begun
            if made is None:
                raise OutcomeUnknown("the call was closed without a result", billed="unknown")
        except (ViduError, OSError) as error:
            await self.run(self._failed, key, error)
        else:
            await self.run(self._made, key, made)

    async def _go_on(self, row: dict[str, Any]) -> None:
        """Bring in what the journal knows of a work."""
        key = row["key"]
        attempt = await self.run(self._attempt_of, row)
        if attempt is None or attempt.state in ("prepared", "not charged"):
            await self.run(lambda: self.ledger.finish(key, state="failed", usd=0.0, error=_NOT_SENT, status=503))
            return
        try:
            made = await self._await(Waiting(str(attempt.facts["key"]), attempt.id))
            if made is None:
                await self.run(self.client.reconcile)
                made = await self._await(Waiting(str(attempt.facts["key"]), attempt.id))
        except (ViduError, OSError) as error:
            await self.run(self._failed, key, error)
            return
        if made is None:
            lost = OutcomeUnknown("the gateway was restarted before an answer came", billed="unknown")
            await self.run(self._failed, key, lost)
        else:
            await self.run(self._made, key, made)

    def _attempt_of(self, row: dict[str, Any]) -> Attempt | None:
        """Return the attempt of the journal that makes a work: the one that was noted, else the one since the claim."""
        attempts = self.client.archive.journal.attempts_for(row["key"][:KEY_LENGTH])
        if row["attempt"]:
            return next((one for one in attempts if one.id == row["attempt"]), None)
        noted = self.ledger.attempts(row["key"][:KEY_LENGTH])
        began = datetime.fromisoformat(row["created"]) - timedelta(seconds=1)
        since = (one for one in reversed(attempts) if datetime.fromisoformat(one.facts["events"][0]["at"]) >= began)
        return next((one for one in since if one.id not in noted), None)

    async def _await(self, waiting: Waiting) -> Made | None:
        """Wait for a queued call; None where it is closed, or was lost, and brought nothing."""
        pause = FIRST_LOOK_S
        while (made := await self.run(self.client.advance, waiting)) is None:
            attempts = await self.run(self.client.archive.journal.attempts_for, waiting.key)
            state = next((one.state for one in attempts if one.id == waiting.id), None)
            if state not in ("queued", "received", "linked"):
                return None
            await asyncio.sleep(pause)
            pause = min(LONGEST_LOOK_S, pause * SLOWER)
        return made

    def _made(self, key: str, made: Made) -> None:
        receipt = receipt_of(made)
        reserved = self._reserved(key)
        paid = reserved if receipt is None or receipt.cost_usd is None else receipt.cost_usd
        original = receipt.original if receipt else None
        if receipt and receipt.replayed and original:  # it was made before this work was closed
            paid = reserved if original.cost_usd is None else original.cost_usd
        path = (made[0] if isinstance(made, tuple) else made).path
        self.ledger.finish(key, state="done", usd=paid, entry=f"{path.parent.name}/{path.stem}.json")

    def _failed(self, key: str, error: ViduError | OSError) -> None:
        billed = getattr(error, "billed", "no")
        status = error.status if isinstance(error, APIError) else 503
        message = error.message if isinstance(error, ViduError) else type(error).__name__
        reserved = self._reserved(key)
        if billed == "no":
            self.ledger.finish(key, state="failed", usd=0.0, error=message, status=status)
        elif billed == "yes" and not isinstance(error, OutcomeUnknown):
            self.ledger.finish(key, state="failed", usd=reserved, error=message, status=status)
        else:
            self.ledger.finish(key, state="unknown", usd=reserved, error=message, status=504)


_NOT_SENT = "the gateway was restarted before this was sent: nothing was billed, ask again"


def receipt_of(made: Made) -> Receipt | None:
    """Return the receipt of a call."""
    return made[0].receipt if isinstance(made, tuple) else made.receipt
