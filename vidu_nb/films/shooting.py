"""Shoot a film, and preview it: its requests on the runner that sweeps have."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..catalogue.field import whole
from ..catalogue.request import Request
from ..client.client import TIMEOUT, Client
from ..console import dollars
from ..errors import FilmInterrupted, InvalidRequest, NotKept, ViduError, one_line
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
from .storyboard import FilmPage, bundle

if TYPE_CHECKING:
    from .film import Film

PREVIEWS_AT_ONCE = max(1, (os.cpu_count() or 2) // 2)  # each keeps two cores busy
MOST_NAMED = 12  # scenes that a line names


@dataclass(frozen=True)
class Shot:
    """What came of a run.

    Attributes
    ----------
    outcomes : mapping of int to Video or ViduError
        What each scene brought that was asked for.
    spent_usd : float
        US dollars; calls of unknown outcome count in full.
    stopped : str
        Why no more was asked for; empty where all was.
    is_free : bool
        Whether nothing is paid for there.
    fresh : frozenset of int
        The scenes of which another take was wanted: the film has the newest of them.
    """

    outcomes: Mapping[int, Outcome] = field(repr=False)
    spent_usd: float = 0.0
    stopped: str = ""
    is_free: bool = False
    fresh: frozenset[int] = frozenset()

    @classmethod
    def of(cls, runner: Runner, fresh: frozenset[int] = frozenset()) -> Shot:
        """Return what came of a runner's requests so far."""
        progress = runner.progress
        return cls(dict(runner.results), progress.spent_usd, progress.reason, runner.is_free, fresh)

    def summary(self, many: int) -> str:
        """Return counts, money, what is missing of so many scenes, and why, in one line."""
        made = [index for index, one in self.outcomes.items() if not isinstance(one, ViduError)]
        failed = len(self.outcomes) - len(made)
        missing = [str(index + 1) for index in range(many) if index not in made]
        more = len(missing) - MOST_NAMED
        parts = [f"{len(made)} of {many} scenes"]
        parts += [f"{failed} failed"] if failed else []
        parts += [] if self.is_free else [f"{dollars(self.spent_usd)} spent"]
        parts += [f"missing: {', '.join(missing[:MOST_NAMED])}"] if missing else []
        parts[-1] += f" and {more} more" if more > 0 else ""
        return " · ".join(parts) + (f". Stopped: {self.stopped}" if self.stopped else "")


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


class ShotPage(FilmPage):
    """What is shown of a film while it is shot, and its storyboard in the end, once."""

    def __init__(self, film: Film, client: Client, fresh: frozenset[int]) -> None:
        super().__init__(film, client)
        self._shown, self._fresh = film, fresh

    def results(self, results: Mapping[int, Outcome], headline: str) -> list[object]:  # noqa: ARG002
        """Return the storyboard: the film that is returned shows itself in later cells."""
        return [_Shown(self._shown.shot(Shot(dict(results), fresh=self._fresh)))]


class _Shown:
    """Shows a film's storyboard."""

    def __init__(self, film: Film) -> None:
        self._film = film

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        return bundle(self._film)


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
    film = film.with_newest(again)  # what is paid for now is what others continue from
    workers = workers_of(max_workers, default=WORKERS)
    quote = quote_film(film, client, workers=workers, fresh=again)
    priced = film.quoted(quote, client)
    budget = budget_of(budget_usd, client, film.digest)
    view = view or choose_view(ShotPage(priced, client, again), budget)
    if not confirm:
        ask_first(priced, budget, view, what="film")
    view.begin()
    asked = client.sibling(notify=view.notify, budget=budget)
    runner = _runner(film, asked, workers, kept=quote.kept, fresh=again)
    interrupted = follow(runner, view, lambda: Shot.of(runner).summary(len(film)), what="film")
    shot = Shot.of(runner, again)
    if interrupted:
        error = FilmInterrupted(
            f"{shot.summary(len(film))}{still_paid(runner)}",
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
    own = film.client
    asked = client or Client.preview(
        quality=quality, archive=own.archive if own else None, timeout=own.timeout if own else TIMEOUT
    )
    view = view or choose_view(FilmPage(film.replace(client=asked), asked), None)
    return joined_film(film, preview_clips(film, asked, view), asked)


def preview_clips(film: Film, client: Client, view: RunView) -> dict[int, Video]:
    """Make a free animatic of each scene, and return them by the scenes' places; errors are those of `Film.preview`."""
    view.begin()
    runner = _runner(film, client.sibling(notify=view.notify), PREVIEWS_AT_ONCE)
    if follow(runner, view, lambda: Shot.of(runner).summary(len(film)), what="film"):
        message = Shot.of(runner).summary(len(film))
        error = FilmInterrupted(message, remedy="Preview it again to go on: what was made is kept.")
        error.film = film
        raise error
    return _all_clips(film, runner)


def _all_clips(film: Film, runner: Runner) -> dict[int, Video]:
    """Return the clips of all scenes, or raise what one of them brought instead."""
    for index, outcome in sorted(runner.results.items()):
        if isinstance(outcome, ViduError):
            raise _about(index, outcome)
    clips = {index: one for index, one in runner.results.items() if isinstance(one, Video)}
    if missing := next((index for index in range(len(film)) if index not in clips), None):
        raise NotKept(f"scene {missing + 1} was not made: {runner.progress.reason}", remedy="Preview the film again.")
    return clips


def _about(index: int, error: ViduError) -> ViduError:
    """Return an error that names its scene."""
    named = copy(error)
    named.message = one_line(f"scene {index + 1}: {error.message}")
    return named


def _runner(
    film: Film, client: Client, workers: int, *, kept: Collection[int] = (), fresh: Collection[int] = ()
) -> Runner:
    shots = Shots(film, client)
    after = {index: index - 1 for index, scene in enumerate(film.scenes) if scene.continues}

    def ask(index: int, request: Request) -> Made:
        if index in fresh:
            return client.generate(request, fresh=True)
        return kept_clip(request, client, take=film[index].take) or client.make_once(request)

    # What is kept comes first, so that nothing stands between it and the eye.
    order = sorted(range(len(film)), key=lambda index: index not in kept)
    runner = Runner(shots, client, workers=workers, order=order, after=after, ask=ask)
    shots.results = runner.results
    return runner


def _places(film: Film, fresh: Iterable[int]) -> frozenset[int]:
    found = set()
    for given in fresh if isinstance(fresh, Iterable) else [None]:
        place = whole(given)
        if isinstance(place, bool) or not isinstance(place, int) or not -len(film) <= place < len(film):
            shown = one_line(repr(fresh if given is None else given), 60)
            message = f"fresh: {shown} is no scene: pass a list of places from 0 to {len(film) - 1}"
            raise InvalidRequest(message, field="fresh")
        found.add(place % len(film))
    return frozenset(found)
