"""The music: the same for the same seed, in a mood that the prompt asks for, well made on paper and fit to be heard."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from itertools import combinations, pairwise, product

import numpy as np
import pytest

from vidu_nb.animatic.music import LOUDNESS, RATE, compose, loudness
from vidu_nb.animatic.score import MOODS, find_mood, write

#: A prompt for each mood.
PROMPTS = {
    "epic": "an epic battle",
    "stormy": "lightning over the harbour",
    "tense": "the dark corridor",
    "sad": "a lonely bench",
    "joyful": "children dance and laugh",
    "dreamy": "under the moon and the stars",
    "calm": "a quiet lake at sunrise",
    "warm": "a cozy kitchen",
}
SEEDS = range(5)
SCORES = {
    (mood, seconds, seed): write(seed, seconds, prompt)
    for (mood, prompt), seconds, seed in product(PROMPTS.items(), (2, 5, 10), range(30))
}


@pytest.fixture(scope="module")
def pieces():
    """Five seconds of each mood for each seed: {(mood, seed): samples}."""
    return {(mood, seed): compose(seed, 5, prompt) for (mood, prompt), seed in product(PROMPTS.items(), SEEDS)}


def chord_under(score, note):
    """The chord that sounds when a note begins."""
    return next(chord for chord in reversed(score.chords) if chord.start <= note.start)


def is_strong(note):
    """On a beat, or long enough to be heard as a part of the chord."""
    return note.start % 1 == 0 or note.beats >= 1


def rubs(one, other):
    """Whether two pitches are a semitone apart, in whatever octaves."""
    return (one - other) % 12 in {1, 11}


# ── The prompt and the seed ───────────────────────────────────────────────────────────────────────


def test_each_mood_has_its_words():
    """A prompt's words decide, and every mood can be asked for."""
    assert PROMPTS.keys() == MOODS.keys()
    assert {mood: find_mood(prompt, 1) for mood, prompt in PROMPTS.items()} == {mood: mood for mood in MOODS}


@pytest.mark.parametrize(
    ("prompt", "mood"),
    [
        ("An epic battle, slow zoom in", "epic"),
        ("Night. A calm, quiet lake", "calm"),
        ("EPIC!", "epic"),
        ("Slow push in on the kitchen", "calm"),
    ],
)
def test_the_mood_with_most_words_wins(prompt, mood):
    """Between equals, the words for a story count more than those a camera is told."""
    assert find_mood(prompt, 1) == mood


@pytest.mark.parametrize("word", ["saddle", "software", "knight", "warrant", "starts", "crystal"])
def test_parts_of_words_are_not_heard(word):
    """A saddle isn't sad: the seed decides, among friendly moods."""
    assert {find_mood(word, seed) for seed in range(40)} == {"warm", "joyful", "calm", "dreamy"}


def test_moods_differ_where_it_can_be_measured(pieces):
    """Tempo, mode and brightness follow the mood."""
    tempo = {mood: np.mean([write(seed, 5, PROMPTS[mood]).tempo for seed in SEEDS]) for mood in MOODS}
    assert tempo["sad"] < tempo["calm"] < tempo["warm"] < tempo["joyful"] < tempo["stormy"]
    for mood, third in {"calm": 4, "joyful": 4, "dreamy": 4, "warm": 4, "sad": 3, "tense": 3, "epic": 3}.items():
        last = write(1, 5, PROMPTS[mood]).chords[-1]
        assert (last.triad[1] - last.triad[0]) % 12 == third
    bright = {mood: np.median([overtones(pieces[mood, seed]) for seed in SEEDS]) for mood in MOODS}
    assert bright["joyful"] > 2 * bright["calm"]
    assert bright["epic"] > 2 * bright["sad"]


def overtones(samples):
    """The share of the power above 1500 Hz, where no note has its first harmonic."""
    power = np.abs(np.fft.rfft(samples.mean(axis=1))) ** 2
    return power[round(1500 * len(samples) / RATE) :].sum() / power.sum()


def test_every_seed_has_its_own_tune():
    """Twenty seeds, twenty melodies."""
    assert len({write(seed, 5, "a cozy kitchen").melody for seed in range(20)}) == 20


# ── On paper ──────────────────────────────────────────────────────────────────────────────────────


def test_a_piece_comes_home_when_the_clip_ends():
    """It closes on the tonic and its chord, which have time to ring, and opens on that chord if there is time."""
    for score in SCORES.values():
        last, note = score.chords[-1], score.melody[-1]
        assert last.triad[0] == note.pitch % 12 == score.tonic
        assert score.end < 2 or score.chords[0].triad[0] == score.tonic
        assert last.start == note.start == score.end
        assert 0.8 < last.beats * 60 / score.tempo < 2.3, "seconds"


def test_chords_follow_each_other_without_gaps():
    """Each begins where the last one ended, and the last one ends with the clip."""
    for (_, seconds, _), score in SCORES.items():
        assert all(one.start + one.beats == other.start for one, other in pairwise(score.chords))
        assert (score.end + score.chords[-1].beats) * 60 / score.tempo == pytest.approx(seconds)


def test_strong_notes_are_chord_tones_and_the_others_pass():
    """On the beat the melody agrees with its chord; between, it keeps to the scale; leaps stay singable."""
    for score in SCORES.values():
        for note in score.melody:
            chord = chord_under(score, note)
            assert note.pitch % 12 in (chord.triad if is_strong(note) else chord.scale), score
        steps = [abs(one.pitch - other.pitch) for one, other in pairwise(score.melody)]
        assert max(steps, default=0) <= 9, score


