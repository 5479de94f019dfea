"""The clips' own sound in a joined one: in time with the pictures, without clicks and gaps where they meet."""

from __future__ import annotations

import itertools

import av
import numpy as np
import pytest
from joining_clips import RATE, joined, largest_step, longest_silence, make, sound_of, tone

from vidu_nb.errors import ViduError


def clip(path, hertz, seconds=1.0, **how):
    """A clip with a tone."""
    rate, channels = how.get("sound_rate", RATE), how.pop("channels", 2)
    heard = tone(hertz, how.pop("heard", seconds), rate=rate, channels=channels, level=how.pop("level", 0.4))
    return make(path, frames=round(seconds * 24), sound=heard, **how)


def pitch(sound):
    """The strongest frequency, in Hz."""
    window = np.hanning(sound.shape[-1])
    return float(np.argmax(np.abs(np.fft.rfft(sound[0] * window))) * RATE / sound.shape[-1])


def around(sound, second, *, seconds=0.1):
    """The samples around a joint."""
    middle, half = round(second * RATE), round(seconds * RATE)
    return sound[:, middle - half : middle + half]


def test_each_scene_has_its_own_sound_from_its_first_to_its_last_frame(tmp_path):
    """Ten scenes on, sound is where its pictures are: to 2 ms, whatever the coder puts before it."""
    clips = [clip(tmp_path / f"{n}.mp4", 300 + 100 * n, 17 / 24) for n in range(10)]
    plan = joined(tmp_path / "film.mp4", *clips)
    sound, length = sound_of(tmp_path / "film.mp4"), 17 / 24
    assert plan.is_copied
    for number in range(10):
        begin, end = round(number * length * RATE), round((number + 1) * length * RATE)
        assert pitch(sound[:, begin + 1000 : end - 1000]) == pytest.approx(300 + 100 * number, abs=2)
    level = np.abs(sound).max(axis=0)
    for number in range(1, 10):
        near = level[round(number * length * RATE) - 1000 :][:2000]
        quietest = np.convolve(near, np.ones(96), "valid").argmin() + 48
        assert abs(quietest - 1000) < 96, f"scene {number + 1} begins {quietest - 1000} samples late"


@pytest.mark.parametrize("hertz", [(440, 445), (60, 2000), (997, 997)])
def test_joints_have_no_click_and_no_gap(tmp_path, hertz):
    """No sample steps further than in the clips themselves, and nothing is silent for 30 ms."""
    clips = [clip(tmp_path / f"{n}.mp4", one, 25 / 24) for n, one in enumerate(hertz)]
    joined(tmp_path / "film.mp4", *clips, *clips)
    sound = sound_of(tmp_path / "film.mp4")
    largest = max(largest_step(sound_of(one)) for one in clips)
    for number in (1, 2, 3):
        joint = around(sound, number * 25 / 24)
        assert largest_step(joint) < largest * 1.02 + 0.001
        assert longest_silence(joint, below=0.01) < 0.03


def test_a_sound_that_is_cut_off_or_begins_late_does_not_click(tmp_path):
    """A sound that ends before its pictures, or begins after them, fades where it does, and is silent beside that."""
    early = clip(tmp_path / "early.mp4", 500, heard=0.6)
    late = clip(tmp_path / "late.mp4", 500, heard=0.7, sound_at=0.3)
    long = clip(tmp_path / "long.mp4", 500, heard=1.7)
    joined(tmp_path / "film.mp4", early, late, long, early)
    sound = sound_of(tmp_path / "film.mp4")
    assert largest_step(sound) < max(largest_step(sound_of(one)) for one in (early, late, long)) * 1.02
    level = np.abs(sound).max(axis=0)
    assert level[round(0.66 * RATE) : round(1.29 * RATE)].max() < 0.005
    assert level[round(1.33 * RATE) : round(1.36 * RATE)].max() > 0.3
    assert level[round(2.03 * RATE) : round(2.06 * RATE)].max() > 0.3
    assert longest_silence(around(sound, 3), below=0.01) < 0.03
    assert sound.shape[1] == pytest.approx(4 * RATE, abs=1024), "it isn't longer than its pictures"


