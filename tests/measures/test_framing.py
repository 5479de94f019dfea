"""What a ratio keeps of the subject is what the frames show, before and after the clip is made."""

from __future__ import annotations

import numpy as np
import pytest

from vidu_nb.animatic.film.camera import Box
from vidu_nb.catalogue.request import PREVIEW_VERSION
from vidu_nb.errors import InvalidRequest
from vidu_nb.measures.framing import Cut, _planned, framing
from vidu_nb.measures.safe_areas import SAFE_AREAS, Moment
from vidu_nb.media import decode
from vidu_nb.receipt import Receipt
from vidu_nb.references.reference import Reference
from vidu_nb.request import FRAME_SIZES, VideoRequest
from vidu_nb.storage.archive import Archive
from vidu_nb.video import Video, load

YELLOW = (240, 200, 60)


def spotted(width, height, x, y, radius=30):
    """A dim picture with one bright disc."""
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[(columns - x) ** 2 + (rows - y) ** 2 < radius**2] = YELLOW
    return picture


def disc_in(frame):
    """The middle of the bright disc in a frame, in its pixels: a median, since the badge's edges are yellow too."""
    rows, columns = np.nonzero((frame[..., 1] > 150) & (frame[..., 2] < 110))
    return float(np.median(columns)), float(np.median(rows))


@pytest.fixture(scope="module")
def request_of_disc():
    """A request for a pan over a picture whose subject is right of the middle."""
    picture = Reference(spotted(800, 500, 480, 250, 50), name="disc")
    return VideoRequest(prompt="The disc, pan right.", references=picture, bgm=False, movement_amplitude="large")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """One archive for this module, so that its previews are made once."""
    return Archive(tmp_path_factory.mktemp("framing"))


@pytest.fixture(scope="module")
def planned(request_of_disc, archive):
    """The report on that request."""
    return framing(request_of_disc, archive=archive)


@pytest.fixture
def off_centre(make_clip):
    """A 16:9 clip whose only content is a disc far to the right, in a middle third of the height."""
    frame = spotted(640, 360, 540, 180, 40)
    return Video(make_clip("right.mp4", [frame] * 24, crf=14))


# A request.


def test_a_request_is_judged_in_its_three_exact_sizes(planned):
    """One free preview for each ratio, in the model's own frame sizes."""
    assert [(cut.ratio, cut.way, cut.size) for cut in planned.cuts] == [
        (ratio, "preview", size) for ratio, size in FRAME_SIZES.items()
    ]
    assert all(cut.video.is_preview for cut in planned.cuts)
    assert [(cut.video.info.width, cut.video.info.height) for cut in planned.cuts] == list(FRAME_SIZES.values())


@pytest.mark.parametrize("ratio", FRAME_SIZES)
def test_the_plan_says_where_the_frames_show_the_subject(planned, ratio):
    """At every moment the box that was computed from the storyboard lies around the disc that was rendered."""
    cut = planned[ratio]
    moments = {round(moment.seconds * 24): moment for moment in cut.moments}
    frames = enumerate(decode(cut.video.path))
    discs = {number: disc_in(frame.to_ndarray(format="rgb24")) for number, frame in frames if number in moments}
    for number, moment in moments.items():
        box = moment.subject
        assert discs[number] == pytest.approx([(box.left + box.right) / 2, (box.top + box.bottom) / 2], abs=0.02 * 1920)


def test_a_preview_holds_the_version_of_its_engine(planned, tmp_path):
    """So that a clip which followed another plan is known as one; a saved copy and a replay hold it as well."""
    video = planned["1:1"].video
    assert video.receipt.engine_version == PREVIEW_VERSION
    assert load(video.save(tmp_path / "copy.mp4")).receipt.engine_version == PREVIEW_VERSION
    assert "Another version" not in str(video.storyboard)


def test_previews_are_replayed(planned, request_of_disc, archive):
    """Asked again, nothing is rendered, and the report is the same."""
    again = framing(request_of_disc, archive=archive)
    assert all(cut.video.receipt.replayed for cut in again.cuts)
    assert {cut.video.receipt.engine_version for cut in again.cuts} == {PREVIEW_VERSION}
    assert repr(again) == repr(planned)


@pytest.mark.usefixtures("planned")
def test_a_key_in_the_environment_pays_for_nothing(request_of_disc, archive, monkeypatch):
    """With a key set, the free local engine still answers."""
    monkeypatch.setenv("SEGMIND_API_KEY", "a-key")
    assert {cut.video.receipt.engine for cut in framing(request_of_disc, archive=archive).cuts} == {"preview"}


def test_fill_is_reported():
    """A subject as wide as its picture gets a filled frame in 9:16, and the report says how much of it is fill."""
    fence = np.full((300, 900, 3), 40, np.uint8)
    fence[100:200, 60:840:60] = fence[100:200, 61:841:60] = YELLOW
    filled = {}
    for ratio in FRAME_SIZES:
        asked = VideoRequest(prompt="A fence. Static.", references=fence, aspect_ratio=ratio)
        filled[ratio] = Cut(ratio, "preview", None, None, tuple(_planned(asked, [fence]))).filled
    assert filled["9:16"] > 0.1
    assert filled["16:9"] < filled["9:16"]


# A clip.


