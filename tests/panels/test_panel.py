"""Promises of the panel's calls: what they report, what stops them, and what they never do."""

from __future__ import annotations

import asyncio
import json
import signal
import threading

import ipywidgets
import pytest
from faults import KEY, clip
from jupyter_client.session import json_packer
from losing import Losing
from panels import (
    WAIT,
    Page,
    cards,
    click,
    ended,
    fault,
    is_offered,
    keep,
    open_archive,
    open_card,
    press,
    saved,
    send,
    shown,
    text,
    type_in,
    use,
    wait_until,
)

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.animatic import engine
from vidu_nb.animatic.cancellation import Cancelled
from vidu_nb.animatic.server.server import PreviewServer
from vidu_nb.client.client import Client
from vidu_nb.locks import hold
from vidu_nb.panels.background import BackgroundCall
from vidu_nb.request import VideoRequest
from vidu_nb.storage.archive import Archive
from vidu_nb.storage.budget import Budget

pytestmark = pytest.mark.usefixtures("small_frames")

HOSTILE = '"><img src=x onerror="hacked()"><script>hacked()</script>'


def refuse(change):
    """A person's observer with a mistake in it."""
    raise RuntimeError(f"a mistake in an observer of {change['name']}")


def sent(service, prompt):
    """Wait until a request has left whole, and stays without an answer."""
    service.wait(lambda seen: any(one.reached == "body" and one.prompt == prompt for one in seen))


# From code.


def test_code_does_what_the_buttons_do(asked):
    """`preview` returns the clip, which is also the panel's; traits tell what happens, the state last."""
    panel = vidu.panel(**asked)
    changes = []
    panel.observe(lambda change: changes.append((change["name"], change["new"])), ["state", "stage", "message"])
    video = panel.preview()
    assert video.is_preview
    assert panel.video == video
    assert panel.history == (video,)
    assert panel.error is None
    assert changes[:2] == [("state", "running"), ("stage", "Starting")]
    assert ("stage", "Rendering the preview") in changes
    assert changes[-3:] == [("stage", ""), ("message", f"Here it is: {video.caption}"), ("state", "done")]


def test_progress_is_what_the_service_reports(asked):
    """While a preview is made `progress` grows to what its bar shows; afterwards it is 0 again."""
    panel, seen = vidu.panel(**asked), []
    panel.observe(lambda change: seen.append(change["new"]), "progress")
    click(panel, "Preview")
    item = wait_until(panel, "_progress_item", lambda item: item.get("label") == "Progress")
    assert item["text"] == f"{item['share']:.0%}"
    ended(panel)
    assert panel.progress == 0 == seen[-1]
    assert 0 < max(seen) < 1


def test_an_unfinished_form_is_no_call():
    """From code, a form that lacks something is an error that names it."""
    with pytest.raises(errors.InvalidRequest, match="references"):
        vidu.panel("A cat").preview()


def test_a_lost_answer_is_looked_for_and_its_clip_comes(asked, small_clip):
    """The panel says what it waits for, then shows the clip that the service's record led to."""
    searched = threading.Event()
    with (
        PreviewServer(key=KEY, credits=10.0, render=lambda *_, **__: small_clip.read_bytes()) as service,
        Losing(service.base_url, lose=1) as wire,
    ):
        service.state.record.shown = lambda rows: rows if searched.is_set() else []
        panel = vidu.panel(**asked, client=Client(KEY, wire.url, notify=len))
        panel.observe(lambda change: "service's record" in change["new"] and searched.set(), "stage")
        click(panel, "Generate")
        stage = wait_until(panel, "_progress_item", lambda item: "service's record" in item.get("stage", ""))["stage"]
        video = ended(panel).video
    assert stage == "Looking for it in the service's record ..."
    assert searched.is_set()
    assert video.receipt.cost_usd == 0.5
    assert panel.state == "done"
    assert wire.posts == 1


def test_awaiting_lets_other_work_go_on(asked):
    """`await panel.run()` gives the clip, and the event loop turns meanwhile."""

    async def both():
        turns = 0

        async def turn():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        other = asyncio.create_task(turn())
        video = await vidu.panel(**asked).run("preview")
        other.cancel()
        return video, turns

    video, turns = asyncio.run(both())
    assert video.is_preview
    assert turns > 1


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


# Errors.


