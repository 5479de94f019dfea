"""The music: the same for the same seed, in the tempo and mood that the prompt asks for, and fit to be heard."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise, product

import numpy as np
import pytest

from vidu_nb.animatic.sound.music import LOUDNESS, RATE, compose
from vidu_nb.animatic.sound.score import write

PROMPTS = ("children dance and laugh", "a lonely bench", "an epic battle", "a quiet lake at sunrise", "two cups")


@pytest.fixture(scope="module")
def pieces():
    """Five seconds for each prompt and four seeds: {(prompt, seed): samples}."""
    return {(prompt, seed): compose(seed, 5, prompt) for prompt, seed in product(PROMPTS, range(4))}


def melody(score):
    """The notes of the instrument that plays the melody."""
    return [note for note in score.notes if note.voice not in {"pad", "figure", "bass"}]


def measure(samples):
    """Integrated loudness in LUFS and true peak in dBFS, as the ffmpeg program reads them."""
    command = ["ffmpeg", "-nostdin", "-nostats", "-f", "s16le", "-ar", str(RATE), "-ac", "2", "-i", "-"]
    command += ["-af", "ebur128=peak=true", "-f", "null", "-"]
    log = subprocess.run(command, input=samples.tobytes(), capture_output=True, check=True).stderr.decode()
    summary = log.rpartition("Summary:")[2]
    return float(re.search(r"I:\s+(\S+) LUFS", summary)[1]), float(re.search(r"Peak:\s+(\S+) dBFS", summary)[1])


def test_words_set_the_tempo():
    """Whatever the seed, calm words are slow and lively ones fast, and two of them count more than one."""
    prompts = ("a calm, quiet lake", "slow rain", "she smiles", "she runs", "a happy dance")
    tempos = [[write(seed, 5, prompt).tempo for seed in range(40)] for prompt in prompts]
    assert max(tempos[0] + tempos[1]) < min(tempos[2]) <= max(tempos[2]) < min(tempos[4])
    assert np.median(tempos[2]) < np.median(tempos[3]) < np.median(tempos[4])


@pytest.mark.parametrize(
    ("prompt", "mood"),
    [
        ("A lonely bench", "minor"), ("GHOSTS!", "minor"), ("An epic battle, slow zoom in", "minor"),
        ("A calm night", "major"), ("Children are playing", "major"), ("A happy ghost laughs", "major"),
    ],
)  # fmt: skip
def test_words_set_the_mood(prompt, mood):
    """Dark words make it minor, bright ones major; the more of them win, whatever the seed."""
    assert {write(seed, 5, prompt).mood for seed in range(40)} == {mood}


@pytest.mark.parametrize("prompt", ["saddle", "software", "knight", "warrant", "starts", "crystal", "猫", ""])
def test_other_words_leave_it_to_the_seed(prompt):
    """A saddle isn't sad: the music is that of a prompt that asks for none, and either mood may be drawn."""
    scores = [write(seed, 5, prompt) for seed in range(40)]
    assert scores == [write(seed, 5, "cup") for seed in range(40)]
    assert {score.mood for score in scores} == {"major", "minor"}


def test_every_seed_has_its_own_tune():
    """Forty seeds, forty melodies; keys and instruments differ as well."""
    scores = [write(seed, 5, "a cozy kitchen") for seed in range(40)]
    assert len({tuple(melody(score)) for score in scores}) == 40
    assert len({score.tonic for score in scores}) > 6
    assert {melody(score)[0].voice for score in scores} == {"bell", "pluck", "reed"}


