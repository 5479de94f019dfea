"""`LivePlayer`: players whose clips and pictures the kernel sends, for a front end that no link leads out of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import traitlets

from ..errors import InvalidRequest
from ..notebook import runs_in_marimo
from .front import Answer, FrontEnd
from .pieces import SentFile, Way


class LivePlayer(FrontEnd):
    """Shows HTML with posters, and fetches each file when it comes into view.

    Parameters
    ----------
    html
        Every text in it is escaped. Whatever has ``data-vidu-file`` gets the bytes of the file of that name.
    sources
        The files by these names; a page gets no others.
    bar
        What a `Synchroniser` for the players would hold; empty for none.
    """

    files = ("dom", "pieces", "timeline", "synchroniser", "live_player")

    _html = traitlets.Unicode().tag(sync=True)
    _bar = traitlets.Dict().tag(sync=True)

    def __init__(self, html: str, sources: Mapping[str, Path], bar: Mapping[str, Any]) -> None:
        self._sources = {name: SentFile(path) for name, path in sources.items()}
        super().__init__(_html=html, _bar=dict(bar))

    def _answer(self, do: str, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> Answer:  # noqa: ARG002
        source = self._sources.get(str(content.get("file")))
        if do != "piece" or source is None:
            raise InvalidRequest("that is not shown here")
        return source.piece(content.get("at"))


def shown_in_marimo(
    html: Callable[[Way], str], sources: Mapping[str, Path], bar: Mapping[str, Any] | None = None
) -> Any:
    """Return what marimo shows of players: a widget, or HTML alone where no kernel would answer it, as in a script."""
    if runs_in_marimo():
        return LivePlayer(html("fetch"), sources, bar or {})
    return sys.modules["marimo"].Html(html("link"))