@pytest.mark.usefixtures("paid")
def test_the_panel_survives_an_error(asked):
    """A refusal is shown with its remedy; the form, the history and the buttons are as before."""
    panel = press(vidu.panel(**asked), "Generate")
    panel.fill(prompt=fault("status_406_credits"))
    press(panel, "Generate")
    assert panel.state == "failed"
    assert isinstance(panel.error, errors.InsufficientCredits)
    assert "Not billed." in panel.message
    assert panel._said == {"text": panel.message, "problem": True}
    assert panel.request.prompt == fault("status_406_credits")
    assert len(panel.history) == 1
    assert is_offered(panel, "Generate")
    assert not is_offered(panel, "Pay again")


@pytest.mark.parametrize("name", ["state", "stage"])
def test_an_observers_mistake_stops_at_most_one_call(asked, name):
    """What a person's own observer raises ends the call that it was told of, and is raised; the next call runs."""
    panel = vidu.panel(**asked)
    panel.observe(refuse, name)
    with pytest.raises(RuntimeError):
        panel.preview()
    panel.unobserve(refuse, name)
    assert panel.state == "failed"
    assert panel.preview().is_preview


def test_a_call_from_inside_an_observer_is_refused_and_harms_nothing(asked):
    """Asking for another clip while the first is being reported is an error there, no dead panel."""
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


@pytest.mark.usefixtures("paid")
def test_a_journal_that_breaks_meanwhile_takes_the_stage_and_not_the_call(asked):
    """While the call goes on, the panel reports what it can; the call ends as it would have."""
    panel = vidu.panel(**asked | {"prompt": fault("silence_after_body")})
    click(panel, "Generate")
    wait_until(panel, "stage", lambda stage: stage == "The model is at work")
    [attempt] = Archive().journal
    attempt.path.write_text("half a li")
    wait_until(panel, "stage", lambda stage: stage == "Starting")
    press(panel, "Cancel")
    assert isinstance(panel.error, errors.OutcomeUnknown)
    assert [one.state for one in Archive().journal] == ["unknown"]


def test_a_clip_that_can_not_be_shown_is_the_panels_clip_all_the_same(asked):
    """Where no poster can be made of it, a clip that came is reported with its path, and `video` holds it."""
    keep(VideoRequest(**asked), b"no video at all")
    panel = vidu.panel(**asked)
    video = panel.preview()
    assert panel.video == video
    assert panel.state == "done"
    assert video.path.name in panel.message


# Cancelling.


def test_cancelling_what_does_not_run_changes_nothing(asked):
    """Before the first call, twice, and after the last, `cancel` is without effect on the next call."""
    panel = vidu.panel(**asked)
    panel.cancel()
    panel.cancel()
    assert panel.preview().is_preview
    panel.cancel()
    assert panel.state == "done"
    assert panel.preview().receipt.replayed


def test_cancel_ends_a_paid_call_and_says_what_it_may_cost(asked, paid):
    """It ends while the service still says nothing; the same request is then not sent again without a click for it."""
    prompt = fault("silence_after_body")
    panel = vidu.panel(**asked | {"prompt": prompt})
    click(panel, "Generate")
    sent(paid, prompt)
    press(panel, "Cancel")
    assert "may bill about $0.50" in panel.message
    assert panel.state == "failed"
    press(panel, "Generate")
    assert len(paid.posts()) == 1
    assert "It is not sent again by itself" in panel.message
    assert is_offered(panel, "Pay again")


def test_a_call_that_is_cancelled_before_it_begins_is_never_sent(asked, paid):
    """Cancelled at the first sign of it, a call costs nothing."""
    panel = vidu.panel(**asked)
    panel.observe(lambda change: panel.cancel() if change["new"] == "running" else None, "state")
    press(panel, "Generate")
    assert paid.posts() == []
    assert panel.message == "Cancelled. Nothing is billed."


def test_a_cancelled_call_that_is_still_held_up_stays_cancelled(asked, paid, tmp_path):
    """However long it takes until the call can hear of it, nothing is sent afterwards."""
    budget, incoming = Budget(5, tmp_path / "budget.json"), Archive().folder / "incoming"
    panel = vidu.panel(**asked, client=Client(budget=budget))
    with hold(budget.file.with_suffix(".lock"), timeout=0):
        click(panel, "Generate")
        wait_until(panel, "progress", lambda _: incoming.is_dir())  # the first step, before the budget is asked
        click(panel, "Cancel")
        panel.wait(1)  # held up, for a few looks of its clock; or over by now, where the wish came before the budget
    assert ended(panel).message == "Cancelled. Nothing is billed."
    assert paid.posts() == []


