"""Promises of the panel, without a browser: what its controls say, what its buttons do, and what they never do."""

from __future__ import annotations

import asyncio
import threading
import time

import ipywidgets
import pytest
from faults import KEY
from panels import WAIT, button, fault, text, walk
from pydantic import Field

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client, client_of
from vidu_nb.client.engines import Engine
from vidu_nb.net.credentials import Secret
from vidu_nb.panels.panel import Panel
from vidu_nb.request import VideoRequest
from vidu_nb.samples import STARTERS
from vidu_nb.storage.archive import Archive

HOSTILE = '"><img src=x onerror="hacked()"><script>hacked()</script>'


def settled(panel):
    """Wait until the panel's call has ended."""
    assert panel._job.wait(WAIT), "the call did not end"
    return panel


def press(panel, name):
    """Click a button and wait for what comes of it."""
    button(panel, name).click()
    return settled(panel)


# The controls.


def test_every_parameter_has_a_control_that_says_its_name():
    """Labels, defaults and choices come from the request model."""
    panel = vidu.panel()
    labels = {one.description for one in walk(panel) if hasattr(one, "description")}
    for name, info in VideoRequest.model_fields.items():
        assert name == "references" or info.title in labels
        if not info.is_required():
            assert panel._form.fields[name].value == info.default


def test_a_new_parameter_appears_by_itself():
    """A parameter that is added to the model gets a control, a value and a place in the request."""

    class Longer(VideoRequest):
        fade_in: bool = Field(default=False, title="Fade in", description="Begin in black.")
        style_weight: int = Field(default=3, ge=0, le=9, description="How much style.")

    panel = Panel({"prompt": "A cat", "references": "https://example.com/cat.png"}, model=Longer)
    panel.fill(fade_in=True, style_weight=5)
    assert (panel.request.fade_in, panel.request.style_weight) == (True, 5)
    assert "Begin in black." in text(panel)
    assert any(getattr(one, "description", "") == "Style weight" for one in walk(panel))


def test_the_panel_says_what_is_missing_until_nothing_is(photo):
    """Disabled buttons come with a reason in words; a person is not told off for fields they have not come to."""
    panel = vidu.panel()
    assert panel.request is None
    assert button(panel, "Preview").disabled
    assert button(panel, "Generate").disabled
    assert "Say what happens in the clip. Add at least one picture." in text(panel)
    assert "vidu-problem" not in text(panel)
    panel.fill(prompt="A wave", references=photo)
    assert not button(panel, "Preview").disabled
    assert panel.problems == ()
    assert panel.request == VideoRequest(prompt="A wave", references=photo)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("prompt", "x" * 1501, "Has 1,501 characters: the limit is 1,500"),
        ("prompt", "   ", "Is empty: say what happens in the clip"),
        ("seed", -1, "-1 is out of range: pass a whole number from 0 to 999999"),
        ("seed", 1_000_000, "1000000 is out of range"),
    ],
)
def test_what_is_wrong_is_told_beside_its_control(asked, name, value, words):
    """A value that a person typed and that the model refuses is told in words, and the last request is gone."""
    panel = vidu.panel(**asked)
    panel._form.fields[name].control.value = value
    assert words in panel._form.fields[name].line.value
    assert panel.request is None
    assert panel.problems[0][0] == name


def test_ten_seconds_come_with_a_word_of_warning(asked):
    """The duration that the service's own list lacks is offered, with a note, and without a warning in the notebook."""
    panel = vidu.panel(**asked, duration=10)
    assert panel.request.duration == 10
    assert "it may refuse this" in panel._form.fields["duration"].line.value


def test_a_value_that_no_control_can_show_is_refused():
    """A ratio that is not offered is an error where it is written, and changes nothing in a panel that is there."""
    with pytest.raises(errors.InvalidRequest, match="4:3"):
        vidu.panel(aspect_ratio="4:3")
    panel = vidu.panel(seed=5)
    with pytest.raises(errors.InvalidRequest):
        panel.fill(seed=6, aspect_ratio="4:3")
    assert panel._form.values()["seed"] == 5


def test_the_seed_can_be_drawn_kept_and_varied(asked):
    """Dice draws another; unlocked, each fresh clip is followed by another seed, a replay is not."""
    panel = vidu.panel(**asked)
    button(panel, "Dice").click()
    first = panel.request.seed
    assert 1 <= first <= 999_999
    panel.preview()
    assert panel.request.seed == first
    lock = panel._form._lock
    lock.value = False
    assert (lock.description, lock.icon) == ("Vary", "unlock")
    panel.preview()
    assert panel.request.seed == first, "a replay draws no seed"
    panel.fill(seed=first % 999_999 + 1)
    panel.preview()
    assert panel.request.seed != first % 999_999 + 1


