"""Files that strangers send: nothing that they say of themselves writes, reads or pays for anything else."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb import media
from vidu_nb.recipe import PICTURES_BOX, RECIPE_TAG

pytestmark = pytest.mark.usefixtures("small_frames")


def evil_clip(small_clip, target, *, picture, sha256):
    """An MP4 whose recipe calls a picture's hash whatever it wants."""
    note = {"name": "cat.png", "size": [256, 192], "sha256": sha256, "url": None}
    said = {"format": 1, "request": {"prompt": "A wave. Zoom in.", "image_urls": [note], "aspect_ratio": "1:1"}}
    media.write_tags(small_clip, target, {RECIPE_TAG: json.dumps(said)})
    media.append_box(target, PICTURES_BOX, json.dumps([picture]).encode())
    return target


@pytest.mark.parametrize("engine", ["preview", "nobody", "storage"])
@pytest.mark.parametrize("claim", ["../../mine/photo", "{tmp_path}/mine/photo", "..\\mine\\photo"])
def test_a_strangers_clip_overwrites_no_file(small_clip, photo, tmp_path, engine, claim, faults):
    """A recipe's hash that is a path leads nowhere: the user's pictures stay as they are, whoever is asked."""
    mine = tmp_path / "mine" / "photo.png"
    mine.parent.mkdir()
    mine.write_bytes(b"my picture")
    mine.with_suffix(".json").write_bytes(b"my notes")
    picture = vidu.Reference(photo).url
    clip = evil_clip(small_clip, tmp_path / "evil.mp4", picture=picture, sha256=claim.format(tmp_path=tmp_path))
    client = {
        "preview": lambda: vidu.Client.preview(quality="draft"),
        "nobody": lambda: vidu.Client(KEY, "http://127.0.0.1:9", timeout=2, notify=len),
        "storage": lambda: vidu.Client(KEY, faults.root, uploads="storage", notify=len),
    }[engine]()
    if request := vidu.load(clip).request:
        with contextlib.suppress(vidu.errors.ViduError):
            client.generate(request)
    assert mine.read_bytes() == b"my picture"
    assert mine.with_suffix(".json").read_bytes() == b"my notes"
    outside = {path.name for path in tmp_path.iterdir()} - {"archive"}
    assert outside == {"mine", "evil.mp4"}


# A picture under another's hash.


