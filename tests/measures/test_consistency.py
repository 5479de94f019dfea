"""Where each reference is on screen in a clip, how well it was kept, and how steady the clip is in itself."""

from __future__ import annotations

from itertools import pairwise

import av
import numpy as np
import pytest
from previews import small_preview
from skimage import data

import vidu_nb as vidu
from vidu_nb.animatic.story.storyboard import plan_of
from vidu_nb.errors import InvalidRequest, ViduError
from vidu_nb.measures.consistency import Consistency, consistency
from vidu_nb.measures.differences import compare_pictures
from vidu_nb.measures.framing import framing
from vidu_nb.measures.matching import shrunk
from vidu_nb.video import Video

FPS = 24
HALF = 4  # frames into a dissolve of eight; from here on the new picture has more than half of the weight
PICTURES = {
    "astronaut": data.astronaut(), "coffee": data.coffee(), "rocket": data.rocket(), "cat": data.cat(),
    "motorcycle": data.stereo_motorcycle()[0], "hubble": data.hubble_deep_field(), "retina": data.retina(),
}  # fmt: skip
SIDE = 640  # px, of the previews: in fewer a dissolve between small pictures shows too little of them
REQUESTS = {
    "three sentences": ("An astronaut smiles. Then coffee, close-up, pan right. Finally a rocket, wide.", 3, "1:1", 42),
    "there and back": ("The coffee steams. Cut to the astronaut. Back to the coffee.", 2, "16:9", 3),
    "seven pictures": ("Everything at once, one after the other.", 7, "1:1", 5),
    "dissolves": ("The astronaut. Dissolve to the cat. Dissolve to the rocket.", 4, "9:16", 99),
}


def truth(request):
    """Booleans (references, frames) by the storyboard; in a dissolve the picture with more weight counts."""
    board = plan_of(request)
    there = np.zeros((len(request.references), board.frames), bool)
    for number, shot in enumerate(board.shots):
        there[shot.picture, shot.start : shot.start + shot.frames] = True
        if shot.transition == "dissolve":
            there[shot.picture, shot.start : shot.start + HALF] = False
            there[board.shots[number - 1].picture, shot.start : shot.start + HALF] = True
    return there


def on_screen(found, frames):
    """Booleans (references, frames) by what was measured."""
    there = np.zeros((len(found.names), frames), bool)
    for row, spans in zip(there, found.spans, strict=True):
        for start, end in spans:
            row[round(start * FPS) : round(end * FPS)] = True
    return there


@pytest.fixture(scope="module")
def cast():
    """The pictures by name."""
    return [vidu.Reference(shrunk(picture, SIDE), name=name) for name, picture in PICTURES.items()]


@pytest.fixture(scope="module", params=REQUESTS, ids=list(REQUESTS))
def measured(request, cast, tmp_path_factory):
    """A preview's request and what was found in its clip."""
    prompt, count, ratio, seed = REQUESTS[request.param]
    asked = vidu.VideoRequest(prompt=prompt, references=cast[:count], aspect_ratio=ratio, seed=seed, bgm=False)
    return asked, consistency(small_preview(asked, SIDE, tmp_path_factory.mktemp("preview")))


def test_spans_are_those_of_the_storyboard(measured):
    """For every reference of every request the time found overlaps the storyboard's by at least 0.9 (IoU)."""
    request, found = measured
    there = truth(request)
    for name, true, seen in zip(found.names, there, on_screen(found, there.shape[1]), strict=True):
        either = (true | seen).sum()
        assert either == 0 or (true & seen).sum() / either >= 0.9, name


def test_shots_are_those_of_the_storyboard(measured):
    """Wherever another picture comes, a shot begins, within a dissolve's length; each is steady in itself."""
    request, found = measured
    shots = plan_of(request).shots
    wanted = [b.start for a, b in pairwise(shots) if a.picture != b.picture]
    starts = np.array([shot.span.start * FPS for shot in found.shots])
    assert all(np.abs(starts - frame).min() <= 8 for frame in wanted)
    assert all(len(shot.means) == len(found.names) for shot in found.shots)


def test_the_best_frame_lies_where_the_reference_is(measured):
    """The best sample of a reference that is on screen is one at which the storyboard shows it, or is about to."""
    request, found = measured
    there = truth(request)
    for true, best in zip(there, found.best, strict=True):
        if true.any():
            at = round(best.time * FPS)
            assert true[max(0, at - HALF) : at + HALF].any()
            assert best.score >= found.threshold


