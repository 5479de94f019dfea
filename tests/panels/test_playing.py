"""What a page gets of a clip: its poster and its bytes, piece by piece; what of it is in the widget's state."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from faults import clip
from panels import fetched, keep, label, press, send, shown, type_in

import vidu_nb as vidu
from vidu_nb import media
from vidu_nb.request import VideoRequest

pytestmark = pytest.mark.usefixtures("small_frames")

PADDED = clip("good") + (4_000_000).to_bytes(4, "big") + b"free" + bytes(4_000_000 - 8)


@pytest.fixture
def panel(asked):
    """A panel that shows a clip of several pieces."""
    keep(VideoRequest(**asked), PADDED)
    return press(vidu.panel(**asked), "Preview")


def piece(panel, at):
    return send(panel, "piece", shown=panel._result["id"], item=0, at=at)


def test_the_pieces_are_the_clip_and_the_poster_is_a_jpeg(panel):
    """Every byte in its place; a poster comes whole."""
    assert fetched(panel) == PADDED
    poster = piece(panel, "poster")
    assert poster["bytes"][:2] == b"\xff\xd8"
    assert poster["total"] == len(poster["bytes"])


def sent_ahead(asked, monkeypatch, way):
    """What a page is sent before it is shown a clip of several pieces."""
    keep(VideoRequest(**asked), PADDED)
    monkeypatch.setenv("VIDU_NB_PLAYER", way)
    panel, sent = vidu.panel(**asked), []
    monkeypatch.setattr(panel._view, "_send", lambda content, buffers: sent.append((panel._result, content, buffers)))
    press(panel, "Preview")
    [(before, content, [first, poster])] = sent
    assert before == {}
    assert content["ahead"] == panel._result["id"]
    assert poster[:2] == b"\xff\xd8"
    return content["total"], first


def test_a_clip_begins_with_no_question(asked, monkeypatch):
    """Its poster and its first piece are sent before the page is told of it: a click waits for no round trip."""
    total, first = sent_ahead(asked, monkeypatch, "embed")
    assert total == len(PADDED)
    assert 1_000_000 < len(first) < total
    assert PADDED.startswith(first)


def test_a_small_copy_for_the_notebook_is_encoded_once(asked, monkeypatch, small_clip):
    """Shown again, the same clip keeps no processor busy while it is to play."""
    monkeypatch.setenv("VIDU_NB_PLAYER", "embed")
    encoded = media.proxy(small_clip)
    keep(VideoRequest(**asked), small_clip.read_bytes())
    panel = vidu.panel(**asked)
    press(panel, "Preview")
    before = media._proxy.cache_info()
    press(panel, "Preview")
    after = media._proxy.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
    os.utime(small_clip, ns=(1, 1))
    assert media.proxy(small_clip) == encoded, "a file that has changed is read anew"
    assert media._proxy.cache_info().misses == after.misses + 1


def test_the_widgets_state_holds_little_of_a_clip(panel):
    """A saved notebook has the poster in the cell's output, and only the small one of the history beside it."""
    assert len(json.dumps(panel._result)) < 2_000
    assert len(json.dumps(panel._strip)) < 12_000


def rewritten(path):
    """Other bytes of the same length, a moment later."""
    path.write_bytes(bytes(len(PADDED)))
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize(
    "happens", [rewritten, lambda path: path.write_bytes(PADDED[:2_000_000]), lambda path: path.unlink()]
)
def test_a_file_that_changes_or_goes_between_two_pieces_is_told(panel, happens):
    """No page puts a clip together of two files; shown anew, it comes whole or says what is wrong."""
    first = piece(panel, 0)
    assert not first["refused"]
    happens(panel.video.path)
    answer = piece(panel, len(first["bytes"]))
    assert answer["refused"]
    assert "has changed while it was sent" in answer["message"] or "can't be read" in answer["message"]


@pytest.mark.parametrize("at", [-1, True, "0", None, 10**12, 1.5])
def test_no_place_outside_of_a_file_is_answered(panel, at):
    """Nothing that a message says is trusted."""
    piece(panel, 0)
    assert piece(panel, at)["refused"]


def test_a_clip_that_is_shown_no_more_is_not_sent(panel, asked):
    """The page that still asks for it is refused, and fetches the one that came after it."""
    before = panel._result["id"]
    keep(VideoRequest(**asked, seed=7), clip("good"), name="another")
    type_in(panel, seed="7")
    press(panel, "Preview")
    assert send(panel, "piece", shown=before, item=0, at=0)["refused"]
    assert fetched(panel) == clip("good")


def test_a_clip_that_the_class_has_made_says_so(asked):
    """The caption tells who paid."""
    keep(VideoRequest(**asked), clip("good"))
    panel = vidu.panel(**asked)
    made = panel.preview()
    shared = replace(made.receipt, engine="segmind", replayed=False, shared=True)
    panel._view.show(vidu.Video(made.path, made.request, shared))
    assert "somebody in your class has made this" in shown(panel)[0]["caption"]


def test_a_clip_that_another_kernel_makes_is_offered_as_kept(asked):
    """The names in the archive are looked at anew once they have changed."""
    panel = vidu.panel(**asked)
    type_in(panel, seed="7")
    assert label(panel, "Preview") == "Preview (free)"
    keep(VideoRequest(**{**asked, "seed": 7}), clip("good"))
    type_in(panel, seed="8")
    type_in(panel, seed="7")
    assert label(panel, "Preview") == "Preview (kept: shows at once)"
