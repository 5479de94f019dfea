"""Joining clips of one stream: their packets are copied, and each frame is its clip's."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest
from joining_clips import bars, chapters_of, frames_of, joined, make, sound_of, times_of, tone

from vidu_nb.errors import ViduError
from vidu_nb.films.joining.plan import Part, plan_joined
from vidu_nb.media import read_tags, what_is_wrong, write_tags


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Clips of 24, 1 and 31 frames, with B frames and sound."""
    folder = tmp_path_factory.mktemp("three")
    return [
        make(folder / f"{number}.mp4", frames=count, shade=80 * number, sound=tone(300 + 100 * number, count / 24))
        for number, count in enumerate((24, 1, 31))
    ]


def same_frames(path, clips):
    """Whether a joined clip's frames are those of its clips, one after another."""
    wanted = [frame for clip in clips for frame in frames_of(clip)]
    found = frames_of(path)
    return len(found) == len(wanted) and all(np.array_equal(*pair) for pair in zip(found, wanted, strict=True))


def test_every_frame_is_its_clips_own(tmp_path, three):
    """With cuts only and equal streams nothing is encoded: the decoded frames are equal, and evenly spaced."""
    plan = joined(tmp_path / "film.mp4", *three)
    assert plan.is_copied
    assert not plan.notes
    assert same_frames(tmp_path / "film.mp4", three)
    assert times_of(tmp_path / "film.mp4") == [Fraction(number, 24) for number in range(56)]
    assert not what_is_wrong((tmp_path / "film.mp4").read_bytes())


@pytest.mark.parametrize("fps", [Fraction(24_000, 1001), 25, Fraction(30_000, 1001), 60, 12])
def test_any_rate_keeps_its_clock(tmp_path, fps):
    """At odd rates, too, joined frames lie on one even clock, and chapters begin on a frame."""
    clips = [make(tmp_path / f"{number}.mp4", frames=17, fps=fps, shade=60 * number) for number in range(3)]
    joined(tmp_path / "film.mp4", *clips)
    assert same_frames(tmp_path / "film.mp4", clips)
    assert times_of(tmp_path / "film.mp4") == [number / Fraction(fps) for number in range(51)]
    assert [start for start, _, _ in chapters_of(tmp_path / "film.mp4")] == [17 * n / Fraction(fps) for n in range(3)]


@pytest.mark.parametrize("bframes", [0, 1, 3, 7])
def test_frames_out_of_order_stay_in_theirs(tmp_path, bframes):
    """However far decoding runs ahead of showing, no packet comes before one that it needs."""
    clips = [make(tmp_path / f"{n}.mp4", frames=20 + n, bframes=bframes, shade=90 * n) for n in range(3)]
    assert joined(tmp_path / "film.mp4", *clips).is_copied
    assert same_frames(tmp_path / "film.mp4", clips)
    with av.open(str(tmp_path / "film.mp4")) as film:
        clock = [packet.dts for packet in film.demux(film.streams.video[0]) if packet.size]
    assert clock == sorted(set(clock))