def test_a_starting_point_can_be_taken_back(asked):
    """An idea fills prompt and parameters and leaves the pictures; the first choice brings back what was typed."""
    panel = vidu.panel(**asked)
    before = panel.request
    ideas = next(one for one in walk(panel) if isinstance(one, ipywidgets.Dropdown))
    for name, parameters in STARTERS.items():
        ideas.value = name
        assert panel.request.prompt == parameters["prompt"]
        assert panel.request.references == before.references
    ideas.value = ideas.options[0]
    assert panel.request == before


# Calls.


def test_the_twin_does_from_code_what_the_buttons_do(asked):
    """`preview` returns the clip, which is also the panel's; traits tell what happens."""
    panel = vidu.panel(**asked)
    states = []
    panel.observe(lambda change: states.append(change["new"]), "state")
    video = panel.preview()
    assert video.is_preview
    assert panel.video == video
    assert panel.history == (video,)
    assert states == ["running", "done"]
    assert panel.error is None


def test_a_request_from_elsewhere_fills_the_controls(asked):
    """`panel.request = video.request` brings a clip's parameters back."""
    panel, request = vidu.panel(), VideoRequest(**asked, seed=77)
    panel.request = request
    assert panel._form.values()["seed"] == 77
    assert panel.request == request


def test_an_unfinished_form_is_no_call():
    """From code, a form that lacks something is an error that names it."""
    with pytest.raises(errors.InvalidRequest, match="references"):
        vidu.panel("A cat").preview()


def test_without_a_key_generate_explains_and_asks_for_none(asked):
    """The button tells how to set a key and takes none; once one is set, it says what a click costs before it pays."""
    panel = vidu.panel(**asked)
    generate = button(panel, "Generate (needs a key)")
    generate.click()
    assert "vidu.login()" in text(panel)
    assert panel.state == "ready"
    assert not any(isinstance(one, ipywidgets.Password) for one in walk(panel))
    vidu.login(KEY)
    try:
        generate.click()
        assert panel.state == "ready"
        assert "press Generate again" in text(panel)
        assert generate.description == "Generate (about $0.50, about 2 min)"
    finally:
        vidu.logout()


def test_from_code_and_without_a_key_the_preview_engine_answers(asked):
    """`panel.generate()` does what `vidu.generate` does."""
    assert vidu.panel(**asked).generate().is_preview


def test_a_key_that_can_not_be_used_is_told_and_never_shown(asked, monkeypatch):
    """A malformed key in the environment stops nothing but the paying."""
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_two words")
    panel = vidu.panel(**asked)
    button(panel, "Generate").click()
    assert "two words" not in text(panel)
    assert "key" in text(panel)
    assert panel.preview().is_preview


def test_a_kept_clip_costs_nothing_and_says_so(asked, paid):
    """After one paid call the button says that the clip is kept; a click replays it, even when the key is gone."""
    panel = vidu.panel(**asked)
    press(panel, "Generate (about $0.50")
    assert panel.state == "done"
    posts = len(paid.posts())
    press(panel, "Generate (kept: shows at no cost)")
    assert panel.video.receipt.replayed
    assert len(paid.posts()) == posts
    assert len(panel.history) == 1


def test_a_kept_clip_shows_without_a_key(asked, faults):
    """What was paid for with a key is shown to people who have none."""
    hosted = client_of(Engine("segmind", faults.root, Secret.from_text(KEY)), archive=Archive())
    hosted.generate(VideoRequest(**asked))
    panel = press(vidu.panel(**asked), "Generate (kept")
    assert panel.video.receipt.engine == "segmind"
    assert panel.generate().receipt.replayed
    assert panel.generate(fresh=True).is_preview  # another take would need the key


def test_a_second_click_never_makes_a_second_call(asked, paid):
    """However often a button is pressed while a call runs, one POST leaves."""
    posts = len(paid.posts())
    panel = vidu.panel(**asked | {"prompt": fault("good_slow")})
    for _ in range(5):
        button(panel, "Generate").click()
    with pytest.raises(errors.ViduError, match="is running"):
        panel.generate()
    settled(panel)
    assert panel.state == "done"
    assert len(paid.posts()) == posts + 1


