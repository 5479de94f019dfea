"""Verdicts on whether a clip reproduces another, and their reasons, on clips made to be equal, close or different."""

from __future__ import annotations

import functools
import math
import subprocess
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from previews import small_preview
from skimage import data

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest, ViduError
from vidu_nb.measures.differences import Pictures, Sound, compare_pictures, compare_sound
from vidu_nb.measures.reproduction import Verdict, Verdicts, reproduces
from vidu_nb.measures.thresholds import (
    MIN_PSNR_DB,
    MIN_SSIM,
    decisive_frame,
    judge_pictures,
    judge_sound,
    why_pictures,
    why_sound,
)
from vidu_nb.video import Video

#: What is done to a clip of moving pictures with music (FFmpeg's options), and the verdicts on its pictures and
#: sound.
TREATMENTS = {
    "a copy": (["-c", "copy", "-metadata", "title=a copy"], "same pictures", "same"),
    "lower quality": (["-crf", "28", "-c:a", "aac", "-b:a", "64k"], "alike", "alike"),
    "much lower quality": (["-crf", "32", "-c:a", "aac", "-b:a", "32k"], "alike", "alike"),
    "half the size": (["-vf", "scale=iw/2:ih/2", "-crf", "20", "-c:a", "copy"], "alike", "same"),
    "one frame late": (
        ["-vf", "tpad=start=1:start_mode=clone", "-frames:v", "120", "-c:a", "copy"],
        "different",
        "same",
    ),
    "one frame early": (["-vf", "select=gte(n\\,1),setpts=N/24/TB", "-c:a", "copy"], "different", "same"),
    "cut short": (["-t", "4", "-crf", "20"], "different", "different"),
    "another colour": (["-vf", "hue=h=60:s=2", "-c:a", "copy"], "different", "same"),
    "mirrored": (["-vf", "hflip", "-c:a", "copy"], "different", "same"),
    "another rate": (["-vf", "fps=30", "-c:a", "copy"], "different", "same"),
    "no sound": (["-c:v", "copy", "-an"], "same pictures", "different"),
    "sound late": (["-c:v", "copy", "-af", "adelay=70:all=1", "-c:a", "aac"], "same pictures", "different"),
    "other sound": (
        ["-f", "lavfi", "-i", "sine=d=5", "-map", "0:v", "-map", "1:a", "-c:v", "copy"],
        "same pictures",
        "different",
    ),
}


