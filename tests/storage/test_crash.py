"""A disk that fails at any one moment, folders that were tampered with: nothing torn, lost, or paid for twice."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faults import FaultServer
from torture import what_is_torn

from vidu_nb import locks
from vidu_nb.client.client import Client
from vidu_nb.errors import APIError, ArchiveError, BudgetExceeded, OutcomeUnknown, ViduError
from vidu_nb.request import VideoRequest
from vidu_nb.storage.archive import Archive
from vidu_nb.storage.budget import Budget
from vidu_nb.storage.maintenance import verify
from vidu_nb.video import Video

REQUEST = VideoRequest(prompt="A cat", references="https://example.com/cat.png", seed=7)
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def server():
    with FaultServer() as made:
        yield made


@pytest.fixture(autouse=True)
def fallback(tmp_path, monkeypatch):
    """The folder for bytes that can't be kept where they should."""
    folder = tmp_path / "fallback"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def client(server, tmp_path):
    """Makes a client whose calls meet a fault: ``client("good")``; all share the archive unless told otherwise."""

    def make(kind="good", *, folder=None, **settings):
        return Client("a-key", server.url(kind), folder or tmp_path / "archive", timeout=10, notify=len, **settings)

    return make


# The disk fails at the N-th write, fsync or rename.


class Disk:
    """Fails the `nth` operation of one sort, or all from the `nth` on; a write that fails has half done its work."""

    def __init__(self, sort, nth, *, for_good):
        self.sort, self.nth, self.for_good = sort, nth, for_good
        self.count = 0
        self.failed = False

    def fails(self, sort):
        """Whether this operation is one that fails."""
        self.count += sort == self.sort
        now = sort == self.sort and (self.count == self.nth or (self.for_good and self.count > self.nth))
        self.failed |= now
        return now

    def install(self, monkeypatch):
        """Put it between Python and the system."""
        write, fsync, rename = Path.write_bytes, os.fsync, os.replace

        def write_bytes(path, data):
            if self.fails("write"):
                write(path, bytes(data)[: len(data) // 2])
                raise FULL
            return write(path, data)

        def on(sort, call):
            def wrapped(*args):
                if self.fails(sort):
                    raise FULL
                return call(*args)

            return wrapped

        monkeypatch.setattr(Path, "write_bytes", write_bytes)
        monkeypatch.setattr(os, "fsync", on("fsync", fsync))
        monkeypatch.setattr(os, "replace", on("rename", rename))


def tried(client, **how):
    """The clip, or the error that came instead; anything but our own errors goes through."""
    try:
        return client.generate(REQUEST, **how)
    except ViduError as error:
        return error


def torn_files(folder):
    """Names of visible files that are not whole."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return [path.name for path in files if path.suffix != ".lock" and what_is_torn(path, folder)]


def hashes(*folders):
    """The sha256 of every visible file."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name[0] != "."]
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "from-then-on"])
@pytest.mark.parametrize("kind", ["good", "good_link_video", "html_200", "status_401", "cut_mdat_length"])
@pytest.mark.parametrize("sort", ["write", "fsync", "rename"])
def test_a_disk_that_fails_at_any_step_leaves_the_old_or_the_new_state(fallback, tmp_path, sort, kind, for_good):
    """Whichever write, fsync or rename fails: nothing torn, what came is kept or in hand, no second POST."""
    for nth in range(1, 60):
        folder = tmp_path / f"archive{nth}"
        with FaultServer() as server, pytest.MonkeyPatch.context() as patch:
            ask = Client("a-key", server.url(kind), folder, timeout=10, notify=len, budget=Budget(9, folder / "b.json"))
            disk = Disk(sort, nth, for_good=for_good)
            disk.install(patch)
            said = tried(ask)
            patch.undo()
            if not disk.failed:
                assert nth > 4
                return
            check_after_the_crash(server, ask, kind, folder, fallback, said)
    pytest.fail("it never passed")


def check_after_the_crash(server, ask, kind, folder, fallback, said):
    """What must hold on disk, in the error, and at the next ask."""
    assert torn_files(folder) == []
    server.settle()
    posts, delivered = len(server.posts()), {seen.delivered for seen in server.seen() if seen.delivered}
    in_hand = {hashlib.sha256(getattr(said, "data", None) or b"").hexdigest()}
    assert delivered <= hashes(folder, fallback) | in_hand
    at_hand = not posts or any(folder.glob("incoming/*.body")) or any(folder.glob("127*/*.mp4"))
    assert Budget(9, folder / "b.json").spent >= server.billed() * 0.5
    if isinstance(said, ArchiveError) and delivered:
        assert in_hand == delivered
    later = tried(ask)
    server.settle()
    assert torn_files(folder) == []
    if kind != "status_401":
        assert len(server.posts()) == max(posts, 1)
    if kind.startswith("good"):
        assert isinstance(later, Video if at_hand else OutcomeUnknown), later
    if isinstance(later, Video):
        assert hashlib.sha256(later.bytes).hexdigest() in {seen.delivered for seen in server.seen()}


