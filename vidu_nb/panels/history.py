"""History: this panel's results in a strip, the archive's in a folded list; a click brings one back, ticks compare."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from html import escape
from itertools import islice
from typing import Any

import ipywidgets as widgets

from ..errors import ArchiveError, ViduError
from ..storage.archive import Archive, Entry
from .background import in_background
from .boxes import Fold, close
from .made import Made, each, prompt_of, short_label, thumbnail_uri

_SIDE = 160  # px of a poster's longer side; a few kB each
_PAGE = 8  # clips of the archive that are shown at a time
_MAX_COMPARED = 9
_MAX_SHOWN = 24  # cards of this panel's own clips; older ones are in the archive


class HistoryStrip:
    """Shows posters in a row, each with a button that brings its clip back and a tick that compares it.

    Parameters
    ----------
    open_clip
        Gets the clip whose button was pressed.
    compare
        Gets two to nine ticked clips, each time the ticks change.
    """

    def __init__(self, open_clip: Callable[[Made], object], compare: Callable[[list[Made]], object]) -> None:
        self._open_clip = open_clip
        self._compare = compare
        self._cards: list[tuple[Made, Any]] = []
        self.box = widgets.HBox()
        self.box.add_class("vidu-strip")

    def add(self, made: Made, *, first: bool = True) -> None:
        """Put a clip at the beginning, or at the end; the oldest goes where there are too many.

        Raises
        ------
        ViduError, OSError
            The file can't be read as a clip or a picture.
        """
        card, box = self._card(made)
        boxes = self.box.children
        self._cards = [card, *self._cards] if first else [*self._cards, card]
        self.box.children = (box, *boxes) if first else (*boxes, box)
        if first and len(self._cards) > _MAX_SHOWN:
            self._cards.pop()
            last = self.box.children[-1]
            self.box.children = self.box.children[:-1]
            close(last)

    def clear(self) -> None:
        """Take all away."""
        boxes, self._cards, self.box.children = self.box.children, [], ()
        for box in boxes:
            close(box)

    def _card(self, made: Made) -> tuple[tuple[Made, Any], Any]:
        caption, prompt = made.caption, prompt_of(made)
        poster = widgets.HTML(
            f'<img class="vidu-poster" alt="{escape(f"Frame of {caption}: {prompt}")}" '
            f'src="{thumbnail_uri(made, side=_SIDE)}">'
            f'<div class="vidu-help" title="{escape(prompt)}">{escape(short_label(made))}</div>'
        )
        show = widgets.Button(description="Show", tooltip=f"Bring back {caption}: {prompt}")
        show.on_click(lambda _: self._open_clip(made))
        tick = widgets.Checkbox(description="Compare", indent=False)
        tick.observe(lambda _: self._ticked(), "value")
        box = widgets.VBox([poster, widgets.HBox([show, tick])])
        box.add_class("vidu-card")
        return (made, tick), box

    def _ticked(self) -> None:
        chosen = [made for made, tick in self._cards if tick.value]
        if len(chosen) > 1:
            self._compare(chosen[:_MAX_COMPARED])


class ArchiveList:
    """Shows the archive's clips, read only when a person opens the list, a page at a time.

    Parameters
    ----------
    archive
        Whose clips.
    open_clip, compare
        As for `HistoryStrip`.
    """

    def __init__(
        self,
        archive: Archive,
        open_clip: Callable[[Made], object],
        compare: Callable[[list[Made]], object],
    ) -> None:
        self._archive = archive
        self._strip = HistoryStrip(open_clip, compare)
        self._entries: Iterator[Entry | ArchiveError] | None = None
        self._lock = threading.Lock()
        self._more = widgets.Button(description="More", tooltip="Older clips")
        self._note = widgets.HTML()
        inside = [self._note, self._strip.box, self._more]
        self.box = Fold("Kept clips", inside, tooltip="Open the archive", opened=self._opened).box
        self.box.add_class("vidu-archive")
        self._more.on_click(lambda _: self._fill())

    def _opened(self) -> None:
        with self._lock:  # anew, since clips may have come
            self._strip.clear()
            self._entries = None
        self._fill()

    def _fill(self) -> None:
        """Add the next page; posters take a while, and a click's callback must return at once."""
        self._say("Reading the archive ...")
        in_background(self._fill_page)

    def _fill_page(self) -> None:
        with self._lock:
            if self._entries is None:
                self._entries = self._archive.entries(newest=sys.maxsize)
            page = list(islice(self._entries, _PAGE))
            shown = sum(map(self._add, page))
            self._more.layout.display = "none" if len(page) < _PAGE else ""
            if lost := len(page) - shown:
                self._say(f"{lost} here can't be shown; vidu-nb archive verify names them.")
            else:
                self._say("" if self._strip.box.children else "Nothing is kept yet.")

    def _say(self, text: str) -> None:
        self._note.value = f'<div class="vidu-help">{text}</div>' if text else ""

    def _add(self, entry: Entry | ArchiveError) -> bool:
        """Add an entry's card; False where it can't be shown, and is left as it is."""
        try:
            if isinstance(entry, Entry):
                for made in each(self._archive.open(entry)):
                    self._strip.add(made, first=False)
        except (ViduError, OSError, ValueError):
            return False
        return isinstance(entry, Entry)
