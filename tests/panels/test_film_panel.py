"""Promises of a film's panel: scenes are edited in place, nothing is paid for that a button didn't name."""

from __future__ import annotations

import json
import threading

import pytest
from classrooms import classroom
from faults import KEY, FaultServer
from panels import WAIT, Page, ended, fetched, saved, send, shown, wait_until

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.panels.film_panel import FilmPanel

pytestmark = pytest.mark.usefixtures("small_frames")

HOSTILE = '</textarea><img src=x onerror="alert(1)"> $x$ [a](javascript:alert(1))'


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


# What a page does.


def act(panel, do, place=None, **content):
    """Ask for something of the scene at a place, as the page does; gives the answer."""
    return send(panel, do, **({} if place is None else {"scene": panel._scenes[place]["id"]}), **content)


def edits(panel, place, **values):
    """What a page sends along of a scene in which somebody has just written; of the whole film where it is None."""
    return {"film" if place is None else panel._scenes[place]["id"]: values}


def write(panel, place, **values):
    """Write into a scene, or into what counts for all."""
    return send(panel, "edit", edits=edits(panel, place, **values))


def shoot(panel, **content):
    """Press Shoot, with the price that stands on it."""
    return send(panel, "shoot", price=panel._offer["price"], **content)


def shot(panel):
    """Press Shoot, and wait for what comes of it."""
    shoot(panel)
    return ended(panel)


def control(panel, place, name):
    """What the page shows of a scene's own parameter."""
    return next(one for one in panel._scenes[place]["controls"] if one["name"] == name)


def choice(panel, place, name, label):
    """The place of a choice, by its text."""
    return control(panel, place, name)["options"].index(label)


# Writing.


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
    write(panel, 0, prompt="@anna sleeps.", title="Night")
    write(panel, 2, seed="9")
    write(panel, 2, continues=True)
    assert panel.film == film.replace(0, prompt="@anna sleeps.", title="Night").replace(2, seed=9, continues=True)
    assert len(films) == 3
    act(panel, "move", 2, by=-1)
    assert [scene.prompt for scene in panel.film] == ["@anna sleeps.", "The @cafe is empty.", "She walks to the @cafe."]
    act(panel, "remove", 1)
    added = act(panel, "add")["scene"]
    assert len(panel.film) == 2
    assert panel._scenes[2]["id"] == added
    write(panel, 2, prompt="@anna returns.")
    assert panel.film[2].prompt == "@anna returns."
    assert panel.problems == ()


def test_each_parameter_is_the_scenes_own_or_the_films(film):
    """An empty control says what the film has; one that is set counts for its scene alone, and empty again no more."""
    panel = vidu.panel(film)
    assert control(panel, 1, "aspect_ratio")["options"][0] == "1:1 (film)"
    write(panel, 1, aspect_ratio=choice(panel, 1, "aspect_ratio", "9:16"))
    assert panel.film == film.replace(1, aspect_ratio="9:16")
    assert panel._scenes[1]["own"] == "Aspect ratio: 9:16"
    write(panel, 1, aspect_ratio=0)
    assert panel.film == film
    assert {"prompt", "references"}.isdisjoint(one["name"] for one in panel._scenes[1]["controls"])


def test_what_counts_for_all_scenes_is_edited_above_them(film):
    """Title, music, dissolve and parameters change the film; what is no number is told there and loses no text."""
    panel = vidu.panel(film)
    write(panel, None, title="An evening", music="film", dissolve="0.5", seed="7")
    assert panel.film == film.replace(title="An evening", music="film", dissolve=0.5, seed=7)
    assert control(panel, 0, "seed")["placeholder"] == "7 (film)"
    write(panel, None, dissolve="soft")
    assert (panel._head["dissolve"], panel.problems[0][0]) == ("soft", "film")
    assert "number of seconds" in panel._head["problem"]
    assert not panel._offer["can_preview"]
    write(panel, None, dissolve="", music="/etc/passwd")
    assert (panel.film.dissolve, panel.film.music, panel.problems) == (0, "film", ())


def test_a_scene_is_moved_by_keys_and_dropped_anywhere(film):
    """Keys move it by a place, as far as there are any; a drop puts it before another one, or at the end."""
    panel = vidu.panel(film)

    def order():
        return [scene.prompt.split()[0] for scene in panel.film]

    act(panel, "move", 0, by=-1)
    assert order() == ["@anna", "She", "The"]
    act(panel, "move", 2, before=panel._scenes[0]["id"])
    assert order() == ["The", "@anna", "She"]
    act(panel, "move", 0, before=None)
    assert order() == ["@anna", "She", "The"]
    act(panel, "move", 1, before=panel._scenes[1]["id"])
    assert order() == ["@anna", "She", "The"]
    assert act(panel, "move", 1, before="elsewhere")["refused"]
    assert panel.film == film


