"""The player: it stays small, plays where it can, and says what a clip is."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbconvert
import nbformat
import numpy as np
import pytest
from PIL import Image

import vidu_nb as vidu
from vidu_nb import media
from vidu_nb.errors import InvalidRequest
from vidu_nb.player import Player
from vidu_nb.receipt import Receipt
from vidu_nb.request import FRAME_SIZES
from vidu_nb.video import Video

NOTEBOOK_BYTES = 150_000  # what one clip may add to a notebook


class Tags(HTMLParser):
    """All tags with their attributes, and the text between them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        """Keep a text."""
        self.text += data

    def one(self, name):
        """The attributes of the only tag of its name."""
        (found,) = [attrs for tag, attrs in self.tags if tag == name]
        return found


@pytest.fixture
def local(small_video, tmp_path):
    """`small_video` beside the notebook."""
    path = tmp_path / "clip.mp4"
    shutil.copy(small_video.path, path)
    return Video(path, small_video.request, small_video.receipt)


@pytest.fixture(scope="session", params=FRAME_SIZES)
def noisy(request, make_clip):
    """Five seconds of noise at full size: the hardest thing to make small."""
    width, height = FRAME_SIZES[request.param]
    rng = np.random.default_rng(1)
    tile = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    frames = [np.roll(tile, 37 * i, axis=(0, 1)).repeat(8, 0).repeat(8, 1) for i in range(24)]
    second = make_clip(f"noise {request.param.replace(':', 'x')}.mp4", frames, crf=36)
    five = second.with_stem(f"{second.stem} again")
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-stream_loop",
        "4",
        "-i",
        second,
        "-c",
        "copy",
        "-movflags",
        "+faststart",
        five,
    ]
    subprocess.run(command, check=True)  # five times the same second: encoded once
    return five


@pytest.mark.parametrize("name", ["a b?c#d%e.mp4", "雨.mp4", "javascript:alert(1).mp4", "16:9.mp4"])
def test_a_link_leads_to_its_file(name, local, tmp_path):
    """The link is relative to the notebook and percent-encoded, so that it finds a file of any name."""
    path = tmp_path / "clips" / name
    path.parent.mkdir()
    shutil.copy(local.path, path)
    link = urlsplit(Tags(Player([Video(path)]).html()).one("video")["src"])
    assert (link.scheme, link.netloc, link.query, link.fragment) == ("", "", "", "")
    assert Path(unquote(link.path)).read_bytes() == local.bytes


def test_a_clip_beside_the_notebook_is_linked(noisy, tmp_path):
    """A linked clip costs the notebook a poster of at most 640 px: under 150 kB, for noise as well, in each ratio."""
    path = tmp_path / "vidu_archive" / "noise.mp4"
    path.parent.mkdir()
    shutil.copy(noisy, path)
    bundle = Video(path)._repr_mimebundle_()
    assert len(json.dumps(bundle)) <= NOTEBOOK_BYTES
    video = Tags(bundle["text/html"]).one("video")
    assert video["src"] == "vidu_archive/noise.mp4"
    poster = Image.open(io.BytesIO(base64.b64decode(video["poster"].removeprefix("data:image/jpeg;base64,"))))
    assert max(poster.size) <= media.POSTER_SIDE


def test_a_clip_out_of_reach_is_embedded_small(noisy):
    """Where a link can't play, a small copy is embedded: under 150 kB, for noise as well, in each ratio."""
    bundle = Video(noisy)._repr_mimebundle_()
    assert len(json.dumps(bundle)) <= NOTEBOOK_BYTES
    shown = Tags(bundle["text/html"])
    data = base64.b64decode(shown.one("video")["src"].removeprefix("data:video/mp4;base64,"))
    Path("proxy.mp4").write_bytes(data)
    small, whole = media.probe("proxy.mp4"), media.probe(noisy)
    assert whole.frames == 120
    assert small.duration == pytest.approx(whole.duration, abs=0.1)
    assert max(small.width, small.height) <= media.PROXY_SIDE
    assert small.width / small.height == pytest.approx(whole.width / whole.height, rel=0.02)
    assert f"A small silent copy: the clip itself, with sound where it has some, is {noisy}" in shown.text


