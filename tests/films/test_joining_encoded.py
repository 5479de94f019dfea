"""Joining clips that differ or dissolve: encoded once, at the first scene's size and rate, and said so."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from joining_clips import chapters_of, frames_of, joined, make, sound_of, times_of, tone

from vidu_nb.errors import ViduError
from vidu_nb.media import read_frames


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A second of bars, 128x96."""
    return make(tmp_path_factory.mktemp("plain") / "plain.mp4", sound=tone(400, 1))


def grey(path, colour, *, size=(128, 96), frames=24, **how):
    """A clip of one colour."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=24, options={"crf": "8", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        if how.get("turned"):
            video.set_display_rotation(how["turned"])
        picture = np.full((size[1], size[0], 3), colour, np.uint8)
        for _ in range(frames):
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(video.encode(None))
    return path


def fidelity(path, other, count=None):
    """The lowest PSNR of two clips' frames, in dB."""
    pairs = list(zip(frames_of(path), frames_of(other), strict=False))[:count]
    return min(cv2.PSNR(*pair) for pair in pairs)


def test_another_codec_is_encoded_with_the_rest(tmp_path, plain):
    """A VP9 WebM that is called MP4 among H.264: everything is encoded, and looks as it did."""
    strange = make(tmp_path / "webm.mp4", codec="libvpx-vp9", container="webm", shade=40)
    plan = joined(tmp_path / "film.mp4", plain, strange, plain)
    assert not plan.is_copied
    assert plan.notes == (
        "the scenes' pictures were encoded anew, since not all of them have the same stream, fit to be copied",
        "scene 2: vp9 where the first has h264",
    )
    assert times_of(tmp_path / "film.mp4") == [Fraction(number, 24) for number in range(72)]
    assert fidelity(tmp_path / "film.mp4", plain, 24) > 38


def test_a_first_scene_that_cannot_be_copied_gives_size_and_rate(tmp_path, plain):
    """Whatever the first scene is, the film is H.264 in an MP4, of its size and rate."""
    first = make(tmp_path / "first.webm", codec="libvpx-vp9", fps=30, size=(160, 90))
    plan = joined(tmp_path / "film.mp4", first, plain)
    assert (plan.rate, plan.size) == (30, (160, 90))
    with av.open(str(tmp_path / "film.mp4")) as film:
        video = film.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 160, 90)
    assert len(frames_of(tmp_path / "film.mp4")) == 24 + 30


@pytest.mark.parametrize(
    ("fps", "frames", "wanted"),
    [(30, 150, 120), (60, 61, 24), (12, 30, 60), (Fraction(24_000, 1001), 100, 100), (25, 1, 1)],
)
def test_another_rate_becomes_the_first_ones(tmp_path, plain, fps, frames, wanted):
    """A scene takes as long as before, to a frame, and each moment shows what it showed."""
    other = make(tmp_path / "other.mp4", fps=fps, frames=frames)
    plan = joined(tmp_path / "film.mp4", plain, other, plain)
    assert plan.frames == len(frames_of(tmp_path / "film.mp4")) == 48 + wanted
    assert times_of(tmp_path / "film.mp4")[-1] == Fraction(47 + wanted, 24)
    assert plan.notes[1:] == (f"scene 2: {float(fps):.5g} frames a second became 24",)
    shown = frames_of(tmp_path / "film.mp4")[24 : 24 + wanted]
    old = frames_of(other)
    nearest = [int((place + 0.5) / 24 * fps) for place in range(wanted)]
    assert min(cv2.PSNR(frame, old[min(place, frames - 1)]) for frame, place in zip(shown, nearest, strict=True)) > 34


def test_uneven_frames_become_even(tmp_path, plain):
    """A clip of a phone, whose frames come as it happens, keeps its length; each moment shows what it showed."""
    times = np.cumsum([0, *([0.02, 0.07, 0.033, 0.05] * 8)])
    uneven = make(tmp_path / "uneven.mp4", frames=33, times=times)
    plan = joined(tmp_path / "film.mp4", plain, uneven)
    assert plan.notes[1:] == ("scene 2: uneven frames became 24 a second",)
    assert times_of(tmp_path / "film.mp4") == [Fraction(number, 24) for number in range(plan.frames)]
    assert plan.frames - 24 == pytest.approx(times[-1] * 24 + 1, abs=1.5)
    shown, old = frames_of(tmp_path / "film.mp4")[24:], frames_of(uneven)
    for place, frame in enumerate(shown):
        seen = np.searchsorted(times, (place + 0.5) / 24, side="right") - 1
        assert cv2.PSNR(frame, old[seen]) > 34, place


