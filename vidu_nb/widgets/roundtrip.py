"""Ask the page whether everything that was typed before a click has arrived."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
from comm import DummyComm

_PATIENCE = 5.0  # s; a page answers within its round trip


class Roundtrip(anywidget.AnyWidget):
    """Calls back when the page's earlier changes have arrived.

    ipywidgets holds a control's changes back while the kernel is busy with an earlier one, but never a click: a click
    may overtake the text that was typed before it. The page gets our question after the kernel's message that it has
    done with the earlier change, which is what makes ipywidgets send the changes held back; so its answer comes after
    them.
    """

    _esm = Path(__file__).with_name("roundtrip.js")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._number = 0
        self._waiting: dict[int, Callable[[bool], object]] = {}
        self.on_msg(self._answered)

    def ask(self, then: Callable[[bool], object]) -> None:
        """Call `then` with True once everything has arrived, with False when no page answers.

        Where there is no kernel, and so nothing on its way, at once.
        """
        if isinstance(self.comm, DummyComm):
            then(True)
            return
        self._number += 1
        self._waiting[self._number] = then
        timer = threading.Timer(_PATIENCE, self._settle, [self._number, False])
        timer.daemon = True
        timer.start()
        self.send({"ask": self._number})

    def _answered(self, _widget: object, content: Any, _buffers: object) -> None:
        self._settle(content.get("answer") if isinstance(content, dict) else None, True)

    def _settle(self, number: Any, has_arrived: bool) -> None:
        then = self._waiting.pop(number, None) if isinstance(number, int) else None
        if then:
            then(has_arrived)
