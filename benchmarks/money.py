"""What keeping the promises about money costs: `python -m benchmarks.money`.

Rounds are interleaved, so that a busy machine slows all sides down alike:

(a) bare: `requests.post` to a stub on this machine that answers a clip of 8 MB, the answer held in memory;
(b) disk: 8 MB written, synced and renamed, and nothing else: what this machine's disk makes anybody pay;
(c) generate: the same call as (a) with locks, journal, fsync and archive, for a request that was never asked before;
(d) replay: a kept clip of 8 MB from an archive of 10,000, beside reading and hashing its file alone;
(e) looking through: `entries()` of this archive, and `pending()` with 1,000 open calls, whose locks have files.
"""

from __future__ import annotations

import gc
import hashlib
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import requests

from benchmarks.report import timed, verdict
from vidu_nb.client.client import Client
from vidu_nb.files import write_bytes
from vidu_nb.receipt import Receipt
from vidu_nb.recipe import describe
from vidu_nb.request import VideoRequest
from vidu_nb.storage.archive import Archive

ROUNDS = 25
LOOKS = 5
ENTRIES = 10_000
OPEN = 1_000
CLIP_BYTES = 8_000_000
PICTURE = "https://example.com/cat.png"


def clip(size: int, tag: int) -> bytes:
    """Boxes that tile `size` bytes as an MP4's do, unlike any other tag's; nobody here decodes them."""
    head = struct.pack(">I4s4sII", 20, b"ftyp", b"isom", tag, 0) + struct.pack(">I4s", 8, b"moov")
    return head + struct.pack(">I4s", size - len(head), b"mdat") + bytes(size - len(head) - 8)


class Stub(BaseHTTPRequestHandler):
    """Answers every POST with a clip."""

    answered = 0

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        Stub.answered += 1
        data = clip(CLIP_BYTES, Stub.answered)
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def serve() -> None:
    """The stub, in a process of its own: it must not share the interpreter with what is measured."""
    with HTTPServer(("127.0.0.1", 0), Stub) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


def asked(number: int) -> VideoRequest:
    """A request like no other."""
    return VideoRequest(prompt=f"A cat, number {number}", references=PICTURE, seed=7)


def fill(archive: Archive, client: Client, count: int) -> None:
    """Many small kept clips with their journal, as `generate` leaves them; without waiting for the disk each time."""
    fsync, os.fsync = os.fsync, lambda _: None
    try:
        for number in range(count):
            request, data = asked(number), clip(200, number)
            key = request.key(engine=client.engine, model=client.model)
            attempt = archive.journal.open(
                key, engine=client.engine, model=client.model, lock=key, price_usd=0.5, request=describe(request)
            )
            receipt = Receipt(client.engine, sha256=hashlib.sha256(data).hexdigest())
            archive.store(attempt.add("sent").add("received"), data, receipt)
    finally:
        os.fsync = fsync
    os.sync()


def bare(url: str, request: VideoRequest) -> bytes:
    """What a script without any care does."""
    return requests.post(url, headers={"x-api-key": "key"}, json=request.payload(), timeout=60).content


def hashed(path: Path) -> str:
    """What a replay can't do without."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def measure(client: Client, url: str) -> dict[str, list[float]]:
    """Seconds of each side in each round."""
    times: dict[str, list[float]] = {}
    for number in range(-2, ROUNDS):
        new = asked(ENTRIES + number + 2)
        target = client.archive.folder / "benchmark" / f"{number}.bin"
        gc.collect()
        row = {"bare": timed(bare, url, new), "generate": timed(client.generate, new)}
        row["disk"] = timed(write_bytes, target, bytes(CLIP_BYTES))
        row["hash"] = timed(hashed, target)
        row["replay"] = timed(client.generate, new)
        row["replay, small clip"] = timed(client.generate, asked(random.randrange(ENTRIES)))
        for name, seconds in row.items() if number >= 0 else ():  # the first ones import and fill caches
            times.setdefault(name, []).append(seconds)
    times["entries"] = [timed(list, client.archive.entries()) for _ in range(LOOKS)]
    times["replay after a copy"] = without_journal(client)
    return times


def without_journal(client: Client) -> list[float]:
    """Replays from a folder that was brought here without its journal: found by their names."""
    journal = client.archive.folder / "journal"
    journal.rename(client.archive.folder / "set-aside")
    picked = [asked(random.randrange(ENTRIES)) for _ in range(ROUNDS)]
    return [timed(client.generate, request) for request in picked]


def pending(folder: Path) -> float:
    """Seconds of `pending()` with many calls of unknown outcome; nobody is there to ask for a balance."""
    client = Client("key", "http://127.0.0.1:9", folder, notify=len)
    archive = client.archive
    fsync, os.fsync = os.fsync, lambda _: None
    try:
        for number in range(OPEN):
            request = asked(number)
            key = request.key(engine=client.engine, model=client.model)
            with archive.lock(key, timeout=1):
                archive.journal.open(
                    key, engine=client.engine, model=client.model, lock=key, price_usd=0.5, request=describe(request)
                ).add("sent")
    finally:
        os.fsync = fsync
    assert len(client.pending()) == OPEN
    return statistics.median(timed(client.pending) for _ in range(LOOKS))


def main() -> None:
    """Measure and print."""
    command = [sys.executable, "-c", "from benchmarks.money import serve; serve()"]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:
        try:
            root = f"http://127.0.0.1:{int(stub.stdout.readline())}"
            client = Client("key", root, Archive(Path(folder, "archive")), notify=len)
            fill(client.archive, client, ENTRIES)
            times = measure(client, f"{root}/v1/{client.model}")
        finally:
            stub.terminate()
        left_open = pending(Path(folder, "open"))
    ms = {name: 1000 * statistics.median(values) for name, values in times.items()}
    print(f"a clip of {CLIP_BYTES / 1e6:.0f} MB, medians of {ROUNDS} interleaved rounds: bare {ms['bare']:.1f} ms, ")
    print(f"  generate {ms['generate']:.1f} ms; writing and syncing as much, and nothing else: {ms['disk']:.1f} ms")
    verdict("generate, beyond 1.10 times the bare call", ms["generate"] - 1.1 * ms["bare"], 40, unit="ms")
    print(f"an archive of {ENTRIES:,} clips; reading and hashing 8 MB alone: {ms['hash']:.1f} ms")
    verdict("a replay of 8 MB, beyond reading and hashing them", ms["replay"] - ms["hash"], 2, unit="ms")
    for name in ("replay", "replay, small clip", "replay after a copy"):
        verdict(f"{name}", ms[name], 20 if name == "replay after a copy" else 5, unit="ms")
    verdict("every entry", ms["entries"], 500, unit="ms")
    verdict(f"pending(), {OPEN:,} open calls", 1000 * left_open, 50, unit="ms")


if __name__ == "__main__":
    main()