SIDE = 256  # px, of the clips: whole blocks for FFmpeg in chroma too, and quick to measure


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Makes a preview of two shots in motion with music: ``make(seed)``."""
    cast = [vidu.Reference(getattr(data, name)(), name=name) for name in ("astronaut", "coffee")]
    scene = "The astronaut, slow push in. Then coffee, pan right."
    request = vidu.VideoRequest(prompt=scene, references=cast, aspect_ratio="1:1")
    return lambda seed: small_preview(request.replace(seed=seed), SIDE, tmp_path_factory.mktemp("preview"))


@pytest.fixture(scope="module")
def clip(make):
    """The clip that the others are compared with."""
    return make(42)


@pytest.fixture(scope="module")
def other_seed(make):
    """The same request with another seed."""
    return make(8)


@pytest.fixture(scope="module")
def treated(clip, tmp_path_factory):
    """Makes a treatment of the clip: ``treated("lower quality")``; each is made once."""
    folder, made = tmp_path_factory.mktemp("treated"), {}

    def make(name):
        if name not in made:
            path = folder / f"{name}.mp4"
            options = [*TREATMENTS[name][0], "-preset", "veryfast"]
            subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", clip.path, *options, path], check=True)
            made[name] = path
        return made[name]

    return make


@pytest.fixture(scope="module")
def judged(clip, treated):
    """Compares the clip with its treatment: ``judged("lower quality")``; each is measured once."""
    return functools.cache(lambda name: reproduces(clip, treated(name)))


@pytest.mark.parametrize("name", TREATMENTS)
def test_each_treatment_gets_its_verdict(judged, name):
    """Pictures and sound are judged apart, and the verdict counts as true where neither is different."""
    _, pictures, sound = TREATMENTS[name]
    verdict = judged(name)
    assert (verdict.word, verdict.sound_word) == (pictures, sound), verdict.why
    assert bool(verdict) == ("different" not in {pictures, sound})


def test_the_same_seed_gives_the_same_bytes(clip, make):
    """A preview made anew is the same file, and needs no decoding to say so."""
    again = make(42)
    assert again.path != clip.path
    verdict = reproduces(clip, again)
    assert (verdict.word, verdict.sound_word) == ("same bytes", "same")
    assert verdict.pictures.ssim == (1.0,) * 120


def test_another_seed_gives_another_clip(clip, other_seed):
    """Another seed differs in pictures and in music, though single frames may be close."""
    verdict = reproduces(clip, other_seed)
    assert (verdict.word, verdict.sound_word) == ("different", "different"), verdict.why
    assert not verdict


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("one frame late", "the second runs 1 frame late; shifted back"),
        ("one frame early", "one has 120 frames, the other 119, and the second runs 1 frame early"),
        ("cut short", "one has 120 frames, the other 96; the 96 that both have are alike"),
        ("another rate", "one has 24 frames a second, the other 30"),
        ("no sound", "only the first has any"),
        ("sound late", "the second runs 70 ms late"),
        ("lower quality", f"(threshold {MIN_SSIM}) and"),
    ],
)
def test_a_verdict_names_its_reason(judged, name, reason):
    """What was done to a clip is what the sentence says."""
    assert reason in judged(name).why


def test_a_single_other_frame_is_found(make_clip, photo):
    """One frame of 24 that differs is a different clip, whatever the mean says."""
    frames = [photo] * 24
    wrong = [*frames[:15], photo[::-1], *frames[16:]]
    verdict = reproduces(make_clip("a.mp4", frames, crf=10), make_clip("b.mp4", wrong, crf=10))
    assert verdict.word == "different"
    assert decisive_frame(verdict.pictures) == 15
    assert np.mean(verdict.pictures.ssim) > MIN_SSIM, "a mean would have let it pass"


def test_one_sample_of_one_frame_is_enough_not_to_be_the_same(make_clip, photo):
    """Equal means equal: a pixel that is a little brighter in one frame makes it alike, no more."""
    speck = [photo.copy() for _ in range(12)]
    speck[5][100:102, 100:102] += 40
    plain, spotted = (make_clip(f"{n}.mp4", f, crf=0) for n, f in (("a", [photo] * 12), ("b", speck)))
    verdict = reproduces(plain, spotted)
    assert verdict.word == "alike"
    assert sum(math.isfinite(one) for one in verdict.pictures.psnr_db) >= 1


def fine_chroma():
    """4:4:4 samples, and the same with a chroma that changes from column to column, which 4:2:0 evens out."""
    one, other = (np.full((3, 64, 64), 100, np.uint8) for _ in range(2))
    other[1, :, ::2] += 1
    other[1, :, 1::2] -= 1
    return "yuv444p", one, other


def deep():
    """10-bit samples, and the same with some a little higher, which is nothing of 8 bits."""
    one, other = (np.full((96, 64), 400, np.uint16) for _ in range(2))
    other[:64:8] += 1
    return "yuv420p10le", one, other


@pytest.mark.parametrize("make", [fine_chroma, deep])
def test_what_8_bits_of_420_do_not_hold_counts_too(make, tmp_path):
    """Where the figures see no difference the stored samples may, and then the pictures are alike, not the same."""
    form, *samples = make()
    for name, planes in zip(("a", "b"), samples, strict=True):
        with av.open(str(tmp_path / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=24, options={"qp": "0", "preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 64, 64, form
            for _ in range(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, form)))
            container.mux(stream.encode(None))
    first, second = (tmp_path / f"{name}.mp4" for name in ("a", "b"))
    verdict = reproduces(first, second)
    assert set(verdict.pictures.psnr_db) == {math.inf}
    assert verdict.word == "alike"
    assert compare_pictures(first, first).identical


def test_grey_stored_in_other_samples_is_alike_at_most(tmp_path):
    """A file without chroma and one whose chroma is all grey look the same and do not hold the same."""
    for form in ("gray", "yuv420p"):
        with av.open(str(tmp_path / f"{form}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=24, options={"qp": "0", "preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 64, 64, form
            shade = np.full((64, 64, 3), 128, np.uint8)
            for _ in range(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(shade, "rgb24").reformat(format=form)))
            container.mux(stream.encode(None))
    verdict = reproduces(tmp_path / "gray.mp4", tmp_path / "yuv420p.mp4")
    assert verdict.word in {"alike", "different"}
    assert not verdict.pictures.identical


def test_a_still_clip_is_not_called_shifted(make_clip, photo):
    """In a still picture coding noise must not be taken for a shift in time."""
    clean, coarse = (make_clip(f"{crf}.mp4", [photo] * 24, crf=crf) for crf in (12, 26))
    pictures = compare_pictures(clean, coarse)
    assert pictures.lag == 0
    assert judge_pictures(pictures) == "alike"


def test_figures_agree_with_the_ffmpeg_program(clip, treated):
    """SSIM and PSNR of each frame are those that the ffmpeg program prints, up to its version's rounding."""
    coded = treated("much lower quality")
    filters = "split[a][b];[1]split[c][d];[a][c]ssim=stats_file=ssim.log[e];[b][d]psnr=stats_file=psnr.log"
    inputs = ["ffmpeg", "-v", "error", "-i", clip.path, "-i", coded]
    outputs = ["-map", "[e]", "-f", "null", "-", "-f", "null", "-"]
    subprocess.run([*inputs, "-filter_complex", f"[0]{filters}", *outputs], check=True)
    logs = (("ssim.log", "All:"), ("psnr.log", "psnr_avg:"))
    ssim, psnr = (
        [float(line.split(name)[1].split()[0]) for line in Path(log).read_text().splitlines()] for log, name in logs
    )
    pictures = compare_pictures(clip.path, coded)
    assert pictures.ssim == pytest.approx(ssim, abs=1e-3)
    assert pictures.psnr_db == pytest.approx(psnr, abs=0.01)


