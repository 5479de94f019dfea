"""Video files: their facts, their frames, their tags, and whether they are whole."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess

import av
import numpy as np
import pytest

import vidu_nb as vidu
from vidu_nb import consistency, errors, media, reproduces
from vidu_nb.errors import ViduError


def test_a_clips_facts_are_read_from_the_file(small_clip):
    """Size, rate, length, codecs and bytes are told as ffprobe tells them."""
    info = media.probe(small_clip)
    shown = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", small_clip]
    told = json.loads(subprocess.run(shown, capture_output=True, check=True).stdout)
    picture, sound = told["streams"]
    assert (info.width, info.height, info.frames, info.fps) == (256, 192, int(picture["nb_frames"]), 24.0)
    assert (info.video_codec, info.pix_fmt) == (picture["codec_name"], picture["pix_fmt"])
    assert (info.audio_codec, info.sample_rate, info.channels) == ("aac", int(sound["sample_rate"]), 2)
    assert info.duration == pytest.approx(float(told["format"]["duration"]), abs=0.01)
    assert info.size_bytes == small_clip.stat().st_size


def test_a_file_that_was_replaced_is_read_anew(small_clip, tmp_path):
    """What is remembered of a file is forgotten as soon as another is in its place."""
    path = tmp_path / "clip.mp4"
    shutil.copy(small_clip, path)
    assert media.probe(path) == media.probe(path) == media.probe(small_clip)
    path.write_bytes(b"no video")
    with pytest.raises(ViduError, match="can't be read as a video"):
        media.probe(path)
    path.unlink()
    with pytest.raises(ViduError, match="does not exist"):
        media.probe(path)


def test_a_silent_clip_has_no_sound_codec(make_clip, photo):
    """A clip without sound says None, not an invented codec."""
    info = media.probe(make_clip("silent.mp4", [photo] * 3, sound=False))
    assert (info.audio_codec, info.sample_rate, info.channels) == (None, None, None)


def test_every_frame_is_decoded(small_clip, photo):
    """All frames come, in order, as RGB that looks like what went in."""
    frames = list(media.read_frames(small_clip))
    assert [frame.shape for frame in frames] == [(192, 256, 3)] * 24
    for i in (0, 23):
        middle = np.roll(photo, 6 * i, axis=1)[20:170, 20:230].astype(int)
        assert np.abs(frames[i][20:170, 20:230] - middle).mean() < 14


def test_frames_can_be_small(small_clip):
    """A longer side may be asked for; the other follows, both even; nothing is enlarged."""
    assert next(media.read_frames(small_clip, side=101)).shape == (76, 100, 3)
    assert next(media.read_frames(small_clip, side=4000)).shape == (192, 256, 3)


@pytest.mark.parametrize(("at", "frame"), [(0.0, 0), (0.5, 12), (99.0, 23)])
def test_a_poster_is_the_frame_at_its_time(small_clip, at, frame):
    """The poster shows the asked moment, and the last one of a clip that is shorter."""
    expected = list(media.read_frames(small_clip))[frame].astype(int)
    assert np.abs(np.asarray(media.poster(small_clip, at=at)) - expected).mean() < 3


def test_a_poster_has_at_most_its_side(small_clip):
    """A poster is shrunk to the asked longer side, and never enlarged."""
    assert media.poster(small_clip, side=128).size == (128, 96)
    assert media.poster(small_clip).size == (256, 192)


@pytest.mark.parametrize("name", ["16:9.mp4", "pipe:0.mp4", "a%03d.mp4", "-i.mp4", "雨 & co.mp4", "con'cat.mp4"])
def test_a_file_of_any_name_is_a_file(name, small_clip, tmp_path):
    """A name that looks like a protocol, a pattern or an option to FFmpeg is the name of a file."""
    (tmp_path / name).write_bytes(small_clip.read_bytes())
    assert media.probe(name).frames == 24
    media.write_tags(name, f"copy of {name}", {"comment": "tagged"})
    assert media.read_tags(f"copy of {name}")["comment"] == "tagged"


@pytest.mark.parametrize("data", [None, b"", b"hello", b"\x89PNG\r\n\x1a\n"], ids=["missing", "empty", "text", "PNG"])
def test_what_is_no_video_is_our_own_error(data, tmp_path):
    """A file that is missing or no video is told by name, with what to do."""
    if data is not None:
        (tmp_path / "clip.mp4").write_bytes(data)
    for read in (media.probe, media.read_tags, media.poster, lambda path: next(media.read_frames(path))):
        with pytest.raises(ViduError, match=r"clip\.mp4 .*Check the path") as caught:
            read("clip.mp4")
        assert "\n" not in str(caught.value)


@pytest.fixture
def damaged(small_clip, tmp_path):
    """A clip whose index is whole and whose pictures and sounds are noise."""
    data = bytearray(small_clip.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = np.random.default_rng(0).integers(0, 256, len(data) - start, np.uint8).tobytes()
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "read",
    [
        lambda path: list(media.read_frames(path)),
        media.poster,
        media.proxy,
        lambda path: reproduces(path, path.with_name("other.mp4")),
        lambda path: consistency(path, np.arange(160 * 160 * 3, dtype=np.uint8).reshape(160, 160, 3)),
    ],
    ids=["frames", "poster", "small copy", "reproduces", "consistency"],
)
def test_a_damaged_clip_is_our_own_error(read, damaged, small_clip):
    """Whatever looks into it says which file can't be decoded, and no other library's error comes out."""
    damaged.with_name("other.mp4").write_bytes(small_clip.read_bytes())
    with pytest.raises(ViduError, match=r"^damaged\.mp4 can't be decoded"):
        read(damaged)


def test_a_playlist_reads_no_other_file(small_clip, tmp_path):
    """A playlist that is named like a clip doesn't make us read the files that it lists."""
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {small_clip}\n", encoding="utf-8")
    with pytest.raises(ViduError):
        media.probe("list.mp4")


