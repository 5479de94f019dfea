"""One track over a joined film: composed, or a sound file, looped or cut, at one loudness."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import av
import numpy as np
import pytest
from joining_clips import RATE, joined, largest_step, longest_silence, make, sound_of, tone

from vidu_nb.animatic.sound.loudness import LOUDNESS, measure
from vidu_nb.animatic.sound.music import compose
from vidu_nb.errors import ViduError


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two clips of a second and a half each, with a sound of their own."""
    folder = tmp_path_factory.mktemp("pictures")
    return [make(folder / f"{n}.mp4", frames=36, size=(64, 48), sound=tone(3000, 1.5)) for n in range(2)]


def noise(seconds, *, seed=0, level=0.1):
    """Sound with all frequencies in it."""
    return np.random.default_rng(seed).normal(0, level, (2, round(seconds * RATE))).astype(np.float32).clip(-1, 1)


def melody(seconds):
    """Something like music: a tone whose loudness comes and goes."""
    times = np.arange(round(seconds * RATE)) / RATE
    wave = 0.3 * np.sin(2 * np.pi * 330 * times) * (0.6 + 0.4 * np.sin(2 * np.pi * 0.7 * times))
    return np.stack([wave, 0.8 * wave]).astype(np.float32)


def drums(seconds):
    """Short strokes with silence between them: loud peaks, little loudness."""
    sound = np.zeros((2, round(seconds * RATE)), np.float32)
    stroke = noise(0.05, level=0.25) * np.exp(-np.arange(2400, dtype=np.float32) / 500)
    for start in range(0, sound.shape[1] - 2400, RATE // 2):
        sound[:, start : start + 2400] = stroke
    return sound


def write(path, sound, *, codec, rate=RATE, container=None):
    """A sound file."""
    with av.open(str(path), "w", format=container) as out:
        layout = {1: "mono", 2: "stereo"}[len(sound)]
        stream = out.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound, np.float32), "fltp", layout)
        frame.sample_rate = rate
        out.start_encoding()
        resampler = av.AudioResampler(stream.codec_context.format.name, layout, rate)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


def loudness_of(path):
    """Integrated loudness in LUFS."""
    return measure(np.array_split(sound_of(path), 20, axis=1))[0]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.wav", "pcm_s16le"), ("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.ogg", "libopus"), ("a.flac", "flac"),
     ("a.opus", "libopus"), ("a.mka", "pcm_s16le"), ("a.aiff", "pcm_s16be"), ("no ending", "pcm_s16le")],
)  # fmt: skip
@pytest.mark.parametrize("seconds", [1.3, 40])
def test_any_sound_file_is_played_over_the_film(tmp_path, pictures, name, codec, seconds):
    """Short ones are looped, long ones cut; what the clips had is not heard; -16 LUFS within one."""
    kind = {"no ending": "wav", "a.mka": "matroska"}.get(name)
    path = write(tmp_path / name, melody(seconds), codec=codec, container=kind)
    plan = joined(tmp_path / "film.mp4", *pictures, music=str(path))
    sound = sound_of(tmp_path / "film.mp4")
    assert plan.is_copied
    assert sound.shape[1] == pytest.approx(3 * RATE, abs=1024)
    spectrum = np.abs(np.fft.rfft(sound[0]))
    assert spectrum[round(2950 * sound.shape[1] / RATE) :][:500].max() < spectrum.max() / 1000
    assert loudness_of(tmp_path / "film.mp4") == pytest.approx(LOUDNESS, abs=1)
    assert longest_silence(sound[:, : int(2.8 * RATE)]) < 0.03
    assert largest_step(sound) < 0.1


