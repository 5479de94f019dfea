"""Promises of a film's panel: scenes are edited in place, nothing is paid for that a button didn't name."""

from __future__ import annotations

import json
import threading

import pytest
from faults import KEY
from panels import WAIT, button, text, walk

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.panels.film_panel import FilmPanel
from vidu_nb.widgets.scenes import SceneRows


@pytest.fixture
def cast(photo):
    return vidu.Cast(anna=photo, cafe=photo[::-1].copy())


@pytest.fixture
def film(cast):
    """Three scenes, of which the second continues the first."""
    scenes = ["@anna wakes up.", vidu.Scene("She walks to the @cafe.", continues=True), "The @cafe is empty."]
    return vidu.Film(scenes, cast=cast, title="A morning", aspect_ratio="1:1")


@pytest.fixture
def paying(film, studio):
    """A panel whose scenes a paid service makes."""
    return vidu.panel(film.replace(client=Client(KEY, studio.root, notify=len)))


def rows(panel):
    return next(one for one in walk(panel) if isinstance(one, SceneRows))


def act(panel, place, what, **content):
    """Do what a person does with a scene; returns what the page is told where that was not done."""
    told, board = [], rows(panel)
    name = board.scenes[place]["id"] if place is not None else ""
    board.send = told.append
    board._receive(board, {"do": what, "id": name, "token": "t", **content}, None)
    return told[0]["message"]


def write(panel, place, field, value):
    return act(panel, place, "edit", field=field, value=value)


def press(panel, name):
    """Press a button, and wait until what it began has ended."""
    button(panel, name).click()
    assert panel.wait(WAIT)


def test_a_film_in_the_prompts_place_gives_its_panel(film):
    """`vidu.panel(film)` is the storyboard as a widget; a parameter beside it is refused, since a film has its own."""
    panel = vidu.panel(film)
    assert isinstance(panel, FilmPanel)
    assert panel.film == film
    assert repr(panel) == "FilmPanel(3 scenes · ready)"
    with pytest.raises(errors.InvalidRequest, match=r"film\.replace"):
        vidu.panel(film, seed=7)


def test_scenes_are_edited_in_place(film):
    """Words, title, seed, what continues, order, removal and addition make another film, which is observable."""
    panel, films = vidu.panel(film), []
    panel.observe(lambda change: films.append(change["new"]), "film")
    write(panel, 0, "prompt", "@anna sleeps.")
    write(panel, 0, "title", "Night")
    write(panel, 2, "seed", "9")
    write(panel, 2, "continues", True)
    assert panel.film == film.replace(0, prompt="@anna sleeps.", title="Night").replace(2, seed=9, continues=True)
    assert len(films) == 4
    act(panel, 2, "move", by=-1)
    assert [scene.prompt for scene in panel.film] == ["@anna sleeps.", "The @cafe is empty.", "She walks to the @cafe."]
    act(panel, 1, "remove")
    act(panel, None, "add")
    assert len(panel.film) == 2
    write(panel, 2, "prompt", "@anna returns.")
    assert panel.film[2].prompt == "@anna returns."
    assert panel.problems == ()


def test_a_scene_that_comes_first_continues_nothing(film):
    """It keeps its mark, which counts again when it is moved back."""
    panel = vidu.panel(film)
    act(panel, 1, "move", by=-1)
    assert not panel.film[0].continues
    act(panel, 0, "move", by=1)
    assert panel.film == film


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [("prompt", "@ana wakes up.", "@anna"), ("prompt", "", "rite what happens"), ("seed", "many", "whole number")],
)
def test_what_is_wrong_stands_at_its_scene_and_loses_no_text(film, field, value, told):
    """The film stays the last whole one, no call can be begun, and the text is where it was typed."""
    panel = vidu.panel(film)
    write(panel, 1, field, value)
    scene = rows(panel).scenes[1]
    assert scene[field] == value
    assert told in scene["problem"] + scene["note"]
    assert rows(panel).scenes[0]["problem"] == ""
    assert panel.film == film
    assert panel.problems[0][0] == "scene 2"
    assert button(panel, "Preview").disabled
    with pytest.raises(errors.InvalidRequest, match="scene 2"):
        panel.preview()
    write(panel, 0, "title", "Meanwhile")
    assert rows(panel).scenes[1][field] == value


def test_too_many_pictures_stand_at_their_scene(photo):
    """The names and the counts are told where the words are."""
    cast = vidu.Cast(anna=[photo[i:].copy() for i in range(5)], ben=[photo[:, i + 1 :].copy() for i in range(4)])
    panel = vidu.panel(vidu.Film(["@anna", "@ben"], cast=cast))
    write(panel, 1, "prompt", "@anna and @ben")
    assert "anna 5, ben 4" in rows(panel).scenes[1]["problem"]


def test_a_film_from_code_fills_the_rows(film):
    """Assigning one shows it; something else is refused."""
    panel = vidu.panel(film)
    panel.film = film.append("@anna waves.")
    assert [scene["prompt"] for scene in rows(panel).scenes][-1] == "@anna waves."
    with pytest.raises(errors.InvalidRequest, match="no Film"):
        panel.film = "a film"


