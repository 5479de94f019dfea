"""Random requests against the preview server: `python tests/fuzz_server.py [COUNT] [SEED]` prints what it answered.

Good requests are mutated as bytes and as JSON and sent over connections that are used again. The server has no credits,
so that a request that stays good is answered with 406, without a render. A failure is a 5xx, a redirect, a line in the
error log, or a server that does not answer or does not let go of its connections in the end.
"""

# ruff: noqa: T201  (a script prints)

from __future__ import annotations

import base64
import io
import json
import logging
import random
import socket
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import requests
from PIL import Image

from vidu_nb.animatic import connections
from vidu_nb.animatic.server import PreviewServer
from vidu_nb.request import DRAFT, MODEL

THREADS = 8
PATIENCE = 0.5  # s for an answer to a request that may be only half of one


def picture() -> str:
    """A good picture, small enough for a mutation to hit the rest as well."""
    buffer = io.BytesIO()
    Image.new("RGB", (128, 128), "navy").save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


GOOD = {"prompt": "A cat", "image_urls": [picture()], "aspect_ratio": "1:1", "seed": 7}
VALUES = [
    None, True, 0, -1, 1e308, 7.0, 10**30, "", "x" * 2000, "\ud800", [], {}, [[]], "http://127.0.0.1/v1/assets/x",
]  # fmt: skip
WORDS = [
    b"\r\n", b"\r\n\r\n", b"\0", b"Host: evil.example\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    b"HTTP/1.0", b"%00", b"%2e%2e/",
    b"?format=json", b"0\r\n\r\n", b"ffffffff\r\n", b"{", b"[", b'"', b"NaN", b"1e999", b"\xff\xfe",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"Accept: application/json\r\n", b"x-reference-names: %ff/%0a\r\n",
]  # fmt: skip
ROUTES = [
    ("POST", f"/v1/{MODEL}", GOOD), ("POST", f"/v2/{MODEL}", GOOD), ("POST", f"/v1/{DRAFT}?format=json", GOOD),
    ("POST", "/upload-asset", {"data_urls": GOOD["image_urls"]}), ("GET", "/v1/get-user-credits", None),
    ("GET", "/v2/requests/0123456789abcdef/status", None), ("GET", "/v2/requests/x", None), ("GET", "/health", None),
    ("GET", "/v1/files/x.mp4", None), ("GET", "/v1/assets/x.png", None), ("GET", "/openapi.json", None),
    ("OPTIONS", "/health", None), ("DELETE", "/nothing", None),
]  # fmt: skip


def made_up(chance: random.Random, key: str) -> bytes:
    """A request that was good once."""
    method, path, fields = chance.choice(ROUTES)
    content = b""
    if fields:
        fields = dict(fields)
        for _ in range(chance.choice((0, 1, 1, 3))):
            fields[chance.choice([*fields, "duration", "bgm", "movement_amplitude", "odd"])] = chance.choice(VALUES)
        content = json.dumps(fields).encode()
        if chance.random() < 0.3:
            content = mutated(chance, content)
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"x-api-key: {key if chance.random() < 0.9 else 'x'}"]
    if fields or chance.random() < 0.1:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    data = "\r\n".join([*lines, "", ""]).encode() + content
    return mutated(chance, data) if chance.random() < 0.6 else data


def mutated(chance: random.Random, data: bytes) -> bytes:
    """The same with a few bytes changed, lost, doubled or put in."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        at, length = chance.randrange(len(data) + 1), chance.randrange(1, 20)
        kind = chance.randrange(5)
        if kind == 0:
            data = data[:at] + chance.randbytes(1) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[at + length :]
        elif kind == 2:
            data = data[:at] + data[at : at + length] * 3 + data[at + length :]
        elif kind == 3:
            data = data[:at] + chance.choice(WORDS) + data[at:]
        elif chance.random() < 0.2:
            data = data[:at]
    return data


class Caller:
    """One connection, used again as long as it lives."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket: socket.socket | None = None

    def send(self, data: bytes) -> list[int]:
        """The statuses of whatever came back."""
        try:
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
            self.socket.sendall(data)
            statuses, whole = self._read()
        except OSError:
            statuses, whole = [], False
        if not whole:
            self.close()
        return statuses

    def _read(self) -> tuple[list[int], bool]:
        statuses: list[int] = []
        text = b""
        closing = False
        while True:
            try:
                chunk = self.socket.recv(1 << 16)
            except TimeoutError:
                return statuses, False
            text += chunk
            while b"\r\n\r\n" in text:
                head, _, rest = text.partition(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0
                )
                if len(rest) < length:
                    break
                statuses.append(int(head.split()[1]))
                closing |= b"connection: close" in head
                text = rest[length:]
            if not chunk:
                return statuses, False
            if statuses and not text:
                return statuses, not closing

    def close(self) -> None:
        """Hang up."""
        if self.socket:
            self.socket.close()
        self.socket = None


class Complaints(logging.Handler):
    """What the server and the event loop write into their logs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, with what raised it."""
        self.lines.append(f"{record.getMessage()} {record.exc_info[1]!r}" if record.exc_info else record.getMessage())


def fuzz(server: PreviewServer, count: int, *, seed: int = 1) -> tuple[Counter[int], list[str]]:
    """Send `count` requests from a few threads; how often each status came (0: none), and what went wrong."""
    port = int(server.base_url.rpartition(":")[2])
    complaints = Complaints()
    watched = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio", "vidu_nb")]
    for logger in watched:
        logger.addHandler(complaints)

    def work(number: int) -> tuple[Counter[int], list[str]]:
        chance, caller = random.Random(f"{seed} {number}"), Caller(port)
        seen: Counter[int] = Counter()
        wrong = []
        for _ in range(count // THREADS):
            data = made_up(chance, server.key)
            statuses = caller.send(data)
            seen.update(statuses or [0])
            wrong += [f"{status}: {data!r}" for status in statuses if status >= 500 or 300 <= status < 400]
        caller.close()
        return seen, wrong

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(work, range(THREADS)))
    problems = [line for _, wrong in results for line in wrong]
    if requests.get(f"{server.base_url}/health", timeout=5).status_code != 200:
        problems.append("no /health at the end")
    for logger in watched:
        logger.removeHandler(complaints)
    return sum((seen for seen, _ in results), Counter()), problems + complaints.lines


def left_open(server: PreviewServer) -> int:
    """Connections that are still there when every deadline has passed."""
    end = time.monotonic() + connections.HEAD_TIMEOUT + 2
    while server.connections and time.monotonic() < end:
        time.sleep(0.1)
    return server.connections


def main() -> int:
    """Fuzz a server of our own and print the counts."""
    count, seed = (int(word) for word in (*sys.argv[1:3], *("20000", "1")[len(sys.argv) - 1 :]))
    with PreviewServer(credits=0) as server:
        started = time.monotonic()
        seen, problems = fuzz(server, count, seed=seed)
        seconds = time.monotonic() - started
        stuck = left_open(server)
    print(f"{sum(seen.values()):,} answers or none in {seconds:.0f} s: {dict(sorted(seen.items()))}")
    print(f"{stuck} connections left open; {len(problems)} problems")
    print(*problems[:10], sep="\n")
    return 1 if problems or stuck else 0


if __name__ == "__main__":
    sys.exit(main())