def test_a_scene_that_comes_first_continues_nothing(film):
    """It keeps its mark, which counts again when it is moved back."""
    panel = vidu.panel(film)
    act(panel, "move", 1, by=-1)
    assert not panel.film[0].continues
    act(panel, "move", 0, by=1)
    assert panel.film == film


def test_a_removed_scene_can_be_brought_back(film):
    """It returns to its place with its words; the last scene of a film can't be removed."""
    panel = vidu.panel(film)
    name = panel._scenes[1]["id"]
    act(panel, "remove", 1)
    assert panel._head["can_restore"]
    assert act(panel, "restore")["scene"] == name
    assert panel.film == film
    assert act(panel, "restore")["refused"]
    act(panel, "remove", 2)
    act(panel, "remove", 1)
    assert "one scene at least" in act(panel, "remove", 0)["message"]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [("prompt", "@ana wakes up.", "@anna"), ("prompt", "", "rite what happens"), ("seed", "many", "whole number")],
)
def test_what_is_wrong_stands_at_its_scene_and_loses_no_text(film, field, value, told):
    """The film stays the last whole one, no call can be begun, and the text is where it was typed."""
    panel = vidu.panel(film)

    def written():
        return panel._scenes[1]["prompt"] if field == "prompt" else control(panel, 1, field)["raw"]

    write(panel, 1, **{field: value})
    scene = panel._scenes[1]
    assert written() == value
    assert told in scene["problem"] + scene["note"]
    assert panel._scenes[0]["problem"] == ""
    assert panel.film == film
    assert panel.problems[0][0] == "scene 2"
    assert not panel._offer["can_preview"]
    with pytest.raises(errors.InvalidRequest, match="scene 2"):
        panel.preview()
    send(panel, "preview")
    assert "scene 2" in panel.message
    write(panel, 0, title="Meanwhile")
    assert written() == value


def test_too_many_pictures_stand_at_their_scene(photo):
    """The names and the counts are told where the words are."""
    cast = vidu.Cast(anna=[photo[i:].copy() for i in range(5)], ben=[photo[:, i + 1 :].copy() for i in range(4)])
    panel = vidu.panel(vidu.Film(["@anna", "@ben"], cast=cast))
    write(panel, 1, prompt="@anna and @ben")
    assert "anna 5, ben 4" in panel._scenes[1]["problem"]


def test_a_film_from_code_fills_the_cards(film):
    """Assigning one shows it; something else is refused."""
    panel = vidu.panel(film)
    panel.film = film.append("@anna waves.").replace(title="Two mornings")
    assert [scene["prompt"] for scene in panel._scenes][-1] == "@anna waves."
    assert panel._head["title"] == "Two mornings"
    with pytest.raises(errors.InvalidRequest, match="no Film"):
        panel.film = "a film"


# Money.


def test_shooting_pays_what_the_button_named(paying, studio):
    """The price and what is kept stand on the button; what landed is kept, and the joined clip is shown."""
    assert paying._offer["shoot"].startswith("Shoot (about $1.50, about ")
    assert [scene["price"] for scene in paying._scenes] == ["$0.50"] * 3
    shot(paying)
    assert paying.state == "done", paying.message
    assert len(studio.posts) == 3
    assert "$1.50 spent" in paying.message
    assert fetched(paying) == paying.video.path.read_bytes()
    assert [scene["kind"] for scene in paying._scenes] == ["kept", "kept", "kept"]
    assert paying._offer["shoot"] == "Show the film (all kept: no cost)"
    shot(paying)
    assert len(studio.posts) == 3
    write(paying, 2, prompt="The @cafe is full.")
    assert "2 of 3 kept" in paying._offer["shoot"]
    assert [scene["kind"] for scene in paying._scenes] == ["kept", "kept", "to shoot"]


def test_what_cannot_be_shot_is_on_the_button_without_a_price(paying, studio):
    """A take that is not there blocks its scene: the button tells how many, and no price where nothing is left."""
    shot(paying)
    paying.film = paying.film.replace(2, take=9)
    assert paying._offer["shoot"] == "Shoot (no cost; 2 of 3 kept; 1 blocked)"
    assert paying._scenes[2]["price"] == ""
    shot(paying)
    assert len(studio.posts) == 3