def test_a_preview_s_clip_is_measured_by_its_frames(off_centre, request_of_disc):
    """What its request would be planned as today has no say: an older engine may have moved otherwise."""
    old = Video(off_centre.path, request_of_disc, Receipt("preview"))
    assert repr(framing(old)) == repr(framing(off_centre))


def test_the_own_ratio_keeps_everything(off_centre):
    """What a frame has cut off can't be known, so its own ratio keeps all that there is."""
    cut = framing(off_centre)["16:9"]
    assert (cut.way, cut.crop, cut.kept) == ("own frame", None, 1)


def test_the_best_crop_finds_what_the_middle_loses(off_centre):
    """A subject at the side is lost in the middle's 9:16, and whole in the best one."""
    centre, best = (cut for cut in framing(off_centre).cuts if cut.ratio == "9:16")
    assert centre.kept < 0.2
    assert best.kept > 0.95
    left, top, width, height = best.crop
    assert (top, width, height) == (0, 202, 360)
    assert left <= 500
    assert left + width >= 580


@pytest.mark.parametrize(("width", "height"), [(640, 360), (360, 360), (202, 360), (322, 242)])
def test_crops_lie_within_the_frame_and_are_even(make_clip, width, height):
    """Every crop can be given to an H.264 encoder as it stands."""
    clip = Video(make_clip("any.mp4", [spotted(width, height, width // 2, height // 2)] * 3, sound=False))
    cuts = framing(clip).cuts
    assert {cut.ratio for cut in cuts} == set(FRAME_SIZES)
    for left, top, w, h in (cut.crop for cut in cuts if cut.crop):
        assert (left % 2, top % 2, w % 2, h % 2) == (0, 0, 0, 0)
        assert 0 <= left <= width - w
        assert 0 <= top <= height - h


def test_a_poster_shows_the_frame_of_its_moment(make_clip):
    """At any rate of frames: at the thirtieth of 60 a second, not at one that is half of a 24th earlier."""
    frames = [np.full((64, 64, 3), 8 * i, np.uint8) for i in range(31)]
    cut = Cut("1:1", "own frame", Video(make_clip("quick.mp4", frames, fps=60, crf=4, sound=False)), None, ())
    assert np.asarray(cut.poster(30 / 60)).mean() == pytest.approx(240, abs=3)


def test_enlargement_is_reported(off_centre):
    """A crop of 202 pixels that is delivered at 1080 is enlarged more than five times."""
    row = framing(off_centre).table[-1]
    assert row["enlarged"] == pytest.approx(1080 / 202, abs=0.01)


# Safe areas.


def test_safe_areas_lie_within_their_frames():
    """Each is a rectangle inside of its ratio's frame, and names its source."""
    for area in SAFE_AREAS:
        width, height = FRAME_SIZES[area.ratio]
        assert 0 <= area.box.left < area.box.right <= width
        assert 0 <= area.box.top < area.box.bottom <= height
        assert area.source


def test_television_margins_are_those_of_the_standard():
    """Action safe is 93 % and title safe 90 % of the frame each way, to the pixel above."""
    action, title = (area.box for area in SAFE_AREAS if area.ratio == "16:9")
    assert (action.width / 1920, action.height / 1080) == pytest.approx((0.93, 0.93), abs=0.001)
    assert (title.width / 1920, title.height / 1080) == pytest.approx((0.9, 0.9), abs=0.001)


def test_a_subject_that_an_app_covers_does_not_fit(off_centre):
    """The verdict for each area follows its worst moment."""
    for row in framing(off_centre).areas:
        assert row["fits"] == (row["inside_least"] >= 0.9)
        assert row["inside_least"] <= row["inside"] <= 1


def test_what_is_not_seen_is_not_inside():
    """A part of the subject beyond the picture counts for no area, however large that is."""
    moment = Moment(0, Box(-50, 0, 50, 100), Box(0, 0, 1080, 1080))
    assert moment.inside() == 0.5
    assert moment.inside(Box(-1000, -1000, 1000, 1000)) == 0.5
    assert moment.inside(Box(200, 200, 300, 300)) == 0


# Shown.


def test_the_plot_has_a_poster_for_each_ratio(off_centre):
    """Three pictures, each with the subject's box and its ratio's areas by name."""
    figure = framing(off_centre).plot()
    assert [axes.get_title().split(" ·")[0] for axes in figure.axes] == list(FRAME_SIZES)
    for axes, ratio in zip(figure.axes, FRAME_SIZES, strict=True):
        named = [text.get_text() for text in axes.get_legend().get_texts()]
        assert named == ["subject", *(area.name for area in SAFE_AREAS if area.ratio == ratio)]


def test_a_report_shows_a_table_and_a_picture_with_words(off_centre):
    """In a notebook: all figures as text, and a plot whose alt text tells them again."""
    shown = framing(off_centre)._repr_html_()
    assert shown.count("<tr>") == 6
    assert "1080x1920" in shown
    assert 'alt="The subject' in shown
    assert len(shown) < 150_000


def test_a_path_is_not_guessed_at():
    """Anything but a video or a request is refused by name, with the way to make one."""
    with pytest.raises(InvalidRequest, match=r"str is neither.*vidu\.load"):
        framing("clip.mp4")


def test_an_unknown_ratio_is_refused(off_centre):
    """Asking a report for 4:3 names the three that there are."""
    with pytest.raises(InvalidRequest, match="16:9, 1:1, 9:16"):
        framing(off_centre)["4:3"]
