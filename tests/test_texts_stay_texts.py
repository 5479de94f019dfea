"""Texts stay texts: nobody's prompt, file name, label or error becomes HTML in anything that shows itself."""

from __future__ import annotations

import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

import vidu_nb as vidu
from vidu_nb import Reference, Video, VideoRequest
from vidu_nb.player import Player
from vidu_nb.receipt import Receipt

HOSTILE = ['"><img src=x onerror=alert(1)>', "<script>alert(1)</script>", "'><svg/onload=alert(1)>", "&ltb&gt <b>&amp"]
TAGS = {"div", "video", "span", "br", "p", "strong", "img", "table", "thead", "tbody", "tr", "th", "td"}


class Shown(HTMLParser):
    """What a browser would make of some HTML: tags with their attributes, and every text that a person can read."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Keep a tag, and the texts in it."""
        self.tags.append((tag, dict(attrs)))
        self.texts += [value for name, value in attrs if name in {"alt", "title", "aria-label"}]

    def handle_data(self, data):
        """Keep a text."""
        self.texts.append(data)


@pytest.fixture(params=HOSTILE)
def evil(request, tmp_path, small_clip, photo):
    """A text that would be markup, a picture and a clip that bear it wherever they can, and one without its file."""
    text = request.param
    path = tmp_path / f"{text.replace('/', '∕')}.mp4"
    shutil.copy(small_clip, path)
    reference = Reference(photo, name=text)
    asked = VideoRequest(prompt=text, references=reference)
    receipt = Receipt(engine=text, model=text, request_id=text, created_at=text, sha256=text)
    video = Video(path, asked, receipt)
    gone = Video(path.with_name(f"gone {path.name}"), asked, receipt)
    return SimpleNamespace(text=text, reference=reference, video=video, gone=gone)


def a_storyboard(evil):
    return evil.video.storyboard


def a_storyboard_without_its_file(evil):
    return evil.gone.storyboard


def a_video(evil):
    return evil.video


def a_player(evil):
    return Player([evil.video, Video(evil.video.path)], labels=[evil.text, f"2 {evil.text}"])


def a_plan(evil):
    return vidu.Plan.of([evil.text, f"2 {evil.text}"], [[evil.reference], [evil.reference] * 2], seed=[1, 2])


def a_sweep(evil):
    prompts = [evil.text, f"{evil.text} [fault:status_400_script]"]
    return vidu.sweep(prompts, evil.reference, confirm=True)


def a_verdict(evil):
    return vidu.reproduces({evil.text: evil.video})[0, 0]


def verdicts(evil):
    return vidu.reproduces({evil.text: evil.video, f"2 {evil.text}": evil.video.path})


def consistency(evil):
    return vidu.consistency(evil.video)


def a_framing_without_its_file(evil):
    report = vidu.framing(evil.video)
    evil.video.path.unlink()
    return report


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize(
    "made",
    [
        a_video, a_player, a_storyboard, a_storyboard_without_its_file, a_plan, a_sweep,
        a_verdict, verdicts, consistency, a_framing_without_its_file,
    ],
    ids=lambda made: made.__name__,
)  # fmt: skip
def test_nobodys_text_becomes_html(made, evil):
    """The text can be read as it was written, only our own tags are there, and none runs or fetches anything."""
    value = made(evil)
    html = value._repr_html_() if hasattr(value, "_repr_html_") else value._repr_mimebundle_()["text/html"]
    shown = Shown(html)
    name = Path(evil.video.path).stem
    assert any(evil.text in text or name in text for text in shown.texts), shown.texts
    for tag, attributes in shown.tags:
        assert tag in TAGS
        assert not [one for one in attributes if one.startswith("on")]
        address = attributes.get("src") or ""
        assert address.startswith("data:image/") if tag == "img" else not address.startswith("javascript:")
