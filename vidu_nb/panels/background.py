"""Run one call in the background: a worker thread, and a clock that reports the elapsed time."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

_TICK = 0.25  # s


def in_background(work: Callable[[], object]) -> None:
    """Run something on a thread of its own.

    ipykernel 7 keeps the cell that output belongs to in a context variable: the thread takes it along.
    """
    threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True).start()


class Later:
    """Does something on a thread of its own, once it was not put off any more for some seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    def put_off(self, work: Callable[[], object]) -> None:
        """Do this in place of what waits, and not before the time has passed."""
        self.drop()
        # The context tells ipykernel 7 which cell the output belongs to.
        self._timer = threading.Timer(self._seconds, contextvars.copy_context().run, [work])
        self._timer.daemon, self._timer.name = True, "vidu-nb later"
        self._timer.start()

    def drop(self) -> None:
        """Do what waits no more; what has begun goes on."""
        if self._timer:
            self._timer.cancel()


class BackgroundCall:
    """Makes a clip or a picture on a thread of its own, beside a clock.

    Parameters
    ----------
    work
        Makes it.
    tick
        Gets the elapsed seconds, four times a second.
    done
        Gets this call when it has ended, on the clock's thread.

    Attributes
    ----------
    made : Video, Picture, tuple of Picture or None
    error : BaseException or None
        What came of the call.
    """

    def __init__(
        self,
        work: Callable[[], Any],
        *,
        tick: Callable[[float], object],
        done: Callable[[BackgroundCall], object],
    ) -> None:
        self.made: Any = None
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
        """Wait until the call has ended; True when it has. Ctrl-C gets through."""
        return self._ended.wait(seconds)

    def result(self) -> Any:
        """Return what was made, or raise the call's error."""
        if self.error is not None:
            raise self.error
        return self.made

    def _run(self) -> None:
        try:
            self.made = self._work()
        except BaseException as error:  # it is raised where the call is waited for
            self.error = error
        self._worked.set()

    def _watch(self) -> None:
        self._begun.set()
        started = time.monotonic()
        try:
            in_background(self._run)
            while not self._worked.wait(_TICK):
                with contextlib.suppress(Exception):  # whatever reporting stumbles over, the call goes on
                    self._tick(time.monotonic() - started)
            self._done(self)
        finally:
            self._ended.set()
