"""A run as it is watched: in a notebook a bar and a grid, in a terminal a bar."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from html import escape
from typing import Any, Protocol

from ..console import running_shell
from .formatting import money, plan_html, span
from .grid import Grid
from .plan import Plan
from .runner import Run

TICK = 0.25  # s between two looks at a run
_GRID_TICK = 1.0  # s; a grid of posters is half a megabyte
_EMPTY = "<div></div>"
_TRACK = "height:6px;border-radius:3px;background:var(--jp-layout-color3,#e0e0e0);overflow:hidden;max-width:640px"
_MUTED = "color:var(--jp-ui-font-color2,#616161);font-size:12px"


class View(Protocol):
    """Shows a run. All but `say` are called by the thread that waits for the run."""

    def ask(self, plan: Plan) -> None:
        """Show what waits for a word."""

    def begin(self, plan: Plan) -> None:
        """Show what is about to be asked for."""

    def update(self, run: Run) -> None:
        """Show how far it is."""

    def say(self, text: str) -> object:
        """Tell a line; any thread may."""

    def end(self, run: Run, headline: str) -> None:
        """Show what it came to."""


def best_view() -> View:
    """The view for where this runs."""
    return TerminalView() if running_cell() is None else NotebookView()


def running_cell() -> int | None:
    """The number of the notebook's cell that runs, None where this is no notebook."""
    shell = running_shell()
    return shell.execution_count if getattr(shell, "kernel", None) else None


class TerminalView:
    """A bar on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None

    def ask(self, plan: Plan) -> None:
        """Say nothing: the error does."""

    def begin(self, plan: Plan) -> None:
        """Show an empty bar."""
        from tqdm import tqdm

        self._bar = tqdm(total=len(plan), desc="sweep", unit="clip", file=sys.stderr, disable=None, leave=False)

    def update(self, run: Run) -> None:
        """Fill the bar."""
        tally, bar = run.tally, self._bar
        told = [money(tally.spent_usd)] if tally.spent_usd else []
        told += [f"{tally.failed} failed"] if tally.failed else []
        bar.set_postfix_str(", ".join(told), refresh=False)
        bar.update(tally.landed + tally.failed - bar.n)

    def say(self, text: str) -> None:
        """Print above the bar."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)

    def end(self, run: Run, headline: str) -> None:  # noqa: ARG002
        """Take the bar away."""
        self.update(run)
        self._bar.close()


class NotebookView:
    """The plan, a line that tells how far it is, and the grid, in a cell's ordinary output.

    Ordinary, since links to clips play nowhere else, and so that a saved notebook shows them without a kernel. What is
    updated meanwhile ends as empty as it began: tools that compare outputs see no updates.
    """

    def __init__(self) -> None:
        self._ids = {name: f"vidu-{name}-{os.urandom(8).hex()}" for name in ("plan", "line", "grid")}
        self._note = ""
        self._clips: dict[int, str] = {}
        self._shown: object = None
        self._drawn = 0.0

    def ask(self, plan: Plan) -> None:
        """Show the plan with its price."""
        from IPython.display import display

        display(plan)

    def begin(self, plan: Plan) -> None:
        """Open a place for each, and show the plan."""
        from IPython.display import display

        for name in self._ids.values():
            display(_html(_EMPTY), raw=True, display_id=name)
        self._put("plan", plan_html(plan))

    def update(self, run: Run) -> None:
        """Show the line, and the grid where something has changed."""
        self._put("line", _line(run, self._note))
        flying, now = run.flying, time.monotonic()
        state = (len(run.results), flying)
        if state != self._shown and now >= self._drawn + _GRID_TICK:
            self._shown, self._drawn = state, now
            self._put("grid", Grid(run.plan, run.results, clips=self._clips).html(flying))

    def say(self, text: str) -> None:
        """Tell it beside the line."""
        self._note = text

    def end(self, run: Run, headline: str) -> None:
        """Leave what it came to, which is the same whenever it is run: no price that is past, no times."""
        from IPython.display import display

        for name in self._ids:
            self._put(name, _EMPTY)
        display(replace(run.plan, quote=None))
        display(Grid(run.plan, run.results, headline=headline, clips=self._clips))

    def _put(self, name: str, html: str) -> None:
        from IPython.display import update_display

        update_display(_html(html), raw=True, display_id=self._ids[name])


def _html(html: str) -> dict[str, str]:
    return {"text/plain": "", "text/html": html}


def _line(run: Run, note: str) -> str:
    tally, many = run.tally, len(run.plan)
    done = tally.landed + tally.failed
    elapsed = time.monotonic() - run.started
    made = done - tally.replayed
    parts = [f"{done:,} of {many:,}", f"{len(run.flying)} being made"]
    parts += [f"{tally.failed:,} failed"] if tally.failed else []
    if tally.price_usd:
        parts.append(f"{money(tally.spent_usd)} spent")
        parts += [f"{money(run.budget.left)} left of the budget"] if run.budget else []
    parts.append(f"{span(elapsed)} so far")
    parts += (
        [f"about {span(elapsed / made * (many - done))} to go"] if made and done < many and not tally.reason else []
    )
    parts += [f"stopping: {tally.reason}"] if tally.reason else []
    bar = f'<div style="height:100%;width:{100 * done / many:.1f}%;background:var(--jp-brand-color1,#1976d2)"></div>'
    return (
        f'<div role="progressbar" aria-valuemin="0" aria-valuemax="{many}" aria-valuenow="{done}" aria-label="sweep" '
        f'style="{_TRACK}">{bar}</div><div style="{_MUTED}">{escape(" · ".join(parts))}'
        f"{f'<br>{escape(note)}' if note else ''}</div>"
    )
