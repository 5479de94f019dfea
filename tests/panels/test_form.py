"""The panel's controls: what they hold, what they refuse, and the request that they make."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest
import traitlets
from catalogues import vidu_with
from panels import WAIT, choose, held, is_offered, item, remark, send, type_in

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.catalogue.field import Field
from vidu_nb.panels.panel import Panel
from vidu_nb.request import MODEL, VideoRequest
from vidu_nb.samples import STARTERS

pytestmark = pytest.mark.usefixtures("small_frames")


def test_every_parameter_has_a_control_that_says_its_name():
    """Labels, defaults and choices come from the request model."""
    panel = vidu.panel()
    for name, info in vidu.models[MODEL].by_parameter.items():
        shown = item(panel, name)
        assert shown["title"] == info.title
        if name == "references":
            assert panel._trays[name]["items"] == []
            assert panel._trays[name]["words"]["title"] == info.title
        elif not info.required:
            unit = " s" if name == "duration" else ""
            assert held(panel, name) in (info.default, f"{info.default}{unit}")


def test_controls_take_numbers_of_numpy():
    """What was computed fills a control as its plain value does."""
    panel = vidu.panel(prompt="A cat", seed=np.int64(7), duration=np.float32(5), bgm=np.bool_(False))
    assert [held(panel, name) for name in ("seed", "duration", "bgm")] == ["7", "5 s", False]


def test_a_prompts_limit_is_of_what_is_sent():
    """White space around a prompt is not sent, and not counted; the page knows the limit."""
    panel = vidu.panel(prompt=" " + "x" * 1500 + "\n")
    assert item(panel, "prompt")["limit"] == 1500
    assert remark(panel, "prompt") == ""
    type_in(panel, prompt=" " + "x" * 1501 + "\n")
    assert "Has 1,501 characters" in remark(panel, "prompt")


def test_a_new_parameter_appears_by_itself():
    """A parameter that is added to the model gets a control, a value and a place in the request."""
    longer = vidu_with("""
[fields.fade_in]
type = "boolean"
help = "Begin in black."
default = false

[fields.style_weight]
type = "integer"
help = "How much style."
default = 3
minimum = 0
maximum = 9

[fields.style]
type = "string"
title = "Style of it"
help = "In a word or two."
default = "plain"
""")
    panel = Panel({"prompt": "A cat", "references": "https://example.com/cat.png"}, model=longer)
    panel.fill(fade_in=True, style_weight=5)
    type_in(panel, style="noir")
    assert (panel.request.fade_in, panel.request.style_weight, panel.request.style) == (True, 5, "noir")
    assert item(panel, "fade_in")["help"] == "Begin in black."
    assert item(panel, "style")["title"] == "Style of it"
    assert item(panel, "style_weight")["title"] == "Style weight"
    assert held(panel, "style_weight") == "5"


def test_the_panel_says_what_is_missing_until_nothing_is(photo):
    """Disabled buttons come with a reason; nobody is blamed for fields that they have not come to yet."""
    panel = vidu.panel()
    assert panel.request is None
    assert not is_offered(panel, "Preview")
    assert not is_offered(panel, "Generate")
    assert panel._offer["reason"] == "Say what happens in the clip. Add at least one picture."
    assert panel._remarks == {}
    type_in(panel, seed="7", bgm=False)
    assert panel._remarks == {}, "somebody who has come to other controls"
    type_in(panel, prompt="A")
    type_in(panel, prompt="")
    assert remark(panel, "prompt") == "Is empty: say what happens in the clip"
    panel.fill(prompt="A wave", references=photo)
    assert is_offered(panel, "Preview")
    assert panel.problems == ()
    assert panel.request == VideoRequest(prompt="A wave", references=photo, seed=7, bgm=False)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("prompt", "x" * 1501, "Has 1,501 characters: the limit is 1,500"),
        ("prompt", "   ", "Is empty: say what happens in the clip"),
        ("seed", "-1", "-1 is out of range: pass a whole number from 0 to 999999"),
        ("seed", "1000000", "1000000 is out of range"),
        ("seed", "four", "'four' is not a whole number: write one"),
        ("seed", "4.5", "'4.5' is not a whole number: write one"),
        ("seed", "0x10", "'0x10' is not a whole number: write one"),
    ],
)
def test_what_is_wrong_stands_below_its_control(asked, name, value, words):
    """A value that a person typed and that the model refuses is explained, and the last request is gone."""
    panel = vidu.panel(**asked)
    type_in(panel, **{name: value})
    assert words in remark(panel, name)
    assert panel._remarks[name]["kind"] == "problem"
    assert panel.request is None
    assert panel.problems[0][0] == name
    assert not is_offered(panel, "Generate")


def test_ten_seconds_come_with_a_note(asked):
    """The duration that the service's own list lacks is offered, with a note, however strict Python's warnings are."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        panel = vidu.panel(**asked, duration=10)
    assert panel.request.duration == 10
    assert "it may refuse this" in remark(panel, "duration")
    assert panel._remarks["duration"]["kind"] == "note"


