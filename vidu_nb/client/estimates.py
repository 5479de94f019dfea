"""Estimate what a clip costs and how long it takes, from settings and from the receipts in the archive."""

from __future__ import annotations

from collections.abc import Iterable

from ..catalogue.request import PREVIEW
from ..receipt import Receipt
from ..storage.archive import Archive, Entry
from .engines import PAID_SECONDS, PREVIEW_SECONDS

_SEEN = 20  # receipts; older ones tell less
_LOOKED_AT = 200  # entries, among which they are looked for


class Estimate:
    """What a clip is expected to cost and to take: a setting, corrected by the receipts seen.

    Parameters
    ----------
    price_usd
        The setting, in US dollars.
    seconds
        How long a paid call takes, where nothing was seen yet.

    >>> estimate = Estimate(0.5)
    >>> estimate.learn([Receipt("segmind", cost_usd=0.4, elapsed_s=90.0)])
    >>> estimate.price_usd("segmind"), estimate.seconds("segmind"), estimate.seconds("preview")
    (0.4, 90.0, 3.0)
    """

    def __init__(self, price_usd: float, seconds: float = PAID_SECONDS) -> None:
        self._price_usd = price_usd
        self._seconds = seconds
        self._receipts: list[Receipt] = []

    def learn(self, receipts: Iterable[Receipt]) -> None:
        """Take receipts into account; replays, a class's gateway's as well, cost nothing and tell nothing."""
        self._receipts += [receipt for receipt in receipts if not (receipt.replayed or receipt.shared)]

    def price_usd(self, engine: str) -> float:
        """US dollars a clip."""
        costs = [one.cost_usd for one in self._receipts if one.engine == engine and one.cost_usd is not None]
        return 0.0 if engine == PREVIEW else _median(costs[-_SEEN:] or [self._price_usd])

    def seconds(self, engine: str) -> float:
        """Seconds from click to clip."""
        seen = [one.elapsed_s for one in self._receipts if one.engine == engine and one.elapsed_s]
        return _median(seen[-_SEEN:] or [PREVIEW_SECONDS if engine == PREVIEW else self._seconds])


def _median(values: list[float]) -> float:
    """The middle of the values, without what `statistics` takes to import."""
    return sorted(values)[len(values) // 2]


def recent_receipts(archive: Archive, engine: str, model: str) -> list[Receipt]:
    """Return the newest receipts that an archive keeps of an engine's calls of one model, oldest first.

    Parameters
    ----------
    archive
        Where they are.
    engine
        Who was asked.
    model
        The model's name in the URL.
    """
    found: list[Receipt] = []
    for entry in archive.entries(engine=engine, newest=_LOOKED_AT):
        if isinstance(entry, Entry):
            receipt = Receipt.from_dict(entry.facts["receipt"])
            found += [receipt] if receipt.model == model else []
        if len(found) == _SEEN:
            break
    return found[::-1]