def test_the_order_of_two_clips_only_turns_the_evidence_round(clip, treated, judged):
    """Compared the other way round the figures are the same and late becomes early."""
    verdict, back = judged("one frame late"), reproduces(treated("one frame late"), clip)
    assert verdict.flipped().pictures == replace(back.pictures, lag_rms=verdict.pictures.lag_rms)
    assert "1 frame early" in back.why


def test_lists_make_a_matrix(make_clip, photo):
    """Every pair gets its verdict, under the names given."""
    frames = [np.roll(photo, 6 * i, axis=1) for i in range(12)]
    first, coarse = (make_clip(f"{crf}.mp4", frames, crf=crf) for crf in (12, 26))
    verdicts = reproduces({"first": first, "coarse": coarse, "other": make_clip("other.mp4", frames[::-1])})
    assert isinstance(verdicts, Verdicts)
    words = [[verdicts[i, j].word for j in range(3)] for i in range(3)]
    assert words == [
        ["same bytes", "alike", "different"],
        ["alike", "same bytes", "different"],
        ["different", "different", "same bytes"],
    ]
    assert verdicts[1, 0].names == ("coarse", "first")
    assert verdicts["coarse", "first"] == verdicts[1, 0]
    with pytest.raises(KeyError, match="none"):
        verdicts["first", "none"]
    assert [(row["first"], row["second"]) for row in verdicts.table][:2] == [("first", "first"), ("first", "coarse")]
    assert repr(verdicts).splitlines()[1].split() == ["first", "same", "bytes", "alike", "different"]


def test_one_clip_against_a_list_is_a_matrix_of_one_row(clip, treated):
    """A list on either side makes a matrix; files of one name get numbers."""
    copy = treated("a copy")
    verdicts = reproduces(clip, [copy, copy])
    assert verdicts.columns == ("a copy.mp4", "a copy.mp4 (2)")
    assert [one.word for one in verdicts.cells[0]] == ["same pictures", "same pictures"]


def test_a_plot_shows_the_frame_that_decides(clip, other_seed):
    """The figure has the curve and both frames with their difference, and words for who can't see it."""
    verdict = reproduces(clip, other_seed)
    figure = verdict.plot()
    assert len(figure.axes) == 4
    first, second = (axes.images[0].get_array() for axes in figure.axes[1:3])
    assert first.shape == second.shape == (SIDE, SIDE, 3)
    assert f"frame {decisive_frame(verdict.pictures)} of both" in verdict.alt


