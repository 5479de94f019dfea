"""History: this panel's results, and those that the archive keeps; a click brings one back, ticks compare."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from ..errors import ArchiveError, InvalidRequest, ViduError
from ..storage.archive import Archive, Entry
from .background import in_background
from .made import Made, each, prompt_of, short_label, thumbnail_uri

_SIDE = 160  # px of a poster's longer side; a few kB each
_PAGE = 8  # clips of the archive that are shown at a time
MAX_COMPARED = 9
_MAX_SHOWN = 24  # cards of this panel's own clips; older ones are in the archive


class Cards:
    """What the page shows of results, in their order.

    Parameters
    ----------
    show
        Gets the cards each time they change.
    """

    def __init__(self, show: Callable[[list[dict[str, str]]], object]) -> None:
        self._show = show
        self._cards: list[tuple[dict[str, str], Made]] = []

    def add(self, *made: Made, first: bool = True) -> None:
        """Put results at the beginning, or at the end; the oldest go where there are too many.

        Raises
        ------
        ViduError, OSError
            A file can't be read as a clip or a picture.
        """
        new = [(_card(one), one) for one in made]
        self._cards = [*new, *self._cards][:_MAX_SHOWN] if first else [*self._cards, *new]
        self._show(self.items)

    @property
    def items(self) -> list[dict[str, str]]:
        """What the page shows."""
        return [card for card, _ in self._cards]

    def find(self, name: object) -> Made | None:
        """Return the result of a card, by its id."""
        return next((made for card, made in self._cards if card["id"] == name), None)


def find_made(name: object, *lists: Cards) -> Made:
    """Return the result of a card in one of several lists.

    Raises
    ------
    InvalidRequest
        There is none any more.
    """
    made = next((one for cards in lists if (one := cards.find(name)) is not None), None)
    if made is None:
        raise InvalidRequest("that is not shown here any more")
    return made


def _card(made: Made) -> dict[str, str]:
    return {
        "id": _name_of(made), "label": short_label(made), "caption": made.caption, "prompt": prompt_of(made),
        "poster": thumbnail_uri(made, side=_SIDE),
    }  # fmt: skip


def _name_of(made: Made) -> str:
    """Return a card's id, the same wherever and whenever the result is shown: a page remembers by it what is ticked."""
    return f"made-{hashlib.sha256(os.fsencode(made.path.absolute())).hexdigest()[:16]}"


class Kept:
    """The archive's results, read only when a person opens the list, a page at a time.

    Parameters
    ----------
    archive
        Whose clips.
    show
        Gets what the page shows: ``cards``, whether there are ``more``, and a ``note``.
    """

    def __init__(self, archive: Archive, show: Callable[[dict[str, Any]], object]) -> None:
        self._archive, self._show = archive, show
        self.cards = Cards(lambda _: None)
        self._entries: Iterator[Entry | ArchiveError] | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Show the newest, read anew, since clips may have come."""
        with self._lock:
            self._entries = None
        self.more()

    def more(self) -> None:
        """Add the next page; posters take a while, and a click must be answered at once."""
        self._tell("Reading the archive ...", has_more=False)
        in_background(self._add_page)

    def _add_page(self) -> None:
        with self._lock:
            cards = self.cards
            if self._entries is None:
                cards, self._entries = Cards(lambda _: None), self._archive.entries(newest=sys.maxsize)
            page = list(islice(self._entries, _PAGE))
            lost = len(page) - sum(self._add(cards, entry) for entry in page)
            self.cards = cards  # once they are whole: until then those of before can be clicked
            note = f"{lost} here can't be shown; vidu-nb archive verify names them." if lost else ""
            note = note or ("" if self.cards.items else "Nothing is kept yet.")
            self._tell(note, has_more=len(page) == _PAGE)

    def _tell(self, note: str, *, has_more: bool) -> None:
        self._show({"cards": self.cards.items, "more": has_more, "note": note})

    def _add(self, cards: Cards, entry: Entry | ArchiveError) -> bool:
        """Add an entry's cards to others; False where it can't be shown, and is left as it is."""
        try:
            if isinstance(entry, Entry):
                cards.add(*each(self._archive.open(entry)), first=False)
        except (ViduError, OSError, ValueError):
            return False
        return isinstance(entry, Entry)