@pytest.mark.parametrize("price", [0.0, 0.49, None, "2", True, float("nan"), float("inf"), -1])
def test_a_click_pays_no_more_than_its_button_named(paying, studio, price):
    """What was typed before the click makes it dearer than what was read: nothing is sent, the new price is told."""
    shot(paying)
    send(paying, "shoot", price=price, edits=edits(paying, 2, prompt="The @cafe is full."))
    ended(paying)
    assert len(studio.posts) == 3
    assert "about $0.50 now" in paying.message
    shot(paying)
    assert len(studio.posts) == 4


def test_what_was_typed_before_the_click_is_shot(paying, studio):
    """A click carries the words and the budget that Python doesn't have yet."""
    words = edits(paying, 0, prompt="@anna gets up.") | edits(paying, None, budget="0.5")
    shoot(paying, edits=words)
    ended(paying)
    assert paying.film[0].prompt == "@anna gets up."
    assert len(studio.posts) == 1
    assert paying._offer["budget"] == "0.5"


def test_a_budget_ends_it_in_order(paying, studio):
    """What the film may cost in all is kept to; what it brought is shown; no amount is a problem."""
    write(paying, None, budget="three")
    assert not paying._offer["can_shoot"]
    assert paying._offer["can_preview"]
    shot(paying)
    assert "write an amount" in paying.message
    assert studio.posts == []
    write(paying, None, budget="0.5")
    shot(paying)
    assert len(studio.posts) == 1
    assert "not whole yet" in paying.message
    assert "$0.50 spent" in paying.message


def test_another_take_is_paid_by_its_own_price(paying, studio):
    """Both takes are kept and can be chosen; a click that named another price pays nothing."""
    shot(paying)
    assert paying._scenes[2]["again"] == "Another take ($0.50)"
    act(paying, "again", 2, price=0.01)
    assert len(studio.posts) == 3
    studio.clip += b"\0\0\0\x08free"  # another one, since equal clips are kept once
    act(paying, "again", 2, price=0.5)
    ended(paying)
    assert len(studio.posts) == 4
    assert paying._scenes[2]["takes"] == 2
    write(paying, 2, take=1)
    assert paying.film[2].take == 1
    assert "take 1" in paying._scenes[2]["state"]
    paying.another_take(0)
    assert len(studio.posts) == 5
    write(paying, 2, prompt="The @cafe is full.")
    assert paying.film[2].take is None


def test_without_a_key_nothing_is_paid_and_the_way_to_one_is_told(film):
    """The button says that it wants a key, and a click says how to get one; from code a preview comes."""
    panel = vidu.panel(film)
    assert panel._offer["shoot"] == "Shoot (needs a key)"
    shot(panel)
    assert "vidu.login()" in panel.message
    assert panel.preview("draft").info.duration == 15


def test_shoot_from_code_asks_before_it_spends(paying, studio):
    """As `Film.shoot`: without `confirm` nothing is sent; with it, the film comes back."""
    with pytest.raises(errors.ConfirmationNeeded):
        paying.shoot()
    assert studio.posts == []
    film = paying.shoot(confirm=True)
    assert len(film.videos) == 3
    assert paying.film == film


def test_cancelling_once_ends_after_the_calls_in_flight_and_twice_leaves_them(paying, studio):
    """The first click asks for no more scenes; a second one leaves what is in flight, if its text said so."""
    studio.open.clear()
    shoot(paying)
    wait_until(paying, "_scenes", lambda scenes: any(one["kind"] == "making" for one in scenes))
    send(paying, "cancel", leaves=False)
    assert paying._offer["leaves"]
    assert paying._running_call
    send(paying, "cancel", leaves=False)  # a double click, made before the button said something else
    assert paying._offer["leaves"]
    send(paying, "cancel", leaves=True)
    assert not paying._running_call
    ended(paying)
    assert len(studio.posts) == 2
    assert "2 may be billed: vidu.Client().pending() lists them" in paying.message
    assert not paying._offer["is_running"]


# In a class.


@pytest.fixture
def panel_of(film, tmp_path):
    """Makes the film's panel of somebody in a class of two, behind a gateway."""
    with FaultServer() as faults, classroom(tmp_path, faults) as school:

        def make(who):
            client = Client(school.tokens[who], school.url, archive=tmp_path / who, notify=len)
            return vidu.panel(film.replace(client=client))

        yield make


def test_what_is_left_of_a_budget_stands_by_the_price_and_follows_each_call(panel_of):
    """The gateway is asked for it in the background; after the scenes its answers count, as the price does."""
    panel = panel_of("anna")
    wait_until(panel, "_offer", lambda offer: offer["reason"] == "Credits left: $2.00")
    assert panel._offer["shoot"].startswith("Shoot (about $1.50")
    shot(panel)
    assert panel.state == "done", panel.message
    assert panel._offer["reason"] == "Credits left: $0.50"
    panel.another_take(2)
    assert panel._offer["reason"] == "Credits left: $0.00"


