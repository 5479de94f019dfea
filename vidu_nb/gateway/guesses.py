"""Wrong tokens: counted for the teacher, and answered ever more slowly."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_SHOWN_ADDRESSES = 5
_MOST_ADDRESSES = 1000  # that are remembered; the one that was quiet for longest is forgotten first
_MOST_WAITING = 100  # answers that are held back at a time; more are refused at once


@dataclass(slots=True)
class _Bucket:
    """Tries that are answered without delay, and are given back with time."""

    left: float
    at: float
    count: int = 0


class Guesses:
    """Counts wrong tokens by address, and holds back the answers once there are too many.

    Only wrong tokens are counted, after they were looked up: who sends a right one never waits, whoever shares their
    address. A token has 256 random bits; this is so that nobody can try in silence, or keep the ledger busy.

    Parameters
    ----------
    per_address, overall
        Wrong tokens that are answered at once; each is given back after `forget_s` seconds.
    delay_s
        Seconds that each further answer is held back.
    forget_s
        Seconds after which a try of an address is forgiven; a tenth of that, overall.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        *,
        per_address: int = 20,
        overall: int = 200,
        delay_s: float = 1.0,
        forget_s: float = 6.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.delay_s, self.forget_s, self._clock = delay_s, forget_s, clock
        self._per_address = per_address
        self._overall = overall
        self._all = _Bucket(overall, clock())
        self._addresses: OrderedDict[str, _Bucket] = OrderedDict()
        self._waiting = 0

    async def refuse(self, address: str) -> float:
        """Count a wrong token; return for how many seconds to ask no more, 0 where it is answered as usual."""
        now = self._clock()
        bucket = self._addresses.pop(address, None) or _Bucket(self._per_address, now)
        self._addresses[address] = bucket
        if len(self._addresses) > _MOST_ADDRESSES:
            self._addresses.popitem(last=False)
        own = self._take(bucket, now, most=self._per_address, per_s=1 / self.forget_s)
        everyone = self._take(self._all, now, most=self._overall, per_s=10 / self.forget_s)
        if own and everyone:
            return 0.0
        if self._waiting < _MOST_WAITING:
            self._waiting += 1
            try:
                await asyncio.sleep(self.delay_s)
            finally:
                self._waiting -= 1
        return self.forget_s

    @staticmethod
    def _take(bucket: _Bucket, now: float, *, most: int, per_s: float) -> bool:
        bucket.left = min(most, bucket.left + (now - bucket.at) * per_s)
        bucket.at = now
        bucket.count += 1
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True

    def facts(self) -> dict[str, object]:
        """Return how many wrong tokens came since the start, and from where most of them."""
        most = sorted(self._addresses.items(), key=lambda one: -one[1].count)[:_SHOWN_ADDRESSES]
        return {
            "count": self._all.count,
            "addresses": [{"address": address, "count": bucket.count} for address, bucket in most],
        }
