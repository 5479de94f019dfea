"""What panels have in common: one call at a time in the background, which tells how far it is."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Protocol

import ipywidgets as widgets
import traitlets

from ..errors import ViduError
from ..widgets.roundtrip import Roundtrip
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


class Actions(Protocol):
    """The buttons of a panel, and the line that says how far a call is."""

    def show_progress(self, progress: Progress) -> None:
        """Show how far a call is."""

    def say(self, message: str, *, problem: bool = False) -> None:
        """Show a message; plain text."""

    def ended(self, message: str, *, problem: bool = False) -> None:
        """Show the result of a call; plain text."""


class CallingPanel(widgets.VBox):
    """A widget that makes one call at a time; its kinds say what is asked for, and what is shown of what comes."""

    state = traitlets.Unicode("ready")
    stage = traitlets.Unicode()
    progress = traitlets.Float()
    message = traitlets.Unicode()
    error = traitlets.Any(None, allow_none=True)

    _actions: Actions

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._call: BackgroundCall | None = None
        self._running: Work | None = None
        self._is_asking = False  # a click waits for what was typed before it
        self._roundtrip = Roundtrip()

    def cancel(self) -> None:
        """End the call in flight, at once; one that was sent may still be billed."""
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

    def _after_typing(self, begin: Callable[[], object]) -> None:
        """Begin what a button stands for, once what was typed before the click is here; errors are shown."""
        if self._is_busy or self._is_asking:
            return
        self._is_asking = True

        def then(has_arrived: bool) -> None:
            self._is_asking = False
            if not has_arrived:
                self._say("Nothing was done, since the page did not answer: press again.", problem=True)
                return
            try:
                begin()
            except ViduError as error:
                self._say(str(error), problem=True)

        self._roundtrip.ask(then)

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

    def _show_progress(self, progress: Progress) -> None:
        self._actions.show_progress(progress)
        self.stage, self.progress = progress.stage, progress.share

    def _say(self, message: str, *, problem: bool = False) -> None:
        """Show a sentence below the buttons."""
        self._actions.say(message, problem=problem)
        self.message = message

    def _finish(self, state: str, message: str, *, problem: bool, error: BaseException | None = None) -> None:
        """Say what came of a call; the state changes last."""
        self._actions.ended(message, problem=problem)
        try:
            self.error, self.stage, self.progress, self.message = error, "", 0.0, message
        finally:  # whatever an observer makes of the rest
            self.state = state
