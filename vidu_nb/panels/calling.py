"""What panels have in common: one call at a time in the background, which tells how far it is."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Protocol

import traitlets

from ..errors import ViduError
from ..notebook import runs_in_marimo
from .actions import Progress
from .background import BackgroundCall


class Work(Protocol):
    """What a panel does in the background."""

    expected_s: float

    def work(self) -> Any:
        """Do it."""

    def tick(self, elapsed_s: float) -> Progress:
        """Return how far it is."""

    def cancel(self) -> None:
        """End it."""


class Calling(traitlets.HasTraits):
    """What makes one call at a time, and shows how far it is; its kinds say what is asked for, and what is shown."""

    state = traitlets.Unicode("ready")
    stage = traitlets.Unicode()
    progress = traitlets.Float()
    message = traitlets.Unicode()
    error = traitlets.Any(None, allow_none=True)

    # What the page shows.
    _running_call = traitlets.Bool().tag(sync=True)  # whether Cancel does something
    _progress_item = traitlets.Dict().tag(sync=True)  # empty while nothing runs
    _said = traitlets.Dict().tag(sync=True)  # the last sentence, and whether it tells of a problem

    # marimo runs the cells that read a wrapped panel again when a page writes a trait: pages write back what they hear.
    _changes = traitlets.Int().tag(sync=True)
    _heard = traitlets.Int().tag(sync=True)

    def __init__(self, **options: Any) -> None:
        self._is_in_marimo = runs_in_marimo()  # the threads of calls don't know
        super().__init__(**options)
        self._guard = threading.Lock()
        self._call: BackgroundCall | None = None
        self._running: Work | None = None

    @traitlets.observe("video", "film", "state")
    def _count_changes(self, _change: object) -> None:
        self._changes += self._is_in_marimo

    def cancel(self) -> None:
        """End the call in flight, at once; one that was sent may still be billed."""
        self._running_call = False
        if self._running:
            self._running.cancel()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until no call is in flight, also one that a button began; True when none is. Ctrl-C gets through."""
        return self._call is None or self._call.wait(seconds)

    def _wait_for(self, call: BackgroundCall) -> Any:
        try:
            call.wait()
        except BaseException:  # an interrupt
            self.cancel()
            raise
        return call.result()

    _is_busy = property(lambda self: self._call is not None and not self._call.has_ended)

    def _clicked(self, begin: Callable[[], object]) -> None:
        """Begin what a button stands for, unless a call is running; errors are shown.

        Raises
        ------
        ViduError
            A cancelled call has not ended yet, while the page offers the next one.
        """
        if self._is_busy and not self._running_call:
            raise ViduError("the call before is ending: press again in a moment")
        if self._is_busy:
            return
        try:
            begin()
        except ViduError as error:
            self._say(str(error), problem=True)

    def _launch(self, running: Work, done: Callable[[BackgroundCall], object]) -> BackgroundCall:
        """Begin a call in the background.

        Raises
        ------
        ViduError
            Another one is running.
        """
        with self._guard:
            if self._is_busy:
                raise ViduError("a call of this panel is running", remedy="Wait for it, or cancel it.")
            self._running = running
            call = self._call = BackgroundCall(
                running.work, tick=lambda elapsed_s: self._show_progress(running.tick(elapsed_s)), done=done
            )
        try:
            self._running_call = True
            self._begun()
            self.error, self.state = None, "running"
            self._show_progress(Progress("Starting", 0.0, running.expected_s))
            call.start()
        except BaseException:  # an observer's mistake, or an interrupt: this call ends, and the next one runs
            running.cancel()
            if not call.has_begun:  # else it reports by itself how it ended
                self._call = None
                with contextlib.suppress(Exception):  # the same observer's mistake
                    self._finish("failed", "The call was not begun.", problem=True)
            raise
        return call

    def _begun(self) -> None:
        """Do what belongs to the beginning of a call."""

    def _over(self) -> None:
        """Do what belongs to its end, before anybody hears of it."""

    def _show_progress(self, progress: Progress) -> None:
        self._progress_item = progress.item()
        self.stage, self.progress = progress.stage, progress.share

    def _say(self, message: str, *, problem: bool = False) -> None:
        """Show a sentence below the buttons."""
        self._said = {"text": message, "problem": problem}
        self.message = message

    def _finish(self, state: str, message: str, *, problem: bool, error: BaseException | None = None) -> None:
        """Say what came of a call; the state changes last."""
        self._said = {"text": message, "problem": problem}  # before the page turns to it
        self._running_call, self._progress_item = False, {}
        self._over()
        try:
            self.error, self.stage, self.progress, self.message = error, "", 0.0, message
        finally:  # whatever an observer makes of the rest
            self.state = state