def test_shooting_pays_what_the_button_named(paying, studio):
    """The price and what is kept stand on the button; what landed is kept, and the joined clip is shown."""
    assert button(paying, "Shoot").description.startswith("Shoot (about $1.50, about ")
    press(paying, "Shoot")
    assert paying.state == "done", paying.message
    assert len(studio.posts) == 3
    assert "$1.50 spent" in paying.message
    assert paying.video.path.exists()
    assert [scene["kind"] for scene in rows(paying).scenes] == ["kept", "kept", "kept"]
    assert button(paying, "Show the film").description == "Show the film (all kept: no cost)"
    press(paying, "Show the film")
    assert len(studio.posts) == 3
    write(paying, 2, "prompt", "The @cafe is full.")
    assert "2 of 3 kept" in button(paying, "Shoot").description
    assert [scene["kind"] for scene in rows(paying).scenes] == ["kept", "kept", "to shoot"]


def test_what_cannot_be_shot_is_on_the_button_without_a_price(paying, studio):
    """A take that is not there blocks its scene: the button tells how many, and no price where nothing is left."""
    press(paying, "Shoot")
    paying.film = paying.film.replace(2, take=9)
    assert button(paying, "Shoot").description == "Shoot (no cost; 2 of 3 kept; 1 blocked)"
    assert rows(paying).scenes[2]["price"] == ""
    press(paying, "Shoot")
    assert len(studio.posts) == 3


def test_a_click_pays_no_more_than_its_button_named(paying, studio):
    """Text that arrives after the click makes it dearer: nothing is sent, and the new price is told."""
    press(paying, "Shoot")
    arrived = []
    paying._roundtrip.ask = arrived.append
    button(paying, "Show the film").click()
    write(paying, 2, "prompt", "The @cafe is full.")
    arrived[0](True)
    assert len(studio.posts) == 3
    assert "about $0.50 now" in paying.message
    button(paying, "Shoot").click()
    arrived[1](True)
    assert paying.wait(WAIT)
    assert len(studio.posts) == 4


def test_a_budget_ends_it_in_order(paying, studio):
    """What the film may cost in all is kept to; what it brought is shown; no amount is a problem."""
    budget = next(one for one in walk(paying) if "vidu-budget" in getattr(one, "_dom_classes", ()))
    budget.value = "three"
    assert button(paying, "Shoot").disabled
    budget.value = "0.5"
    press(paying, "Shoot")
    assert len(studio.posts) == 1
    assert "not whole yet" in paying.message
    assert "$0.50 spent" in paying.message


def test_another_take_is_paid_by_its_own_price(paying, studio):
    """Both takes are kept and can be chosen; a click that named another price pays nothing."""
    press(paying, "Shoot")
    assert rows(paying).scenes[2]["again"] == "Another take ($0.50)"
    act(paying, 2, "again", price=0.01)
    assert len(studio.posts) == 3
    studio.clip += b"\0\0\0\x08free"  # another one, since equal clips are kept once
    act(paying, 2, "again", price=0.5)
    assert paying.wait(WAIT)
    assert len(studio.posts) == 4
    assert rows(paying).scenes[2]["takes"] == 2
    write(paying, 2, "take", 1)
    assert paying.film[2].take == 1
    assert "take 1" in rows(paying).scenes[2]["state"]
    paying.another_take(0)
    assert len(studio.posts) == 5


def test_without_a_key_nothing_is_paid_and_the_way_to_one_is_told(film):
    """The button says that it wants a key, and a click says how to get one; from code a preview comes."""
    panel = vidu.panel(film)
    assert button(panel, "Shoot").description == "Shoot (needs a key)"
    press(panel, "Shoot")
    assert "vidu.login()" in panel.message
    assert panel.preview("draft").info.duration == 15


def test_a_draft_and_a_preview_are_one_click(film):
    """They are free, show the whole film, and what failed is told."""
    panel = vidu.panel(film)
    press(panel, "Draft preview")
    assert panel.state == "done", panel.message
    assert panel.video.info.duration == 15
    assert "3 scenes" in panel.message
    assert not rows(panel).busy


def test_cancelling_a_preview_ends_it_at_once(film):
    """Nothing is billed, what was made is kept, and the panel takes the next call."""
    panel = vidu.panel(film)
    begun = threading.Event()
    panel.observe(lambda change: "0 of 3 scenes" in change["new"] and begun.set(), "stage")
    button(panel, "Preview").click()
    assert begun.wait(WAIT)
    button(panel, "Cancel").click()
    assert panel.wait(WAIT)
    assert panel.state == "failed"
    assert "Cancelled" in panel.message
    press(panel, "Draft preview")
    assert panel.state == "done"


def test_shoot_from_code_asks_before_it_spends(paying, studio):
    """As `Film.shoot`: without `confirm` nothing is sent; with it, the film comes back."""
    with pytest.raises(errors.ConfirmationNeeded):
        paying.shoot()
    assert studio.posts == []
    film = paying.shoot(confirm=True)
    assert len(film.videos) == 3
    assert paying.film == film


def test_nothing_that_a_page_sends_is_trusted(film):
    """Messages of any kind change nothing, and are answered."""
    panel = vidu.panel(film)
    messages = (
        {"do": "move", "by": "x"}, {"do": "edit", "field": "model", "value": "x"},
        {"do": "show"}, {"do": 7}, {"do": "edit", "field": "take", "value": True}, {"do": "again", "price": 0.5},
    )  # fmt: skip
    for content in messages:
        act(panel, 0, content.pop("do"), **content)
    assert panel.film == film
    rows(panel)._receive(None, "no mapping", None)


def test_no_key_and_little_else_is_in_the_page(paying):
    """What a saved notebook keeps of it holds no key, and three scenes are some kB."""
    press(paying, "Shoot")
    state = json.dumps([one.get_state() for one in walk(paying)], default=str)
    assert KEY not in state
    assert len(json.dumps(rows(paying).scenes)) < 30_000
    assert "<script" not in text(paying)
