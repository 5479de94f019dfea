"""The panel on bad days: what it may cost, what it may lose, and what it may say, when things around it go wrong."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import signal
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import ipywidgets
import pytest
from faults import KEY, clip
from panels import WAIT, button, fault, text, walk

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.locks import hold
from vidu_nb.panels.background import Job
from vidu_nb.panels.panel import Panel
from vidu_nb.receipt import Receipt
from vidu_nb.recipe import describe
from vidu_nb.request import VideoRequest
from vidu_nb.storage.archive import Archive
from vidu_nb.storage.budget import Budget


class Studio(ThreadingHTTPServer):
    """A service that answers a POST with a link, and holds the clip behind it back until `gate` opens."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), StudioHandler)
        self.root = f"http://127.0.0.1:{self.server_port}"
        self.posts = 0
        self.fetching, self.gate = threading.Event(), threading.Event()
        self.answer = lambda: json.dumps({"output": f"{self.root}/clip.mp4"}).encode()
        self.length = len  # of an answer, as its head tells it

    def handle_error(self, *_):
        """Callers that hang up in the middle are what these tests are about."""


class StudioHandler(BaseHTTPRequestHandler):
    """One call to a `Studio`."""

    def do_POST(self):
        """Answer at once, as `answer` and `length` say, and wait where more is promised than sent."""
        self.server.posts += 1
        self.rfile.read(int(self.headers["content-length"]))
        body = self.server.answer()
        promised = self.server.length(body)
        self._send(body, promised)
        if promised > len(body):
            self.server.fetching.set()
            self.server.gate.wait(WAIT)

    def do_GET(self):
        """Give the clip, once the gate is open."""
        self.server.fetching.set()
        self.server.gate.wait(WAIT)
        body = clip("studio")
        self._send(body, len(body))

    def _send(self, body, length):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def studio(monkeypatch):
    """A `Studio` as the service of the environment."""
    with Studio() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("SEGMIND_API_KEY", KEY)
        monkeypatch.setenv("SEGMIND_BASE_URL", server.root)
        yield server
        server.gate.set()
        server.shutdown()
        thread.join()


def is_offered(panel, name):
    """Whether a button can be seen and pressed."""
    found = button(panel, name)
    return found.layout.display != "none" and not found.disabled


def settled(panel):
    """Wait until the panel's call has ended, if there is one."""
    assert panel._job is None or panel._job.wait(WAIT), "the call did not end"
    return panel


def press(panel, name):
    """Click a button and wait for what comes of it."""
    button(panel, name).click()
    return settled(panel)


def until(holds):
    """Wait until something is so."""
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        threading.Event().wait(0.01)


def refuse(change):
    """A person's observer with a mistake in it."""
    raise RuntimeError(f"a mistake in an observer of {change['name']}")


def keep(request, data, *, engine="preview", name="a-wave"):
    """Put a clip into the archive as if it had been brought from elsewhere; any bytes."""
    key, sha256 = request.key(engine=engine), hashlib.sha256(data).hexdigest()
    archive = Archive()
    archive.keep_references(request)
    path = archive.folder / engine / f"{name}_1x1_seed{request.seed}_{key[:8]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    receipt = Receipt(engine, created_at="2026-01-02T03:04:05+00:00", sha256=sha256).to_dict()
    said = {"format": 1, "key": key, "sha256": sha256, "request": describe(request), "receipt": receipt}
    path.write_text(json.dumps(said))
    path.with_suffix(".mp4").write_bytes(data)
    return path


def open_shelf(panel):
    """Open the shelf and wait for its first page."""
    shelf = panel._shelf
    shelf._toggle.value = True
    until(lambda: shelf._strip.box.children or shelf._told.value)
    return shelf


# Money.


def test_a_button_that_promises_no_cost_never_pays(asked, paid):
    """Where the kept clip has gone since the words were written, the click asks anew instead of paying."""
    panel = press(vidu.panel(**asked), "Generate")
    posts = len(paid.posts())
    shutil.rmtree(Archive().folder)
    press(panel, "Generate (kept: shows at no cost)")
    assert len(paid.posts()) == posts
    assert is_offered(panel, "Generate (about $")


def test_an_observer_that_fails_leaves_no_old_promise_on_a_button(asked, paid):
    """The words on the buttons follow the form, whatever a person's own code makes of the change."""
    panel = press(vidu.panel(**asked), "Generate")
    posts = len(paid.posts())
    panel.observe(refuse, "request")
    with pytest.raises(RuntimeError):
        panel.fill(seed=43)
    assert is_offered(panel, "Generate (about $")
    assert len(paid.posts()) == posts


