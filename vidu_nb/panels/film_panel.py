"""`FilmPanel`: a film's storyboard to write in, with free previews, and shot scene by scene for money."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import traitlets
from IPython.display import display

from ..catalogue.request import PREVIEW
from ..client.client import Client
from ..client.engines import PREVIEW_SECONDS
from ..console import dollars
from ..errors import InvalidRequest, ViduError
from ..films.board import Board, Row, find_clips, make_board
from ..films.clips import frame_after, kept_clips
from ..films.film import Film
from ..films.joined import joined_film
from ..films.pricing import quote_film
from ..films.shooting import preview_film, shoot_film
from ..films.storyboard import picture_of, short_state, storyboard_html, storyboard_jpeg, storyboard_text
from ..media import VideoInfo
from ..request import Quality
from ..storage.budget import Budget
from ..sweeps.run import WORKERS
from ..thumbnails import opened, thumbnail_uri
from ..video import Video
from ..widgets.members import member_items
from ..widgets.scenes import SceneRows
from .actions import cancelled
from .background import BackgroundCall
from .calling import Calling
from .film_actions import FilmActions, FilmOffer
from .filming import Filmed, Filming
from .result import ResultView
from .running import Running
from .script import Draft, Script
from .service import Service

_CSS = Path(__file__).parents[1] / "widgets" / "panel.css"
_POSTER, _POSTER_BYTES = (256, 256), 5_000  # px, and bytes in base64; twenty of them stay in a saved notebook
_STATIC_BYTES = 60_000  # of the storyboard below the panel, beside a clip


class FilmPanel(Calling, widgets.VBox):
    """A film's storyboard to write in: previews for free, scenes for money, the joined clip below.

    Made by `panel`. From code it does what it does by hand: `preview`, `shoot`, `another_take`.

    Attributes
    ----------
    film : Film
        The scenes as they are written, with what is kept and what the rest costs; while something is wrong, the last
        one that was whole. Assigning another fills the rows.
    problems : tuple of (str, str)
        Scene and sentence for each thing that is missing or wrong.
    video : Video or None
        What is shown: the joined clip, or one scene's.
    state : str
        ``"ready"``, ``"running"``, ``"done"`` or ``"failed"``; observable, as are the others, and when a call ends the
        last to change.
    stage, progress, message, error
        As for `Panel`.

    >>> from PIL import Image
    >>> from vidu_nb import Cast
    >>> cast = Cast(anna=Image.new("RGB", (256, 256), "navy"))
    >>> panel = FilmPanel(Film(["@anna wakes up.", "@anna leaves."], cast=cast, aspect_ratio="1:1"))
    >>> panel
    FilmPanel(2 scenes · ready)
    >>> panel.preview("draft").info.duration  # panel.shoot() pays, where there is a key
    10.0
    >>> panel.wait(), panel.state
    (True, 'done')
    """

    film = traitlets.Any()
    problems = traitlets.Tuple()
    video = traitlets.Any(None, allow_none=True)

    def __init__(self, film: Film, *, client: Client | None = None) -> None:
        super().__init__()
        self._service = Service(client or film.client)
        self._script = Script(film)
        self._drawing = threading.RLock()
        self._board: Board | None = None
        self._actions: FilmActions = FilmActions(
            draft=lambda: self._clicked(lambda: self._start_preview("draft")),
            preview=lambda: self._clicked(lambda: self._start_preview("full")),
            shoot=self._shoot_clicked,
            cancel=self.cancel,
        )
        self._heading = widgets.HTML()
        self._rows = SceneRows(self._act)
        self._result = ResultView(lambda _: None)
        style = widgets.HTML(f"<style>{_CSS.read_text(encoding='utf-8')}</style>", layout={"display": "none"})
        self.children = (style, self._heading, self._rows, self._actions.box)
        self.add_class("vidu-panel")
        self.film = film
        self._draw()
        self._result.begin_with(self._page(None))

    # From code.

    def preview(self, quality: Quality = "full") -> Video:
        """Make the whole film as one free animatic, show it, and return it.

        Raises
        ------
        ViduError
            A scene is missing something (`InvalidRequest`); else see `Film.preview`.
        """
        filmed: Filmed = self._wait_for(self._start_preview(quality))
        if filmed.video is None:
            raise ViduError(filmed.problem)
        return filmed.video

    def shoot(
        self, *, budget_usd: float | Budget | None = None, confirm: bool = False, fresh: Iterable[int] = ()
    ) -> Film:
        """Pay for the scenes that are not kept, show what landed, and return the film.

        Parameters and errors are those of `Film.shoot`; without a key, the free preview engine answers.
        """
        self._service.look_again()
        filmed: Filmed = self._wait_for(self._start_shoot(budget_usd, confirm=confirm, fresh=tuple(fresh)))
        return filmed.film

    def another_take(self, index: int) -> Video:
        """Pay for another take of a scene that is kept, show it, and return it; both takes are kept.

        Raises
        ------
        InvalidRequest
            There is no such scene, it is not kept, or something is missing.
        ViduError
            As for `Client.generate`.
        """
        self._service.look_again()
        made: Video = self._wait_for(self._start_take(range(len(self.film))[index]))
        return made

    # What the page asks for.

    def _act(self, what: str, name: str, content: Mapping[str, Any]) -> None:
        """Do what a person did with a scene."""
        script = self._script
        if what == "again":
            self._clicked(lambda: self._take_clicked(name, content.get("price")))
            return
        if what == "show":
            self._show_scene(name)
            return
        if what == "edit":
            script.edit(name, str(content.get("field")), content.get("value"))
        elif what == "move" and type(by := content.get("by")) is int:
            script.move(name, by)
        elif what == "remove":
            script.remove(name)
        elif what == "add":
            script.add()
        else:
            raise InvalidRequest("that is not something a scene can do")
        self._draw()

    def _shoot_clicked(self) -> None:
        named = self._actions.named_price  # what the person read who pressed it
        self._clicked(lambda: self._begin_shoot(named))

    def _begin_shoot(self, named_usd: float) -> None:
        """Pay what the button named, and not more."""
        self._service.look_again()
        self._draw()
        quote = self.film.quote
        if quote.price_usd and not self._service.can_pay:
            self._say(self._service.problem)
        elif quote.price_usd > named_usd + 1e-9:
            self._say(f"This costs about {dollars(quote.price_usd)} now: press Shoot again to pay for it.")
        else:
            self._start_shoot(self._actions.budget_usd, confirm=True)

    def _take_clicked(self, name: str, named: object) -> None:
        self._service.look_again()
        self._draw()
        place = self._place(name)
        price = self._take_price(place)
        if not self._service.can_pay:
            self._say(self._service.problem)
        elif named != price:
            self._say(f"Another take costs about {dollars(price)}: press again to pay for it.")
        else:
            self._start_take(place)

    # Calls.

    def _whole(self) -> Film:
        if problems := self._script.problems:
            text = "; ".join(f"{scene}: {sentence}" for scene, sentence in problems)
            raise InvalidRequest(text, field=problems[0][0], problems=problems)
        film: Film = self.film
        return film

    def _start_preview(self, quality: Quality) -> BackgroundCall:
        film, archive = self._whole(), self._service.archive
        is_draft = quality == "draft"
        client = Client.preview(quality=quality, archive=archive) if is_draft else self._service.client(PREVIEW)
        expected = PREVIEW_SECONDS * len(film) * (0.2 if is_draft else 0.6)

        def make(view: Any) -> Filmed:
            return Filmed(film, preview_film(film, "full", client, view=view))

        return self._begin(Filming(make, self._draw, "Drawing the preview", expected))

    def _start_shoot(
        self, budget_usd: float | Budget | None, *, confirm: bool, fresh: tuple[int, ...] = ()
    ) -> BackgroundCall:
        film, client = self._whole(), self._payee

        def make(view: Any) -> Filmed:
            shot = shoot_film(film, budget_usd, client, confirm=confirm, fresh=fresh, max_workers=None, view=view)
            made = film.shot(shot)
            running.stage, running.runner = "Joining the clips", None
            clips = {index: one for index, one in kept_clips(made, client).items() if isinstance(one, Video)}
            if len(clips) < len(made):
                return Filmed(made, None)
            try:
                return Filmed(made, joined_film(made, clips, client))
            except ViduError as error:  # the clips are kept, and paid for
                return Filmed(made, None, f"The clips are kept, but could not be joined: {error}")

        running = Filming(make, self._draw, "Shooting", film.seconds or 1.0)
        return self._begin(running)

    def _begin(self, running: Filming) -> BackgroundCall:
        return self._launch(running, lambda call: self._filmed(call, running))

    def _start_take(self, place: int) -> BackgroundCall:
        film, client = self._whole(), self._payee
        found = kept_clips(film, client)
        if not isinstance(found.get(place), Video):
            raise InvalidRequest(f"scene {place + 1} is not kept: shoot it first", field="fresh")
        before = found.get(place - 1)
        frame = frame_after(before, client) if film[place].continues and isinstance(before, Video) else None
        running = Running(self._service, film.request(place, frame=frame), client.engine, fresh=True, shows=True)
        return self._launch(running, lambda call: self._taken(call, running, place))

    def _begun(self) -> None:
        self._rows.busy = True

    def cancel(self) -> None:
        """Ask for no more scenes; paid ones in flight are waited for, and a second time left to the journal."""
        super().cancel()

    @property
    def _payee(self) -> Client:
        """Who shoots; without a key, the preview engine, as everywhere."""
        service = self._service
        return service.client(service.engine if service.can_pay else PREVIEW)

    def _filmed(self, call: BackgroundCall, running: Filming) -> None:
        """Show what came of a run over the film; on the clock's thread."""
        filmed: Filmed | None = call.made
        if filmed is None:
            self._failed(call, was_cancelled=running.is_cancelled)
            return
        if filmed.film == self.film:  # else it was changed meanwhile
            self._script.film = filmed.film
        message, problem = _arrival(filmed), bool(filmed.problem or filmed.film.failed)
        self._after_call(lambda: self._show_page(filmed.video))
        self._finish("done", message, problem=problem)

    def _taken(self, call: BackgroundCall, running: Running, place: int) -> None:
        """Show another take; on the clock's thread."""
        if call.made is None:
            price = self._take_price(place)
            error = call.error
            if isinstance(error, ViduError) and running.is_cancelled:
                self._rows.busy = False
                self._finish("failed", cancelled(error, price), problem=False, error=error)
            else:
                self._failed(call, was_cancelled=False)
            return
        self._service.learn(call.made, running.request.model)
        self._after_call(lambda: self._show_page(call.made))
        self._finish("done", f"Another take of scene {place + 1} is kept. What continues from it follows the newest.",
                     problem=False)  # fmt: skip

    def _failed(self, call: BackgroundCall, *, was_cancelled: bool) -> None:
        error = call.error
        text = str(error) if isinstance(error, ViduError) else f"{type(error).__name__}: {error}"
        self._after_call(lambda: None)
        self._finish("failed", "Cancelled. What was made is kept." if was_cancelled else text,
                     problem=not was_cancelled, error=error)  # fmt: skip

    def _after_call(self, show: Callable[[], None]) -> None:
        """Show the storyboard as it is now; what came is kept, whatever the page says to it."""
        self._rows.busy = False
        self._running = None
        try:
            self.film = self._script.film
            self._draw()
            show()
        except Exception as error:  # it is kept, whatever the poster or the front end says
            self._say(f"It is kept, but could not be shown: {error}", problem=True)

    # What is seen.

    def _draw(self) -> None:
        """Show the scenes with what is kept of them, what is being made, and what the rest costs."""
        with self._drawing:
            running, client = self._running, self._looked_at
            runner = running.runner if isinstance(running, Filming) else None
            film = self._script.film.quoted(quote_film(self._script.film, client, workers=WORKERS), client)
            found = {**film.failed, **find_clips(film, client)}
            flying: frozenset[int] = frozenset()
            if runner is not None and len(runner.requests) == len(film):
                found, flying = found | ({} if runner.is_free else runner.results), runner.in_flight
            self._script.film = film
            self.film = film
            self._board = make_board(film, found, client, flying)
            rows = dict(zip(self._script.placed, self._board.rows, strict=True))
            takes = {row.number: self._takes(row, client) for row in self._board.rows}
            self._rows.members = member_items(film.cast)
            self._rows.scenes = [self._item(draft, rows.get(draft.id), takes) for draft in self._script.drafts]
            self.problems = self._script.problems
            self._heading.value = (
                f'<div style="font-weight:600;font-size:15px">{escape(self._board.title)}</div>'
                f'<div class="vidu-help">{escape(self._board.headline)}</div>'
            )
            self._actions.offer(self._offer())

    @property
    def _looked_at(self) -> Client:
        """Whose archive of clips is shown: that of whoever can be paid, also without a key."""
        return self._service.client(self._service.engine)

    def _offer(self) -> FilmOffer:
        problem = "; ".join(f"{scene}: {sentence}" for scene, sentence in self._script.problems[:2])
        quote = self.film.quote
        return FilmOffer(problem, len(self.film), len(quote.kept), len(quote.blocked), quote.price_usd, quote.seconds,
                         self._service.can_pay)  # fmt: skip

    def _takes(self, row: Row, client: Client) -> int:
        if row.clip is None or row.clip.request is None:
            return 0
        try:
            return len(client.takes(row.clip.request))
        except (ViduError, OSError):
            return 1

    def _take_price(self, place: int) -> float:
        price: float = self.film.quote.prices[place]
        return price

    def _item(self, draft: Draft, row: Row | None, takes: Mapping[int, int]) -> dict[str, Any]:
        """Return what the page gets to show of a scene."""
        model = draft.scene.model or self.film.model
        seed = model.by_role("seed")
        shared = self.film.parameters.get(seed.parameter, seed.default) if seed else None
        item: dict[str, Any] = {
            "id": draft.id, "prompt": draft.prompt, "title": draft.title, "seed": draft.seed,
            "continues": draft.continues, "take": draft.take or 0, "takes": 0, "has_seed": seed is not None,
            "seed_hint": "" if shared is None else str(shared), "problem": "", "note": "", "kind": "to shoot",
            "state": "not complete", "price": "", "poster": "", "shape": "16 / 9", "names": [], "again": "",
            "again_price": 0,
        }  # fmt: skip
        is_empty = not draft.prompt.strip()
        item["note" if is_empty else "problem"] = f"{draft.problem[:1].upper()}{draft.problem[1:]}"
        board = self._board
        if row is None or board is None or draft.problem:
            return item
        picture = picture_of(board, row)
        width, height = opened(picture).size if picture else self.film.request(row.number - 1).frame_size
        state, why = short_state(row)
        price = self._take_price(row.number - 1)
        item |= {
            "kind": row.kind, "state": state, "note": why, "names": list(row.names), "shape": f"{width} / {height}",
            "price": dollars(row.price_usd) if row.price_usd and self._service.can_pay else "",
            "poster": thumbnail_uri(picture, _POSTER, _POSTER_BYTES) if picture else "",
            "takes": takes[row.number],
        }  # fmt: skip
        if row.kind == "kept" and self._service.can_pay:
            item |= {"again": f"Another take ({dollars(price)})", "again_price": price}
        return item

    def _place(self, name: str) -> int:
        """Return a scene's place in the film."""
        self._whole()
        self._script.find(name)
        return self._script.placed.index(name)

    def _show_scene(self, name: str) -> None:
        """Show one scene's clip below."""
        place = self._place(name)
        clip = self._board.rows[place].clip if self._board else None
        if clip is None:
            raise InvalidRequest(f"scene {place + 1} has no clip yet")
        try:
            self._show_page(clip)
        except OSError as error:
            raise ViduError(f"{clip.path.name} can't be shown: {error}") from None

    def _show_page(self, video: Video | None) -> None:
        """Show a clip below the panel, and the storyboard as a page that needs no kernel, folded away."""
        self._result.show_bundle(self._page(video))
        self.video = video or self.video

    def _page(self, video: Video | None) -> dict[str, Any]:
        board = self._board
        if board is None:
            return {}
        shown = video._repr_mimebundle_() if video else {"text/html": "", "image/jpeg": storyboard_jpeg(board)}
        page = storyboard_html(board, most=_STATIC_BYTES)
        look = "color:var(--jp-ui-font-color2,#616161);font-size:12px"
        folded = f'<details class="vidu-page"><summary style="{look}">Storyboard as a page</summary>{page}</details>'
        return {**shown, "text/plain": storyboard_text(board), "text/html": f"{shown['text/html']}{folded}"}

    @traitlets.validate("film")
    def _film_is_one(self, proposal: Mapping[str, Any]) -> Film:
        value = proposal["value"]
        if not isinstance(value, Film):
            raise InvalidRequest(f"film: {type(value).__name__} is no Film", field="film")
        return value

    @traitlets.observe("film")
    def _film_assigned(self, change: Mapping[str, Any]) -> None:
        film = change["new"]
        if film is not self._script.film:
            self._script.follow(film)
            self._draw()

    def _ipython_display_(self) -> None:
        display(self._repr_mimebundle_(), raw=True)
        self._result.display()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return {**super()._repr_mimebundle_(**options), "text/plain": repr(self)}

    def __repr__(self) -> str:
        many = len(self.film)
        return f"FilmPanel({many} scene{'s' if many != 1 else ''} · {self.state})"


def _arrival(filmed: Filmed) -> str:
    """Say what is there now."""
    film = filmed.film
    spent = f", {dollars(film.spent_usd)} spent" if film.spent_usd else ""
    if filmed.problem:
        return filmed.problem
    if filmed.video is not None:
        info: VideoInfo = filmed.video.info
        return f"Here it is: {len(film)} scene{'s' if len(film) != 1 else ''}, {info.duration:.0f} s{spent}"
    told = [f"{len(film.failed)} failed"] if film.failed else []
    told += [f"stopped: {film.stopped}"] if film.stopped else []
    return f"The film is not whole yet{spent}; {'; '.join(told) or 'scenes are missing'}. What landed is kept."
