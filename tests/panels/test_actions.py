"""The panel's buttons: what they promise, what a click costs, and which click pays nothing."""

from __future__ import annotations

import shutil

import ipywidgets as widgets
import pytest
from faults import KEY
from panels import button, control, ended, fault, is_offered, press, text
from vidu_nb.widgets.roundtrip import Roundtrip

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.panels.actions import ActionBar, Progress, cancelled
from vidu_nb.storage.archive import Archive


def enabled(panel, name):
    """A button that can be pressed."""
    assert is_offered(panel, name)
    return button(panel, name)


# What stands on them.


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        (Progress("At work", 30, 120), ['value="0.250"', "30 s of about 120 s (an estimate)"]),
        (Progress("At work", 130, 120), ['value="0.990"', "130 s, longer than the usual 120 s; still waiting"]),
        (Progress("At work", 30, 120, reported=0.5), ['value="0.500"', 'aria-label="Progress"', "50%"]),
    ],
    ids=["by the clock", "late", "as reported"],
)
def test_the_bar_says_what_it_knows(progress, told):
    """A share that the service reports is shown as such; without one the clock's is called an estimate."""
    bar = ActionBar(preview=print, generate=print, again=print, cancel=print, beside=widgets.Label())
    bar.show_progress(progress)
    assert [one for one in ["At work ...", *told] if one not in text(bar.box)] == []


@pytest.mark.parametrize(
    ("error", "says", "never"),
    [
        (errors.Unreachable("cancelled before it was sent"), "Nothing is billed", "may bill"),
        (errors.OutcomeUnknown("it was cancelled"), "may bill about $0.50", "Nothing is billed"),
        (
            errors.OutcomeUnknown("the clip is made", billed="yes", remedy="Resume brings it at no cost."),
            "Resume brings it at no cost",
            "Nothing is billed",
        ),
    ],
    ids=["not sent", "sent", "made"],
)
def test_a_cancelled_call_says_what_it_may_cost(error, says, never):
    """Nothing, perhaps a clip's price, or a clip that is there to be fetched: each in its own sentence."""
    message = cancelled(error, 0.5)
    assert says in message
    assert never not in message


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


@pytest.mark.parametrize("price", ["0", "abc", "nan", "-1"])
@pytest.mark.usefixtures("paid")
def test_an_odd_price_in_the_environment_is_refused(asked, monkeypatch, price):
    """A setting that is no price is an error where the panel is made; 0 is a price."""
    monkeypatch.setenv("VIDU_NB_PRICE_USD", price)
    if price == "0":
        assert is_offered(vidu.panel(**asked), "Generate (about $0.00")
    else:
        with pytest.raises(errors.InvalidRequest, match="is not a price"):
            vidu.panel(**asked)


# What costs nothing.


def test_without_a_key_generate_explains_and_asks_for_none(asked):
    """The button tells how to set a key and takes none; once one is set, it says what a click costs before it pays."""
    panel = vidu.panel(**asked)
    generate = enabled(panel, "Generate (needs a key)")
    generate.click()
    assert "vidu.login()" in panel.message
    assert panel.state == "ready"
    vidu.login(KEY)
    try:
        generate.click()
        assert panel.state == "ready"
        assert "press Generate again" in panel.message
        assert generate.description == "Generate (about $0.50, about 2 min)"
    finally:
        vidu.logout()


def test_a_kept_clip_costs_nothing_and_says_so(asked, paid):
    """After one paid call the button says that the clip is kept; a click replays it."""
    panel = press(vidu.panel(**asked), "Generate (about $0.50")
    assert panel.state == "done"
    press(panel, "Generate (kept: shows at no cost)")
    assert panel.video.receipt.replayed
    assert len(paid.posts()) == 1
    assert len(panel.history) == 1


def test_a_button_that_promises_no_cost_never_pays(asked, paid):
    """Where the kept clip has gone since the label was written, the click asks anew instead of paying."""
    panel = press(vidu.panel(**asked), "Generate")
    shutil.rmtree(Archive().folder)
    press(panel, "Generate (kept: shows at no cost)")
    assert len(paid.posts()) == 1
    assert is_offered(panel, "Generate (about $")


def test_an_observer_that_fails_leaves_no_old_promise_on_a_button(asked, paid):
    """The labels follow the form, whatever a person's own code makes of the change."""

    def refuse(_):
        raise RuntimeError("a mistake in an observer")

    panel = press(vidu.panel(**asked), "Generate")
    panel.observe(refuse, "request")
    with pytest.raises(RuntimeError):
        panel.fill(seed=43)
    assert is_offered(panel, "Generate (about $")
    assert len(paid.posts()) == 1


