"""`panel`: every parameter of a model as a widget, previews for free, results for money, and a history."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import ipywidgets as widgets
import traitlets
from IPython.display import display

from ..catalogue.model import Model
from ..catalogue.models import DEFAULT, models
from ..catalogue.request import PREVIEW, Request
from ..client.client import Client
from ..console import dollars
from ..errors import InvalidRequest, OutcomeUnknown, ViduError
from ..films.film import Film
from ..references.cast import Cast
from ..references.reference import Reference, Source
from ..request import DEFAULTS, AspectRatio, MovementAmplitude, given
from ..video import Video
from .actions import ActionBar, cancelled
from .background import BackgroundCall
from .calling import CallingPanel
from .carry import room_for
from .casting import without_mentions
from .film_panel import FilmPanel
from .form import Form, noun_of
from .header import Header
from .history import ArchiveList, HistoryStrip
from .live import LiveDraft
from .made import Made, each
from .result import ResultTools, ResultView
from .running import Running
from .service import Service

Kind = Literal["preview", "generate"]
_CSS = Path(__file__).with_name("panel.css")


class Panel(CallingPanel):
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

    model = traitlets.Any()
    request = traitlets.Any(None, allow_none=True)
    problems = traitlets.Tuple()
    video = traitlets.Any(None, allow_none=True)
    history = traitlets.Tuple()

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        client: Client | None = None,
        model: Model | str | None = None,
    ) -> None:
        super().__init__()
        self._service = Service(client)
        self._form = Form(values or {}, model=models.find(model))
        self.model = self._form.model
        self._header = Header(self._form, lambda slug: self.set_trait("model", slug))
        self._result = ResultView()
        self._live = LiveDraft(self._form, self._result, self._say)
        self._actions: ActionBar = ActionBar(
            preview=lambda: self._click("preview"),
            generate=lambda: self._click("generate"),
            again=lambda: self._click("generate", again=True),
            cancel=self.cancel,
            beside=self._live.box,
        )
        self._tools = ResultTools(self._service.archive, self._use_seed, self._use_picture)
        self._strip = HistoryStrip(self._open, self._try_to_compare)
        self._kept = ArchiveList(self._service.archive, self._open, self._try_to_compare)
        self.children = self._parts()
        self.add_class("vidu-panel")
        self._form.on_change = self._changed
        self._changed()
        self._service.ask_balance(self._offer)

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

    def cancel(self) -> None:
        """End the call in flight, at once; one that was sent may still be billed."""
        self._actions.cancelling()
        super().cancel()

    # A call.

    def _click(self, kind: Kind, *, again: bool = False) -> None:
        """Begin what a button stands for, once what was typed before the click is here."""
        named_a_price = self._actions.names_a_price  # what the person read who pressed it
        self._after_typing(lambda: self._begin(kind, again=again, named_a_price=named_a_price))

    def _begin(self, kind: Kind, *, again: bool, named_a_price: bool) -> None:
        """Begin what was clicked, now that the page's changes are here; whatever is wrong is shown in the panel."""
        service = self._service
        service.look_again()
        self._changed()
        if kind == "generate" and not service.is_kept(self.request, service.engine):
            if not service.can_pay:
                self._say(service.problem)
                return
            if not named_a_price:  # somebody pressed a button that said something else
                price, noun = dollars(service.price_usd(self._form.model, self.request)), noun_of(self._form.model)
                self._say(f"No {noun} is kept for this: press Generate again to pay for it, about {price}.")
                return
        self._start(kind, again=again, shows=True)

    def _start(self, kind: Kind, *, fresh: bool = False, again: bool = False, shows: bool = False) -> BackgroundCall:
        """Begin a call in the background; with `shows`, its clip goes to the place below the panel."""
        request = self._form.request
        if request is None:
            problems = self._form.problems
            raise InvalidRequest("; ".join(text for _, text in problems), field=problems[0][0], problems=problems)
        service, engine = self._service, PREVIEW
        if kind == "generate" and (service.look_again() or (not fresh and service.is_kept(request, service.engine))):
            engine = service.engine
        running = Running(service, request, engine, fresh=fresh, again=again, shows=shows)
        return self._launch(running, lambda call: self._ended(call, running))

    def _begun(self) -> None:
        self._live.rest()

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
        message = f"{type(failure).__name__}: {failure}"
        if isinstance(failure, ViduError):
            price = self._service.price_usd(running.request.model, running.request)
            message = cancelled(failure, price) if running.is_cancelled else str(failure)
        is_unknown = isinstance(failure, OutcomeUnknown) and not failure.fetchable
        if running.engine != PREVIEW and is_unknown:
            self._actions.offer_pay_again()
        self._finish("failed", message, problem=not running.is_cancelled, error=failure)

    def _arrived(self, made: Any, running: Running) -> None:
        first = each(made)[0]
        self.video = made
        if running.shows:
            self._result.show(made)
        known = [earlier.path for earlier in self.history]
        new = [one for one in each(made) if one.path not in known]
        for one in reversed(new):  # the newest stand first, and samples in their own order
            self._strip.add(one)
        self.history = (*self.history, *new)
        self._service.learn(first, running.request.model)
        if first.receipt and not first.receipt.replayed:
            self._form.after_a_run()
        self._tools.show(made)
        self._changed()

    def _changed(self) -> None:
        """Follow the form, which says something else, or of which something else is known."""
        if self._form.request != self.request:
            self._actions.withdraw_pay_again()  # it was for the request before
        self._offer()
        self.request, self.problems = self._form.request, self._form.problems
        (self._live.rest if self._is_busy else self._live.follow)()

    def _offer(self) -> None:
        """Show what a click on the buttons would do."""
        self._actions.offer(self._service.offer(self._form.model, self._form.request, self._form.problems))

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
        self._header.follow()
        left = f" Not for it: {', '.join(dropped)}; that comes back with {old.title}." if dropped else ""
        self._say(f"{model.title}: {dollars(self._service.price_usd(model, self.request))} a {noun_of(model)}.{left}")

    @traitlets.validate("request")
    def _request_is_one(self, proposal: Mapping[str, Any]) -> Request | None:
        value = proposal["value"]
        if value is None or value is self._form.request:
            return self._form.request
        try:
            if isinstance(value, Request):
                return value.replace()  # checked anew
        except AttributeError:  # made without being checked, and not whole
            pass
        raise InvalidRequest(f"request: {type(value).__name__} is not a whole request", field="request")

    @traitlets.observe("request")
    def _request_assigned(self, change: Mapping[str, Any]) -> None:
        request = change["new"]
        if request is None or request is self._form.request:
            return
        values = request.values()
        values = without_mentions(request.model, values) if self._form.cast else values
        if request.model == self._form.model:
            self._form.fill(values)
            return
        self._form.use(request.model, {name: one for name, one in values.items() if one is not None})
        self.model = self._form.model
        self._header.follow()

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

    def _open(self, made: Made) -> None:
        """Bring a result back: itself and its parameters."""
        if not self._try_to_show(made):
            return
        self._tools.show(made)
        self.video = made
        if made.request:
            self.request = made.request
            self._say(f"Brought back: {made.caption}")
        else:
            self._say(f"Shown: {made.caption}. Its pictures are gone, so the controls stay as they are.")

    def _try_to_show(self, made: Made) -> bool:
        try:
            self._result.show(made)
        except (ViduError, OSError, ValueError) as error:  # the file has gone, or is no clip or picture any more
            self._say(f"{made.path.name} can't be shown: {error}", problem=True)
            return False
        return True

    def _try_to_compare(self, made: Sequence[Made]) -> None:
        try:
            self._result.compare(made)
        except (ViduError, OSError, ValueError) as error:
            self._say(f"{', '.join(one.path.name for one in made)} can't be shown: {error}", problem=True)

    def _parts(self) -> tuple[Any, ...]:
        """Return what the panel is made of, from top to bottom."""
        style = widgets.HTML(f"<style>{_CSS.read_text(encoding='utf-8')}</style>", layout={"display": "none"})
        parts = (self._header, self._form, self._actions, self._tools, self._strip, self._kept)
        return (style, *(part.box for part in parts), self._result.bar, self._result.output)

    def _ipython_display_(self) -> None:
        display(self._repr_mimebundle_(), raw=True)
        self._result.display()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return {**super()._repr_mimebundle_(**options), "text/plain": repr(self)}

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
    if isinstance(prompt, Film):
        values.pop("prompt", None)
        if strange := [*values, *parameters, *(["model"] if model else [])]:
            message = f"{strange[0]}: a film has its own: panel(film.replace({strange[0]}=...)) changes it"
            raise InvalidRequest(message, field=strange[0])
        return FilmPanel(prompt, client=client)
    return Panel(values | parameters, client=client, model=model)


def _arrival(made: Any) -> str:
    """Say that a result is there."""
    first, *others = each(made)
    return f"Here {f'they are, {len(others) + 1} pictures' if others else 'it is'}: {first.caption}"
