"""The archive: clips found again by whatever is left of them, damage named, nothing read twice or left behind."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.commands.cli import main
from vidu_nb.errors import ArchiveError, NotKept, OutcomeUnknown
from vidu_nb.files import ABANDONED_S
from vidu_nb.folders import ClipName
from vidu_nb.request import VideoRequest
from vidu_nb.storage.archive import Archive
from vidu_nb.storage.maintenance import export, listing, nearest, prune, verify

CAT = "https://example.com/cat.png"
REQUEST = VideoRequest(prompt="A cat", references=CAT, seed=7)


@pytest.fixture
def client(faults, tmp_path):
    """Makes a client whose calls meet a fault: ``client("good")``; all share the archive."""
    return lambda kind="good": Client(KEY, faults.url(kind), tmp_path / "archive", timeout=10, notify=len)


def entry_files(tmp_path):
    """The one kept clip's metadata and MP4."""
    (found,) = (path for path in (tmp_path / "archive").glob("127*/*.json"))
    return found, found.with_suffix(".mp4")


def journal_file(tmp_path):
    (found,) = (tmp_path / "archive" / "journal").glob("*/*.json")
    return found


# Notes for other tools.


def tags_in(folder):
    """The notes for git and for backup tools, below a folder."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.name in {".gitignore", "CACHEDIR.TAG"}}


def test_git_offers_nothing_of_an_archive(client, tmp_path):
    """An archive that a call makes is ignored by git, as a whole; a paid clip is never marked as a cache."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "cat.txt").touch()
    client().generate(REQUEST)
    changed = subprocess.run(
        ["git", "status", "--short", "-uall"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert changed.stdout.splitlines() == ["?? cat.txt"]
    assert tags_in(tmp_path / "archive") == {".gitignore"}


def test_a_sweep_with_a_budget_makes_the_same_archive(studio, tmp_path):
    """Whatever is written first, the note for git is there."""
    client = Client(KEY, studio.root, tmp_path / "archive")
    vidu.sweep("A cat", CAT, seed=[1, 2], budget_usd=5, confirm=True, client=client)
    assert tags_in(tmp_path / "archive") == {".gitignore"}


def test_backup_tools_may_pass_over_previews_alone(asked, tmp_path):
    """The previews' folder bears the tag of a cache, in the standard's form; no clip, list or check is misled by it."""
    video = vidu.preview(**asked, quality="draft")
    archive = Archive()
    assert tags_in(archive.folder) == {".gitignore", "preview/CACHEDIR.TAG"}
    tag = (archive.folder / "preview" / "CACHEDIR.TAG").read_bytes()
    assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
    assert [row["state"] for row in verify(archive)] == ["ok"]
    exported = export(archive, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [Path(exported[0]["copy"]).name]
    prune(archive, [exported[0]["file"]])
    assert listing(archive) == []
    assert not video.path.exists()


@pytest.mark.parametrize("made_before", [["mine.txt"], [".gitignore"], ["preview/mine.txt"], []], ids=str)
def test_a_folder_that_was_there_before_is_left_as_it_is(asked, tmp_path, made_before):
    """It may hold a person's own work: no note of ours hides it from git or from a backup, and none is replaced."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for name in made_before:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    before = tags_in(folder)
    vidu.preview(**asked, quality="draft")
    ours = set() if "preview/mine.txt" in made_before else {"preview/CACHEDIR.TAG"}
    assert tags_in(folder) == before | ours
    assert all((folder / name).read_text() == "mine" for name in made_before)


def test_a_note_that_was_removed_stays_away(client, tmp_path):
    """Whoever puts an archive under version control deletes the note once."""
    client().generate(REQUEST)
    (tmp_path / "archive" / ".gitignore").unlink()
    client().generate(REQUEST, fresh=True)
    assert tags_in(tmp_path / "archive") == set()


# Damage, newer formats, links.

DAMAGE = {
    "garbage": b"\xff{not json",
    "empty": b"",
    "list": b"[]",
    "null": b"null",
    "no events": b'{"format": 1, "events": []}',
    "no facts": b'{"format": 1, "events": [{"state": "sent"}]}',
    "odd format": b'{"format": "one"}',
    "newer": b'{"format": 99, "new": true}',
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("which", ["journal", "metadata"])
def test_a_damaged_or_newer_file_is_named_and_left_alone(client, faults, tmp_path, which, damage):
    """Neither garbage nor a newer format means "absent": the file is named, not overwritten, and nothing is paid."""
    client().generate(REQUEST)
    journal = journal_file(tmp_path)
    path = journal if which == "journal" else entry_files(tmp_path)[0]
    path.write_bytes(DAMAGE[damage])
    for again in (False, True):
        with pytest.raises(ArchiveError, match="upgrade" if damage == "newer" else "damaged") as caught:
            client().generate(REQUEST, again=again)
        assert path.name in str(caught.value)
    assert path.read_bytes() == DAMAGE[damage]
    assert len(faults.posts()) == 1


def test_rotten_bytes_are_named_kept_and_not_paid_for_again(client, faults, tmp_path):
    """A clip whose bytes changed is no replay and no reason to pay; only fresh=True pays, and both stay."""
    client().generate(REQUEST)
    _, clip = entry_files(tmp_path)
    rotten = bytearray(clip.read_bytes())
    rotten[100] ^= 1
    clip.write_bytes(rotten)
    with pytest.raises(ArchiveError, match="has changed") as caught:
        client().generate(REQUEST)
    assert clip.name in str(caught.value)
    assert len(faults.posts()) == 1
    fresh = client().generate(REQUEST, fresh=True)
    assert len(faults.posts()) == 2
    assert fresh.path != clip
    assert clip.read_bytes() == rotten
    assert [row["state"] for row in verify(Archive(tmp_path / "archive"))] == ["damaged", "ok"]


def test_a_missing_clip_is_named_and_not_paid_for_again(client, faults, tmp_path):
    """Metadata whose clip was removed say so instead of paying."""
    client().generate(REQUEST)
    entry_files(tmp_path)[1].unlink()
    with pytest.raises(ArchiveError, match="can't be read"):
        client().generate(REQUEST)
    assert len(faults.posts()) == 1


@pytest.mark.parametrize("which", [0, 1], ids=["metadata", "clip"])
def test_a_link_in_place_of_a_kept_file_is_not_followed(client, faults, tmp_path, which):
    """A symbolic link stands for somebody else's file: it is named, and neither read nor paid for again."""
    client().generate(REQUEST)
    path = entry_files(tmp_path)[which]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArchiveError, match="is a link"):
        client().generate(REQUEST)
    assert len(faults.posts()) == 1


@pytest.mark.parametrize(
    "name",
    [
        "/etc/x.json",
        "../../secret/x_1x1_seed1_12345678.json",
        "../x_1x1_seed1_12345678.json",
        "C:\\x.json",
        ["a"],
        None,
    ],
)
def test_names_that_a_file_tells_are_never_used_as_paths(client, faults, tmp_path, name):
    """The journal's word for a clip's place counts only where it is one of our own names; the clip is found anyway."""
    made = client().generate(REQUEST)
    journal = journal_file(tmp_path)
    said = json.loads(journal.read_text())
    said["events"][-1]["entry"] = name
    journal.write_text(json.dumps(said))
    metadata, _ = entry_files(tmp_path)
    facts = json.loads(metadata.read_text())
    metadata.write_text(json.dumps(facts | {"path": "/etc/passwd", "clip": "../../../etc/passwd"}))
    (tmp_path / "x_1x1_seed1_12345678.json").write_text("{")
    replayed = client().generate(REQUEST)
    assert (replayed.path, replayed.receipt.replayed) == (made.path, True)
    assert len(faults.posts()) == 1


def test_a_clip_being_stored_by_another_kernel_is_not_taken_for_damaged(client, faults, tmp_path):
    """Metadata whose clip is still on its way to its place are no damage: the clip is brought in."""
    client().generate(REQUEST)
    _, clip = entry_files(tmp_path)
    journal = journal_file(tmp_path)
    said = json.loads(journal.read_text())
    incoming = tmp_path / "archive" / "incoming" / f"{said['id']}.body"
    clip.rename(incoming)
    journal.write_text(json.dumps(said | {"events": said["events"][:-1]}))
    assert client().generate(REQUEST).path == clip
    assert len(faults.posts()) == 1


def test_another_requests_clip_is_no_answer(client, faults):
    """A journal that names a clip of another request, as a stranger may write it, is not believed."""
    other = client().generate(REQUEST.replace(seed=8))
    client().generate(REQUEST)
    key = REQUEST.key(engine=client().engine, model=client().model)
    [attempt] = client().archive.journal.attempts_for(key)
    said = json.loads(attempt.path.read_text())
    said["events"][-1]["entry"] = f"{other.path.parent.name}/{other.path.stem}.json"
    attempt.path.write_text(json.dumps(said))
    assert client().generate(REQUEST).path != other.path
    assert len(faults.posts()) == 2


#: What may stand in a clip's JSON that somebody sent; none of it names a file, and none of it hides the clip.
ODD = {
    "a list for a request": {"request": [1]},
    "a text for a request": {"request": "../../x"},
    "no pictures": {"request": {"prompt": "A cat"}},
    "a number of pictures": {"request": {"prompt": "A cat", "image_urls": 7}},
    "a text for a picture": {"request": {"prompt": "A cat", "image_urls": ["../../x.png"]}},
    "a path for a hash": {"request": {"prompt": "A cat", "image_urls": [{"sha256": "../../x", "url": None}]}},
    "a number for a hash": {"request": {"prompt": "A cat", "image_urls": [{"sha256": 7, "url": None}]}},
    "a file for a URL": {
        "request": {"prompt": "A cat", "image_urls": [{"sha256": "0" * 64, "url": "/etc/passwd", "name": ""}]}
    },
    "files for references": {"request": {"prompt": "A cat", "image_urls": [], "references": ["x.png"]}},
    "an odd receipt": {"receipt": {"engine": 5, "seed": [], "created_at": {}, "model": None, "cost_usd": "much"}},
}


@pytest.mark.parametrize("odd", ODD)
def test_what_a_stranger_wrote_beside_a_clip_hides_no_clip(client, tmp_path, odd, encoded):
    """It is listed, verified, opened and saved; the request is None where it makes no sense, and no file is read."""
    clip = client().generate(REQUEST)
    (tmp_path / "x.png").write_bytes(encoded())
    metadata, _ = entry_files(tmp_path)
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | ODD[odd]))
    archive = client().archive
    [row] = listing(archive)
    assert row["file"] == f"{clip.path.parent.name}/{clip.path.name}"
    assert [row["state"] for row in verify(archive)] == ["ok"]
    [entry] = archive.entries()
    opened = archive.open(entry)
    assert opened.bytes == clip.bytes
    assert (opened.request is None) == ("request" in ODD[odd])
    assert opened.caption
    assert nearest(archive, REQUEST.replace(seed=8), engine=client().engine)


