"""The panel's buttons: what they promise, what a click costs, and which click pays nothing."""

from __future__ import annotations

import shutil

import pytest
from classrooms import classroom
from faults import KEY
from panels import click, ended, fault, is_offered, label, press, send, shown, text, wait_until

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.locks import hold
from vidu_nb.panels.actions import Progress, cancelled
from vidu_nb.storage.archive import Archive
from vidu_nb.storage.budget import Budget

pytestmark = pytest.mark.usefixtures("small_frames")

DRAW = "sdxl1.0-txt2img"
PAID = "Generate (about $0.50"
NO_COST = "Generate (kept: shows at no cost)"


# What stands on them.


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        (Progress("At work", 30, 120), (0.25, "Progress, an estimate", "30 s of about 120 s (an estimate)")),
        (
            Progress("At work", 130, 120),
            (0.99, "Progress, an estimate", "130 s, longer than the usual 120 s; still waiting"),
        ),
        (Progress("At work", 30, 120, reported=0.5), (0.5, "Progress", "50%")),
    ],
    ids=["by the clock", "late", "as reported"],
)
def test_the_bar_says_what_it_knows(progress, told):
    """A share that the service reports is shown as such; without one the clock's is called an estimate."""
    item = progress.item()
    assert (item["stage"], item["share"], item["label"], item["text"]) == ("At work ...", *told)


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
    assert label(panel, "Generate") == f"Generate (about ${cost:.2f}, about 0 s)"
    assert f"Credits left: ${panel.video.receipt.credits_remaining:.2f}" in text(panel)
    assert label(vidu.panel(**asked | {"seed": 44}), "Generate").startswith(f"Generate (about ${cost:.2f}")


@pytest.mark.parametrize("price", ["0", "abc", "nan", "-1"])
@pytest.mark.usefixtures("paid")
def test_an_odd_price_in_the_environment_is_refused(asked, monkeypatch, price):
    """A setting that is no price is an error where the panel is made; 0 is a price."""
    monkeypatch.setenv("VIDU_NB_PRICE_USD", price)
    if price == "0":
        assert label(vidu.panel(**asked), "Generate").startswith("Generate (about $0.00")
    else:
        with pytest.raises(errors.InvalidRequest, match="is not a price"):
            vidu.panel(**asked)


# What costs nothing.


def test_without_a_key_generate_explains_and_asks_for_none(asked):
    """The button tells how to set a key and takes none; once one is set, it says what a click costs before it pays."""
    panel = vidu.panel(**asked)
    assert is_offered(panel, "Generate")
    assert label(panel, "Generate") == "Generate (needs a key)"
    click(panel, "Generate")
    assert "vidu.login()" in panel.message
    assert panel.state == "ready"
    vidu.login(KEY)
    try:
        click(panel, "Generate")
        assert panel.state == "ready"
        assert "press Generate again" in panel.message
        assert label(panel, "Generate") == "Generate (about $0.50, about 2 min)"
    finally:
        vidu.logout()


def test_a_kept_clip_costs_nothing_and_says_so(asked, paid):
    """After one paid call the button says that the clip is kept; a click replays it."""
    panel = vidu.panel(**asked)
    assert label(panel, "Generate").startswith(PAID)
    press(panel, "Generate")
    assert panel.state == "done"
    assert label(panel, "Generate") == NO_COST
    press(panel, "Generate")
    assert panel.video.receipt.replayed
    assert len(paid.posts()) == 1
    assert len(panel.history) == 1


def test_a_button_that_promises_no_cost_never_pays(asked, paid):
    """Where the kept clip has gone since the label was written, the click asks anew instead of paying."""
    panel = press(vidu.panel(**asked), "Generate")
    shutil.rmtree(Archive().folder)
    assert label(panel, "Generate") == NO_COST
    press(panel, "Generate")
    assert len(paid.posts()) == 1
    assert label(panel, "Generate").startswith("Generate (about $")
    assert "press Generate again to pay for it" in panel.message


def test_an_observer_that_fails_leaves_no_old_promise_on_a_button(asked, paid):
    """The labels follow the form, whatever a person's own code makes of the change."""

    def refuse(_):
        raise RuntimeError("a mistake in an observer")

    panel = press(vidu.panel(**asked), "Generate")
    panel.observe(refuse, "request")
    with pytest.raises(RuntimeError):
        panel.fill(seed=43)
    assert label(panel, "Generate").startswith("Generate (about $")
    assert len(paid.posts()) == 1


def test_a_kept_clip_with_a_damaged_entry_is_never_paid_for_by_a_click(asked, paid):
    """The button no longer says that it is kept; a click tells what is damaged, and sends nothing."""
    panel = press(vidu.panel(**asked), "Generate")
    entry = panel.video.path.with_suffix(".json")
    entry.write_text("half a li")
    panel.fill(seed=1)
    panel.fill(seed=42)
    assert label(panel, "Generate").startswith("Generate (about $")
    press(panel, "Generate")
    assert f"{entry} is damaged" in panel.message
    assert len(paid.posts()) == 1


