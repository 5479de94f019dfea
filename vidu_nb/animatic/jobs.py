"""Renders in a line of bounded length, a few of them at once, each in a thread of its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, Generic, Literal, TypeVar

from ..errors import ViduError
from .cancellation import Cancelled

#: Each keeps two cores busy and takes some 200 MB; two on two cores end no sooner than one after the other.
RENDERS_AT_ONCE = max(1, min(2, (os.cpu_count() or 2) // 2))
WAITING = 64  # renders in the line at most: about two minutes of work
_FIRST_GUESS = 3.0  # s a render takes, as long as none was measured

T = TypeVar("T")
Status = Literal["QUEUED", "PROCESSING", "COMPLETED", "FAILED"]


class LineFull(ViduError):
    """Nothing more can wait; `.seconds` says when to ask again."""

    def __init__(self, waiting: int, seconds: float) -> None:
        super().__init__(f"the line is full ({waiting} waiting): ask again in {seconds:.0f} s")
        self.seconds = seconds


class Job(Generic[T]):
    """One render: where it stands, and in the end what came of it.

    Attributes
    ----------
    done : Future
        The result, or the exception that ended the work.
    progress : float
        0 to 1: frames done of frames in all.
    """

    def __init__(self, work: Callable[..., T], settle: Callable[[bool], object]) -> None:
        self.progress = 0.0
        self.done: Future[T] = Future()
        self.done.set_running_or_notify_cancel()  # ended by `Jobs.cancel`, never by who awaits it
        self._work: Callable[..., T] | None = work
        self._settle = settle
        self._cancelled = threading.Event()
        self._queued, self._started, self._ended = time.monotonic(), 0.0, 0.0

    @property
    def status(self) -> Status:
        """Where it stands, in the service's words."""
        if self.done.done():
            return "FAILED" if self.done.exception() else "COMPLETED"
        return "PROCESSING" if self._started else "QUEUED"

    @property
    def times(self) -> dict[str, float]:
        """Seconds in the line, at work and in all; up to now where it goes on."""
        now = time.monotonic()
        ended = self._ended or now
        started = self._started or ended
        return {
            "queue_time": round(started - self._queued, 3),
            "inference_time": round(ended - started, 3),
            "total_time": round(ended - self._queued, 3),
        }

    def cancel(self) -> None:
        """Ask the work to end; it does between two frames."""
        self._cancelled.set()

    def run(self) -> None:
        """Do the work in this thread."""
        self._started = time.monotonic()
        result: Any = None
        problem: BaseException | None = None
        try:
            if self._work:
                result = self._work(progress=self._advance, cancelled=self._cancelled.is_set)
        except BaseException as error:  # whoever waits for it gets to know
            problem = error
            if not isinstance(error, ViduError):
                logging.getLogger(__name__).exception("a preview failed")
        self.end(result, problem)

    def end(self, result: Any, problem: BaseException | None = None) -> None:
        """Tell everyone who waits."""
        self._work = None  # the request's pictures take megabytes, a record stays for an hour
        self._ended = time.monotonic()
        self._settle(problem is None)
        if problem:
            self.done.set_exception(problem)
        else:
            self.progress = 1.0
            self.done.set_result(result)

    def _advance(self, done: int, of: int) -> None:
        self.progress = min(done / of, 0.99)  # 1 is for the whole file


class Jobs:
    """The line, and those at work.

    Parameters
    ----------
    at_once
        Renders at the same time.
    waiting
        Renders that may wait for their turn.

    >>> jobs = Jobs()
    >>> jobs.submit(lambda **_hooks: "a clip").done.result()
    'a clip'
    """

    def __init__(self, *, at_once: int = RENDERS_AT_ONCE, waiting: int = WAITING) -> None:
        self._at_once, self._longest = at_once, waiting
        self._line: deque[Job[Any]] = deque()
        self._working: set[Job[Any]] = set()
        self._typical = _FIRST_GUESS
        self._closed = False
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        """Renders at work."""
        return len(self._working)

    def submit(self, work: Callable[..., T], settle: Callable[[bool], object] = bool) -> Job[T]:
        """Put work in the line.

        Parameters
        ----------
        work
            Called with `progress` and `cancelled`, as `make_clip` takes them.
        settle
            Called with whether it went well, before anyone can see that it ended.

        Raises
        ------
        LineFull
            As many wait as may.
        Cancelled
            The line was closed.
        """
        job = Job(work, settle)
        with self._lock:
            if self._closed:
                raise Cancelled("the server is stopping")
            if len(self._line) + len(self._working) >= self._longest + self._at_once:
                raise LineFull(len(self._line), max(1.0, self._typical))
            self._line.append(job)
            self._start_next()
        return job

    def cancel(self, job: Job[Any]) -> None:
        """End a render; one that still waits leaves the line."""
        job.cancel()
        with self._lock:
            waited = job in self._line
            if waited:
                self._line.remove(job)
        if waited:
            job.end(None, Cancelled("the preview was cancelled"))

    def close(self, *, timeout: float = 2.0) -> bool:
        """Cancel everything and take nothing more; False where something is still at work after `timeout` s."""
        with self._lock:
            self._closed = True
            left = [*self._line, *self._working]
        for job in left:
            self.cancel(job)
        return not wait([job.done for job in left], timeout).not_done

    def _start_next(self) -> None:
        # A thread for each render: what it costs is nothing beside the render, and none is left idle.
        while self._line and len(self._working) < self._at_once:
            job = self._line.popleft()
            self._working.add(job)
            threading.Thread(target=self._run, args=(job,), name="vidu-nb preview", daemon=True).start()

    def _run(self, job: Job[Any]) -> None:
        try:
            job.run()
        finally:
            with self._lock:
                self._working.discard(job)
                self._typical = job.times["inference_time"]
                self._start_next()
