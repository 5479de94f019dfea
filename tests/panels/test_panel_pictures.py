"""Pictures in the panel: shown, kept in the history, compared, saved, and used as references of a clip."""

from __future__ import annotations

import base64

import ipywidgets
import pytest
from panels import button, cards, find, is_visible, part, shown, text

import vidu_nb as vidu
from vidu_nb.panels.history import HistoryStrip
from vidu_nb.panels.result import ResultTools, ResultView
from vidu_nb.pictures import Picture, Pictures
from vidu_nb.receipt import Receipt
from vidu_nb.references.reference import Reference
from vidu_nb.storage.archive import Archive
from vidu_nb.video import Video

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
    opened = []
    strip = HistoryStrip(opened.append, print)
    strip.add(picture)
    [card] = cards(strip.box)
    html = text(card)
    assert base64.b64decode(html.split("base64,")[1].split('"')[0]).startswith(b"\xff\xd8")
    assert "SDXL 1.0 text to image · seed 7 · 1024x1024 · segmind" in html
    assert "<script>" not in html
    button(card, "Show").click()
    assert opened == [picture]
    view = ResultView()
    view.show(picture)
    assert "A cat &lt;script&gt;" in view.output.outputs[0]["data"]["text/html"]


def test_samples_stand_in_their_order():
    """Of several pictures of one call the first stands first, in front of what was made before."""
    panel = vidu.panel("A cat", model="sdxl1.0-txt2img", img_width=512, img_height=512, samples=2)
    first = panel.preview()
    panel.fill(samples=3)
    second = panel.preview()
    assert [one.path for one in panel.history] == [one.path for one in (*first, *second)]
    assert [made.path for made, _ in panel._strip._cards] == [one.path for one in (*second, *first)]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "CMYK", "I;16"])
def test_pictures_of_any_kind_have_a_thumbnail(mode, tmp_path):
    """Transparency becomes white, whatever the file's colours are."""
    from PIL import Image

    path = tmp_path / ("kind.jpg" if mode == "CMYK" else "kind.png")
    Image.new(mode, (60, 40)).save(path)
    strip = HistoryStrip(print, print)
    strip.add(Picture(path))
    assert "data:image/jpeg;base64," in text(strip.box)


def test_pictures_and_clips_stand_side_by_side(picture, small_clip):
    """Compared, each is under its label; clips alone get their bar of controls."""
    view = ResultView()
    view.compare([picture, Video(small_clip)])
    html = view.output.outputs[0]["data"]["text/html"]
    assert html.count("<img") == html.count("<video") == 1
    assert view.bar.children == ()
    view.compare([Video(small_clip), Video(small_clip)])
    assert len(view.bar.children) == 1


def test_what_can_be_done_with_a_picture(picture, tmp_path, encoded):
    """A model without a seed has no seed tools; a copy gets the picture's own ending."""
    used = []
    tools = ResultTools(Archive(), used.append, used.append)
    tools.show(Pictures([picture, picture]))
    assert is_visible(button(tools.box, "Use this seed"))
    button(tools.box, "Next seed").click()
    button(tools.box, "Use as reference").click()
    assert used == [8, picture]
    part(tools.box, "vidu-save-name").value = "mine"
    button(tools.box, "Save a copy").click()
    assert vidu.load(tmp_path / "mine.png").request == picture.request
    button(tools.box, "Copy as Python").click()
    assert "vidu.picture(" in part(tools.box, "vidu-snippet").value
    swap = vidu.models["faceswap-v2"].request(source_img=encoded(), target_img=encoded())
    tools.show(Picture(picture.path, swap))
    for name in ("Use this seed", "Next seed"):
        assert not is_visible(button(tools.box, name))


def test_a_picture_becomes_a_reference_of_a_clip(picture, asked):
    """The panel goes to the model of clips, with the picture behind those that are there; a full tray says so."""
    panel = vidu.panel(**asked)
    panel.model = "sdxl1.0-txt2img"
    panel._use_picture(picture)
    assert panel.model == next(iter(vidu.models))
    assert panel.request.references[1:] == (Reference(picture.path),)
    assert "cat.png is among the reference pictures" in panel.message
    panel._use_picture(picture)
    assert len(panel.request.references) == 2, "it is there already"
    panel.fill(references=[f"https://example.com/{number}.png" for number in range(7)])
    panel._use_picture(picture)
    assert "remove one first" in panel.message
    assert len(panel.request.references) == 7


def test_a_picture_brought_back_brings_its_model(picture, asked):
    """Its parameters fill the controls of its own model."""
    panel = vidu.panel(**asked)
    panel._open(picture)
    assert panel.request == picture.request
    assert panel.video == picture
    assert panel.model == "sdxl1.0-txt2img"
    assert "<img" in shown(panel)
    assert find(panel, ipywidgets.Output) is not None
