"""A scripted HTTP server on bare sockets that breaks each call at a chosen point, and keeps the truth about it.

    with FaultServer() as server:
        Client(api_key="k", base_url=server.url("reset_after_body")).generate(request)   # fails as the name says
        server.billed()                                                                  # what really was paid

Or as a process of its own, so that its counts outlive a client that is killed: ``python tests/faults.py --journal
FILE`` (in a test: ``with spawn(journal) as server``; the same `url`, `seen`, `posts` and `billed`).

A request finds its fault, first rule first: the server's script (one name for each connection); the door it came
through (faults that strike before anything is read have a port each); the header ``x-fault``; the query ``?fault=``;
the path ``/fault/NAME/...``; ``[fault:NAME]`` in the prompt; else the good answer. `FaultServer.url` picks the door or
the path.

`TABLE` lists the kinds; each knows where it strikes, whether the service would have billed, and what a client must
conclude.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import fcntl
import functools
import gzip
import hashlib
import io
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
PRICE_USD = 0.5
BALANCE_USD = 10_000.0
PATIENCE = 30.0  # s; no fault holds a connection longer
MAX_HEAD = 1 << 20
KEY = "SG_not-a-real-key-for-tests"  # any key is taken
MAX_BODY = 64 << 20
HUGE = 300_000_000  # bytes; more than any clip
MODEL_PATH = "/v1/vidu-q1-reference-to-video"

Point = Literal["connect", "accept", "headers", "body", "link"]
Conclusion = Literal["nothing sent", "not billed", "unknown", "video kept"]
Wire = Literal["nothing", "broken", "whole"]
Pace = Literal["quick", "deadline", "heavy"]
Act = Callable[["Exchange"], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a call goes wrong (or well).

    Attributes
    ----------
    name : str
    strikes : {"connect", "accept", "headers", "body", "link"}
        How far the request gets: no connection; connected; headers read; body read; the result's URL asked for.
    billed : bool
        The service would have done the work and charged it.
    concludes : {"nothing sent", "not billed", "unknown", "video kept"}
        All that an honest client can say afterwards.
    wire : {"nothing", "broken", "whole"}
        What HTTP alone can tell: no request byte left, a broken answer, a whole one (which may still be nonsense).
    act : callable
        Plays it.
    pace : {"quick", "deadline", "heavy"}
        Over at once, lasts until the client's own deadline, or moves hundreds of megabytes.
    first : str
        The kind that answers instead when a body arrives for the first time.
    """

    name: str
    strikes: Point
    billed: bool
    concludes: Conclusion
    wire: Wire
    act: Act
    pace: Pace = "quick"
    first: str = ""


@dataclass(slots=True)
class Seen:
    """What the server knows of one connection; the key itself is never kept, only whether and which (as sha256)."""

    id: int
    door: str
    fault: str = ""
    reached: Literal["connected", "headers", "body"] = "connected"
    bytes_in: int = 0
    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    keyed: bool = False
    key_sha256: str = ""
    body_sha256: str = ""
    prompt: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)  # the body of a call for a clip
    at: str = ""  # when it came through whole
    billed: bool = False
    bytes_out: int = 0  # handed to the socket
    delivered: str = ""  # sha256 of the clip whose last byte was handed to the socket
    ended: bool = False


class Truth:
    """Every connection in order, exact under any number of threads; on request also a journal of JSON lines."""

    def __init__(self, journal: str | os.PathLike[str] | None = None) -> None:
        self._changed = threading.Condition()
        self._seen: list[Seen] = []
        self._bodies: set[str] = set()
        self._journal = os.open(journal, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600) if journal else None

    def begin(self, door: str) -> Seen:
        """A new connection."""
        with self._changed:
            seen = Seen(len(self._seen) + 1, door)
            self._seen.append(seen)
        self.note(seen)
        return seen

    def note(self, seen: Seen, *, sync: bool = False, **facts: Any) -> None:
        """Put facts down; with `sync` they are on the disk first (a write alone outlives a killed process)."""
        with self._changed:
            for name, value in facts.items():
                setattr(seen, name, value)
            if self._journal is not None:
                os.write(self._journal, json.dumps(asdict(seen)).encode() + b"\n")
            self._changed.notify_all()
        if sync and self._journal is not None:
            os.fsync(self._journal)

    def posts(self, case: str) -> list[Seen]:
        """The paid calls whose path names a case that begins so, and that were not refused."""
        with self._changed:
            calls = [seen for seen in self._seen if is_post(seen) and seen.path.split("/")[3:4]]
        found = [seen for seen in calls if seen.path.split("/")[3].startswith(case)]
        return [seen for seen in found if TABLE[seen.fault].concludes in ("unknown", "video kept")]

    def is_new(self, body_sha256: str) -> bool:
        """True once for each body."""
        with self._changed:
            new = body_sha256 not in self._bodies
            self._bodies.add(body_sha256)
        return new

    def seen(self) -> list[Seen]:
        """A copy of all."""
        with self._changed:
            return [replace(seen) for seen in self._seen]

    def wait(self, holds: Callable[[list[Seen]], object], timeout: float = 10.0) -> list[Seen]:
        """Block until `holds` says so of all that was seen.

        Raises
        ------
        TimeoutError
            It did not come true in `timeout` seconds; the message lists what was seen.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self._seen), timeout):
                raise TimeoutError(f"not within {timeout:g} s; seen: {self._seen}")
            return [replace(seen) for seen in self._seen]

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            os.fsync(self._journal)
            os.close(self._journal)
            self._journal = None


def read_journal(path: str | os.PathLike[str]) -> list[Seen]:
    """The truth from a journal: the last whole line of each connection."""
    last: dict[int, Seen] = {}
    for line in Path(path).read_bytes().split(b"\n")[:-1]:  # what follows the last newline is not yet whole
        said = Seen(**json.loads(line))
        last[said.id] = said
    return [last[number] for number in sorted(last)]


def is_post(seen: Seen) -> bool:
    """A paid call whose body came through whole."""
    return seen.method == "POST" and seen.reached == "body" and seen.door != "trap"


class _Asked:
    """The questions that both forms of the server answer."""

    doors: dict[str, int]

    def seen(self) -> list[Seen]:
        raise NotImplementedError

    @property
    def root(self) -> str:
        """The main door's URL; the prompt (or header, or query) names the fault."""
        return f"http://{HOST}:{self.doors['main']}"

    def url(self, fault: str) -> str:
        """A base URL under which every call meets this fault."""
        if TABLE[fault].strikes not in ("connect", "accept"):
            return f"{self.root}/fault/{fault}"
        scheme = "https" if fault.startswith("tls_") else "http"
        return f"{scheme}://{HOST}:{self.doors[fault]}"

    def posts(self, prompt: str | None = None) -> list[Seen]:
        """The paid calls whose body came through, all or those of one prompt."""
        return [seen for seen in self.seen() if is_post(seen) and prompt in (None, seen.prompt)]

    def billed(self, prompt: str | None = None) -> int:
        """How many calls the service would have charged."""
        return sum(seen.billed for seen in self.posts(prompt))

    def strays(self) -> list[Seen]:
        """What arrived at the place that redirects point to; nothing should."""
        return [seen for seen in self.seen() if seen.door == "trap"]