@pytest.mark.parametrize("make_sound", [drums, lambda s: noise(s, level=0.001), lambda s: noise(s, level=2)])
def test_loud_and_soft_files_are_brought_to_one_loudness(tmp_path, pictures, make_sound):
    """Also where that would clip: peaks are limited, below full scale."""
    path = write(tmp_path / "music.wav", make_sound(5), codec="pcm_f32le")
    joined(tmp_path / "film.mp4", *pictures, *pictures, music=str(path))
    sound = sound_of(tmp_path / "film.mp4")
    assert loudness_of(tmp_path / "film.mp4") == pytest.approx(LOUDNESS, abs=1)
    assert np.abs(sound).max() < 0.99


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (22_050, 1), (8_000, 1), (96_000, 2)])
def test_any_rate_and_mono_are_as_high_as_they_were(tmp_path, pictures, rate, channels):
    """A file's rate and channels change neither pitch nor length."""
    path = write(tmp_path / "music.wav", tone(440, 2, rate=rate, channels=channels), codec="pcm_s16le", rate=rate)
    joined(tmp_path / "film.mp4", *pictures, music=str(path))
    sound = sound_of(tmp_path / "film.mp4")[:, : RATE * 3 // 2]
    assert np.argmax(np.abs(np.fft.rfft(sound[0]))) * RATE / sound.shape[1] == pytest.approx(440, abs=1)
    assert np.allclose(*sound, atol=0.01)


@pytest.mark.parametrize("seconds", [0.0005, 0.02, 0.31, 1, 2.9])
def test_a_loop_has_no_click(tmp_path, pictures, seconds):
    """Where a short file begins again, its end is cross-faded with its beginning, however short it is."""
    count = max(1, round(seconds * RATE))
    wave = 0.3 * np.cos(2 * np.pi * 210.37 * np.arange(count) / RATE)  # it doesn't end where it begins
    path = write(tmp_path / "music.wav", np.stack([wave, wave]).astype(np.float32), codec="pcm_s16le")
    joined(tmp_path / "film.mp4", *pictures, music=str(path))
    sound = sound_of(tmp_path / "film.mp4")
    assert sound.shape[1] == pytest.approx(3 * RATE, abs=1024)
    if seconds > 0.1:
        scale = np.abs(sound).max() / 0.3
        assert largest_step(sound[:, : 2 * RATE]) < 0.3 * 2 * np.pi * 210.37 / RATE * scale * 1.1
        assert longest_silence(sound[:, : 2 * RATE], below=0.01) < 0.03


def test_it_fades_out_at_the_end(tmp_path, pictures):
    """A file that goes on is not cut off: the film's end is silent."""
    path = write(tmp_path / "music.wav", noise(60), codec="pcm_s16le")
    joined(tmp_path / "film.mp4", *pictures, music=str(path))
    level = np.abs(sound_of(tmp_path / "film.mp4")).max(axis=0)
    assert level[round(2.98 * RATE) :].max() < 0.01
    assert level[: RATE // 10].max() > 0.1


def test_silence_is_played_and_told(tmp_path, pictures):
    """A silent file stays silent: nothing is amplified to noise, and a note says so."""
    path = write(tmp_path / "music.wav", np.zeros((2, RATE), np.float32), codec="pcm_s16le")
    plan = joined(tmp_path / "film.mp4", *pictures, music=str(path))
    assert plan.notes == ("music.wav is silent",)
    assert np.abs(sound_of(tmp_path / "film.mp4")).max() < 0.001


def test_a_video_gives_its_sound(tmp_path, pictures):
    """The music may be a video file: its sound is taken."""
    video = make(tmp_path / "video.mp4", sound=tone(440, 1))
    joined(tmp_path / "film.mp4", *pictures, music=str(video))
    assert loudness_of(tmp_path / "film.mp4") == pytest.approx(LOUDNESS, abs=1)


def test_a_few_torn_packets_are_passed_over(tmp_path, pictures):
    """As players do: an MP3 with rubbish in the middle and at its end still plays."""
    data = bytearray(write(tmp_path / "good.mp3", melody(4), codec="libmp3lame").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 700] = os.urandom(700)
    (tmp_path / "torn.mp3").write_bytes(data + b"TAG" + bytes(125) + b"rubbish" * 30)
    joined(tmp_path / "film.mp4", *pictures, music=str(tmp_path / "torn.mp3"))
    assert loudness_of(tmp_path / "film.mp4") == pytest.approx(LOUDNESS, abs=1)


def hostile(kind, folder):
    """A path that is no sound to play."""
    path = folder / "music.wav"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "no sound":
        make(folder / "silent.mp4").rename(path)
    elif kind == "playlist":
        (folder / "real.wav").write_bytes(write(folder / "x.wav", melody(1), codec="pcm_s16le").read_bytes())
        path.write_text("ffconcat version 1.0\nfile real.wav\n")
    elif kind == "m3u":
        path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.wav\n")
    elif kind == "one sample a second":
        head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 5036, b"WAVE", b"fmt ", 16, 1, 1, 1, 1, 1, 8, b"data", 5000)
        path.write_bytes(head + bytes(range(250)) * 20)
    elif kind == "no samples":
        head = struct.pack(
            "<4sI4s4sIHHIIHH4sI", b"RIFF", 36, b"WAVE", b"fmt ", 16, 1, 2, 48000, 192000, 4, 16, b"data", 0
        )
        path.write_bytes(head)
    elif kind != "missing":
        path.write_bytes({"empty": b"", "text": b"la la la " * 50, "random": os.urandom(9000)}[kind])
    return path


@pytest.mark.parametrize(
    "kind",
    ["missing", "empty", "text", "random", "pipe", "folder", "no sound", "playlist", "m3u", "one sample a second",
     "no samples"],
)  # fmt: skip
def test_what_is_no_sound_is_refused_in_one_line(tmp_path, pictures, kind):
    """Damaged, hostile or missing: an error that names the file; nothing is waited for, no other file is opened."""
    path = hostile(kind, tmp_path)
    with pytest.raises(ViduError, match=r"music\.wav") as caught:
        joined(tmp_path / "film.mp4", *pictures, music=str(path))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "film.mp4").exists()


