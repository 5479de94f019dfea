"""A film's call in flight: what makes it, how far it is, and how it is cancelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..console import dollars
from ..errors import OutcomeUnknown
from ..films.film import Film
from ..sweeps.runner import Outcome, Runner
from ..sweeps.views import RunView
from ..video import Video
from .actions import Progress


@dataclass(frozen=True, slots=True)
class Filmed:
    """What came of it: the film, the joined clip where it is whole, and why that could not be made; or one scene's."""

    film: Film
    video: Video | None
    problem: str = ""
    scene: int = 0  # the number of the only one that was wanted, counted from 1

    @property
    def message(self) -> str:
        """What is there now, as a sentence."""
        if self.problem:
            return self.problem
        film = self.film
        spent = f", {dollars(film.spent_usd)} spent" if film.spent_usd else ""
        if self.video is not None:
            what = f"scene {self.scene}" if self.scene else f"{len(film)} scene{'s' if len(film) != 1 else ''}"
            return f"Here it is: {what}, {self.video.info.duration:.0f} s{spent}"
        unknown = sum(isinstance(one, OutcomeUnknown) for one in film.failed.values())
        failed = len(film.failed) - unknown
        told = [f"{failed} failed"] if failed else []
        told += [f"{unknown} may be billed: vidu.Client().pending() lists them"] if unknown else []
        told += [f"stopped: {film.stopped}"] if film.stopped else []
        return f"The film is not whole yet{spent}; {'; '.join(told) or 'scenes are missing'}. What landed is kept."


@dataclass(eq=False)
class Filming:
    """One run over a film's scenes; the run shows itself here, in place of a cell's output.

    Parameters
    ----------
    make
        Makes it, and gets this view.
    landed
        Gets what each scene brought that has landed, each time one did or was begun.
    stage : str
        What it is doing.
    expected_s : float
        Seconds that it is expected to take.
    is_paid : bool
        Whether calls in flight may be billed.

    Attributes
    ----------
    runner : Runner or None
        What makes the scenes, once it was begun.
    """

    make: Callable[[RunView], Filmed]
    landed: Callable[[Sequence[Outcome]], object]
    stage: str
    expected_s: float
    is_paid: bool = False
    runner: Runner | None = field(default=None, init=False)
    _cancels: int = field(default=0, init=False)
    _note: str = field(default="", init=False)
    _seen: int = field(default=0, init=False)
    _flying: frozenset[int] = field(default=frozenset(), init=False)

    def work(self) -> Any:
        """Make it."""
        return self.make(self)

    def tick(self, elapsed_s: float) -> Progress:
        """Return how far it is after so many seconds."""
        self._wind_up()  # again: the first may have come a moment too early
        runner = self.runner
        if runner is None:
            return Progress(self.stage, elapsed_s, self.expected_s)
        done, many = runner.progress.done, len(runner.requests)
        words = [self.stage, f"{done} of {many} scenes", *([self._note] if self._note else [])]
        return Progress(" · ".join(words), elapsed_s, self.expected_s, min(done / many, 0.99))

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody wants it to end."""
        return self._cancels > 0

    @property
    def can_leave(self) -> bool:
        """Whether cancelling again would leave paid calls to the journal that are waited for now."""
        return self._cancels == 1 and self.is_paid

    def cancel(self) -> None:
        """Ask for no more; what is free ends at once, and the second time also what is paid for: the journal has it."""
        self._cancels += 1
        self._wind_up()

    def _wind_up(self) -> None:
        runner = self.runner
        if runner is None or not self.is_cancelled:
            return
        runner.stop("cancelled")
        if runner.is_free or self._cancels > 1:
            runner.cancel()
        elif many := len(runner.in_flight):
            self._note = f"{many} paid calls are in flight and are waited for; cancel again to leave them"

    # What the run calls; see `RunView`.

    def ask(self) -> None:
        """Show nothing: the button named the price, and an error does from code."""

    def begin(self) -> None:
        """Show nothing: the panel shows the scenes already."""

    def update(self, runner: Runner) -> None:
        """Show what has landed."""
        self.runner = runner
        self._wind_up()
        results, flying = list(runner.results.values()), runner.in_flight
        if (len(results), flying) != (self._seen, self._flying):
            new, self._seen, self._flying = results[self._seen :], len(results), flying
            self.landed(new)

    def notify(self, text: str) -> None:
        """Show a line beside the stage."""
        self._note = text.rstrip(".")

    def end(self, runner: Runner, headline: str) -> None:  # noqa: ARG002
        """Go on to what comes after the scenes."""
        self.update(runner)
        self._note = ""