class FaultServer(_Asked):
    """The server inside this process; a context manager.

    Parameters
    ----------
    script
        Names of faults for the main door's connections, one after another, before the rules in this module's docstring.
    journal
        File for the truth as JSON lines.
    port
        Of the main door; 0 takes a free one.
    record
        How the record of calls is kept, one of `RECORDS`; empty for none. It is read below any fault's path, and shows
        the calls whose case begins as that path's.
    """

    def __init__(
        self,
        script: Iterable[str] = (),
        *,
        journal: str | os.PathLike[str] | None = None,
        port: int = 0,
        record: str = "",
    ) -> None:
        self.record = record
        self.truth = Truth(journal)
        self.stopping = threading.Event()
        self._script = collections.deque(_checked(name) for name in script)
        self._lock = threading.Lock()
        self._open: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._listeners: dict[str, tuple[socket.socket, threading.Thread]] = {}
        self._held: list[socket.socket] = []
        self.doors = {}
        self._add_door("main", port)
        for name in ("trap", *(one.name for one in TABLE.values() if one.strikes == "accept")):
            self._add_door(name)
        self.doors["refuse"] = self._hold(0)
        self.doors["connect_silence"] = self._full_backlog()

    def seen(self) -> list[Seen]:
        """A copy of the truth so far."""
        return self.truth.seen()

    def wait(self, holds: Callable[[list[Seen]], object], timeout: float = 10.0) -> list[Seen]:
        """Block until `holds` says so of all that was seen; TimeoutError otherwise."""
        return self.truth.wait(holds, timeout)

    def settle(self, timeout: float = 10.0) -> list[Seen]:
        """Block until every connection so far has ended."""
        return self.truth.wait(lambda all_: all(seen.ended for seen in all_), timeout)

    def down(self) -> None:
        """Close the main door: from now on connections to it are refused; its port stays ours."""
        self._shut("main")

    def up(self) -> None:
        """Open the main door again."""
        self._listen("main")

    def close(self) -> None:
        """End every connection and every thread."""
        self.stopping.set()
        for name in list(self._listeners):
            self._shut(name)
        with self._lock:
            sockets, threads = list(self._open.values()), list(self._threads)
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(PATIENCE)
        for one in self._held:
            one.close()
        self.truth.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Doors

    def _add_door(self, name: str, port: int = 0) -> None:
        self.doors[name] = self._hold(port)
        self._listen(name)

    def _hold(self, port: int) -> int:
        """Reserve a port by a socket that never listens: alone it refuses, beside a listener it keeps the port ours."""
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((HOST, port))
        self._held.append(held)
        return int(held.getsockname()[1])

    def _listen(self, name: str) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((HOST, self.doors[name]))
        listener.listen(1024)
        self._listeners[name] = (listener, self._start(self._accept, name, listener))

    def _shut(self, name: str) -> None:
        """Stop listening; closing alone would let a waiting accept() take one more."""
        listener, thread = self._listeners.pop(name)
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)
        listener.close()

    def _full_backlog(self) -> int:
        """A port whose queue is full: the system drops every further SYN, so that connecting hangs."""
        listener = socket.create_server((HOST, 0), backlog=0)
        self._held.append(listener)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            self._held.append(filler)
        return int(listener.getsockname()[1])

    def _start(self, target: Callable[..., None], *args: Any) -> threading.Thread:
        thread = threading.Thread(target=target, args=args, name="fault server", daemon=True)
        with self._lock:
            self._threads = [one for one in self._threads if one.is_alive() or one.ident is None]
            self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self, door: str, listener: socket.socket) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return  # closed: the door is down
            seen = self.truth.begin(door)
            with self._lock:
                self._open[seen.id] = sock
            self._start(self._serve, sock, seen)

    def _serve(self, sock: socket.socket, seen: Seen) -> None:
        exchange = Exchange(self, sock, seen)
        try:
            exchange.run()
        except (OSError, ValueError):
            pass  # the client went away, or spoke no HTTP: `reached` tells how far it came
        finally:
            exchange.hang_up()
            with self._lock:
                del self._open[seen.id]
            self.truth.note(seen, ended=True, bytes_out=exchange.bytes_out)

    def scripted(self, seen: Seen) -> str:
        """The script's next name, if this connection came through the main door."""
        with self._lock:
            return self._script.popleft() if seen.door == "main" and self._script else ""


