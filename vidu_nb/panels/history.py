"""History: this panel's clips in a strip, the archive's in a folded list; a click brings one back, ticks compare."""

from __future__ import annotations

import base64
import sys
import threading
from collections.abc import Callable, Iterator
from html import escape
from itertools import islice
from typing import Any

import ipywidgets as widgets

from .. import media
from ..errors import ArchiveError, ViduError
from ..storage.archive import Archive, Entry
from ..video import Video
from .background import in_background

_SIDE = 160  # px of a poster's longer side; a few kB each
_PAGE = 8  # clips of the archive that are shown at a time
_MAX_COMPARED = 9
_MAX_SHOWN = 24  # cards of this panel's own clips; older ones are in the archive
_PROMPT_SHOWN = 60  # characters


class HistoryStrip:
    """Shows posters in a row, each with a button that brings its clip back and a tick that compares it.

    Parameters
    ----------
    open_clip
        Gets the clip whose button was pressed.
    compare
        Gets two to nine ticked clips, each time the ticks change.
    """

    def __init__(self, open_clip: Callable[[Video], object], compare: Callable[[list[Video]], object]) -> None:
        self._open_clip = open_clip
        self._compare = compare
        self._cards: list[tuple[Video, Any]] = []
        self.box = widgets.HBox()
        self.box.add_class("vidu-strip")

    def add(self, video: Video, *, first: bool = True) -> None:
        """Put a clip at the beginning, or at the end; the oldest goes where there are too many.

        Raises
        ------
        ViduError, OSError
            The file can't be read as a video.
        """
        card, box = self._card(video)
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

    def _card(self, video: Video) -> tuple[tuple[Video, Any], Any]:
        caption = video.caption
        prompt = video.request.prompt if video.request else video.path.name
        prompt = prompt if len(prompt) <= _PROMPT_SHOWN else f"{prompt[: _PROMPT_SHOWN - 1]}…"
        picture = base64.b64encode(media.poster_jpeg(video.path, side=_SIDE)).decode("ascii")
        poster = widgets.HTML(
            f'<img class="vidu-poster" alt="{escape(f"Frame of {caption}: {prompt}")}" '
            f'src="data:image/jpeg;base64,{picture}">'
            f'<div class="vidu-help" title="{escape(prompt)}">{escape(short_label(video))}</div>'
        )
        show = widgets.Button(description="Show", tooltip=f"Bring back {caption}: {prompt}")
        show.on_click(lambda _: self._open_clip(video))
        tick = widgets.Checkbox(description="Compare", indent=False)
        tick.observe(lambda _: self._ticked(), "value")
        box = widgets.VBox([poster, widgets.HBox([show, tick])])
        box.add_class("vidu-card")
        return (video, tick), box

    def _ticked(self) -> None:
        chosen = [video for video, tick in self._cards if tick.value]
        if len(chosen) > 1:
            self._compare(chosen[:_MAX_COMPARED])


def close(box: Any) -> None:
    """Close a widget with everything in it: each one left open stays in the kernel and in the saved notebook."""
    for child in getattr(box, "children", ()):
        close(child)
    box.close()


def short_label(video: Video) -> str:
    """Return what distinguishes a clip from its neighbours: seed, ratio and engine."""
    if not video.request:
        return video.path.name
    made = "preview" if video.is_preview else video.receipt.engine if video.receipt else ""
    return " · ".join(filter(None, [f"seed {video.seed or 'random'}", video.request.aspect_ratio, made]))


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
        open_clip: Callable[[Video], object],
        compare: Callable[[list[Video]], object],
    ) -> None:
        self._archive = archive
        self._strip = HistoryStrip(open_clip, compare)
        self._entries: Iterator[Entry | ArchiveError] | None = None
        self._lock = threading.Lock()
        self._toggle = widgets.ToggleButton(description="Kept clips", icon="caret-right", tooltip="Open the archive")
        self._more = widgets.Button(description="More", tooltip="Older clips")
        self._note = widgets.HTML()
        self._inside = widgets.VBox([self._note, self._strip.box, self._more])
        self._inside.layout.display = "none"
        self.box = widgets.VBox([self._toggle, self._inside])
        self.box.add_class("vidu-archive")
        self._toggle.observe(self._opened, "value")
        self._more.on_click(lambda _: self._fill())

    def _opened(self, change: dict[str, Any]) -> None:
        self._toggle.icon = "caret-down" if change["new"] else "caret-right"
        self._inside.layout.display = "" if change["new"] else "none"
        if change["new"]:
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
                self._strip.add(self._archive.open(entry), first=False)
        except (ViduError, OSError, ValueError):
            return False
        return isinstance(entry, Entry)