@pytest.mark.parametrize("host", ["journal", "references", "Drafts", "locks.", "--budgets"])
def test_no_service_gets_a_folder_of_the_archives_own(tmp_path, host):
    """A host that is called like one of them has its clips in a folder of its own."""
    archive = Archive(tmp_path)
    attempt = archive.journal.open(
        "a" * 64, engine=host, model="m", lock="a" * 64, price_usd=0, request={"prompt": "A", "seed": 1}
    )
    entry = archive.store(attempt.add("sent"), b"clip", vidu.Receipt(engine=host, sha256="0" * 64))
    assert entry.path.parent.name not in ("journal", "references", "drafts", "locks", "budgets")
    assert [found.path for found in archive.entries()] == [found.path for found in archive.entries(engine=host)]
    assert archive.find("a" * 64, engine=host) == entry


@pytest.mark.parametrize(
    "request_said",
    [
        {"prompt": "../../x", "seed": -1, "aspect_ratio": "../16:9"},
        {"prompt": "\0" * 5000, "seed": 10**300, "aspect_ratio": "9" * 5000},
        {"prompt": "犬", "seed": 1.5, "aspect_ratio": None},
        {"prompt": "CON", "seed": True},
    ],
    ids=["paths", "endless", "odd", "bare"],
)
def test_a_clip_gets_a_name_whatever_was_asked(tmp_path, request_said):
    """What was paid for is kept under a name that is found again, below its engine's folder."""
    archive = Archive(tmp_path / "archive")
    key = "ab" * 32
    attempt = archive.journal.open(key, engine="segmind", model="m", lock=key, price_usd=0.5, request=request_said)
    entry = archive.store(attempt.add("sent"), b"clip", vidu.Receipt(engine="segmind", sha256="0" * 64))
    assert entry.path.parent == tmp_path / "archive" / "segmind"
    assert [found.path for found in archive.entries()] == [entry.path]
    assert {one.start for one in archive.keys("segmind")} == {key[:8]}
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_the_keys_that_are_kept_are_told_without_opening_a_file(client, monkeypatch):
    """The names alone say which requests may be answered: ratio, seed and the beginning of the key."""
    assert client().archive.keys(client().engine) == set()
    client().generate(REQUEST)
    client().generate(REQUEST, fresh=True)
    key = REQUEST.key(engine=client().engine, model=client().model)
    monkeypatch.setattr(Path, "read_bytes", None)
    assert client().archive.keys(client().engine) == {ClipName("16:9", 7, key[:8])}
    assert client().archive.keys("another") == set()