def test_scenes_that_cost_more_than_is_left_say_so(panel_of):
    """Before anything is sent; what is wrong with the scenes comes first."""
    panel = panel_of("anna")
    wait_until(panel, "_offer", lambda offer: offer["reason"])
    for prompt in ("@anna sits.", "@anna reads.", ""):
        added = act(panel, "add")["scene"]
        send(panel, "edit", edits={added: {"prompt": prompt}})
        if prompt == "@anna reads.":
            assert panel._offer["reason"] == "Credits left: $2.00, less than these scenes cost, about $2.50"
    assert panel._offer["reason"].startswith("Scene 6: ")


def test_scenes_that_somebody_in_the_class_has_made_say_so_and_cost_nothing(panel_of):
    """The second of a class gets the clips that the first paid for: each scene tells, also in a panel made anew."""
    first = panel_of("anna")
    shot(first)
    assert [scene["note"] for scene in first._scenes] == ["", "", ""]
    other = panel_of("ben")
    write(other, 2, prompt="The @cafe at night.")
    shot(other)
    assert "$0.50 spent" in other.message
    assert other._offer["reason"] == "Credits left: $1.50"
    told = "Somebody in your class has made this: $0.00"
    for panel in (other, vidu.panel(other.film)):
        assert [scene["note"] for scene in panel._scenes] == [told, told, ""]
        assert [scene["kind"] for scene in panel._scenes] == ["kept"] * 3


# Previews.


@pytest.mark.usefixtures("true_frames")
@pytest.mark.parametrize("quality", ["draft", "full"])
def test_a_preview_of_all_is_one_click(film, quality):
    """It is free, shows the whole film, and says what it shows."""
    panel = vidu.panel(film)
    send(panel, "preview", quality=quality)
    ended(panel)
    assert panel.state == "done", panel.message
    assert panel.video.info.duration == 15
    assert panel.video.info.width == {"draft": 960, "full": 1080}[quality]
    assert "3 scenes" in panel.message
    assert [one["kind"] for one in shown(panel)] == ["video"]
    assert not panel._offer["is_running"]
    assert all(poster["is_made"] for poster in panel._posters.values())


def test_one_scene_is_previewed_with_what_it_continues(film):
    """Its clip alone is shown; a scene that isn't finished elsewhere is no obstacle, the scene's own problem is."""
    panel = vidu.panel(film)
    act(panel, "add")
    act(panel, "preview", 1, quality="draft")
    ended(panel)
    assert panel.state == "done", panel.message
    assert panel.video.info.duration == 5
    assert shown(panel)[0]["caption"].startswith("Scene 2: ")
    assert "scene 2" in panel.message
    assert panel.film == film
    made = [one["is_made"] for one in panel._posters.values()]
    assert made == [True, True, False]
    act(panel, "preview", 3)
    assert "scene 4: write what happens" in panel.message


def test_cancelling_a_preview_ends_it_at_once(film):
    """Nothing is billed, what was made is kept, and the panel takes the next call."""
    panel = vidu.panel(film)
    begun = threading.Event()
    panel.observe(lambda change: " of 3 scenes" in change["new"] and begun.set(), "stage")
    send(panel, "preview")
    assert begun.wait(WAIT)
    send(panel, "cancel", leaves=False)
    ended(panel)
    assert panel.state == "failed"
    assert "Cancelled" in panel.message
    send(panel, "preview", quality="draft")
    assert ended(panel).state == "done"


# The page.


def test_a_scenes_clip_and_the_film_play_and_are_saved(paying, tmp_path, monkeypatch):
    """A click on a scene's picture shows its clip; what is shown is saved under a name; no clip, nothing to show."""
    monkeypatch.chdir(tmp_path)
    assert "no clip yet" in act(paying, "show", 0)["message"]
    assert send(paying, "tool", tool="save", name="film.mp4")["refused"]
    shot(paying)
    assert send(paying, "tool", tool="save", name="film.mp4")["message"] == "Saved as film.mp4"
    assert (tmp_path / "film.mp4").exists()
    act(paying, "show", 1)
    assert shown(paying)[0]["caption"].startswith("Scene 2: ")
    assert paying.video == paying.film.videos[1]
    assert fetched(paying) == paying.video.path.read_bytes()


