"""`panel`: every parameter as a widget, previews for free, clips for money, and what came of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import ipywidgets as widgets
import traitlets
from IPython.display import display

from ..client.client import Client
from ..errors import InvalidRequest, OutcomeUnknown, Unreachable, ViduError
from ..references.reference import Source
from ..request import PREVIEW, AspectRatio, MovementAmplitude, VideoRequest
from ..video import Video
from ..widgets.roundtrip import Roundtrip
from .actions import Actions, cancelled
from .background import Job
from .form import Form
from .header import Header
from .history import Shelf, Strip
from .live import Live
from .result import Screen, Tools
from .service import Service

Kind = Literal["preview", "generate"]
_CSS = Path(__file__).with_name("panel.css")


class Panel(widgets.VBox):
    """Controls for every parameter of a request, with previews and clips; shows itself as a cell's last value.

    Made by `panel`. From code it does what it does by hand: `preview`, `generate`, `await run()`.

    Attributes
    ----------
    request : VideoRequest or None
        What the controls say, None while something is missing or wrong. Assigning one fills the controls.
    problems : tuple of (str, str)
        Parameter and sentence for each thing that is missing or wrong.
    video : Video or None
        The clip that is shown.
    history : tuple of Video
        This panel's clips, oldest first.
    state : str
        ``"ready"``, ``"running"``, ``"done"`` or ``"failed"``; observable, as are the others.
    error : ViduError or None
        What the last call came to, where it failed.

    >>> import asyncio
    >>> from PIL import Image
    >>> panel = Panel({"prompt": "A wall. Zoom in.", "references": Image.new("RGB", (256, 256)), "aspect_ratio": "1:1"})
    >>> panel.fill(seed=7)
    >>> panel.preview()  # panel.generate() pays, where there is a key; panel.cancel() from another cell ends it
    Video(1:1 · 5 s · seed 7 · preview, ...)
    >>> asyncio.run(panel.run("preview"))  # in a notebook: await panel.run()
    Video(1:1 · 5 s · seed 7 · preview, ...)
    """

    request = traitlets.Any(None, allow_none=True)
    problems = traitlets.Tuple()
    video = traitlets.Any(None, allow_none=True)
    history = traitlets.Tuple()
    state = traitlets.Unicode("ready")
    error = traitlets.Any(None, allow_none=True)

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        client: Client | None = None,
        model: type[VideoRequest] = VideoRequest,
    ) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._job: Job | None = None
        self._caller: Client | None = None  # whose call is in flight
        self._is_cancelled = False
        self._is_asking = False  # a click waits for what was typed before it
        self._roundtrip = Roundtrip()
        self._service = Service(client)
        self._actions = Actions(
            preview=lambda: self._click("preview"),
            generate=lambda: self._click("generate"),
            again=lambda: self._click("generate", again=True),
            cancel=self.cancel,
        )
        self._form = Form(values or {}, model=model)
        self._screen = Screen()
        self._live = Live(self._service.archive, self._form, self._screen, self._actions.say)
        self._tools = Tools(self._service.archive, lambda seed: self.fill(seed=seed))
        self._strip = Strip(self._open, self._try_to_show)
        self._shelf = Shelf(self._service.archive, self._open, self._try_to_show)
        self.children = self._rooms()
        self.add_class("vidu-panel")
        self._form.on_change = self._changed
        self._changed()

    # From code.

    def fill(self, **parameters: Any) -> None:
        """Put parameters into the controls.

        Raises
        ------
        InvalidRequest
            A value that its control can't show; nothing was changed.
        """
        self._form.fill(parameters)

    def preview(self) -> Video:
        """Make a free preview of what the controls say, and return it.

        Raises
        ------
        ViduError
            Something is missing or wrong (`InvalidRequest`); else see `Client.generate`.
        """
        return self._wait_for(self._start("preview"))

    def generate(self, *, fresh: bool = False, again: bool = False) -> Video:
        """Make the clip that the controls ask for, and return it; without a key, a preview, as `vidu_nb.generate` does.

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
        return self._wait_for(self._start("generate", fresh=fresh, again=again))

    async def run(self, kind: Kind = "generate", *, fresh: bool = False, again: bool = False) -> Video:
        """The same to be awaited: other work of the kernel's event loop goes on; an interrupt cancels the call."""
        job = self._start(kind, fresh=fresh, again=again)
        try:
            while not job.has_ended:  # noqa: ASYNC110  # it ends on a thread, which no asyncio.Event hears of
                await asyncio.sleep(0.1)
        except BaseException:
            self.cancel()
            raise
        return job.result()

    def cancel(self) -> None:
        """End the call in flight, at once; one that was sent may still be billed."""
        self._is_cancelled = True
        self._actions.cancelling()
        if self._caller:
            self._caller.cancel()

    def _wait_for(self, job: Job) -> Video:
        try:
            job.wait()
        except BaseException:  # an interrupt
            self.cancel()
            raise
        return job.result()

    # A call.

    def _click(self, kind: Kind, *, again: bool = False) -> None:
        """A button was pressed: begin once the words that were typed before it are here."""
        if self._is_busy or self._is_asking:
            return
        self._is_asking = True
        named_a_price = self._actions.names_a_price  # what the person read who pressed it

        def then(has_arrived: bool) -> None:
            self._is_asking = False
            if not has_arrived:
                self._actions.say("Nothing was done, since the page did not answer: press again.", problem=True)
            else:
                self._begin(kind, again=again, named_a_price=named_a_price)

        self._roundtrip.ask(then)

    def _begin(self, kind: Kind, *, again: bool, named_a_price: bool) -> None:
        """Everything that the page says is known: whatever happens is told in the panel."""
        service = self._service
        service.look_again()
        self._changed()
        if kind == "generate" and not service.is_kept(self.request, service.engine):
            if not service.can_pay:
                self._actions.say(service.problem)
                return
            if not named_a_price:  # somebody pressed a button that said something else
                price = service.estimate.price_usd(service.engine)
                self._actions.say(f"No clip is kept for this: press Generate again to pay for it, about ${price:.2f}.")
                return
        try:
            self._start(kind, again=again, shows=True)
        except ViduError as error:
            self._actions.say(str(error), problem=True)

    _is_busy = property(lambda self: self._job is not None and not self._job.has_ended)

    def _start(self, kind: Kind, *, fresh: bool = False, again: bool = False, shows: bool = False) -> Job:
        """Begin a call in the background; with `shows`, its clip goes to the place below the panel."""
        request = self._form.request
        if request is None:
            told = "; ".join(sentence for _, sentence in self._form.problems)
            raise InvalidRequest(told, field=self._form.problems[0][0], problems=self._form.problems)
        service, engine = self._service, PREVIEW
        if kind == "generate" and (service.look_again() or (not fresh and service.is_kept(request, service.engine))):
            engine = service.engine
        offline = engine != PREVIEW and not service.can_pay and not fresh
        expected = service.estimate.seconds(engine)
        said, parts = [""], [0.0]  # the client's last word on a wait; how much of a preview is rendered

        def work() -> Video:
            self._caller = service.client(engine).sibling(
                notify=lambda line: said.append(line.rstrip(".")), progress=parts.append
            )
            if self._is_cancelled:
                raise Unreachable("cancelled before it was sent")
            return self._caller.generate(request, fresh=fresh, again=again, offline=offline)

        def tick(elapsed: float) -> None:
            if self._is_cancelled and self._caller:
                self._caller.cancel()  # again: the first may have come a moment too early
            stage = service.stage(request, engine) or said[-1] or "Starting"
            self._actions.running(stage, elapsed, expected, part=parts[-1])

        with self._guard:
            if self._is_busy:
                raise ViduError("a call of this panel is running", remedy="Wait for it, or cancel it.")
            self._is_cancelled, self._caller = False, None
            job = self._job = Job(work, tick=tick, done=lambda job: self._ended(job, engine, shows=shows))
        try:
            self._live.rest()
            self.error, self.state = None, "running"
            self._actions.running("Starting", 0.0, expected)
            job.start()
        except BaseException:  # an observer's mistake, or an interrupt: this call ends, and the next one runs
            self.cancel()
            if not job.has_begun:  # else it tells by itself how it ended
                self._job = None
                self._actions.ended("The call was not begun.", problem=True)
            raise
        return job

    def _ended(self, job: Job, engine: str, *, shows: bool) -> None:
        """Show what came of a call; on the clock's thread."""
        if job.video:
            try:
                self._arrived(job.video, shows=shows)
            except Exception as error:  # the clip is kept, whatever the poster or the front end says
                self._actions.ended(f"Kept as {job.video.path}, but it could not be shown: {error}", problem=True)
            self.state = "done"
            return
        failure = job.error
        told = f"{type(failure).__name__}: {failure}"
        if isinstance(failure, ViduError):
            price = self._service.estimate.price_usd(engine)
            told = cancelled(failure, price) if self._is_cancelled else str(failure)
        may_pay_again = engine != PREVIEW and isinstance(failure, OutcomeUnknown) and not failure.fetchable
        self._actions.ended(told, problem=not self._is_cancelled, may_pay_again=may_pay_again)
        self.error, self.state = failure, "failed"

    def _arrived(self, video: Video, *, shows: bool) -> None:
        self.video = video
        if shows:
            self._screen.show([video])
        if video.path not in [one.path for one in self.history]:
            self._strip.add(video)
            self.history = (*self.history, video)
        self._service.learn(video)
        if video.receipt and not video.receipt.replayed:
            self._form.after_a_run()
        self._tools.show(video)
        self._actions.ended(f"Here it is: {video.caption}")
        self._changed()

    def _changed(self) -> None:
        """The form says something else, or something else is known of it."""
        if self._form.request != self.request:
            self._actions.take_back()  # paying again was for the request before
        self._actions.offer(self._service.offer(self._form.request, self._form.problems))
        self.request, self.problems = self._form.request, self._form.problems
        (self._live.rest if self._is_busy else self._live.follow)()

    @traitlets.validate("request")
    def _request_is_one(self, proposal: Mapping[str, Any]) -> VideoRequest | None:
        value = proposal["value"]
        if value is None or value is self._form.request:
            return self._form.request
        if not isinstance(value, VideoRequest) or not all(hasattr(value, name) for name in self._form.fields):
            raise InvalidRequest(f"request: {type(value).__name__} is not a whole VideoRequest", field="request")
        return value.replace()  # checked anew

    @traitlets.observe("request")
    def _request_assigned(self, change: Mapping[str, Any]) -> None:
        request = change["new"]
        if request is not None and request is not self._form.request:
            self._form.fill({name: getattr(request, name) for name in self._form.fields})

    # What is seen.

    def _open(self, video: Video) -> None:
        """Bring a clip back: its player and its parameters."""
        if not self._try_to_show([video]):
            return
        self._tools.show(video)
        self.video = video
        if video.request:
            self.request = video.request
            self._actions.say(f"Brought back: {video.caption}")
        else:
            self._actions.say(f"Shown: {video.caption}. Its pictures are gone, so the controls stay as they are.")

    def _try_to_show(self, videos: Sequence[Video]) -> bool:
        try:
            self._screen.show(videos)
        except (ViduError, OSError, ValueError) as error:  # the file has gone, or is no video any more
            names = ", ".join(video.path.name for video in videos)
            self._actions.say(f"{names} can't be shown: {error}", problem=True)
            return False
        return True

    def _rooms(self) -> tuple[Any, ...]:
        style = widgets.HTML(f"<style>{_CSS.read_text(encoding='utf-8')}</style>", layout={"display": "none"})
        rooms = (Header(self._form), self._form, self._live, self._actions, self._tools, self._strip, self._shelf)
        return (style, *(room.box for room in rooms), self._screen.bar, self._screen.slot.output)

    def _ipython_display_(self) -> None:
        display(self._repr_mimebundle_(), raw=True)
        self._screen.slot.display()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return {**super()._repr_mimebundle_(**options), "text/plain": repr(self)}

    def __repr__(self) -> str:
        said = self._form.values()
        return f"Panel({said['aspect_ratio']} · {said['duration']} s · seed {said['seed']} · {self.state})"


def panel(
    prompt: str = "",
    references: Source = (),
    *,
    aspect_ratio: AspectRatio = "16:9",
    duration: int = 5,
    seed: int = 42,
    bgm: bool = True,
    movement_amplitude: MovementAmplitude = "auto",
    client: Client | None = None,
) -> Panel:
    """Every parameter as a widget, with free previews, paid clips, and a history.

    Parameters
    ----------
    prompt, references, aspect_ratio, duration, seed, bgm, movement_amplitude
        What the controls say at first; see `vidu_nb.generate`.
    client
        Who makes the clips; defaults to the hosted service once a key is set.

    Returns
    -------
    Panel
        Shows itself as a cell's last value.

    Raises
    ------
    InvalidRequest
        A value that no control can show.

    >>> panel("A cat naps.", seed=7)
    Panel(16:9 · 5 s · seed 7 · ready)
    """
    values = {
        "prompt": prompt,
        "references": references,
        "aspect_ratio": aspect_ratio,
        "duration": duration,
        "seed": seed,
        "bgm": bgm,
        "movement_amplitude": movement_amplitude,
    }
    return Panel(values, client=client)