def test_forms_that_check_at_once_leave_the_processs_warnings_alone(asked, monkeypatch):
    """Two forms that check at once, on two threads, leave the filters as they found them."""
    first_in, second_in = threading.Event(), threading.Event()

    check = Field.check

    def slow(field, value):
        if value == 71:
            first_in.set()
            second_in.wait(1)  # no longer: a form that lets one check after another is right, too
        elif value == 72:
            second_in.set()
            first.join(WAIT)
        return check(field, value)

    monkeypatch.setattr(Field, "check", slow)
    model = vidu_with("")
    panels = [Panel(asked, model=model), Panel(asked, model=model)]
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


def test_a_value_that_no_control_can_show_is_refused():
    """A ratio that is not offered is an error where it is written, and changes nothing in a panel that is there."""
    with pytest.raises(errors.InvalidRequest, match="4:3"):
        vidu.panel(aspect_ratio="4:3")
    panel = vidu.panel(seed=5)
    with pytest.raises(errors.InvalidRequest):
        panel.fill(seed=6, aspect_ratio="4:3")
    assert held(panel, "seed") == "5"


@pytest.mark.parametrize("odd", [{"fade": 1}, {"seed": "5"}, {"seed": True}, {"bgm": 1}, {"bgm": None},
                                 {"movement_amplitude": "wild"}, {"duration": 7}, {"prompt": None},
                                 {"image_urls": "https://example.com/cat.png"}])  # fmt: skip
def test_odd_values_from_code_are_refused_and_change_nothing(asked, odd):
    """A name or a value that no control has is an error where it is written."""
    panel = vidu.panel(**asked)
    before = panel.request
    with pytest.raises(errors.InvalidRequest):
        panel.fill(**odd)
    assert panel.request == before


def test_the_seed_can_be_drawn_kept_and_varied(asked):
    """Dice draws another; unlocked, each fresh clip is followed by another seed, a replay is not."""
    panel = vidu.panel(**asked)
    assert panel._switches["keep"]
    send(panel, "roll")
    first = panel.request.seed
    assert 1 <= first <= 999_999
    panel.preview()
    assert panel.request.seed == first
    send(panel, "switch", switch="keep", on=False)
    assert not panel._switches["keep"]
    panel.preview()
    assert panel.request.seed == first, "a replay draws no seed"
    panel.fill(seed=first % 999_999 + 1)
    panel.preview()
    assert panel.request.seed != first % 999_999 + 1


# What a page sends.


@pytest.mark.parametrize(
    "odd",
    [
        {"bgm": 1}, {"bgm": "yes"}, {"bgm": None},
        {"aspect_ratio": True}, {"aspect_ratio": -1}, {"aspect_ratio": 3}, {"aspect_ratio": 1.0},
        {"aspect_ratio": "9:16"},
        {"aspect_ratio": 10**40}, {"prompt": 7}, {"prompt": None}, {"prompt": ["A wave"]}, {"seed": 7}, {"seed": True},
        {"references": []}, {"references": "https://example.com/a.png"}, {"references": "/etc/passwd"},
        {"model": "wan2.7-r2v"}, {"__class__": "x"}, {"nothing": "x"}, {},
    ],
    ids=str,
)  # fmt: skip
def test_values_that_no_page_of_ours_sends_change_nothing(asked, odd):
    """Wrong types, places that are not there and controls that nobody has are left alone; the others are taken."""
    panel = vidu.panel(**asked)
    before, problems = panel.request, panel.problems
    assert not type_in(panel, **odd)["refused"]
    assert (panel.request, panel.problems) == (before, problems)
    type_in(panel, **({"seed": "7"} | odd | {"movement_amplitude": 1}))
    assert panel.request.movement_amplitude == "small"


@pytest.mark.parametrize("values", [None, "prompt", ["prompt"], 7, [["prompt", "x"]]])
def test_values_that_are_no_object_change_nothing(asked, values):
    """The rest of the message counts all the same."""
    panel = vidu.panel(**asked)
    before = panel.request
    assert not send(panel, "values", values=values)["refused"]
    assert panel.request == before


