"""An interrupted sweep asks for no more, keeps what it paid for, and goes on where it stood."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from faults import KEY, clip, spawn
from jupyter_client.manager import start_new_kernel
from PIL import Image

import vidu_nb as vidu
from vidu_nb import errors

pytestmark = pytest.mark.usefixtures("small_frames")

CAT = "https://example.com/cat.png"


@pytest.fixture(autouse=True)
def _interruptible():
    """Ctrl-C interrupts, though whoever started the tests may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt():
    """What Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


class Gate(ThreadingHTTPServer):
    """Answers each call with a clip, once its gate is open; counts."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Door)
        self.opened = threading.Event()
        self.asked = threading.Semaphore(0)
        self.bodies = []

    def when_asked(self, calls, act):
        """Act in another thread when so many calls have arrived."""

        def wait():
            for _ in range(calls):
                assert self.asked.acquire(timeout=20)
            act()

        threading.Thread(target=wait, daemon=True).start()


class _Door(BaseHTTPRequestHandler):
    def do_POST(self):
        """Take the body, wait for the gate, answer."""
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        number = len(self.server.bodies)
        self.server.asked.release()
        assert self.server.opened.wait(30)
        data = clip(f"{number}")
        self.send_response(200)
        for name, value in {"content-length": len(data), "x-cost": "0.4"}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def gate():
    """A service that holds its answers back; see `Gate`."""
    with Gate() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.opened.set()
        server.shutdown()


@pytest.fixture
def patient(gate):
    """A paying client of the service that holds its answers back."""
    return vidu.Client(KEY, f"http://127.0.0.1:{gate.server_port}", price_usd=0.5, timeout=20, notify=len)


def sweep_of_six(client):
    """Six paid clips, two at a time."""
    return vidu.sweep("A cat", CAT, seed=range(1, 7), client=client, confirm=True, max_workers=2)


def test_an_interrupt_keeps_what_lands_and_the_same_sweep_goes_on(gate, patient):
    """Paid calls in flight are waited for; no more are asked for; what landed is not paid for again."""

    def act():
        interrupt()
        gate.opened.set()

    gate.when_asked(2, act)
    with pytest.raises(errors.SweepInterrupted, match="2 of 6 clips") as caught:
        sweep_of_six(patient)
    assert isinstance(caught.value, KeyboardInterrupt)
    assert caught.value.sweep.stopped == "interrupted"
    assert len(caught.value.sweep.videos) == len(gate.bodies) == 2
    assert len(sweep_of_six(patient).videos) == 6
    assert len(gate.bodies) == len(set(gate.bodies)) == 6


class Terminal(io.StringIO):
    """Standard error that acts once when a text appears on it."""

    def __init__(self, text, act):
        super().__init__()
        self.text, self.act = text, act

    def write(self, said):
        """Take it, and act where that is the text."""
        if self.text in said:
            self.act()
        return super().write(said)


def test_a_second_interrupt_leaves_at_once(gate, patient):
    """Calls in flight are named, stay in the journal, and land in the archive if the process lives."""
    gate.when_asked(2, interrupt)
    terminal = Terminal("2 paid calls are in flight", interrupt)
    with (
        contextlib.redirect_stderr(terminal),
        pytest.raises(errors.SweepInterrupted, match="2 paid calls go on") as caught,
    ):
        sweep_of_six(patient)
    swept = caught.value.sweep
    assert (len(gate.bodies), swept.videos) == (2, [])
    assert [row["state"] for row in swept.rows()] == ["in flight"] * 2 + ["not asked"] * 4
    gate.opened.set()
    assert len(sweep_of_six(patient).videos) == 6  # it waits for the two, and shows their clips
    assert len(swept.videos) == 2
    assert len(gate.bodies) == len(set(gate.bodies)) == 6


def test_an_interrupt_while_the_threads_start_ends_the_sweep_in_order(gate, patient):
    """It counts like one that comes later: what was asked for lands and is in `.sweep`, and no more is asked for."""
    gate.opened.set()

    def interrupt_the_second(frame, event, _):
        is_start = event == "call" and frame.f_code is threading.Thread.start.__code__
        if is_start and frame.f_locals["self"].name == "vidu-nb runner 1":
            interrupt()

    sys.setprofile(interrupt_the_second)
    try:
        with pytest.raises(errors.SweepInterrupted) as caught:
            vidu.sweep("A cat", CAT, seed=range(1, 100), client=patient, confirm=True)
    finally:
        sys.setprofile(None)
    swept = caught.value.sweep
    assert swept.stopped == "interrupted"
    assert len(swept.videos) == len(gate.bodies) < 99