class Exchange:
    """One connection as a fault plays with it."""

    def __init__(self, server: FaultServer, sock: socket.socket, seen: Seen) -> None:
        self.server = server
        self.sock = sock
        self.seen = seen
        self.fault = TABLE["good"]
        self.body = b""
        self.key = ""  # for the answers that quote it; never noted
        self.bytes_out = 0
        self._rest = b""
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self) -> None:
        """Read as far as the fault lets the request come, then play it."""
        name = self.server.scripted(self.seen) or (self.seen.door if self.seen.door in TABLE else "")
        if name and TABLE[name].strikes == "accept":
            self._choose(name)
            return self.fault.act(self)
        self.read_head()
        if RECORD in self.seen.path:
            self._choose("good")
            return self.send(self._from_the_record() if self.server.record else reply(404, b'{"error": "no route"}'))
        self._choose(name or self._named() or "good")
        if self.fault.strikes == "headers":
            return self.fault.act(self)
        self.read_body()
        return self._answer()

    def _answer(self) -> None:
        if self.seen.path.endswith("/v1/get-user-credits"):
            left = BALANCE_USD - PRICE_USD * self.server.billed()
            self.send(reply(200, json.dumps({"credits": left, "free-credits": 0.0}).encode()))
        else:
            self.fault.act(self)

    def _from_the_record(self) -> bytes:
        """A page of the record, or one call of it."""
        parts = urlsplit(self.seen.path)
        case, one = parts.path.split("/")[3], parts.path.rpartition(RECORD)[2].strip("/")
        rows = [row_of(seen, self.server.root) for seen in self.server.truth.posts(case)]
        if one:
            rows = [row for row in rows if row["request_id"] == one]
            return reply(200, json.dumps(rows[0]).encode()) if rows else reply(404, b'{"error": "not yours"}')
        query = {name: int(value[0]) for name, value in parse_qs(parts.query).items() if value[0].isdigit()}
        start = (query["page"] - 1) * query["per_page"]
        shown = RECORDS[self.server.record](rows[::-1])
        page = {"total": len(shown), "requests": shown[start : start + query["per_page"]]}
        return reply(200, json.dumps(page).encode())

    def _choose(self, name: str) -> None:
        self.fault = TABLE[_checked(name)]
        self.server.truth.note(self.seen, fault=name)

    def _named(self) -> str:
        """The fault that header, query or path names."""
        parts = urlsplit(self.seen.path)
        query = parse_qs(parts.query).get("fault", [""])[0]
        path = parts.path.split("/")
        return self.seen.headers.get("x-fault") or query or (path[2] if path[1:2] == ["fault"] else "")

    def read_head(self) -> None:
        """Read to the blank line; ValueError where it is no HTTP."""
        data = b""
        while b"\r\n\r\n" not in data and len(data) < MAX_HEAD:
            piece = self.sock.recv(65536)
            data += piece
            self.server.truth.note(self.seen, bytes_in=len(data))
            if not piece:
                raise ValueError("hung up before the blank line")
            if data[:1] == b"\x16":
                raise ValueError("a TLS greeting")
        head, _, self._rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.key = headers.pop("x-api-key", "")
        told = hashlib.sha256(self.key.encode()).hexdigest() if self.key else ""
        facts = {"method": method, "path": path, "headers": headers, "keyed": bool(self.key), "key_sha256": told}
        self.server.truth.note(self.seen, reached="headers", **facts)

    def read_body(self, *, chunk: int = 1 << 18, gap: float = 0.0) -> None:
        """Read the body whole, choose by its prompt if nothing else has chosen, and put down what it costs."""
        size = min(int(self.seen.headers.get("content-length", "0")), MAX_BODY)
        pieces, have = [self._rest], len(self._rest)
        while have < size:
            piece = self.sock.recv(min(chunk, size - have))
            if not piece:
                raise ValueError("hung up inside the body")
            pieces.append(piece)
            have += len(piece)
            self.server.stopping.wait(gap)
        self.body = b"".join(pieces)
        self._put_down(hashlib.sha256(self.body).hexdigest(), _prompt(self.body))

    def _put_down(self, told: str, prompt: str) -> None:
        named = re.search(r"\[fault:(\w+)\]", prompt)
        if named and self.seen.fault == "good":
            self._choose(named[1])
        paid = self.seen.method == "POST" and self.seen.door != "trap"
        if paid and self.server.truth.is_new(told) and self.fault.first:
            self._choose(self.fault.first)
        facts = {"body_sha256": told, "prompt": prompt, "billed": paid and self.fault.billed}
        facts |= {"at": datetime.now(UTC).isoformat(), "inputs": _inputs(self.body)}
        self.server.truth.note(self.seen, sync=True, reached="body", **facts)

    @property
    def tag(self) -> str:
        """Names the clip of this call, the same for the POST and for each GET of its result."""
        path = urlsplit(self.seen.path).path
        return Path(path).stem if "/files/" in path else f"{self.seen.id}-{self.seen.body_sha256[:12]}"

    @property
    def clip(self) -> bytes:
        """The MP4 of this call alone: no two calls get the same bytes."""
        return clip(self.tag)

    def send(self, data: bytes) -> None:
        """Hand over all of it."""
        self.sock.sendall(data)
        self.bytes_out += len(data)

    def drip(self, data: bytes, *, gap: float = 0.05, piece: int = 1) -> None:
        """Send a few bytes at a time, for at most `PATIENCE`."""
        end = time.monotonic() + PATIENCE
        for at in range(0, len(data), piece):
            self.send(data[at : at + piece])
            if self.server.stopping.wait(gap) or time.monotonic() > end:
                return

    def hang_up(self) -> None:
        """A clean end (FIN): what the client still sends is read away, as unread bytes would turn it into a reset."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
            self.sock.settimeout(PATIENCE)
            for _ in range(MAX_BODY >> 16):
                if not self.sock.recv(1 << 16):
                    break
        self.sock.close()

    def reset(self) -> None:
        """An abrupt end (RST)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_until_read(self) -> None:
        """Until the client's system has acknowledged all that was sent, so that a reset doesn't overtake it."""
        queued = bytearray(4)
        for _ in range(1000):
            fcntl.ioctl(self.sock, termios.TIOCOUTQ, queued)
            if not int.from_bytes(queued, sys.byteorder):
                return
            self.server.stopping.wait(0.001)

    def silence(self) -> None:
        """Say and read nothing until the client hangs up, for at most `PATIENCE`."""
        watcher = select.poll()
        watcher.register(self.sock, getattr(select, "POLLRDHUP", select.POLLHUP))
        watcher.poll(PATIENCE * 1000)


