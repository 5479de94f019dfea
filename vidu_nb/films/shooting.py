"""Shoot a film, and preview it: its requests on the runner that sweeps have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..catalogue.field import whole
from ..catalogue.request import Request
from ..client.client import Client
from ..errors import FilmInterrupted, InvalidRequest, NotKept, ViduError
from ..request import Quality
from ..storage.archive import Made
from ..storage.budget import Budget
from ..sweeps.run import WORKERS, ask_first, budget_of, follow, still_paid, workers_of
from ..sweeps.runner import Outcome, Runner
from ..sweeps.views import RunView, choose_view
from ..video import Video
from .clips import frame_after, kept_clip
from .joined import joined_film
from .pricing import quote_film
from .storyboard import FilmPage, headline

if TYPE_CHECKING:
    from .film import Film

PREVIEWS_AT_ONCE = 2  # each keeps a core and a half busy


@dataclass(frozen=True)
class Shot:
    """What came of a run: what each scene brought, US dollars, and why no more was asked for."""

    outcomes: Mapping[int, Outcome] = field(repr=False)
    spent_usd: float = 0.0
    stopped: str = ""


class Shots:
    """A film's requests; one that continues another is made of what that brought."""

    def __init__(self, film: Film, client: Client) -> None:
        self.film = film
        self.client = client
        self.results: Mapping[int, Outcome] = {}  # the runner's

    def __len__(self) -> int:
        return len(self.film)

    def __getitem__(self, index: int) -> Request:
        before = self.results.get(index - 1) if self.film[index].continues else None
        frame = frame_after(before, self.client) if isinstance(before, Video) else None
        return self.film.request(index, frame=frame)


def shoot_film(
    film: Film,
    budget_usd: float | Budget | None,
    client: Client | None,
    *,
    confirm: bool,
    fresh: Iterable[int],
    max_workers: int | None,
    view: RunView | None = None,
) -> Shot:
    """Pay for the scenes that are not kept; parameters and errors are those of `Film.shoot`.

    A `view` shows it in place of the notebook's cell or the terminal.
    """
    client = client or film.client or Client.from_env()
    again = _places(film, fresh)
    workers = workers_of(max_workers, default=WORKERS)
    quote = quote_film(film, client, workers=workers, fresh=again)
    priced = film.quoted(quote)
    budget = budget_of(budget_usd, client, film.digest)
    page = FilmPage(priced, client)
    view = view or choose_view(page, budget)
    if not confirm:
        ask_first(priced, budget, view, what="film")
    view.begin()
    asked = client.sibling(notify=view.notify, budget=budget)
    runner = _runner(film, asked, workers, fresh=again)
    interrupted = follow(runner, view, lambda: headline(film, runner), what="film")
    shot = Shot(dict(runner.results), runner.progress.spent_usd, runner.progress.reason)
    if interrupted:
        error = FilmInterrupted(
            f"{headline(film, runner)}{still_paid(runner)}",
            remedy="Shoot the same film again to go on: what landed is in the archive.",
        )
        error.film = film.shot(shot)
        raise error
    return shot


def preview_film(film: Film, quality: Quality, client: Client | None, *, view: RunView | None = None) -> Video:
    """Make a free animatic of the whole film; parameters, result and errors are those of `Film.preview`.

    A `view` shows it in place of the notebook's cell or the terminal.
    """
    if client is not None and not client.is_free:
        raise InvalidRequest("client: it asks a paid service; a preview wants Client.preview()", field="client")
    if client is not None and quality != "full":
        raise InvalidRequest("quality: the client has its own; pass one of the two", field="quality")
    asked = client or Client.preview(quality=quality, archive=film.client.archive if film.client else None)
    page = FilmPage(film, asked)
    view = view or choose_view(page, None)
    view.begin()
    runner = _runner(film, asked.sibling(notify=view.notify), PREVIEWS_AT_ONCE)
    if follow(runner, view, lambda: headline(film, runner), what="film"):
        error = FilmInterrupted(headline(film, runner), remedy="Preview it again to go on: what was made is kept.")
        error.film = film
        raise error
    clips = {}
    for index in range(len(film)):
        outcome = runner.results.get(index)
        if isinstance(outcome, ViduError):
            raise outcome
        if not isinstance(outcome, Video):
            raise NotKept(f"scene {index + 1} was not made: {runner.progress.reason or 'the one before it failed'}")
        clips[index] = outcome
    return joined_film(film, clips, asked)


def _runner(film: Film, client: Client, workers: int, *, fresh: Collection[int] = ()) -> Runner:
    shots = Shots(film, client)
    after = {index: index - 1 for index, scene in enumerate(film.scenes) if scene.continues}

    def ask(index: int, request: Request) -> Made:
        if index in fresh:
            return client.generate(request, fresh=True)
        return kept_clip(request, client, take=film[index].take) or client.generate(request)

    runner = Runner(shots, client, workers=workers, after=after, ask=ask)
    shots.results = runner.results
    return runner


def _places(film: Film, fresh: Iterable[int]) -> frozenset[int]:
    found = set()
    for given in fresh:
        place = whole(given)
        if isinstance(place, bool) or not isinstance(place, int) or not -len(film) <= place < len(film):
            message = f"fresh: {given!r} is no scene: pass places from 0 to {len(film) - 1}"
            raise InvalidRequest(message, field="fresh")
        found.add(place % len(film))
    return frozenset(found)