def test_an_interrupt_ends_free_calls_at_once(photo):
    """Previews cost nothing: nobody waits for them, and they count as no failures."""
    client = vidu.Client.preview(quality="draft")

    def act():
        deadline = time.monotonic() + 20
        while not any(attempt.state == "sent" for attempt in client.archive.journal) and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        interrupt()

    threading.Thread(target=act, daemon=True).start()
    with pytest.raises(errors.SweepInterrupted) as caught:
        vidu.sweep("A cat", photo, seed=range(1, 200), client=client, max_workers=2)
    swept = caught.value.sweep
    assert swept.failed == []
    assert {row["state"] for row in swept.rows()} <= {"landed", "not asked"}
    assert len(swept.videos) < 199


class Idle(Executor):
    """An executor without workers, which interrupts when it is given something."""

    def __init__(self):
        self.futures = []

    def submit(self, *_):
        """Take a task, and never run it."""
        self.futures.append(Future())
        interrupt()
        return self.futures[-1]


def test_an_interrupt_leaves_nothing_with_an_executor(photo):
    """What waits for a worker is called off, and counts as no failure."""
    executor = Idle()
    with pytest.raises(errors.SweepInterrupted, match="0 of 1 clips") as caught:
        vidu.sweep("A cat", photo, quality="draft", executor=executor)
    assert [future.cancelled() for future in executor.futures] == [True]
    assert caught.value.sweep.failed == []


def test_the_toolbars_button_stops_a_sweep_in_a_notebook(photo):
    """It interrupts the kernel: no more is asked for, and what has landed is kept."""
    Image.fromarray(photo).save("photo.png")
    code = (
        "import vidu_nb as vidu\n"
        "try:\n"
        "    vidu.sweep('A wall.', 'photo.png', seed=range(1, 1000), aspect_ratio='1:1', quality='draft')\n"
        "except vidu.errors.SweepInterrupted as error:\n"
        "    print(0 < len(error.sweep.videos) < 999, error.sweep.stopped)\n"
    )
    manager, kernel = start_new_kernel(cwd=str(Path.cwd()))
    try:
        kernel.execute(code)
        outputs = iter(lambda: kernel.get_iopub_msg(timeout=60)["content"], None)
        next(one for one in outputs if "<video" in one.get("data", {}).get("text/html", ""))
        manager.interrupt_kernel()
        assert next(one["text"] for one in outputs if "text" in one) == "True interrupted\n"
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_killed_sweep_pays_for_each_clip_at_most_once(tmp_path):
    """SIGKILL in the middle of ten, then the same again: the server never saw a request twice."""
    code = (
        "import sys, vidu_nb as vidu\n"
        "client = vidu.Client('SG_not-a-real-key', sys.argv[1], archive=sys.argv[2], price_usd=0.5, notify=len)\n"
        "s = vidu.sweep('A cat', 'https://example.com/cat.png', seed=range(1, 11), client=client, budget_usd=6,\n"
        "               confirm=True, max_workers=2)\n"
        "print(len(s.videos), len(s.failed), s.budget.spent)\n"
    )
    with spawn(tmp_path / "truth.jsonl") as server:
        command = [sys.executable, "-c", code, server.root, str(tmp_path / "kept")]
        first = subprocess.Popen(command)
        deadline = time.monotonic() + 30
        while len(server.posts()) < 4 and time.monotonic() < deadline:
            first.poll()
        first.kill()
        first.wait()
        assert len(server.posts()) >= 4
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        bodies = [seen.body_sha256 for seen in server.posts() if seen.body_sha256]
    landed, failed, spent = done.stdout.split()
    assert len(bodies) == len(set(bodies))
    assert int(landed) + int(failed) == 10
    assert int(landed) >= 10 - 2
    assert float(spent) <= 6  # a call that was killed before it was sent may keep its reservation