def test_a_folder_that_cannot_be_written_is_refused_before_the_call(client, server, tmp_path):
    """Read-only, under a file, or without room: the error says that nothing was sent, and nothing was."""
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/vidu-archive")):
        with pytest.raises(ArchiveError, match="nothing was sent"):
            client(folder=folder).generate(REQUEST)
    assert server.posts() == []


def test_every_file_is_on_the_disk_before_it_gets_its_name(client, monkeypatch):
    """No name stands for bytes that a power cut could still take: each is synced, renamed, its folder synced."""
    synced, named = set(), []
    fsync, rename = os.fsync, os.replace

    def noted_fsync(handle):
        synced.add(os.fstat(handle).st_ino)
        return fsync(handle)

    def noted_rename(source, target):
        named.append((Path(target), Path(source).stat().st_ino in synced))
        rename(source, target)
        synced.discard(Path(target).parent.stat().st_ino)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_rename)
    clip = client().generate(REQUEST).path
    assert clip in [target for target, _ in named]
    assert [target.name for target, was_synced in named if not was_synced] == []
    assert [target.name for target, _ in named if target.parent.stat().st_ino not in synced] == []
    assert len(named) >= 6


def test_threads_cannot_spend_a_budget_twice(tmp_path):
    """Sixty-four threads at once, room for four calls: four get it."""

    def reserve(number):
        try:
            Budget(2.0, tmp_path / "class.json").reserve(f"call-{number}", 0.5)
        except BudgetExceeded:
            return 0
        return 1

    with ThreadPoolExecutor(64) as pool:
        assert sum(pool.map(reserve, range(64))) == 4
    assert Budget(2.0, tmp_path / "class.json").spent == 2.0


# Damage, newer formats, links.


def entry_files(tmp_path):
    """The one kept clip's papers and MP4."""
    (papers,) = (path for path in (tmp_path / "archive").glob("127*/*.json"))
    return papers, papers.with_suffix(".mp4")


def journal_file(tmp_path):
    (found,) = (tmp_path / "archive" / "journal").glob("*/*.json")
    return found


DAMAGE = {
    "garbage": b"\xff{not json",
    "empty": b"",
    "list": b"[]",
    "null": b"null",
    "no events": b'{"format": 1, "events": []}',
    "no facts": b'{"format": 1, "events": [{"state": "sent"}]}',
    "odd format": b'{"format": "one"}',
    "newer": b'{"format": 2, "new": true}',
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("which", ["journal", "papers"])
def test_a_damaged_or_newer_file_is_named_and_left_alone(client, server, tmp_path, which, damage):
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
    assert len(server.posts()) == 1


def test_rotten_bytes_are_named_kept_and_not_paid_for_again(client, server, tmp_path):
    """A clip whose bytes changed is no replay and no reason to pay; only fresh=True pays, and both stay."""
    client().generate(REQUEST)
    _, clip = entry_files(tmp_path)
    rotten = bytearray(clip.read_bytes())
    rotten[100] ^= 1
    clip.write_bytes(rotten)
    with pytest.raises(ArchiveError, match="has changed") as caught:
        client().generate(REQUEST)
    assert clip.name in str(caught.value)
    assert len(server.posts()) == 1
    fresh = client().generate(REQUEST, fresh=True)
    assert len(server.posts()) == 2
    assert fresh.path != clip
    assert clip.read_bytes() == rotten
    assert [row["state"] for row in verify(Archive(tmp_path / "archive"))] == ["damaged:", "ok"]


def test_a_missing_clip_is_named_and_not_paid_for_again(client, server, tmp_path):
    """Papers whose clip was removed say so instead of paying."""
    client().generate(REQUEST)
    entry_files(tmp_path)[1].unlink()
    with pytest.raises(ArchiveError, match="can't be read"):
        client().generate(REQUEST)
    assert len(server.posts()) == 1


@pytest.mark.parametrize("which", [0, 1], ids=["papers", "clip"])
def test_a_link_in_place_of_a_kept_file_is_not_followed(client, server, tmp_path, which):
    """A symbolic link stands for somebody else's file: it is named, and neither read nor paid for again."""
    client().generate(REQUEST)
    path = entry_files(tmp_path)[which]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArchiveError, match="is a link"):
        client().generate(REQUEST)
    assert len(server.posts()) == 1