def test_a_random_seed_is_paid_for_each_time_and_says_so(asked, paid):
    """Seed 0 is never replayed, and its button never says that it is kept."""
    panel = press(vidu.panel(**asked | {"seed": 0}), "Generate")
    assert label(panel, "Generate").startswith("Generate (about $")
    press(panel, "Generate")
    assert len(paid.posts()) == 2
    assert len(panel.history) == 2


# Clicks.


def test_a_second_click_never_makes_a_second_call(asked, paid):
    """However often a button is pressed while a call runs, one POST leaves."""
    panel = vidu.panel(**asked | {"prompt": fault("good_slow")})
    for _ in range(5):
        click(panel, "Generate")
    with pytest.raises(errors.ViduError, match="is running"):
        panel.generate()
    assert ended(panel).state == "done"
    assert len(paid.posts()) == 1


def test_a_click_takes_all_that_was_typed_before_it(asked):
    """The values that travel with a click count, each of them, and come back to every page as Python has them."""
    panel = press(vidu.panel(**asked), "Preview", prompt="Another wave", seed="7", bgm=True)
    made = panel.video.request
    assert (made.prompt, made.seed, made.bgm) == ("Another wave", 7, True)
    assert (panel._values["prompt"], panel._values["seed"], panel._values["bgm"]) == ("Another wave", "7", True)


def test_what_was_typed_before_a_click_on_a_kept_clip_costs_nothing(asked, paid):
    """Who pressed a button that said "no cost" is asked again when what came with the click makes it a paid call."""
    panel = press(vidu.panel(**asked | {"prompt": "A kept wall"}), "Generate")
    assert label(panel, "Generate") == NO_COST
    press(panel, "Generate", prompt="A kept wall, and something more")
    assert "press Generate again to pay for it, about $" in panel.message
    assert len(paid.posts()) == 1
    press(panel, "Generate")
    assert len(paid.posts()) == 2


def test_a_prompt_that_is_emptied_with_the_click_is_no_call(asked, paid):
    """What is missing is said, whichever button it was, and nothing begins."""
    for name in ("Preview", "Generate"):
        panel = press(vidu.panel(**asked), name, prompt="")
        assert "prompt: is empty" in panel.message
        assert (panel.state, panel.video) == ("ready", None)
    assert paid.posts() == []


@pytest.mark.usefixtures("paid")
def test_a_price_that_rose_with_what_was_typed_is_asked_for_anew(faults):
    """A click pays about what its button said: three samples in place of one are told, and sent at the next click."""
    panel = vidu.panel("A cat", model=DRAW)
    assert label(panel, "Generate").startswith("Generate (about $0.008")
    press(panel, "Generate", samples="3")
    assert panel.message == "This costs about $0.024 by now: press Generate again to pay that."
    assert faults.posts() == []
    press(panel, "Generate")
    assert len(faults.posts()) == 1


def test_a_price_that_rose_for_everybody_is_asked_for_anew(asked, faults, monkeypatch):
    """Whoever read half a dollar pays no eighty cents, as another login may set it; the second click is for that."""
    monkeypatch.setenv("SEGMIND_BASE_URL", faults.root)
    try:
        vidu.login(KEY)
        panel = vidu.panel(**asked)
        assert label(panel, "Generate").startswith(PAID)
        vidu.login("SG_another-key-for-tests")
        monkeypatch.setenv("VIDU_NB_PRICE_USD", "0.8")
        press(panel, "Generate")
        assert panel.message == "This costs about $0.80 by now: press Generate again to pay that."
        assert label(panel, "Generate").startswith("Generate (about $0.80")
        assert faults.posts() == []
        press(panel, "Generate")
        assert len(faults.posts()) == 1
    finally:
        vidu.logout()


def test_a_price_that_fell_is_paid(paid):
    """Nobody is asked again about less than they agreed to."""
    panel = vidu.panel("A cat", model=DRAW, samples=3)
    press(panel, "Generate", samples="1")
    assert len(paid.posts()) == 1


@pytest.mark.parametrize(
    "price", [None, True, "0.50", [0.5], -0.5, float("nan"), float("inf"), 10**400], ids=lambda one: str(one)[:8]
)
def test_a_click_that_names_no_price_pays_none(asked, paid, price):
    """Whatever a message has in a price's place, only a number of dollars is one."""
    panel = vidu.panel(**asked)
    send(panel, "press", button="generate", price=price, paid=True)
    assert ended(panel).state == "ready"
    assert "press Generate again to pay for it, about $0.50" in panel.message
    assert paid.posts() == []


def test_a_price_named_for_a_kept_clip_is_not_paid(asked, paid):
    """What is kept is shown, whatever the click says."""
    panel = press(vidu.panel(**asked), "Generate")
    send(panel, "press", button="generate", price=0.5, paid=True)
    assert ended(panel).video.receipt.replayed
    assert len(paid.posts()) == 1