def test_a_call_that_is_cancelled_before_it_begins_is_never_sent(asked, paid):
    """Cancelled at the first word of it, a call costs nothing."""
    panel = vidu.panel(**asked | {"seed": 200})
    posts = len(paid.posts())
    panel.observe(lambda change: panel.cancel() if change["new"] == "running" else None, "state")
    press(panel, "Generate")
    assert len(paid.posts()) == posts
    assert "Cancelled. Nothing is billed." in text(panel)


def test_a_call_that_is_cancelled_while_it_is_prepared_is_never_sent(asked, paid, tmp_path):
    """A cancellation that comes between the first step and the first byte holds the bytes back."""
    budget = Budget(5, tmp_path / "budget.json")
    panel = vidu.panel(**asked | {"seed": 213}, client=Client(budget=budget))
    posts = len(paid.posts())
    with hold(budget.file.with_suffix(".lock"), timeout=WAIT):
        button(panel, "Generate").click()
        until((panel._service.archive.folder / "incoming").is_dir)  # the first step, before the budget is asked
        button(panel, "Cancel").click()
    settled(panel)
    assert len(paid.posts()) == posts
    assert "Cancelled. Nothing is billed." in text(panel)


def test_a_key_that_was_logged_out_pays_nothing(asked, faults, monkeypatch):
    """After `logout` a panel that had the key asks for one, as a new panel does."""
    monkeypatch.setenv("SEGMIND_BASE_URL", faults.root)
    vidu.login(KEY)
    try:
        panel = vidu.panel(**asked | {"seed": 201})
        monkeypatch.delenv("SEGMIND_BASE_URL")
    finally:
        vidu.logout()
    posts = len(faults.posts())
    press(panel, "Generate")
    assert len(faults.posts()) == posts
    assert "vidu.login()" in text(panel)


def test_the_key_of_the_last_login_pays(asked, faults, monkeypatch):
    """A second `login` counts for panels that are open already: the bill goes to the account that was named last."""
    monkeypatch.setenv("SEGMIND_BASE_URL", faults.root)
    vidu.login("SG_first-key-for-tests")
    try:
        panel = vidu.panel(**asked | {"seed": 202})
        vidu.login("SG_second-key-for-tests")
        panel.generate()
    finally:
        vidu.logout()
    assert faults.posts()[-1].key_sha256 == hashlib.sha256(b"SG_second-key-for-tests").hexdigest()


def test_a_cancelled_call_whose_clip_came_and_could_not_be_kept_tells_where_it_lies(asked, studio):
    """What was paid for is never called unbilled, and the place of its bytes is told."""
    data = clip("whole")
    studio.answer, studio.length = lambda: data, lambda body: len(body) + 1000
    panel = vidu.panel(**asked | {"seed": 203})
    button(panel, "Generate").click()
    assert studio.fetching.wait(WAIT)
    incoming = Archive().folder / "incoming"
    shutil.rmtree(incoming)
    incoming.write_text("a file where a folder should be")
    threading.Event().wait(0.3)
    button(panel, "Cancel").click()
    settled(panel)
    assert isinstance(panel.error, errors.ArchiveError), repr(panel.error)
    assert panel.error.data == data
    assert "Nothing is billed" not in text(panel)
    assert "its bytes are" in text(panel)


def test_a_cancelled_fetch_says_that_the_clip_can_be_had_at_no_cost(asked, studio):
    """Once the clip is made, cancelling its download must not look like a reason to pay again."""
    panel = vidu.panel(**asked | {"seed": 204})
    button(panel, "Generate").click()
    assert studio.fetching.wait(WAIT)
    button(panel, "Cancel").click()
    settled(panel)
    assert "at no cost" in text(panel)
    assert not is_offered(panel, "Pay again")
    studio.gate.set()
    press(panel, "Generate")
    assert panel.state == "done"
    assert studio.posts == 1


@pytest.mark.usefixtures("paid")
def test_paying_again_is_offered_only_where_paying_is_the_only_way(asked):
    """A clip that is made and could not be fetched is fetched at no cost: no button offers to pay for it again."""
    panel = press(vidu.panel(**asked | {"prompt": fault("link_500"), "seed": 205}), "Generate")
    assert "at no cost" in text(panel)
    assert not is_offered(panel, "Pay again")


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.usefixtures("paid")
def test_a_gateway_that_gives_up_leaves_a_panel_that_can_be_used(asked, status):
    """Its call may be billed: that is told, paying again is offered, and the buttons are there for the next one."""
    panel = press(vidu.panel(**asked | {"prompt": fault(f"status_{status}"), "seed": 209}), "Generate")
    assert panel.state == "failed"
    assert "May be billed" in text(panel)
    assert is_offered(panel, "Pay again")
    assert press(panel, "Preview").state == "done"


