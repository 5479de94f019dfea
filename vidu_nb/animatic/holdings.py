"""What the preview server holds in memory: money, files and requests under way, each with its limit."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict

PRICE = 0.5  # play money a clip, where the server was given credits to run down


class Credits:
    """A purse of play money; without a limit every clip is free.

    Parameters
    ----------
    amount
        Credits in the purse, None for no limit.

    >>> purse = Credits(0.5)
    >>> purse.take(), purse.take(), purse.left
    (True, False, 0.0)
    """

    def __init__(self, amount: float | None) -> None:
        self.cost = 0.0 if amount is None else PRICE
        self._left = 100.0 if amount is None else float(amount)
        self._lock = threading.Lock()

    @property
    def left(self) -> float:
        """What remains."""
        return round(self._left, 6)

    def take(self) -> bool:
        """Reserve one clip's cost; False where the purse holds too little."""
        with self._lock:
            if self._left < self.cost:
                return False
            self._left -= self.cost
            return True

    def give_back(self) -> None:
        """Return the cost of a clip that was not made."""
        with self._lock:
            self._left += self.cost


class Shelf:
    """Files under names that can't be guessed; the oldest make room for new ones.

    A name is a keyed hash of the content: the same file keeps its name, and only who was told it knows it.

    Parameters
    ----------
    count
        Files kept at most.
    size
        Bytes kept at most, in all.

    >>> shelf = Shelf(count=2, size=10)
    >>> names = [shelf.keep(data, "txt") for data in (b"one", b"two", b"three")]
    >>> [shelf.get(name) for name in names]
    [None, b'two', b'three']
    """

    def __init__(self, *, count: int, size: int) -> None:
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._count, self._size = count, size
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()

    def keep(self, data: bytes, suffix: str) -> str:
        """Keep a file, and tell its name."""
        name = f"{hmac.new(self._secret, data, hashlib.sha256).hexdigest()[:40]}.{suffix}"
        with self._lock:
            self._files[name] = data
            self._files.move_to_end(name)
            while len(self._files) > self._count or sum(map(len, self._files.values())) > self._size:
                self._files.popitem(last=False)
        return name

    def get(self, name: str) -> bytes | None:
        """A file's content, None where there is none of this name any more."""
        with self._lock:
            return self._files.get(name)


class Room:
    """Bytes of requests that may be under way at once, from their first byte to the end of their render.

    Parameters
    ----------
    size
        Bytes in all.
    """

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Reserve some bytes; False where fewer are left."""
        with self._lock:
            if self._left < count:
                return False
            self._left -= count
            return True

    def give_back(self, count: int) -> None:
        """Return what was reserved."""
        with self._lock:
            self._left += count


class Lease:
    """What one request holds of the room, given back as a whole.

    Parameters
    ----------
    room
        Where it is taken from.
    """

    def __init__(self, room: Room) -> None:
        self._room, self._held = room, 0

    def grow(self, count: int) -> bool:
        """Reserve more bytes; False where the room is full."""
        taken = self._room.take(count)
        self._held += count if taken else 0
        return taken

    def end(self) -> None:
        """Give everything back; once more changes nothing."""
        held, self._held = self._held, 0
        self._room.give_back(held)