@pytest.mark.parametrize("name", ["VSCODE_PID", "VSCODE_CWD"])
def test_vs_code_gets_the_clip_embedded(name, local, monkeypatch):
    """VS Code's outputs can't reach files beside the notebook, so the picture comes along."""
    monkeypatch.setenv(name, "1")
    assert Tags(Player([local]).html()).one("video")["src"].startswith("data:video/mp4;base64,")


def test_the_whole_file_is_embedded_on_request(local):
    """`embed` puts the file's very bytes into the notebook."""
    source = Tags(local.embed().html()).one("video")["src"]
    assert base64.b64decode(source.removeprefix("data:video/mp4;base64,")) == local.bytes


def test_there_is_always_plain_text(local):
    """Where no HTML is shown, a line tells what the clip is and where it lies."""
    told = "Video(16:9 · 5 s · seed 7 · segmind, $0.50, 'clip.mp4')"
    assert local._repr_mimebundle_()["text/plain"] == repr(local) == told
    assert vidu.show([local, local], labels=["a", "b"]).bundle()["text/plain"] == f"a: {told}\nb: {told}"


def shown_picture(bundle):
    return Image.open(io.BytesIO(base64.b64decode(bundle["image/jpeg"])))


def test_there_is_always_a_picture(local):
    """For viewers that show no HTML, or none with a video: the clip's poster, the same bytes each time."""
    bundle = local._repr_mimebundle_()
    picture = shown_picture(bundle)
    assert (picture.format, picture.size) == ("JPEG", (256, 192))
    assert np.abs(np.asarray(picture, int) - np.asarray(local.poster(), int)).mean() < 6
    assert local._repr_mimebundle_() == bundle
    assert "image/jpeg" in local.embed().bundle()


@pytest.mark.parametrize(("count", "size"), [(2, (512, 192)), (3, (512, 384)), (9, (720, 540))])
def test_several_clips_are_one_picture(count, size, local):
    """Their posters stand in rows, in their order, in fewer bytes than one clip may add."""
    bundle = vidu.show([local] * count).bundle()
    assert shown_picture(bundle).size[1] == size[1]
    assert len(bundle["image/jpeg"]) <= 80_000


def test_a_pdf_shows_the_picture_and_a_page_the_player(local):
    """What nbconvert makes: LaTeX, the way to PDF, knows no HTML; HTML and Markdown hold the player."""
    output = nbformat.v4.new_output("display_data", dict(local._repr_mimebundle_()))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("video", outputs=[output])])
    text, resources = nbconvert.LatexExporter().from_notebook_node(notebook)
    ((name, data),) = resources["outputs"].items()
    assert data == base64.b64decode(output.data["image/jpeg"])
    assert f"{{{name}}}" in text
    for exporter in (nbconvert.HTMLExporter, nbconvert.MarkdownExporter):
        assert "<video" in exporter().from_notebook_node(notebook)[0]


def test_a_preview_says_so(local):
    """A preview bears a badge and says in its caption what it is; a paid clip has neither."""
    free = Video(local.path, local.request, Receipt(engine="preview"))
    shown = Tags(Player([free]).html()).text
    assert shown.startswith("PREVIEW16:9 · 5 s · seed 7 · preview, free")
    assert "preview" not in Player([local]).html().lower().replace('preload="metadata"', "")


def test_a_long_prompt_is_cut(local):
    """A prompt of 1500 characters doesn't push the next cell off the screen."""
    video = Video(local.path, local.request.replace(prompt="word " * 300), local.receipt)
    assert len(Tags(Player([video]).html()).text) < 300


def test_two_clips_stand_side_by_side_under_their_labels(local):
    """Several clips share a row, each under its own label, in the order given."""
    html = vidu.show([local, local, local], labels=["one", "two", "three"]).html()
    assert re.findall(r">(one|two|three)<", html) == ["one", "two", "three"]
    assert [tag for tag, _ in Tags(html).tags].count("video") == 3


@pytest.mark.parametrize(
    ("count", "labels", "says"),
    [(0, None, "videos: 0 given: pass 1 to 9"), (10, None, "videos: 10 given"), (2, ["a"], "labels: 1 given for 2")],
)
def test_a_wrong_number_is_refused(count, labels, says, local):
    """No video, too many, or labels that don't match are told with what to pass."""
    with pytest.raises(InvalidRequest, match=says):
        vidu.show([local] * count, labels=labels)