def test_the_cells_output_follows_a_film_from_code_at_once(film):
    """A notebook that is saved when its last cell has ended holds the film of that cell."""
    panel = vidu.panel(film)
    panel._ipython_display_()
    panel.film = film.append("@anna waves.")
    assert "waves" in Page(saved(panel)).text
    panel.preview("draft")
    panel.film = panel.film.append("@anna sits.")
    assert "sits" in Page(saved(panel)).text
    assert "<video" in saved(panel)


def test_a_clip_in_the_cells_output_is_written_once(film):
    """Another storyboard stands below it, and its file is read no more: a small copy of it takes seconds."""
    panel = vidu.panel(film)
    panel._ipython_display_()
    panel.preview("draft").path.unlink()
    panel.film = film.replace(0, prompt="@anna gets up.")
    assert "gets up" in Page(saved(panel)).text
    assert "<video" in saved(panel)


def test_nothing_that_a_page_sends_is_trusted(film):
    """Messages of any kind change nothing, and are answered."""
    panel = vidu.panel(film)
    first = panel._scenes[0]["id"]
    messages = (
        {"do": "move", "scene": first, "by": "x"}, {"do": "move", "scene": [], "before": {}}, {"do": "show"}, {"do": 7},
        {"do": "edit", "edits": {first: {"model": "x", "take": True, "prompt": 7, "continues": "yes", "seed": 9}}},
        {"do": "edit", "edits": {first: "x", "film": {"music": 7, "title": None, "budget": 3}}},
        {"do": "edit", "edits": {"nobody": {"prompt": ""}}},
        {"do": "edit", "edits": "x"}, {"do": "again", "scene": first, "price": 0.5}, {"do": "remove", "scene": None},
        {"do": "edit", "edits": {first: {"aspect_ratio": 99, "duration": -1, "references": "x"}}}, {"do": "piece"},
        {"do": "tool", "tool": "code"}, {"do": "cancel", "leaves": "x"}, {"do": "shoot", "price": []},
    )  # fmt: skip
    for content in messages:
        assert send(panel, **content)["token"] == "t"
    panel._receive(None, "no mapping", None)
    assert panel.film == film
    assert panel.state == "ready"


def test_two_pages_change_one_film(film):
    """Both are told all that is written; what one has removed, the other's late words don't bring back or break."""
    panel = vidu.panel(film)
    other = panel._scenes[1]["id"]
    write(panel, 0, title="From one page")
    act(panel, "remove", 1)
    answer = send(panel, "preview", quality="draft", edits={other: {"prompt": "Late."}})
    assert not answer["refused"]
    assert ended(panel).state == "done"
    assert [scene.title for scene in panel.film] == ["From one page", ""]


def test_hostile_texts_stay_texts(cast):
    """Titles, prompts and errors are handed to the page as texts, and stand in the saved notebook as such."""
    scenes = [vidu.Scene(f"@anna {HOSTILE}", title=HOSTILE), f"@cafe {HOSTILE}"]
    panel = vidu.panel(vidu.Film(scenes, cast=cast, title=HOSTILE, aspect_ratio="1:1"))
    assert panel._scenes[0]["title"] == HOSTILE
    html = Page(panel._bundle()["text/html"])
    assert HOSTILE in html.text
    assert {"script", "textarea"}.isdisjoint(tag for tag, _ in html.elements)
    assert all("onerror" not in attributes for _, attributes in html.elements)
    send(panel, HOSTILE)
    write(panel, 0, prompt=f"@nobody {HOSTILE}")
    assert "nobody" in panel._scenes[0]["problem"]


def test_no_key_and_little_else_is_in_the_page(paying):
    """What a saved notebook keeps of it holds no key, and three scenes are some kB."""
    shot(paying)
    state = {name: value for name, value in paying.get_state().items() if name not in ("_esm", "_css")}
    assert KEY not in json.dumps(state, default=str)
    assert len(json.dumps(state, default=str)) < 60_000


def test_twenty_long_scenes_are_light(photo):
    """Of twenty scenes of 1,500 characters the page gets 150 kB at most, and a key's stroke no pictures."""
    words = "She walks on, slowly, and looks at the houses, one after the other, while the light changes. " * 17
    film = vidu.Film([vidu.Scene(words[:1500], title=f"Part {n}") for n in range(20)], references=photo)
    panel = vidu.panel(film)
    assert len(json.dumps([panel._scenes, panel._posters, panel._head])) < 150_000
    changed = []
    panel.observe(lambda change: changed.append(change["name"]))
    write(panel, 7, prompt="She runs.")
    assert "_posters" not in changed
    assert len(json.dumps(panel._bundle())) < 150_000