@pytest.mark.parametrize("name", ["/etc/x.json", "../../secret/x_1x1_seed1_12345678.json", "C:\\x.json", ["a"], None])
def test_names_that_a_file_tells_are_never_used_as_paths(client, server, tmp_path, name):
    """The journal's word for a clip's place counts only where it is one of our own names; the clip is found anyway."""
    made = client().generate(REQUEST)
    journal = journal_file(tmp_path)
    said = json.loads(journal.read_text())
    said["events"][-1]["entry"] = name
    journal.write_text(json.dumps(said))
    papers, _ = entry_files(tmp_path)
    facts = json.loads(papers.read_text())
    papers.write_text(json.dumps(facts | {"path": "/etc/passwd", "clip": "../../../etc/passwd"}))
    replayed = client().generate(REQUEST)
    assert (replayed.path, replayed.receipt.replayed) == (made.path, True)
    assert len(server.posts()) == 1


def test_a_clip_being_stored_by_another_kernel_is_not_taken_for_damaged(client, server, tmp_path):
    """Papers whose clip is still on its way to its place are no damage: the clip is brought in."""
    client().generate(REQUEST)
    _, clip = entry_files(tmp_path)
    journal = journal_file(tmp_path)
    said = json.loads(journal.read_text())
    incoming = tmp_path / "archive" / "incoming" / f"{said['id']}.body"
    clip.rename(incoming)
    journal.write_text(json.dumps(said | {"events": said["events"][:-1]}))
    assert client().generate(REQUEST).path == clip
    assert len(server.posts()) == 1


@pytest.mark.parametrize("kind", ["redirect_gzip_bomb", "redirect_huge"])
def test_a_status_counts_though_its_words_are_broken(client, server, kind):
    """An answer that says "not here" and then breaks off was no paid call: it blocks nothing."""
    with pytest.raises(APIError) as caught:
        client(kind).generate(REQUEST)
    assert (caught.value.status, caught.value.billed) == (307, "no")
    assert client(kind).pending() == []
    assert server.strays() == []


# Two kernels, and file systems without locks.

KERNEL = """
import sys
from vidu_nb.client.client import Client
from vidu_nb.request import VideoRequest
client = Client("a-key", sys.argv[1], sys.argv[2], timeout=10, notify=len)
print("ready", flush=True)
sys.stdin.readline()
video = client.generate(VideoRequest(prompt="A cat", references="https://example.com/cat.png", seed=7))
print(video.receipt.sha256)
"""


def test_two_kernels_on_one_folder_pay_once(server, tmp_path):
    """The same request from two interpreters at the same moment: one POST, the same clip for both."""
    command = [sys.executable, "-c", KERNEL, server.url("good_slow"), str(tmp_path / "archive")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    kernels = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [kernel.stdout.readline() for kernel in kernels] == ["ready\n"] * 2
    for kernel in kernels:
        kernel.stdin.write("go\n")
        kernel.stdin.flush()
    first, second = (kernel.communicate(timeout=30)[0].strip() for kernel in kernels)
    assert first == second != ""
    assert len(server.posts()) == 1


def no_locks(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_a_file_system_without_locks_warns_and_works(client, server, monkeypatch):
    """Where flock fails, a warning tells the risk, and the clip is made, kept and replayed."""
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.warns(UserWarning, match="two kernels may pay"):
        made = client().generate(REQUEST)
    assert client().generate(REQUEST).path == made.path
    assert len(server.posts()) == 1


@pytest.mark.filterwarnings("ignore:.*two kernels may pay")
def test_threads_exclude_each_other_even_where_locks_fail(client, server, monkeypatch):
    """Eight threads of one process ask the same on a file system without locks: one POST."""
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: client("good_slow").generate(REQUEST).receipt.sha256, range(8)))
    assert len(set(made)) == 1
    assert len(server.posts()) == 1


LOOKER = """
import sys, threading
from pathlib import Path
from vidu_nb.locks import is_held
threading.Thread(target=lambda: (sys.stdin.readline(), stop.append(1)), daemon=True).start()
stop, seen = [], 0
print("ready", flush=True)
while not stop:
    seen += is_held(Path(sys.argv[1]))
print(seen)
"""


def test_looking_at_a_lock_is_not_holding_it(tmp_path):
    """Kernels that look at a free lock at once all see it free: else an unknown call could pass for a running one."""
    path = tmp_path / "one.lock"
    with locks.hold(path, timeout=1):
        assert locks.is_held(path)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", LOOKER, str(path)], **pipes) as other:
        assert other.stdout.readline() == "ready\n"
        seen = sum(locks.is_held(path) for _ in range(1000))
        assert (seen, other.communicate("stop\n", timeout=20)[0]) == (0, "0\n")


def test_other_takes_do_not_hide_an_unknown_call_from_each_other(client, server):
    """Sixteen threads ask again after an unknown call with a random seed: none of them sends."""
    request = REQUEST.replace(seed=0)
    with pytest.raises(OutcomeUnknown):
        client("html_200").generate(request)

    def ask(_):
        with pytest.raises(OutcomeUnknown):
            client("good").generate(request)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(64)))
    assert len(server.posts()) == 1