def shades(kind, step):
    """A picture that is sent without loss, or one that is too large for that."""
    width, height = {"png": (256, 192), "jpg": (2000, 1200)}[kind]
    y, x = np.mgrid[:height, :width]
    return np.stack([x // step, y // step, (x + y) // step % 256], -1).astype(np.uint8)


def with_its_hash_claimed(clip, target, *, hers, mine):
    """Her saved clip, with the hash of my picture claimed for the picture in it."""
    vidu.Video(clip, hers).save(target)
    said = json.loads(media.read_tags(target)[RECIPE_TAG])
    said["request"]["image_urls"][0]["sha256"] = mine.references[0].sha256
    said["request"]["image_urls"][0]["name"] = mine.references[0].name
    media.write_tags(target, evil := target.with_name("evil.mp4"), {RECIPE_TAG: json.dumps(said)})
    media.append_box(evil, PICTURES_BOX, json.dumps([hers.references[0].url]).encode())
    return evil


@pytest.fixture
def client(studio, tmp_path):
    """A client of a paid service with an archive of its own."""
    return vidu.Client(KEY, studio.root, tmp_path / "archive", notify=len)


def asking(*pictures, **changes):
    return vidu.VideoRequest(prompt="A wave", references=list(pictures), **changes)


@pytest.mark.parametrize("first", ["mine", "hers"])
@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_picture_never_passes_for_another(client, studio, small_clip, tmp_path, kind, first):
    """What a recipe calls a picture's hash is no reason to replay one picture's clip for another's."""
    mine, hers = asking(shades(kind, 8)), asking(shades(kind, 9))
    assert mine.references[0].url.startswith(f"data:image/{kind.replace('jpg', 'jpeg')}")
    evil = vidu.load(with_its_hash_claimed(small_clip, tmp_path / "hers.mp4", hers=hers, mine=mine)).request
    assert evil.references[0].url == hers.references[0].url
    order = [mine, evil] if first == "mine" else [evil, mine]
    made = [client.generate(one) for one in (*order, *order)]
    assert [one.receipt.replayed for one in made] == [False, False, True, True]
    assert len(studio.posts) == 2


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_my_own_clip_replays_from_its_file(client, studio, small_clip, kind):
    """A request that is loaded from a saved clip, or from a copy of a copy, is answered by the archive that paid."""
    request = asking(shades(kind, 8), "https://example.com/cat.png")
    client.generate(request)
    loaded = vidu.load(vidu.Video(small_clip, request).save("one.mp4"))
    copied = vidu.load(loaded.save("two.mp4"))
    for again in (loaded.request, copied.request, client.archive.recognise(copied.request)):
        assert client.generate(again).receipt.replayed
    assert client.archive.recognise(copied.request).key() == request.key()
    assert loaded.request == request
    assert len(studio.posts) == 1


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_somebody_elses_clip_is_paid_for_once(client, studio, small_clip, kind):
    """Where the archive can't tell whether the hash is true, the picture is one of its own, and replays as such."""
    request = asking(shades(kind, 8))
    loaded = vidu.load(vidu.Video(small_clip, request).save("one.mp4")).request
    copied = vidu.load(vidu.Video(small_clip, loaded).save(".")).request
    made = [client.generate(one) for one in (loaded, loaded, copied)]
    assert [one.receipt.replayed for one in made] == [False, True, True]
    [entry] = client.archive.entries()
    kept = client.archive.open(entry)
    assert kept.request == request
    assert client.generate(kept.request).receipt.replayed
    assert len(studio.posts) == 1


def test_a_strangers_archive_vouches_for_nothing_in_mine(client, studio, tmp_path):
    """A folder that holds her picture under my picture's hash makes no clip of mine answer for hers."""
    mine, hers = asking(shades("jpg", 8)), asking(shades("jpg", 9))
    client.generate(mine)
    other = vidu.Client(KEY, studio.root, tmp_path / "hers", notify=len)
    other.generate(hers)
    [entry] = other.archive.entries()
    papers = json.loads(entry.path.read_text())
    papers["request"]["image_urls"][0]["sha256"] = mine.references[0].sha256
    entry.path.write_text(json.dumps(papers))
    [picture] = (tmp_path / "hers" / "references").iterdir()
    picture.rename(picture.with_stem(mine.references[0].sha256))
    [entry] = other.archive.entries()
    evil = other.archive.open(entry).request
    assert evil.references[0].url == hers.references[0].url
    assert not client.generate(evil).receipt.replayed
    assert client.generate(mine).receipt.replayed
    assert len(studio.posts) == 3


def test_a_recipe_names_no_file(small_clip, tmp_path, encoded):
    """Whatever else a recipe holds, no picture of this machine is read for it."""
    (tmp_path / "secret.png").write_bytes(encoded())
    note = {"name": "", "size": None, "sha256": 64 * "0", "url": "https://e.com/a.png"}
    for extra in ({"references": "secret.png"}, {"references": ["secret.png"]}):
        request = {"prompt": "A cat", "image_urls": [note], **extra}
        media.write_tags(small_clip, "evil.mp4", {RECIPE_TAG: json.dumps({"format": 1, "request": request})})
        opened = []
        with watching(opened):
            assert vidu.load("evil.mp4").request is None
        assert "secret.png" not in {Path(str(name)).name for name in opened}


@contextlib.contextmanager
def watching(opened):
    """Note the names of all files that are opened meanwhile."""
    watch = [True]
    sys.addaudithook(lambda event, args: opened.append(args[0]) if watch and event == "open" else None)
    yield
    watch.clear()
