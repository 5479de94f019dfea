"""`Film.shoot` among faults: kills, interrupts, lost answers, damaged files, kernels side by side."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from common import ROOT
from faults import KEY, FaultServer
from losing import Losing
from takes import Takes, plain_clip

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.films.film import Film
from vidu_nb.films.scene import Scene

pytestmark = pytest.mark.usefixtures("small_frames")

CAT = "https://example.com/cat.png"


@pytest.fixture
def stand_in():
    """A paid service with play money; see `Takes`."""
    with Takes() as server:
        yield server


@pytest.fixture(autouse=True)
def _interruptible():
    """Ctrl-C interrupts, though whoever started the tests may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def a_row(client, **parameters):
    """Three scenes, side by side."""
    return Film(["Shot 1.", "Shot 2.", "Shot 3."], **{"references": CAT, "client": client, "seed": 7} | parameters)


def a_chain(client, **parameters):
    """Three scenes, each of which continues the one before."""
    rest = (Scene(f"Shot {n}.", continues=True) for n in (2, 3))
    return Film(["Shot 1.", *rest], **{"references": CAT, "client": client, "seed": 7} | parameters)


# A process that is killed, and kernels side by side.

SHOOTING = """
import sys
sys.path[:0] = sys.argv[1].split(":")
from test_shooting_faults import *
client = vidu.Client(KEY, sys.argv[2], archive=sys.argv[3], price_usd=0.5, timeout=20, notify=len)
print("ready", flush=True)
sys.stdin.readline()
film = globals()[sys.argv[4]](client, seed=int(sys.argv[5])).shoot(budget_usd=9, confirm=True)
print(len(film.videos), len(film.failed), *sorted(clip.receipt.sha256 for clip in film.videos), flush=True)
"""


