"""The panel's controls: what they hold, what they refuse, and the request that they make."""

from __future__ import annotations

import threading
import warnings

import ipywidgets
import numpy as np
import pytest
import traitlets
from catalogues import vidu_with
from panels import WAIT, button, control, find, part, text

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.catalogue.field import Field
from vidu_nb.panels.panel import Panel
from vidu_nb.request import MODEL, VideoRequest
from vidu_nb.samples import STARTERS


def test_every_parameter_has_a_control_that_says_its_name():
    """Labels, defaults and choices come from the request model."""
    panel = vidu.panel()
    for name, info in vidu.models[MODEL].by_parameter.items():
        if name != "references":
            assert control(panel, name).description == info.title
        if not info.required and name != "references":
            assert control(panel, name).value == info.default


def test_controls_take_numbers_of_numpy():
    """What was computed fills a control as its plain value does."""
    panel = vidu.panel(prompt="A cat", seed=np.int64(7), duration=np.float32(5), bgm=np.bool_(False))
    assert [control(panel, name).value for name in ("seed", "duration", "bgm")] == [7, 5, False]


def test_the_counter_counts_what_is_sent():
    """White space around a prompt is not sent, and not counted."""
    panel = vidu.panel(prompt=" " + "x" * 1500 + "\n")
    assert "1,500 / 1,500" in text(panel)
    assert "vidu-over" not in text(panel)


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
    control(panel, "Style of it").value = "noir"
    assert (panel.request.fade_in, panel.request.style_weight, panel.request.style) == (True, 5, "noir")
    assert "Begin in black." in text(panel)
    assert control(panel, "Style weight").value == 5


def test_the_panel_says_what_is_missing_until_nothing_is(photo):
    """Disabled buttons come with a reason; nobody is blamed for fields that they have not come to yet."""
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
def test_what_is_wrong_stands_below_its_control(asked, name, value, words):
    """A value that a person typed and that the model refuses is explained, and the last request is gone."""
    panel = vidu.panel(**asked)
    control(panel, name).value = value
    assert words in text(part(panel, f"vidu-{name}"))
    assert panel.request is None
    assert panel.problems[0][0] == name


def test_ten_seconds_come_with_a_note(asked):
    """The duration that the service's own list lacks is offered, with a note, however strict Python's warnings are."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        panel = vidu.panel(**asked, duration=10)
    assert panel.request.duration == 10
    assert "it may refuse this" in text(part(panel, "vidu-duration"))


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
    assert control(panel, "seed").value == 5


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
    button(panel, "Dice").click()
    first = panel.request.seed
    assert 1 <= first <= 999_999
    panel.preview()
    assert panel.request.seed == first
    lock = find(part(panel, "vidu-seed"), ipywidgets.ToggleButton)
    lock.value = False
    assert (lock.description, lock.icon) == ("Vary", "unlock")
    panel.preview()
    assert panel.request.seed == first, "a replay draws no seed"
    panel.fill(seed=first % 999_999 + 1)
    panel.preview()
    assert panel.request.seed != first % 999_999 + 1


# A request from elsewhere.


def test_a_request_from_elsewhere_fills_the_controls(asked):
    """`panel.request = video.request` brings a clip's parameters back."""
    panel, request = vidu.panel(), VideoRequest(**asked, seed=77)
    panel.request = request
    assert control(panel, "seed").value == 77
    assert panel.request == request


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
    ideas = control(panel, "Idea")
    for name, parameters in STARTERS.items():
        ideas.value = name
        assert panel.request.prompt == parameters["prompt"]
        assert panel.request.references == before.references
    ideas.value = ideas.options[0]
    assert panel.request == before


def test_what_was_typed_after_an_idea_is_not_lost(asked):
    """An idea that a person made their own survives the way back to "Start from ..."."""
    panel = vidu.panel(**asked)
    ideas = control(panel, "Idea")
    ideas.value = ideas.options[1]
    control(panel, "prompt").value = "An hour of my own work"
    ideas.value = ideas.options[0]
    assert panel.request.prompt == "An hour of my own work"


def test_sample_pictures_take_no_picture_away(asked):
    """The samples are for an empty tray, or stand beside what a person put there."""
    panel = vidu.panel(**asked)
    own = panel.request.references
    button(panel, "Sample pictures").click()
    assert panel.request.references[: len(own)] == own
    assert len(panel.request.references) > len(own)
