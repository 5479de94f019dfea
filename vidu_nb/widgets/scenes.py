"""A film's scenes as rows to write in: what the page shows, and what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..errors import ViduError
from .members import MENTIONS_CSS, MENTIONS_JS

_FOLDER = Path(__file__).parent


class SceneRows(anywidget.AnyWidget):
    """Shows scenes, and hands on what a person does with them.

    Parameters
    ----------
    act
        Gets what was asked for, an item's id, and the message; nothing in these is trusted. A `ViduError` is shown.

    Attributes
    ----------
    scenes : list of dict
        What the page shows of each.
    members : list of dict
        Whom prompts may mention; see `member_items`.
    busy : bool
        Whether nothing that takes a call can be begun.
    """

    # Two files to read, one module for the browser: outputs have no address from which one could import the other.
    _esm = f"{MENTIONS_JS}\n{(_FOLDER / 'scenes.js').read_text('utf-8')}"
    _css = f"{MENTIONS_CSS}\n{(_FOLDER / 'scenes.css').read_text('utf-8')}"

    scenes = traitlets.List(traitlets.Dict()).tag(sync=True)
    members = traitlets.List(traitlets.Dict()).tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)

    def __init__(self, act: Callable[[str, str, Mapping[str, Any]], object]) -> None:
        super().__init__()
        self._act = act
        self.on_msg(self._receive)

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        content = content if isinstance(content, Mapping) else {}
        token, message = content.get("token"), "that was not done: an error in Python"
        try:
            self._act(str(content.get("do")), str(content.get("id")), content)
            message = ""
        except ViduError as error:
            message = str(error)
        finally:
            if isinstance(token, str):
                self.send({"token": token, "message": message})