def test_nothing_rubs():
    """No two notes that sound together for a beat or more are a semitone apart."""
    for score in SCORES.values():
        for chord in score.chords:
            assert not any(rubs(*pair) for pair in combinations((chord.bass, *chord.voices), 2)), chord
        for note in filter(is_strong, score.melody):
            assert not any(rubs(note.pitch, voice) for voice in chord_under(score, note).voices), score


def test_voices_move_by_small_steps_and_seldom_in_parallel():
    """A voice moves a tone or so from chord to chord; bass and voices keep out of parallel fifths and octaves."""
    steps, parallel = [], []
    for one, other in (pair for score in SCORES.values() for pair in pairwise(score.chords)):
        if len(one.voices) == len(other.voices):
            steps += [abs(a - b) for a, b in zip(one.voices, other.voices, strict=True)]
        chords = list(zip((one.bass, *one.voices), (other.bass, *other.voices), strict=False))
        parallel.append(
            any((b[0] - a[0]) % 12 == (b[1] - a[1]) % 12 in {0, 7} and a[0] != a[1] for a, b in combinations(chords, 2))
        )
    assert np.mean(steps) < 2.5
    assert max(steps) <= 10
    assert np.mean(parallel) < 0.04


# ── The sound ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seconds", [0.04, 1, 2.5, 10.0])
def test_it_is_stereo_of_the_length_asked_for(seconds):
    """int16, two columns, 48 kHz."""
    samples = compose(1, seconds)
    assert samples.dtype == np.int16
    assert samples.shape == (round(seconds * RATE), 2)


def test_the_same_seed_gives_the_same_samples_in_another_process(pieces):
    """To the last bit, whatever the number of threads there."""
    script = (
        "import sys; from vidu_nb.animatic.music import *; sys.stdout.buffer.write(compose(3, 5, 'an epic battle'))"
    )
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", script], env=os.environ | threads, capture_output=True, check=True)
    assert hashlib.sha256(other.stdout).digest() == hashlib.sha256(pieces["epic", 3].tobytes()).digest()


def test_it_is_as_loud_as_it_should_be(pieces, tmp_path):
    """FFmpeg's meter (EBU R 128) reads -16 LUFS within one unit, and no true peak above -1 dBFS, for 40 pieces."""
    command = ["ffmpeg", "-nostats"]
    for index, samples in enumerate(pieces.values()):
        (tmp_path / f"{index}.raw").write_bytes(samples.tobytes())
        command += ["-f", "s16le", "-ar", str(RATE), "-ac", "2", "-i", str(tmp_path / f"{index}.raw")]
    graph = ";".join(f"[{index}]ebur128=peak=true[o{index}]" for index in range(len(pieces)))
    command += ["-filter_complex", graph]
    for index in range(len(pieces)):
        command += ["-map", f"[o{index}]", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stderr
    reading = re.compile(
        r"Summary:\s+Integrated loudness:\s+I:\s+(\S+) LUFS$.*?Peak:\s+(\S+) dBFS$", re.MULTILINE | re.DOTALL
    )
    readings = np.array(reading.findall(said), float)
    heard, peaks = readings[np.isfinite(readings[:, 1])].T  # it also reports, of nothing, when it opens
    assert len(heard) == 40
    assert heard == pytest.approx([LOUDNESS] * 40, abs=1)
    assert max(peaks) < -1


def test_the_meter_reads_the_reference_tone():
    """EBU Tech 3341: a stereo sine of 1 kHz at -23 dBFS reads -23 LUFS, and silence after it is not counted."""
    tone = 10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * np.arange(5 * RATE) / RATE)
    assert loudness(np.stack([tone, tone])) == pytest.approx(-23, abs=0.1)
    assert loudness(np.stack([tone, tone]) * ([1] * 3 * RATE + [0] * 2 * RATE)) == pytest.approx(-23, abs=0.3)
    assert loudness(np.zeros((2, RATE))) <= -70


def test_it_begins_and_ends_without_a_click(pieces):
    """Both ends are silent, no sample jumps, and there is no gap in between."""
    for key, samples in pieces.items():
        loud = np.abs(samples.astype(int))
        assert max(loud[:10].max(), loud[-10:].max()) < 100, key
        assert np.abs(np.diff(samples.astype(int), axis=0)).max() < 11_000, key
        assert loud[: 4 * RATE].max(axis=1).reshape(-1, RATE // 4).max(axis=1).min() > 1000, key


def test_it_is_wide_and_sits_in_the_middle(pieces):
    """Left and right are two signals, safe to be added to one, without an offset, and neither dull nor shrill."""
    for key, samples in pieces.items():
        sides = samples.T / 32768
        assert 0.3 < np.corrcoef(sides)[0, 1] < 0.9, key
        assert abs(10 * np.log10((sides[0] ** 2).mean() / (sides[1] ** 2).mean())) < 2, key
        assert np.abs(sides.mean(axis=1)).max() < 0.001, key
        power = np.abs(np.fft.rfft(sides.mean(axis=0))) ** 2
        assert 150 < (power * np.arange(len(power))).sum() / power.sum() / 5 < 1200, "spectral centroid in hertz"


def test_it_can_be_heard_where_it_is_written(pieces):
    """Each melody note of the score stands out as a rise of power at its own frequency."""
    for mood in ("warm", "joyful"):
        score, sound = write(1, 5, PROMPTS[mood]), pieces[mood, 1].mean(axis=1)
        for before, note in pairwise(score.melody):
            if before.pitch == note.pitch:
                continue
            at, span = round(note.start * 60 / score.tempo * RATE), RATE // 10
            hertz = 440 * 2 ** ((note.pitch - 69) / 12)
            wave = np.hanning(span) * np.exp(-2j * np.pi * hertz / RATE * np.arange(span))
            assert abs(wave @ sound[at : at + span]) > 1.5 * abs(wave @ sound[at - span : at]), note