# A clip that has its place before the journal says so.


def fail_the_journals_last_line(monkeypatch):
    """The disk takes everything but the journal's "stored"."""
    replace = os.replace

    def full(source, target):
        if Path(target).parent.parent.name == "journal" and b'"stored"' in Path(source).read_bytes():
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)


def test_a_clip_that_is_kept_is_not_told_as_lost(client, faults, monkeypatch):
    """Where only the journal's last line fails, the call gives its clip; a later look brings the journal up to date."""
    with monkeypatch.context() as patched:
        fail_the_journals_last_line(patched)
        made = client().generate(REQUEST)
        assert made.path.exists()
        assert [call.state for call in client().pending()] == ["fetchable"]
        assert client().generate(REQUEST).path == made.path
    assert [video.path for video in client().resume()] == [made.path]
    assert client().pending() == []
    assert client().generate(REQUEST).path == made.path
    assert len(faults.posts()) == 1
    assert len(list(client().archive.entries())) == 1


@pytest.mark.parametrize("state", ["sent", "received"])
@pytest.mark.parametrize("seed", [0, 7])
def test_a_process_that_ends_before_the_journals_last_line_leaves_a_clip(client, faults, tmp_path, seed, state):
    """Killed just then, its clip answers the same request, though it was a random one; nothing is paid again."""
    made = client().generate(REQUEST.replace(seed=seed))
    journal = journal_file(tmp_path)
    said = json.loads(journal.read_text())
    last = [event["state"] for event in said["events"]].index(state)
    journal.write_text(json.dumps(said | {"events": said["events"][: last + 1]}))
    assert [call.state for call in client().pending()] == ["fetchable"]
    assert client().generate(REQUEST.replace(seed=seed)).path == made.path
    assert [video.path for video in client().resume()] == ([made.path] if seed else [])
    assert client().pending() == []
    assert len(faults.posts()) == 1


