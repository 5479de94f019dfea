"""A film's storyboard: a row a scene with poster, words, cast, state and price, as HTML and as text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from ..client.client import Client
from ..console import dollars, printable
from ..errors import ViduError, one_line
from ..sweeps.runner import Outcome, Runner
from ..video import Video
from .clips import kept_clips

if TYPE_CHECKING:
    from .film import Film


@dataclass(frozen=True, slots=True)
class Row:
    """What a storyboard shows of a scene.

    Attributes
    ----------
    number : int
        Counted from 1.
    title, prompt : str
    names : tuple of str
        Of those in the cast that it mentions.
    state : str
        Such as ``"kept"``, ``"to shoot"``, ``"being made"``, or what went wrong.
    price_usd : float or None
        US dollars where it is to be paid for; None where it costs nothing or nobody knows.
    clip : Video or None
    """

    number: int
    title: str
    prompt: str
    names: tuple[str, ...]
    state: str
    price_usd: float | None
    clip: Video | None


class FilmPage:
    """What is shown of a film while it is shot."""

    what = "film"
    unit = "scene"

    def __init__(self, film: Film, client: Client) -> None:
        self._film = film
        self._client = client

    def __len__(self) -> int:
        return len(self._film)

    def plan(self) -> object:
        """The priced film shows itself."""
        return self._film

    def plan_html(self) -> str:
        """Return nothing: the storyboard stands below the bar."""
        return ""

    def grid_html(self, results: Mapping[int, Outcome], in_flight: Collection[int]) -> str:
        """Return the storyboard with what landed."""
        return storyboard_html(rows(self._film, dict(results), in_flight), one_line(self._film.title))

    def results(self, results: Mapping[int, Outcome], headline: str) -> list[object]:  # noqa: ARG002
        """Return nothing: the film that is returned shows itself."""
        return []


def rows(film: Film, found: Mapping[int, object], in_flight: Collection[int] = ()) -> list[Row]:
    """Return a row for each scene, with what was found of it."""
    prices = film.quote.prices if film.quote else (None,) * len(film)
    table = []
    for index, scene in enumerate(film.scenes):
        outcome = found.get(index)
        clip = outcome if isinstance(outcome, Video) else None
        state = "being made" if index in in_flight else "to shoot"
        if clip:
            state = "kept"
        elif isinstance(outcome, ViduError):
            state = outcome.message
        names = film.cast.mentioned(scene.prompt)
        table.append(Row(index + 1, scene.title, scene.prompt, names, state, None if clip else prices[index], clip))
    return table


def storyboard_html(table: list[Row], title: str = "") -> str:
    """Return a storyboard as HTML; every text in it is escaped and it holds no script."""
    lines = "".join(
        f"<tr><td>{row.number}</td><td>{escape(row.title)}</td><td>{escape(row.prompt)}</td>"
        f"<td>{escape(', '.join(row.names))}</td><td>{escape(row.state)}</td>"
        f"<td>{escape(dollars(row.price_usd)) if row.price_usd else ''}</td></tr>"
        for row in table
    )
    return f'<div class="vidu-film"><div style="font-weight:600">{escape(title)}</div><table>{lines}</table></div>'


def headline(film: Film, runner: Runner | None = None) -> str:
    """Return counts, money and why it stopped, in one line."""
    many = f"{len(film)} scene{'s' if len(film) != 1 else ''}"
    if runner is None:
        return many
    progress = runner.progress
    parts = [f"{progress.landed} of {many}"]
    parts += [f"{progress.failed} failed"] if progress.failed else []
    parts += [] if runner.is_free else [f"{dollars(progress.spent_usd)} spent"]
    return " · ".join(parts) + (f". Stopped: {progress.reason}" if progress.reason else "")


def film_text(film: Film) -> str:
    """Return a film as a page of plain text."""
    lines = [f"Film({printable(film.title) or 'untitled'}: {headline(film)})"]
    lines += [f"  [{index}] {printable(one_line(scene.prompt, 70))}" for index, scene in enumerate(film.scenes)]
    return "\n".join(lines)


def bundle(film: Film) -> dict[str, str]:
    """Return the MIME bundle that Jupyter shows."""
    client = film.client or Client.from_env()
    return {
        "text/plain": film_text(film),
        "text/html": storyboard_html(rows(film, kept_clips(film, client)), film.title),
    }