# Which way up.

MATRICES = {
    "upright": (1, 0, 0, 1),
    "90 degrees": (0, 1, -1, 0),
    "180 degrees": (-1, 0, 0, -1),
    "270 degrees": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "upside down": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transverse": (0, -1, -1, 0),
}


def seen(frame):
    """Names of the four quarters' colours, from the top left clockwise."""
    frame = np.asarray(frame)
    height, width = frame.shape[:2]
    named = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white"}
    places = [(1, 1), (1, 3), (3, 3), (3, 1)]
    return [named.get(tuple((frame[y * height // 4, x * width // 4] > 127).tolist())) for y, x in places]


@pytest.fixture
def held(make_clip, tmp_path):
    """Makes a clip of four colours that a camera held in some way: its frames lie on their side, its matrix says so."""

    def make(name):
        a, b, c, d = MATRICES[name]
        shown = np.zeros((96, 160, 3), np.uint8)
        shown[:48, :80], shown[:48, 80:] = (255, 0, 0), (0, 255, 0)
        shown[48:, 80:], shown[48:, :80] = (0, 0, 255), (255, 255, 255)
        ys, xs = np.mgrid[: (160, 96)[a != 0], : (96, 160)[a != 0]]  # each stored pixel, and where it is shown
        x, y = a * xs + c * ys, b * xs + d * ys
        data = make_clip("stored.mp4", [shown[y - y.min(), x - x.min()]] * 12, crf=10).read_bytes()
        at = data.index(b"tkhd") + 4 + 40
        matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
        path = tmp_path / "held.mp4"
        path.write_bytes(data[:at] + matrix + data[at + 36 :])
        return path

    return make


@pytest.mark.parametrize("name", MATRICES)
def test_a_clip_is_upright_everywhere(held, name, tmp_path):
    """However a camera was held, frames, posters, small copies and sizes are as players show the clip."""
    path = held(name)
    upright = ["red", "green", "blue", "white"]
    info = media.probe(path)
    assert (info.width, info.height) == (160, 96)
    frames = list(media.read_frames(path))
    assert len(frames) == 12
    assert {frame.shape for frame in frames} == {(96, 160, 3)}
    assert [seen(frame) for frame in frames] == [upright] * 12
    assert [frame.time for frame in media.decode(path)] == pytest.approx([i / 24 for i in range(12)])
    assert seen(media.poster(path)) == upright
    assert media.poster(path, side=80).size == (80, 48)
    (tmp_path / "small.mp4").write_bytes(media.proxy(path))
    small = list(media.read_frames("small.mp4"))
    assert [seen(frame) for frame in small] == [upright] * 6
    media.write_tags(path, "tagged.mp4", {"comment": "a copy"})
    assert seen(media.poster("tagged.mp4")) == upright
    assert vidu.load(path).info.width == 160
    assert reproduces(path, tmp_path / "tagged.mp4").word == "same pictures"


@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_a_rotation_that_ffmpeg_wrote_is_read(degrees, tmp_path, photo):
    """The rotation that other tools write means the same."""
    path = tmp_path / "turned.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.height, stream.width, stream.pix_fmt = 192, 256, "yuv420p"
        stream.set_display_rotation(degrees)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(photo, "rgb24")))
        container.mux(stream.encode(None))
    ffmpeg = ["ffmpeg", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    expected = subprocess.run(ffmpeg, capture_output=True, check=True).stdout
    frame = next(media.read_frames(path))
    assert frame.shape[:2] == ((192, 256) if degrees == 180 else (256, 192))
    difference = frame.astype(int) - np.frombuffer(expected, np.uint8).reshape(frame.shape)
    assert np.abs(difference).mean() < 2


# Whole or not.


def test_no_truncation_of_a_clip_passes_for_whole(small_clip):
    """Cut after any of its bytes, a clip is told from a whole one."""
    data = small_clip.read_bytes()
    assert 20_000 < len(data) < 80_000, "the test's clip has another size than it was written for"
    assert media.what_is_wrong(data) == ""
    accepted = [end for end in range(len(data)) if not media.what_is_wrong(data[:end])]
    assert accepted == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda _: b"", "it is empty"),
        (lambda _: b"<html>504 Gateway Time-out</html>", "it is not an MP4"),
        (lambda data: data[:24], "it is cut off|it has no"),
        (lambda data: data + struct.pack(">I4s", 4000, b"uuid") + bytes(99), "it is cut off"),
        (lambda data: data + struct.pack(">I4s", 4000, b"free")[:-1], "it is cut off"),
        (lambda data: data.replace(b"moov", b"free", 1), "it has no moov box"),
        (lambda _: struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0), "it has no mdat and no moov box"),
        (lambda _: struct.pack(">I4sQ", 1, b"ftyp", 2**64 - 1), "it is cut off"),
        (lambda _: struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + b"\0\0\0\x01mdat\0\0", "it is cut off"),
        (lambda _: struct.pack(">I4s4sI", 4, b"ftyp", b"isom", 0), "it is cut off"),
    ],
    ids=[
        "empty",
        "a page",
        "a head",
        "a cut box behind it",
        "a cut name behind it",
        "no index",
        "a lone head",
        "a lie",
        "half a length",
        "too short a box",
    ],
)
def test_what_is_wrong_is_told_in_words(change, says, small_clip):
    """Bytes that are no whole clip are told with what is wrong."""
    assert re.fullmatch(says, media.what_is_wrong(change(small_clip.read_bytes())))