def test_changed_bytes_are_no_answer_to_an_open_call(client, faults, tmp_path):
    """What lies in the clip's place and is not what came stays where it is, and nothing is stored as if it were."""
    client().generate(REQUEST)
    journal, (_, clip) = journal_file(tmp_path), entry_files(tmp_path)
    said = json.loads(journal.read_text())
    journal.write_text(json.dumps(said | {"events": said["events"][:-1]}))
    clip.write_bytes(b"rot")
    assert client().resume() == []
    assert clip.read_bytes() == b"rot"
    with pytest.raises((ArchiveError, OutcomeUnknown)):
        client().generate(REQUEST)
    assert len(faults.posts()) == 1


def test_a_link_among_the_answers_is_not_followed(client, faults, tmp_path, small_clip):
    """A stranger's archive names an answer that leads to a clip of mine: it is not taken, and told of."""
    with pytest.raises(OutcomeUnknown):
        client("html_200").generate(REQUEST)
    journal = journal_file(tmp_path)
    said = json.loads(journal.read_text())
    journal.write_text(json.dumps(said | {"events": said["events"][:2]}))
    (tmp_path / "archive" / "incoming" / f"{said['id']}.body").symlink_to(small_clip)
    told = []
    asking = Client(KEY, faults.url("good"), tmp_path / "archive", timeout=10, notify=told.append)
    assert asking.resume() == []
    assert "is a link" in told[0]
    assert list(asking.archive.entries()) == []
    assert len(asking.pending()) == 1


