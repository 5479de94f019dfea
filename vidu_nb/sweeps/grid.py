"""A sweep's clips or pictures as a labelled grid: rows and columns by the swept parameters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from html import escape
from typing import Any

from ..errors import ViduError
from ..player import figure, sources, still
from ..widgets.pieces import Way
from .formatting import label_value
from .plan import Plan
from .runner import Outcome, made_by

MAX_SHOWN = 24  # clips; each puts a poster of some 20 kB into the notebook
_CLIP, _LEAST = 320, 130  # px, the widest and the narrowest that a clip is shown in a table
_LABEL = 110  # px, for the rows' labels
_MUTED = "color:var(--jp-ui-font-color2,#616161);font-size:12px;line-height:1.5"
_BARE = "background:none;border:none;text-align:left;vertical-align:top;white-space:normal"
_CELL = f"{_BARE};padding:2px 12px 2px 0"
_HEAD = f"{_BARE};font-weight:600;padding:6px 12px 2px 0;overflow-wrap:anywhere"

Outcomes = Mapping[int, Outcome]


class Grid:
    """A plan's clips or pictures and errors, as HTML and as text.

    Up to 24 requests with one or two swept parameters are a table, and those with more are several under headings; of
    longer plans the first 24 clips are shown, each under its label.

    Parameters
    ----------
    plan
        What was asked for.
    results
        What came, by its place in the plan.
    headline
        A line above it.
    clips
        The clips' HTML by place, a cache from one grid to the next: where no link plays, a clip takes a second.
    """

    def __init__(
        self, plan: Plan, results: Outcomes, *, headline: str = "", clips: dict[int, str] | None = None
    ) -> None:
        self.plan = plan
        self.results = dict(results)
        self.headline = headline
        self._clips = {} if clips is None else clips

    def html(self, in_flight: Collection[int] = (), *, way: Way = "link") -> str:
        """Return the grid as HTML; every text in it is escaped and it holds no script.

        Parameters
        ----------
        in_flight
            The places of the requests that are being made.
        way
            How the clips get into the page.
        """

        def cell(index: int) -> str:
            outcome = self.results.get(index)
            if index in self._clips:
                return self._clips[index]
            html = _cell_html(self.plan, index, outcome, is_in_flight=index in in_flight, way=way)
            return self._clips.setdefault(index, html) if made_by(outcome) else html

        body = self._tables(cell) if len(self.plan) <= MAX_SHOWN else self._selection(cell)
        head = f'<div style="font-weight:600;margin:4px 0">{escape(self.headline)}</div>' if self.headline else ""
        return f'<div class="vidu-sweep" style="overflow-x:auto">{head}{body}</div>'

    def _tables(self, cell: Callable[[int], str]) -> str:
        """All requests: the last swept parameter makes the columns, the one before it the rows, others headings."""
        axes, fields = self.plan.axes, self.plan.fields
        names = list(axes)
        if len(names) <= 1:
            return _flow_html(self.plan, range(len(self.plan)), cell)
        row, column = names[-2:]
        columns, size = len(axes[column]), len(axes[row]) * len(axes[column])
        head = "".join(
            f'<th scope="col" style="{_HEAD}">{escape(label_value(fields[column], value))}</th>'
            for value in axes[column]
        )
        parts = []
        for start in range(0, len(self.plan), size):
            outer = self.plan.values(start)
            title = " · ".join(label_value(fields[name], outer[name]) for name in names[:-2])
            lines = "".join(
                f'<tr style="background:none"><th scope="row" style="{_HEAD};width:{_LABEL}px">'
                f"{escape(label_value(fields[row], value))}</th>"
                + "".join(f'<td style="{_CELL}">{cell(start + at * columns + step)}</td>' for step in range(columns))
                + "</tr>"
                for at, value in enumerate(axes[row])
            )
            parts.append(
                (f'<div style="font-weight:600;margin:12px 0 0">{escape(title)}</div>' if title else "")
                + f'<table style="border:none;margin:0;table-layout:fixed;border-collapse:collapse;width:100%;'
                f'min-width:{_LABEL + columns * _LEAST}px;max-width:{_LABEL + columns * (_CLIP + 12)}px">'
                f'<tr style="background:none"><td style="{_BARE};width:{_LABEL}px"></td>{head}</tr>{lines}</table>'
            )
        return "".join(parts)

    @property
    def shown(self) -> list[int]:
        """The places of what has landed and is shown."""
        landed = [index for index, one in sorted(self.results.items()) if made_by(one)]
        return landed[:MAX_SHOWN]

    def bundle(self) -> dict[str, str]:
        """Return the MIME bundle that Jupyter shows."""
        made: Any = [one for index in self.shown for one in made_by(self.results[index]) if one.path.exists()]
        picture = {"image/jpeg": still(made)} if made else {}
        return {"text/plain": repr(self), "text/html": self.html()} | picture

    def _selection(self, cell: Callable[[int], str]) -> str:
        shown = self.shown
        more = sum(bool(made_by(one)) for one in self.results.values()) - len(shown)
        place = ".videos" if self.plan.model.returns == "video" else ".pictures"
        rest = f'<div style="{_MUTED}">… and {more:,} more, in {place} and .table()</div>' if more else ""
        return _flow_html(self.plan, shown, cell) + rest

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        return self.bundle()

    def _display_(self) -> Any:
        """Return what marimo shows."""
        from ..widgets.live_player import shown_in_marimo

        shown: Any = [one for index in self.shown for one in made_by(self.results[index])]
        grid = Grid(self.plan, self.results, headline=self.headline)  # what the run has shown is not this
        return shown_in_marimo(lambda way: grid.html(way=way), sources(shown))

    def __repr__(self) -> str:
        shown = sorted(self.results.items())[:MAX_SHOWN]
        lines = [f"  [{index}] {self.plan.label(index)}: {_outcome_text(one)}" for index, one in shown]
        more = [f"  … and {len(self.results) - MAX_SHOWN:,} more"] if len(self.results) > MAX_SHOWN else []
        return "\n".join([self.headline or f"{len(self.results):,} results", *lines, *more])


def _flow_html(plan: Plan, indexes: Collection[int], cell: Callable[[int], str]) -> str:
    cells = "".join(
        f'<div style="width:{_CLIP}px;max-width:100%">'
        f'<div style="font-weight:600;margin-bottom:2px;overflow-wrap:anywhere">{escape(plan.label(index))}</div>'
        f"{cell(index)}</div>"
        for index in indexes
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start">{cells}</div>'


def _cell_html(plan: Plan, index: int, outcome: Outcome | None, *, is_in_flight: bool, way: Way) -> str:
    made: Any = made_by(outcome)
    if made:
        try:
            return "".join(figure(one, way=way) for one in made)
        except (ViduError, OSError) as error:  # it was moved or removed meanwhile
            outcome = ViduError(str(error))
    width, height = plan[index].frame_size
    scale = min(_CLIP / width, 240 / height)  # as large as the clip will be
    text = f"⚠ {outcome}" if outcome else "being made …" if is_in_flight else ""
    size = f"width:{width * scale:.0f}px;max-width:100%;aspect-ratio:{width}/{height}"
    look = "border:1px dashed var(--jp-border-color1,#bdbdbd);border-radius:6px;box-sizing:border-box;padding:8px"
    return f'<div style="{size};{look};{_MUTED};overflow:auto;overflow-wrap:anywhere;margin:4px 0">{escape(text)}</div>'


def _outcome_text(outcome: Outcome) -> str:
    return str(outcome) if isinstance(outcome, ViduError) else repr(outcome)
