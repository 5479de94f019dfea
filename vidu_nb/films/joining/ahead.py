"""Run what makes items in a thread of its own, a few of them ahead of whoever takes them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_END = object()


@contextmanager
def ahead(items: Iterable[_Item], count: int) -> Iterator[Iterator[_Item]]:
    """Let a thread make items, at most `count` of them ahead; it ends with the block.

    What goes wrong there is raised where the item is waited for.

    >>> with ahead((number * number for number in range(4)), 2) as squares:
    ...     list(squares)
    [0, 1, 4, 9]
    """
    made: queue.SimpleQueue[Any] = queue.SimpleQueue()
    places, stopped = threading.Semaphore(count), threading.Event()

    def make() -> None:
        try:
            for item in items:
                places.acquire()
                if stopped.is_set():
                    return
                made.put((item, None))
            made.put((_END, None))
        except BaseException as error:  # raised again where somebody waits
            made.put((_END, error))

    def taken() -> Iterator[_Item]:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is _END:
                return
            places.release()
            yield item

    thread = threading.Thread(target=make, name="join", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopped.set()
        places.release()
        thread.join()