def test_a_plot_of_two_sizes_shows_both_at_one_size(judged):
    """Frames of a smaller copy are shown, and subtracted, at the smaller size."""
    first, second = (axes.images[0].get_array() for axes in judged("half the size").plot().axes[1:3])
    assert first.shape == second.shape == (SIDE // 2, SIDE // 2, 3)


def test_clips_of_other_shapes_are_different_and_have_no_plot(clip, small_clip):
    """What can't be compared frame by frame says so in place of figures."""
    verdict = reproduces(clip, small_clip)
    assert verdict.word == "different"
    assert f"{SIDE}x{SIDE}" in verdict.why
    assert verdict.table == []
    assert verdict.row["ssim"] is None
    with pytest.raises(InvalidRequest, match=f"nothing to plot, one is {SIDE}x{SIDE}"):
        verdict.plot()
    assert verdict.alt == verdict.why


def test_what_a_verdict_shows_names_no_place(clip, judged):
    """Neither text nor HTML holds a folder or an address, so that notebooks stay equal from run to run."""
    verdict = judged("a copy")
    assert isinstance(verdict, Verdict)
    for text in (repr(verdict), verdict._repr_html_(), repr(reproduces([clip]))):
        assert str(clip.path.parent) not in text
        assert " at 0x" not in text


def test_a_missing_or_broken_file_is_named(clip, tmp_path):
    """An error names the file that can't be compared."""
    with pytest.raises(ViduError, match=r"gone\.mp4"):
        reproduces(clip, "gone.mp4")
    (tmp_path / "broken.mp4").write_bytes(clip.bytes[:5000])
    with pytest.raises(ViduError, match=r"broken\.mp4"):
        reproduces(clip, "broken.mp4")


def test_a_comparison_needs_two_sides(clip):
    """One clip alone, or an empty list, is refused with the cure."""
    with pytest.raises(InvalidRequest, match="pass a second one"):
        reproduces(clip)
    with pytest.raises(InvalidRequest, match="at least one clip"):
        reproduces([clip], [])


def test_a_file_may_be_named_by_path_or_as_a_video(clip):
    """A path, its text and a Video mean the same clip."""
    assert reproduces(str(clip.path), Video(clip.path)).word == "same bytes"


def test_a_silent_file_has_no_sound_whether_it_is_decoded_or_not(make_clip, photo):
    """Equal bytes need no decoding, and give the figures that decoding gives."""
    silent = make_clip("mute.mp4", [photo] * 2, sound=False)
    assert reproduces(silent, silent).sound == compare_sound(silent, silent) == Sound((False, False), identical=True)


# The verdicts by themselves, at their thresholds.


@pytest.mark.parametrize(
    ("ssim", "psnr", "word"),
    [
        (MIN_SSIM, MIN_PSNR_DB, "alike"),
        (MIN_SSIM - 0.001, 40.0, "different"),
        (0.99, MIN_PSNR_DB - 0.1, "different"),
        (1.0, math.inf, "alike"),
    ],
)
def test_pictures_are_judged_at_the_thresholds(ssim, psnr, word):
    """Both figures must reach their threshold; a frame exactly on it passes."""
    pictures = Pictures((1.0, ssim), (math.inf, psnr), (2, 2))
    assert judge_pictures(pictures) == word
    assert ("1 of 2 frames" in why_pictures(judge_pictures(pictures), pictures)) == (word == "different")


def test_a_shorter_clip_of_other_pictures_is_not_called_a_part():
    """Where one has fewer frames, and those are others, only the numbers are reported."""
    pictures = Pictures((0.5, 0.6), (10.0, 11.0), (2, 3))
    assert why_pictures(judge_pictures(pictures), pictures) == "one has 2 frames, the other 3"


def test_the_decisive_frame_is_the_one_that_fails():
    """Where only PSNR is too low, the frame of the lowest PSNR is named, not that of the lowest SSIM."""
    assert decisive_frame(Pictures((0.9, 0.99), (30.0, 20.0), (2, 2))) == 1
    assert decisive_frame(Pictures((0.9, 0.99), (30.0, 40.0), (2, 2))) == 0


@pytest.mark.parametrize(
    ("sound", "word", "why"),
    [
        (Sound((False, False), identical=True), "none", "neither has sound"),
        (Sound((True, True), identical=True, sdr_db=math.inf), "same", "the sound is equal"),
        (Sound((True, True), sdr_db=0.0, seconds=(5, 5)), "alike", "0.0 dB above"),
        (Sound((True, True), sdr_db=-0.1, seconds=(5, 5)), "different", "0.1 dB weaker"),
        (Sound((True, True), sdr_db=9.0, lag_ms=-46, seconds=(5, 5)), "different", "46 ms early"),
        (Sound((True, True), sdr_db=9.0, seconds=(5, 4)), "different", "one is 5.00 s long, the other 4.00 s"),
        (Sound((False, True)), "different", "only the second has any"),
    ],
)
def test_sounds_are_judged_at_the_thresholds(sound, word, why):
    """Silence, equality, likeness and each kind of difference have their word and their reason."""
    assert judge_sound(sound) == word
    assert why in why_sound(sound)


def test_silence_is_like_silence_only(make_clip, small_clip, photo, treated):
    """A silent track has no power to divide by: it equals another one and differs from music."""
    silent = make_clip("silent.mp4", [photo] * 24)
    assert compare_sound(silent, small_clip).identical
    assert judge_sound(compare_sound(silent, treated("a copy"))) == "different"
    assert judge_sound(compare_sound(treated("a copy"), silent)) == "different"