@pytest.mark.parametrize(
    "how",
    [
        {"sound_rate": 44_100}, {"sound_rate": 22_050}, {"channels": 1}, {"channels": 1, "sound_rate": 16_000},
        {"channels": 6}, {"sound_codec": "mp3"}, {"sound_codec": "libopus"}, {"sound_codec": "flac"},
    ],
)  # fmt: skip
def test_any_sound_comes_out_as_it_was(tmp_path, how):
    """Whatever rate, channels and coder a clip has, it is as high, as loud and as long as it was, at its place."""
    channels = how.pop("channels", 2)
    strange = clip(tmp_path / "strange.mp4", 800, channels=channels, **how)
    usual = clip(tmp_path / "usual.mp4", 400)
    joined(tmp_path / "film.mp4", usual, strange, usual)
    sound = sound_of(tmp_path / "film.mp4")
    middle = sound[:, RATE + 4800 : 2 * RATE - 4800]
    assert pitch(middle) == pytest.approx(800, abs=2)
    assert pitch(sound[:, 2 * RATE + 4800 :]) == pytest.approx(400, abs=2)
    loud = 0.4 * (1 + 2 / np.sqrt(2) if channels == 6 else 1)  # the middle and one at the back go to each side
    assert np.abs(middle).max() == pytest.approx(loud, rel=0.05)
    assert largest_step(around(sound, 1)) < loud * 2 * np.pi * 800 / RATE * 1.05
    assert longest_silence(around(sound, 2), below=0.01) < 0.03


def test_a_silent_scene_among_others_is_silent(tmp_path):
    """A clip without sound leaves its time silent; the next one's sound is in its place."""
    silent = make(tmp_path / "silent.mp4")
    plan = joined(tmp_path / "film.mp4", clip(tmp_path / "a.mp4", 500), silent, clip(tmp_path / "b.mp4", 700))
    sound = sound_of(tmp_path / "film.mp4")
    assert plan.is_copied
    assert np.abs(sound[:, RATE + 2048 : 2 * RATE - 2048]).max() < 0.001
    assert pitch(sound[:, 2 * RATE + 2048 : 3 * RATE - 2048]) == pytest.approx(700, abs=2)


@pytest.mark.parametrize("music", ["clips", "none"])
def test_a_film_without_sound_has_no_sound_stream(tmp_path, music):
    """Neither where no clip has sound, nor where none is wanted."""
    kind = {"clips": None, "none": tone(500, 1)}[music]
    joined(tmp_path / "film.mp4", *[make(tmp_path / f"{n}.mp4", sound=kind) for n in range(2)], music=music)
    assert sound_of(tmp_path / "film.mp4") is None


def test_dissolving_scenes_fade_into_each_other_in_sound(tmp_path):
    """While pictures dissolve, both are heard, neither louder than alone, without a step or a gap."""
    clips = [clip(tmp_path / f"{n}.mp4", one) for n, one in enumerate((500, 800))]
    joined(tmp_path / "film.mp4", *clips, dissolve=0.5)
    sound = sound_of(tmp_path / "film.mp4")
    assert sound.shape[1] == pytest.approx(1.5 * RATE, abs=1024)
    both = np.abs(np.fft.rfft(sound[0, round(0.65 * RATE) :][: round(0.2 * RATE)]))
    assert {round(float(one) * 5 / 100) * 100 for one in np.argsort(both)[-2:]} == {500, 800}
    assert np.abs(sound).max() < 0.42
    assert largest_step(sound) < largest_step(tone(800, 1)) * 1.05
    assert longest_silence(sound[:, 1000 : int(1.48 * RATE)], below=0.01) < 0.03


@pytest.mark.parametrize("hertz", [100, 800, 5000])
def test_a_loud_tone_stays_as_loud(tmp_path, hertz):
    """The coder takes nothing from what is near full scale."""
    loud = clip(tmp_path / "loud.mkv", hertz, sound_codec="flac", level=0.95)
    joined(tmp_path / "film.mp4", loud, loud)
    assert np.abs(sound_of(tmp_path / "film.mp4")[:, 4800:40_000]).max() == pytest.approx(0.95, rel=0.05)


def test_a_loud_joint_stays_below_full_scale(tmp_path):
    """Two scenes at full scale that dissolve into each other don't clip."""
    clips = [make(tmp_path / f"{n}.mp4", sound=tone(300, 1, level=0.97)) for n in range(2)]
    joined(tmp_path / "film.mp4", *clips, dissolve=0.5)
    assert np.abs(sound_of(tmp_path / "film.mp4")).max() < 1.02


def test_damaged_sound_is_named(tmp_path):
    """A scene whose sound can't be decoded is an error that says which, and how to go on."""
    path = clip(tmp_path / "good.mp4", 500)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        spots = [(packet.pos, packet.size) for packet in container.demux(container.streams.audio[0]) if packet.size]
    for place, size in itertools.islice(spots, 5, None):
        data[place : place + size] = b"\xff" * size
    (tmp_path / "bad.mp4").write_bytes(data)
    with pytest.raises(ViduError, match=r"^scene 2: the sound of bad\.mp4 .*music=") as caught:
        joined(tmp_path / "film.mp4", path, tmp_path / "bad.mp4")
    assert "\n" not in str(caught.value)
    joined(tmp_path / "film.mp4", path, tmp_path / "bad.mp4", music="none")