@pytest.fixture(scope="module")
def still(make_clip):
    """A second of one picture, then half a second of another."""
    cat, coffee = (np.ascontiguousarray(picture[:256, :384]) for picture in (data.cat(), data.coffee()))
    return make_clip("still.mp4", [cat] * 24 + [coffee] * 12, crf=16)


def test_edges_are_exact_to_a_frame(still):
    """With three samples a second, a cut between two of them is found at its very frame."""
    found = consistency(still, [data.cat(), data.coffee()])
    assert found.spans == (((0.0, 1.0),), ((1.0, 1.5),))
    assert [shot.span for shot in found.shots] == [(0.0, 1.0), (1.0, 1.5)]


def test_a_fade_of_ten_bits_is_no_cut(tmp_path):
    """Frames of more than 8 bits are read as what they show, not byte by byte."""
    path = tmp_path / "fade.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"qp": "4", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
        for i in range(24):
            grey = np.full((64, 64, 3), 60 + 4 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        container.mux(stream.encode(None))
    assert [shot.span for shot in consistency(path, data.cat()).shots] == [(0.0, 1.0)]


def test_a_shot_without_a_sample_has_no_mean(make_clip):
    """Between two samples nothing was looked at, and nothing is not taken for a reference's absence."""
    cat, coffee = (np.ascontiguousarray(picture[:256, :256]) for picture in (data.cat(), data.coffee()))
    clip = make_clip("quick.mp4", [cat] * 4 + [coffee] * 10 + [cat] * 11, crf=16, sound=False)
    found = consistency(clip, data.coffee(), rate=1)
    assert [round(shot.span.start * FPS) for shot in found.shots] == [0, 4, 14]
    assert [bool(np.isnan(shot.means[0])) for shot in found.shots] == [False, True, False]
    assert "<img" in found._repr_html_()
    assert "nan" not in repr(found)


def test_frame_to_frame_is_vbenchs(still):
    """Half the likeness to the first frame and half that to the one before, over all samples but the first."""
    found = consistency(still, [data.cat()], embed=lambda pictures: [[1, 0] if pictures[0].mean() < 110 else [1, 1]])
    values = [1 if mean else np.sqrt(0.5) for mean in found.scores[0] > 0.99]
    to_first = [1.0 if value == values[0] else np.sqrt(0.5) for value in values[1:]]
    to_last = [1.0 if a == b else np.sqrt(0.5) for a, b in pairwise(values)]
    assert found.frame_to_frame == pytest.approx(np.mean([to_first, to_last]))


def test_what_is_not_there_has_no_span(still):
    """A stranger is never on screen, and a plain picture is marked as plain."""
    found = consistency(still, [data.rocket(), np.full((200, 300, 3), 90, np.uint8)])
    assert found.spans == ((), ())
    assert [row["note"] for row in found.table] == ["", "too plain to be found"]
    assert [row["on screen"] for row in found.table] == ["never", "never"]


def test_names_stay_text(still):
    """A name that is markup, or that a plot would read as a formula, shows as it was given."""
    found = consistency(still, [vidu.Reference(data.cat(), name="<b>$x_</b>")])
    html = found._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;$x_&lt;/b&gt;" in html
    assert 'alt="' in html


@pytest.mark.parametrize(
    "measure",
    [
        lambda path: consistency(path, data.cat()),
        lambda path: framing(Video(path)),
        lambda path: compare_pictures(path, path),
    ],
    ids=["consistency", "framing", "differences"],
)
def test_a_file_without_a_frame_is_refused(measure, tmp_path):
    """A recording that was broken off before its first frame has a track and no picture in it."""
    path = tmp_path / "empty.mp4"
    with av.open(str(path), "w", options={"movflags": "empty_moov+frag_keyframe"}) as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
    with pytest.raises(ViduError, match="holds no picture"):
        measure(path)


def test_the_same_clip_gives_the_same_result(still):
    """Two runs agree in every figure, and in their words."""
    one, two = (consistency(still, data.cat()) for _ in range(2))
    assert np.array_equal(one.scores, two.scores)
    assert repr(one) == repr(two)
    assert isinstance(one, Consistency)


def test_mistakes_are_refused(still, tmp_path):
    """No reference, a URL, an impossible rate and a file that is no video each say what to do."""
    with pytest.raises(InvalidRequest, match="pass references="):
        consistency(still)
    with pytest.raises(InvalidRequest, match="not on this machine"):
        consistency(still, "https://example.com/cat.png")
    with pytest.raises(InvalidRequest, match="rate=0"):
        consistency(still, data.cat(), rate=0)
    with pytest.raises(ViduError, match="does not exist"):
        consistency(tmp_path / "none.mp4", data.cat())
