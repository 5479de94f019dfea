"""`FilmPanel`: a film's storyboard to write in, with free previews, and shot scene by scene for money."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import traitlets
from IPython.display import display

from ..catalogue.request import PREVIEW
from ..client.client import Client
from ..client.engines import PREVIEW_SECONDS
from ..console import dollars
from ..errors import InvalidRequest, ViduError
from ..files import shown_path
from ..films.board import Board, find_clips, make_board
from ..films.clips import frame_after, kept_clips
from ..films.film import Film
from ..films.joined import joined_film
from ..films.pricing import quote_film
from ..films.shooting import preview_clips, shoot_film
from ..films.storyboard import storyboard_html, storyboard_jpeg, storyboard_text
from ..references.cast import Cast
from ..request import Quality
from ..storage.budget import Budget
from ..sweeps.run import WORKERS
from ..sweeps.runner import Outcome
from ..video import Video
from ..widgets.front import Answer, FrontEnd
from ..widgets.members import member_items
from .actions import cancelled, failure_text, price_in
from .background import BackgroundCall, Later
from .calling import Calling
from .film_actions import FilmOffer, read_budget
from .filming import Filmed, Filming
from .result import ResultView
from .running import Running
from .scenes import heading_item, posters, scene_item
from .script import FILM, Script
from .service import Service
from .tools import save_copy, tools_for

_STATIC_BYTES = 60_000  # of the storyboard in the cell's output, beside a clip
_REST = 0.3  # s without a change before the storyboard in the cell's output follows
_DRAFT_SHARE, _FULL_SHARE = 0.2, 0.6  # of a preview's usual time, since several are made at once


class FilmPanel(Calling, FrontEnd):
    """A film's storyboard to write in: previews for free, scenes for money, the joined clip beside them.

    Made by `panel`. From code it does what it does by hand: `preview`, `shoot`, `another_take`.

    Attributes
    ----------
    film : Film
        The scenes as they are written, with what is kept and what the rest costs; while something is wrong, the last
        one that was whole. Assigning another fills the cards.
    problems : tuple of (str, str)
        Scene and sentence for each thing that is missing or wrong.
    video : Video or None
        What is played: the joined clip, or one scene's.
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

    files = ("dom", "focus", "status", "pieces", "mentions", "controls", "result", "scenes", "film")
    looks = ("panel",)

    film = traitlets.Any()
    problems = traitlets.Tuple()
    video = traitlets.Any(None, allow_none=True)

    # What the page shows.
    _head = traitlets.Dict().tag(sync=True)  # the title, and what counts for all scenes
    _scenes = traitlets.List(traitlets.Dict()).tag(sync=True)
    _posters = traitlets.Dict().tag(sync=True)  # by the scenes' ids
    _members = traitlets.List(traitlets.Dict()).tag(sync=True)  # the cast
    _offer = traitlets.Dict().tag(sync=True)  # the buttons
    _result = traitlets.Dict().tag(sync=True)  # what is played
    _tools = traitlets.Dict().tag(sync=True)  # what can be done with it
    _place = traitlets.Unicode().tag(sync=True)  # the class of the cell's output that shows the same

    def __init__(self, film: Film, *, client: Client | None = None) -> None:
        self._view = ResultView(lambda item: self.set_trait("_result", item), self.send)
        super().__init__(_place=self._view.name)
        self._service = Service(client or film.client)
        self._script = Script(film)
        self._budget = ""
        self._drawing = threading.RLock()
        self._drawn_cast: Cast | None = None
        self._saving = threading.RLock()  # what was drawn last is also what is put into the cell's output last
        self._later = Later(_REST)
        self._clip: Mapping[str, Any] = {}  # what the cell's output has of the clip: a small copy takes seconds
        self._is_displayed = False
        self.film = film
        self._board = self._draw()
        self._service.ask_balance(self._offer_anew)

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

    def _answer(self, do: str, content: Mapping[str, Any], _buffers: object) -> Answer | None:
        edits = content.get("edits")
        if isinstance(edits, Mapping) and edits:  # what was typed before the click
            self._take(edits)
        act = self._acts.get(do)
        if act is None:
            raise InvalidRequest("that is not something the panel can do")
        return act(self, content)

    def _take(self, edits: Mapping[str, object]) -> None:
        of_all = edits.get(FILM)
        budget = of_all.get("budget") if isinstance(of_all, Mapping) else None
        if isinstance(budget, str):
            self._budget = budget[:20]
        self._script.take(edits)
        self._draw()

    def _changed(self, change: Callable[[], Any]) -> Answer:
        """Change the script, show it, and return which scene a person looks at next."""
        name = change()
        self._draw()
        return {"scene": name} if isinstance(name, str) else {}

    def _move(self, content: Mapping[str, Any]) -> Answer:
        script, name = self._script, content.get("scene")
        match content:
            case {"by": int(by)}:
                return self._changed(lambda: script.move(name, by))
            case {"before": str(before) | (None as before)}:
                return self._changed(lambda: script.put_before(name, before))
        raise InvalidRequest("that is no place for a scene")

    def _preview_clicked(self, content: Mapping[str, Any]) -> None:
        quality: Quality = "draft" if content.get("quality") == "draft" else "full"
        name = content.get("scene")
        self._clicked(lambda: self._start_preview(quality) if name is None else self._start_one(name, quality))

    def _shoot_clicked(self, content: Mapping[str, Any]) -> None:
        """Pay what the button named to the person who pressed it, and not more."""
        self._clicked(lambda: self._begin_shoot(price_in(content)))

    def _begin_shoot(self, named_usd: float | None) -> None:
        self._look_again()
        if self._may_cost(self.film.quote.price_usd, named_usd):
            self._start_shoot(read_budget(self._budget), confirm=True)

    def _take_clicked(self, content: Mapping[str, Any]) -> None:
        self._clicked(lambda: self._begin_take(content.get("scene"), price_in(content)))

    def _begin_take(self, name: object, named_usd: float | None) -> None:
        self._look_again()
        place = self._place_of(name)
        if self._may_cost(self._take_price(place), named_usd):
            self._start_take(place)

    def _look_again(self) -> None:
        """Follow a key that was set meanwhile."""
        self._service.look_again()
        self._draw()

    def _may_cost(self, price_usd: float, named_usd: float | None) -> bool:
        """Return whether a call may be made that costs what was named, or less; else the panel says why not."""
        if price_usd and not self._service.can_pay:
            self._say(self._service.problem)
        elif price_usd > (named_usd or 0.0) + 1e-9:
            self._say(f"This costs about {dollars(price_usd)} now: press again to pay for it.")
        else:
            return True
        return False

    def _cancel_clicked(self, content: Mapping[str, Any]) -> None:
        running = self._running
        if content.get("leaves") is True or not (isinstance(running, Filming) and running.can_leave):
            self.cancel()  # else it was pressed twice, before its text said something else

    def _show_scene(self, content: Mapping[str, Any]) -> None:
        """Show one scene's clip."""
        place = self._place_of(content.get("scene"))
        clip = self._board.rows[place].clip
        if clip is None:
            raise InvalidRequest(f"scene {place + 1} has no clip yet")
        try:
            self._show(clip, caption=f"Scene {place + 1}: {clip.caption}")
        except OSError as error:
            raise ViduError(f"{clip.path.name} can't be shown: {error}") from None

    def _with_shown(self, content: Mapping[str, Any]) -> Answer:
        if self.video is None or content.get("tool") != "save":
            raise InvalidRequest("that can't be done here")
        return {"message": f"Saved as {shown_path(save_copy(self.video, content.get('name')))}"}

    _acts: ClassVar[Mapping[str, Callable[[Any, Mapping[str, Any]], Answer | None]]] = {
        "hello": lambda _self, _content: None,
        "edit": lambda _self, _content: None,
        "move": _move,
        "remove": lambda self, content: self._changed(lambda: self._script.remove(content.get("scene"))),
        "restore": lambda self, _: self._changed(self._script.restore),
        "add": lambda self, _: self._changed(self._script.add),
        "show": _show_scene,
        "preview": _preview_clicked,
        "shoot": _shoot_clicked,
        "again": _take_clicked,
        "cancel": _cancel_clicked,
        "piece": lambda self, content: self._view.piece(content.get("shown"), content.get("item"), content.get("at")),
        "tool": _with_shown,
    }

    # Calls.

    def _whole(self) -> Film:
        if problems := self._script.problems:
            text = "; ".join(f"{scene}: {sentence}" for scene, sentence in problems)
            raise InvalidRequest(text, field=problems[0][0], problems=problems)
        film: Film = self.film
        return film

    def _start_preview(self, quality: Quality) -> BackgroundCall:
        film, client = self._whole(), self._previewer(quality)

        def make(view: Any) -> Filmed:
            return Filmed(film, joined_film(film, preview_clips(film, client, view), client))

        return self._begin_preview(make, quality, len(film))

    def _start_one(self, name: object, quality: Quality) -> BackgroundCall:
        """Preview one scene, and what it continues."""
        film, client = self._script.part(name), self._previewer(quality)
        number = self._script.drafts.index(self._script.find(name)) + 1

        def make(view: Any) -> Filmed:
            return Filmed(film, preview_clips(film, client, view)[len(film) - 1], scene=number)

        return self._begin_preview(make, quality, len(film))

    def _previewer(self, quality: Quality) -> Client:
        service = self._service
        is_draft = quality == "draft"
        return Client.preview(quality=quality, archive=service.archive) if is_draft else service.client(PREVIEW)

    def _begin_preview(self, make: Callable[[Any], Filmed], quality: Quality, many: int) -> BackgroundCall:
        expected = PREVIEW_SECONDS * many * (_DRAFT_SHARE if quality == "draft" else _FULL_SHARE)
        return self._begin(Filming(make, self._landed, "Drawing the preview", expected))

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

        running = Filming(make, self._landed, "Shooting", film.seconds or 1.0, is_paid=not client.is_free)
        return self._begin(running)

    def _landed(self, outcomes: Sequence[Outcome]) -> None:
        """Show how far the scenes are, and what they have left of the money."""
        for one in outcomes:
            if isinstance(one, Video) and one.request:
                self._service.learn(one, one.request.model)
        self._draw()

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
        self._offer_anew()

    def _over(self) -> None:
        self._running = None
        self._offer_anew()

    def cancel(self) -> None:
        """Ask for no more scenes; paid ones in flight are waited for, and a second time left to the journal."""
        super().cancel()
        running = self._running
        self._running_call = isinstance(running, Filming) and running.can_leave
        self._offer_anew()

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
        if filmed.film == self.film:  # else it was changed meanwhile, or is a part of it
            self._script.film = filmed.film
        message, problem = filmed.message, bool(filmed.problem or filmed.film.failed)
        caption = f"Scene {filmed.scene}: {filmed.video.caption}" if filmed.scene and filmed.video else ""
        self._after_call(lambda: self._show(filmed.video, caption=caption))
        self._finish("done", message, problem=problem)

    def _taken(self, call: BackgroundCall, running: Running, place: int) -> None:
        """Show another take; on the clock's thread."""
        if call.made is None:
            price = self._take_price(place)
            error = call.error
            if isinstance(error, ViduError) and running.is_cancelled:
                self._finish("failed", cancelled(error, price), problem=False, error=error)
            else:
                self._failed(call, was_cancelled=False)
            return
        self._service.learn(call.made, running.request.model)
        self._after_call(lambda: self._show(call.made, caption=f"Scene {place + 1}: {call.made.caption}"))
        self._finish("done", f"Another take of scene {place + 1} is kept. What continues from it follows the newest.",
                     problem=False)  # fmt: skip

    def _failed(self, call: BackgroundCall, *, was_cancelled: bool) -> None:
        text = "Cancelled. What was made is kept." if was_cancelled else failure_text(call.error)
        self._after_call(lambda: None)
        self._finish("failed", text, problem=not was_cancelled, error=call.error)

    def _after_call(self, show: Callable[[], None]) -> None:
        """Show the storyboard as it is now; what came is kept, whatever the page says to it."""
        self._running = None
        try:
            self._draw()
            show()
        except Exception as error:  # it is kept, whatever the poster or the front end says
            self._say(f"It is kept, but could not be shown: {error}", problem=True)

    # What is seen.

    def _draw(self) -> Board:
        """Show the scenes with what is kept of them, what is being made, and what the rest costs."""
        with self._drawing, self.hold_sync():
            running, client, script = self._running, self._looked_at, self._script
            runner = running.runner if isinstance(running, Filming) else None
            film = script.film.quoted(quote_film(script.film, client, workers=WORKERS), client)
            found = {**film.failed, **find_clips(film, client)}
            flying: frozenset[int] = frozenset()
            if runner is not None and len(runner.requests) == len(film):
                found, flying = found | ({} if runner.is_free else runner.results), runner.in_flight
            script.film = film
            self.film = film
            board = self._board = make_board(film, found, client, flying)
            rows = dict(zip(script.placed, board.rows, strict=True))
            can_pay = self._service.can_pay
            if film.cast is not self._drawn_cast:
                self._drawn_cast, self._members = film.cast, member_items(film.cast)
            self._posters = posters(board, script.placed)
            self._scenes = [
                scene_item(one, rows.get(one.id), film, client, can_pay=can_pay) for one in script.drafts
            ]  # fmt: skip
            self._head = heading_item(script.heading, film, board) | {"can_restore": script.can_restore}
            self.problems = script.problems
            self._offer_anew()
            if self._is_displayed:
                self._later.put_off(self._save)
            return board

    @property
    def _looked_at(self) -> Client:
        """Whose archive of clips is shown: that of whoever can be paid, also without a key."""
        return self._service.client(self._service.engine)

    def _offer_anew(self) -> None:
        """Show what a click on the buttons would do."""
        quote, running = self.film.quote, self._running
        problem = "; ".join(f"{scene}: {sentence}" for scene, sentence in self._script.problems[:2])
        offer = FilmOffer(problem, len(self.film), len(quote.kept), len(quote.blocked), quote.price_usd, quote.seconds,
                          self._service.can_pay, self._budget, self._service.credits)  # fmt: skip
        leaves = isinstance(running, Filming) and running.can_leave
        self._offer = offer.item(is_running=running is not None) | {"leaves": leaves}

    def _take_price(self, place: int) -> float:
        price: float = self.film.quote.prices[place]
        return price

    def _place_of(self, name: object) -> int:
        """Return a scene's place in the film."""
        self._whole()
        return self._script.placed.index(self._script.find(name).id)

    def _show(self, video: Video | None, *, caption: str) -> None:
        """Play a clip, and keep it and the storyboard in the cell's output; without one, the storyboard."""
        if video is None:
            self._save()
            return
        self.video = video
        with self._saving:
            self._tools = tools_for(video)
            self._view.show(video, caption=caption, bundle=lambda: self._bundle_with(video))

    def _save(self) -> None:
        """Put the scenes as they are now into the cell's output, which the notebook saves."""
        with self._saving:
            self._later.drop()
            self._view.keep(self._bundle())

    def _bundle_with(self, video: Video) -> dict[str, Any]:
        self._clip = video._repr_mimebundle_()
        return self._bundle()

    def _bundle(self) -> dict[str, Any]:
        """Return what the saved notebook shows without a kernel: the clip, and the storyboard as a page below it."""
        board, clip = self._board, self._clip
        text, page = storyboard_text(board), storyboard_html(board, most=_STATIC_BYTES)
        if not clip:
            return {"text/plain": text, "text/html": page, "image/jpeg": storyboard_jpeg(board)}
        return {**clip, "text/plain": text, "text/html": f"{clip['text/html']}{page}"}

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
            if self._is_displayed:  # a notebook that runs by itself is saved when its last cell has ended
                self._save()

    def _ipython_display_(self) -> None:
        shown = self._repr_mimebundle_()
        display(shown[0] if shown else {}, raw=True)
        self._save()
        self._view.display()
        self._is_displayed = True

    def __repr__(self) -> str:
        many = len(self.film)
        return f"FilmPanel({many} scene{'s' if many != 1 else ''} · {self.state})"