def remuxed(source, target, *, shift=Fraction(0), scale=None, options=None):
    """The same packets on another clock."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=options or {}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        if scale:
            stream.time_base = scale
        for packet in old.demux(old.streams.video[0]):
            if packet.size:
                packet.pts += round(shift / packet.time_base)
                packet.dts += round(shift / packet.time_base)
                packet.stream = stream
                new.mux(packet)
    return target


def test_a_clip_that_starts_late_begins_at_once(tmp_path, three):
    """What lies before a clip's first picture is no part of the film, whatever the file's own clock says."""
    late = remuxed(three[2], tmp_path / "late.mp4", shift=Fraction(3, 4))
    assert times_of(late)[0] > Fraction(1, 2)
    plan = joined(tmp_path / "film.mp4", three[0], late, three[0], music="none")
    assert plan.is_copied
    assert same_frames(tmp_path / "film.mp4", [three[0], three[2], three[0]])
    assert times_of(tmp_path / "film.mp4")[-1] == Fraction(78, 24)


def test_clips_with_other_clocks_are_of_one_stream(tmp_path, three):
    """A clock of thousandths of a second, which no frame of 24 fits, is no reason to encode: frames are counted."""
    coarse = remuxed(
        three[0], tmp_path / "coarse.mp4", scale=Fraction(1, 1000), options={"video_track_timescale": "1000"}
    )
    assert {float(one * 24).is_integer() for one in times_of(coarse)} == {True, False}
    assert joined(tmp_path / "film.mp4", coarse, three[0], coarse, music="none").is_copied
    assert times_of(tmp_path / "film.mp4") == [Fraction(number, 24) for number in range(72)]
    assert same_frames(tmp_path / "film.mp4", [coarse, three[0], coarse])


def test_chapters_have_titles_and_begin_on_their_frames(tmp_path, three):
    """One for each scene: its title on one line, "Scene N" where there is none, as long as MP4 players can tell."""
    titles = ["Anna\nwakes\x1b[31m up é", "", "ü" * 300]
    joined(tmp_path / "film.mp4", *three, titles=titles)
    found = chapters_of(tmp_path / "film.mp4")
    assert [(start, end) for start, end, _ in found] == [
        (0, 1), (1, Fraction(25, 24)), (Fraction(25, 24), Fraction(56, 24)),
    ]  # fmt: skip
    assert [title for _, _, title in found] == ["Anna wakes [31m up é", "Scene 2", "ü" * 127]


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="no ffprobe: PyAV reads the same elsewhere here")
def test_ffprobe_shows_the_chapters(tmp_path, three):
    """The program that people look with sees the same."""
    joined(tmp_path / "film.mp4", *three, titles=["One", "Two", "Three"])
    command = ["ffprobe", "-v", "error", "-show_chapters", "-show_format", "-of", "json", str(tmp_path / "film.mp4")]
    shown = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert [(one["start_time"], one["tags"]["title"]) for one in shown["chapters"]] == [
        ("0.000000", "One"), ("1.000000", "Two"), ("1.041667", "Three"),
    ]  # fmt: skip
    assert shown["format"]["duration"] == "2.333333"


def test_tags_are_in_the_file_and_chapters_survive_a_copy(tmp_path, three):
    """Metadata comes with the joining, and copying with other tags loses no chapter."""
    joined(tmp_path / "film.mp4", *three, tags={"vidu_nb_recipe": "{}"})
    write_tags(tmp_path / "film.mp4", tmp_path / "copy.mp4", {"more": "1"})
    tags = read_tags(tmp_path / "copy.mp4")
    assert tags["vidu_nb_recipe"] == "{}"
    assert tags["more"] == "1"
    assert chapters_of(tmp_path / "copy.mp4") == chapters_of(tmp_path / "film.mp4")


@pytest.mark.parametrize("how", [{}, {"music": "film"}, {"dissolve": 0.25}, {"music": "none"}])
def test_the_same_clips_give_the_same_bytes(tmp_path, three, how):
    """Joined twice, copied or encoded, with any sound: one file."""
    digests = set()
    for name in ("one.mp4", "two.mp4"):
        joined(tmp_path / name, *three, **how)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_single_clip_is_copied(tmp_path, three):
    """A film of one scene is that scene."""
    assert joined(tmp_path / "film.mp4", three[0]).is_copied
    assert same_frames(tmp_path / "film.mp4", three[:1])


def test_two_hundred_scenes_are_one_film(tmp_path, three):
    """As many as a film may have, each with its chapter, and no more files open than one needs."""
    plan = joined(tmp_path / "film.mp4", *[three[1]] * 200)
    assert plan.frames == len(frames_of(tmp_path / "film.mp4")) == 200
    assert len(chapters_of(tmp_path / "film.mp4")) == 200
    assert sound_of(tmp_path / "film.mp4").shape[1] >= 200 * 2000


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "missing", "sound only"])
def test_a_damaged_clip_is_named(tmp_path, three, damage):
    """A scene whose file is no clip is an error in one line that says which scene."""
    path = tmp_path / "damaged.mp4"
    if damage == "sound only":
        with av.open(str(path), "w") as out:
            audio = out.add_stream("aac", rate=48_000, layout="stereo")
            frame = av.AudioFrame.from_ndarray(tone(440, 1), "fltp", "stereo")
            frame.sample_rate = 48_000
            out.mux(audio.encode(frame))
            out.mux(audio.encode(None))
    elif damage != "missing":
        whole = three[2].read_bytes()
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"<html>no</html>"}[damage])
    with pytest.raises(ViduError, match=r"^scene 2: ") as caught:
        plan_joined([Part(three[0]), Part(path)])
    assert "\n" not in str(caught.value)


def test_the_bars_move(three):
    """What the tests compare by differs from frame to frame."""
    frames = frames_of(three[0])
    assert len({frame.tobytes() for frame in frames}) == 24
    assert frames[0].shape == (144, 128)
    assert bars(1, (128, 96)).shape == (96, 128, 3)
