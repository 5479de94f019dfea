"""Calls that are not closed: finished where that costs nothing, closed by a person's word, never repeated."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ..errors import ArchiveError, InvalidRequest, OutcomeUnknown, ViduError
from ..locks import is_held
from ..request import PREVIEW, VideoRequest
from ..storage.archive import Entry
from ..storage.journal import Attempt, State
from ..video import Video
from .account import Credits, Pending
from .collect import finish
from .session import Exchange


class Unfinished:
    """The open calls in an exchange's journal.

    Parameters
    ----------
    exchange
        Who was asked, and where everything is kept.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.archive = exchange.archive

    def pending(self, balance: Callable[[], Credits]) -> list[Pending]:
        """Paid calls that are of unknown outcome, or paid and not fetched yet; `balance` is asked where it helps."""
        open_ones = list(self._open_ones())
        ours = self.exchange.engine.name
        now: float | None = None
        if any(attempt.facts["engine"] == ours for attempt in open_ones):
            with contextlib.suppress(ViduError):
                now = float(balance())
        return [
            Pending.from_attempt(
                attempt,
                fetchable=self._is_fetchable(attempt),
                credits_now=now if attempt.facts["engine"] == ours else None,
            )
            for attempt in open_ones
        ]

    def settle(self, name: str, *, billed: bool) -> None:
        """Close the call of that id; where it was not billed, its budget gets the reservation back.

        Raises
        ------
        InvalidRequest
            No such open call.
        ArchiveError
            The journal can't be written.
        """
        for attempt in self._open_ones():
            if attempt.id == name:
                with self.holding(str(attempt.facts["lock"])):
                    now = self.archive.journal.read_again(attempt)
                    if not now.is_open:  # its clip came in meanwhile
                        break
                    self.exchange.note(now, "settled", must=True, billed=billed)
                if not billed:
                    self.exchange.correct(attempt, 0.0)
                return
        raise InvalidRequest(f"call: {name!r} is not an open call; client.pending() lists them", field="call")

    def resume(self) -> list[Video]:
        """Bring in every clip that was paid for and not kept yet; costs nothing."""
        found = []
        for attempt in self._open_ones():
            if self._is_fetchable(attempt):
                try:
                    found.append(self._bring_in(attempt, None))
                except (ViduError, OSError) as error:
                    self.exchange.notify(f"{attempt.id}: {error}")
        return [video for video in found if video]

    def look_at_earlier(self, key: str, lock: str, request: VideoRequest, *, again: bool) -> Video | None:
        """Finish an earlier call that brought a clip; refuse where one of unknown outcome stands in the way.

        Raises
        ------
        OutcomeUnknown
            An earlier call may have been billed, and `again` doesn't say to go on.
        """
        free = self.exchange.engine.is_free
        for attempt in self.archive.journal.attempts_for(key):
            if attempt.state in ("received", "linked") and self._is_running(attempt, lock):
                with self.holding(str(attempt.facts["lock"])):  # its clip is being fetched: soon more is known
                    attempt = self.archive.journal.read_again(attempt)  # noqa: PLW2901
            if not attempt.is_open or self._is_running(attempt, lock):
                continue
            if self._is_fetchable(attempt):
                try:
                    if video := self._bring_in(attempt, request, lock):
                        return video
                except OutcomeUnknown:
                    if not (again or free):
                        raise
                continue
            if attempt.state == "sent":
                state: State = "not charged" if free else "unknown"
                self.exchange.note(attempt, state, must=True, reason="the process ended before an answer came")
            if not again and not free:
                raise OutcomeUnknown(
                    f"this request was sent on {attempt.facts['events'][0]['at'][:16]}Z and brought no usable answer",
                    remedy=(
                        "It is not sent again by itself: see client.pending() and the credit balance, then call with "
                        f"again=True to pay again, or close it with client.settle({attempt.id!r}, billed=...)."
                    ),
                )
        return None

    def kept(self, request: VideoRequest | None, find: Callable[[], Entry | None]) -> Video | None:
        """What the archive finds; a damaged preview counts as none, since it is simply made again."""
        try:
            entry = find()
            return self.archive.open(entry, request=request) if entry else None
        except ArchiveError:
            if self.exchange.engine.is_free:
                return None
            raise

    @contextlib.contextmanager
    def holding(self, lock: str, check: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold a request's lock; one who waits for another's call is told so, and may be called off by `check`."""
        told = iter(["The same request is being made by another thread or kernel; waiting for its clip."])
        problem = ""

        def waiting() -> None:
            for line in told:  # once
                self.exchange.notify(line)
            check()

        path = self.archive.lock_path(lock)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self.archive.lock(lock, timeout=2 * self.exchange.timeout, waiting=waiting))
            except TimeoutError:
                problem = "another thread or kernel has been making the same request for too long"
            except OSError as error:
                problem = f"{path} can't be locked ({error.strerror})"
            if problem:
                raise ArchiveError(f"nothing was sent: {problem}", remedy="End the other kernel, then ask again.")
            yield

    def _bring_in(self, attempt: Attempt, request: VideoRequest | None, held: str = "") -> Video | None:
        """Finish an attempt under its lock, or show what somebody else made of it meanwhile."""
        lock = str(attempt.facts["lock"])
        with contextlib.nullcontext() if lock == held else self.holding(lock):
            attempt = self.archive.journal.read_again(attempt)
            if self._is_fetchable(attempt):
                return finish(self.exchange, attempt, request)
        key = str(attempt.facts["key"])
        return self.kept(request, lambda: self.archive.find_journalled(key)) if attempt.state == "stored" else None

    def _is_running(self, attempt: Attempt, held_by_us: str = "") -> bool:
        lock = str(attempt.facts["lock"])
        return lock != held_by_us and is_held(self.archive.lock_path(lock))

    def _open_ones(self) -> Iterator[Attempt]:
        """Go through the journal's open calls; a file of it that can't be read is told of, and hides no other."""
        for attempt in self.archive.journal:
            if isinstance(attempt, ArchiveError):
                self.exchange.notify(str(attempt))
            elif self._is_left_open(attempt):
                yield attempt

    def _is_left_open(self, attempt: Attempt) -> bool:
        return attempt.is_open and attempt.facts["engine"] != PREVIEW and not self._is_running(attempt)

    def _is_fetchable(self, attempt: Attempt) -> bool:
        return attempt.state in ("queued", "linked") or (
            attempt.state in ("sent", "received") and self.archive.has_received(attempt)
        )
