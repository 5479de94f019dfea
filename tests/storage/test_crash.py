"""A disk that fails at any one moment, kernels side by side: nothing torn, lost, or paid for twice."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faults import FaultServer
from torture import what_is_torn

from vidu_nb.client.client import Client
from vidu_nb.errors import APIError, ArchiveError, BudgetExceeded, OutcomeUnknown, ViduError
from vidu_nb.request import VideoRequest
from vidu_nb.storage.budget import Budget
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
        opens, fsync, rename = Path.open, os.fsync, os.replace

        def open_to_write(path, mode="r", **how):
            if mode in ("xb", "wb") and self.fails("write"):
                with opens(path, "wb") as file:
                    file.write(b"the half of it")
                raise FULL
            return opens(path, mode, **how)

        def on(sort, call):
            def wrapped(*args):
                if self.fails(sort):
                    raise FULL
                return call(*args)

            return wrapped

        monkeypatch.setattr(Path, "open", open_to_write)
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