@pytest.mark.parametrize("seconds", [1, 2.5, 5, 10, 60])
def test_it_comes_home_and_rings(seconds):
    """It closes on the tonic, over its chord, while there is time to hear it, and at the clip's end."""
    for score in (write(seed, seconds, prompt) for prompt, seed in product(PROMPTS, range(20))):
        *_, last = melody(score)
        chord = {note.pitch % 12 for note in score.notes if note.start == score.end and note.voice == "pad"}
        assert (last.start, last.pitch) == (score.end, score.tonic)
        assert chord == {(score.tonic + step) % 12 for step in (0, 4 if score.mood == "major" else 3, 7)}
        assert (last.start + last.beats) * 60 / score.tempo == pytest.approx(seconds)
        assert last.beats * 60 / score.tempo > min(2.2, 0.3 * seconds) - 1e-9, "seconds"


def test_the_melody_fits_its_chords():
    """No note of a beat or more is a semitone from a note of the chord that sounds with it."""
    for score in (write(seed, 30, prompt) for prompt, seed in product(PROMPTS, range(20))):
        pads = [note for note in score.notes if note.voice == "pad"]
        for note in (note for note in melody(score) if note.beats >= 1):
            below = [pad for pad in pads if pad.start < note.start + note.beats and note.start < pad.start + pad.beats]
            assert len(below) == 3
            assert not any((note.pitch - pad.pitch) % 12 in {1, 11} for pad in below), (note, score)


@pytest.mark.parametrize("seconds", [1 / 24, 0.5, 1, 2.52, 60, 120])
def test_it_is_stereo_of_the_length_asked_for(seconds):
    """int16, two columns, 48 kHz, from one frame to two minutes, and no sample clipped."""
    samples = compose(1, seconds)
    assert samples.dtype == np.int16
    assert samples.shape == (round(seconds * RATE), 2)
    assert 3000 < np.abs(samples.astype(int)).max() < 10 ** (-1 / 20) * 32768


def test_the_same_seed_gives_the_same_samples_in_another_process(pieces):
    """To the last bit, whatever the number of threads there."""
    script = "import sys, vidu_nb.animatic.sound.music as m; sys.stdout.buffer.write(m.compose(3, 5, sys.argv[1]))"
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", script, PROMPTS[2]]
    other = subprocess.run(command, env=os.environ | threads, capture_output=True, check=True).stdout
    assert other == pieces[PROMPTS[2], 3].tobytes()


def test_it_is_as_loud_as_it_should_be(pieces):
    """FFmpeg's meter (EBU R 128) reads -16 LUFS within one unit, and no true peak above -1 dBFS."""
    for name, samples in {**pieces, "short": compose(1, 1), "long": compose(2, 30)}.items():
        loudness, peak = measure(samples)
        assert loudness == pytest.approx(LOUDNESS, abs=1), name
        assert peak < -1, name


def test_it_begins_and_ends_without_a_click(pieces):
    """Both ends are silent, there is no gap between them, and no sample jumps, which would be heard as treble."""
    for name, samples in pieces.items():
        loud = np.abs(samples.astype(int)).max(axis=1)
        assert max(loud[:10].max(), loud[-RATE // 100 :].max()) < 100, name
        assert loud[: 4 * RATE].reshape(-1, RATE // 4).max(axis=1).min() > 1000, name
        power = np.abs(np.fft.rfft(samples.mean(axis=1))) ** 2
        assert power[14_000 * 5 :].sum() < 1e-7 * power.sum(), name


def test_it_can_be_heard_where_it_is_written(pieces):
    """Each melody note of the score stands out as a rise of power at its own frequency."""
    for (prompt, seed), samples in pieces.items():
        score, sound, span = write(seed, 5, prompt), samples.mean(axis=1), RATE // 10
        for before, note in pairwise(melody(score)):
            at, hertz = round(note.start * 60 / score.tempo * RATE), 440 * 2 ** ((note.pitch - 69) / 12)
            wave = np.hanning(span) * np.exp(-2j * np.pi * hertz / RATE * np.arange(span))
            rises = abs(wave @ sound[at : at + span]) > 1.5 * abs(wave @ sound[at - span : at])
            assert rises or before.pitch == note.pitch, (note, score)