@pytest.mark.usefixtures("paid")
def test_pay_again_is_for_the_request_that_failed(asked):
    """Once the form says something else, "Pay again" is gone: it would pay for another clip, at no told price."""
    panel = press(vidu.panel(**asked | {"prompt": fault("close_after_body"), "seed": 206}), "Generate")
    assert is_offered(panel, "Pay again")
    panel.fill(prompt="Something else altogether")
    assert not is_offered(panel, "Pay again")


def test_a_budget_that_refuses_is_told_and_nothing_is_sent(asked, paid, tmp_path):
    """The panel's client keeps its budget, and its refusal stands in the panel."""
    client = Client(budget=Budget(0.6, tmp_path / "budget.json"))
    panel = press(vidu.panel(**asked | {"seed": 207}, client=client), "Generate")
    posts = len(paid.posts())
    panel.fill(seed=208)
    press(panel, "Generate")
    assert isinstance(panel.error, errors.BudgetExceeded)
    assert len(paid.posts()) == posts
    assert "Raise the budget" in text(panel)


def test_without_a_kept_copy_a_random_seed_is_paid_for_each_time_and_says_so(asked, paid):
    """Seed 0 is never replayed, and its button never says that it is kept."""
    panel = press(vidu.panel(**asked | {"seed": 0}), "Generate (about $")
    posts = len(paid.posts())
    press(panel, "Generate (about $")
    assert len(paid.posts()) == posts + 1
    assert len(panel.history) == 2


def test_two_panels_pay_once_for_one_request(asked, paid):
    """The same request from two panels at once is one call; both show its clip."""
    wanted = asked | {"prompt": fault("good_slow"), "seed": 209}
    posts = len(paid.posts())
    panels = [vidu.panel(**wanted), vidu.panel(**wanted)]
    for panel in panels:
        button(panel, "Generate").click()
    assert [settled(panel).state for panel in panels] == ["done", "done"]
    assert len(paid.posts()) == posts + 1


# Calls.


def test_a_panel_survives_an_observer_of_its_state(asked):
    """A mistake in a person's own observer stops at most this call: the next one runs."""
    panel = vidu.panel(**asked)
    panel.observe(refuse, "state")
    with pytest.raises(RuntimeError):
        panel.preview()
    panel.unobserve(refuse, "state")
    assert panel.preview().is_preview


def test_a_call_from_inside_an_observer_is_refused_and_harms_nothing(asked):
    """Asking for another clip while the first is being told of is an error there, no dead panel."""
    panel, caught = vidu.panel(**asked), []

    def ask_again(change):
        try:
            panel.preview()
        except errors.ViduError as error:
            caught.append((change["name"], str(error)))

    panel.observe(ask_again, ["state", "video"])
    assert panel.preview().is_preview
    assert [name for name, _ in caught] == ["state", "video", "state"]
    assert panel.state == "done"
    panel.unobserve_all()
    assert panel.preview().receipt.replayed


def test_cancelling_what_does_not_run_changes_nothing(asked):
    """Before the first call, twice, and after the last, `cancel` is without effect on the next call."""
    panel = vidu.panel(**asked)
    panel.cancel()
    panel.cancel()
    assert panel.preview().is_preview
    panel.cancel()
    assert panel.state == "done"
    assert panel.preview().receipt.replayed


def test_a_clock_that_stumbles_ends_no_call():
    """The job ends when its work has ended, not when telling of it failed."""
    going, told = threading.Event(), []

    def tick(_):
        going.set()
        raise LookupError("no front end")

    def work():
        assert going.wait(WAIT)
        threading.Event().wait(0.3)
        return "the clip"

    job = Job(work, tick=tick, done=lambda job: told.append(job.video))
    job.start()
    assert job.wait(WAIT)
    assert job.result() == "the clip"
    assert told == ["the clip"]


