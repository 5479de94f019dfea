"""Pictures in the panel: shown, kept in the history, compared, saved, and used as references of a clip."""

from __future__ import annotations

import base64

import pytest
from panels import Page, cards, fetched, is_offered, remark, saved, send, shown, type_in, use
from PIL import Image

import vidu_nb as vidu
from vidu_nb.panels.history import Cards
from vidu_nb.panels.result import ResultView
from vidu_nb.panels.tools import tools_for
from vidu_nb.pictures import Picture
from vidu_nb.receipt import Receipt
from vidu_nb.references.reference import Reference
from vidu_nb.video import Video

pytestmark = pytest.mark.usefixtures("small_frames")

HOSTILE = "<script>hacked()</script>"


@pytest.fixture
def picture(tmp_path, encoded):
    """A picture that a model drew."""
    path = tmp_path / "cat.png"
    path.write_bytes(encoded(320, 200))
    request = vidu.models["sdxl1.0-txt2img"].request(prompt=f"A cat {HOSTILE}", seed=7)
    return Picture(path, request, Receipt("segmind", "sdxl1.0-txt2img", cost_usd=0.008))


def test_a_picture_is_shown_and_stands_in_the_history(picture):
    """Its card has a thumbnail of its own, what tells it from others, and its prompt as plain text."""
    strip = Cards(print)
    strip.add(picture)
    [card] = strip.items
    assert base64.b64decode(card["poster"].partition("base64,")[2]).startswith(b"\xff\xd8")
    assert card["label"] == "SDXL 1.0 text to image · seed 7 · 1024x1024 · segmind"
    assert card["prompt"] == f"A cat {HOSTILE}"
    assert strip.find(card["id"]) is picture
    panel = vidu.panel()
    panel._open(picture)
    [played] = shown(panel)
    assert (played["kind"], played["type"], played["size"]) == ("image", "image/png", (320, 200))
    assert played["prompt"] == f"A cat {HOSTILE}"
    assert fetched(panel) == picture.path.read_bytes()
    page = Page(saved(panel))
    assert f"A cat {HOSTILE}" in page.text
    assert "script" not in [tag for tag, _ in page.elements]


def test_samples_stand_in_their_order():
    """Of several pictures of one call the first stands first, in front of what was made before."""
    panel = vidu.panel("A cat", model="sdxl1.0-txt2img", img_width=512, img_height=512, samples=2)
    first = panel.preview()
    panel.fill(samples=3)
    second = panel.preview()
    assert [one.path for one in panel.history] == [one.path for one in (*first, *second)]
    for card, made in zip(cards(panel), (*second, *first), strict=True):
        send(panel, "open", id=card["id"])
        assert panel.video.path == made.path


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "CMYK", "I;16"])
def test_pictures_of_any_kind_have_a_thumbnail(mode, tmp_path):
    """Transparency becomes white, whatever the file's colours are."""
    path = tmp_path / ("kind.jpg" if mode == "CMYK" else "kind.png")
    Image.new(mode, (60, 40)).save(path)
    strip = Cards(print)
    strip.add(Picture(path))
    assert strip.items[0]["poster"].startswith("data:image/jpeg;base64,")


def test_pictures_and_clips_stand_side_by_side(picture, small_clip):
    """Compared, each is under its label; clips alone get their bar of controls."""
    told = []
    view = ResultView(told.append, lambda *_: None)
    view.compare([picture, Video(small_clip)])
    assert [one["kind"] for one in told[-1]["items"]] == ["image", "video"]
    assert all(one["label"] for one in told[-1]["items"])
    assert told[-1]["bar"] is None
    view.compare([Video(small_clip), Video(small_clip)])
    assert len(told[-1]["bar"]["labels"]) == 2


