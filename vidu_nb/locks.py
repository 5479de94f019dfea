"""Locks on files, between threads and processes; where the file system has none, between threads, with a warning."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakValueDictionary

from filelock import FileLock, Timeout

if sys.platform != "win32":
    import fcntl

_POLL = 0.05  # s between two looks at a lock that another holds
_LOOK_TIMEOUT = 30.0  # s; a look takes less than a millisecond
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)

#: One for each path that somebody holds or waits for: threads of one process exclude each other even where the file
#: system's locks fail.
_threads: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
_guard = threading.Lock()


@contextmanager
def hold(path: Path, *, timeout: float, waiting: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold a lock while the block runs.

    Parameters
    ----------
    path
        The lock's file; made with its folder.
    timeout
        Seconds to wait for another holder; 0 tries once.
    waiting
        Called again and again while another holder makes us wait; what it raises ends the wait.

    Raises
    ------
    TimeoutError
        Another holder kept it for longer.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _guard:
        thread = _threads.setdefault(str(path), threading.Lock())
    end = time.monotonic() + timeout
    if not thread.acquire(blocking=False):
        while not thread.acquire(timeout=_POLL):  # in slices, so that an interrupt gets through on every system
            if time.monotonic() >= end:
                raise TimeoutError(path.name)
            if waiting:
                waiting()
    try:
        file = _acquire(path, end, waiting)
        try:
            yield
        finally:
            if file:
                file.release()
    finally:
        thread.release()


@contextmanager
def hold_once(path: Path, *, timeout: float, waiting: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold a lock as `hold` does, and remove its file at the end: for names that hardly anybody else asks for.

    Whoever opened the file before it went notices that it lost its name, and begins anew: filelock looks for that.
    Other kernels on a network file system may see the old name for a while, so a lock that they do wait for keeps its
    file. Windows removes no file that is open: there they all stay.
    """
    with hold(path, timeout=timeout, waiting=waiting):
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


def is_held(path: Path) -> bool:
    """Return whether some thread or process holds the lock."""
    thread = _threads.get(str(path))
    is_free = not (thread and thread.locked()) and _can_be_had(path)
    return not is_free and path.exists()  # else it ended meanwhile, and took the file with it


if sys.platform == "win32":

    def _can_be_had(path: Path) -> bool:
        if not path.exists():
            return True
        with hold(path.with_name("look.lock"), timeout=_LOOK_TIMEOUT):  # two who look at once would see each other
            try:
                with hold(path, timeout=0):
                    return True
            except TimeoutError:
                return False

else:

    def _can_be_had(path: Path) -> bool:
        """Whether a shared lock can be had, which those who look at once don't see; a tenth of the time of holding it.

        filelock locks with flock as well.
        """
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError as error:  # it went meanwhile, or is none: but where no file can be opened, nothing is known
            return error.errno not in _EXHAUSTED
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(handle, fcntl.LOCK_UN)  # at once: a process forked meanwhile would go on holding it
        except BlockingIOError:
            return False
        except OSError:  # there are no file locks here
            return True
        finally:
            os.close(handle)
        return True


def _acquire(path: Path, end: float, waiting: Callable[[], object] | None) -> FileLock | None:
    lock = FileLock(path, fallback_to_soft=False)
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if time.monotonic() >= end:
                raise TimeoutError(path.name) from None
            if waiting:
                waiting()
            time.sleep(_POLL)
        except (OSError, NotImplementedError) as error:
            if path.is_symlink():  # not ours, and no lock can be had on it
                path.unlink()
                continue
            warnings.warn(
                f"{path.parent} has no file locks ({error}): two kernels may pay for the same request at once.",
                stacklevel=4,
            )
            return None
        else:
            return lock