def test_an_interrupt_of_a_waiting_cell_ends_the_call(asked, paid):
    """Ctrl-C in `panel.generate()` gets through at once; what was sent is told as unknown."""
    panel = vidu.panel(**asked | {"prompt": fault("silence_after_body"), "seed": 210})

    def interrupt():
        paid.wait(lambda seen: any(one.reached == "body" and one.prompt == fault("silence_after_body") for one in seen))
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        panel.generate()
    settled(panel)
    assert isinstance(panel.error, errors.OutcomeUnknown)
    assert "may bill about" in text(panel)


def test_an_interrupt_while_a_call_is_begun_does_not_deny_it(asked, paid, monkeypatch):
    """Its threads run already: what was sent is told as unknown, not as "not begun"."""
    start = Job.start

    def interrupted(job):
        start(job)
        paid.wait(lambda seen: any(one.reached == "body" for one in seen))
        raise KeyboardInterrupt

    panel = vidu.panel(**asked | {"prompt": fault("silence_after_body"), "seed": 211})
    monkeypatch.setattr(Job, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        panel.generate()
    settled(panel)
    assert isinstance(panel.error, errors.OutcomeUnknown)
    assert "may bill about" in text(panel)
    assert panel.state == "failed"


def test_awaited_twice_at_once_one_call_runs(asked):
    """The second is refused by name, and the first goes on."""
    panel = vidu.panel(**asked)

    async def both():
        return await asyncio.gather(panel.run("preview"), panel.run("preview"), return_exceptions=True)

    first, second = asyncio.run(both())
    assert first.is_preview
    assert "is running" in str(second)


def test_of_many_threads_one_gets_its_call(asked):
    """However many threads ask at once, no call is lost and no panel is left running."""
    panel, results = vidu.panel(**asked), []

    def ask():
        try:
            results.append(panel.preview())
        except errors.ViduError as error:
            results.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert len(results) == 8
    assert any(not isinstance(one, Exception) for one in results)
    assert panel.state == "done"


@pytest.mark.usefixtures("paid")
def test_a_panel_that_is_closed_keeps_what_it_paid_for(asked):
    """Closing the widget during a call loses no clip."""
    panel = vidu.panel(**asked | {"prompt": fault("good_slow"), "seed": 211})
    button(panel, "Generate").click()
    panel.close()
    settled(panel)
    assert panel.video.path.is_file()


def test_a_login_counts_for_code_as_for_buttons(asked, faults, monkeypatch):
    """`panel.generate()` after `login` asks the service, as `vidu.generate` would."""
    panel = vidu.panel(**asked | {"seed": 212})
    monkeypatch.setenv("SEGMIND_BASE_URL", faults.root)
    vidu.login(KEY)
    try:
        assert not panel.generate().is_preview
    finally:
        vidu.logout()


def test_a_panel_that_can_never_pay_asks_for_no_key(asked):
    """With a preview client given, a key would change nothing: nobody is told to set one."""
    panel = vidu.panel(**asked, client=Client.preview())
    button(panel, "Generate").click()
    assert "vidu.login()" not in text(panel)


def test_warnings_that_are_errors_stop_no_preview(asked):
    """Ten seconds are a note, no crash, under the strictest of settings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        panel = vidu.panel(**asked, duration=10)
        assert panel.request.duration == 10
        assert panel.preview().request.duration == 10


def test_a_form_that_checks_leaves_the_processs_warnings_alone(asked):
    """Two forms that check at once, on two threads, leave the filters as they found them."""
    first_in, second_in = threading.Event(), threading.Event()

    class Slow(VideoRequest):
        def __init__(self, /, **parameters):
            super().__init__(**parameters)
            if parameters["seed"] == 71:
                first_in.set()
                second_in.wait(1)  # no longer: a form that lets one check after another is right, too
            elif parameters["seed"] == 72:
                second_in.set()
                first.join(WAIT)

    panels = [Panel(asked, model=Slow), Panel(asked, model=Slow)]
    first = threading.Thread(target=panels[0].fill, kwargs={"seed": 71})
    before, saved = (list(warnings.filters), warnings.showwarning), (warnings.filters, warnings.showwarning)
    try:
        first.start()
        assert first_in.wait(WAIT)
        panels[1].fill(seed=72)
        after = (list(warnings.filters), warnings.showwarning)
    finally:
        warnings.filters, warnings.showwarning = saved  # for the other tests
    assert after == before


# What is kept, what is shown.


def test_a_clip_that_no_player_can_read_is_told_and_hides_no_other(asked):
    """One kept file that is no video costs its own card, not those beside it."""
    keep(VideoRequest(**asked, seed=1), clip("good"))
    keep(VideoRequest(**asked, seed=2), b"no video at all")
    keep(VideoRequest(**asked, seed=3), clip("good as well"))
    shelf = open_shelf(vidu.panel())
    until(lambda: shelf._told.value)
    assert len(shelf._strip.box.children) == 2
    assert "can't be shown" in shelf._told.value


@pytest.mark.usefixtures("paid")
def test_a_foreign_file_in_the_archive_stops_no_panel(asked, paid):
    """JSON nested without end is damaged, as any other nonsense is."""
    engine = paid.root.removeprefix("http://").replace(":", "-")
    path = keep(VideoRequest(**asked, seed=1), clip("good"), engine=engine)
    path.write_text("[" * 100_000)
    panel = vidu.panel(**asked)
    keep(VideoRequest(**asked, seed=3), clip("good as well"))
    shelf = open_shelf(panel)
    until(lambda: shelf._told.value)
    assert len(shelf._strip.box.children) == 1


def test_an_empty_shelf_fills_when_it_is_opened_again(asked):
    """What was made since the shelf was opened stands in it the next time; nobody is told that nothing is kept."""
    panel = vidu.panel(**asked)
    shelf = open_shelf(panel)
    assert "Nothing is kept yet" in shelf._told.value
    shelf._toggle.value = False
    panel.preview()
    shelf._toggle.value = True
    until(lambda: shelf._strip.box.children)
    assert "Nothing is kept yet" not in shelf._told.value


def test_bringing_back_a_clip_that_is_gone_is_told_in_the_panel(asked):
    """Show and Compare say in words that a file has gone; nothing is raised into the kernel's log."""
    panel = vidu.panel(**asked)
    video = panel.preview()
    video.path.unlink()
    card = next(one for one in walk(panel) if "vidu-card" in getattr(one, "_dom_classes", ()))
    button(card, "Show").click()
    assert "vidu-problem" in text(panel)
    assert video.path.name in text(panel)


def test_a_clip_that_can_not_be_shown_is_the_panels_clip_all_the_same(asked):
    """Where no poster can be made of it, a clip that came is told with its path, and `video` holds it."""
    keep(VideoRequest(**asked), b"no video at all")
    panel = vidu.panel(**asked)
    video = panel.preview()
    assert panel.video == video
    assert video.path.name in text(panel)


def test_a_bar_that_is_replaced_is_closed(asked):
    """Comparing over and over leaves one bar in the kernel and in the saved notebook, not one for each time."""
    for seed in (1, 2, 3):
        keep(VideoRequest(**asked, seed=seed), clip(f"clip {seed}"))
    panel = vidu.panel(**asked)
    for seed in (1, 2, 3):
        panel.fill(seed=seed)
        panel.preview()
    known = _bars()
    ticks = [one for one in walk(panel._strip.box) if isinstance(one, ipywidgets.Checkbox)]
    for _ in range(4):
        for tick in ticks:
            tick.value = not tick.value
    assert len(_bars() - known) <= 1


def _bars():
    models = ipywidgets.Widget.get_manager_state()["state"]
    return {name for name, model in models.items() if "frames" in model["state"] and "group" in model["state"]}


def test_a_hundred_replays_leave_nothing_behind(asked):
    """Showing the same clip again adds no model to the notebook and no thread to the process."""
    panel = vidu.panel(**asked)
    panel.preview()
    models, threads = len(ipywidgets.Widget.get_manager_state()["state"]), threading.active_count()
    for _ in range(100):
        panel.preview()
    assert len(ipywidgets.Widget.get_manager_state()["state"]) == models
    assert threading.active_count() <= threads + 1
    assert len(panel.history) == 1


@pytest.mark.parametrize("name", ["/", ".", "..", "~nobody-of-this-name/x", "a\0b", "x" * 5000, "/dev/null/x"])
def test_an_odd_name_for_a_copy_is_answered_in_words(asked, name):
    """Whatever stands in "Save as", the panel says what came of it."""
    keep(VideoRequest(**asked), clip("good"))
    panel = vidu.panel(**asked)
    panel.preview()
    panel._tools._name.value = name
    button(panel, "Save a copy").click()
    assert panel._tools._told.value


def test_a_copy_never_replaces_what_is_there(asked, tmp_path):
    """Files and folders under the wanted name stay as they are."""
    keep(VideoRequest(**asked), clip("good"))
    panel = vidu.panel(**asked)
    panel.preview()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file.mp4").write_text("mine")
    for name in ("folder.mp4", "file"):
        panel._tools._name.value = name
        button(panel, "Save a copy").click()
        assert "is there already" in panel._tools._told.value, name
    assert (tmp_path / "file.mp4").read_text() == "mine"
    assert list((tmp_path / "folder.mp4").iterdir()) == []


@pytest.mark.usefixtures("paid")
def test_a_saved_copy_tells_what_its_clip_cost(asked):
    """A copy of a clip that was brought back carries the receipt of its making, not that of a replay for nothing."""
    panel = vidu.panel(**asked | {"seed": 214})
    made = panel.generate().receipt
    panel.generate()
    panel._tools._name.value = "copy"
    button(panel, "Save a copy").click()
    assert vidu.load("copy.mp4").receipt == made


def test_what_the_archive_tells_stays_text(asked):
    """Prompts, engines and ids in kept papers are shown as they are written, on the shelf and below the panel."""
    hostile = '"><script>hacked()</script><img src=x onerror="hacked()">'
    path = keep(VideoRequest(**asked | {"prompt": f"A wave {hostile}"}), clip("good"))
    said = json.loads(path.read_text())
    said["receipt"] |= {"engine": hostile, "request_id": hostile, "model": hostile}
    path.write_text(json.dumps(said))
    panel = vidu.panel()
    shelf = open_shelf(panel)
    button(shelf.box, "Show").click()
    told = text(panel) + panel._screen.slot.output.outputs[0]["data"]["text/html"]
    assert "hacked" in told
    assert "<script" not in told
    assert "<img src=x" not in told


def test_words_that_were_changed_after_an_idea_are_not_lost(asked):
    """An idea that a person made their own survives the way back to "Start from ..."."""
    panel = vidu.panel(**asked)
    ideas = next(one for one in walk(panel) if isinstance(one, ipywidgets.Dropdown))
    ideas.value = ideas.options[1]
    panel._form.fields["prompt"].control.value = "An hour of my own work"
    ideas.value = ideas.options[0]
    assert panel._form.values()["prompt"] == "An hour of my own work"


def test_sample_pictures_take_no_picture_away(asked):
    """The samples are for an empty tray, or stand beside what a person put there."""
    panel = vidu.panel(**asked)
    own = panel.request.references
    button(panel, "Sample pictures").click()
    assert set(own) <= set(panel._form.values()["references"])


def test_what_is_no_request_is_refused_where_it_is_assigned(asked):
    """`panel.request` never holds something else than what the controls say."""
    panel = vidu.panel(**asked)
    before = panel.request
    for odd in ("a prompt", {"prompt": "A cat"}, VideoRequest.model_construct(prompt="A cat", seed=-5)):
        with pytest.raises((errors.InvalidRequest, ipywidgets.trait_types.traitlets.TraitError)):
            panel.request = odd
        assert panel.request == before


@pytest.mark.parametrize("odd", [{"fade": 1}, {"seed": "5"}, {"seed": True}, {"bgm": 1}, {"bgm": None},
                                 {"movement_amplitude": "wild"}, {"duration": 7}, {"prompt": None},
                                 {"image_urls": "https://example.com/cat.png"}])  # fmt: skip
def test_odd_values_from_code_are_refused_and_change_nothing(asked, odd):
    """A name or a value that no control has is an error where it is written."""
    panel = vidu.panel(**asked)
    before = panel._form.values()
    with pytest.raises(errors.InvalidRequest):
        panel.fill(**odd)
    assert panel._form.values() == before


@pytest.mark.parametrize("price", ["0", "abc", "nan", "-1"])
@pytest.mark.usefixtures("paid")
def test_an_odd_price_in_the_environment_is_told(asked, monkeypatch, price):
    """A setting that is no price is told where the panel is made; 0 is a price."""
    monkeypatch.setenv("VIDU_NB_PRICE_USD", price)
    if price == "0":
        assert is_offered(vidu.panel(**asked), "Generate (about $0.00")
    else:
        with pytest.raises(errors.InvalidRequest, match="is not a price"):
            vidu.panel(**asked)


def test_an_archive_that_can_not_be_written_costs_nothing(asked, paid):
    """A file in the folder's place: the panel opens, the call is refused before it is sent, and says why."""
    Archive().folder.write_text("no folder")
    posts = len(paid.posts())
    panel = press(vidu.panel(**asked), "Generate")
    assert isinstance(panel.error, errors.ArchiveError)
    assert len(paid.posts()) == posts
    assert "nothing was sent" in text(panel)
    open_shelf(panel)