#: What servers, proxies and gateways leave around an answer's bytes.
AROUND = {
    "a line end behind it": (b"", b"\r\n"),
    "a line feed behind it": (b"", b"\n"),
    "three zeros behind it": (b"", bytes(3)),
    "a block of zeros behind it": (b"", bytes(4096)),
    "an end of file mark behind it": (b"", b"\x1a"),
    "a checksum behind it": (b"", bytes(range(200, 232))),
    "a line of text behind it": (b"", b"\n-- end of video --\n"),
    "a multipart tail behind it": (b"", b"\r\n--a8f3--\r\n"),
    "a multipart answer around it": (b"--a8f3\r\nContent-Type: video/mp4\r\n\r\n", b"\r\n--a8f3--\r\n"),
    "a byte order mark before it": (b"\xef\xbb\xbf", b""),
    "line ends around it": (b"\r\n", b"\r\n"),
}


@pytest.mark.parametrize(("before", "behind"), AROUND.values(), ids=AROUND)
def test_whole_boxes_are_a_whole_clip_whatever_lies_around_them(before, behind, small_clip, tmp_path):
    """Transport adds bytes; the clip between them is found to the byte, and plays."""
    data = small_clip.read_bytes()
    assert media.what_is_wrong(before + data + behind) == ""
    assert media.whole_mp4(before + data + behind) == data
    (tmp_path / "found.mp4").write_bytes(media.whole_mp4(before + data + behind))
    assert len(list(media.read_frames(tmp_path / "found.mp4"))) == 24


@pytest.mark.parametrize(("before", "behind"), AROUND.values(), ids=AROUND)
def test_what_lies_around_a_cut_clip_does_not_make_it_whole(before, behind, small_clip):
    """A clip that was cut and then wrapped is as cut as before."""
    data = small_clip.read_bytes()
    ends = range(8, len(data) - len(behind), 97)  # what fills up exactly what is missing can't be told
    assert [end for end in ends if media.whole_mp4(before + data[:end] + behind)] == []


# Tags and boxes.