def test_a_text_that_is_far_too_long_is_refused_and_the_one_before_stays(asked):
    """What came with it is taken; a text that a person could have pasted is taken, with what is wrong about it."""
    panel = vidu.panel(**asked)
    type_in(panel, prompt="x" * 30_000)
    assert "Has 30,000 characters" in remark(panel, "prompt")
    answer = type_in(panel, seed="7", prompt="x" * 1_000_000)
    assert answer["refused"]
    assert answer["message"] == "Prompt: 1,000,000 characters are too many: the text before stays"
    assert (len(panel._values["prompt"]), panel._values["seed"]) == (30_000, "7")
    type_in(panel, prompt="A wave")
    assert panel.request.seed == 7


@pytest.mark.parametrize(
    ("typed", "sent", "comes_back"), [("1e3", 1000, "1e3"), (" 7 ", 7, " 7 "), ("٧", 7, "٧"), ("007", 7, "007")]
)
def test_what_python_makes_of_a_value_is_what_is_asked_for(asked, typed, sent, comes_back):
    """A number is read as a person means it, and the page keeps what was typed; from code its plain text comes."""
    panel = vidu.panel(**asked)
    type_in(panel, seed=typed)
    assert (panel.request.seed, panel._values["seed"]) == (sent, comes_back)
    panel.fill(seed=sent + 1)
    assert panel._values["seed"] == str(sent + 1)


def test_values_for_another_models_controls_are_not_misread(asked):
    """A place that was chosen in the list of the model before means nothing now; a text means the same."""
    panel = vidu.panel(asked["prompt"], asked["references"], model="wan2.7-r2v")
    before = held(panel, "duration")
    send(panel, "values", of=MODEL, values={"duration": 1, "prompt": "Typed in time", "seed": "8"})
    assert held(panel, "duration") == before
    assert (panel.request.by_role("prompt"), panel.request.seed) == ("Typed in time", 8)
    choose(panel, "resolution", "1080P")
    panel.model = MODEL
    send(panel, "values", of="wan2.7-r2v", values={"resolution": 1, "duration": 1})
    assert panel.request.duration == 5


# A request from elsewhere.


def test_a_request_from_elsewhere_fills_the_controls(asked):
    """`panel.request = video.request` brings a clip's parameters back."""
    panel, request = vidu.panel(), VideoRequest(**asked, seed=77)
    panel.request = request
    assert held(panel, "seed") == "77"
    assert panel.request == request
    panel.request = None
    assert panel.request == request, "nothing is no request"


def test_what_is_no_request_is_refused_where_it_is_assigned(asked):
    """`panel.request` never holds something else than what the controls say."""
    panel = vidu.panel(**asked)
    before = panel.request
    for odd in ("a prompt", {"prompt": "A cat"}, VideoRequest.model_construct(prompt="A cat", seed=-5)):
        with pytest.raises((errors.InvalidRequest, traitlets.TraitError)):
            panel.request = odd
        assert panel.request == before


# Starting points and sample pictures.


def test_a_starting_point_can_be_taken_back(asked):
    """An idea fills prompt and parameters and leaves the pictures; the first choice brings back what was typed."""
    panel = vidu.panel(**asked)
    before = panel.request
    assert panel._head["ideas"] == list(STARTERS)
    for name, parameters in STARTERS.items():
        send(panel, "idea", idea=name)
        assert panel._head["idea"] == name
        assert panel.request.prompt == parameters["prompt"]
        assert panel.request.references == before.references
    send(panel, "idea", idea="")
    assert panel.request == before


def test_an_idea_that_is_taken_back_blames_nobody():
    """Who has looked at one and written nothing has not come to the prompt."""
    panel = vidu.panel()
    send(panel, "idea", idea=next(iter(STARTERS)))
    send(panel, "idea", idea="")
    assert panel._values["prompt"] == ""
    assert panel._remarks == {}


def test_what_was_typed_after_an_idea_is_not_lost(asked):
    """An idea that a person made their own survives the way back to "Start from ..."."""
    panel = vidu.panel(**asked)
    send(panel, "idea", idea=next(iter(STARTERS)))
    send(panel, "idea", idea="", values={"prompt": "An hour of my own work"})
    assert panel.request.prompt == "An hour of my own work"


def test_sample_pictures_take_no_picture_away(asked):
    """The samples are for an empty tray, or stand beside what a person put there."""
    panel = vidu.panel(**asked)
    own = panel.request.references
    send(panel, "samples")
    assert panel.request.references[: len(own)] == own
    assert len(panel.request.references) > len(own)
