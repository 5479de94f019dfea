"""The tray's Python side: what the browser asks for is checked, and what it is told stays small."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from comm.base_comm import BaseComm
from PIL import Image

from vidu_nb.errors import InvalidRequest
from vidu_nb.references.reference import MAX_REFERENCES, Reference
from vidu_nb.widgets.tray import ReferenceTray

HOSTILE = '"><img src=x onerror=window.hacked=1>.png'


class Comm(BaseComm):
    """A connection that keeps what is sent to the browser."""

    def publish_msg(self, _kind, data=None, **_rest):
        """Keep a message's content."""
        self.__dict__.setdefault("sent", []).append(data)

    @property
    def answers(self):
        """What the browser is told beside the state."""
        return [data["content"] for data in self.sent if data.get("method") == "custom"]


@pytest.fixture
def ask():
    """Sends a tray a message as the browser would, and gives its answer: ``ask(tray, {"do": "url", ...}, data)``."""

    def send(tray, content, *buffers):
        tray.comm = comm = Comm()
        data = {"method": "custom", "content": {**content, "token": "t"}}
        comm.handle_msg({"content": {"data": data}, "buffers": [memoryview(data) for data in buffers]})
        assert [answer["token"] for answer in comm.answers] == ["t"]
        return comm.answers[0]

    return send


@pytest.fixture
def add(ask, encoded):
    """Adds a file by its name: ``add(tray, "cat.png")``; a picture, unless other bytes are given."""
    return lambda tray, name, data=None: ask(tray, {"do": "file", "name": name}, data or encoded())


@pytest.fixture
def trio(encoded):
    """A tray with three pictures: red, green, blue."""
    return ReferenceTray([Reference(encoded(colour=name), name=name) for name in ("red", "green", "blue")])


def labels(tray):
    return [reference.label for reference in tray.references]


def test_files_stand_in_the_order_in_which_they_were_given(ask, encoded):
    """Whichever of a page's messages is handled first; another page's files stay where they are."""
    tray = ReferenceTray()
    for page, number in [("a", 2), ("a", 1), ("b", 1), ("a", 4), ("a", 3)]:
        ask(tray, {"do": "file", "name": f"{page}{number}.png", "turn": [page, number]}, encoded())
    ask(tray, {"do": "file", "name": "odd.png", "turn": [{}, "first"]}, encoded())
    assert labels(tray) == ["a1.png", "a2.png", "b1.png", "a3.png", "a4.png", "odd.png"]


def test_files_and_urls_become_references_in_their_order(ask, add, encoded):
    """What arrives becomes a reference with its name; a URL is passed on as it is."""
    tray = ReferenceTray()
    assert not add(tray, "cat.png", encoded(300, 200))["refused"]
    assert ask(tray, {"do": "url", "url": " https://example.com/a/dog.jpg "})["message"] == "dog.jpg added as picture 2"
    assert labels(tray) == ["cat.png", "dog.jpg"]
    assert tray.references[1].url == "https://example.com/a/dog.jpg"
    assert [item["size"] for item in tray.items] == ["300x200", "URL"]
    assert tray.items[1]["host"] == "example.com"
    assert tray.items[1]["note"] == "URL: fetched by the service"
    assert tray.items[1]["thumbnail"] == ""


def test_a_file_that_is_no_picture_keeps_its_problem_on_its_card(add, trio):
    """The problem stands on the very card, behind the good pictures, and the file is not sent."""
    message = add(trio, "notes.txt", b"hello")["message"]
    assert message.startswith("notes.txt is not used: text, not a picture: ")
    add(trio, "white.png")
    assert labels(trio) == ["red", "green", "blue", "white.png"]
    assert [item["label"] for item in trio.items] == ["red", "green", "blue", "white.png", "notes.txt"]
    assert trio.items[4]["problem"].startswith("text, not a picture")
    assert trio.problems == (f"notes.txt: {trio.items[4]['problem']}",)


def test_what_the_browser_could_not_read_is_a_problem_too(ask, trio):
    """A file that never left the browser still gets a card that says why."""
    ask(trio, {"do": "file", "name": "a.heic", "problem": "24 MB that this browser can't decode"})
    assert trio.problems == ("a.heic: 24 MB that this browser can't decode",)
    assert len(trio.references) == 3


