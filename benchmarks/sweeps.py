"""What going wide costs: `python -m benchmarks.sweeps`.

(a) many at a time: 200 calls of one second each, 50 at a time, to a stub in a process of its own; ideal are 4 seconds,
    and beside it stand, in interleaved rounds, the same calls by threads that keep and promise nothing;
(b) a plan of 100,000 requests with its price and what is kept of it, out of an archive of 1,000 clips;
(c) 240 draft previews on a Dask cluster of two worker processes beside the same on threads, in interleaved rounds, and
    whether the bytes are the same. Skipped where dask is not installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import requests

import vidu_nb as vidu
from benchmarks.money import clip, fill
from benchmarks.report import verdict

CALLS, AT_A_TIME = 200, 50
SECONDS = 1.0
ROUNDS = 3
PREVIEWS = 240
PICTURE = "https://example.com/cat.png"
PROMPTS = [f"A cat, number {number}" for number in range(100)]


class Stub(BaseHTTPRequestHandler):
    """Answers every POST with a clip of 100 kB, a second after it came."""

    lock = threading.Lock()
    answered = 0

    def do_POST(self) -> None:
        """Answer."""
        end = time.monotonic() + SECONDS
        self.rfile.read(int(self.headers["Content-Length"]))
        with Stub.lock:
            Stub.answered += 1
            data = clip(100_000, Stub.answered)
        time.sleep(max(0.0, end - time.monotonic()))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A thread for each call, and room for all that knock at once."""

    daemon_threads = True
    request_queue_size = 256


def serve() -> None:
    """The stub, in a process of its own: it must not share the interpreter with what is measured."""
    with Server(("127.0.0.1", 0), Stub) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


def bare(url: str) -> None:
    """What a script without any care does: the answers held in memory."""
    bodies = [
        vidu.VideoRequest(prompt="A cat", references=PICTURE, seed=seed).payload() for seed in range(1, CALLS + 1)
    ]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(lambda body: requests.post(url, json=body, headers={"x-api-key": "key"}, timeout=60), bodies))


def at_a_time(folder: Path) -> None:
    """(a)."""
    command = [sys.executable, "-c", "from benchmarks.sweeps import serve; serve()"]
    walls: dict[str, list[float]] = {"bare": [], "sweep": []}
    took: list[float] = []  # seconds of this process's processor
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:
        try:
            root = f"http://127.0.0.1:{int(stub.stdout.readline())}"
            for number in range(ROUNDS):
                client = vidu.Client("key", root, folder / f"wide-{number}", notify=len)
                begin = time.perf_counter()
                bare(f"{root}/v1/{client.model}")
                walls["bare"].append(time.perf_counter() - begin)
                begin, busy = time.perf_counter(), time.process_time()
                swept = vidu.sweep(
                    "A cat", PICTURE, seed=range(1, CALLS + 1), client=client, confirm=True, max_workers=AT_A_TIME
                )
                walls["sweep"].append(time.perf_counter() - begin)
                took.append(time.process_time() - busy)
                assert len(swept.videos) == CALLS, swept
        finally:
            stub.terminate()
    wall, floor, ideal = (
        statistics.median(walls["sweep"]),
        statistics.median(walls["bare"]),
        CALLS / AT_A_TIME * SECONDS,
    )
    print(
        f"{CALLS} calls of {SECONDS:g} s, {AT_A_TIME} at a time, medians of {ROUNDS} interleaved rounds ({wall:.2f} s):"
    )
    verdict("a sweep, of the ideal", wall / ideal, 1.08)
    print(f"  bare threads that keep and promise nothing, of the ideal: {floor / ideal:.2f}")
    verdict("a sweep, of these bare threads", wall / floor, 1.08)
    verdict("processor for each call", 1000 * statistics.median(took) / CALLS, 5, unit="ms")


def long_plan(folder: Path) -> None:
    """(b)."""
    client = vidu.Client("key", "http://127.0.0.1:9", folder / "plan", notify=len)
    fill(client.archive, client, 1000)
    shapes = {"100,000 seeds": (["A cat, number 1"], range(1, 100_001)), "100 prompts": (PROMPTS, range(1, 1001))}
    for name, (prompts, seeds) in shapes.items():
        walls = []
        for number in range(-1, ROUNDS):  # the first one imports
            begin = time.perf_counter()
            plan = vidu.Plan.of(prompts, PICTURE, seed=seeds).priced(client)
            if number >= 0:
                walls.append(time.perf_counter() - begin)
        tracemalloc.start()
        vidu.Plan.of(prompts, PICTURE, seed=seeds).priced(client)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        print(f"a plan of {len(plan):,} requests ({name}), {plan.kept} kept, median of {ROUNDS} rounds:")
        verdict("to plan and price it", statistics.median(walls), 2, unit="s")
        verdict("its most memory", peak, 200, unit="MB")


def on_dask(folder: Path) -> None:
    """(c)."""
    from distributed import Client, LocalCluster

    picture = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 256, 3))
    walls: dict[str, list[float]] = {"threads": [], "dask": []}
    digests: dict[str, list[str]] = {}
    share = PREVIEWS // ROUNDS
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as dask,
    ):
        for number in range(-1, ROUNDS):  # the first one imports, on the workers as well
            many = range(1, 5) if number < 0 else range(1 + number * share, 1 + (number + 1) * share)
            for name, executor in (("threads", None), ("dask", dask)):
                client = vidu.Client.preview(quality="draft", archive=folder / f"{name}-{number}")
                begin = time.perf_counter()
                swept = vidu.sweep("A wave", picture, seed=many, aspect_ratio="1:1", client=client, executor=executor)
                if number >= 0:
                    walls[name].append((time.perf_counter() - begin) / len(many))
                    digests.setdefault(name, []).extend(hashlib.sha256(one.bytes).hexdigest() for one in swept)
    rates = {name: 1 / statistics.median(values) for name, values in walls.items()}
    same = "the same bytes" if digests["threads"] == digests["dask"] else "OTHER BYTES"
    print(f"{PREVIEWS} draft previews: {rates['threads']:.2f} a second on threads, {rates['dask']:.2f} on 2 processes")
    verdict(f"the rate on processes, of that on threads ({same})", rates["dask"] / rates["threads"], 0.9, at_least=True)
    print(json.dumps({name: [round(one, 3) for one in values] for name, values in walls.items()}))


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        long_plan(Path(folder))
        at_a_time(Path(folder))
        if importlib.util.find_spec("distributed"):
            on_dask(Path(folder))


if __name__ == "__main__":
    main()
