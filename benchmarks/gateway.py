"""What a gateway takes of a machine, and adds to a call: `python -m benchmarks.gateway`.

A gateway as a process of its own, between people and a service that are processes of their own; every picture inline.

(a) waiting: 300 people ask at once for clips that take 20 s each, and poll as our client does: the most memory that the
    gateway held, and how long a replay takes meanwhile;
(b) adding: calls that the service answers at once, rounds interleaved: straight to the service, and by way of a gateway
    that has to note, keep and pass on each of them; and ten syncs of the disk, as many as that takes.
"""

from __future__ import annotations

import base64
import contextlib
import heapq
import io
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from PIL import Image

from benchmarks.report import timed, verdict
from vidu_nb.files import write_bytes
from vidu_nb.request import MODEL

PEOPLE, SECONDS = 300, 20.0
PICTURE_BYTES = 600_000
ROUNDS = 40
POLL, SLOWER, MAX_POLL = 1.0, 1.25, 5.0  # s, as a client of ours has them for a service elsewhere
LIMIT_MB, LIMIT_REPLAY_MS, LIMIT_ADDED_MS = 300, 50, 30
TESTS = Path(__file__).parents[1] / "tests"


def body(prompt: str) -> dict[str, object]:
    """A request with a picture of some size; only its header is looked at."""
    return {"prompt": prompt, "image_urls": [PICTURE], "aspect_ratio": "16:9", "seed": 7}


def picture() -> str:
    """A PNG that can't be compressed, as a data: URI."""
    side = int((PICTURE_BYTES / 3) ** 0.5)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


PICTURE = picture()


@contextlib.contextmanager
def process(*command: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server as a process, and the URL that it prints."""
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running, running.stdout.readline().split()[-1]  # type: ignore[union-attr]
        finally:
            running.terminate()


@contextlib.contextmanager
def gateway(folder: Path, *service: object) -> Iterator[tuple[subprocess.Popen[str], str, str, list[str]]]:
    """A gateway before a service: its process, its URL, the service's URL, and people's tokens."""
    folder.mkdir()
    (folder / "class.csv").write_text("name\n" + "\n".join(f"person {n}" for n in range(PEOPLE)) + "\n")
    (folder / "key").touch(mode=0o600)
    (folder / "key").write_text("a-key-of-no-value-0123456789")
    with process(sys.executable, TESTS / "upstream.py", *service) as (_, upstream):
        options = [
            "--roster", folder / "class.csv", "--total-usd", 10_000, "--each-usd", 1000,
            "--archive", folder / "archive", "--upstream", upstream,
            "--key-file", folder / "key", "--tokens", folder / "tokens.csv",
        ]  # fmt: skip
        with process(sys.executable, "-m", "vidu_nb", "gateway", *options) as (running, url):
            lines = (folder / "tokens.csv").read_text().split("\n")[1:-1]
            yield running, url, upstream, [line.rpartition(",")[2] for line in lines if "teacher" not in line]


def post(url: str, token: str, prompt: str, version: str) -> requests.Response:
    """Ask for a clip."""
    while True:
        headers = {"x-api-key": token}
        answer = requests.post(f"{url}/{version}/{MODEL}", json=body(prompt), headers=headers, timeout=120)
        if answer.status_code != 429:
            answer.raise_for_status()
            return answer
        time.sleep(float(answer.headers["retry-after"]))  # so many megabytes at once, as our client waits


def follow(urls: list[tuple[str, str]]) -> None:
    """Poll each call as its person's client would, until all are made."""
    queue = [(time.monotonic() + POLL, POLL, url, token) for url, token in urls]
    heapq.heapify(queue)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not queue:
                    return
                at, pause, url, token = heapq.heappop(queue)
            time.sleep(max(0.0, at - time.monotonic()))
            report = requests.get(url, headers={"x-api-key": token}, timeout=60).json()
            if report["status"] != "COMPLETED":
                pause = min(MAX_POLL, pause * SLOWER)
                with lock:
                    heapq.heappush(queue, (time.monotonic() + pause, pause, url, token))

    with ThreadPoolExecutor(16) as pool:
        for one in [pool.submit(work) for _ in range(16)]:
            one.result()


def waiting(folder: Path) -> tuple[float, list[float], float]:
    """The most MB that it held, ms of each replay meanwhile, and seconds from the first call to the last clip."""
    with gateway(folder, "--seconds", SECONDS) as (running, url, _, tokens):
        post(url, tokens[0], "made before", "v1")
        began = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            tickets = list(pool.map(lambda at: post(url, tokens[at], f"clip {at}", "v2").json(), range(PEOPLE)))
        followed = threading.Thread(
            target=follow, args=([(one["status_url"], token) for one, token in zip(tickets, tokens, strict=True)],)
        )
        followed.start()
        replays = []
        while followed.is_alive():
            replays.append(1000 * timed(post, url, tokens[1], "made before", "v1"))
            followed.join(0.1)
        took = time.monotonic() - began
        status = Path(f"/proc/{running.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1000, replays, took


def adding(folder: Path) -> list[tuple[float, float, float]]:
    """Seconds of each call straight to the service, by way of the gateway, and of as many syncs of the disk."""
    with gateway(folder, "--direct") as (_, url, upstream, tokens):
        rounds = [
            (
                timed(post, upstream, "any", f"straight {n}", "v1"),
                timed(post, url, tokens[0], f"by way {n}", "v1"),
                timed(sync, folder / "synced"),
            )
            for n in range(-3, ROUNDS)
        ]
    return rounds[3:]


def sync(folder: Path) -> None:
    """Write five small files, each synced as its folder is."""
    for number in range(5):
        write_bytes(folder / f"{number}.bin", bytes(1000))


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        rounds = adding(Path(name, "adding"))
        memory, replays, took = waiting(Path(name, "waiting"))
    straight, through, disk = (1000 * statistics.median(column) for column in zip(*rounds, strict=True))
    added = 1000 * statistics.median(b - a for a, b, _ in rounds)
    print(
        f"{PEOPLE} calls of {SECONDS:g} s with a picture of {PICTURE_BYTES // 1000} kB each, made after {took:.0f} s:"
    )
    verdict("the most memory of the gateway", memory, LIMIT_MB, unit="MB")
    verdict(f"a replay meanwhile, median of {len(replays)}", statistics.median(replays), LIMIT_REPLAY_MS, unit="ms")
    print(f"a call that the service answers at once, medians of {len(rounds)} interleaved rounds:")
    print(f"  straight {straight:.1f} ms, by way of the gateway {through:.1f} ms")
    print(f"  as many syncs of this disk as the gateway makes: {disk:.1f} ms")
    verdict("the gateway adds", added, LIMIT_ADDED_MS, unit="ms")


if __name__ == "__main__":
    main()
