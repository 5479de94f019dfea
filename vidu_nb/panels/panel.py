"""`panel`: every parameter as a widget, previews for free, clips for money, and a history."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import ipywidgets as widgets
import traitlets
from IPython.display import display

from ..catalogue.model import Model
from ..catalogue.models import models
from ..catalogue.request import PREVIEW, Request
from ..client.client import Client
from ..errors import InvalidRequest, OutcomeUnknown, ViduError
from ..references.reference import Source
from ..request import AspectRatio, MovementAmplitude
from ..video import Video
from ..widgets.roundtrip import Roundtrip
from .actions import ActionBar, Progress, cancelled
from .background import BackgroundCall
from .form import Form
from .header import Header
from .history import ArchiveList, HistoryStrip
from .live import LiveDraft
from .result import ClipTools, ResultView
from .running import Running
from .service import Service

Kind = Literal["preview", "generate"]
_CSS = Path(__file__).with_name("panel.css")


class Panel(widgets.VBox):
    """Controls for every parameter of a request, with previews and clips; shows itself as a cell's last value.

    Made by `panel`. From code it does what it does by hand: `preview`, `generate`, `await run()`.

    Attributes
    ----------
    request : Request or None
        What the controls say, None while something is missing or wrong. Assigning one fills the controls.
    problems : tuple of (str, str)
        Parameter and sentence for each thing that is missing or wrong.
    video : Video or None
        The clip that is shown.
    history : tuple of Video
        This panel's clips, oldest first.
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

    request = traitlets.Any(None, allow_none=True)
    problems = traitlets.Tuple()
    video = traitlets.Any(None, allow_none=True)
    history = traitlets.Tuple()
    state = traitlets.Unicode("ready")
    stage = traitlets.Unicode()
    progress = traitlets.Float()
    message = traitlets.Unicode()
    error = traitlets.Any(None, allow_none=True)

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        client: Client | None = None,
        model: Model | str | None = None,
    ) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._call: BackgroundCall | None = None
        self._running: Running | None = None
        self._is_asking = False  # a click waits for what was typed before it
        self._roundtrip = Roundtrip()
        self._service = Service(client)
        self._actions = ActionBar(
            preview=lambda: self._click("preview"),
            generate=lambda: self._click("generate"),
            again=lambda: self._click("generate", again=True),
            cancel=self.cancel,
        )
        self._form = Form(values or {}, model=models.find(model))
        self._result = ResultView()
        self._live = LiveDraft(self._form, self._result, self._say)
        self._tools = ClipTools(self._service.archive, lambda seed: self.fill(seed=seed))
        self._strip = HistoryStrip(self._open, self._try_to_show)
        self._kept = ArchiveList(self._service.archive, self._open, self._try_to_show)
        self.children = self._parts()
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
        call = self._start(kind, fresh=fresh, again=again)
        try:
            while not call.has_ended:  # noqa: ASYNC110  # it ends on a thread, which no asyncio.Event hears of
                await asyncio.sleep(0.1)
        except BaseException:
            self.cancel()
            raise
        return call.result()

    def cancel(self) -> None:
        """End the call in flight, at once; one that was sent may still be billed."""
        self._actions.cancelling()
        if self._running:
            self._running.cancel()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until no call is in flight, also one that a button began; True when none is. Ctrl-C gets through."""
        return self._call is None or self._call.wait(seconds)

    def _wait_for(self, call: BackgroundCall) -> Video:
        try:
            call.wait()
        except BaseException:  # an interrupt
            self.cancel()
            raise
        return call.result()

    # A call.

    def _click(self, kind: Kind, *, again: bool = False) -> None:
        """Begin what a button stands for, once what was typed before the click is here."""
        if self._is_busy or self._is_asking:
            return
        self._is_asking = True
        named_a_price = self._actions.names_a_price  # what the person read who pressed it

        def then(has_arrived: bool) -> None:
            self._is_asking = False
            if not has_arrived:
                self._say("Nothing was done, since the page did not answer: press again.", problem=True)
            else:
                self._begin(kind, again=again, named_a_price=named_a_price)

        self._roundtrip.ask(then)

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
                price = service.estimate.price_usd(service.engine)
                self._say(f"No clip is kept for this: press Generate again to pay for it, about ${price:.2f}.")
                return
        try:
            self._start(kind, again=again, shows=True)
        except ViduError as error:
            self._say(str(error), problem=True)

    _is_busy = property(lambda self: self._call is not None and not self._call.has_ended)

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
        with self._guard:
            if self._is_busy:
                raise ViduError("a call of this panel is running", remedy="Wait for it, or cancel it.")
            self._running = running
            call = self._call = BackgroundCall(
                running.work,
                tick=lambda elapsed_s: self._show_progress(running.tick(elapsed_s)),
                done=lambda call: self._ended(call, running),
            )
        try:
            self._live.rest()
            self.error, self.state = None, "running"
            self._show_progress(Progress("Starting", 0.0, running.expected_s))
            call.start()
        except BaseException:  # an observer's mistake, or an interrupt: this call ends, and the next one runs
            running.cancel()
            if not call.has_begun:  # else it reports by itself how it ended
                self._call = None
                with contextlib.suppress(Exception):  # the same observer's mistake
                    self._finish("failed", "The call was not begun.", problem=True)
            raise
        return call

    def _show_progress(self, progress: Progress) -> None:
        self._actions.show_progress(progress)
        self.stage, self.progress = progress.stage, progress.share

    def _say(self, message: str, *, problem: bool = False) -> None:
        """Show a sentence below the buttons."""
        self._actions.say(message, problem=problem)
        self.message = message

    def _ended(self, call: BackgroundCall, running: Running) -> None:
        """Show what came of a call; on the clock's thread."""
        if call.video:
            message, problem = f"Here it is: {call.video.caption}", False
            try:
                self._arrived(call.video, shows=running.shows)
            except Exception as error:  # the clip is kept, whatever the poster or the front end says
                message, problem = f"Kept as {call.video.path}, but it could not be shown: {error}", True
            self._finish("done", message, problem=problem)
            return
        failure = call.error
        message = f"{type(failure).__name__}: {failure}"
        if isinstance(failure, ViduError):
            price = self._service.estimate.price_usd(running.engine)
            message = cancelled(failure, price) if running.is_cancelled else str(failure)
        is_unknown = isinstance(failure, OutcomeUnknown) and not failure.fetchable
        pay_again = running.engine != PREVIEW and is_unknown
        self._finish("failed", message, problem=not running.is_cancelled, error=failure, pay_again=pay_again)

    def _arrived(self, video: Video, *, shows: bool) -> None:
        self.video = video
        if shows:
            self._result.show([video])
        if video.path not in [one.path for one in self.history]:
            self._strip.add(video)
            self.history = (*self.history, video)
        self._service.learn(video)
        if video.receipt and not video.receipt.replayed:
            self._form.after_a_run()
        self._tools.show(video)
        self._changed()

    def _finish(
        self, state: str, message: str, *, problem: bool, error: BaseException | None = None, pay_again: bool = False
    ) -> None:
        """Say what came of a call; the state changes last."""
        self._actions.ended(message, problem=problem, may_pay_again=pay_again)
        try:
            self.error, self.stage, self.progress, self.message = error, "", 0.0, message
        finally:  # whatever an observer makes of the rest
            self.state = state

    def _changed(self) -> None:
        """Follow the form, which says something else, or of which something else is known."""
        if self._form.request != self.request:
            self._actions.withdraw_pay_again()  # it was for the request before
        self._actions.offer(self._service.offer(self._form.request, self._form.problems))
        self.request, self.problems = self._form.request, self._form.problems
        (self._live.rest if self._is_busy else self._live.follow)()

    @traitlets.validate("request")
    def _request_is_one(self, proposal: Mapping[str, Any]) -> Request | None:
        value = proposal["value"]
        if value is None or value is self._form.request:
            return self._form.request
        if not isinstance(value, Request) or not all(hasattr(value, name) for name in self._form.fields):
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
            self._say(f"Brought back: {video.caption}")
        else:
            self._say(f"Shown: {video.caption}. Its pictures are gone, so the controls stay as they are.")

    def _try_to_show(self, videos: Sequence[Video]) -> bool:
        try:
            self._result.show(videos)
        except (ViduError, OSError, ValueError) as error:  # the file has gone, or is no video any more
            names = ", ".join(video.path.name for video in videos)
            self._say(f"{names} can't be shown: {error}", problem=True)
            return False
        return True

    def _parts(self) -> tuple[Any, ...]:
        """Return what the panel is made of, from top to bottom."""
        style = widgets.HTML(f"<style>{_CSS.read_text(encoding='utf-8')}</style>", layout={"display": "none"})
        parts = (Header(self._form), self._form, self._live, self._actions, self._tools, self._strip, self._kept)
        return (style, *(part.box for part in parts), self._result.bar, self._result.output)

    def _ipython_display_(self) -> None:
        display(self._repr_mimebundle_(), raw=True)
        self._result.display()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return {**super()._repr_mimebundle_(**options), "text/plain": repr(self)}

    def __repr__(self) -> str:
        values = self._form.values()
        return f"Panel({values['aspect_ratio']} · {values['duration']} s · seed {values['seed']} · {self.state})"


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