@pytest.mark.parametrize("is_under_way", [False, True], ids=["at once", "while it is made"])
def test_a_cancelled_preview_speaks_of_no_bill(asked, is_under_way, monkeypatch):
    """Nobody is frightened about money, also where the render had begun."""
    over = threading.Event()

    def render_while_it_lasts(*_arguments, progress, **_options):
        progress(1, 120)
        over.wait(WAIT)
        raise Cancelled

    if is_under_way:
        monkeypatch.setattr(engine, "render", render_while_it_lasts)
    panel = vidu.panel(**asked)
    click(panel, "Preview")
    if is_under_way:
        wait_until(panel, "_progress_item", lambda item: item.get("label") == "Progress")  # as reported
    press(panel, "Cancel")
    over.set()
    assert panel.state == "failed"
    assert "Nothing is billed." in panel.message
    assert "robably billed" not in panel.message


def test_an_interrupt_of_a_waiting_cell_ends_the_call(asked, paid):
    """Ctrl-C in `panel.generate()` gets through; what was sent is reported as unknown."""
    prompt = fault("silence_after_body")
    panel = vidu.panel(**asked | {"prompt": prompt})

    def interrupt():
        sent(paid, prompt)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        panel.generate()
    assert isinstance(ended(panel).error, errors.OutcomeUnknown)
    assert "may bill about" in panel.message


def test_an_interrupt_while_a_call_is_begun_does_not_deny_it(asked, paid, monkeypatch):
    """Its threads run already: what was sent is reported as unknown, not as "not begun"."""
    prompt, start = fault("silence_after_body"), BackgroundCall.start

    def interrupted(call):
        start(call)
        sent(paid, prompt)
        raise KeyboardInterrupt

    panel = vidu.panel(**asked | {"prompt": prompt})
    monkeypatch.setattr(BackgroundCall, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        panel.generate()
    assert isinstance(ended(panel).error, errors.OutcomeUnknown)
    assert "may bill about" in panel.message
    assert panel.state == "failed"


@pytest.mark.usefixtures("paid")
def test_an_interrupt_while_awaiting_cancels_the_call(asked):
    """Whoever stops the cell stops the call: it is unknown, and reported as such."""
    panel = vidu.panel(**asked | {"prompt": fault("silence_after_body")})

    async def stopped():
        loop, at_work = asyncio.get_running_loop(), asyncio.Event()

        def look(change):
            if change["new"] == "The model is at work":
                loop.call_soon_threadsafe(at_work.set)

        panel.observe(look, "stage")
        task = asyncio.create_task(panel.run())
        await at_work.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(stopped(), WAIT))
    assert isinstance(ended(panel).error, errors.OutcomeUnknown)


# What must never happen.