def test_a_kept_clip_with_a_damaged_entry_is_never_paid_for_by_a_click(asked, paid):
    """The button no longer says that it is kept; a click tells what is damaged, and sends nothing."""
    panel = press(vidu.panel(**asked), "Generate (about $")
    entry = panel.video.path.with_suffix(".json")
    entry.write_text("half a li")
    panel.fill(seed=1)
    panel.fill(seed=42)
    press(panel, "Generate (about $")
    assert f"{entry} is damaged" in panel.message
    assert len(paid.posts()) == 1


def test_a_random_seed_is_paid_for_each_time_and_says_so(asked, paid):
    """Seed 0 is never replayed, and its button never says that it is kept."""
    panel = press(vidu.panel(**asked | {"seed": 0}), "Generate (about $")
    press(panel, "Generate (about $")
    assert len(paid.posts()) == 2
    assert len(panel.history) == 2


# Clicks.


@pytest.fixture
def page(monkeypatch):
    """Lets a test act between a click and the page's answer: ``page(act)``; `act` gets what the answer is told to."""

    def answer(act):
        monkeypatch.setattr(Roundtrip, "ask", lambda _, then: act(then))

    return answer


def test_a_second_click_never_makes_a_second_call(asked, paid):
    """However often a button is pressed while a call runs, one POST leaves."""
    panel = vidu.panel(**asked | {"prompt": fault("good_slow")})
    for _ in range(5):
        button(panel, "Generate").click()
    with pytest.raises(errors.ViduError, match="is running"):
        panel.generate()
    assert ended(panel).state == "done"
    assert len(paid.posts()) == 1


def test_a_prompt_that_arrives_after_the_click_on_a_kept_clip_costs_nothing(asked, paid, page):
    """Who pressed a button that said "no cost" is asked again when what came last makes it a paid call."""
    panel = press(vidu.panel(**asked | {"prompt": "A kept wall"}), "Generate")

    def late(then):
        panel.fill(prompt="A kept wall, and something more")
        then(True)

    page(late)
    enabled(panel, "Generate (kept").click()
    assert "press Generate again to pay for it" in panel.message
    assert len(paid.posts()) == 1


def test_without_the_pages_answer_a_click_does_nothing(asked, paid, page):
    """Where the page can't say that everything typed has arrived, nothing is sent."""
    panel = vidu.panel(**asked)
    page(lambda then: then(False))
    enabled(panel, "Generate").click()
    assert "Nothing was done" in panel.message
    assert panel.state == "ready"
    assert paid.posts() == []


def test_a_prompt_that_is_emptied_after_the_click_is_no_call(asked, page):
    """What is missing is said, and nothing begins."""
    panel = vidu.panel(**asked)

    def late(then):
        control(panel, "prompt").value = ""
        then(True)

    page(late)
    enabled(panel, "Preview").click()
    assert "prompt: is empty" in panel.message
    assert (panel.state, panel.video) == ("ready", None)


# Paying again.


def test_paying_again_takes_a_click_of_its_own(asked, paid):
    """After an unknown outcome only the button that says so sends the request once more."""
    panel = press(vidu.panel(**asked | {"prompt": fault("close_after_body")}), "Generate")
    press(panel, "Generate")
    assert "It is not sent again by itself" in panel.message
    assert len(paid.posts()) == 1
    press(panel, "Pay again (about $0.50)")
    assert len(paid.posts()) == 2


@pytest.mark.usefixtures("paid")
def test_paying_again_is_offered_only_where_paying_is_the_only_way(asked):
    """A clip that is made and could not be fetched is fetched at no cost: no button offers to pay for it again."""
    panel = press(vidu.panel(**asked | {"prompt": fault("link_500")}), "Generate")
    assert "at no cost" in panel.message
    assert not is_offered(panel, "Pay again")


@pytest.mark.usefixtures("paid")
def test_paying_again_is_for_the_request_that_failed(asked):
    """Once the form says something else, "Pay again" is gone: it would pay for another clip, at no told price."""
    panel = press(vidu.panel(**asked | {"prompt": fault("status_504")}), "Generate")
    assert "May be billed" in panel.message
    assert is_offered(panel, "Pay again")
    panel.fill(prompt="Something else altogether")
    assert not is_offered(panel, "Pay again")
    assert press(panel, "Preview").state == "done"
