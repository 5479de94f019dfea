"""Sweeps of models that return pictures: planned, paid and shown as those of clips are."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image
from services import Service

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest
from vidu_nb.sweeps.grid import MAX_SHOWN

pytestmark = pytest.mark.usefixtures("small_frames")

KEY = "SG_not-a-real-key"
PAINTER = "sdxl1.0-txt2img"
EVIL = "<script>alert(1)</script> & a lighthouse"


@pytest.fixture
def service():
    """A paid service that answers with a picture of the size that was asked for."""
    bodies = []

    def answer(call):
        body = json.loads(call.body)
        bodies.append(body)
        buffer = io.BytesIO()
        Image.new("RGB", (body["img_width"], body["img_height"]), (body.get("seed", 0) % 256, 90, 120)).save(
            buffer, "PNG"
        )
        call.say(buffer.getvalue(), cost=0.008)

    with Service(answer) as running:
        running.bodies = bodies
        yield running


@pytest.fixture
def client(service):
    return vidu.Client(KEY, service.url, mode="sync", notify=len)


def test_a_sweep_of_pictures_lands_replays_and_is_shown(client, service):
    """Results by place and by parameters, rows with files and costs, a grid in which every text is escaped."""
    asked = {"model": PAINTER, "seed": [1, 2], "img_width": [512, 768], "budget_usd": 1, "client": client}
    swept = vidu.sweep(EVIL, **asked)
    assert repr(swept) == "Sweep(4 of 4 results · $0.032 spent)"
    assert [one.request.value("img_width") for one in swept] == [512, 768] * 2
    assert (swept.videos, len(swept.pictures)) == ([], 4)
    assert swept.at(seed=2, img_width=768).size == (768, 1024)
    assert [row["state"] for row in swept.rows()] == ["landed"] * 4
    assert {row["cost_usd"] for row in swept.rows()} == {0.008}
    bundle = swept.show().bundle()
    assert bundle["text/html"].count("<img") == 4
    assert "<script" not in bundle["text/html"]
    assert "image/jpeg" in bundle
    assert sum(map(len, bundle.values())) < 4 * 150_000
    again = vidu.sweep(EVIL, **asked)
    assert (again.plan.kept, again.spent_usd, len(service.bodies)) == (4, 0.0, 4)
    with pytest.raises(InvalidRequest, match="compare: it plays clips in step"):
        again.compare()


def test_a_missing_picture_is_an_empty_place(client):
    """A file that has gone is told in its cell, and takes none of the others away."""
    swept = vidu.sweep("A lighthouse", model=PAINTER, seed=[1, 2], confirm=True, client=client)
    swept[0].path.unlink()
    bundle = swept.show().bundle()
    assert bundle["text/html"].count("<img") == 1
    assert "image/jpeg" in bundle


def test_many_pictures_are_shown_in_part(client):
    """The first of them, and how many more there are."""
    swept = vidu.sweep("A", model=PAINTER, seed=range(MAX_SHOWN + 3), img_width=512, confirm=True, client=client)
    html = swept.show().html()
    assert html.count("<img") == MAX_SHOWN
    assert "… and 3 more, in .pictures and .table()" in html


def test_several_pictures_of_one_call_are_one_result():
    """Previewed free: each request has as many as it asked for, and its cost counts once."""
    swept = vidu.sweep("A lighthouse", model=PAINTER, samples=[1, 3], seed=1, client=vidu.Client.preview())
    assert repr(swept) == "Sweep(2 of 2 results)"
    assert len(swept.at(samples=3)) == 3
    assert len(swept.pictures) == 4
    assert swept.show().html().count("<img") == 4