def test_two_things_typed_in_two_threads_are_both_there(asked):
    """Messages may be handled beside the running cell: whoever reads last has all of it, and no text is put back."""
    panel = vidu.panel(**asked)
    panel.observe(lambda change: len(change["new"].prompt), "request")

    def write(name, values):
        for value in values:
            panel._receive(panel, {"do": "values", "values": {name: value}}, [])

    threads = [
        threading.Thread(target=write, args=("prompt", [f"A wave, {n}" for n in range(60)])),
        threading.Thread(target=write, args=("seed", [str(n) for n in range(1, 61)])),
        threading.Thread(target=lambda: [panel.fill(bgm=n % 2 == 0) for n in range(61)]),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert (panel._values["prompt"], panel._values["seed"], panel._values["bgm"]) == ("A wave, 59", "60", True)
    assert (panel.request.prompt, panel.request.seed, panel.request.bgm) == ("A wave, 59", 60, True)


def in_another_thread(act):
    """Do something in another thread, and wait until it is done."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join(WAIT)


def test_what_another_thread_typed_meanwhile_is_what_the_page_is_told_last(asked):
    """A page that is being told of a change hears of the later one, and so does whoever reads `request`."""
    panel = vidu.panel(**asked)

    def interfere(_change):
        panel.unobserve(interfere, "_values")
        in_another_thread(lambda: panel._form.take({"prompt": "x" * 1501}, of=panel.model.slug))

    panel.observe(interfere, "_values")
    type_in(panel, seed="7")
    assert panel.request is None
    assert panel.problems[0][0] == "prompt"
    assert "1,501" in panel._remarks["prompt"]["text"]
    assert (panel._values["seed"], len(panel._values["prompt"])) == ("7", 1501)
    assert panel._offer["is_blocked"]


def test_an_observer_may_change_the_controls_while_it_is_told(asked):
    """What it writes stays, and what it assigns is taken."""
    panel = vidu.panel(**asked)
    other = panel.request.replace(seed=5)
    panel.observe(lambda change: change["new"].seed == 3 and panel.fill(seed=4), "request")
    panel.observe(lambda change: change["new"].seed == 4 and setattr(panel, "request", other), "request")
    type_in(panel, seed="3")
    assert (panel.request, panel._values["seed"]) == (other, "5")


def test_an_observers_mistake_leaves_the_rest_of_a_change(asked):
    """What was typed is taken, the problems are those of now, and the next click counts; the page gets an answer."""
    panel = vidu.panel(**asked)
    panel.observe(refuse, "request")
    with pytest.raises(RuntimeError):
        type_in(panel, prompt="")
    assert [name for name, _ in panel.problems] == ["prompt"]
    assert panel._remarks["prompt"]["kind"] == "problem"
    panel.unobserve(refuse, "request")
    assert press(panel, "Preview", prompt="Another wave").video.request.prompt == "Another wave"


def test_an_observers_mistake_with_a_clip_hides_no_clip(asked):
    """It is played and stands in the history's strip, whatever an observer of `video` does."""
    panel = vidu.panel(**asked)
    panel.observe(refuse, "video")
    press(panel, "Preview")
    assert panel.video.path.is_file()
    assert len(shown(panel)) == len(cards(panel)) == 1
    assert panel.state == "done"


@pytest.mark.parametrize(
    "content",
    [
        {"do": None},
        {"do": ["press"]},
        {"do": "__init__"},
        {"do": "_start"},
        {"do": "piece"},
        {"do": "piece", "shown": "shown-1", "item": 0, "at": 0},
        {"do": "piece", "shown": None, "item": True, "at": -1},
        {"do": "model"},
        {"do": "model", "slug": 7},
        {"do": "model", "slug": "/etc/passwd"},
        {"do": "model", "slug": ["x"] * 1000},
        {"do": "idea", "idea": "no such idea"},
        {"do": "idea"},
        {"do": "open"},
        {"do": "open", "id": "made-0"},
        {"do": "open", "id": {}},
        {"do": "compare"},
        {"do": "compare", "ids": "made-1"},
        {"do": "compare", "ids": ["made-0", 1, None]},
        {"do": "tool"},
        {"do": "tool", "tool": "save", "name": "/etc/mine"},
        {"do": "file", "tray": "prompt"},
        {"do": "file", "tray": "nothing"},
        {"do": "nothing", "tray": "references"},
        {"do": "press", "button": "all"},
    ],
    ids=str,
)
def test_a_senseless_message_is_refused_and_changes_nothing(asked, content):
    """Unknown acts, wrong types and things that are not there are answered in words."""
    panel = vidu.panel(**asked)
    before = panel.get_state(), panel.request
    answer = send(panel, content["do"], **{name: one for name, one in content.items() if name != "do"})
    assert answer["refused"]
    assert answer["message"]
    assert (panel.get_state(), panel.request) == before


@pytest.mark.parametrize("content", [None, "press", 7, ["do", "press"], {"do": "press", "token": {"a": 1}}])
def test_a_message_that_is_no_request_gets_no_answer(asked, content):
    """What carries no token of its own is dropped without an error."""
    panel, told = vidu.panel(**asked), []
    panel.send = lambda *sent: told.append(sent)
    panel._receive(panel, content, None)
    assert told == []
    assert panel.state == "ready"


def test_all_that_a_page_gets_can_be_sent(asked):
    """Half a character, which JavaScript knows and no message can carry, is a problem in the form alone."""
    panel = vidu.panel(**asked)
    type_in(panel, prompt="half \ud83c of it")
    assert "half a character" in panel.problems[0][1]
    assert json_packer(panel.get_state())
    type_in(panel, prompt="\ud83c\udf0a")
    assert panel._values["prompt"].encode("utf-16", "surrogatepass").decode("utf-16") == "🌊"


@pytest.mark.usefixtures("paid")
def test_a_panel_that_is_closed_keeps_what_it_paid_for(asked):
    """Closing the widget during a call loses no clip."""
    panel = vidu.panel(**asked | {"prompt": fault("good_slow")})
    click(panel, "Generate")
    panel.close()
    assert ended(panel).video.path.is_file()


def test_many_replays_leave_nothing_behind(asked):
    """Showing the same clip again adds no model to the notebook and no thread to the process."""
    panel = vidu.panel(**asked)
    panel.preview()
    models, threads = len(ipywidgets.Widget.get_manager_state()["state"]), threading.active_count()
    for _ in range(10):
        panel.preview()
    assert len(ipywidgets.Widget.get_manager_state()["state"]) == models
    assert threading.active_count() <= threads + 1
    assert len(panel.history) == 1


def everything(panel, answer=""):
    """What the page gets as plain texts, and the HTML in the cell's output."""
    texts = [answer, text(panel), *(f"{one['caption']} {one['label']} {one['prompt']}" for one in shown(panel))]
    return "\n".join([*texts, *(f"{one['caption']} {one['label']}" for one in cards(panel))]), saved(panel)


def _a_prompt(asked):
    panel = press(vidu.panel(**asked | {"prompt": f"A wave {HOSTILE}"}), "Generate")
    return everything(panel)


def _an_errors_body(asked):
    return everything(press(vidu.panel(**asked | {"prompt": fault("status_400_script")}), "Generate"))


def _headers(asked):
    return everything(press(vidu.panel(**asked | {"prompt": fault("papers_script")}), "Generate"))


def _a_file_that_has_gone(asked):
    keep(VideoRequest(**asked), clip("good"), name=f"<script>hacked()<|script>{HOSTILE.replace('/', '|')}")
    panel = vidu.panel(**asked)
    panel.preview().path.unlink()
    open_card(panel, cards(panel)[0])
    return everything(panel)


def _the_archives_entries(asked):
    path = keep(VideoRequest(**asked | {"prompt": f"A wave {HOSTILE}"}), clip("good"))
    entry = json.loads(path.read_text())
    entry["receipt"] |= {"engine": HOSTILE, "request_id": HOSTILE, "model": HOSTILE}
    path.write_text(json.dumps(entry))
    panel = vidu.panel()
    open_card(panel, open_archive(panel)[0])
    return everything(panel)


def _labels_of_a_comparison(asked):
    for seed in (1, 2):
        path = keep(VideoRequest(**asked, seed=seed), clip(f"clip {seed}"))
        entry = json.loads(path.read_text())
        entry["receipt"] |= {"engine": HOSTILE}
        path.write_text(json.dumps(entry))
    panel = vidu.panel()
    send(panel, "compare", ids=[card["id"] for card in open_archive(panel)])
    return everything(panel)


def _a_saved_copys_name(asked):
    keep(VideoRequest(**asked), clip("good"))
    panel = vidu.panel(**asked)
    panel.preview()
    return everything(panel, use(panel, "save", name=HOSTILE.replace("/", "|"))["message"])


@pytest.mark.parametrize(
    ("view", "reads"),
    [
        (_a_prompt, HOSTILE),
        (_an_errors_body, "<script>alert(1)</script>"),
        (_headers, "cost unknown"),  # what is no figure is left out
        (_a_file_that_has_gone, "hacked()"),
        (_the_archives_entries, HOSTILE),
        (_labels_of_a_comparison, HOSTILE),
        (_a_saved_copys_name, "hacked()"),
    ],
    ids=["prompt", "error body", "headers", "file that has gone", "archive", "labels", "name of a copy"],
)
@pytest.mark.usefixtures("paid")
def test_texts_from_people_files_and_servers_stay_texts(asked, view, reads):
    """Markup in any of them reaches the page as it is written, and becomes none in the cell's output."""
    texts, html = view(asked)
    page = Page(html)
    assert reads in texts
    assert "&lt;" not in texts
    assert "script" not in [tag for tag, _ in page.elements]
    assert [attributes for _, attributes in page.elements if any(name.startswith("on") for name in attributes)] == []
    assert [one for tag, one in page.elements if tag == "img" and not one["src"].startswith("data:image/jpeg")] == []


def test_why_nothing_was_done_is_said_no_longer_than_it_is_true(asked):
    """What was missing is there: the sentence goes, with the first thing that was mended."""
    panel = vidu.panel()
    click(panel, "Preview")
    assert panel._said["problem"]
    assert "prompt" in panel.message
    type_in(panel, prompt="A wave")
    assert panel.message == ""
    click(panel, "Preview")
    assert "references" in panel.message
    type_in(panel, seed="9")
    assert "references" in panel.message, "nothing of it was mended"
    panel.fill(references=asked["references"])
    assert panel._said == {"text": "", "problem": False}
