"""A storyboard becomes an MP4 that plays everywhere, and shows what was asked for."""

from __future__ import annotations

import itertools
import threading
import tracemalloc
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
from skimage import data

from vidu_nb.animatic.cancellation import Cancelled
from vidu_nb.animatic.film.lettering import badge, caption
from vidu_nb.animatic.film.render import Film, new_frame, open_video, planes_of, render
from vidu_nb.animatic.film.stage import to_planes
from vidu_nb.animatic.story.storyboard import Shot, Storyboard, plan
from vidu_nb.errors import ViduError

ASTRONAUT, COFFEE, CAT = data.astronaut(), data.coffee(), data.cat()
PICTURES = [ASTRONAUT, COFFEE, CAT]
RED, GREEN, BLUE = (
    np.full((200, 300, 3), colour, np.uint8) for colour in ((200, 30, 30), (30, 160, 30), (30, 30, 200))
)


def board(
    prompt="An astronaut. A cup of coffee. A cat", *, size=(320, 180), count=3, duration=2, seed=1, amplitude="auto"
):
    return plan(
        prompt, [""] * count, width=size[0], height=size[1], duration=duration, seed=seed,
        movement_amplitude=amplitude, bgm=False,
    )  # fmt: skip


def one_shot(move="push in", size="wide", *, frames=24, amplitude="medium", out=(320, 180), text=""):
    return Storyboard((Shot(0, frames, 0, move, size, text),), *out, frames, 1, amplitude, False, text)