def test_bytes_that_fit_nowhere_are_in_hand(client, faults, monkeypatch):
    """Without a home, and without a folder for temporary files, the error still holds what was paid for."""
    fsync = os.fsync

    def full(handle):
        if faults.posts():
            raise OSError(28, "No space left on device")
        fsync(handle)

    def nowhere():
        raise RuntimeError("could not determine home directory")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.setattr("tempfile.gettempdir", lambda: os.fspath(Path("/proc/nowhere")))
    with pytest.raises(ArchiveError, match="its bytes are only in memory") as caught:
        client().generate(REQUEST)
    assert caught.value.data[4:8] == b"ftyp"


# What is left behind, and what is read.


def aged(path, seconds=ABANDONED_S + 60):
    """A file that nobody has touched for so long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half a cl")
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def test_takes_that_land_at_the_same_moment_are_all_kept(client):
    """Other takes run side by side: each clip that was paid for has its own place, however many come at once."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: client().generate(REQUEST, fresh=True), range(24)))
    kept = client().takes(REQUEST)
    assert len({video.path for video in made}) == 24
    assert {video.receipt.sha256 for video in made} == {video.receipt.sha256 for video in kept}


def test_takes_leave_no_locks(client, tmp_path):
    """However many there are, and whatever became of them, their locks go with them."""
    for kind in ("good", "status_400", "reset_after_body", "good"):
        try:
            client(kind).generate(REQUEST, fresh=True, again=True)
        except vidu.errors.ViduError:
            continue
    left = [path.stem for path in (tmp_path / "archive" / "locks").glob("*.lock")]
    assert [name for name in left if len(name) > 64] == []


def test_what_killed_writers_left_is_removed_and_nothing_else(client, tmp_path):
    """Parts of files and locks of single takes go after a day; not what is being written, nor any other file."""
    archive = tmp_path / "archive"
    part = ".vidu-nb-0123456789ab.part"
    places = ("incoming", "journal/1a", "references", "quarantine", "drafts/incoming", "uploads/segmind")
    engine = client().generate(REQUEST).path.parent.relative_to(archive)
    (archive / "locks" / "tidied").unlink()
    gone = [aged(archive / place / name) for place in (*places, engine) for name in (part, ".0123456789ab.part")]
    gone.append(aged(archive / "locks" / f"{'a' * 64}-01234567.lock"))
    stays = [
        aged(archive / "incoming" / ".vidu-nb-0123456789ac.part", seconds=60),
        aged(archive / "incoming" / "20260102T030405.678901Z-1f2e3d4c.body"),
        aged(archive / engine / ".notes.part"),
        aged(archive / "locks" / f"{'a' * 64}.lock"),
        aged(tmp_path / part),
        aged(archive / "my-data" / part),
        aged(archive / part),
    ]
    client().generate(REQUEST, fresh=True)
    assert [path for path in gone if path.exists()] == []
    assert [path for path in stays if not path.exists()] == []
    late = aged(archive / "incoming" / part)
    client().generate(REQUEST.replace(seed=8))
    assert late.exists(), "the archive is looked through at each call"
    os.utime(archive / "locks" / "tidied", (0, 0))
    client().generate(REQUEST.replace(seed=9))
    assert not late.exists()


def test_a_lock_that_is_held_stays_however_old(tmp_path):
    """A take that is being made for more than a day keeps its lock."""
    archive = Archive(tmp_path)
    name = f"{'a' * 64}-01234567"
    with archive.lock(name, timeout=1):
        os.utime(archive.lock_path(name), (0, 0))
        archive.tidy()
        assert archive.lock_path(name).exists()
    assert not archive.lock_path(name).exists()


def test_a_kept_picture_is_not_read_to_see_that_it_is_there(client, photo, tmp_path, monkeypatch):
    """What was sent once is neither read nor written again by later calls."""
    request = REQUEST.replace(references=[photo, CAT])
    client().generate(request)
    [kept] = (tmp_path / "archive" / "references").iterdir()
    before, read, read_bytes = kept.stat(), [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (read.append(path), read_bytes(path))[1])
    client().generate(request, fresh=True)
    assert kept not in read
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert client().archive.reference_path(request.references[0]) == kept


