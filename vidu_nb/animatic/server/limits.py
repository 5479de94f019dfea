"""What the server holds in memory, each with its limit: play money, files, and bytes of requests in progress."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from ...catalogue.request import Request
from ...errors import ViduError


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the server takes on at once.

    Attributes
    ----------
    body_seconds : float
        For a request's body to arrive.
    memory_bytes : int
        All requests in progress, each from its body's first byte to the end of its render.
    files, file_bytes : int
        Clips that are served; the same again for uploads.
    calls : int
        Calls that the record holds.
    request_seconds : float
        How long the queue answers about one.
    """

    body_seconds: float = 60.0
    memory_bytes: int = 160_000_000
    files: int = 64
    file_bytes: int = 128_000_000
    calls: int = 2000
    request_seconds: float = 3600.0


class TooBusy(ViduError):
    """Nothing more is accepted for now; ``.seconds`` says when to ask again."""

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(f"{message}: ask again in {seconds:.0f} s")
        self.seconds = seconds


class PlayMoney:
    """A balance that calls are charged to; without a limit everything is free.

    Parameters
    ----------
    amount
        Credits to begin with, None for no limit.

    >>> money = PlayMoney(0.5)
    >>> money.charge(0.5), money.charge(0.5), money.balance
    (True, False, 0.0)
    """

    def __init__(self, amount: float | None) -> None:
        self._is_limited = amount is not None
        self._balance = 100.0 if amount is None else float(amount)
        self._lock = threading.Lock()

    @property
    def balance(self) -> float:
        """Credits left."""
        return round(self._balance, 6)

    def price_of(self, request: Request) -> float:
        """Return what a request costs here: the price in its model's file, 0 without a limit."""
        return request.model.price_of(request) if self._is_limited else 0.0

    def charge(self, price: float) -> bool:
        """Take a price; False where the balance is too small."""
        with self._lock:
            if self._balance < price:
                return False
            self._balance -= price
            return True

    def refund(self, price: float) -> None:
        """Return the price of what was not made."""
        with self._lock:
            self._balance += price


class FileStore:
    """Files under names that can't be guessed; the oldest are dropped for new ones.

    A name is a keyed hash of the content: the same file has the same name, which only those know who were given it.

    Parameters
    ----------
    count
        Files at most.
    size
        Bytes at most, in all.

    >>> store = FileStore(count=2, size=10)
    >>> names = [store.add(data, "txt") for data in (b"one", b"two", b"three")]
    >>> [store.get(name) for name in names]
    [None, b'two', b'three']
    """

    def __init__(self, *, count: int, size: int) -> None:
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._count, self._size = count, size
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()

    def add(self, data: bytes, suffix: str) -> str:
        """Store a file and return its name."""
        name = f"{hmac.new(self._secret, data, hashlib.sha256).hexdigest()[:40]}.{suffix}"
        with self._lock:
            self._files[name] = data
            self._files.move_to_end(name)
            while len(self._files) > self._count or sum(map(len, self._files.values())) > self._size:
                self._files.popitem(last=False)
        return name

    def get(self, name: str) -> bytes | None:
        """Return a file's content, None where there is none of this name any more."""
        with self._lock:
            return self._files.get(name)


class MemoryLimit:
    """Bytes that all requests in progress may take together.

    Parameters
    ----------
    size
        Bytes in all.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """Bytes that are not reserved."""
        return self._free

    def take(self, count: int) -> None:
        """Reserve bytes, TooBusy where fewer are free."""
        with self._lock:
            if self._free < count:
                raise TooBusy("the requests in progress use all the memory that is allowed for them", seconds=2)
            self._free -= count

    def give_back(self, count: int) -> None:
        """Return what was reserved."""
        with self._lock:
            self._free += count


class Reservation:
    """The bytes of one request, given back as a whole.

    Parameters
    ----------
    memory
        Where they are taken from.
    """

    def __init__(self, memory: MemoryLimit) -> None:
        self._memory, self._size = memory, 0

    def grow(self, count: int) -> None:
        """Reserve more bytes, TooBusy where fewer are free."""
        self._memory.take(count)
        self._size += count

    def release(self) -> None:
        """Give everything back; once more changes nothing."""
        size, self._size = self._size, 0
        self._memory.give_back(size)