def decode(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def drawn(storyboard, pictures):
    """Y of every frame, without encoding."""
    film, frame, luma = Film(storyboard, pictures), new_frame(storyboard.width, storyboard.height), []
    for index in range(storyboard.frames):
        planes = planes_of(frame)
        film.draw(index, planes)
        luma.append(planes[0].copy())
    return luma


def middle(frame):
    """The middle of a frame, where neither badge nor caption lies."""
    height, width = frame.shape[:2]
    return frame[height // 4 : 3 * height // 4, width // 8 : 7 * width // 8]


@pytest.fixture(scope="module")
def usual():
    """Y of every frame of the usual storyboard."""
    return drawn(board(), PICTURES)


# ── The file ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1080), (1080, 1920)])
def test_a_clip_is_what_the_service_sends(tmp_path, size):
    """H.264 in yuv420p at the exact size, 24 frames a second, AAC stereo at 48 kHz, and tagged BT.709."""
    render(replace(board(size=size, duration=1, count=1), bgm=True), [ASTRONAUT], tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec.name, video.pix_fmt, video.width, video.height) == ("h264", "yuv420p", *size)
        assert (video.average_rate, video.frames) == (24, 24)
        assert (audio.codec.name, audio.layout.name, audio.rate) == ("aac", "stereo", 48_000)
        context = video.codec_context
        assert [int(x) for x in (context.colorspace, context.color_primaries, context.color_trc)] == [1, 1, 1]
        assert int(context.color_range) == 1
        assert float(audio.duration * audio.time_base) == pytest.approx(1, abs=0.05)


def test_five_seconds_are_120_frames(tmp_path):
    """And each of them has its own time."""
    render(board(duration=5), PICTURES, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert len(set(times)) == 120
    assert float(max(times)) == pytest.approx(119 / 24)


def test_the_file_holds_the_frames_that_were_drawn(tmp_path, usual):
    """Frames are reused while the encoder works, and none is overwritten before it is coded."""
    storyboard = board()
    render(storyboard, PICTURES, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        coded = [frame.to_ndarray()[: storyboard.height] for frame in container.decode(video=0)]
    for wanted, got in zip(usual, coded, strict=True):
        assert cv2.PSNR(wanted, np.ascontiguousarray(got)) > 34


def test_without_music_there_is_no_audio_stream(tmp_path):
    """Not a silent one: none."""
    render(one_shot(), [CAT], tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert not container.streams.audio


def test_a_browser_can_start_before_it_has_it_all(tmp_path):
    """The index comes before the pictures."""
    render(one_shot(), [CAT], tmp_path / "clip.mp4")
    content = (tmp_path / "clip.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_colours_come_back_as_they_were(tmp_path):
    """Red, green and blue survive conversion, coding and decoding within a few levels."""
    for picture in (RED, GREEN, BLUE):
        render(one_shot(frames=2), [picture], tmp_path / "clip.mp4")
        with av.open(str(tmp_path / "clip.mp4")) as container:
            frame = next(container.decode(video=0))
            rgb = frame.to_ndarray(format="rgb24", src_colorspace="ITU709", dst_colorspace="ITU709")
        assert np.abs(middle(rgb).mean(axis=(0, 1)) - picture[0, 0]).max() < 5


# ── What each parameter does ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "A rocket man. A cup of coffee. A dog"},
        {"seed": 2},
        {"amplitude": "large"},
        {"size": (180, 180)},
    ],
    ids=str,
)
def test_each_parameter_changes_the_pictures(other, usual):
    """Prompt, seed, amplitude and ratio each show."""
    size, others = (90, 90), drawn(board(**other), PICTURES)
    pairs = ((cv2.resize(a, size).astype(int), cv2.resize(b, size)) for a, b in zip(usual, others, strict=True))
    differences = [np.abs(a - b).mean() for a, b in pairs]
    assert np.mean(differences) > 1


def test_references_and_their_order_change_the_pictures(usual):
    """Another picture, or the same in another order, is another clip."""
    clips = [usual, *(drawn(board(), pictures) for pictures in (PICTURES[::-1], [ASTRONAUT, COFFEE, COFFEE]))]
    for one, two in itertools.combinations(clips, 2):
        assert np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(one, two, strict=True)]) > 5


def test_every_picture_is_shown():
    """Seven references in five seconds: each has the screen to itself for a while."""
    grays = [np.full((160, 200, 3), level, np.uint8) for level in range(20, 230, 30)]
    frames = drawn(board("Hello", count=7, duration=5), grays)
    levels = [round((float(middle(frame).mean()) - 16) / 219 * 255) for frame in frames]
    for level in range(20, 230, 30):
        assert sum(abs(seen - level) <= 2 for seen in levels) >= 8  # of at least 16 frames a dissolve takes 8


@pytest.mark.parametrize("size", [(480, 270), (270, 270), (270, 480)])
def test_every_frame_bears_the_badge(size):
    """The word PREVIEW stands in the corner of every frame, bright on darker ground, whatever is behind it."""
    chip = badge(*size)
    solid = chip.rest[0] == 0
    height, width = solid.shape
    white = np.full((300, 300, 3), 255, np.uint8)
    for frame in drawn(board(size=size, count=2, duration=1), [white, CAT]):
        corner = frame[chip.y : chip.y + height, chip.x : chip.x + width]
        assert np.array_equal(corner[solid], chip.colours[0][solid])
    assert solid.mean() > 0.8
    assert np.percentile(chip.colours[0], 97) - np.median(chip.colours[0]) > 90
    assert width > 0.13 * size[0]


def test_captions_tell_prompts_apart():
    """Two prompts without a camera word, of the same length, differ at least in what is written on them."""
    one, two = (caption(480, 270, "1/1", text).colours[0] for text in ("a bird", "a fish"))
    assert one.shape != two.shape or not np.array_equal(one, two)


def test_a_dissolve_mixes_two_moving_shots():
    """Half way through, the picture is half of one shot and half of the next."""
    shots = (Shot(0, 20, 0, "static", "wide", ""), Shot(20, 20, 1, "static", "wide", "", transition="dissolve"))
    storyboard = Storyboard(shots, 320, 180, 40, 1, "medium", False, "")
    black, white = np.zeros((200, 300, 3), np.uint8), np.full((200, 300, 3), 255, np.uint8)
    levels = [float(middle(frame).mean()) for frame in drawn(storyboard, [black, white])]
    assert levels[19] == 16
    assert levels[28] == pytest.approx(235, abs=1)
    assert all(10 < b - a < 40 for a, b in itertools.pairwise(levels[19:28]))


def sharpness(plane):
    """How much neighbours across differ, against neighbours down."""
    inner = middle(plane).astype(float)
    return np.abs(np.diff(inner, axis=1)).mean() / np.abs(np.diff(inner, axis=0)).mean()


def test_fast_moves_are_blurred_along_their_way():
    """A whip pan smears across while it is fast, and is sharp where it comes to rest; an ordinary pan stays sharp."""
    noise = np.repeat(np.random.default_rng(3).integers(0, 256, (300, 500, 1), np.uint8), 3, axis=2)
    whip = [sharpness(plane) for plane in drawn(one_shot("whip pan right", "medium", frames=48), [noise])]
    assert whip[24] < 0.7 * whip[2]
    pan = [sharpness(plane) for plane in drawn(one_shot("pan right", "medium", frames=48, amplitude="auto"), [noise])]
    assert min(pan) > 0.8 * max(pan)


@pytest.mark.parametrize("move", ["push in", "pan left", "orbit", "whip pan left"])
def test_a_frame_costs_no_memory(move):
    """Frames are drawn into what is there: nothing as large as a plane is allocated for any of them."""
    storyboard = one_shot(move, frames=12, out=(1280, 720))
    film, planes = Film(storyboard, [COFFEE]), planes_of(new_frame(1280, 720))
    film.draw(0, planes)
    tracemalloc.start()
    try:
        for index in range(1, 12):
            film.draw(index, planes)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1280 * 720 / 2


# ── Extremes ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [(320, 180), (180, 180), (180, 320)])
def test_extreme_pictures_render(tmp_path, size):
    """1:4, 4:1, 128 pixels, flat, large; at the largest amplitude, in one clip of seven."""
    shapes = [(512, 128), (128, 512), (128, 128), (1000, 4000), (4000, 1000), (2000, 3000)]
    pictures = [cv2.resize(CAT, shape) for shape in shapes] + [np.zeros((128, 128, 3), np.uint8)]
    render(board("Hello", size=size, count=7, duration=5, amplitude="large"), pictures, tmp_path / "clip.mp4")
    assert decode(tmp_path / "clip.mp4")[-1].shape == (size[1], size[0], 3)


def test_planes_have_the_limits_of_video_range():
    """Black is 16, white is 235, and gray has no colour."""
    for level, luma in ((0, 16), (255, 235), (128, 126)):
        y, u, v = to_planes(np.full((4, 6, 3), level, np.uint8))
        assert (int(y[0, 0]), int(u[0, 0]), int(v[0, 0])) == (luma, 128, 128)
        assert (y.shape, u.shape) == ((4, 6), (2, 3))


# ── Ends ────────────────────────────────────────────────────────────────────────────────────────────


def leftover_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("animatic")]


def test_cancelling_stops_at_once_and_leaves_nothing(tmp_path):
    """No frame after the word, no thread, no half-made file."""
    done = []
    with pytest.raises(Cancelled) as caught:
        render(
            replace(board(duration=5), bgm=True), PICTURES, tmp_path / "clip.mp4",
            progress=lambda now, total: done.append((now, total)), cancelled=lambda: len(done) == 5,
        )  # fmt: skip
    assert isinstance(caught.value, ViduError)
    assert done == [(number, 120) for number in range(1, 6)]
    assert not leftover_threads()
    assert not (tmp_path / "clip.mp4").exists()


def test_progress_counts_every_frame(tmp_path):
    """From one to all."""
    seen = []
    render(one_shot(), [CAT], tmp_path / "clip.mp4", progress=lambda *now: seen.append(now))
    assert seen == [(number, 24) for number in range(1, 25)]


def test_a_failing_encoder_does_not_leave_the_maker_waiting(tmp_path):
    """Whatever goes wrong at the writing end is told, and every thread ends."""

    def fail(now, _total):
        if now == 3:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        render(replace(board(duration=5), bgm=True), PICTURES, tmp_path / "clip.mp4", progress=fail)
    with pytest.raises(OSError, match="No such file"):
        render(board(), PICTURES, tmp_path / "no-such-folder" / "clip.mp4")
    assert not leftover_threads()


def test_a_failing_maker_is_told(tmp_path):
    """A picture that is none ends the rendering with its own error."""
    with pytest.raises(Exception, match=r"\w"):
        render(board(), [ASTRONAUT, np.zeros((0, 0, 3), np.uint8), CAT], tmp_path / "clip.mp4")
    assert not leftover_threads()


def test_a_missing_picture_is_told_before_anything_is_written(tmp_path):
    """With how many there are, and how many there should be."""
    with pytest.raises(ValueError, match="shows picture 3 of 1"):
        render(board(), [CAT], tmp_path / "clip.mp4")
    assert not list(tmp_path.iterdir())


def test_streams_are_tagged_before_the_first_frame(tmp_path):
    """The colours are told in the stream's own header, and the index is never rescaled to another size."""
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = open_video(container, 320, 180)
        assert (stream.width, stream.height, stream.codec_context.thread_count) == (320, 180, 2)
        container.mux(stream.encode(new_frame(320, 180)))
        container.mux(stream.encode(None))
