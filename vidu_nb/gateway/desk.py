"""Where works are made: short steps on a few threads, and waiting that costs none.

Whatever happens to a gateway between two steps, the archive's journal has the truth about a work: its attempts bear the
work's id as their mark. So a work is followed by looking at its attempt again and again, and taking the step that its
state permits, until it is closed; from the first call as after a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from ..animatic.server.limits import Reservation
from ..catalogue.request import Request
from ..client.client import Client, advance, begin, impatient
from ..client.session import Errand
from ..errors import APIError, ArchiveError, OutcomeUnknown, Unreachable, ViduError, one_line
from ..locks import is_held
from ..storage.journal import Attempt
from .endings import NOT_SENT, not_made, of_closed, of_entry, of_made, unknown
from .ledger import LEASE_S, Ending, Ledger, LedgerAway

T = TypeVar("T")
KEY_LENGTH = 64  # of a request's key; a take's work has more behind it
LEDGER_THREADS, CALLS, STEPS = 16, 64, 16
FIRST_LOOK_S, LONGEST_LOOK_S, SLOWER = 0.5, 5.0, 1.25
LOOKS_PER_S = 25.0  # at jobs, of all works together: three hundred are looked at less often than three
PATIENCE_S = 90.0  # how long a lost answer is looked for before whoever asked is told
_LONGEST_SEARCH_PAUSE_S = 60.0
_LONGEST_RUN_S = 3600.0  # after which whoever asked is told, and the work is looked at as one of unknown outcome is
_OTHERS_LOOK_S = 1.0  # between two looks at what another gateway makes
_AWAY_PAUSE_S = 1.0  # before the ledger, or a step that broke, is tried again
_CLOSING_S = 10.0  # for what is being sent, when the gateway ends

_log = logging.getLogger(__name__)


class _Begun(NamedTuple):
    """How a work began: its ending, where it has one already, and its row, where that stands in the ledger."""

    ending: Ending | None
    row: dict[str, Any] | None


class Desk:
    """Makes works, and tells those who wait when they end.

    Parameters
    ----------
    client
        Who is asked.
    ledger
        Where works are claimed and closed.

    Attributes
    ----------
    patience_s : float
        How long a lost answer is looked for before whoever asked is told.
    """

    def __init__(self, client: Client, ledger: Ledger) -> None:
        self.client = client
        self.ledger = ledger
        self.patience_s = PATIENCE_S
        # Apart, so that a service that lets everybody wait holds up neither replays nor what is made already.
        self._reads = ThreadPoolExecutor(LEDGER_THREADS, thread_name_prefix="gateway ledger")
        self._calls = ThreadPoolExecutor(CALLS, thread_name_prefix="gateway call")
        self._steps = ThreadPoolExecutor(STEPS, thread_name_prefix="gateway step")
        self._tasks: dict[str, asyncio.Task[dict[str, Any] | None]] = {}
        self._sending: set[Future[_Begun]] = set()
        self._lost = asyncio.Event()
        self._lost.set()  # by an earlier run, perhaps
        self._is_closing = False

    # Threads.

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run a short piece of work with the ledger or with files on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._reads, work, *arguments)

    async def insist(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run the same until the ledger answers: it may be away for a while, and what happened has to be written."""
        while True:
            try:
                return await self.run(work, *arguments)
            except LedgerAway as error:
                _log.info("the ledger can't be reached (%s): trying again", type(error).__name__)
            await asyncio.sleep(_AWAY_PAUSE_S)

    async def _step(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._steps, work, *arguments)

    def report(self, problem: str) -> None:
        """Tell whoever runs the gateway of a problem."""
        _log.warning("%s", one_line(problem))

    # Beginning, going on, ending.

    def start(self, work: dict[str, Any], request: Request, reservation: Reservation, *, fresh: bool) -> None:
        """Begin to make a work that this gateway has claimed; `reservation` is released once the request has left."""
        self._spawn(work, self._make(work, request, reservation, fresh=fresh))

    def resume(self, work: dict[str, Any]) -> None:
        """Go on with a work: of a gateway that gave no sign of life, or one of unknown outcome."""
        if work["id"] not in self._tasks:
            self._spawn(work, self._follow(work))

    async def until_ended(self, name: str) -> dict[str, Any]:
        """Wait until a work is closed or of unknown outcome, here or at another gateway, and return its row."""
        while True:
            task = self._tasks.get(name)
            if task:
                await asyncio.wait([task])
            is_known = task and not task.cancelled() and not task.exception()
            row = task.result() if task and is_known else await self.insist(self.ledger.work, name)
            if row is None or row["state"] != "running":
                return row or {}
            if task is None:
                await asyncio.sleep(_OTHERS_LOOK_S)

    async def close(self) -> None:
        """Send nothing more, wait for what is being sent, and leave the rest to whoever takes it over."""
        self._is_closing = True
        names = list(self._tasks)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        with contextlib.suppress(LedgerAway):
            await self.run(self.ledger.let_go, names)
        for pool in (self._calls, self._steps, self._reads):
            pool.shutdown(wait=False, cancel_futures=True)
        sending = [asyncio.wrap_future(one) for one in self._sending]
        if sending:
            await asyncio.wait(sending, timeout=_CLOSING_S)

    def _spawn(self, work: dict[str, Any], course: Coroutine[Any, Any, dict[str, Any] | None]) -> None:
        task = asyncio.create_task(course)
        self._tasks[work["id"]] = task
        task.add_done_callback(lambda _: self._tasks.pop(work["id"], None))

    # In the background.

    async def watch(self) -> None:
        """Renew leases and take over what others left, until cancelled."""
        while True:
            try:
                await self.run(self.ledger.keep_alive, list(self._tasks))
                for row in await self.run(self.ledger.take_over):
                    self.resume(row)
            except Exception as error:  # the database may be away for a while
                _log.warning("the ledger can't be reached (%s)", type(error).__name__)
            await asyncio.sleep(LEASE_S / 4)

    async def search(self) -> None:
        """Look in the service's record for what was lost, and close what became known otherwise, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_SEARCH_PAUSE_S):
                    await self._lost.wait()
            is_lost = self._lost.is_set()
            self._lost.clear()
            began = time.monotonic()
            try:
                rows = await self.run(self.ledger.unknown)
                if rows or is_lost:
                    await self._step(impatient(self.client).reconcile)
                for row in rows:
                    await self._look_again(row)
            except (ViduError, OSError, LedgerAway) as error:
                _log.info("nothing could be looked for: %s", error)
            # A look reads the whole journal: nine tenths of the time are for others.
            await asyncio.sleep(min(max(_AWAY_PAUSE_S, 9 * (time.monotonic() - began)), _LONGEST_SEARCH_PAUSE_S))

    async def _look_again(self, row: dict[str, Any]) -> None:
        """Close a work of unknown outcome if more is known by now, or go on with it."""
        ending = await self._step(self._ending, row)
        if ending is None:
            self.resume(row)
        elif ending.state != "unknown":
            await self.run(self.ledger.finish, row["id"], ending)

    # One work.

    async def _make(
        self, work: dict[str, Any], request: Request, reservation: Reservation, *, fresh: bool
    ) -> dict[str, Any] | None:
        sent = self._calls.submit(self._begin_and_close, work, request, fresh=fresh)
        del request  # megabytes, which have left when the call is back
        self._sending.add(sent)
        sent.add_done_callback(self._sending.discard)
        try:
            begun = await asyncio.wrap_future(sent)
        finally:
            reservation.release()
        return begun.row or await self._follow(work, begun.ending)

    def _begin_and_close(self, work: dict[str, Any], request: Request, *, fresh: bool) -> _Begun:
        """Send a work's request, and close it at once where it has ended: one change of threads less."""
        ending = self._begin(work, request, fresh=fresh)
        if ending is not None and ending.state != "unknown":
            with contextlib.suppress(LedgerAway):
                return _Begun(ending, self._finish(work, ending))
        return _Begun(ending, None)

    def _begin(self, work: dict[str, Any], request: Request, *, fresh: bool) -> Ending | None:
        """Send a work's request; its ending where there was nothing to send, or nothing came of it for certain."""
        name = work["id"]
        errand = Errand(name, self._check_open, functools.partial(self.ledger.confirm, name))
        try:
            made = begin(self.client, request, errand, fresh=fresh)
            # What is there though nothing was paid for it was there already.
            free = of_made(made) if made else not_made(OutcomeUnknown("the same is being made outside of the gateway"))
        except Exception as error:
            if not isinstance(error, ViduError | OSError | LedgerAway):
                _log.exception("a call failed")
            free = not_made(error)
        try:
            attempt = self._attempt_of(work)
            return free if attempt is None or attempt.state in ("prepared", "not charged") else self._ending(work)
        except (ArchiveError, LedgerAway):
            return None  # it may have been paid for: it is followed

    async def _follow(self, work: dict[str, Any], ending: Ending | None = None) -> dict[str, Any] | None:
        """Take step after step until a work is closed, or nothing more can be done for now; returns its row."""
        pause, patience, end = FIRST_LOOK_S, time.monotonic() + self.patience_s, time.monotonic() + _LONGEST_RUN_S
        look: Callable[[dict[str, Any]], Ending | None] = self._ending  # nothing is asked of the service at first
        while ending is None or ending.state == "unknown":
            try:
                ending = await self._step(look, work)
            except (ViduError, OSError) as error:
                ending = unknown(work["usd"], f"{type(error).__name__}: {error}")
            except LedgerAway:
                ending = None
            except Exception:
                _log.exception("a step failed")
                ending = None
            if ending is None and time.monotonic() > end:
                ending = unknown(work["usd"], f"it was not made within {_LONGEST_RUN_S:g} s")
                break
            if ending is None:
                patience = time.monotonic() + self.patience_s
            elif ending.state != "unknown" or time.monotonic() > patience:
                break
            else:
                self._lost.set()
            await asyncio.sleep(max(pause, len(self._tasks) / LOOKS_PER_S))
            pause, look = min(LONGEST_LOOK_S, pause * SLOWER), self._look
        return await self.insist(self._finish, work, ending)

    def _finish(self, work: dict[str, Any], ending: Ending) -> dict[str, Any] | None:
        row = self.ledger.finish(work["id"], ending)
        if ending.detail and ending.detail != work.get("detail"):
            self.report(ending.detail)
        return row

    def _look(self, work: dict[str, Any]) -> Ending | None:
        """Take the next step of a work, and return its ending; None while it is being made."""
        attempt = self._attempt_of(work)
        problem = ""
        if attempt and attempt.state in ("queued", "received", "linked", "sent"):
            try:
                if attempt.state != "sent" or self.client.archive.has_received(attempt):
                    advance(self.client, attempt)
            except APIError:
                pass  # the journal has it
            except OutcomeUnknown as error:
                problem = error.message
        return self._ending(work, problem)

    def _ending(self, work: dict[str, Any], problem: str = "") -> Ending | None:
        """Return a work's ending as the journal has it; None while it is being made."""
        attempt, price = self._attempt_of(work), work["usd"]
        if attempt is None or attempt.state == "prepared":
            return NOT_SENT
        entry = self.client.archive.entry(str(attempt.latest("entry"))) if attempt.state == "stored" else None
        if entry:
            return of_entry(entry, price)
        if attempt.state in ("not charged", "settled"):
            return of_closed(attempt, price)
        if self._is_being_made(attempt) and not problem:
            return None
        if attempt.state == "sent" and not self._has_left(work, attempt):
            with contextlib.suppress(ViduError):
                self.client.settle(attempt.id, billed=False)
            return NOT_SENT
        return unknown(price, problem or str(attempt.latest("reason") or "the gateway ended before an answer came"))

    def _is_being_made(self, attempt: Attempt) -> bool:
        if attempt.state == "sent":
            return is_held(self.client.archive.lock_path(str(attempt.facts["lock"])))
        return attempt.state in ("queued", "received", "linked")

    def _has_left(self, work: dict[str, Any], attempt: Attempt) -> bool:
        """Return whether a byte of an attempt may have left: its owner confirmed that before it did."""
        row = self.ledger.work(work["id"])
        return row is None or row["attempt"] == attempt.id

    def _attempt_of(self, work: dict[str, Any]) -> Attempt | None:
        """Return the latest attempt at a work."""
        attempts = self.client.archive.journal.attempts_for(str(work["key"])[:KEY_LENGTH])
        ours = (one for one in reversed(attempts) if work["id"] == one.mark or work["attempt"] == one.id)
        return next(ours, None)

    def _check_open(self) -> None:
        if self._is_closing:
            raise Unreachable("the gateway ends")
