"""The result: what the panel plays, and the cell's ordinary output, which the saved notebook keeps."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from IPython.display import display, update_display

from ..errors import InvalidRequest
from ..files import shown_path
from ..media import probe
from ..notebook import current_place, deliver, spellings
from ..video import Video
from .made import Made, each, player_of, short_label, thumbnail_uri

_POSTER = 480  # px of the longer side
_PIECE = 1_500_000  # bytes: a notebook's websocket refuses messages over 10 MiB by dropping the connection
_PROMPT_SHOWN = 400  # characters
_EMPTY = {"text/plain": "", "text/html": '<div class="vidu-saved"></div>'}
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


class ResultView:
    """Plays results in the panel, and keeps them in a cell's output for the saved notebook.

    The page plays a clip by the link in the cell's output, where that leads to it, and gets its bytes from `piece`
    everywhere else.

    Parameters
    ----------
    show
        Gets what the page shows.

    Attributes
    ----------
    name : str
        The class of the cell's output: the page hides that while it plays the same.
    """

    def __init__(self, show: Callable[[dict[str, Any]], object]) -> None:
        self._show = show
        self.name = f"vidu-saved-{os.urandom(8).hex()}"
        self._display_ids: list[str] = []
        self._bundle: Mapping[str, Any] = _EMPTY
        self._shown: tuple[str, tuple[Path | bytes, ...]] = ("", ())

    def display(self) -> None:
        """Open a place below the cell that runs."""
        if "VOILA_BASE_URL" in os.environ:  # the one that kernels started ahead of their visitor have, too
            return  # Voilà shows outputs once and never updates them
        name = f"vidu-{os.urandom(8).hex()}"
        display(self._bundle, raw=True, display_id=name)
        self._display_ids.append(name)

    def keep(self, bundle: Mapping[str, Any]) -> None:
        """Put a MIME bundle into the cell's output; what is played goes on."""
        self._bundle = self._marked(bundle, self._shown[0])
        for one in self._display_ids:
            update_display(self._bundle, raw=True, display_id=one)

    def show(self, made: Any, *, caption: str = "", bundle: Mapping[str, Any] | None = None) -> None:
        """Play what a call returned; a `bundle` stands in the cell's output in place of its own."""
        self._put(each(made), bundle or made._repr_mimebundle_(), caption=caption)

    def compare(self, made: Sequence[Made]) -> None:
        """Show results side by side; several clips get a bar of controls."""
        player, clips = player_of(made), [one for one in made if isinstance(one, Video)]
        bar = None
        if len(clips) == len(made) > 1:
            infos = [probe(one.path) for one in clips]
            fps = infos[0].fps or 24.0
            longest = max(one.frames / (one.fps or fps) for one in infos)
            bar = {"group": player.group, "labels": list(player.labels), "fps": fps,
                   "frames": max(1, math.ceil(round(longest * fps, 3)))}  # fmt: skip
        self._put(tuple(made), player.bundle(), bar=bar)

    def show_drafts(self, drafts: Sequence[Draft]) -> None:
        """Play what exists in memory alone, silently and again and again; the cell's output keeps what it has."""
        items = [
            {"kind": one.kind, "name": "", "caption": one.caption, "prompt": one.prompt, "label": "", "poster": "",
             "preview": True, "size": one.size, "type": one.media_type}
            for one in drafts
        ]  # fmt: skip
        self._tell(items, tuple(one.data for one in drafts), loops=True, link=False)

    def piece(self, shown: object, item: object, at: object) -> dict[str, Any]:
        """Return some bytes of what is shown, from a place on, and how many there are in all.

        Raises
        ------
        InvalidRequest
            It is not shown any more, it has no such bytes, or its file has gone.
        """
        name, sources = self._shown
        is_known = shown == name and type(item) is int and type(at) is int
        if not is_known or not 0 <= item < len(sources) or at < 0:  # type: ignore[operator]
            raise InvalidRequest("that is not shown any more")
        source = sources[item]  # type: ignore[index]
        if isinstance(source, bytes):
            return {"total": len(source), "bytes": source[at : at + _PIECE]}  # type: ignore[operator]
        problem = ""
        try:
            with source.open("rb") as file:
                total = file.seek(0, os.SEEK_END)
                file.seek(at)  # type: ignore[arg-type]
                return {"total": total, "bytes": file.read(_PIECE)}
        except OSError as error:
            problem = error.strerror or type(error).__name__
        raise InvalidRequest(f"{source.name} can't be read: {problem}")

    def _put(
        self,
        made: tuple[Made, ...],
        bundle: Mapping[str, Any],
        *,
        bar: Mapping[str, Any] | None = None,
        caption: str = "",
    ) -> None:
        items = [_item(one, caption, many=len(made) > 1) for one in made]
        place = current_place()
        link = bool(self._display_ids) and all(deliver(spellings(one.path), place).link for one in made)
        self._tell(items, tuple(one.path for one in made), link=link, bar=bar)
        self.keep(bundle)

    def _tell(
        self,
        items: list[dict[str, Any]],
        sources: tuple[Path | bytes, ...],
        *,
        link: bool,
        loops: bool = False,
        bar: Mapping[str, Any] | None = None,
    ) -> None:
        name = f"shown-{next(_numbers)}"
        self._shown = name, sources
        self._show({"id": name, "items": items, "link": link, "loops": loops, "bar": bar})

    def _marked(self, bundle: Mapping[str, Any], shown: str) -> dict[str, Any]:
        """Return a bundle whose HTML the page finds, by the panel's name and by what it shows."""
        html = bundle.get("text/html", "")
        return {**bundle, "text/html": f'<div class="vidu-saved {self.name} {shown}">{html}</div>'}


def _item(one: Made, caption: str, *, many: bool) -> dict[str, Any]:
    is_video = isinstance(one, Video)
    size = (one.info.width, one.info.height) if isinstance(one, Video) else one.size
    kind = "video/mp4" if is_video else f"image/{one.path.suffix[1:].lower().replace('jpg', 'jpeg')}"
    prompt = str((one.request.by_role("prompt") if one.request else None) or "")
    return {
        "kind": "video" if is_video else "image", "name": shown_path(one.path), "caption": caption or one.caption,
        "prompt": prompt[:_PROMPT_SHOWN], "label": short_label(one) if many else "", "preview": one.is_preview,
        "poster": thumbnail_uri(one, side=_POSTER), "size": size, "type": kind,
    }  # fmt: skip
