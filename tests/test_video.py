"""A clip and its papers: saved whole or not at all, and read back as what was asked."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from faults import KEY as SERVICE_KEY
from PIL import Image

import vidu_nb as vidu
from vidu_nb import media
from vidu_nb.commands.cli import main
from vidu_nb.errors import InvalidRequest, ViduError
from vidu_nb.receipt import Receipt, number
from vidu_nb.recipe import PICTURES_BOX, RECIPE_TAG
from vidu_nb.references.reference import Reference
from vidu_nb.request import VideoRequest
from vidu_nb.video import Video


def test_a_saved_clip_gives_its_request_and_receipt_back(small_video):
    """What was asked, what it cost and the key of the request survive in the file alone."""
    back = vidu.load(small_video.save("kept/clip.mp4"))
    assert back.request == small_video.request
    assert back.request.key() == small_video.request.key()
    assert back.receipt == small_video.receipt
    assert [one.name for one in back.request.references] == ["wave.png"]


def test_a_saved_clip_can_be_saved_again(small_video):
    """A copy of a copy, or a copy onto itself, tells the same."""
    first = vidu.load(small_video.save("clip.mp4"))
    again = vidu.load(first.save("clip.mp4"))
    assert (again.request, again.receipt) == (small_video.request, small_video.receipt)


def test_ffprobe_shows_the_recipe(small_video):
    """The recipe is a metadata tag that any tool can read: the request, the receipt, no pictures."""
    path = small_video.save("clip.mp4")
    shown = ["ffprobe", "-v", "error", "-show_entries", "format_tags", "-of", "json", path]
    tags = json.loads(subprocess.run(shown, capture_output=True, check=True).stdout)["format"]["tags"]
    recipe = json.loads(tags[RECIPE_TAG])
    assert recipe["request"]["prompt"] == "A wave. Then calm."
    assert recipe["request"]["seed"] == 7
    assert recipe["receipt"]["cost_usd"] == 0.5
    assert "base64" not in tags[RECIPE_TAG]


def test_a_clip_for_strangers_holds_no_pictures(small_video):
    """Saved without references the file still plays and tells its receipt, but no picture is in it."""
    path = small_video.save("clip.mp4", references=False)
    picture = small_video.request.references[0].url.partition(",")[2].encode()
    assert picture not in path.read_bytes()
    back = vidu.load(path)
    assert (back.request, back.receipt) == (None, small_video.receipt)
    assert picture in small_video.save("whole.mp4").read_bytes(), "this test would not notice a picture"


def test_references_by_url_need_no_pictures_in_the_file(small_clip):
    """A request whose references are URLs comes back even from a clip saved without references."""
    request = VideoRequest(prompt="A cat", references=["https://e.com/cat.png", "https://e.com/dog.png"])
    back = vidu.load(Video(small_clip, request).save("clip.mp4", references=False))
    assert back.request == request


def test_saving_into_a_folder_keeps_the_name(small_video, tmp_path):
    """A folder as a target means a file of the clip's own name in it."""
    assert small_video.save(tmp_path) == (tmp_path / "small.mp4").resolve()


