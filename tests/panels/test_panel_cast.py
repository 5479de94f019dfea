"""Promises of a cast in the panel: mentions choose the pictures, and the request is the one of `generate`."""

from __future__ import annotations

import json

import pytest
from panels import is_offered, remark, type_in

import vidu_nb as vidu
from vidu_nb import VideoRequest, errors
from vidu_nb.panels.panel import Panel
from vidu_nb.widgets.members import member_items

pytestmark = pytest.mark.usefixtures("small_frames")


@pytest.fixture
def cast(photo):
    return vidu.Cast(anna=[photo, photo[::-1].copy()], cafe=photo[:, ::-1].copy())


def test_the_request_has_the_pictures_of_those_that_are_mentioned(cast):
    """`panel.request` is what `generate` would ask with the same prompt and cast, so that a kept clip is found."""
    panel = vidu.panel("@anna in the @cafe.", cast)
    assert panel.request == VideoRequest(prompt="@anna in the @cafe.", references=cast)
    assert panel.request.prompt == "anna (image 1, image 2) in the cafe (image 3)."
    panel.fill(prompt="The @cafe alone.")
    assert [one.name for one in panel.request.references] == ["cafe"]
    assert panel._cast["mentioned"] == ["cafe"]
    assert [one["name"] for one in panel._cast["members"]] == ["anna", "cafe"]
    type_in(panel, prompt="@anna in the @cafe.")
    assert panel._cast["mentioned"] == ["anna", "cafe"]
    assert panel._values["prompt"] == "@anna in the @cafe.", "as it was typed"


def test_pictures_of_the_tray_stand_before_the_cast(cast, photo):
    """A list with a cast in it fills the tray with the others; their numbers are their places in the request."""
    panel = vidu.panel("@cafe", references=[photo[10:].copy(), cast])
    assert [one.label for one in panel.request.references] == ["picture", "cafe"]
    assert panel.request.prompt == "cafe (image 2)"


def test_an_unknown_name_and_too_many_pictures_are_told_and_lose_no_text(cast, photo):
    """The form keeps the words, says what is wrong, and asks for nothing."""
    panel = vidu.panel("@ana sits.", cast)
    assert panel.request is None
    assert "@anna" in panel.problems[0][1]
    assert "@anna" in remark(panel, "prompt")
    assert not is_offered(panel, "Preview")
    many = vidu.Cast(anna=[photo[i:].copy() for i in range(8)])
    panel.fill(references=many, prompt="@anna sits.")
    assert panel.request is None
    assert "anna 8" in panel.problems[0][1]


def test_a_request_that_is_assigned_mentions_nobody(cast):
    """Its prompt is what is sent: an @ in it stays one, beside a cast."""
    panel = vidu.panel("@anna", cast)
    request = VideoRequest(prompt="me@example.com and @home", references=cast["cafe"])
    panel.request = request
    assert panel.request == request


def test_a_cast_stays_through_a_change_of_the_model(cast):
    """Another model's way to name pictures is used; one that takes none says so, and no word is lost."""
    panel = vidu.panel("@anna in the @cafe.", cast)
    panel.model = "wan2.7-r2v"
    assert panel.request.by_role("prompt") == vidu.models["wan2.7-r2v"].request(
        prompt="@anna in the @cafe.", references=cast
    ).by_role("prompt")
    panel.model = "sdxl1.0-txt2img"
    assert panel.request is None
    assert "asks for" in panel.problems[0][1]
    panel.model = "vidu-q1-reference-to-video"
    assert panel.request == VideoRequest(prompt="@anna in the @cafe.", references=cast)


def test_a_panel_without_a_cast_has_no_cards():
    """An @ is plain text there, and nothing of a cast is in the page."""
    panel = Panel({"prompt": "@anna", "references": "https://example.com/a.png"})
    assert panel.request.prompt == "@anna"
    assert panel._cast == {}


def test_what_the_page_gets_is_small(photo):
    """Twenty members with their pictures are some 30 kB, and a picture behind a URL is not fetched."""
    cast = vidu.Cast({f"member-{i}": photo[i:].copy() for i in range(20)}).replace(ben="https://example.com/b.png")
    members = member_items(cast)
    assert len(json.dumps(members)) < 40_000
    assert members[-1] == {"name": "ben", "thumbnail": "", "note": "1 picture"}


def test_a_wrong_cast_changes_nothing(cast):
    """What can't be read is refused, and the controls stay as they are."""
    panel = vidu.panel("@anna", cast)
    before = panel.request
    with pytest.raises(errors.InvalidRequest):
        panel.fill(references=[cast, "no picture"])
    assert panel.request == before