def test_uneven_frames_first(tmp_path, plain):
    """Where the first scene's frames are uneven, the film has a rate that players know, near theirs."""
    times = np.arange(30) / 29.6 + np.tile([0, 0.004, -0.003], 10)
    plan = joined(tmp_path / "film.mp4", make(tmp_path / "uneven.mp4", frames=30, times=np.maximum(times, 0)), plain)
    assert plan.rate == Fraction(30_000, 1001)
    assert len(frames_of(tmp_path / "film.mp4")) == plan.frames == 60


def test_another_shape_stands_before_a_blurred_ground(tmp_path, plain):
    """An upright clip is fitted in whole; at its sides stands the same, blurred and darker, in place of black bars."""
    tall = grey(tmp_path / "tall.mp4", (200, 60, 60), size=(54, 96))
    plan = joined(tmp_path / "film.mp4", plain, tall)
    assert plan.notes[1:] == ("scene 2: 54x96 was fitted into 128x96",)
    picture = list(read_frames(tmp_path / "film.mp4"))[30].astype(int)
    assert picture.shape == (96, 128, 3)
    assert np.abs(picture[:, 42:86] - (200, 60, 60)).max() < 14
    sides = picture[:, [2, 20, 110, 125]]
    assert (sides[..., 0] > sides[..., 1] + 20).all(), "the picture's own colour"
    assert (sides[..., 0] < 150).all()


@pytest.mark.parametrize("size", [(256, 192), (64, 48), (130, 98)])
def test_the_same_shape_is_scaled(tmp_path, plain, size):
    """A larger or smaller clip of the same shape fills the frame, to its edges."""
    plan = joined(tmp_path / "film.mp4", plain, grey(tmp_path / "other.mp4", 180, size=size))
    assert plan.notes[1:] == ("scene 2: {}x{} was scaled to 128x96".format(*size),)
    picture = list(read_frames(tmp_path / "film.mp4"))[30].astype(int)
    assert picture.shape == (96, 128, 3)
    assert np.abs(picture - 180).max() < 8


def halves(path, *, turned=0):
    """A clip 96x128 whose upper half is white, turned by players."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=24, options={"crf": "8"})
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        video.set_display_rotation(turned)
        picture = np.zeros((96, 128, 3), np.uint8)
        picture[:, :64] = 255
        for _ in range(12):
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(video.encode(None))
    return path


def test_a_turned_clip_is_upright(tmp_path):
    """A phone's clip, whose frames lie on their side, stands upright in the film, first or later."""
    clip = halves(tmp_path / "phone.mp4", turned=90)
    own = next(read_frames(clip))
    assert own.shape == (128, 96, 3)
    plan = joined(tmp_path / "film.mp4", clip, clip)
    assert plan.size == (96, 128)
    assert plan.notes[1:] == ("scene 1: turned upright", "scene 2: turned upright")
    for frame in read_frames(tmp_path / "film.mp4"):
        assert np.abs(frame.astype(int) - own).mean() < 4


