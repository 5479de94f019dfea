"""Renders in a queue of bounded length, a few of them at once, each in a thread of its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, Generic, Literal, TypeVar

from ...errors import ViduError
from ..cancellation import Cancelled, Question
from .limits import TooBusy

#: Each keeps two cores busy and takes some 200 MB; two on two cores end no sooner than one after the other.
RENDERS_AT_ONCE = max(1, min(2, (os.cpu_count() or 2) // 2))
WAITING = 64  # renders in the queue at most: about two minutes of work
_FIRST_GUESS = 3.0  # s a render takes, as long as none was measured

T = TypeVar("T")
JobStatus = Literal["QUEUED", "PROCESSING", "COMPLETED", "FAILED"]
Progress = Callable[[int, int], None]  # called with (frames done, frames in all)
Work = Callable[[Progress, Question], T]  # the second tells whether to stop


class RenderJob(Generic[T]):
    """One render: its status, and in the end its result.

    Attributes
    ----------
    done : Future
        The result, or the exception that ended the work.
    progress : float
        0 to 1: frames done of frames in all.
    """

    def __init__(self, work: Work[T], settle: Callable[[bool], object]) -> None:
        self.progress = 0.0
        self.done: Future[T] = Future()
        self.done.set_running_or_notify_cancel()  # ended by `RenderQueue.cancel`, never by who awaits it
        self._work: Work[T] | None = work
        self._settle = settle
        self._cancelled = threading.Event()
        self._queued, self._started, self._ended = time.monotonic(), 0.0, 0.0

    @property
    def status(self) -> JobStatus:
        """The status in the service's words."""
        if self.done.done():
            return "FAILED" if self.done.exception() else "COMPLETED"
        return "PROCESSING" if self._started else "QUEUED"

    @property
    def times(self) -> dict[str, float]:
        """Seconds in the queue, at work and in all; up to now where it goes on."""
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
                result = self._work(self._advance, self._cancelled.is_set)
        except BaseException as error:  # raised where the result is awaited
            problem = error
            if not isinstance(error, ViduError):
                logging.getLogger(__name__).exception("a preview failed")
        self.end(result, problem)

    def end(self, result: Any, problem: BaseException | None = None) -> None:
        """Set the result, or the exception that takes its place."""
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


class RenderQueue:
    """Jobs that wait for their turn, and those at work.

    Parameters
    ----------
    at_once
        Renders at the same time.
    waiting
        Renders that may wait for their turn.

    >>> queue = RenderQueue()
    >>> queue.submit(lambda progress, cancelled: "a clip").done.result()
    'a clip'
    """

    def __init__(self, *, at_once: int = RENDERS_AT_ONCE, waiting: int = WAITING) -> None:
        self._at_once, self._longest = at_once, waiting
        self._waiting: deque[RenderJob[Any]] = deque()
        self._working: set[RenderJob[Any]] = set()
        self._typical = _FIRST_GUESS
        self._closed = False
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        """Renders at work."""
        return len(self._working)

    @property
    def waiting(self) -> int:
        """Renders that wait for their turn."""
        return len(self._waiting)

    def submit(self, work: Work[T], settle: Callable[[bool], object] = bool) -> RenderJob[T]:
        """Put work in the queue.

        Parameters
        ----------
        work
            Called with a function to report progress to, and one that tells whether to stop.
        settle
            Called with whether it succeeded, before anyone can see that it ended.

        Raises
        ------
        TooBusy
            As many wait as may.
        Cancelled
            The queue was closed.
        """
        job = RenderJob(work, settle)
        with self._lock:
            if self._closed:
                raise Cancelled("the server is stopping")
            if len(self._waiting) + len(self._working) >= self._longest + self._at_once:
                raise TooBusy(f"the queue is full ({len(self._waiting)} waiting)", seconds=max(1.0, self._typical))
            self._waiting.append(job)
            self._start_next()
        return job

    def cancel(self, job: RenderJob[Any]) -> None:
        """End a render; one that still waits leaves the queue."""
        job.cancel()
        with self._lock:
            waited = job in self._waiting
            if waited:
                self._waiting.remove(job)
        if waited:
            job.end(None, Cancelled("the preview was cancelled"))

    def close(self, *, timeout: float = 2.0) -> bool:
        """Cancel everything and accept nothing more; False where something is still at work after `timeout` s."""
        with self._lock:
            self._closed = True
            left = [*self._waiting, *self._working]
        for job in left:
            self.cancel(job)
        return not wait([job.done for job in left], timeout).not_done

    def _start_next(self) -> None:
        # A thread for each render: what it costs is nothing beside the render, and none is left idle.
        while self._waiting and len(self._working) < self._at_once:
            job = self._waiting.popleft()
            self._working.add(job)
            threading.Thread(target=self._run, args=(job,), name="vidu-nb preview", daemon=True).start()

    def _run(self, job: RenderJob[Any]) -> None:
        try:
            job.run()
        finally:
            with self._lock:
                self._working.discard(job)
                self._typical = job.times["inference_time"]
                self._start_next()