HUGE = """
import resource, sys
from pathlib import Path
from vidu_nb.films.joining.plan import Part, plan_joined
from vidu_nb.films.joining.write import write_joined
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write_joined(plan_joined([Part(Path(one)) for one in sys.argv[3:]], music=sys.argv[1]), Path(sys.argv[2]), {})
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_of_a_huge_file_only_what_is_heard_is_read(tmp_path, pictures):
    """An hour of sound over three seconds of film costs what three seconds cost."""
    path = tmp_path / "hour.wav"
    write(path, melody(2), codec="pcm_s16le")
    with path.open("r+b") as file:
        size = 3600 * RATE * 4
        file.truncate(size)  # sparse: it takes no disk space
        file.seek(4)
        file.write(struct.pack("<I", size - 8))
        file.seek(path.read_bytes()[:200].find(b"data") + 4)
        file.write(struct.pack("<I", size - 200))
    command = [sys.executable, "-c", HUGE, str(path), str(tmp_path / "film.mp4"), *map(str, pictures)]
    taken = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert int(taken) < 150


# Composed.


def test_composed_music_is_over_the_whole_film(tmp_path, pictures):
    """One track from the film's first frame to its last, by its seed and words; the clips' own sound is not heard."""
    joined(tmp_path / "film.mp4", *pictures, music="film", seed=7, prompt="a happy dance")
    sound = sound_of(tmp_path / "film.mp4")
    wanted = compose(7, 3, "a happy dance").T / 32767
    assert loudness_of(tmp_path / "film.mp4") == pytest.approx(LOUDNESS, abs=1)
    assert np.abs(sound[:, : wanted.shape[1]] - wanted).max() < 0.05
    joined(tmp_path / "other.mp4", *pictures, music="film", seed=8, prompt="a happy dance")
    assert not np.allclose(sound_of(tmp_path / "other.mp4"), sound, atol=0.05)


@pytest.mark.parametrize("seconds", [30, 180])
def test_long_music_is_as_loud_as_it_should_be(seconds):
    """Half a minute or three minutes: -16 LUFS within one."""
    sound = compose(11, seconds, "an epic battle").T.astype(np.float32) / 32767
    assert measure(np.array_split(sound, 50, axis=1))[0] == pytest.approx(LOUDNESS, abs=1)