def test_a_hidden_beginning_stays_hidden(tmp_path, plain):
    """Frames that an edit list cuts away are no part of the film: decoders need them, so all is encoded."""
    cut = tmp_path / "cut.mp4"
    with av.open(str(plain)) as old, av.open(str(cut), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - 5 * 512, packet.dts - 5 * 512, stream
                new.mux(packet)
    assert len(frames_of(cut)) == 19
    plan = joined(tmp_path / "film.mp4", plain, cut)
    assert not plan.is_copied
    assert len(frames_of(tmp_path / "film.mp4")) == plan.frames == 43
    assert cv2.PSNR(frames_of(tmp_path / "film.mp4")[24], frames_of(plain)[5]) > 34


def test_colours_are_the_first_scenes(tmp_path):
    """A clip in other colours than the first is converted: what was red is the same red."""
    first = make(tmp_path / "hd.mp4", colours=1)
    other = make(tmp_path / "sd.mp4", colours=6, shade=200)
    untold = make(tmp_path / "untold.mp4", shade=200)
    plan = joined(tmp_path / "film.mp4", first, other, untold)
    assert not plan.is_copied
    film = frames_of(tmp_path / "film.mp4")
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert container.streams.video[0].codec_context.colorspace == 1
    assert cv2.PSNR(film[48], frames_of(untold)[0]) > 34, "taken for what the film has"
    assert cv2.PSNR(film[24], frames_of(other)[0]) < 34
    converted = cv2.PSNR(list(read_frames(tmp_path / "film.mp4"))[24], next(read_frames(other)))
    assert converted > 28


# Dissolves.


def test_scenes_dissolve_into_each_other(tmp_path):
    """Half a second of both, the share growing from frame to frame; the film is shorter by it."""
    clips = [grey(tmp_path / f"{level}.mp4", level) for level in (40, 220, 90)]
    plan = joined(tmp_path / "film.mp4", *clips, dissolve=0.5)
    assert plan.frames == len(frames_of(tmp_path / "film.mp4")) == 72 - 24
    assert plan.notes == ("the scenes' pictures were encoded anew, since they dissolve",)
    light = [frame.mean() for frame in read_frames(tmp_path / "film.mp4")]
    wanted = [40] * 12 + list(np.linspace(40, 220, 14)[1:-1]) + list(np.linspace(220, 90, 14)[1:-1]) + [90] * 12
    assert np.abs(np.subtract(light, wanted)).max() < 4
    assert [start for start, _, _ in chapters_of(tmp_path / "film.mp4")] == [0, Fraction(1, 2), 1]


def test_motion_goes_on_while_scenes_dissolve(tmp_path, plain):
    """Neither clip stands still meanwhile: each frame is a mix of the two that are due."""
    other = make(tmp_path / "other.mp4", shade=150)
    joined(tmp_path / "film.mp4", plain, other, dissolve=0.25)
    film, one, two = frames_of(tmp_path / "film.mp4"), frames_of(plain), frames_of(other)
    for place in range(6):
        share = (place + 1) / 7
        assert cv2.PSNR(film[18 + place], cv2.addWeighted(one[18 + place], 1 - share, two[place], share, 0)) > 34


def test_a_scene_too_short_for_its_dissolves_gets_shorter_ones(tmp_path, plain):
    """A scene gives away half of itself at each end at most, and that is told; a single frame is cut to."""
    short = make(tmp_path / "short.mp4", frames=6, shade=90)
    single = make(tmp_path / "single.mp4", frames=1, shade=200)
    plan = joined(tmp_path / "film.mp4", plain, short, single, plain, dissolve=0.5)
    assert plan.frames == len(frames_of(tmp_path / "film.mp4")) == 24 + 6 + 1 + 24 - 3
    assert plan.notes[1:] == (
        "scenes 1 and 2: too short for a dissolve of 0.5 s, which became 0.12 s",
        "scenes 2 and 3: too short for a dissolve of 0.5 s, which became a cut",
        "scenes 3 and 4: too short for a dissolve of 0.5 s, which became a cut",
    )


def test_where_nothing_can_dissolve_nothing_is_encoded(tmp_path):
    """Single frames are cut to, whatever was asked, and so they are copied."""
    clips = [make(tmp_path / f"{n}.mp4", frames=1, shade=n) for n in (0, 200)]
    plan = joined(tmp_path / "film.mp4", *clips, dissolve=1)
    assert plan.is_copied
    assert plan.notes == ("scenes 1 and 2: too short for a dissolve of 1 s, which became a cut",)


def test_a_clip_that_breaks_off_is_named(tmp_path, plain):
    """Damage that shows only while pictures are decoded is an error that says which scene."""
    data = bytearray(make(tmp_path / "other.mp4", size=(160, 96), frames=48).read_bytes())
    start = data.find(b"mdat") + 400
    data[start : start + 9000] = b"\xff" * 9000
    (tmp_path / "broken.mp4").write_bytes(data)
    with pytest.raises(ViduError, match=r"^scene 2: .*broken\.mp4"):
        joined(tmp_path / "film.mp4", plain, tmp_path / "broken.mp4")


def test_sound_keeps_to_the_pictures(tmp_path, plain):
    """Where a scene's rate changes, its sound still begins and ends with it."""
    other = make(tmp_path / "other.mp4", fps=30, frames=45, sound=tone(900, 1.5))
    plan = joined(tmp_path / "film.mp4", plain, other, plain)
    heard = sound_of(tmp_path / "film.mp4")
    assert plan.frames == 24 + 36 + 24
    assert heard.shape[1] == pytest.approx(84 / 24 * 48_000, abs=1024)
    part = heard[0, 50_000:118_000]
    assert np.argmax(np.abs(np.fft.rfft(part))) * 48_000 / part.size == pytest.approx(900, abs=2)
