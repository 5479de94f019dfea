"""Price a film: which scenes are kept, and what the others would cost and take."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..client.client import Client
from ..sweeps.pricing import seconds_each
from ..video import Video
from .clips import kept_clips

if TYPE_CHECKING:
    from .film import Film


@dataclass(frozen=True, slots=True)
class FilmQuote:
    """The price of a film with one client.

    Attributes
    ----------
    engine : str
        Who would be asked.
    is_free : bool
    kept : frozenset of int
        The places of the scenes that cost nothing.
    prices : tuple of float
        US dollars for each scene, whether it is kept or not.
    price_usd : float
        US dollars for those that are not kept.
    seconds : float
        Expected for these, with as many calls at a time as were named.
    """

    engine: str
    is_free: bool
    kept: frozenset[int] = field(repr=False)
    prices: tuple[float, ...]
    price_usd: float
    seconds: float


def quote_film(film: Film, client: Client, *, workers: int, fresh: Collection[int] = ()) -> FilmQuote:
    """Price a film; looks at the archive and sends nothing.

    Parameters
    ----------
    film, client
        What, and who would be asked.
    workers
        Calls at a time.
    fresh
        Places of the scenes of which another take is wanted: these, and those that continue from them, count as not
        kept.
    """
    found = kept_clips(film, client)
    kept: set[int] = set()
    for index, scene in enumerate(film.scenes):
        follows = not scene.continues or index - 1 in kept
        if index not in fresh and follows and isinstance(found.get(index), Video):
            kept.add(index)
    prices = tuple(0.0 if client.is_free else client.price_of(film.request(index)) for index in range(len(film)))
    left = [index for index in range(len(film)) if index not in kept]
    each = {index: seconds_each(film.model_of(index), client, min(workers, max(1, len(left)))) for index in left}
    longest: dict[int, float] = {}
    for index in left:  # a scene that continues another begins when that has ended
        longest[index] = each[index] + (longest.get(index - 1, 0.0) if film[index].continues else 0.0)
    at_once = max(1, min(workers, len(left)))
    seconds = max(max(longest.values(), default=0.0), sum(each.values()) / at_once)
    price = round(sum(prices[index] for index in left), 9)
    return FilmQuote(client.engine, client.is_free, frozenset(kept), prices, price, seconds)
