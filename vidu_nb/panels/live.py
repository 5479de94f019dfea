"""Drafts that follow the controls: each change is seen a moment later, small and quickly made."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import ipywidgets as widgets

from ..client.client import Client
from ..request import VideoRequest
from ..storage.archive import Archive, Entry
from .background import in_background
from .form import Form
from .result import Screen

PATIENCE = 0.4  # s without a change before a draft is begun
_LOOK = 0.05  # s
_KEPT = 12  # drafts that stay; they come and go


class Live:
    """A switch, and the drafts while it is on.

    Parameters
    ----------
    archive
        Where a panel's clips are kept; its drafts lie in a folder of their own in there, the last dozen clips of them.
    form
        The controls.
    screen
        Where drafts are seen.
    say
        Gets a sentence where none can be made.
    """

    def __init__(self, archive: Archive, form: Form, screen: Screen, say: Callable[[str], object]) -> None:
        self._archive = Archive(archive.folder / "drafts")
        self._form, self._screen, self._say = form, screen, say
        self._lock = threading.Lock()
        self._wanted: VideoRequest | None = None
        self._seen: VideoRequest | None = None  # what was asked for last
        self._changed_at = 0.0
        self._is_working = False
        self._caller: Client | None = None
        self.box = widgets.Checkbox(
            description="Live draft: a quick, small preview follows your changes (free)", indent=False
        )
        self.box.add_class("vidu-live")
        self.box.observe(self._switched, "value")

    def follow(self) -> None:
        """The controls may say something else now."""
        request = self._form.request
        if not self.box.value or request is None:
            return
        with self._lock:
            if request == self._seen:
                return
            self._seen = self._wanted = request
            self._changed_at = time.monotonic()
            starts, self._is_working = not self._is_working, True
            caller = self._caller
        if caller:
            caller.cancel()  # its draft would be of yesterday
        if starts:
            in_background(self._work)

    def rest(self) -> None:
        """Something better is being made of what the controls say: no draft of it, and none in between."""
        with self._lock:
            self._seen, self._wanted, caller = self._form.request, None, self._caller
        if caller:
            caller.cancel()

    def _switched(self, _: object) -> None:
        if self.box.value:
            self._seen = None
            self.follow()
        else:
            self.rest()

    def _work(self) -> None:
        """Make drafts until nothing new is wanted; one thread at a time does this."""
        while request := self._next():
            try:
                client = Client.preview(quality="draft", archive=self._archive, notify=len)
                with self._lock:
                    self._caller = client
                video = client.generate(request)
                if self._is_still_wanted(request):
                    self._screen.show([video], loops=True)
                self._forget_old()
            except Exception as error:  # whatever one draft meets, the next change gets another
                if self._is_still_wanted(request):
                    self._say(f"No draft: {error}")

    def _next(self) -> VideoRequest | None:
        while time.monotonic() - self._changed_at < PATIENCE:
            time.sleep(_LOOK)
        with self._lock:
            request, self._wanted, self._caller = self._wanted, None, None
            self._is_working = request is not None
            return request

    def _is_still_wanted(self, request: VideoRequest) -> bool:
        with self._lock:
            return self._wanted is None and self._seen is request and self.box.value

    def _forget_old(self) -> None:
        newest = [entry for entry in self._archive.entries(newest=_KEPT + 8) if isinstance(entry, Entry)]
        for entry in newest[_KEPT:]:
            entry.clip.unlink(missing_ok=True)
            entry.path.unlink(missing_ok=True)
