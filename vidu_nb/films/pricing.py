"""Price a film: which scenes are kept, and what the others would cost and take."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..client.client import Client
from ..errors import ViduError
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
        US dollars for those that are `left`.
    seconds : float
        Expected for these, with as many calls at a time as were named.
    blocked : mapping of int to str
        Why a scene can't be asked for, by its place: its clip, or the one that it continues, is kept and can't be used.
    """

    engine: str
    is_free: bool
    kept: frozenset[int] = field(repr=False)
    prices: tuple[float, ...]
    price_usd: float
    seconds: float
    blocked: Mapping[int, str] = field(repr=False)

    @property
    def left(self) -> tuple[int, ...]:
        """The places of the scenes that are asked for, and paid for where it isn't free."""
        return tuple(index for index in range(len(self.prices)) if index not in self.kept | self.blocked.keys())


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
    kept, blocked = _kept_and_blocked(film, client, fresh)
    left = [index for index in range(len(film)) if index not in kept | blocked.keys()]
    prices = tuple(0.0 if client.is_free else client.price_of(film.request(index)) for index in range(len(film)))
    at_once = max(1, min(workers, len(left)))
    each = {model: seconds_each(model, client, at_once) for model in {film.model_of(index) for index in left}}
    longest: dict[int, float] = {}
    for index in left:  # a scene that continues another begins when that has ended
        longest[index] = each[film.model_of(index)] + (longest.get(index - 1, 0.0) if film[index].continues else 0.0)
    total = sum(each[film.model_of(index)] for index in left)
    seconds = max(max(longest.values(), default=0.0), total / at_once)
    price = round(sum((prices[index] for index in left), 0.0), 9)
    return FilmQuote(client.engine, client.is_free, frozenset(kept), prices, price, seconds, blocked)


def _kept_and_blocked(film: Film, client: Client, fresh: Collection[int]) -> tuple[set[int], dict[int, str]]:
    """Return the places of the scenes that are kept, and why others can't be asked for."""
    found = kept_clips(film, client)
    kept: set[int] = set()
    blocked: dict[int, str] = {}
    for index, scene in enumerate(film.scenes):
        outcome = found.get(index)
        follows = not scene.continues or index - 1 in kept
        if scene.continues and index - 1 in blocked:
            blocked[index] = f"waits for scene {index}"
        elif index not in fresh and follows and isinstance(outcome, Video):
            kept.add(index)
        elif index not in fresh and follows and isinstance(outcome, ViduError):
            blocked[index] = outcome.message
    return kept, blocked