@contextlib.contextmanager
def kernel(server, archive, film, *, seed=7):
    """Another process that is about to shoot a film; its `stdin` says when."""
    here = f"{Path(__file__).parent}:{ROOT / 'tests'}"
    command = [sys.executable, "-c", SHOOTING, here, server.base_url, str(archive), film, str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def kill_when_asked(process, server, *, shot):
    """Kill a process when the server has its request for a shot, and before it has the clip."""
    arrived, killed = threading.Event(), threading.Event()

    def before(prompt):
        if f"Shot {shot}." in prompt and not killed.is_set():
            arrived.set()
            assert killed.wait(20)

    server.before = before
    process.stdin.write("go\n")
    process.stdin.flush()
    assert arrived.wait(20)
    process.kill()
    process.wait(20)
    killed.set()
    server.before = len


@pytest.mark.parametrize(
    ("film", "shot", "seed"), [("a_chain", 1, 7), ("a_chain", 2, 0), ("a_row", 3, 7), ("a_row", 1, 0)]
)
def test_a_killed_film_pays_for_each_scene_once_and_is_whole_in_the_end(stand_in, tmp_path, film, shot, seed):
    """SIGKILL while a scene is made: the same film again fetches it, and asks only for what was not asked for."""
    with kernel(stand_in, tmp_path / "kept", film, seed=seed) as process:
        kill_when_asked(process, stand_in, shot=shot)
    client = stand_in.client(archive=tmp_path / "kept")
    whole = globals()[film](client, seed=seed).shoot(budget_usd=9, confirm=True)
    assert (whole.missing, whole.failed, client.pending()) == ((), {}, [])
    assert sorted(prompt[-2] for prompt in stand_in.prompts) == ["1", "2", "3"]
    assert len(list((tmp_path / "kept").glob("127*/*.mp4"))) == 3


@pytest.mark.parametrize(("film", "seed"), [("a_row", 7), ("a_chain", 0)])
def test_two_kernels_that_shoot_a_film_at_once_pay_once(stand_in, tmp_path, film, seed):
    """Whichever comes second gets the same clips; a random seed is no other film."""
    with contextlib.ExitStack() as both:
        kernels = [both.enter_context(kernel(stand_in, tmp_path / "kept", film, seed=seed)) for _ in range(2)]
        for process in kernels:
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [process.communicate(timeout=60)[0].split() for process in kernels]
    assert told[0] == told[1]
    assert told[0][:2] == ["3", "0"]
    assert sorted(prompt[-2] for prompt in stand_in.prompts) == ["1", "2", "3"]


# Interrupts.


def interrupt():
    """What Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


class Watched(io.StringIO):
    """Standard error that acts once, when it tells that paid calls are waited for."""

    def __init__(self, act):
        super().__init__()
        self.acts = [act]

    def write(self, text):
        """Take it, and act."""
        if "are waited for" in text and self.acts:
            self.acts.pop()()
        return super().write(text)


def interrupted_in_the_middle(server, opened):
    """Interrupt when two scenes are being made, and hold their clips back until `opened` is set."""

    def before(_):
        if len(server.prompts) == 2:
            interrupt()
        assert opened.wait(20)

    server.before = before


def test_an_interrupt_waits_for_what_is_paid_and_asks_for_no_more(stand_in, monkeypatch):
    """The error holds the film with what landed, and the same film goes on."""
    opened = threading.Event()
    interrupted_in_the_middle(stand_in, opened)
    film = a_row(stand_in.client())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Watched(opened.set))
        with pytest.raises(errors.FilmInterrupted, match=r"2 of 3 scenes.*interrupted") as told:
            film.shoot(confirm=True, max_workers=2)
    stopped = told.value.film
    assert (stopped, len(stopped.videos), stopped.missing, stopped.spent_usd) == (film, 2, (2,), 1.0)
    assert film.shoot(confirm=True).missing == ()
    assert len(stand_in.prompts) == 3


def test_a_second_interrupt_leaves_at_once_and_the_film_picks_its_clips_up(stand_in, monkeypatch):
    """How many paid calls go on is told; they are found again, and not paid for again."""
    opened = threading.Event()
    interrupted_in_the_middle(stand_in, opened)
    film = a_row(stand_in.client())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Watched(interrupt))
        with pytest.raises(errors.FilmInterrupted, match=r"2 paid calls go on, see client.pending\(\)"):
            film.shoot(confirm=True, max_workers=2)
    opened.set()
    assert (film.shoot(confirm=True).missing, len(stand_in.prompts)) == ((), 3)


# Answers that are lost.


def test_a_lost_answer_is_told_counted_and_never_asked_for_again():
    """The others go on; once somebody has settled it, the film does."""
    prompts = ["Shot 1.", "Shot 2 [fault:reset_after_body].", "Shot 3."]
    with FaultServer() as server:
        client = vidu.Client(KEY, server.root, price_usd=0.5, timeout=20, notify=len)
        film = Film(prompts, references=CAT, client=client).shoot(budget_usd=2, confirm=True)
        assert (list(film.failed), film.missing, film.spent_usd) == ([1], (1,), 1.5)
        assert film.failed[1].billed == "unknown"
        again = film.shoot(budget_usd=2, confirm=True)
        assert (list(again.failed), again.spent_usd, len(server.posts())) == ([1], 0, 3)
        assert "client.settle" in str(again.failed[1])
        [call] = client.pending()
        client.settle(call, billed=False)
        film.replace(1, prompt="Shot 2.").shoot(budget_usd=2, confirm=True)
        assert film.shoot(budget_usd=2, confirm=True).spent_usd == 0.5
        assert [seen.prompt for seen in server.posts()][3:] == ["Shot 2.", prompts[1]]


def test_a_lost_answer_that_the_record_has_is_fetched(stand_in):
    """The POST was carried and its answer not: the service's record has the call, and the chain goes on."""
    with Losing(stand_in.base_url, lose=1) as proxy:
        client = vidu.Client(KEY, proxy.url, price_usd=0.5, timeout=20, notify=len)
        film = a_chain(client).shoot(budget_usd=1.5, confirm=True)
    assert (film.missing, film.failed, len(stand_in.prompts), film.spent_usd) == ((), {}, 3, 1.5)


def test_three_troubles_in_a_row_stop_a_film():
    """A service that is broken is not paid to prove it."""
    with FaultServer() as server:
        client = vidu.Client(KEY, server.root, price_usd=0.5, timeout=20, notify=len)
        film = Film([f"Shot {n} [fault:status_500]." for n in range(9)], references=CAT, client=client)
        film = film.shoot(confirm=True, max_workers=1)
        assert ("3 calls in a row went wrong" in film.stopped, len(server.posts())) == (True, 3)
        assert len(film.missing) == 9


# Files that are damaged, strange, or can't be written.


def damaged(path):
    """Cut a file in half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_damaged_clip_is_told_and_not_paid_for_again(stand_in):
    """Nor is what continues from it; another take is paid for where that is asked for."""
    film = a_chain(stand_in.client()).shoot(confirm=True)
    damaged(film.videos[1].path)
    again = film.shoot(confirm=True)
    assert (film.priced().price_usd, again.spent_usd, len(stand_in.prompts)) == (0, 0, 3)
    assert "has changed since it was kept" in again.failed[1].message
    assert again.missing == (1, 2)
    with pytest.raises(errors.NotKept, match="2 of 3 scenes have no clip that can be used: 2, 3"):
        _ = again.video
    assert film.priced().quote.kept == {0}
    whole = film.shoot(confirm=True, fresh=[1])
    assert (whole.missing, whole.spent_usd) == ((), 1.0)


def break_frame(path):
    """Half of the file is gone."""
    damaged(path)


def swap_frame(path):
    """Somebody else's picture lies there."""
    from PIL import Image

    Image.new("RGB", (192, 128), "white").save(path)


def link_frame(path):
    """A link to somebody else's picture."""
    other = path.with_name("other.png")
    swap_frame(other)
    path.unlink()
    path.symlink_to(other)


def remove_frame(path):
    """It has gone."""
    path.unlink()


@pytest.mark.parametrize("harm", [break_frame, swap_frame, link_frame, remove_frame])
def test_a_frame_that_is_damaged_is_made_anew_and_nothing_is_paid_for(stand_in, harm):
    """The same clip gives the same picture; what the link led to stays as it is."""
    film = a_chain(stand_in.client()).shoot(confirm=True)
    frames = sorted(film.client.archive.frames.glob("*-*.png"))
    assert len(frames) == 2
    for path in frames:
        harm(path)
    again = film.shoot(confirm=True)
    assert (again.missing, again.spent_usd, len(stand_in.prompts)) == ((), 0, 3)
    assert all(path.is_file() and not path.is_symlink() for path in frames)


def test_a_frame_that_comes_out_otherwise_is_refused(stand_in):
    """A damaged file, and a decoder that gives other pixels: what continues is told, and not paid for once more."""
    film = a_chain(stand_in.client()).shoot(confirm=True)
    for path in list(film.client.archive.frames.glob("*.png")):  # renamed files would come again
        of, _, rest = path.name.partition("-")
        damaged(path.rename(path.with_name(f"{of}-{'0' * 64}-{rest[65:]}")))  # as if another FFmpeg had made it
    again = film.shoot(confirm=True)
    assert (list(again.failed), again.spent_usd, len(stand_in.prompts)) == ([1], 0, 3)
    assert "comes out otherwise here" in again.failed[1].message
    assert film.priced().price_usd == 0


def test_a_folder_that_cannot_be_written_shows_what_is_kept(stand_in, monkeypatch):
    """A copy on a read-only disk is a film all the same: its frames are made when they are needed."""
    film = a_chain(stand_in.client()).shoot(confirm=True)
    shutil.rmtree(film.client.archive.frames)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("vidu_nb.files.write_atomically", refuse)
    assert (film.missing, len(film.videos)) == ((), 3)


def test_a_full_disk_stops_before_anything_is_sent(stand_in, monkeypatch):
    """Each scene is told why, and the film goes on once there is space."""
    film, usage = a_chain(stand_in.client()), shutil.disk_usage(".")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
        full = film.shoot(confirm=True)
    assert (list(full.failed), full.spent_usd, stand_in.prompts) == ([0], 0, [])
    assert "nothing was sent" in full.failed[0].message
    assert full.shoot(confirm=True).missing == ()


def test_a_clip_that_cannot_be_decoded_holds_up_what_continues_from_it(stand_in):
    """It was paid for and is kept; the scene after it is told why it can't begin, and is not asked for."""
    whole = plain_clip(1)
    start, end = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    assert start < end
    broken = whole[:start] + bytes(end - start) + whole[end:]
    stand_in.state.render = lambda request, **_: stand_in.prompts.append(request.prompt) or broken
    film = a_chain(stand_in.client()).shoot(confirm=True)
    assert (list(film.failed), len(film.videos), len(stand_in.prompts)) == ([1], 1, 1)
    assert film.failed[1].billed == "no"
