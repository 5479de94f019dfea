"""One call in the background: worker and clock; and what such a call is expected to take and to cost."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Iterable

from ..archive import Archive, Entry
from ..engines import PAID_SECONDS, PREVIEW_SECONDS
from ..request import PREVIEW
from ..video import Receipt, Video

_TICK = 0.25  # s
_SEEN = 20  # receipts; older ones tell less


def in_background(work: Callable[[], object]) -> None:
    """Run something on a thread of its own.

    ipykernel 7 keeps the cell that output belongs to in a context variable: the thread takes it along.
    """
    threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True).start()


class Job:
    """A call on a thread of its own, told of by a clock.

    Parameters
    ----------
    work
        Makes the clip.
    tick
        Gets the elapsed seconds, four times a second.
    done
        Gets the job when it has ended, on the clock's thread.

    Attributes
    ----------
    video : Video or None
    error : BaseException or None
        What the call came to.
    """

    def __init__(
        self, work: Callable[[], Video], *, tick: Callable[[float], object], done: Callable[[Job], object]
    ) -> None:
        self.video: Video | None = None
        self.error: BaseException | None = None
        self._work, self._tick, self._done = work, tick, done
        self._begun, self._worked, self._ended = threading.Event(), threading.Event(), threading.Event()

    def start(self) -> None:
        """Begin."""
        in_background(self._watch)

    @property
    def has_begun(self) -> bool:
        """True once the work may be going on: `done` will be called."""
        return self._begun.is_set()

    @property
    def has_ended(self) -> bool:
        """True once `done` has returned."""
        return self._ended.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the job has ended; True when it has. Ctrl-C gets through."""
        return self._ended.wait(seconds)

    def result(self) -> Video:
        """The clip, or the error raised."""
        if self.error is not None:
            raise self.error
        assert self.video is not None  # noqa: S101  # for the type checker: one of both is there once it has ended
        return self.video

    def _run(self) -> None:
        try:
            self.video = self._work()
        except BaseException as error:  # it is raised where the job is waited for
            self.error = error
        self._worked.set()

    def _watch(self) -> None:
        self._begun.set()
        started = time.monotonic()
        try:
            in_background(self._run)
            while not self._worked.wait(_TICK):
                with contextlib.suppress(Exception):  # whatever telling of it stumbles over, the call goes on
                    self._tick(time.monotonic() - started)
            self._done(self)
        finally:
            self._ended.set()


class Estimate:
    """What a clip is expected to cost and to take: a setting, corrected by the receipts seen.

    Parameters
    ----------
    price_usd
        The setting, in US dollars.

    >>> estimate = Estimate(0.5)
    >>> estimate.learn([Receipt("segmind", cost_usd=0.4, elapsed_s=90.0)])
    >>> estimate.price_usd("segmind"), estimate.seconds("segmind"), estimate.seconds("preview")
    (0.4, 90.0, 3.0)
    """

    def __init__(self, price_usd: float) -> None:
        self._price_usd = price_usd
        self._receipts: list[Receipt] = []

    def learn(self, receipts: Iterable[Receipt]) -> None:
        """Take receipts into account; replays cost nothing and tell nothing."""
        self._receipts += [receipt for receipt in receipts if not receipt.replayed]

    def price_usd(self, engine: str) -> float:
        """US dollars a clip."""
        costs = [one.cost_usd for one in self._receipts if one.engine == engine and one.cost_usd is not None]
        return 0.0 if engine == PREVIEW else _median(costs[-_SEEN:] or [self._price_usd])

    def seconds(self, engine: str) -> float:
        """Seconds from click to clip."""
        seen = [one.elapsed_s for one in self._receipts if one.engine == engine and one.elapsed_s]
        return _median(seen[-_SEEN:] or [PREVIEW_SECONDS if engine == PREVIEW else PAID_SECONDS])


def _median(values: list[float]) -> float:
    """The middle of the values, without what `statistics` takes to import."""
    return sorted(values)[len(values) // 2]


def kept_receipts(archive: Archive, engine: str) -> list[Receipt]:
    """The newest receipts that an archive keeps of an engine's calls, oldest first."""
    entries = [entry for entry in archive.entries(engine=engine, newest=_SEEN) if isinstance(entry, Entry)]
    return [Receipt.from_dict(entry.facts["receipt"]) for entry in reversed(entries)]
