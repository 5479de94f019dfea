"""A film as a timeline: read back by OpenTimelineIO, and in what its adapters write."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import av
import numpy as np
import opentimelineio as otio
import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest, NotKept, ViduError
from vidu_nb.films import edit
from vidu_nb.receipt import Receipt

SECRET_URL = "https://example.com/ben.png?X-Amz-Signature=s3cret&X-Amz-Credential=c"


@pytest.fixture
def client(studio, tmp_path):
    """A client of a paid service with an archive of its own."""
    return vidu.Client(KEY, studio.root, tmp_path / "archive", notify=len)


@pytest.fixture
def film(client, photo):
    """A film of three scenes of 24 frames, paid for; one of its cast is behind a signed address."""
    scenes = ["@anna wakes up.", vidu.Scene("She walks.\nOut.", title="Out, 猫", seed=7), "@ben waits."]
    cast = vidu.Cast(anna=photo, ben=SECRET_URL)
    film = vidu.Film(scenes, cast=cast, references=photo[::-1], title="A morning", seed=np.int64(42), client=client)
    return film.shoot(confirm=True, budget_usd=5)


def read(path):
    return otio.adapters.read_from_file(str(path))


def track(timeline, kind):
    found = [one for one in timeline.tracks if one.kind == kind]
    return found[0] if found else None


def frames(time_range):
    return time_range.start_time.value, time_range.duration.value, time_range.duration.rate


def test_a_timeline_has_a_clip_for_each_scene(film):
    """Names, available and source ranges in frames, and media that is where it says."""
    timeline = read(film.save("film.otio"))
    assert timeline.name == "A morning"
    clips = list(track(timeline, "Video"))
    assert [clip.name for clip in clips] == ["Scene 1", "Out, 猫", "Scene 3"]
    for clip, kept in zip(clips, film.videos, strict=True):
        assert frames(clip.source_range) == frames(clip.media_reference.available_range) == (0, 24, 24)
        assert Path(clip.media_reference.target_url) == kept.path.resolve()
        assert Path(otio.url_utils.filepath_from_url(clip.media_reference.target_url)).read_bytes() == kept.bytes
    assert timeline.duration().to_seconds() == film.video.info.duration


def test_a_timeline_has_the_clips_own_sound_beside_them(film):
    """The sound lies under the pictures, frame by frame."""
    timeline = read(film.save("film.otio"))
    sound = list(track(timeline, "Audio"))
    assert [frames(one.source_range) for one in sound] == [(0, 24, 24)] * 3
    assert [one.media_reference.target_url for one in sound] == [str(one.path.resolve()) for one in film.videos]


def test_markers_are_where_the_chapters_are(film):
    """Each scene begins at a marker with its title, at the frame at which its chapter begins."""
    markers = read(film.save("film.otio")).tracks.markers
    assert [(one.name, one.marked_range.start_time.value) for one in markers] == [
        ("Scene 1", 0),
        ("Out, 猫", 24),
        ("Scene 3", 48),
    ]


def test_recipes_are_in_the_metadata_without_secrets(film, tmp_path):
    """What was asked of each scene and what it cost; no picture, no signature, no key, and no path of this machine."""
    path = film.save("film.otio")
    timeline = read(path)
    told = timeline.metadata["vidu_nb"]
    assert (told["film"]["title"], told["film"]["parameters"]["seed"]) == ("A morning", 42)
    first, second, third = (clip.metadata["vidu_nb"] for clip in track(timeline, "Video"))
    assert [one["number"] for one in (first, second, third)] == [1, 2, 3]
    assert second["prompt"] == "She walks.\nOut."
    assert second["clip"]["request"]["seed"] == 7
    assert second["clip"]["receipt"]["cost_usd"] == 0.5
    text = path.read_text(encoding="utf-8")
    assert not [secret for secret in ("s3cret", "X-Amz", KEY, "base64") if secret in text]
    metadata = json.dumps([first["clip"]["request"], dict(told["film"])], default=str)
    assert str(tmp_path) not in metadata


def test_huge_numbers_in_a_recipe_are_kept_as_text(film):
    """OpenTimelineIO's whole numbers have 64 bits; a recipe's may have more."""
    timeline = edit.timeline_of(
        film.replace(title=str(2**70)), [vidu.Video(film.videos[0].path, None, Receipt(engine="e", seed=2**70))] * 3
    )
    [clip, *_] = track(timeline, "Video")
    assert clip.metadata["vidu_nb"]["clip"]["receipt"]["seed"] == str(2**70)


@pytest.mark.parametrize(("seconds", "overlap"), [(0.25, 6), (0.2, 5), (2.0, 12)])
def test_dissolves_are_transitions_over_handles(seconds, overlap, film):
    """A dissolve is centred on its cut; no clip is asked for frames that it doesn't have, whatever its length."""
    timeline = edit.timeline_of(film.replace(dissolve=seconds), film.videos)
    pictures = track(timeline, "Video")
    transitions = [one for one in pictures if isinstance(one, otio.schema.Transition)]
    assert [one.transition_type for one in transitions] == ["SMPTE_Dissolve"] * 2
    assert [one.in_offset.value + one.out_offset.value for one in transitions] == [overlap] * 2
    assert pictures.duration().value == 72 - 2 * overlap
    for clip in pictures.find_clips():
        before, after = pictures.neighbors_of(clip)
        start, length, _ = frames(clip.source_range)
        assert start - (before.in_offset.value if before else 0) >= 0
        assert start + length + (after.out_offset.value if after else 0) <= 24
    sound = track(timeline, "Audio")
    assert sound.duration() == pictures.duration()