def test_tags_are_added_without_touching_the_streams(small_clip, tmp_path):
    """A tagged copy decodes to the very same frames."""
    media.write_tags(small_clip, "tagged.mp4", {"note": 'two\nlines, "quotes", 雨'})
    assert media.read_tags("tagged.mp4")["note"] == 'two\nlines, "quotes", 雨'
    assert media.what_is_wrong((tmp_path / "tagged.mp4").read_bytes()) == ""
    for old, new in zip(media.read_frames(small_clip), media.read_frames("tagged.mp4"), strict=True):
        assert np.array_equal(old, new)


def test_the_last_box_of_a_name_counts(small_clip, tmp_path):
    """A box's payload comes back as it was; another name's box is another box."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(small_clip.read_bytes())
    for payload in (b"first", b"", b"second \0\xff"):
        media.append_box(path, b"a" * 16, payload)
    media.append_box(path, b"b" * 16, b"other")
    assert media.read_box(path, b"a" * 16) == b"second \0\xff"
    assert media.read_box(path, b"c" * 16) is None
    assert media.what_is_wrong(path.read_bytes()) == ""
    assert media.probe(path).frames == 24


def test_a_file_without_pictures_is_told(tmp_path, small_clip):
    """Sound alone is no video, and a clip that lost the frame that the others build on has no poster."""
    sound, headless = tmp_path / "sound.mp4", tmp_path / "headless.mp4"
    with av.open(str(small_clip)) as whole, av.open(str(sound), "w") as one, av.open(str(headless), "w") as other:
        heard, seen = (file.add_stream_from_template(stream) for file, stream in zip(
            (one, other), (whole.streams.audio[0], whole.streams.video[0]), strict=True))  # fmt: skip
        for packet in whole.demux():
            if packet.dts is not None and not (packet.stream.type == "video" and packet.is_keyframe):
                packet.stream = heard if packet.stream.type == "audio" else seen
                packet.stream.container.mux(packet)
    with pytest.raises(errors.ViduError, match=r"sound\.mp4 holds no video"):
        vidu.load(sound)
    with pytest.raises(errors.ViduError, match=r"headless\.mp4 holds no picture"):
        media.poster(headless)


def test_a_small_copy_that_can_not_be_small_enough_is_told(small_clip):
    """Where no bit rate brings a clip below the limit, there is a word in place of a copy that swells the notebook."""
    with pytest.raises(errors.ViduError, match=r"small\.mp4 can't be brought below 1000 bytes"):
        media.proxy(small_clip, max_bytes=1000)


def test_a_last_box_that_reaches_to_the_end_is_whole(small_clip):
    """Recorders that don't know the length beforehand write 0 for it."""
    data = small_clip.read_bytes()
    at = data.index(b"mdat") - 4
    assert struct.unpack(">I", data[at : at + 4])[0] == len(data) - at
    assert media.what_is_wrong(data[:at] + bytes(4) + data[at + 4 :]) == ""


def test_a_box_of_gigabytes_is_not_read(small_clip, tmp_path):
    """A file that says of a box that it has more than a film's pictures is read without it."""
    path = tmp_path / "large.mp4"
    path.write_bytes(small_clip.read_bytes())
    media.append_box(path, bytes(16), b"small")
    with path.open("ab") as file:
        file.write(struct.pack(">I4sQ", 1, b"uuid", 2_000_000_000) + bytes(16))
        file.truncate(path.stat().st_size + 2_000_000_000)  # a hole: it takes no disk space
    assert media.read_box(path, bytes(16)) == b"small"


def test_a_copy_with_tags_keeps_the_chapters(small_clip, tmp_path):
    """Chapters are read with their seconds and titles, and stand in every copy."""
    notes, path = tmp_path / "notes.txt", tmp_path / "chapters.mp4"
    notes.write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/10\nSTART=0\nEND=4\ntitle=One\n[CHAPTER]\nTIMEBASE=1/10\nSTART=4\nEND=10\ntitle=猫"
    )
    command = ["ffmpeg", "-v", "error", "-i", small_clip, "-i", notes, "-map_metadata", "1", "-c", "copy", path]
    subprocess.run(command, check=True)
    media.write_tags(path, tmp_path / "copy.mp4", {"a": "b"})
    for file in (path, tmp_path / "copy.mp4"):
        assert [(round(start, 2), round(end, 2), title) for start, end, title in media.chapters(file)] == [
            (0.0, 0.4, "One"),
            (0.4, 1.0, "猫"),
        ]
    assert media.chapters(small_clip) == []
