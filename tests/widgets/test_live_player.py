"""Players in marimo: what the page gets at once, what it gets when it asks, and what nobody gets."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from panels import send

import vidu_nb as vidu
from vidu_nb.player import Player, sources
from vidu_nb.video import Video
from vidu_nb.widgets.live_player import LivePlayer

HOSTILE = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def clip(small_clip, tmp_path):
    """A clip in the working folder, under a name that looks like HTML."""
    path = tmp_path / f"a {HOSTILE.replace('/', '')}.mp4"
    shutil.copy(small_clip, path)
    return Video(path)


@pytest.fixture
def live(clip):
    """A player of it."""
    return LivePlayer(Player([clip], labels=[HOSTILE])._html("fetch"), sources([clip]), {})


def fetched(live, name):
    """A file as a page gets it."""
    data, total = b"", 1
    while len(data) < total:
        answer = send(live, "piece", file=name, at=len(data))
        assert not answer["refused"], answer
        data, total = data + answer["bytes"], answer["total"]
    return data


def test_the_page_gets_a_poster_at_once_and_the_file_when_it_asks(live, clip):
    """The HTML holds no clip, only its poster and the name under which the whole file comes."""
    assert "data:video" not in live._html
    assert 'poster="data:image/jpeg;base64,' in live._html
    assert fetched(live, clip.path.name) == clip.bytes


def test_pictures_are_small_copies_until_the_file_comes(tmp_path):
    """A picture that is small enough is there as a whole; of a larger one the file is fetched."""
    from PIL import Image

    Image.effect_noise((1200, 900), 90).save(tmp_path / "large.png")
    Image.new("RGB", (40, 30), "navy").save(tmp_path / "small.png")
    large, small = vidu.load(tmp_path / "large.png"), vidu.load(tmp_path / "small.png")
    html = Player([large, small])._html("fetch")
    assert html.count("data-vidu-file=") == 1
    assert 'data-vidu-file="large.png" data-vidu-type="image/png"' in html


def test_texts_stay_texts(live):
    """Labels and names of files are escaped, also in the attribute that names the file."""
    assert "<img" not in live._html
    assert live._html.count("&lt;img") >= 2


@pytest.mark.parametrize(
    "asked",
    [
        {"file": "/etc/passwd"}, {"file": "../a.mp4"}, {"file": None}, {"file": ["a"]},
        {"at": -1}, {"at": "0"}, {"at": None}, {"at": True}, {"at": 2**80}, {"do": "open"},
    ],
    ids=str,
)  # fmt: skip
def test_a_page_gets_nothing_else(live, clip, asked):
    """Other files, senseless places and other wishes are refused in a sentence."""
    answer = send(live, **{"do": "piece", "file": clip.path.name, "at": 0} | asked)
    assert answer["refused"]
    assert answer["message"]
    assert "bytes" not in answer


def test_a_file_that_has_gone_is_named(live, clip):
    """The page is told that the file can't be read."""
    clip.path.unlink()
    answer = send(live, "piece", file=clip.path.name, at=0)
    assert answer["refused"]
    assert "No such file" in answer["message"]


def test_a_script_shows_html_that_plays_by_itself(clip):
    """Where marimo runs a notebook as a script no kernel answers: what is shown is what it is elsewhere."""
    code = "import sys, marimo, vidu_nb as vidu; print(marimo.as_html(vidu.load(sys.argv[1])).text)"
    told = subprocess.run([sys.executable, "-c", code, clip.path], capture_output=True, text=True, check=True)
    assert "data-vidu-file" not in told.stdout
    assert ' src="' in told.stdout