def _prompt(body: bytes) -> str:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return str(said.get("prompt", ""))[:2000] if isinstance(said, dict) else ""


def _inputs(body: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        told = json.loads(body)
        return told if isinstance(told, dict) else {}
    return {}


def row_of(seen: Seen, root: str) -> dict[str, Any]:
    """A call as the service's record has it: what was billed was made, the rest failed."""
    clip_url = f"{root}/fault/good/files/{seen.id}-{seen.body_sha256[:12]}.mp4"
    return {
        "request_id": f"fault-{seen.id}", "model_name": MODEL_PATH.rpartition("/")[2], "model_created": seen.at,
        "model_status": "COMPLETED" if seen.billed else "FAILED", "request_body": seen.inputs, "latency_ms": 1200,
        "credits_deduction": PRICE_USD if seen.billed else 0, "generation_url": clip_url if seen.billed else None,
        "error": None if seen.billed else "the worker gave up",
    }  # fmt: skip


def _late(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    before = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    return [row for row in rows if row["model_created"] < before]


def _cut(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bodies = [{**row["request_body"], "prompt": row["request_body"].get("prompt", "")[:8] + "..."} for row in rows]
    return [{**row, "request_body": body} for row, body in zip(rows, bodies, strict=True)]


RECORD = "/inference-request/request-history"
#: How a record is kept: what is shown of the rows there are.
RECORDS: dict[str, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {
    "on": list,
    "late": _late,
    "threefold": lambda rows: [row for row in rows for _ in range(3)],
    "cut": _cut,
    "mates as well": lambda rows: [*rows, *({**row, "request_id": f"mate-{row['request_id']}"} for row in rows)],
    "mates alone": lambda rows: [{**row, "request_id": f"mate-{row['request_id']}"} for row in rows],
    "without inputs": lambda rows: [{**row, "request_body": None} for row in rows],
    "missing": lambda _: [],
}


def _checked(name: str) -> str:
    if name not in TABLE:
        raise ValueError(f"no fault is called {name!r}")
    if TABLE[name].strikes == "connect":
        raise ValueError(f"{name!r} needs its own port: use url({name!r}), or down() and up()")
    return name


# Clips and answers


@functools.cache
def tiny_mp4() -> bytes:
    """A valid clip of a few kB: H.264, ten frames, 128x128 px, enough to be a reference."""
    import av
    import numpy as np

    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=10, options={"flags": "+bitexact", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 128, 128, "yuv420p"
        noise = np.random.default_rng(0).integers(0, 16, (10, 32, 32, 3), dtype=np.uint8)
        for picture in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def clip(tag: str, *, pad: int = 0) -> bytes:
    """The tiny clip with a ``free`` box that holds `tag` and `pad` zeros: valid, and unlike any other tag's."""
    payload = tag.encode() + bytes(pad)
    return tiny_mp4() + struct.pack(">I4s", 8 + len(payload), b"free") + payload


def box_starts(data: bytes) -> dict[str, int]:
    """Where each top-level box of an MP4 begins."""
    starts, at = {}, 0
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        starts[kind.decode("latin-1")] = at
        at += max(length, 8)
    return starts


def cut_at(point: str, data: bytes) -> int:
    """The length of a clip that was cut inside a box, between boxes, or one byte short."""
    starts = box_starts(data)
    known = {"ftyp": 6, "between_boxes": starts["moov"], "last_byte": len(data) - 1}
    return known[point] if point in known else starts[point] + 40


def reply(
    status: int, body: bytes = b"", *headers: str, kind: str = "application/json", length: int | None = -1
) -> bytes:
    """A whole answer as bytes; `length` overrides Content-Length, None leaves it out."""
    told = len(body) if length == -1 else length
    lines = [f"HTTP/1.1 {status} Said so", f"Content-Type: {kind}", "Connection: close", *headers]
    if told is not None:
        lines.append(f"Content-Length: {told}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body


def papers(x: Exchange) -> list[str]:
    """The headers that the service adds to a good answer."""
    return [f"x-request-id: fault-{x.seen.id}", f"x-cost: {PRICE_USD}", "x-remaining-credits: 9.5", "x-seed-value: 42"]


def chunked(data: bytes, size: int = 1000) -> bytes:
    """Transfer-Encoding: chunked, without the last chunk."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


@functools.cache
def gzip_bomb(size: int = HUGE) -> bytes:
    """A thousandth of `size` that unpacks to it: one flushed block of zeros, repeated."""
    megabyte = bytes(1 << 20)
    packer = zlib.compressobj(wbits=-15)
    block = packer.compress(megabyte) + packer.flush(zlib.Z_FULL_FLUSH)
    times, check = size // len(megabyte), 0
    for _ in range(times):
        check = zlib.crc32(megabyte, check)
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    return head + block * times + packer.flush() + struct.pack("<II", check, times * len(megabyte))


def _says(make: Callable[[Exchange], bytes], then: Act = Exchange.hang_up) -> Act:
    """Send one answer, then end."""

    def act(x: Exchange) -> None:
        x.send(make(x))
        then(x)

    return act


def _gives(make: Callable[[Exchange], bytes]) -> Act:
    """Send one answer that holds the whole clip, and put down that it was given."""

    def act(x: Exchange) -> None:
        x.send(make(x))
        x.server.truth.note(x.seen, delivered=hashlib.sha256(x.clip).hexdigest())

    return act


def _video(x: Exchange, *headers: str, body: bytes | None = None, length: int | None = -1) -> bytes:
    body = x.clip if body is None else body
    return reply(200, body, *papers(x), *headers, kind="video/mp4", length=length)


def _chunk_answer(x: Exchange, body: bytes) -> bytes:
    return _video(x, "Transfer-Encoding: chunked", body=body, length=None)


# The kinds, a group at a time; each yields rows of the table.


def _before_the_request() -> Iterator[Fault]:
    def nothing(_: Exchange) -> None: ...

    def hello_then(then: Act) -> Act:
        def act(x: Exchange) -> None:
            hello = x.sock.recv(65536)
            x.server.truth.note(x.seen, bytes_in=len(hello))
            then(x)

        return act

    def accept(name: str, act: Act, pace: Pace = "quick", *, tls: bool = False) -> Fault:
        return Fault(
            name, "accept", False, "nothing sent" if tls else "unknown", "nothing" if tls else "broken", act, pace
        )

    yield Fault("refuse", "connect", False, "nothing sent", "nothing", nothing)
    yield Fault("connect_silence", "connect", False, "nothing sent", "nothing", nothing, "deadline")
    yield accept("close_at_accept", Exchange.hang_up)
    yield accept("reset_at_accept", Exchange.reset)
    yield accept("silence_at_accept", Exchange.silence, "deadline")
    yield accept("garbage_at_accept", _says(lambda _: b"\x00\xffSSH-2.0-nonsense\r\n\r\n"))
    yield accept("tls_silence", hello_then(Exchange.silence), "deadline", tls=True)
    yield accept("tls_close", hello_then(Exchange.hang_up), tls=True)
    yield accept("tls_reset", hello_then(Exchange.reset), tls=True)
    yield accept("tls_garbage", hello_then(_says(lambda _: reply(200, b"plain HTTP"))), tls=True)


def _during_the_request() -> Iterator[Fault]:
    def early(x: Exchange) -> None:
        x.send(reply(401, b'{"error": "Invalid API key"}'))
        x.hang_up()

    def slowly(x: Exchange) -> None:
        x.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        x.read_body(chunk=1 << 16, gap=0.01)
        _gives(_video)(x)

    yield Fault("close_after_headers", "headers", False, "unknown", "broken", Exchange.hang_up)
    yield Fault("reset_after_headers", "headers", False, "unknown", "broken", Exchange.reset)
    yield Fault("silence_after_headers", "headers", False, "unknown", "broken", Exchange.silence, "deadline")
    yield Fault("early_401", "headers", False, "not billed", "whole", early)
    yield Fault("slow_upload", "headers", True, "video kept", "whole", slowly)
    for name, act in (("close", Exchange.hang_up), ("reset", Exchange.reset)):
        yield Fault(f"{name}_after_body", "body", True, "unknown", "broken", act)
    yield Fault("silence_after_body", "body", True, "unknown", "broken", Exchange.silence, "deadline")


def _broken(name: str, make: Callable[[Exchange], bytes], then: Act = Exchange.hang_up, pace: Pace = "quick") -> Fault:
    return Fault(name, "body", True, "unknown", "broken", _says(make, then), pace)


def _reset_when_read(x: Exchange) -> None:
    x.wait_until_read()
    x.reset()


def _broken_heads() -> Iterator[Fault]:
    def drips(make: Callable[[Exchange], bytes]) -> Act:
        return lambda x: x.drip(make(x), piece=8)

    ok = b"HTTP/1.1 200 OK\r\n"
    yield _broken("half_status_line", lambda _: b"HTTP/1.1 20")
    yield _broken("garbage", lambda _: bytes(range(256)) * 8)
    yield _broken("not_http", lambda _: b"SIP/2.0 200 OK\r\n\r\n")
    yield _broken("negative_status", lambda _: b"HTTP/1.1 -200 OK\r\n\r\n")
    yield _broken("status_line_reset", lambda _: ok, _reset_when_read)
    yield _broken("headers_reset", lambda _: ok + b"Content-Type: vid", _reset_when_read)
    yield _broken("header_flood", lambda _: ok + b"".join(b"x-flood-%d: a\r\n" % i for i in range(20_000)))
    yield _broken("header_line_of_megabytes", lambda _: ok + b"x-long: " + b"a" * 5_000_000)
    # A clean end inside the headers looks like their end: HTTP libraries read an empty answer, which is no clip either.
    yield replace(_broken("status_line_cut", lambda _: ok), wire="whole")
    yield replace(_broken("headers_cut", lambda _: ok + b"Content-Type: vid"), wire="whole")
    endless = (
        ("status_line_drip", lambda _: b"HTTP/1.1 " + b"2" * 65_000),
        ("header_drip", lambda _: ok + (b"x-drip: " + b"a" * 600 + b"\r\n") * 99),
        ("interim_drip", lambda _: b"HTTP/1.1 100 Continue\r\n\r\n" * 999),
    )
    for name, make in endless:
        yield Fault(name, "body", True, "unknown", "broken", drips(make), "deadline")


def _cut_clips() -> Iterator[Fault]:
    def part(x: Exchange, point: str) -> bytes:
        return x.clip[: cut_at(point, x.clip)]

    for point in ("ftyp", "between_boxes", "moov", "mdat", "last_byte"):
        yield _broken(f"cut_{point}_length", lambda x, p=point: _video(x, body=part(x, p), length=len(x.clip)))
        yield _broken(f"cut_{point}_chunked", lambda x, p=point: _chunk_answer(x, chunked(part(x, p))))
        clean = _broken(f"cut_{point}_close", lambda x, p=point: _video(x, body=part(x, p), length=None))
        yield replace(clean, wire="whole")  # without a length a cut is no different from an end
    for name, length in (("length", 10**6), ("close", None)):
        yield _broken(
            f"reset_mdat_{name}", lambda x, n=length: _video(x, body=part(x, "mdat"), length=n), _reset_when_read
        )
    yield _broken("reset_mdat_chunked", lambda x: _chunk_answer(x, chunked(part(x, "mdat"))), _reset_when_read)
    yield _broken("silence_mdat", lambda x: _video(x, body=part(x, "mdat"), length=10**6), Exchange.silence, "deadline")

    def drip(x: Exchange, *headers: str, piece: bytes = b"\0") -> None:
        x.send(_video(x, *headers, body=b"", length=None))
        x.drip(piece * 9_999, piece=len(piece))

    yield Fault("body_drip", "body", True, "unknown", "broken", drip, "deadline")
    act = functools.partial(drip, piece=b"1\r\n\0\r\n")
    yield Fault(
        "chunk_drip", "body", True, "unknown", "broken", lambda x: act(x, "Transfer-Encoding: chunked"), "deadline"
    )


def _wrong_frames() -> Iterator[Fault]:
    def sized(size: bytes) -> Callable[[Exchange], bytes]:
        return lambda x: _chunk_answer(x, size + b"\r\n" + x.clip + b"\r\n0\r\n\r\n")

    for name, size in {"word": b"zz", "empty": b"", "line": b"1" * 70_000}.items():
        yield _broken(f"chunk_size_{name}", sized(size))
    yield _broken("length_two_values", lambda x: _video(x, "Content-Length: 7"))
    short = _broken("length_too_short", lambda x: _video(x, length=len(x.clip) // 2))
    yield replace(short, wire="whole")
    squeezed = "Content-Encoding: gzip"
    yield _broken("gzip_cut", lambda x: _video(x, squeezed, body=gzip.compress(x.clip)[:-20]))
    yield _broken("gzip_bomb", lambda x: _video(x, squeezed, body=gzip_bomb()), pace="heavy")
    # The frame is wrong and the clip in it whole: throwing it away would throw away what was paid.
    mislabelled: dict[str, Callable[[Exchange], bytes]] = {
        "length_too_long": lambda x: _video(x, length=len(x.clip) + 100),
        "gzip_that_is_none": lambda x: _video(x, squeezed),
        "encoding_unasked": lambda x: _video(x, "Content-Encoding: br"),
        # Read to the end, with the last chunk's frame behind the clip.
        "chunk_size_minus_one": sized(b"-1"),
        "chunk_size_minus_five": sized(b"-5"),
        "chunk_size_huge": sized(b"f" * 15),
    }
    for name, make in mislabelled.items():
        yield Fault(name, "body", True, "video kept", "broken", _gives(make))

    def flood(x: Exchange, length: int | None) -> None:
        x.send(_video(x, body=b"", length=length))
        for _ in range(HUGE >> 20):
            x.send(bytes(1 << 20))

    def chunk_flood(x: Exchange) -> None:
        x.send(_chunk_answer(x, b"-1\r\n"))  # some libraries hand -1 to read(), which means "all there is"
        for _ in range(HUGE >> 20):
            x.send(bytes(1 << 20))

    for name, length in (("close", None), ("length", 10**12)):
        act = functools.partial(flood, length=length)
        yield Fault(f"huge_{name}", "body", True, "unknown", "broken", act, "heavy")
    yield Fault("huge_chunk_minus_one", "body", True, "unknown", "broken", chunk_flood, "heavy")


def _bad_answers() -> Iterator[Fault]:
    def bad(name: str, make: Callable[[Exchange], bytes]) -> Fault:
        return Fault(name, "body", True, "unknown", "whole", _says(make))

    def stretched(x: Exchange) -> bytes:
        return struct.pack(">I", 10**6) + x.clip[4:]

    yield bad("empty_200", lambda x: reply(200, b"", *papers(x), kind="video/mp4"))
    yield bad("empty_204", lambda _: b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    yield bad("html_200", lambda _: reply(200, b"<html><title>Busy</title></html>", kind="text/html"))
    yield bad("json_error_200", lambda _: reply(200, b'{"error": "generation failed", "status_code": 500}'))
    yield bad("json_cut_200", lambda _: reply(200, b'{"video": {"url": "http'))
    yield bad("json_deep_200", lambda _: reply(200, b"[" * 200_000))
    yield bad("json_null_200", lambda _: reply(200, b"null"))
    yield bad("boxes_do_not_tile", lambda x: _video(x, body=stretched(x)))
    yield bad("ftyp_only", lambda x: _video(x, body=x.clip[: box_starts(x.clip)["ftyp"] + 32]))
    yield bad("nul_bytes", lambda x: _video(x, body=bytes(len(x.clip))))


def _links() -> Iterator[Fault]:
    def file_url(x: Exchange, kind: str) -> str:
        root = x.server.url(kind) if TABLE[kind].strikes in ("connect", "accept") else f"{x.server.root}/fault/{kind}"
        return f"{root}/files/{x.tag}.mp4"

    def names(shape: Callable[[str], Any], kind: str) -> Act:
        return _says(lambda x: reply(200, json.dumps(shape(file_url(x, kind))).encode(), *papers(x)))

    shapes: dict[str, Callable[[str], Any]] = {
        "video": lambda url: {"video": {"url": url, "content_type": "video/mp4"}},
        "output": lambda url: {"output": url},
        "output_list": lambda url: {"output": [url]},
        "video_url": lambda url: {"video_url": url},
        "url": lambda url: {"url": url},
        "list": lambda url: [url],
    }
    for name, shape in shapes.items():
        yield Fault(f"good_link_{name}", "link", True, "video kept", "whole", names(shape, "good"))
    yield Fault("good_link_redirected", "link", True, "video kept", "whole", names(shapes["video"], "redirect_to_good"))
    kinds = {
        "403": "status_403", "404": "status_404", "410": "status_410", "429": "status_429_none", "500": "status_500",
        "html": "html_200", "empty": "empty_200", "refused": "refuse", "redirect_circle": "redirect_circle",
        "redirect_file": "redirect_file_location",
        "reset": "reset_after_body", "cut_length": "cut_mdat_length", "cut_close": "cut_mdat_close",
        "ftyp_only": "ftyp_only", "json": "json_error_200",
    }  # fmt: skip
    for name, kind in kinds.items():
        yield Fault(f"link_{name}", "link", True, "unknown", "whole", names(shapes["video"], kind))
    addresses = {
        "file": "file:///etc/hostname", "ftp": "ftp://127.0.0.1/a.mp4", "bad_host": "http://[oops/a.mp4",
        "bad_port": "http://127.0.0.1:99999/a.mp4", "no_host": "http:///a.mp4", "unknown_host": "http://no.invalid/a.mp4",
        "script": "javascript:alert(1)", "spaces": "http://127.0.0.1 /a.mp4",
    }  # fmt: skip
    for name, address in addresses.items():
        act = _says(lambda x, a=address: reply(200, json.dumps({"video": {"url": a}}).encode(), *papers(x)))
        yield Fault(f"link_{name}", "link", True, "unknown", "whole", act)


#: What the service says with each error status, whether it bills, and what is left to conclude.
STATUSES: dict[str, tuple[int, str, bool, Conclusion]] = {
    "400": (400, "Missing required field: prompt", False, "not billed"),
    "401": (401, "Invalid API key", False, "not billed"),
    "403": (403, "Model not permitted for this team", False, "not billed"),
    "404": (404, "Model not found", False, "not billed"),
    "405": (405, "Method not allowed", False, "not billed"),
    "406_credits": (406, "Insufficient credits", False, "not billed"),
    "406_value": (406, "aspect_ratio must be one of 16:9, 1:1, 9:16", False, "not billed"),
    "410": (410, "This model has been retired", False, "not billed"),
    "422": (422, "The job ran and failed", False, "not billed"),
    "500": (500, "Internal server error", False, "not billed"),
    "502": (502, "Bad gateway", True, "unknown"),
    "503": (503, "Service unavailable", False, "unknown"),
    "504": (504, "Gateway time-out", True, "unknown"),
}


def _statuses() -> Iterator[Fault]:
    for name, (status, words, billed, concludes) in STATUSES.items():
        bodies = {
            "": (json.dumps({"error": words}).encode(), "application/json"),
            "_html": (f"<html><head><title>{status} {words}</title></head></html>".encode(), "text/html"),
            "_empty": (b"", "text/plain"),
            "_binary": (b"\xff\xfe\x80" + words.encode("utf-16-le") + b"\xc3\x28", "text/plain; charset=utf-8"),
        }
        for suffix, (body, kind) in bodies.items():
            act = _says(lambda _, s=status, b=body, k=kind: reply(s, b, kind=k))
            yield Fault(f"status_{name}{suffix}", "body", billed, concludes, "whole", act)
    quoted = _says(
        lambda x: reply(401, json.dumps({"error": f"Invalid API key: {x.key}"}).encode(), f"x-echo: {x.key}")
    )
    yield Fault("status_401_quotes_key", "body", False, "not billed", "whole", quoted)
    script = b'{"error": "\\"><script>alert(1)</script>\\u001b[31m\\r\\nx-injected: 1"}'
    yield Fault("status_400_script", "body", False, "not billed", "whole", _says(lambda _: reply(400, script)))


def _rate_limits() -> Iterator[Fault]:
    def in_a_second(form: Callable[[datetime], str]) -> Callable[[], str]:
        return lambda: form(datetime.now(UTC) + timedelta(seconds=1))

    waits: dict[str, Callable[[], str]] = {
        "none": lambda: "x-nothing: told",
        "seconds": lambda: "Retry-After: 1",
        "zero": lambda: "Retry-After: 0",
        "fraction": lambda: "Retry-After: 0.5",
        "date": in_a_second(lambda then: f"Retry-After: {format_datetime(then, usegmt=True)}"),
        "past_date": lambda: "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT",
        "soon": lambda: "Retry-After: soon",
        "minus_one": lambda: "Retry-After: -1",
        "ages": lambda: "Retry-After: 1000000000",
        "exponent": lambda: "Retry-After: 1e9",
        "digits": lambda: "Retry-After: " + "9" * 5000,
        "reset_at": in_a_second(lambda then: f"x-rate-limit-reset-at-utc: {then.isoformat(timespec='milliseconds')}"),
        "reset_at_nonsense": lambda: "x-rate-limit-reset-at-utc: tomorrow",
    }
    body = b'{"error": "Rate limit exceeded"}'
    for name, header in waits.items():
        act = _says(lambda _, h=header: reply(429, body, h()))
        yield Fault(f"status_429_{name}", "body", False, "not billed", "whole", act)
    for name, kind in (("html", b"<html><title>Slow down</title></html>"), ("empty", b""), ("binary", b"\xff\xfe\x80")):
        act = _says(lambda _, b=kind: reply(429, b, "Retry-After: 1", kind="text/html"))
        yield Fault(f"status_429_{name}", "body", False, "not billed", "whole", act)
    for name in ("zero", "seconds"):
        first = f"status_429_{name}"
        yield Fault(f"rate_limited_once_{name}", "body", True, "video kept", "whole", _gives(_video), first=first)


def _redirects() -> Iterator[Fault]:
    def place(x: Exchange, where: str) -> str:
        trap = f"{x.server.doors['trap']}{MODEL_PATH}"
        return {
            "host": f"http://localhost:{trap}",
            "port": f"http://{HOST}:{trap}",
            "scheme": f"https://{HOST}:{trap}",
        }[where]

    for status in (301, 302, 303, 307, 308):
        concludes: Conclusion = "unknown" if status in (302, 303) else "not billed"
        for where in ("host", "port", "scheme"):
            act = _says(lambda x, s=status, w=where: reply(s, b"moved", f"Location: {place(x, w)}"))
            yield Fault(f"redirect_{status}_{where}", "body", status == 303, concludes, "whole", act)
    odd = {
        "no_location": "x-nothing: told", "bad_location": "Location: http://[oops", "empty_location": "Location: ",
        "file_location": "Location: file:///etc/hostname", "self_location": f"Location: {MODEL_PATH}",
        "circle": "Location: ?again",
    }  # fmt: skip
    for name, header in odd.items():
        act = _says(lambda _, h=header: reply(307, b"moved", h))
        yield Fault(f"redirect_{name}", "body", False, "not billed", "whole", act)
    act = _says(lambda x: reply(307, b"moved", f"Location: /fault/good/files/{x.tag}.mp4"))
    yield Fault("redirect_to_good", "body", False, "not billed", "whole", act)

    def bomb(x: Exchange) -> bytes:
        return reply(307, gzip_bomb(), f"Location: {place(x, 'port')}", "Content-Encoding: gzip")

    def flood(x: Exchange) -> None:
        x.send(reply(307, b"", f"Location: {place(x, 'port')}", length=None))
        for _ in range(HUGE >> 20):
            x.send(bytes(1 << 20))

    yield Fault("redirect_gzip_bomb", "body", False, "not billed", "broken", _says(bomb), "heavy")
    yield Fault("redirect_huge", "body", False, "not billed", "broken", flood, "heavy")


def _good() -> Iterator[Fault]:
    def good(name: str, make: Callable[[Exchange], bytes]) -> Fault:
        return Fault(name, "body", True, "video kept", "whole", _gives(make))

    def slow(x: Exchange) -> None:
        x.server.stopping.wait(0.2)
        answer = _video(x)
        x.drip(answer, gap=0.01, piece=max(1, len(answer) // 20))
        x.server.truth.note(x.seen, delivered=hashlib.sha256(x.clip).hexdigest())

    def members(data: bytes) -> bytes:
        return gzip.compress(data[:100]) + gzip.compress(data[100:])

    yield good("good", _video)
    yield good("good_close", lambda x: _video(x, length=None))
    yield good("good_chunked", lambda x: _chunk_answer(x, chunked(x.clip) + b"0\r\n\r\n"))
    yield good("good_gzip", lambda x: _video(x, "Content-Encoding: gzip", body=gzip.compress(x.clip)))
    yield good("good_gzip_members", lambda x: _video(x, "Content-Encoding: gzip", body=members(x.clip)))
    yield good("good_http10", lambda x: _video(x, length=None).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    yield good("good_octets", lambda x: reply(200, x.clip, *papers(x), kind="application/octet-stream"))
    yield good("good_without_papers", lambda x: reply(200, x.clip, kind="video/mp4"))
    for status in (100, 102, 103):
        yield good(f"interim_{status}", lambda x, s=status: b"HTTP/1.1 %d Wait\r\nLink: </a>\r\n\r\n" % s + _video(x))
    nonsense = {"nan": "NaN", "minus": "-1", "inf": "inf", "text": "free", "empty": "", "digits": "9" * 5000}
    for name, value in nonsense.items():
        odd = tuple(f"{one}: {value}" for one in ("x-cost", "x-remaining-credits", "x-seed-value", "x-generation-time"))
        yield good(f"papers_{name}", lambda x, h=odd: reply(200, x.clip, *h, kind="video/mp4"))
    markup = '"><script>alert(1)</script>'
    odd = (f"x-remaining-credits: {markup}", f"x-request-id: {markup}", f"x-cost: {markup}")
    yield good("papers_script", lambda x: reply(200, x.clip, *odd, kind="video/mp4"))
    yield good("papers_utf8", lambda x: reply(200, x.clip, "x-request-id: caf\u00e9 \u2603", kind="video/mp4"))
    yield good("papers_long", lambda x: reply(200, x.clip, "x-request-id: " + "r" * 60_000, kind="video/mp4"))
    yield Fault("good_slow", "body", True, "video kept", "whole", slow)


_GROUPS = (
    _before_the_request, _during_the_request, _broken_heads, _cut_clips, _wrong_frames, _bad_answers, _links, _statuses,
    _rate_limits, _redirects, _good,
)  # fmt: skip
TABLE: dict[str, Fault] = {one.name: one for group in _GROUPS for one in group()}


def kinds(*, pace: Pace | None = None, concludes: Conclusion | None = None) -> list[str]:
    """Names of the kinds, all or some."""
    return [x.name for x in TABLE.values() if pace in (None, x.pace) and concludes in (None, x.concludes)]


# The server as a process of its own


@dataclass
class Remote(_Asked):
    """A `FaultServer` in another process, seen through its journal."""

    doors: dict[str, int]
    journal: Path
    pid: int

    def seen(self) -> list[Seen]:
        """The truth so far, from the journal."""
        return read_journal(self.journal)


@contextlib.contextmanager
def spawn(journal: str | os.PathLike[str], *, seconds: float = 900.0, record: str = "") -> Iterator[Remote]:
    """Run the server as its own process until the block ends, at most `seconds`."""
    command = [sys.executable, __file__, "--journal", os.fspath(journal), "--seconds", str(seconds)]
    command += ["--record", record]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            said = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            yield Remote(said["doors"], Path(journal), process.pid)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            process.kill()


def main() -> None:
    """Serve until SIGTERM, or for --seconds; the first line on standard output tells the ports as JSON."""
    parser = argparse.ArgumentParser(description="A server of faults on 127.0.0.1, for tests.")
    parser.add_argument("--port", type=int, default=0, help="of the main door; 0 takes a free one")
    parser.add_argument("--journal", help="file for the truth as JSON lines")
    parser.add_argument("--seconds", type=float, default=900.0, help="end after this time")
    parser.add_argument("--script", nargs="*", default=[], help="faults for the first connections")
    parser.add_argument("--record", default="", help="how the record of calls is kept")
    parser.add_argument("--list", action="store_true", help="show the table of faults and end")
    asked = parser.parse_args()
    if asked.list:
        for one in TABLE.values():
            print(f"{one.name:28} {one.strikes:8} {'billed' if one.billed else '-':7} {one.concludes:13} {one.pace}")  # noqa: T201
        return
    with FaultServer(asked.script, journal=asked.journal, port=asked.port, record=asked.record) as server:
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: server.stopping.set())
        print(json.dumps({"url": server.root, "doors": server.doors}), flush=True)  # noqa: T201
        server.stopping.wait(asked.seconds)


if __name__ == "__main__":
    main()