def test_a_kept_clip_that_goes_between_look_and_call_is_not_paid_for(asked, paid):
    """A call that was begun as one for nothing stays one, however late its clip goes."""
    panel = press(vidu.panel(**asked), "Generate")
    panel.observe(lambda change: change["new"] == "running" and shutil.rmtree(Archive().folder), "state")
    press(panel, "Generate")
    assert isinstance(panel.error, errors.NotKept)
    assert len(paid.posts()) == 1


@pytest.mark.parametrize("name", [None, "", "Generate", "pay", ["generate"], {"generate": 1}])
def test_a_button_that_is_not_there_does_nothing(asked, paid, name):
    """It is refused."""
    panel = vidu.panel(**asked)
    assert send(panel, "press", button=name, price=0.5)["refused"]
    assert (panel.state, paid.posts()) == ("ready", [])


def test_while_a_call_runs_its_buttons_wait_and_say_why(asked):
    """They come back when it has ended; what is typed meanwhile is for the next one."""
    panel = vidu.panel(**asked)
    click(panel, "Preview")
    assert "A call is running" in text(panel)
    assert not is_offered(panel, "Preview")
    assert is_offered(panel, "Cancel")
    click(panel, "Preview", seed="7")
    assert ended(panel).video.request.seed == 42
    assert panel.request.seed == 7
    assert is_offered(panel, "Preview")
    assert not is_offered(panel, "Cancel")


def test_a_click_while_a_cancelled_call_ends_is_answered(asked, paid, tmp_path):
    """The buttons are there, the call is not yet gone: the page is told, and nothing is sent."""
    budget, incoming = Budget(5, tmp_path / "budget.json"), Archive().folder / "incoming"
    panel = vidu.panel(**asked, client=Client(budget=budget))
    with hold(budget.file.with_suffix(".lock"), timeout=0):
        click(panel, "Generate")
        wait_until(panel, "progress", lambda _: incoming.is_dir())  # held up, before the budget is asked
        click(panel, "Cancel")
        answer = click(panel, "Generate")
    assert answer["refused"] == ("press again in a moment" in answer["message"])
    ended(panel)
    assert paid.posts() == [] or not answer["refused"]


# What is left, and who has made it.


@pytest.fixture
def client_of(tmp_path, faults):
    """Makes the client of somebody in a class of two."""
    with classroom(tmp_path, faults) as school:
        yield lambda who: Client(school.tokens[who], school.url, archive=tmp_path / who)


def test_what_is_left_of_a_budget_follows_each_call(asked, client_of, faults):
    """A class's gateway is asked for it in the background; after a call its answer counts."""
    panel = vidu.panel(**asked, client=client_of("anna"))
    wait_until(panel, "_offer", lambda offer: offer["reason"] == "Credits left: $2.00")
    press(panel, "Generate")
    assert "Credits left: $1.50" in text(panel)
    assert faults.billed() == 1


def test_what_somebody_in_the_class_has_made_says_so_and_costs_nothing(asked, client_of, faults):
    """The second of a class gets the clip that the first paid for; the sentence and the caption tell."""
    for who, tells in (("anna", False), ("ben", True)):
        panel = press(vidu.panel(**asked, client=client_of(who)), "Generate")
        [played] = shown(panel)
        assert ("somebody in your class has made this: $0.00" in panel.message) == tells
        assert ("somebody in your class has made this: $0.00" in played["caption"]) == tells
    assert faults.billed() == 1


# Paying again.


def test_paying_again_takes_a_click_of_its_own(asked, paid):
    """After an unknown outcome only the button that says so sends the request once more."""
    panel = press(vidu.panel(**asked | {"prompt": fault("close_after_body")}), "Generate")
    press(panel, "Generate")
    assert "It is not sent again by itself" in panel.message
    assert len(paid.posts()) == 1
    assert label(panel, "Pay again") == "Pay again (about $0.50)"
    press(panel, "Pay again")
    assert len(paid.posts()) == 2


def test_paying_again_is_not_for_what_was_typed_with_the_click(asked, paid):
    """Where the click brings another request, or no call has an unknown outcome, nothing is sent."""
    panel = press(vidu.panel(**asked | {"prompt": fault("close_after_body")}), "Generate")
    assert is_offered(panel, "Pay again")
    press(panel, "Pay again", prompt="Something else altogether")
    assert "Nothing was sent" in panel.message
    press(panel, "Pay again")
    assert len(paid.posts()) == 1


def test_paying_again_twice_pays_once(asked, paid):
    """The second of two clicks comes while the first one's call runs."""
    panel = press(vidu.panel(**asked | {"prompt": fault("close_after_body")}), "Generate")
    click(panel, "Pay again")
    click(panel, "Pay again")
    ended(panel)
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
