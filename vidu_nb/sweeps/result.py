"""The result of a sweep: its clips, pictures and errors, by place or by parameters, as a table and side by side."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from ..comparison import show
from ..console import dollars, printable
from ..errors import InvalidRequest, NotKept, ViduError
from ..files import shown_path
from ..player import Player
from ..storage.budget import Budget
from ..video import Video
from .formatting import format_value
from .grid import Grid
from .plan import Plan
from .runner import Made, Outcome, Runner, made_by
from .views import running_cell

MAX_COMPARED = 9  # clips that one synchronised player takes


class Sweep:
    """The clips, or pictures, and errors of a plan; shows itself as a grid.

    Attributes
    ----------
    plan : Plan
        What was asked for.
    budget : Budget or None
        What the calls may cost together, over all runs that share it.

    >>> import vidu_nb as vidu
    >>> from PIL import Image
    >>> wall = Image.new("RGB", (256, 256), "navy")
    >>> made = vidu.sweep("A wall.", wall, seed=[1, 2], aspect_ratio="1:1", quality="draft")
    >>> made.headline, made.stopped, made.spent_usd
    ('2 of 2 clips', '', 0.0)
    >>> len(made.videos), made.pictures, made.failed, made.results[1] == made.at(seed=2)
    (2, [], [], True)
    >>> made.rows("seed", "state")  # made.table() is a DataFrame, where pandas is installed
    seed  state
    1     landed
    2     landed
    >>> len(made.table()), list(made.facts())
    (2, ['plan', 'spent_usd', 'stopped', 'results'])
    >>> made.show()  # as the sweep shows itself; made.compare() plays the clips in step
    2 of 2 clips
      [0] seed 1: Video(...)
      [1] seed 2: Video(...)
    >>> made.compare()
    seed 1: Video(...)
    seed 2: Video(...)
    """

    def __init__(self, plan: Plan, runner: Runner, budget: Budget | None = None) -> None:
        self.plan = plan
        self.budget = budget
        self._runner = runner
        self._cell = running_cell()

    @property
    def results(self) -> list[Any]:
        """For each request of the plan what it brought, its error, or None where it was not asked for."""
        found = self._runner.results
        return [found.get(index) for index in range(len(self.plan))]

    @property
    def videos(self) -> list[Video]:
        """The clips that landed, in the plan's order."""
        return [one for _, one in sorted(self._runner.results.items()) if isinstance(one, Video)]

    @property
    def pictures(self) -> list[Any]:
        """The pictures that landed, in the plan's order, of a model that returns pictures."""
        outcomes = [one for _, one in sorted(self._runner.results.items())]
        return [one for outcome in outcomes for one in made_by(outcome) if not isinstance(one, Video)]

    @property
    def failed(self) -> list[ViduError]:
        """The errors, in the plan's order."""
        return [one for _, one in sorted(self._runner.results.items()) if isinstance(one, ViduError)]

    @property
    def spent_usd(self) -> float:
        """US dollars that this run spent; calls of unknown outcome count in full."""
        return round(self._runner.progress.spent_usd, 9)

    @property
    def stopped(self) -> str:
        """Why the rest was not asked for; empty where all was."""
        return self._runner.progress.reason

    def at(self, **parameters: Any) -> Any:
        """Return the clip or the picture with these parameters, one value for each swept one; of pictures, the number.

        Raises
        ------
        InvalidRequest
            A swept parameter is not named, or the plan has no such value.
        ViduError
            The request failed, or was not asked for.
        """
        return self[self.plan.position(**parameters)]

    def table(self, *columns: str) -> Any:
        """Return a row for each request: swept parameters, seed, state, file, cost, seconds, error.

        Parameters
        ----------
        *columns
            Only these, in this order; by default all.

        Returns
        -------
        pandas.DataFrame or list of dict
            A list, which shows itself as columns of text, where pandas is not installed.

        Raises
        ------
        InvalidRequest
            No such column.
        """
        try:
            pandas: Any = import_module("pandas")
        except ImportError:
            return self.rows(*columns)
        return pandas.DataFrame(self.rows(*columns))

    def rows(self, *columns: str) -> Rows:
        """Return the rows of `table` as a list of dicts, whether pandas is installed or not."""
        rows = [self._row(index, outcome) for index, outcome in enumerate(self.results)]
        if strange := next((name for name in columns if name not in rows[0]), None):
            raise InvalidRequest(f"columns: {strange!r} is none of {', '.join(rows[0])}", field="columns")
        return Rows({name: row[name] for name in columns or row} for row in rows)

    def facts(self) -> dict[str, Any]:
        """Return plan, money and results as JSON-ready values."""
        return {
            "plan": self.plan.facts(),
            "spent_usd": self.spent_usd,
            "stopped": self.stopped,
            "results": list(self.rows()),
        }

    def show(self) -> Grid:
        """Return the clips in a labelled grid."""
        return Grid(self.plan, self._runner.results, headline=self.headline)

    def compare(self) -> Player:
        """Return all clips, nine at most, in one player that plays them in step.

        Raises
        ------
        InvalidRequest
            No clip landed, or more than nine did.
        """
        if self.plan.model.returns != "video":
            raise InvalidRequest("compare: it plays clips in step; show() has pictures side by side", field="videos")
        found = [(index, one) for index, one in sorted(self._runner.results.items()) if isinstance(one, Video)]
        if len(found) > MAX_COMPARED:
            problem = f"compare: {len(found)} clips, and {MAX_COMPARED} fit: choose, as in vidu.show(sweep.videos[:4])"
            raise InvalidRequest(problem, field="videos")
        return show([one for _, one in found], labels=[self.plan.label(index) for index, _ in found])

    def _row(self, index: int, outcome: Outcome | None) -> dict[str, Any]:
        values, fields = self.plan.values(index), self.plan.fields
        seed = self.plan.model.by_role("seed")
        shown = {
            name: format_value(fields[name], values[name]) if fields[name].is_media else values[name]
            for name in [*self.plan.axes, *([seed.parameter] if seed else [])]
        }
        row = {**shown, "state": "not asked", "file": "", "cost_usd": None, "elapsed_s": None}
        made = made_by(outcome)
        if made and (receipt := made[0].receipt):
            row |= {
                **({seed.parameter: _seed_of(made[0])} if seed else {}),
                "state": "replayed" if receipt.replayed else "landed",
                "file": ", ".join(shown_path(one.path) for one in made),
                "cost_usd": receipt.cost_usd,
                "elapsed_s": (receipt.original or receipt).elapsed_s,
            }
        if isinstance(outcome, ViduError):
            row["state"] = "failed"
        if outcome is None and index in self._runner.in_flight:
            row["state"] = "in flight"
        return row | {"error": str(outcome) if isinstance(outcome, ViduError) else ""}

    @property
    def headline(self) -> str:
        """Counts, money and why it stopped, in one line."""
        progress, in_flight = self._runner.progress, len(self._runner.in_flight)
        rest = len(self.plan) - progress.done - in_flight
        parts = [f"{progress.landed:,} of {len(self.plan):,} {self.plan.unit}s"]
        parts += [f"{progress.failed:,} failed"] if progress.failed else []
        parts += [f"{in_flight:,} in flight"] if in_flight else []
        parts += [f"{rest:,} not asked for"] if rest else []
        parts += [] if self._runner.is_free else [f"{dollars(progress.spent_usd)} spent"]
        return " · ".join(parts) + (f". Stopped: {progress.reason}" if progress.reason else "")

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> Any:
        index = range(len(self.plan))[index]
        outcome = self._runner.results.get(index)
        if made_by(outcome):
            return outcome
        raise (
            outcome
            if isinstance(outcome, ViduError)
            else NotKept(f"{self.plan.label(index)} was not asked for", remedy="Run the same sweep again.")
        )

    def __iter__(self) -> Iterator[Any]:
        return (one for _, one in sorted(self._runner.results.items()) if made_by(one))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        if self._cell is not None and self._cell == running_cell():
            return {"text/plain": repr(self)}  # the cell that made it shows the grid already
        return self.show().bundle() | {"text/plain": repr(self)}

    def _display_(self) -> Grid:
        """Return what marimo shows."""
        return self.show()

    def __repr__(self) -> str:
        return f"Sweep({self.headline})"


class Rows(list[dict[str, Any]]):
    """A list of dicts that shows itself as columns of text."""

    def __repr__(self) -> str:
        if not self:
            return "no rows"
        cells = [list(self[0]), *([_shown(value) for value in row.values()] for row in self)]
        widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
        return "\n".join(
            "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
        )


def _seed_of(made: Made) -> int | None:
    requested = made.request.seed_value if made.request else None
    return requested or (made.receipt.seed if made.receipt else None) or None


def _shown(value: object) -> str:
    return "" if value is None else f"{value:.2f}" if isinstance(value, float) else printable(str(value))