@pytest.mark.parametrize(
    ("start", "by", "order", "place"),
    [
        (0, 1, "green red blue", 2),
        (2, -2, "blue red green", 1),
        (1, 0, "red green blue", 2),
        (0, 99, "green blue red", 3),
        (2, -(10**30), "blue red green", 1),
    ],
)
def test_moving_changes_the_order_and_stops_at_the_ends(ask, trio, start, by, order, place):
    """A picture is moved by places to the left or right, never beyond the row."""
    moved = trio.items[start]
    told = ask(trio, {"do": "move", "id": moved["id"], "by": by})
    assert labels(trio) == order.split()
    assert told["message"] == f"{moved['label']} moved to place {place} of 3"


def test_removing_takes_out_one_card_and_keeps_the_others(ask, add, trio):
    """A removed picture is gone from the references; a card with a problem can be removed as well."""
    kept = trio.items[0]["id"], trio.items[2]["id"]
    ask(trio, {"do": "remove", "id": trio.items[1]["id"]})
    assert labels(trio) == ["red", "blue"]
    assert tuple(item["id"] for item in trio.items) == kept
    add(trio, "broken.png", b"\x89PNG broken")
    ask(trio, {"do": "remove", "id": trio.items[2]["id"]})
    assert trio.problems == ()


def test_an_eighth_picture_is_refused_in_words_and_nothing_is_lost(ask, add, encoded):
    """At most seven: an eighth changes nothing, whether it is a file, a URL or given in Python."""
    tray = ReferenceTray([encoded(200 + i) for i in range(MAX_REFERENCES)])
    before = tray.references, tray.items
    for told in (add(tray, "eight.png"), ask(tray, {"do": "url", "url": "https://example.com/eight.png"})):
        assert told["refused"]
        assert told["message"] == "at most 7 pictures: remove one to add eight.png"
    with pytest.raises(InvalidRequest, match="at most 7"):
        tray.references = [encoded()] * 8
    assert (tray.references, tray.items) == before


def test_cards_with_problems_take_no_room_and_do_not_pile_up(add):
    """Broken files leave room for seven good ones, and only the last few of them are shown."""
    tray = ReferenceTray()
    for i in range(10):
        add(tray, f"{i}.txt", b"hello")
    for i in range(MAX_REFERENCES):
        assert not add(tray, f"{i}.png")["refused"]
    assert len(tray.references) == MAX_REFERENCES
    assert [item["label"] for item in tray.items if item["problem"]] == [f"{i}.txt" for i in range(3, 10)]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"do": None},
        {"do": ["file"]},
        {"do": "__init__"},
        {"do": "file"},
        {"do": "file", "name": "no content.png"},
        {"do": "url"},
        {"do": "url", "url": 7},
        {"do": "url", "url": "/etc/hostname"},
        {"do": "url", "url": "file:///etc/hostname"},
        {"do": "url", "url": "data:image/png;base64,AAAA"},
        {"do": "url", "url": "https://"},
        {"do": "url", "url": "https://example.com/a b.png"},
        {"do": "url", "url": "https://example.com/" + "a" * 5000},
        {"do": "move"},
        {"do": "move", "id": "picture-1", "by": "1"},
        {"do": "move", "id": "picture-1", "by": True},
        {"do": "move", "id": "picture-1", "by": float("nan")},
        {"do": "move", "id": "nobody", "by": 1},
        {"do": "move", "id": ["picture-1"], "by": 1},
        {"do": "remove"},
        {"do": "remove", "id": "nobody"},
        {"do": "remove", "id": {"id": "picture-1"}},
    ],
)
def test_a_senseless_message_is_refused_and_changes_nothing(ask, trio, content):
    """Unknown ids, wrong types and paths in place of URLs are answered in words; no file is read, nothing moves."""
    before = trio.references, trio.items, trio.problems
    told = ask(trio, content)
    assert told["refused"]
    assert told["message"]
    assert (trio.references, trio.items, trio.problems) == before


@pytest.mark.parametrize("content", [None, "file", 7, ["do", "file"], {"do": "remove", "token": {"a": 1}}])
def test_a_message_that_is_no_request_gets_no_answer(trio, content):
    """What carries no token of its own is dropped without an error."""
    trio.comm = comm = Comm()
    comm.handle_msg({"content": {"data": {"method": "custom", "content": content}}})
    assert not comm.answers
    assert len(trio.references) == 3


def test_two_buffers_or_wrongly_typed_names_do_no_harm(ask, encoded):
    """One message is one file; a name that is no text is left out."""
    tray = ReferenceTray()
    assert ask(tray, {"do": "file", "name": "two.png"}, encoded(), encoded())["refused"]
    ask(tray, {"do": "file", "name": {"a": 1}, "note": 7, "problem": []}, encoded())
    assert labels(tray) == ["picture"]
    assert tray.items[0]["note"] == ""


