"""A film's scenes as rows to write in: what the page shows, and what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from .front import FrontEnd


class SceneRows(FrontEnd):
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

    files = ("dom", "mentions", "scenes", "scenes_alone")

    scenes = traitlets.List(traitlets.Dict()).tag(sync=True)
    members = traitlets.List(traitlets.Dict()).tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)

    def __init__(self, act: Callable[[str, str, Mapping[str, Any]], object]) -> None:
        super().__init__()
        self._act = act

    def _answer(self, do: str, content: Mapping[str, Any], _buffers: object) -> None:
        self._act(do, str(content.get("id")), content)
