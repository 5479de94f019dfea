"""The result: what the panel plays, and the cell's ordinary output, which the saved notebook keeps."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from IPython.display import display, update_display

from ..errors import InvalidRequest
from ..files import shown_path
from ..notebook import current_place, deliver, spellings
from ..video import Video
from ..widgets.pieces import SentFile
from ..widgets.synchroniser import timeline_of
from .made import Made, each, player_of, short_label, thumbnail

_POSTER = 640  # px of the longer side: what the cell's output has as well
_PROMPT_SHOWN = 400  # characters
_EMPTY = {"text/plain": "", "text/html": ""}
_numbers = count(1)


@dataclass(frozen=True)
class Draft:
    """A result that exists in memory alone.

    Attributes
    ----------
    kind : str
        ``"video"`` or ``"image"``.
    data : bytes
    media_type : str
    caption, prompt : str
    size : tuple of int
        Width and height.
    """

    kind: str
    data: bytes
    media_type: str
    caption: str
    prompt: str
    size: tuple[int, int]


@dataclass(frozen=True)
class _Shown:
    """What the page shows, and where its bytes are."""

    name: str = ""
    sources: tuple[SentFile, ...] = ()
    posters: tuple[bytes, ...] = ()  # JPEG; not in the widget's state, which a saved notebook holds


class ResultView:
    """Plays results in the panel, and keeps them in a cell's output for the saved notebook.

    The page plays a clip by the link in the cell's output, where that leads to it, and gets its bytes from `piece`
    everywhere else.

    Parameters
    ----------
    show
        Gets what the page shows.
    send
        Sends pages a message with bytes: the beginning of what is shown, ahead of it, so that none asks for that.

    Attributes
    ----------
    name : str
        The class of the cell's output: the page hides that while it plays the same.
    """

    def __init__(
        self,
        show: Callable[[dict[str, Any]], object],
        send: Callable[[dict[str, Any], list[bytes]], object],
    ) -> None:
        self._show, self._send = show, send
        self.name = f"vidu-saved-{os.urandom(8).hex()}"
        self._display_ids: list[str] = []
        self._bundle: Mapping[str, Any] = self._marked(_EMPTY, "vidu-empty")
        self._shown = _Shown()

    def display(self) -> None:
        """Open a place below the cell that runs."""
        if "VOILA_BASE_URL" in os.environ:  # the one that kernels started ahead of their visitor have, too
            return  # Voilà shows outputs once and never updates them
        name = f"vidu-{os.urandom(8).hex()}"
        display(self._bundle, raw=True, display_id=name)
        self._display_ids.append(name)

    def keep(self, bundle: Mapping[str, Any]) -> None:
        """Put a MIME bundle into the cell's output; what is played goes on."""
        self._bundle = self._marked(bundle, self._shown.name)
        for one in self._display_ids:
            update_display(self._bundle, raw=True, display_id=one)

    def show(self, made: Any, *, caption: str = "", bundle: Callable[[], Mapping[str, Any]] | None = None) -> None:
        """Play what a call returned; what `bundle` gives stands in the cell's output in place of its own."""
        self._put(each(made), bundle or made._repr_mimebundle_, caption=caption)

    def compare(self, made: Sequence[Made]) -> None:
        """Show results side by side; several clips get a bar of controls."""
        player, clips = player_of(made), [one for one in made if isinstance(one, Video)]
        bar = timeline_of(player) if len(clips) == len(made) > 1 else None
        self._put(tuple(made), player.bundle, bar=bar)

    def show_drafts(self, drafts: Sequence[Draft]) -> None:
        """Play what exists in memory alone, silently and again and again; the cell's output keeps what it has."""
        items = [
            {"kind": one.kind, "name": "", "caption": one.caption, "prompt": one.prompt, "label": "", "preview": True,
             "size": one.size, "type": one.media_type}
            for one in drafts
        ]  # fmt: skip
        self._tell(_Shown(_name(), tuple(SentFile(one.data) for one in drafts)), items, loops=True, link=False)

    def piece(self, shown: object, item: object, at: object) -> dict[str, Any]:
        """Return some bytes of what is shown, from a place on, and how many there are in all.

        Parameters
        ----------
        shown, item
            What is shown, and which of it.
        at
            The place; ``"poster"`` for the whole poster.

        Raises
        ------
        InvalidRequest
            It is not shown any more, it has no such bytes, or its file has gone or changed.
        """
        now = self._shown
        if shown != now.name or type(item) is not int or not 0 <= item < len(now.sources):
            raise InvalidRequest("that is not shown any more")
        if at == "poster":
            return SentFile(now.posters[item] if now.posters else b"").piece(0)
        return now.sources[item].piece(at)

    def _put(
        self,
        made: tuple[Made, ...],
        bundle: Callable[[], Mapping[str, Any]],
        *,
        bar: Mapping[str, Any] | None = None,
        caption: str = "",
    ) -> None:
        items = [_item(one, caption, many=len(made) > 1) for one in made]
        posters = tuple(thumbnail(one, side=_POSTER) for one in made)
        place = current_place()
        link = bool(self._display_ids) and all(deliver(spellings(one.path), place).link for one in made)
        shown = _Shown(_name(), tuple(SentFile(one.path) for one in made), posters)
        self._tell(shown, items, link=link, bar=bar)
        self.keep(bundle())  # a small copy takes a second: the page plays meanwhile

    def _tell(
        self,
        shown: _Shown,
        items: list[dict[str, Any]],
        *,
        link: bool,
        loops: bool = False,
        bar: Mapping[str, Any] | None = None,
    ) -> None:
        self._shown = shown
        if len(items) == 1:
            self._send_ahead(shown, link=link)
        self._show({"id": shown.name, "items": items, "link": link, "loops": loops, "bar": bar})

    def _send_ahead(self, shown: _Shown, *, link: bool) -> None:
        """Send the poster, and the first piece where no link leads to the file."""
        [source], poster = shown.sources, b"".join(shown.posters)
        with contextlib.suppress(InvalidRequest):  # it can't be read: that is for the page which asks for it
            first: dict[str, Any] = {"bytes": b"", "total": 0} if link else source.piece(0)
            self._send({"ahead": shown.name, "total": first["total"]}, [first["bytes"], poster])

    def _marked(self, bundle: Mapping[str, Any], shown: str) -> dict[str, Any]:
        """Return a bundle whose HTML the page finds, by the panel's name and by what it shows."""
        html = bundle.get("text/html", "")
        return {**bundle, "text/html": f'<div class="vidu-saved {self.name} {shown}">{html}</div>'}


def _name() -> str:
    return f"shown-{next(_numbers)}"


def _item(one: Made, caption: str, *, many: bool) -> dict[str, Any]:
    is_video = isinstance(one, Video)
    size = (one.info.width, one.info.height) if isinstance(one, Video) else one.size
    kind = "video/mp4" if is_video else f"image/{one.path.suffix[1:].lower().replace('jpg', 'jpeg')}"
    prompt = str((one.request.by_role("prompt") if one.request else None) or "")
    return {
        "kind": "video" if is_video else "image", "name": shown_path(one.path), "caption": caption or one.caption,
        "prompt": prompt[:_PROMPT_SHOWN], "label": short_label(one) if many else "", "preview": one.is_preview,
        "size": size, "type": kind,
    }  # fmt: skip