def test_names_stay_text_on_one_line(add):
    """HTML in a name is kept as it is, for the browser to show as text; control characters and length are cut."""
    tray = ReferenceTray()
    add(tray, HOSTILE)
    add(tray, "two\nlines\x00\u202egnp.exe.png")
    add(tray, "x" * 5000)
    assert labels(tray)[:2] == [HOSTILE, "two lines gnp.exe.png"]
    assert len(labels(tray)[2]) == 300


def test_assigning_replaces_everything_even_by_an_equal_value(add, encoded, tmp_path):
    """References given from Python lay out the tray anew, cards with problems go; known pictures keep their cards."""
    path = tmp_path / "night.png"
    path.write_bytes(encoded())
    tray = ReferenceTray()
    add(tray, "notes.txt", b"hello")
    tray.references = ()
    assert (tray.items, tray.problems) == ([], ())
    tray.references = path
    first = tray.items[0]
    tray.references = ["https://example.com/cat.png", path]
    assert labels(tray) == ["cat.png", "night.png"]
    assert tray.items[1] == first
    tray.references = [path, path]
    assert len({item["id"] for item in tray.items}) == 2
    tray.references = [Reference(path, name="day")]
    assert labels(tray) == ["day"] == [item["label"] for item in tray.items]


def test_a_reference_that_turns_out_damaged_is_shown_as_a_problem(encoded):
    """A picture of which only the header is good is not sent."""
    data = encoded(1000, 1000, "JPEG")
    text = "data:image/jpeg;base64," + base64.b64encode(data[: len(data) // 4]).decode()
    tray = ReferenceTray([Reference.from_wire(text, name="half.jpg"), "https://example.com/cat.png"])
    assert labels(tray) == ["cat.png"]
    assert tray.problems[0].startswith("half.jpg: the picture is damaged")


def test_observers_hear_of_each_change_with_all_of_it_done(add):
    """Who watches the references finds the cards and the problems in their new state already."""
    tray, heard = ReferenceTray(), []
    tray.observe(lambda change: heard.append((len(change.new), len(tray.items))), names="references")
    tray.observe(lambda change: heard.append(change.new), names="problems")
    add(tray, "a.png")
    add(tray, "b.txt", b"hello")
    assert heard[0] == (1, 1)
    assert heard[1][0].startswith("b.txt: ")
    tray.references = []
    assert heard[2:] == [(), (0, 0)]


def test_an_observer_that_fails_is_told_and_not_hidden(trio):
    """An error in someone's observer reaches the kernel's log, and the browser still gets an answer."""

    def fail(_change):
        raise ZeroDivisionError

    trio.observe(fail, names="references")
    trio.comm = comm = Comm()
    with pytest.raises(ZeroDivisionError):
        trio._receive(trio, {"do": "remove", "id": trio.items[0]["id"], "token": "t"}, [])
    assert comm.answers[0]["refused"]


def test_seven_large_pictures_leave_a_small_state_without_their_bytes(add):
    """What goes to the browser, and into a saved notebook, is below 80 kB in all and holds no picture."""
    tray = ReferenceTray()
    for i in range(MAX_REFERENCES):
        noise = np.random.default_rng(i).integers(0, 256, (900, 1200, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noise).save(buffer, "JPEG", quality=95)
        add(tray, f"{i}.jpg", buffer.getvalue())
    state = json.dumps(tray.get_state())
    assert len(tray.references) == MAX_REFERENCES
    assert len(state) < 80_000
    assert not any(reference.url[-2000:] in state for reference in tray.references)
    assert {"references", "problems"}.isdisjoint(tray.get_state())
    for item in tray.items:
        kind, data = item["thumbnail"].split(",")
        assert kind == "data:image/jpeg;base64"
        assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) == 160


def test_one_message_fits_through_a_notebooks_websocket():
    """The limits that the browser is told leave ample room below 10 MiB, and hold the request's own."""
    limits = ReferenceTray().limits
    assert limits["pictures"] == MAX_REFERENCES
    assert limits["message_bytes"] < 10 * 2**20 / 2


def test_a_picture_that_is_not_sent_has_no_place(ask, add, trio):
    """Moving a card with a problem is refused by its name, and the others stay where they are."""
    add(trio, "broken.png", b"rubbish")
    answer = ask(trio, {"do": "move", "id": trio.items[3]["id"], "by": -1})
    assert answer["refused"]
    assert answer["message"] == "broken.png is not sent: it has no place among the pictures"
    assert [item["label"] for item in trio.items] == ["red", "green", "blue", "broken.png"]