@pytest.mark.parametrize("shape", [(192, 256), (1200, 2000)])
def test_a_picture_lies_where_it_is_said_to(client, shape):
    """Before and after it was sent."""
    import numpy as np

    request = REQUEST.replace(references=np.add.outer(*(np.arange(side) // 9 for side in shape)).astype(np.uint8))
    path = client().archive.reference_path(request.references[0])
    client().generate(request)
    assert path.read_bytes() == request.references[0].bytes


def test_a_clip_brought_by_hand_is_found(client, tmp_path):
    """Its folder alone, without journal or pictures, answers the request; another archive knows nothing of it."""
    made = client().generate(REQUEST)
    brought = tmp_path / "brought" / made.path.parent.name
    brought.parent.mkdir()
    made.path.parent.rename(brought)
    asking = Client(KEY, client().base_url, tmp_path / "brought", notify=len)
    assert asking.generate(REQUEST, offline=True).path == brought / made.path.name
    with pytest.raises(NotKept):
        client().generate(REQUEST.replace(seed=9), offline=True)


@pytest.fixture
def paying(faults):
    """A client of that service, with a key."""
    return Client(KEY, faults.root, timeout=10, notify=len)


def asking(fault="good", **changes):
    return vidu.VideoRequest(
        **{"prompt": f"A cat [fault:{fault}]", "references": "https://example.com/cat.png", **changes}
    )


def test_papers_that_can_not_be_read_are_named_and_hide_nothing(paying, capsys):
    """`list` and `verify` show the good beside the bad and leave links alone; the nearest is found all the same."""
    papers = paying.generate(asking()).path.with_suffix(".json")
    broken = papers.with_name("a-dog_16x9_seed1_00000000.json")
    broken.mkdir()
    papers.with_name("a-link_16x9_seed1_00000000.json").symlink_to(papers)
    for action in ("list", "verify"):
        assert main(["archive", action]) == 1
        said, complaint = capsys.readouterr()
        assert f"{broken} can't be read (Is a directory)" in said
        assert papers.with_suffix(".mp4").name in said
        assert "a-link" not in said
        assert "1 of 2 can't be used" in complaint
    with pytest.raises(errors.NotKept, match=f"nearest is: {papers.stem}.mp4 differs in seed"):
        paying.generate(asking(seed=9), offline=True)


@pytest.mark.parametrize("request_said", [None, {"image_urls": [{"sha256": "../../key"}]}])
def test_a_clip_outlives_its_papers(paying, photo, request_said):
    """Where the papers tell no request, or a picture that can't be, the clip opens, and its request is None."""
    papers = paying.generate(asking(references=photo)).path.with_suffix(".json")
    said = json.loads(papers.read_text())
    said["request"] = request_said and said["request"] | request_said
    papers.write_text(json.dumps(said))
    [entry] = paying.archive.entries()
    video = paying.archive.open(entry)
    assert (video.request, video.bytes[4:8]) == (None, b"ftyp")


def test_a_clip_that_goes_while_the_newest_are_looked_for_is_told(paying, monkeypatch):
    """Removed by another between the listing and the look, it is a problem in its place, behind the others."""
    kept, going = (paying.generate(asking(seed=seed)).path.with_suffix(".json") for seed in (1, 2))
    look = Path.lstat

    def late(path):
        if path == going:
            path.unlink(missing_ok=True)
        return look(path)

    monkeypatch.setattr(Path, "lstat", late)
    first, second = paying.archive.entries(newest=5)
    assert first.path == kept
    assert f"{going} can't be read (No such file" in str(second)


def test_storing_twice_changes_nothing(paying):
    """After a crash between the clip's place and the journal's word, the same clip gets the same name."""
    video = paying.generate(asking())
    [attempt] = paying.archive.journal
    entry = paying.archive.store(attempt, video.bytes, video.receipt)
    assert entry.clip == video.path
    assert [path.name for path in video.path.parent.glob("*.mp4")] == [video.path.name]


def test_the_ten_thousandth_take_is_handed_over_and_not_lost(paying, monkeypatch, tmp_path):
    """Where every name is taken, the error holds the clip that was paid for, and says where its bytes lie."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = paying.generate(asking()).path
    for take in range(2, 10_000):
        path.with_name(f"{path.stem}_take{take}.json").touch()
    with pytest.raises(errors.ArchiveError, match="holds 9,999 takes of one request") as caught:
        paying.generate(asking(), fresh=True)
    assert (caught.value.billed, caught.value.data[4:8]) == ("yes", b"ftyp")
    [rescued] = tmp_path.glob("vidu-nb-rescued-*.mp4")
    assert rescued.read_bytes() == caught.value.data