def test_what_can_be_done_with_a_picture(picture, tmp_path, encoded):
    """A model without a seed has no seed tools; a copy gets the picture's own ending."""
    panel = vidu.panel()
    panel._open(picture)
    assert panel._tools["seed"]
    assert not panel._tools["is_video"]
    assert panel._tools["endings"] == [".png", ".jpg"]
    use(panel, "next seed")
    assert panel.request.seed == 8
    assert use(panel, "save", name="mine")["message"] == "Saved as mine.png"
    assert vidu.load(tmp_path / "mine.png").request == picture.request
    assert use(panel, "save", name="mine.jpg")["message"] == "Saved as mine.jpg"
    assert "vidu.picture(" in use(panel, "code", language="Python")["code"]
    assert use(panel, "continue")["refused"]
    use(panel, "reference")
    assert panel.request is None, "a prompt is there, of a model of clips"
    swap = vidu.models["faceswap-v2"].request(source_img=encoded(), target_img=encoded())
    assert not tools_for(Picture(picture.path, swap))["seed"]


def test_a_picture_becomes_a_reference_of_a_clip(picture, asked):
    """The panel goes to the model of clips, with the picture behind those that are there; a full tray says so."""
    panel = vidu.panel(**asked)
    panel._open(Picture(picture.path))
    panel.model = "sdxl1.0-txt2img"
    use(panel, "reference")
    assert panel.model == next(iter(vidu.models))
    assert panel.request.references[1:] == (Reference(picture.path),)
    assert "cat.png is among the reference pictures" in panel.message
    use(panel, "reference")
    assert len(panel.request.references) == 2, "it is there already"
    panel.fill(references=[f"https://example.com/{number}.png" for number in range(7)])
    use(panel, "reference")
    assert "remove one first" in panel.message
    assert len(panel.request.references) == 7


def test_a_picture_brought_back_brings_its_model(picture, asked):
    """Its parameters fill the controls of its own model."""
    panel = vidu.panel(**asked)
    panel._open(picture)
    assert panel.request == picture.request
    assert panel.video == picture
    assert panel.model == "sdxl1.0-txt2img"
    assert panel._head["model"] == "sdxl1.0-txt2img"
    assert shown(panel)[0]["kind"] == "image"


# Pictures that a page brings.


def drop(panel, name, data, tray="references"):
    """Drop a file on a tray."""
    return send(panel, "file", data, tray=tray, name=name)


def test_dropped_pictures_are_asked_for_in_their_order(encoded):
    """Dropped, moved and removed by messages; what the page shows follows, and so does the request."""
    panel = vidu.panel("A wave")
    red, blue = encoded(colour="red"), encoded(colour="blue")
    assert drop(panel, "red.png", red)["message"] == "red.png added as picture 1"
    assert is_offered(panel, "Preview")
    drop(panel, "blue.png", blue)
    send(panel, "url", tray="references", url="https://example.com/cat.png")
    items = panel._trays["references"]["items"]
    assert [one["label"] for one in items] == ["red.png", "blue.png", "cat.png"]
    send(panel, "move", tray="references", id=items[0]["id"], by=1)
    send(panel, "remove", tray="references", id=items[2]["id"])
    assert [one["label"] for one in panel._trays["references"]["items"]] == ["blue.png", "red.png"]
    assert panel.request.references == (Reference(blue), Reference(red))


def test_a_file_that_is_no_picture_gets_a_card_that_says_so(asked):
    """It stands in the page though nothing of the request has changed, and goes again."""
    panel = vidu.panel(**asked)
    before = panel.request
    assert "is not used" in drop(panel, "notes.txt", b"hello")["message"]
    *_, card = panel._trays["references"]["items"]
    assert card["problem"].startswith("text, not a picture")
    assert panel.request == before
    send(panel, "remove", tray="references", id=card["id"])
    assert len(panel._trays["references"]["items"]) == 1


def test_another_name_for_the_same_picture_is_seen(asked, photo):
    """The page shows the name that was given last."""
    panel = vidu.panel(**asked)
    panel.fill(references=Reference(photo, name="day"))
    assert [one["label"] for one in panel._trays["references"]["items"]] == ["day"]


def test_what_is_typed_beside_a_drop_stays(encoded):
    """A message of a tray carries no text, and takes none away."""
    panel = vidu.panel()
    type_in(panel, prompt="A wave")
    drop(panel, "red.png", encoded(colour="red"))
    assert panel.request.prompt == panel._values["prompt"] == "A wave"
    assert remark(panel, "prompt") == ""
