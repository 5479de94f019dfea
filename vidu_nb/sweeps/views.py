"""Show a run of many requests, such as a sweep: in a notebook a bar and what landed, in a terminal a bar."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from html import escape
from typing import Any, Protocol

from ..console import dollars, running_shell
from ..storage.budget import Budget
from .formatting import format_seconds, plan_html
from .grid import Grid
from .plan import Plan
from .runner import Outcome, Runner

TICK = 0.25  # s between two updates
_GRID_TICK = 1.0  # s; a grid of posters is half a megabyte
_EMPTY = "<div></div>"
_TRACK = "height:6px;border-radius:3px;background:var(--jp-layout-color3,#e0e0e0);overflow:hidden;max-width:640px"
_MUTED = "color:var(--jp-ui-font-color2,#616161);font-size:12px"


class Page(Protocol):
    """What is shown of the requests of a run, as HTML in which every text is escaped."""

    what: str  # of what kind the run is, in a word
    unit: str  # what a request brings, in a word

    def __len__(self) -> int: ...

    def plan(self) -> object:
        """Return what shows itself as what will be asked for, with its price."""

    def plan_html(self) -> str:
        """Return the same as HTML."""

    def grid_html(self, results: Mapping[int, Outcome], in_flight: Collection[int]) -> str:
        """Return what landed."""

    def results(self, results: Mapping[int, Outcome], headline: str) -> list[object]:
        """Return what shows itself as what came of it in the end."""


class SweepPage:
    """What is shown of a sweep: its plan and its grid."""

    what = "sweep"

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._clips: dict[int, str] = {}
        self.unit = plan.unit

    def __len__(self) -> int:
        return len(self._plan)

    def plan(self) -> object:
        """The plan shows itself."""
        return self._plan

    def plan_html(self) -> str:
        """Return the plan's table."""
        return plan_html(self._plan)

    def grid_html(self, results: Mapping[int, Outcome], in_flight: Collection[int]) -> str:
        """Return the grid of what landed."""
        return Grid(self._plan, results, clips=self._clips).html(in_flight)

    def results(self, results: Mapping[int, Outcome], headline: str) -> list[object]:
        """Return the plan and its grid, which are the same whenever it is run: no price that is past, no times."""
        return [replace(self._plan, quote=None), Grid(self._plan, results, headline=headline, clips=self._clips)]


class RunView(Protocol):
    """Shows a run. All but `notify` are called by the thread that waits for it."""

    def ask(self) -> None:
        """Show the plan, which waits for confirmation."""

    def begin(self) -> None:
        """Show what is about to be asked for."""

    def update(self, runner: Runner) -> None:
        """Show how far it is."""

    def notify(self, text: str) -> object:
        """Show a line of text; any thread may."""

    def end(self, runner: Runner, headline: str) -> None:
        """Show what came of it."""


def choose_view(page: Page, budget: Budget | None) -> RunView:
    """Return the view for where this runs."""
    return TerminalView(page) if running_cell() is None else NotebookView(page, budget)


def running_cell() -> int | None:
    """Return the number of the notebook's cell that runs, None where this is no notebook."""
    shell = running_shell()
    return shell.execution_count if getattr(shell, "kernel", None) else None


class TerminalView:
    """A bar on standard error, where that is a terminal."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._bar: Any = None

    def ask(self) -> None:
        """Show nothing: the error names the price."""

    def begin(self) -> None:
        """Show an empty bar."""
        from tqdm import tqdm

        page = self._page
        self._bar = tqdm(total=len(page), desc=page.what, unit=page.unit, file=sys.stderr, disable=None, leave=False)

    def update(self, runner: Runner) -> None:
        """Fill the bar."""
        progress, bar = runner.progress, self._bar
        figures = [dollars(progress.spent_usd)] if progress.spent_usd else []
        figures += [f"{progress.failed} failed"] if progress.failed else []
        bar.set_postfix_str(", ".join(figures), refresh=False)
        bar.update(progress.done - bar.n)

    def notify(self, text: str) -> None:
        """Print above the bar."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)

    def end(self, runner: Runner, headline: str) -> None:  # noqa: ARG002
        """Take the bar away."""
        self.update(runner)
        self._bar.close()


class NotebookView:
    """The plan, a line with the progress, and what landed, in a cell's ordinary output.

    Ordinary, since links to clips play nowhere else, and so that a saved notebook shows them without a kernel. What is
    updated meanwhile ends as empty as it began: tools that compare outputs see no updates.
    """

    def __init__(self, page: Page, budget: Budget | None) -> None:
        self._page = page
        self._budget = budget
        self._ids = {name: f"vidu-{name}-{os.urandom(8).hex()}" for name in ("plan", "line", "grid")}
        self._note = ""
        self._shown: object = None
        self._drawn = 0.0

    def ask(self) -> None:
        """Show the plan with its price."""
        from IPython.display import display

        display(self._page.plan())

    def begin(self) -> None:
        """Open a place for each, and show the plan."""
        from IPython.display import display

        for name in self._ids.values():
            display(_html(_EMPTY), raw=True, display_id=name)
        self._put("plan", self._page.plan_html())

    def update(self, runner: Runner) -> None:
        """Show the line, and the grid where something has changed."""
        self._put("line", _line(self._page.what, runner, self._budget, self._note))
        in_flight, now = runner.in_flight, time.monotonic()
        state = (len(runner.results), in_flight)
        if state != self._shown and now >= self._drawn + _GRID_TICK:
            self._shown, self._drawn = state, now
            self._put("grid", self._page.grid_html(runner.results, in_flight))

    def notify(self, text: str) -> None:
        """Show it below the line."""
        self._note = text

    def end(self, runner: Runner, headline: str) -> None:
        """Leave the result in their place."""
        from IPython.display import display

        for name in self._ids:
            self._put(name, _EMPTY)
        for result in self._page.results(runner.results, headline):
            display(result)

    def _put(self, name: str, html: str) -> None:
        from IPython.display import update_display

        update_display(_html(html), raw=True, display_id=self._ids[name])


def _html(html: str) -> dict[str, str]:
    return {"text/plain": "", "text/html": html}


def _line(what: str, runner: Runner, budget: Budget | None, note: str) -> str:
    progress, many = runner.progress, len(runner.requests)
    bar = (
        f'<div style="height:100%;width:{100 * progress.done / many:.1f}%;'
        'background:var(--jp-brand-color1,#1976d2)"></div>'
    )
    return (
        f'<div role="progressbar" aria-valuemin="0" aria-valuemax="{many}" aria-valuenow="{progress.done}" '
        f'aria-label="{what}" style="{_TRACK}">{bar}</div>'
        f'<div style="{_MUTED}">{escape(" · ".join(_figures(runner, budget)))}'
        f"{f'<br>{escape(note)}' if note else ''}</div>"
    )


def _figures(runner: Runner, budget: Budget | None) -> Iterator[str]:
    """Counts, money and time, as far as there is something to tell."""
    progress, many = runner.progress, len(runner.requests)
    elapsed, made = time.monotonic() - runner.started, progress.done - progress.replayed
    yield f"{progress.done:,} of {many:,}"
    yield f"{len(runner.in_flight)} being made"
    if progress.failed:
        yield f"{progress.failed:,} failed"
    if not runner.is_free:
        yield f"{dollars(progress.spent_usd)} spent"
        if budget:
            yield f"{dollars(budget.left)} left of the budget"
    yield f"{format_seconds(elapsed)} so far"
    if progress.reason:
        yield f"stopping: {progress.reason}"
    elif made and progress.done < many:
        yield f"about {format_seconds(elapsed / made * (many - progress.done))} to go"
