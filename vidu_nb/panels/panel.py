"""`panel`: every parameter of a model as a widget, previews for free, results for money, and a history."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

import traitlets
from IPython.display import display

from ..catalogue.model import Model
from ..catalogue.models import DEFAULT, models
from ..catalogue.request import PREVIEW, Request
from ..client.client import Client
from ..console import dollars
from ..errors import InvalidRequest, OutcomeUnknown, ViduError
from ..files import shown_path
from ..films.clips import frame_after
from ..references.cast import Cast
from ..references.last_frame import opening
from ..references.reference import Reference, Source
from ..request import DEFAULTS, AspectRatio, MovementAmplitude, given
from ..video import Video
from ..widgets.front import Answer, FrontEnd
from ..widgets.members import member_items
from .actions import cancelled, failure_text, price_in
from .background import BackgroundCall, in_background
from .calling import Calling
from .carry import room_for
from .casting import without_mentions
from .form import Form, noun_of
from .header import Header
from .history import MAX_COMPARED, Cards, Kept, find_made
from .live import LiveDraft
from .made import Made, each
from .result import ResultView
from .running import Running
from .service import Service
from .tools import code_for, save_copy, seed_after, tools_for

if TYPE_CHECKING:  # a film brings numpy, PyAV and OpenCV: most panels never need one
    from ..films.film import Film
    from .film_panel import FilmPanel

Kind = Literal["preview", "generate"]
_NONE = object()


class Panel(Calling, FrontEnd):
    """Controls for every parameter of a model, with previews and results; shows itself as a cell's last value.

    Made by `panel`. From code it does what it does by hand: `preview`, `generate`, `await run()`.

    Attributes
    ----------
    model : Model
        What is asked. Assigning another, or its slug, changes the controls; what both have stays as it is.
    request : Request or None
        What the controls say, None while something is missing or wrong. Assigning one fills the controls, and chooses
        its model.
    problems : tuple of (str, str)
        Parameter and sentence for each thing that is missing or wrong.
    video : Video, Picture, tuple of Picture or None
        What is shown.
    history : tuple of Video and Picture
        What this panel made, oldest first.
    state : str
        ``"ready"``, ``"running"``, ``"done"`` or ``"failed"``; observable, as are the others, and when a call ends the
        last to change.
    stage : str
        What the call in flight is doing, such as ``"The model is at work"``; empty while none is.
    progress : float
        The share of the call in flight that is done, 0 to 1: as the service reports it, else estimated from the clock.
    message : str
        The last sentence below the buttons: what came of a call, or why nothing was done.
    error : ViduError or None
        The last call's error, where it failed.
    film : Film or None
        The scenes that "Add to a film" has collected.

    >>> import asyncio
    >>> from PIL import Image
    >>> panel = Panel({"prompt": "A wall. Zoom in.", "references": Image.new("RGB", (256, 256)), "aspect_ratio": "1:1"})
    >>> panel.fill(seed=7)
    >>> panel.preview()  # panel.generate() pays, where there is a key; panel.cancel() from another cell ends it
    Video(1:1 · 5 s · seed 7 · preview, ...)
    >>> asyncio.run(panel.run("preview"))  # in a notebook: await panel.run()
    Video(1:1 · 5 s · seed 7 · preview, ...)
    >>> panel.wait(), panel.state, panel.message  # also for a call that a button began
    (True, 'done', 'Here it is: 1:1 · 5 s · seed 7 · preview, free')
    """

    files = (
        "dom", "focus", "status", "pieces", "mentions", "tray", "receiving", "timeline", "synchroniser", "controls",
        "result",
        "panel",
    )  # fmt: skip

    model = traitlets.Any()
    request = traitlets.Any(None, allow_none=True)
    problems = traitlets.Tuple()
    video = traitlets.Any(None, allow_none=True)
    history = traitlets.Tuple()
    film = traitlets.Any(None, allow_none=True)

    # What the page shows.
    _head = traitlets.Dict().tag(sync=True)  # models, starting points, sample pictures
    _controls = traitlets.List(traitlets.Dict()).tag(sync=True)
    _words = traitlets.Dict().tag(sync=True)  # what stands in an empty prompt, and advice
    _values = traitlets.Dict().tag(sync=True)  # what each control holds, but the trays
    _trays = traitlets.Dict().tag(sync=True)  # what each tray holds
    _remarks = traitlets.Dict().tag(sync=True)  # what is wrong or unusual, by parameter
    _cast = traitlets.Dict().tag(sync=True)  # members, and who of them is mentioned
    _offer = traitlets.Dict().tag(sync=True)  # the buttons
    _switches = traitlets.Dict().tag(sync=True)  # live drafts; whether the seed stays
    _result = traitlets.Dict().tag(sync=True)  # what is played
    _tools = traitlets.Dict().tag(sync=True)  # what can be done with it
    _strip = traitlets.List(traitlets.Dict()).tag(sync=True)  # this panel's results
    _kept = traitlets.Dict().tag(sync=True)  # the archive's
    _place = traitlets.Unicode().tag(sync=True)  # the class of the cell's output that shows the same

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        client: Client | None = None,
        model: Model | str | None = None,
    ) -> None:
        self._view = ResultView(lambda item: self.set_trait("_result", item), self.send)
        super().__init__(_place=self._view.name)
        self._service = Service(client)
        self._form = Form(values or {}, model=models.find(model))
        self._header = Header(self._form)
        self._live = LiveDraft(self._form, self._view, self._say)
        self._cards = Cards(lambda items: self.set_trait("_strip", items))
        self._archived = Kept(self._service.archive, lambda item: self.set_trait("_kept", item))
        self._seen: Made | None = None  # what the tools are for
        self._can_pay_again = False
        self._refusal = ""  # why nothing was done: what was said last, until that has changed
        self._drawn_cast: Cast | None = None
        self._faces: list[dict[str, str]] = []
        self._following = threading.local()
        self.model = self._form.model
        self._form.on_change = self._changed
        self._form.on_cards = lambda: self.set_trait("_trays", self._form.trays())
        self._show_controls()
        self._changed()
        self._service.ask_balance(self._offer_anew)

    # From code.

    @property
    def cast(self) -> Cast | None:
        """Whom the prompt may mention as ``@name``; given with the ``references``."""
        return self._form.cast

    def fill(self, **parameters: Any) -> None:
        """Put parameters into the controls, those of the model that is chosen.

        Raises
        ------
        InvalidRequest
            A value that its control can't show; nothing was changed.
        """
        self._form.fill(parameters)

    def preview(self) -> Video:
        """Make a free preview of what the controls say, and return it; of a model of pictures, what that returns.

        Raises
        ------
        ViduError
            Something is missing or wrong (`InvalidRequest`); else see `Client.generate`.
        """
        made: Video = self._wait_for(self._start("preview"))  # of a model of pictures, what that returns
        return made

    def generate(self, *, fresh: bool = False, again: bool = False) -> Video:
        """Make what the controls ask for, and return it; without a key, a preview, as `vidu_nb.generate` does.

        Parameters
        ----------
        fresh
            Pay for another take, though one may be kept.
        again
            Pay again, though an earlier call has an unknown outcome.

        Raises
        ------
        ViduError
            As for `preview`.
        """
        made: Video = self._wait_for(self._start("generate", fresh=fresh, again=again))
        return made

    async def run(self, kind: Kind = "generate", *, fresh: bool = False, again: bool = False) -> Video:
        """The same to be awaited: other work of the kernel's event loop goes on; an interrupt cancels the call."""
        call = self._start(kind, fresh=fresh, again=again)
        try:
            while not call.has_ended:  # noqa: ASYNC110  # it ends on a thread, which no asyncio.Event hears of
                await asyncio.sleep(0.1)
        except BaseException:
            self.cancel()
            raise
        made: Video = call.result()  # of a model of pictures, what that returns
        return made

    # What the page asks for.

    def _answer(self, do: str, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> Answer | None:
        values = content.get("values")
        if isinstance(values, Mapping):  # what was typed before the click
            self._form.take(values, of=content.get("of"))
        if isinstance(tray := content.get("tray"), str):
            control = self._form.controls.get(tray)
            if control is None or control.tray is None:
                raise InvalidRequest("there is no such tray any more")
            return control.tray.answer(do, content, buffers)
        act = self._acts.get(do)
        if act is None:
            raise InvalidRequest("that is not something the panel can do")
        return act(self, content)

    def _press(self, content: Mapping[str, Any]) -> None:
        """Begin what a button stands for."""
        price = price_in(content)
        match content.get("button"):
            case "preview":
                self._clicked(lambda: self._start("preview", shows=True))
            case "generate":
                self._clicked(lambda: self._begin(price))
            case "again":
                self._clicked(lambda: self._begin_again(price))
            case "cancel":
                self.cancel()
            case _:
                raise InvalidRequest("there is no such button")

    def _switch(self, content: Mapping[str, Any]) -> None:
        """Turn live drafts, or keeping the seed, on or off."""
        on = content.get("on") is True
        if content.get("switch") == "live":
            self._live.switch(on=on)
        elif content.get("switch") == "keep":
            self._form.keeps_seed = on
        self._show_switches()

    def _piece(self, content: Mapping[str, Any]) -> Answer:
        return self._view.piece(content.get("shown"), content.get("item"), content.get("at"))

    def _choose_model(self, content: Mapping[str, Any]) -> None:
        self.model = str(content.get("slug"))

    def _choose_idea(self, content: Mapping[str, Any]) -> None:
        self._header.choose(str(content.get("idea")))
        self._head = self._header.item()

    def _open_card(self, content: Mapping[str, Any]) -> None:
        self._open(find_made(content.get("id"), self._cards, self._archived.cards))

    def _compare_cards(self, content: Mapping[str, Any]) -> None:
        names = content.get("ids")
        chosen = [
            find_made(one, self._cards, self._archived.cards) for one in (names if isinstance(names, list) else [])
        ]
        if not 2 <= len(chosen) <= MAX_COMPARED:
            raise InvalidRequest(f"2 to {MAX_COMPARED} can be compared")
        try:
            self._view.compare(chosen)
        except (OSError, ValueError) as error:
            self._say(f"{', '.join(one.path.name for one in chosen)} can't be shown: {error}", problem=True)

    def _with_seen(self, content: Mapping[str, Any]) -> Answer | None:
        """Do something with the result that is shown."""
        made = self._seen
        if made is None:
            raise InvalidRequest("nothing is shown yet")
        match content.get("tool"):
            case "code":
                return {"code": code_for(made, content.get("language"), self._service.archive)}
            case "save":
                return {"message": f"Saved as {shown_path(save_copy(made, content.get('name')))}"}
            case "seed" if made.seed is not None:
                self._use_seed(made.seed)
            case "next seed" if (seed := seed_after(made)) is not None:
                self._use_seed(seed)
            case "reference" if not isinstance(made, Video):
                self._use_picture(made)
            case "continue" if isinstance(made, Video):
                self._continue_from(made)
            case "film" if made.request is not None:
                self._add_to_film(made)
            case _:
                raise InvalidRequest("that can't be done with it")
        return None

    _acts: ClassVar[Mapping[str, Callable[[Any, Mapping[str, Any]], Answer | None]]] = {
        "hello": lambda _self, _content: in_background(_prepare),
        "values": lambda _self, _content: None,
        "press": _press,
        "switch": _switch,
        "piece": _piece,
        "model": _choose_model,
        "idea": _choose_idea,
        "samples": lambda self, _: self._header.add_samples(),
        "roll": lambda self, _: self._form.roll(),
        "open": _open_card,
        "compare": _compare_cards,
        "kept": lambda self, _: self._archived.open(),
        "more": lambda self, _: self._archived.more(),
        "tool": _with_seen,
    }

    # A call.

    def _begin(self, named: float | None) -> None:
        """Begin what Generate stands for, at the price that was named to whoever pressed it."""
        service = self._service
        service.look_again()
        self._changed()
        is_kept = service.is_kept(self._form.request, service.engine)
        if not (is_kept or service.can_pay):
            self._say(service.problem)
        elif is_kept or self._is_at(named, "Generate"):
            self._start("generate", shows=True, may_pay=not is_kept)

    def _begin_again(self, named: float | None) -> None:
        """Send the request once more whose outcome is unknown."""
        self._service.look_again()
        self._changed()
        if not self._can_pay_again:
            self._say("Nothing was sent: no call with an unknown outcome is for what the controls say now.")
        elif not self._service.can_pay:
            self._say(self._service.problem)
        elif self._is_at(named, "Pay again"):
            self._start("generate", again=True, shows=True)

    def _is_at(self, named: float | None, button: str) -> bool:
        """Return whether a call still costs what was named, or less; else the panel says what it costs."""
        price, noun = self._service.price_usd(self._form.model, self._form.request), noun_of(self._form.model)
        if named is None:  # somebody pressed a button that said something else
            self._say(f"No {noun} is kept for this: press {button} again to pay for it, about {dollars(price)}.")
            return False
        if price > named and dollars(price) != dollars(named):
            self._say(f"This costs about {dollars(price)} by now: press {button} again to pay that.")
            return False
        return True

    def _start(
        self, kind: Kind, *, fresh: bool = False, again: bool = False, shows: bool = False, may_pay: bool = True
    ) -> BackgroundCall:
        """Begin a call in the background.

        With `shows`, its clip goes to the place below the panel; without `may_pay`, it gets what is kept or nothing.
        """
        request = self._form.request
        if request is None:
            problems = self._form.problems
            refusal = InvalidRequest("; ".join(text for _, text in problems), field=problems[0][0], problems=problems)
            self._refusal = str(refusal)
            raise refusal
        service, engine = self._service, PREVIEW
        if kind == "generate" and (service.look_again() or (not fresh and service.is_kept(request, service.engine))):
            engine = service.engine
        running = Running(service, request, engine, fresh=fresh, again=again, shows=shows, may_pay=may_pay)
        return self._launch(running, lambda call: self._ended(call, running))

    def _begun(self) -> None:
        self._live.rest()
        self._can_pay_again = False
        self._offer_anew()

    def _over(self) -> None:
        self._offer_anew()

    def _ended(self, call: BackgroundCall, running: Running) -> None:
        """Show what came of a call; on the clock's thread."""
        if call.made is not None:
            first = each(call.made)[0]
            message, problem = _arrival(call.made), False
            try:
                self._arrived(call.made, running)
            except Exception as error:  # it is kept, whatever the poster or the front end says
                message, problem = f"Kept as {first.path}, but it could not be shown: {error}", True
            self._finish("done", message, problem=problem)
            return
        failure = call.error
        message = failure_text(failure)
        if isinstance(failure, ViduError) and running.is_cancelled:
            message = cancelled(failure, self._service.price_usd(running.request.model, running.request))
        is_unknown = isinstance(failure, OutcomeUnknown) and not failure.fetchable
        if running.engine != PREVIEW and is_unknown:
            self._can_pay_again = True
        self._finish("failed", message, problem=not running.is_cancelled, error=failure)

    def _arrived(self, made: Any, running: Running) -> None:
        first, known = each(made)[0], [earlier.path for earlier in self.history]
        new = [one for one in each(made) if one.path not in known]
        self._service.learn(first, running.request.model)
        try:
            if running.shows:
                self._view.show(made)
            self._cards.add(*new)
            self._show_tools(made)
        finally:  # it is there, whether or not it can be shown
            self.video = made
        self.history = (*self.history, *new)
        if first.receipt and not first.receipt.replayed:
            self._form.after_a_run()
        self._changed()

    def _changed(self) -> None:
        """Follow the form, which says something else, or of which something else is known."""
        form, turn = self._form, -1
        while turn != form.turn:  # again, where another thread has changed it meanwhile
            turn, request, problems = form.turn, form.request, form.problems
            if request != self.request:
                self._can_pay_again = False  # it was for the request before
            self._values, self._remarks, self._trays = form.raws(), form.said(), form.trays()
            self._cast = {"members": self._members(), "mentioned": form.mentioned()} if form.cast else {}
            self._offer_anew()
            self._tell(request, problems)

    def _tell(self, request: Request | None, problems: tuple[tuple[str, str], ...]) -> None:
        """Set what others observe; an observer's mistake holds nothing up but itself."""
        if self._refusal and self._refusal == self.message and problems != self.problems:
            self._say("")
        before = self._followed
        self._following.request = request
        try:
            self.request = request
        finally:
            self._following.request = before
            try:
                self.problems = problems
            finally:
                (self._live.rest if self._is_busy else self._live.follow)()

    @property
    def _followed(self) -> Any:
        """The form's request that this thread is setting; a person's own assignment is of none."""
        return getattr(self._following, "request", _NONE)

    def _members(self) -> list[dict[str, str]]:
        cast = self._form.cast
        if cast is not self._drawn_cast:
            self._drawn_cast, self._faces = cast, member_items(cast) if cast else []
        return self._faces

    def _offer_anew(self) -> None:
        """Show what a click on the buttons would do."""
        form, turn = self._form, -1
        while turn != form.turn:  # again, where another thread has changed it meanwhile
            turn = form.turn
            offer = self._service.offer(form.model, form.request, form.problems)
            is_running = bool(self._running_call)
            self._offer = {**offer.item(is_running=is_running), "can_pay_again": self._can_pay_again and not is_running}

    def _show_controls(self) -> None:
        """Show the controls of the form's model."""
        self._words = {"model": self._form.model.slug, "idea": self._form.idea, "tips": self._form.tips}
        self._head = self._header.item()
        self._show_switches()
        self._controls = self._form.items()

    def _show_switches(self) -> None:
        self._switches = {"live": self._live.is_on, "keep": self._form.keeps_seed}

    def _show_tools(self, made: Any) -> None:
        """Offer what can be done with a result; with the first of several pictures."""
        self._seen = each(made)[0]
        self._tools = tools_for(self._seen)

    @traitlets.validate("model")
    def _model_is_known(self, proposal: Mapping[str, Any]) -> Model:
        found = models.find(proposal["value"])
        return self._form.model if found == self._form.model else found

    @traitlets.observe("model")
    def _model_assigned(self, change: Mapping[str, Any]) -> None:
        model, old = change["new"], self._form.model
        if model is old:
            return
        dropped = self._form.use(model)
        self._show_controls()
        left = f" Not for it: {', '.join(dropped)}; that comes back with {old.title}." if dropped else ""
        self._say(f"{model.title}: {dollars(self._service.price_usd(model, self.request))} a {noun_of(model)}.{left}")

    @traitlets.validate("film")
    def _film_is_one(self, proposal: Mapping[str, Any]) -> Film | None:
        value: Film | None = proposal["value"]
        if value is not None:
            from ..films.film import Film

            if not isinstance(value, Film):
                raise traitlets.TraitError(f"film: {type(value).__name__} is no Film")
        return value

    @traitlets.validate("request")
    def _request_is_one(self, proposal: Mapping[str, Any]) -> Request | None:
        value = proposal["value"]
        if value is self._followed:
            own: Request | None = value
            return own
        try:
            if isinstance(value, Request):
                return value.replace()  # checked anew
        except AttributeError:  # made without being checked, and not whole
            pass
        raise InvalidRequest(f"request: {type(value).__name__} is not a whole request", field="request")

    @traitlets.observe("request")
    def _request_assigned(self, change: Mapping[str, Any]) -> None:
        request = change["new"]
        if request is self._followed or request is self._form.request:
            return
        if request is None:
            self.request = self._form.request
            return
        values = request.values()
        values = without_mentions(request.model, values) if self._form.cast else values
        if request.model == self._form.model:
            self._form.fill(values)
            return
        self._form.use(request.model, {name: one for name, one in values.items() if one is not None})
        self.model = self._form.model
        self._show_controls()

    # What is seen.

    def _use_seed(self, seed: int) -> None:
        """Put a result's seed into the form, where its model takes one."""
        if (control := self._form.by_role("seed")) is None:
            self._say(f"{self._form.model.title} has no seed.")
        else:
            self.fill(**{control.field.parameter: seed})

    def _use_picture(self, picture: Made) -> None:
        """Put a picture among the references of a clip, with the model of clips that is chosen or else the default."""
        model = self._form.model
        self.model = model if model.returns == "video" and model.by_role("references") else models[DEFAULT]
        tray = self._form.by_role("references")
        if tray is None:
            return
        own, new = tray.value or (), Reference(picture.path)
        if new in own or len(own) < room_for(tray.field):
            self.fill(references=own if new in own else (*own, new))
            self._say(f"{new.label} is among the reference pictures of {self._form.model.title}.")
        else:
            self._say(f"There are {len(own)} reference pictures already: remove one first.", problem=True)

    def _continue_from(self, clip: Video) -> None:
        """Put a clip's last frame before the references, and say so in the prompt."""
        model = self._form.model
        tray, prompt = self._form.by_role("references"), self._form.by_role("prompt")
        if tray is None or prompt is None or tray.field.type != "pictures":
            self._say(f"{model.title} takes no reference pictures to continue from.", problem=True)
            return
        frame = frame_after(clip, self._service.client(PREVIEW if clip.is_preview else self._service.engine))
        own = [one for one in tray.value or () if one != frame]
        words = opening(model.name_pictures)
        text = prompt.raw if prompt.raw.startswith(words) else f"{words}{prompt.raw}"
        self.fill(references=(frame, *own[: room_for(tray.field) - 1]), **{prompt.field.parameter: text})
        self._say("The last frame is the first reference picture: write what happens next.")

    def _add_to_film(self, made: Made) -> None:
        """Put what was asked for at the end of `film`, which begins with it."""
        from ..films.film import Film
        from ..films.scene import Scene

        request = made.request
        if request is None or request.model.returns != "video":
            raise InvalidRequest("only clips make a film")
        asked = without_mentions(request.model, request.values())  # a film reads an @ as a mention
        values = {name: one for name, one in asked.items() if one is not None}
        field = request.model.by_role("prompt")
        scene = Scene(str(values.pop(field.parameter)) if field else "", model=request.model, **values)
        if self.film:
            self.film = self.film.insert(len(self.film), scene)
        else:
            self.film = Film([scene], model=request.model, client=self._service.client(self._service.engine))
        self._say(f"Scene {len(self.film)} of panel.film: vidu.panel(panel.film) opens it.")

    def _open(self, made: Made) -> None:
        """Bring a result back: itself and its parameters."""
        if not self._try_to_show(made):
            return
        self._show_tools(made)
        self.video = made
        if made.request:
            self.request = made.request
            self._say(f"Brought back: {made.caption}")
        else:
            self._say(f"Shown: {made.caption}. Its pictures are gone, so the controls stay as they are.")

    def _try_to_show(self, made: Made) -> bool:
        try:
            self._view.show(made)
        except (ViduError, OSError, ValueError) as error:  # the file has gone, or is no clip or picture any more
            self._say(f"{made.path.name} can't be shown: {error}", problem=True)
            return False
        return True

    def _ipython_display_(self) -> None:
        bundle, _ = self._repr_mimebundle_() or ({}, {})
        display(bundle, raw=True)
        self._view.display()

    def __repr__(self) -> str:
        model = self._form.model
        parts = [*([] if model == DEFAULT else [model.title]), *self._form.labels(), self.state]
        return f"Panel({' · '.join(parts)})"


@overload
def panel(prompt: Film, *, client: Client | None = None) -> FilmPanel: ...
@overload
def panel(
    prompt: str = DEFAULTS.prompt,
    references: Source = DEFAULTS.references,
    *,
    aspect_ratio: AspectRatio = DEFAULTS.aspect_ratio,
    duration: int = DEFAULTS.duration,
    seed: int = DEFAULTS.seed,
    bgm: bool = DEFAULTS.bgm,
    movement_amplitude: MovementAmplitude = DEFAULTS.movement_amplitude,
    model: Model | str | None = None,
    client: Client | None = None,
    **parameters: Any,
) -> Panel: ...
def panel(
    prompt: str | Film = DEFAULTS.prompt,
    references: Source = DEFAULTS.references,
    *,
    aspect_ratio: AspectRatio = DEFAULTS.aspect_ratio,
    duration: int = DEFAULTS.duration,
    seed: int = DEFAULTS.seed,
    bgm: bool = DEFAULTS.bgm,
    movement_amplitude: MovementAmplitude = DEFAULTS.movement_amplitude,
    model: Model | str | None = None,
    client: Client | None = None,
    **parameters: Any,
) -> Panel | FilmPanel:
    """Every parameter of a model as a widget, with free previews, paid clips or pictures, and a history.

    Parameters
    ----------
    prompt, references, aspect_ratio, duration, seed, bgm, movement_amplitude
        What the controls say at first; see `vidu_nb.generate`. With a `Cast` among the references, its cards stand by
        the prompt, which mentions them as ``@name``. A `Film` in the prompt's place gives its storyboard as a widget.
    model
        A `Model` or its slug from `models`; the panel has a list to choose another from.
    client
        Who makes the clips; defaults to the hosted service once a key is set.
    **parameters
        Another model's own, as ``models[slug].fields`` names them.

    Returns
    -------
    Panel or FilmPanel
        Shows itself as a cell's last value.

    Raises
    ------
    InvalidRequest
        A value that no control can show, no such model, or a parameter beside a film, which has its own.

    >>> panel("A cat naps.", seed=7)
    Panel(16:9 · 5 s · seed 7 · ready)
    >>> panel("A cat naps.", model="sdxl1.0-txt2img", seed=7, samples=2).model.title
    'SDXL 1.0 text to image'
    """
    values = given({
        "prompt": prompt, "references": references, "aspect_ratio": aspect_ratio, "duration": duration, "seed": seed,
        "bgm": bgm, "movement_amplitude": movement_amplitude,
    })  # fmt: skip
    if not isinstance(values.get("prompt", ""), str):
        from ..films.film import Film
        from .film_panel import FilmPanel

        if isinstance(prompt, Film):
            del values["prompt"]
            if strange := [*values, *parameters, *(["model"] if model else [])]:
                message = f"{strange[0]}: a film has its own: panel(film.replace({strange[0]}=...)) changes it"
                raise InvalidRequest(message, field=strange[0])
            return FilmPanel(prompt, client=client)
    return Panel(values | parameters, client=client, model=model)


def _prepare() -> None:
    """Import what the first clip wants, once the panel is seen and nobody waits for it."""
    import av  # noqa: F401

    from ..animatic.server import server  # noqa: F401


def _arrival(made: Any) -> str:
    """Say that a result is there."""
    first, *others = each(made)
    return f"Here {f'they are, {len(others) + 1} pictures' if others else 'it is'}: {first.caption}"