def test_a_marker_stands_where_a_scene_begins_to_be_seen(film):
    """With a dissolve that is before the cut, and the joined clip's length is the timeline's."""
    timeline = edit.timeline_of(film.replace(dissolve=0.25), film.videos)
    assert [one.marked_range.start_time.value for one in timeline.tracks.markers] == [0, 18, 36]
    assert timeline.duration().value == 60


def test_a_composed_track_is_the_joined_clips(film):
    """Music over the whole film lies under all scenes; its file is the film's own."""
    film = film.replace(music="film")
    [music] = track(read(film.save("film.otio")), "Audio")
    assert (music.name, frames(music.source_range)) == ("Music", (0, 72, 24))
    assert Path(music.media_reference.target_url) == film.video.path.resolve()


def wave(path, seconds):
    """A sound file of silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, int(8000 * seconds)), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("seconds", "lengths"), [(9.0, [72]), (1.25, [30, 30, 12]), (3.0, [72])])
def test_a_sound_file_lies_under_the_whole_film(seconds, lengths, film, tmp_path):
    """It is cut where it is longer, and laid again and again where it is shorter."""
    music = wave(tmp_path / "my music #1.wav", seconds)
    timeline = read(film.replace(music=music).save("film.otio"))
    sound = list(track(timeline, "Audio"))
    assert [one.source_range.duration.value for one in sound] == lengths
    for one in sound:
        assert Path(otio.url_utils.filepath_from_url(one.media_reference.target_url)) == music


def test_a_film_without_sound_has_no_track_for_it(film):
    """None where none is asked for."""
    assert track(read(film.replace(music="none").save("film.otio")), "Audio") is None


def test_clips_without_sound_leave_gaps(film, make_clip, photo):
    """Where one clip of several is silent, the others' sound stays where it was."""
    silent = vidu.Video(make_clip("silent.mp4", [photo] * 12, sound=False))
    timeline = edit.timeline_of(film, [film.videos[0], silent, film.videos[2]])
    assert [type(one).__name__ for one in track(timeline, "Audio")] == ["Clip", "Gap", "Clip"]
    assert track(timeline, "Audio").duration().value == track(timeline, "Video").duration().value == 60


def test_other_rates_keep_their_own_frames(film, make_clip, photo):
    """A clip of another rate is named in its own frames, and takes as long as it does."""
    slow = vidu.Video(make_clip("slow.mp4", [photo] * 30, fps=12))
    timeline = edit.timeline_of(film.replace(dissolve=0.5), [film.videos[0], slow, film.videos[2]])
    [_, second, _] = track(timeline, "Video").find_clips()
    assert frames(second.media_reference.available_range) == (0, 30, 12)
    assert timeline.duration().to_seconds() == pytest.approx(1 + 2.5 + 1 - 2 * 0.5, abs=0.1)


@pytest.mark.parametrize("folder", ["plain", "with spaces", "猫", "50% & #1?"])
def test_media_is_found_wherever_the_archive_is(folder, studio, photo, tmp_path):
    """OpenTimelineIO's own function finds each clip, whatever the folders are called."""
    client = vidu.Client(KEY, studio.root, tmp_path / folder / "archive", notify=len)
    film = vidu.Film(["A wave."], references=photo, client=client).shoot(confirm=True)
    for name in ("film.otio", "film.xml"):
        [clip] = track(read(film.save(name)), "Video").find_clips()
        assert Path(otio.url_utils.filepath_from_url(clip.media_reference.target_url)) == film.videos[0].path.resolve()


# In other forms.


