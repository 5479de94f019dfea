"""`panel`: every parameter as a widget, previews for free, clips for money, and what came of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import ipywidgets as widgets
import traitlets
from IPython.display import display

from ..client import Client
from ..demo import sample_references
from ..errors import InvalidRequest, OutcomeUnknown, ViduError
from ..player import Player
from ..references import Source
from ..request import PREVIEW, AspectRatio, MovementAmplitude, VideoRequest
from ..video import Video, caption
from ..widgets.roundtrip import Roundtrip
from ..widgets.synchroniser import Synchroniser
from .actions import NO_KEY, Actions, cancelled
from .form import Form
from .history import Shelf, Strip, short_label
from .jobs import Job
from .result import Slot, Tools
from .service import Service
from .starters import STARTERS

Kind = Literal["preview", "generate"]
_CSS = Path(__file__).with_name("panel.css")
_OWN = "Start from ..."


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

    >>> from PIL import Image
    >>> panel = Panel({"prompt": "A wall. Zoom in.", "references": Image.new("RGB", (256, 256)), "aspect_ratio": "1:1"})
    >>> panel.preview()
    Video(1:1 · 5 s · seed 42 · preview, ...)
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
        self._own: dict[str, Any] = {}
        self._slot = Slot()
        self._tools = Tools(self._service.archive, lambda seed: self.fill(seed=seed))
        self._strip = Strip(self._open, self._compare)
        self._shelf = Shelf(self._service.archive, self._open, self._compare)
        self._bar = widgets.VBox()  # the comparison's controls
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
        InvalidRequest
            Something is missing or wrong.
        ViduError
            See `Client.generate`.
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
        InvalidRequest
            Something is missing or wrong.
        ViduError
            See `Client.generate`.
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
        free = kind == "preview" or self._actions.offers_kept  # what the button said when it was pressed

        def then(has_arrived: bool) -> None:
            self._is_asking = False
            if not has_arrived:
                self._actions.say("Nothing was done, since the page did not answer: press again.", problem=True)
            else:
                self._settled(kind, again=again, may_cost=not free)

        self._roundtrip.ask(then)

    def _settled(self, kind: Kind, *, again: bool, may_cost: bool) -> None:
        """Everything that the page says is known: whatever happens is told in the panel."""
        service = self._service
        if kind == "generate" and not service.can_pay and not service.is_kept(self.request, service.engine):
            found = "A key is set now: press Generate again." if service.look_again() else ""
            self._actions.say(found or service.problem or NO_KEY)
            self._changed()
            return
        if kind == "generate" and not may_cost and not service.is_kept(self.request, service.engine):
            self._actions.say("What was typed last is not kept: press Generate again to pay for it.")
            return
        try:
            self._start(kind, again=again, shows=True)
        except ViduError as error:
            self._actions.say(str(error), problem=True)

    @property
    def _is_busy(self) -> bool:
        return self._job is not None and not self._job.has_ended

    def _start(self, kind: Kind, *, fresh: bool = False, again: bool = False, shows: bool = False) -> Job:
        """Begin a call in the background; with `shows`, its clip goes to the place below the panel."""
        request = self._form.request
        if request is None:
            told = "; ".join(sentence for _, sentence in self._form.problems)
            raise InvalidRequest(told, field=self._form.problems[0][0], problems=self._form.problems)
        service, engine = self._service, PREVIEW
        if kind == "generate" and (service.can_pay or service.is_kept(request, service.engine)):
            engine = service.engine
        offline = engine != PREVIEW and not service.can_pay
        expected = service.estimate.seconds(engine)
        said = [""]  # the client's last word on a wait

        def work() -> Video:
            self._caller = service.client(engine).sibling(notify=lambda line: said.append(line.rstrip(".")))
            return self._caller.generate(request, fresh=fresh, again=again, offline=offline)

        def tick(elapsed: float) -> None:
            if self._is_cancelled and self._caller:
                self._caller.cancel()  # again: the first may have come a moment too early
            self._actions.running(service.stage(request, engine) or said[-1] or "Starting", elapsed, expected)

        with self._guard:
            if self._is_busy:
                raise ViduError("a call of this panel is running", remedy="Wait for it, or cancel it.")
            self._is_cancelled, self._caller = False, None
            job = self._job = Job(work, tick=tick, done=lambda job: self._ended(job, engine, shows=shows))
        self.error, self.state = None, "running"
        self._actions.running("Starting", 0.0, expected)
        job.start()
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
        told = str(failure) if isinstance(failure, ViduError) else f"{type(failure).__name__}: {failure}"
        if self._is_cancelled and isinstance(failure, ViduError):
            told = cancelled(failure, self._service.estimate.price_usd(engine))
        may_pay_again = isinstance(failure, OutcomeUnknown) and engine != PREVIEW
        self._actions.ended(told, problem=not self._is_cancelled, may_pay_again=may_pay_again)
        self.error, self.state = failure, "failed"

    def _arrived(self, video: Video, *, shows: bool) -> None:
        self.video = video
        if shows:
            self._show(video)
        if video.path not in [one.path for one in self.history]:
            self._strip.add([video])
            self.history = (*self.history, video)
        self._service.learn(video)
        if video.receipt and not video.receipt.replayed:
            self._form.after_a_run()
        self._tools.show(video)
        self._actions.ended(f"Here it is: {caption(video)}")
        self._changed()

    def _changed(self) -> None:
        """The form says something else, or something else is known of it."""
        self.request, self.problems = self._form.request, self._form.problems
        self._actions.offer(self._service.offer(self.request, self.problems))

    @traitlets.observe("request")
    def _request_assigned(self, change: Mapping[str, Any]) -> None:
        request = change["new"]
        if request is not None and request is not self._form.request:
            self._form.fill({name: getattr(request, name) for name in self._form.fields})

    # What is seen.

    def _show(self, *videos: Video) -> None:
        """Put one clip, or several in step, into the place below the panel."""
        player = Player(videos, labels=[short_label(video) for video in videos] if len(videos) > 1 else None)
        self._bar.children = (Synchroniser.of(player),) if len(videos) > 1 else ()
        self._slot.show(player)

    def _open(self, video: Video) -> None:
        """Bring a clip back: its player and its parameters."""
        self._show(video)
        self._tools.show(video)
        self.video = video
        if video.request:
            self.request = video.request
            self._actions.say(f"Brought back: {caption(video)}")
        else:
            self._actions.say(f"Shown: {caption(video)}. Its pictures are gone, so the controls stay as they are.")

    def _compare(self, videos: list[Video]) -> None:
        self._show(*videos)

    def _rooms(self) -> tuple[Any, ...]:
        fields = {name: field.box for name, field in self._form.fields.items()}
        start = widgets.Dropdown(description="Idea", options=[_OWN, *STARTERS])
        start.observe(self._start_from, "value")
        samples = widgets.Button(description="Sample pictures", icon="picture-o", tooltip="Three photographs to try")
        samples.on_click(lambda _: self.fill(references=sample_references()))
        head = widgets.HBox([widgets.HTML("<strong>Vidu Q1 · Reference to Video</strong>"), start, samples])
        head.add_class("vidu-head")
        words = widgets.VBox([fields.pop("prompt"), fields.pop("references")])
        words.add_class("vidu-words")
        dials = widgets.VBox(list(fields.values()))
        dials.add_class("vidu-dials")
        columns = widgets.HBox([words, dials])
        columns.add_class("vidu-columns")
        style = widgets.HTML(f"<style>{_CSS.read_text(encoding='utf-8')}</style>")
        style.layout.display = "none"
        history = widgets.VBox([self._strip.box, self._shelf.box])
        return (style, head, columns, self._actions.box, self._tools.box, history, self._bar, self._slot.output)

    def _start_from(self, change: Mapping[str, Any]) -> None:
        """Fill in a starting point; back at the first choice, what was there before is there again."""
        if change["old"] == _OWN:
            self._own = {name: self._form.values()[name] for name in next(iter(STARTERS.values()))}
        self._form.fill(STARTERS.get(change["new"], self._own))

    def _ipython_display_(self) -> None:
        display(self._repr_mimebundle_(), raw=True)
        self._slot.display()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options) or {}
        return bundle | {"text/plain": repr(self)}

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
    said = locals()
    return Panel({name: said[name] for name in VideoRequest.model_fields}, client=client)
