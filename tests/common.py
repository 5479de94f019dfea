"""What the tests share: a clean place for each, the command line, one preview server, real pictures, web servers."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import struct
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
import requests
from faults import KEY as SERVICE_KEY
from faults import FaultServer
from hypothesis import settings
from PIL import Image
from previews import small_plan

from vidu_nb.animatic import engine
from vidu_nb.animatic.server.server import PreviewServer
from vidu_nb.animatic.story.storyboard import plan_of
from vidu_nb.commands.cli import main
from vidu_nb.receipt import Receipt
from vidu_nb.references.reference import Reference
from vidu_nb.request import MODEL, VideoRequest
from vidu_nb.video import Video

ROOT = Path(__file__).resolve().parents[1]  # of the repository
KEY = "key-of-the-tests"
SETTINGS = ("SEGMIND_", "VIDU_NB_", "VSCODE_", "JPY_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")  # how they begin


def pytest_configure():
    """Let tests interrupt themselves and what they start, though a shell that runs in the background ignores SIGINT.

    Hypothesis measures no time: any machine may be busy.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("busy", deadline=None)
    settings.load_profile("busy")


@pytest.fixture(autouse=True)
def _clean_place(tmp_path, monkeypatch):
    """An empty working folder with the archive in it, and none of the developer's own settings."""
    for name in [name for name in os.environ if name.upper().startswith(SETTINGS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VIDU_NB_ARCHIVE", str(tmp_path / "archive"))
    monkeypatch.chdir(tmp_path)


# The command line.


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def command(capsys):
    """Runs `vidu-nb` in this process: ``command("archive", "list").out``."""

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main(list(map(str, arguments)))
        except SystemExit as ended:  # argparse's way to leave
            status = int(ended.code or 0)
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def ipython(tmp_path_factory):
    """An IPython shell in this process, with the magic."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    main_module = sys.modules["__main__"]  # a shell takes its place, and other tests start processes from it
    history = Config({"HistoryManager": {"hist_file": ":memory:"}})
    shell = InteractiveShell(ipython_dir=str(tmp_path_factory.mktemp("ipython")), config=history)
    shell.run_line_magic("load_ext", "vidu_nb")
    yield shell
    sys.modules["__main__"] = main_module


# A service that misbehaves.


@pytest.fixture
def faults():
    """The service whose prompts choose the faults."""
    with FaultServer() as server:
        yield server


@pytest.fixture
def paid(faults, monkeypatch):
    """The same as the environment's service, with a key."""
    monkeypatch.setenv("SEGMIND_API_KEY", SERVICE_KEY)
    monkeypatch.setenv("SEGMIND_BASE_URL", faults.root)
    return faults


@pytest.fixture
def asked(photo):
    """Parameters that make a whole request, cheap to preview."""
    return {"prompt": "A wave. Zoom in.", "references": photo, "aspect_ratio": "1:1", "bgm": False}


# Pictures.


@pytest.fixture(scope="session")
def encoded():
    """Makes an encoded picture: ``encoded(160, 200, "JPEG", colour="red")``."""

    def make(width=200, height=160, kind="PNG", colour="navy", **options):
        buffer = io.BytesIO()
        Image.new("RGB", (width, height), colour).save(buffer, kind, **options)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def photo():
    """A picture with detail in it as a uint8 array (192, 256, 3)."""
    y, x = np.mgrid[:192, :256]
    return np.stack([x, y + 32, (x * y) // 300 % 256], -1).astype(np.uint8)


@pytest.fixture(scope="session")
def bomb():
    """A PNG of 65 bytes whose header says 100000x100000."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


# Clips.


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory):
    """Makes an MP4 of given frames, with a second of silence as sound."""

    def make(name, frames, *, fps=24, crf=28, sound=True):
        path = tmp_path_factory.mktemp("clips") / name
        with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": str(crf)})
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            audio = container.add_stream("aac", rate=44_100, layout="stereo") if sound else None
            for array in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(array, "rgb24")))
            container.mux(stream.encode(None))
            if audio:
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 88_200), np.int16), "s16", "stereo")
                silence.sample_rate = 44_100
                container.mux(audio.encode(silence))
                container.mux(audio.encode(None))
        return path

    return make


@pytest.fixture(scope="session")
def small_clip(make_clip, photo):
    """A second of a moving picture, 256x192, with sound; some 30 kB."""
    return make_clip("small.mp4", [np.roll(photo, 6 * i, axis=1) for i in range(24)], crf=14)


@pytest.fixture
def small_video(small_clip, photo):
    """`small_clip` with the papers of a paid clip."""
    request = VideoRequest(prompt="A wave. Then calm.", references=[Reference(photo, name="wave.png")], seed=7)
    receipt = Receipt(
        engine="segmind", request_id="r-1", cost_usd=0.5, credits_remaining=1.25, seed=7, elapsed_s=118.2,
        created_at="2026-01-02T03:04:05+00:00", sha256="ab" * 32,
    )  # fmt: skip
    return Video(small_clip, request, receipt)


@pytest.fixture(scope="module")
def small_frames():
    """Lets this process render previews in few pixels, for files that promise nothing about their size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "plan_of", small_plan)
        yield


@pytest.fixture
def true_frames(monkeypatch):
    """Lets a test whose file has `small_frames` render previews as large as they are."""
    monkeypatch.setattr(engine, "plan_of", plan_of)


# A paid service whose clips can be decoded.


class Studio(ThreadingHTTPServer):
    """Answers every POST with one real clip, at half a dollar; `posts` holds the bodies that came."""

    daemon_threads = True

    def __init__(self, clip):
        super().__init__(("127.0.0.1", 0), StudioHandler)
        self.clip = clip
        self.posts = []
        self.open = threading.Event()  # while it isn't, calls come in and wait
        self.open.set()
        self.root = f"http://127.0.0.1:{self.server_port}"


class StudioHandler(BaseHTTPRequestHandler):
    """Answers with its server's clip."""

    def do_POST(self):
        """Take the body, and answer."""
        self.server.posts.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.open.wait(30)
        self.send_response(200)
        for name, value in {"Content-Length": str(len(self.server.clip)), "x-cost": "0.5"}.items():
            self.send_header(name, value)
        with contextlib.suppress(ConnectionError):  # nobody waits for it any more
            self.end_headers()
            self.wfile.write(self.server.clip)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def studio(small_clip):
    """A paid service that answers with a real clip; see `Studio`."""
    with Studio(small_clip.read_bytes()) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.open.set()
        server.shutdown()
        thread.join()


# The preview server.


@pytest.fixture(scope="session")
def server():
    """One preview server for all tests."""
    with PreviewServer(key=KEY) as server:
        yield server


@pytest.fixture(scope="session")
def call():
    """Posts a body to a server's model with its key: ``call(server, {...}, headers={...}, query="?format=json")``."""

    def post(server, body, *, headers=None, model=MODEL, query="", key=True):
        headers = {**({"x-api-key": server.key} if key else {}), **(headers or {})}
        kind = {"data": body} if isinstance(body, bytes | str) else {"json": body}
        if "data" in kind:
            headers = {"content-type": "application/json"} | headers
        return requests.post(f"{server.base_url}/v1/{model}{query}", headers=headers, timeout=60, **kind)

    return post


@pytest.fixture(scope="session")
def body(photo):
    """A good body for the API, cheap to answer."""
    request = VideoRequest(prompt="A wave", references=photo, aspect_ratio="1:1", bgm=False)
    return request.payload()


@pytest.fixture(scope="session")
def answer(server, call, body):
    """The server's answer to a good request, made once."""
    return call(server, body)


# A browser.


@pytest.fixture(scope="module")
def browser():
    """A Chromium for a file's tests."""
    from browser import chromium

    with chromium() as started:
        yield started


def pytest_collection_modifyitems(items):
    """The files that take longest begin first, so that no worker is left with one of them at the end."""
    items.sort(key=lambda item: not item.path.stem.endswith("_browser"))


# A web server for pictures behind URLs.


class Web(ThreadingHTTPServer):
    """Serves what `pages` holds: bytes, a (status, headers, bytes), or a function that gets the handler."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = {}
        self.seen = []

    def handle_error(self, *_):
        """Callers that hang up in the middle are what some tests are about."""

    def url(self, path, page=None):
        """The URL of a path; with `page`, also puts that there."""
        if page is not None:
            self.pages[path] = page
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    """Answers from the server's `pages`."""

    def do_GET(self):
        """Answer a GET."""
        self.server.seen.append(self)
        page = self.server.pages.get(self.path, (404, {}, b"nothing here"))
        if callable(page):
            page(self)
            return
        status, headers, data = page if isinstance(page, tuple) else (200, {}, page)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def web():
    """A web server on this machine; see `Web`."""
    with Web() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