def test_an_edl_lists_the_scenes(film):
    """CMX 3600: a line for each scene with reel and timecodes, its name, its file; read back the same."""
    path = film.save("film.edl")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("TITLE: A morning")
    assert "002  SCENE002 V     C        00:00:00:00 00:00:01:00 00:00:01:00 00:00:02:00" in text
    assert "* FROM CLIP NAME:  Out, 猫" in text
    assert f"* FROM CLIP: {film.videos[2].path.resolve()}" in text
    clips = list(track(read(path), "Video"))
    assert [(clip.name, clip.source_range.duration.value) for clip in clips] == [
        ("Scene 1", 24),
        ("Out, 猫", 24),
        ("Scene 3", 24),
    ]


def test_an_edl_has_dissolves(film):
    """Two lines for each dissolve, of as many frames as it has."""
    text = film.replace(dissolve=0.25).save("film.edl").read_text(encoding="utf-8")
    assert text.count(" D 006 ") == 2


def test_an_xml_opens_in_final_cut_and_premiere(film):
    """Final Cut Pro 7: one sequence, three clips with addresses of files, markers, and their sound."""
    path = film.save("film.xml")
    root = ET.parse(path).getroot()
    assert root.tag == "xmeml"
    assert len(root.findall(".//video/track/clipitem")) == len(root.findall(".//audio/track/clipitem")) == 3
    assert root.find(".//pathurl").text.startswith("file://localhost/")
    assert [one.text for one in root.findall(".//sequence/marker/name")] == ["Scene 1", "Out, 猫", "Scene 3"]
    assert [clip.name for clip in track(read(path), "Video").find_clips()] == ["Scene 1", "Out, 猫", "Scene 3"]


def test_a_bundle_holds_the_clips(film):
    """An .otioz is one file for another machine: the timeline and copies of its media."""
    path = film.save("film.otioz")
    for clip in read(path).find_clips():
        assert clip.media_reference.target_url.startswith("media/")
    assert path.stat().st_size > sum({one.path: one.info.size_bytes for one in film.videos}.values())
    assert film.save("film.otioz") == path, "an old one is replaced"


def test_a_loaded_film_goes_to_an_editor_too(film, client):
    """Its scenes' clips are looked up in the archive."""
    back = vidu.load(film.save("film.mp4")).replace(client=client)
    assert len(list(read(back.save("film.otio")).find_clips())) == 6


# What is missing, and what is refused.


def test_missing_scenes_are_named(client, photo):
    """A timeline has every scene, or isn't written."""
    film = vidu.Film(["A wave.", "A cat."], references=photo, client=client)
    with pytest.raises(NotKept, match="2 of 2 scenes have no clip yet: 1, 2"):
        film.save("film.otio")
    assert not Path("film.otio").exists()


@pytest.mark.parametrize(
    ("ending", "package"),
    [(".fcpxml", "otio-fcpx-xml-adapter"), (".edl", "otio-cmx3600-adapter"), (".xml", "otio-fcp-adapter")],
)
def test_a_missing_adapter_is_named(ending, package, film, monkeypatch):
    """The sentence has pip's command; nothing is written."""
    monkeypatch.setattr(edit, "_installed", lambda _: {".otio"})
    with pytest.raises(ViduError, match=f"pip install {package}"):
        film.save(f"film{ending}")
    assert not Path(f"film{ending}").exists()


@pytest.mark.parametrize("name", ["film.otio", "film.edl"])
def test_a_missing_library_is_named_by_its_extra(name, film, monkeypatch):
    """Without OpenTimelineIO the sentence names the extra; MP4 and all else are saved without it."""
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(ViduError, match=r"OpenTimelineIO is not installed; nothing was saved\..*vidu-nb\[edit\]"):
        film.save(name)
    assert film.save("film.mp4").exists()


def test_a_refusal_lists_the_endings(film):
    """Whoever asks for a form that nobody writes reads which there are."""
    with pytest.raises(
        InvalidRequest, match=r"ends in \.mp4, \.gif, \.webp, \.png, \.otio, \.otioz, \.edl, \.xml or \.fcpxml"
    ):
        film.save("film.mov")


def test_an_adapter_that_fails_is_our_own_error(film, monkeypatch, tmp_path):
    """Whatever somebody's adapter raises; no half of a file stays behind."""

    def broken(*_, **__):
        raise AttributeError("no such thing")

    monkeypatch.setattr(otio.adapters, "write_to_file", broken)
    with pytest.raises(ViduError, match=r"adapter cmx_3600 can't write this film \(AttributeError: no such thing\)"):
        film.save("film.edl")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["archive"]