def test_words_that_arrive_after_the_click_on_a_kept_clip_cost_nothing(asked, paid):
    """Who pressed a button that said "no cost" is asked again when the words that came last make it a paid call."""
    panel = press(vidu.panel(**asked | {"prompt": "A kept wall"}), "Generate")
    posts = len(paid.posts())

    def late(then):
        panel.fill(prompt="A kept wall, and something more")
        then(True)

    panel._roundtrip.ask = late
    button(panel, "Generate (kept").click()
    assert "press Generate again to pay for it" in text(panel)
    assert len(paid.posts()) == posts


def test_without_the_pages_word_a_click_does_nothing(asked, paid):
    """Where the page can't say that everything typed has arrived, nothing is sent."""
    panel = vidu.panel(**asked | {"prompt": "A wall without a page"})
    posts = len(paid.posts())
    panel._roundtrip.ask = lambda then: then(False)
    button(panel, "Generate").click()
    assert "Nothing was done" in text(panel)
    assert panel.state == "ready"
    assert len(paid.posts()) == posts


def test_cancel_ends_a_paid_call_at_once_and_says_what_it_may_cost(asked, paid):
    """The word comes within a second; afterwards the same request is not sent again but by an explicit word."""
    panel = vidu.panel(**asked | {"prompt": fault("silence_after_body")})
    posts = len(paid.posts())
    button(panel, "Generate").click()
    paid.wait(lambda seen: any(one.reached == "body" and one.prompt == fault("silence_after_body") for one in seen))
    started = time.monotonic()
    button(panel, "Cancel").click()
    settled(panel)
    assert time.monotonic() - started < 1
    assert "may bill about $0.50" in text(panel)
    assert panel.state == "failed"
    press(panel, "Generate")
    assert len(paid.posts()) == posts + 1
    assert "It is not sent again by itself" in text(panel)
    assert button(panel, "Pay again").layout.display == ""


def test_a_cancelled_preview_costs_nothing_and_says_so(asked):
    """A free call ends as quickly, and nobody is frightened about money."""
    panel = vidu.panel(**asked | {"seed": 11})
    button(panel, "Preview").click()
    button(panel, "Cancel").click()
    settled(panel)
    assert panel.state == "failed"
    assert "Cancelled. Nothing is billed." in text(panel)


def test_a_preview_that_is_cancelled_while_it_is_made_speaks_of_no_bill(asked):
    """Also where the render had begun: nothing was billed, and nothing need be fetched."""
    panel = vidu.panel(**asked | {"seed": 12})
    button(panel, "Preview").click()
    deadline = time.monotonic() + WAIT
    while "0 %" in text(panel) or "%" not in text(panel):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two looks at a bounded wait
    button(panel, "Cancel").click()
    settled(panel)
    assert "Nothing is billed." in text(panel)
    assert "robably billed" not in text(panel)


@pytest.mark.usefixtures("paid")
def test_the_state_survives_an_error(asked):
    """A refusal is told in words with its remedy; the form, the history and the buttons are as before."""
    panel = vidu.panel(**asked)
    press(panel, "Generate")
    panel.fill(prompt=fault("status_406_credits"))
    press(panel, "Generate")
    assert isinstance(panel.error, errors.InsufficientCredits)
    assert "Not billed." in text(panel)
    assert panel.request.prompt == fault("status_406_credits")
    assert len(panel.history) == 1
    assert not button(panel, "Generate").disabled
    assert button(panel, "Pay again").layout.display == "none"


def test_paying_again_takes_a_click_of_its_own(asked, paid):
    """After an unknown outcome only the button that says so sends the request once more."""
    panel = vidu.panel(**asked | {"prompt": fault("close_after_body")})
    press(panel, "Generate")
    posts = len(paid.posts())
    press(panel, "Pay again")
    assert len(paid.posts()) == posts + 1


@pytest.mark.usefixtures("paid")
def test_receipts_correct_the_estimate(asked):
    """What clips really cost and took replaces the setting, also for the next panel; the credits left are shown."""
    panel = press(vidu.panel(**asked), "Generate")
    cost = panel.video.receipt.cost_usd
    assert cost is not None
    panel.fill(seed=43)
    assert button(panel, f"Generate (about ${cost:.2f}, about 0 s)")
    assert f"Credits left: ${panel.video.receipt.credits_remaining:.2f}" in text(panel)
    assert button(vidu.panel(**asked | {"seed": 44}), f"Generate (about ${cost:.2f}")


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
        video = await vidu.panel(**asked | {"seed": 12}).run("preview")
        other.cancel()
        return video, turns

    video, turns = asyncio.run(both())
    assert video.is_preview
    assert turns > 10