def test_a_failed_save_leaves_the_old_file_and_no_litter(small_video, tmp_path, monkeypatch):
    """When the disk fails at the last moment, the old file is untouched and nothing lies beside it."""
    old = tmp_path / "clip.mp4"
    old.write_bytes(b"the old one")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        small_video.save(old)
    assert old.read_bytes() == b"the old one"
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_saving_a_lost_clip_leaves_no_litter(small_video, tmp_path):
    """A clip whose file is gone is our own error, and no half of a copy stays behind."""
    lost = Video(tmp_path / "gone.mp4", small_video.request, small_video.receipt)
    with pytest.raises(ViduError, match=r"gone\.mp4 does not exist"):
        lost.save("copy.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_file_loads_without_papers(small_clip):
    """A clip from elsewhere is a video; what it doesn't tell is None."""
    video = vidu.load(small_clip)
    assert (video.path, video.request, video.receipt, video.is_preview) == (small_clip.resolve(), None, None, False)
    assert video.caption == "small.mp4"


def tagged(clip, recipe):
    media.write_tags(clip, "tagged.mp4", {RECIPE_TAG: recipe if isinstance(recipe, str) else json.dumps(recipe)})
    return Path("tagged.mp4")


def test_a_newer_recipe_is_refused_with_the_cure(small_clip):
    """A recipe that a later version wrote is not half understood, but told."""
    with pytest.raises(ViduError, match=r"tagged\.mp4 has a recipe of format 2\. Upgrade vidu-nb"):
        vidu.load(tagged(small_clip, {"format": 2}))


GOOD = {"prompt": "A cat", "image_urls": [{"name": "", "size": None, "sha256": "0" * 64, "url": "https://e.com/a.png"}]}


@pytest.mark.parametrize(
    "recipe",
    [
        "", "{", "[]", "5", "null", '{"format": null}', '{"format": "x"}', "{}", "[" * 5000,
        {"format": 1},
        {"format": 1, "request": 5, "receipt": 5},
        {"format": 1, "request": {}, "receipt": {}},
        {"format": 1, "request": {"prompt": "x", "image_urls": {"a": 1}}},
        {"format": 1, "request": {**GOOD, "image_urls": [None]}},
        {"format": 1, "request": {**GOOD, "image_urls": [{"name": 1, "sha256": 2, "url": 3}]}},
        {"format": 1, "request": {**GOOD, "image_urls": [{"name": "", "sha256": "", "url": "/etc/passwd"}]}},
        {"format": 1, "request": {**GOOD, "seed": "7"}},
        {"format": 1, "request": {**GOOD, "surprise": 1}},
        {"format": 1, "receipt": {"engine": 5, "cost_usd": "much", "seed": "x", "elapsed_s": [], "replayed": "no"}},
        {"format": 1, "receipt": {"engine": "segmind", "cost_usd": "NaN", "credits_remaining": -1}},
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_a_mangled_recipe_never_hides_the_clip(recipe, small_clip):
    """Whatever stands where the recipe should, the clip loads, captions itself and shows."""
    video = vidu.load(tagged(small_clip, recipe))
    assert video.request is None
    assert video.caption
    assert video._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("box", [b"", b"\xff", b"{}", b"[]", b"[1]", b'["x"]', b"[" * 100_000, b'["/etc/passwd"]'])
def test_mangled_pictures_never_hide_the_clip(box, small_video):
    """Whatever stands where the pictures should, the clip loads with its receipt, and no file is read."""
    path = small_video.save("clip.mp4", references=False)
    media.append_box(path, PICTURES_BOX, box)
    back = vidu.load(path)
    assert (back.request, back.receipt) == (None, small_video.receipt)


def test_unknown_figures_are_unknown():
    """Figures that a service tells as nonsense count as unknown, never as zero."""
    headers = {"x-cost": "NaN", "x-remaining-credits": "-1", "x-seed-value": "1.5", "x-request-id": ""}
    receipt = Receipt.from_headers(headers, engine="segmind", model="m", elapsed_s=1, sha256="")
    figures = (receipt.cost_usd, receipt.credits_remaining, receipt.seed, receipt.request_id)
    assert figures == (None, None, None, None)
    assert [number(text) for text in ("inf", "", None, "1e999", 10**400, "0.018")] == [None] * 5 + [0.018]


def test_a_strange_file_name_never_loses_a_clip(small_clip, photo):
    """A picture's name that is no text, as a disk may hold it, doesn't keep its clip from being saved."""
    request = VideoRequest(prompt="A cat", references=[Reference(photo, name="\udcff\n.png")])
    assert vidu.load(Video(small_clip, request).save("clip.mp4")).request == request


def test_a_caption_tells_a_preview_from_a_paid_clip(small_video):
    """The caption names ratio, length, seed and price, and calls a preview a preview."""
    assert small_video.caption == "16:9 · 5 s · seed 7 · segmind, $0.50"
    free = Video(small_video.path, small_video.request, Receipt(engine="preview"))
    assert free.caption == "16:9 · 5 s · seed 7 · preview, free"
    chance = Video(small_video.path, small_video.request.replace(seed=0), Receipt(engine="segmind", seed=81))
    assert chance.caption == "16:9 · 5 s · seed 81 · segmind, cost unknown"


def test_frames_and_poster_come_from_the_clip(small_video):
    """A video's frames are arrays and its poster is an image, both as small as asked."""
    assert next(small_video.frames(side=64)).shape == (48, 64, 3)
    assert small_video.poster(side=64).size == (64, 48)
    assert small_video.bytes == small_video.path.read_bytes()


# Small animated pictures.


@pytest.mark.parametrize(("name", "kind"), [("wave.gif", "GIF"), ("wave.webp", "WEBP"), ("WAVE.GIF", "GIF")])
def test_an_animated_picture_moves_as_the_clip_does(name, kind, small_video):
    """A GIF or WebP repeats, lasts as long as the clip at 12 frames a second, and shows its pictures."""
    with Image.open(small_video.save(name)) as picture:
        assert (picture.format, picture.n_frames, picture.info["loop"]) == (kind, 12, 0)
        assert picture.size == (256, 192)
        lengths = []
        for number, expected in enumerate(list(small_video.frames())[::2]):
            picture.seek(number)
            shown = np.asarray(picture.convert("RGB"), int)
            lengths.append(picture.info["duration"])
            assert np.abs(shown - expected).mean() < 12, number
    assert sum(lengths) == pytest.approx(1000, abs=15)


def test_a_full_size_preview_is_made_small_with_its_badge(photo):
    """480 px on the longer side, a few megabytes; PREVIEW stands in its corner as in the clip."""
    video = vidu.preview("A wave, pan left.", photo, aspect_ratio="9:16", bgm=False)
    with Image.open(video.save("wave.gif")) as picture:
        assert (picture.size, picture.n_frames) == ((270, 480), 60)
        corner = np.asarray(picture.convert("RGB"), int)[:60, 135:]
    expected = np.asarray(video.poster(at=0, side=480), int)[:60, 135:]
    assert np.abs(corner - expected).mean() < 12
    assert Path("wave.gif").stat().st_size < 5_000_000
    assert video.save("wave.webp").stat().st_size < 2_000_000


def test_a_slow_clip_keeps_its_frames(make_clip, photo):
    """A clip of fewer frames than 12 a second is not sped up."""
    slow = Video(make_clip("slow.mp4", [np.roll(photo, 9 * i, axis=1) for i in range(6)], fps=6, sound=False))
    for name in ("slow.gif", "slow.webp"):
        with Image.open(slow.save(name)) as picture:
            lengths = []
            for number in range(picture.n_frames):
                picture.seek(number)
                picture.load()  # a WebP tells its frame's length only then
                lengths.append(picture.info["duration"])
        assert sum(lengths) == pytest.approx(1000, abs=15), name


@pytest.mark.parametrize("name", ["x.mov", "x.avi", "x.png", "x.mp4.txt", "no such folder/x.webm"])
def test_another_ending_is_refused_before_anything_is_written(name, small_video, tmp_path):
    """The sentence names the endings that are written; no file and no folder appears."""
    with pytest.raises(InvalidRequest, match=r"a copy's name ends in \.mp4, \.gif or \.webp") as caught:
        small_video.save(name)
    assert caught.value.field == "path"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.gif", "x.webp"])
def test_a_lost_clip_makes_no_picture(name, tmp_path):
    """Its own error, and no half of a picture stays behind."""
    with pytest.raises(ViduError, match=r"gone\.mp4 does not exist"):
        Video(tmp_path / "gone.mp4").save(name)
    assert list(tmp_path.iterdir()) == []


# Copies, and the clips in an archive.


@pytest.fixture
def client(studio, tmp_path):
    """A client of a paid service, whose archive is in the working folder."""
    return vidu.Client(SERVICE_KEY, studio.root, tmp_path / "archive", notify=len)


@pytest.fixture
def kept(client, photo):
    """A clip that was paid for, where the archive keeps it."""
    return client.generate(VideoRequest(prompt="A wave", references=photo, seed=7))


def linked(link, target):
    link.symlink_to(target)
    return link


def hard_linked(link, target):
    link.hardlink_to(target)
    return link


#: Ways to name a kept clip's place, or another one among an archive's files.
INSIDE = {
    "itself": lambda clip: clip,
    "as text": str,
    "relative": lambda clip: clip.relative_to(Path.cwd()),
    "around": lambda clip: clip.parent / ".." / clip.parent.name / clip.name,
    "its folder": lambda clip: clip.parent,
    "a link to it": lambda clip: linked(Path("link.mp4"), clip),
    "a link to its folder": lambda clip: linked(Path("clips"), clip.parent) / clip.name,
    "a link to the archive": lambda clip: linked(Path("kept"), clip.parent.parent) / clip.parent.name / clip.name,
    "a hard link": lambda clip: hard_linked(Path("hard.mp4"), clip),
    "in capitals": lambda clip: clip.with_name(clip.name.upper()),
    "beside it": lambda clip: clip.with_name("copy.mp4"),
    "its papers": lambda clip: clip.with_suffix(".json"),
    "among the pictures": lambda clip: clip.parents[1] / "references" / "copy.mp4",
    "in the journal": lambda clip: clip.parents[1] / "journal" / "1a" / "copy.mp4",
    "in the archive": lambda clip: clip.parents[1] / "copy.mp4",
    "the archive": lambda clip: clip.parents[1],
    "a new folder in the archive": lambda clip: clip.parents[1] / "mine" / "copy.mp4",
}


@pytest.mark.parametrize("where", INSIDE)
def test_a_copy_never_takes_a_kept_clips_place(client, studio, kept, where):
    """However the place is spelled, the copy is refused with a place that is good, and the clip replays untouched."""
    before = kept.bytes
    with pytest.raises(InvalidRequest, match="save the copy outside of the archive") as caught:
        kept.save(INSIDE[where](kept.path))
    assert caught.value.field == "path"
    again = client.generate(kept.request)
    assert (again.path, again.bytes, again.receipt.replayed) == (kept.path, before, True)
    assert len(studio.posts) == 1


@pytest.mark.parametrize("left", ["journal", "journal incoming locks", "journal incoming locks references quarantine"])
def test_an_archive_is_known_without_its_journal(kept, left, small_video):
    """Brought elsewhere, with its clips alone or with more, it is an archive still: no clip is saved among them."""
    moved = kept.path.parents[1].rename("moved")
    for name in left.split():
        shutil.rmtree(moved / name, ignore_errors=True)
    with pytest.raises(InvalidRequest, match="save the copy outside of the archive"):
        small_video.save(moved / kept.path.parent.name / kept.path.name)


def test_saving_is_free_where_nothing_is_kept(kept, small_video, monkeypatch):
    """Beside an archive, in folders with like names, onto another copy, and in a working folder that is an archive."""
    assert kept.save("copy.mp4") == Path("copy.mp4").resolve()
    for name in ("references", "drafts", "uploads"):
        assert small_video.save(f"film/{name}/copy.mp4").exists()
    copy = vidu.load("copy.mp4")
    assert copy.save("copy.mp4") == copy.path
    monkeypatch.chdir(kept.path.parents[1])
    assert kept.save("copy.mp4").exists()
    assert kept.save("best/copy.mp4").exists()
    with pytest.raises(InvalidRequest):
        kept.save(kept.path.relative_to(Path.cwd()))


@pytest.mark.parametrize("target", ["archive/preview/x.mp4", "archive/x.mp4", "x.mov"])
def test_a_command_refuses_such_a_place_before_it_asks(kept, studio, target, capsys, monkeypatch, encoded):
    """`-o` into an archive or with a strange ending is wrong usage, told before anything is made or paid for."""
    monkeypatch.setenv("SEGMIND_API_KEY", SERVICE_KEY)
    monkeypatch.setenv("SEGMIND_BASE_URL", studio.root)
    Path("wave.png").write_bytes(encoded())
    assert main(["generate", "Another wave", "-r", "wave.png", "-o", target]) == 2
    told = capsys.readouterr().err
    assert ("a copy's name ends in" if target == "x.mov" else "save the copy outside of the archive") in told
    assert len(studio.posts) == 1
    assert kept.path.exists()