@pytest.mark.usefixtures("paid")
def test_an_interrupt_while_waiting_cancels_the_call(asked):
    """Whoever stops the cell stops the call: it is unknown, and told as such."""
    panel = vidu.panel(**asked | {"prompt": fault("silence_after_body"), "seed": 99})

    async def stopped():
        task = asyncio.create_task(panel.run())
        while panel._service.stage(panel.request, panel._service.engine) != "The model is at work":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(stopped(), WAIT))
    settled(panel)
    assert isinstance(panel.error, errors.OutcomeUnknown)


# The clip.


def test_history_brings_a_clip_and_its_parameters_back(asked):
    """A click on a poster shows the clip and fills the controls; two ticks compare."""
    panel = vidu.panel(**asked)
    first = panel.preview()
    panel.fill(seed=43)
    second = panel.preview()
    cards = [one for one in walk(panel) if "vidu-card" in getattr(one, "_dom_classes", ())]
    assert len(cards) == 2
    button(cards[1], "Show").click()
    assert panel.video == first
    assert panel.request.seed == 42
    for card in cards:
        next(one for one in walk(card) if isinstance(one, ipywidgets.Checkbox)).value = True
    assert panel._screen.bar.children[0].labels
    assert panel._screen.slot.output.outputs[0]["data"]["text/html"].count("<video") == 2
    button(cards[0], "Show").click()
    assert panel._screen.bar.children == ()
    assert panel.video == second


def test_the_archives_clips_are_read_only_when_asked_for(asked):
    """The shelf is empty until it is opened; then it holds what other panels made, too."""
    made = vidu.panel(**asked).preview()
    panel = vidu.panel()
    assert not any("vidu-card" in getattr(one, "_dom_classes", ()) for one in walk(panel))
    shelf = panel._shelf
    shelf._toggle.value = True
    deadline = time.monotonic() + WAIT
    while not shelf._strip.box.children and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    button(shelf.box, "Show").click()
    assert panel.video.path == made.path
    assert panel.request == made.request


def test_the_next_seed_and_this_seed_go_into_the_form(asked):
    """The result's seed can be taken over, or the one after it."""
    panel = vidu.panel(**asked | {"seed": 999_999})
    panel.preview()
    panel.fill(seed=5)
    button(panel, "Use this seed").click()
    assert panel.request.seed == 999_999
    button(panel, "Next seed").click()
    assert panel.request.seed == 1


def test_a_copy_is_saved_and_nothing_is_overwritten(asked, tmp_path):
    """Saving writes the recipe into the copy; a name that is taken is refused in words."""
    panel = vidu.panel(**asked)
    panel.preview()
    panel._tools._name.value = "mine"
    button(panel, "Save a copy").click()
    assert vidu.load(tmp_path / "mine.mp4").request == panel.request
    button(panel, "Save a copy").click()
    assert "is there already" in text(panel)
    panel._tools._name.value = "no/such/folder/x.mp4"
    button(panel, "Save a copy").click()
    assert panel.state == "done"


# What must never happen.


@pytest.mark.parametrize("kind", ["status_400_script", "papers_script"])
@pytest.mark.usefixtures("paid")
def test_texts_from_people_and_servers_stay_texts(asked, kind):
    """A prompt, an error body and a header with markup in them are shown as they are written."""
    panel = press(vidu.panel(**asked | {"prompt": f"{fault(kind)} {HOSTILE}"}), "Generate")
    told = text(panel)
    assert "<script" not in told
    assert 'onerror="' not in told
    assert "<img src=x" not in told


def test_the_result_goes_into_the_panel_where_no_cell_output_can_be_updated(asked):
    """A panel inside another widget shows its clip itself."""
    panel = vidu.panel(**asked)
    press(panel, "Preview")
    assert "<video" in panel._screen.slot.output.outputs[0]["data"]["text/html"]
    assert panel._screen.slot.output.layout.display == ""


def test_a_key_of_a_given_preview_client_is_never_paid_with(asked, paid):
    """A panel that was given the preview engine pays nobody, whatever the environment says."""
    posts = len(paid.posts())
    panel = vidu.panel(**asked, client=Client.preview())
    button(panel, "Generate").click()
    assert panel.generate().is_preview
    assert len(paid.posts()) == posts
