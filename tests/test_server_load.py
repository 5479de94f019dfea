"""The preview server under load and among bad neighbours: it answers the next caller, and lets go of the rest."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from common import ROOT
from fuzz_server import fuzz, left_open

from vidu_nb import media
from vidu_nb.animatic import connections, wire
from vidu_nb.animatic.jobs import RENDERS_AT_ONCE
from vidu_nb.animatic.server import PreviewServer
from vidu_nb.request import DRAFT, MODEL

HEAD = f"POST /v1/{MODEL} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.fixture
def own():
    """A server of the test's own."""
    with PreviewServer(key="K", credits=0) as server:
        yield server


@pytest.fixture
def connect():
    """Connects to a server, sends some bytes, and hangs up in the end: ``connect(server, b"GET ")``."""
    with contextlib.ExitStack() as stack:

        def make(server, data=b""):
            port = int(server.base_url.rpartition(":")[2])
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=15))
            connection.sendall(data)
            return connection

        yield make


def rest(connection):
    """What is still to be read until the server hangs up."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(1 << 16):
            data += chunk
    return data


def wait_for(condition, *, seconds=15.0):
    """Asks until it is true; fails when it never is."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < end, "it never came about"
        pause.wait(0.02)


# Who is slow.


@pytest.mark.parametrize("head", [b"", b"GET /health HTTP/1.1\r\nHost: 127"], ids=["silent", "half a head"])
def test_a_head_that_does_not_come_is_not_waited_for(head, own, connect, monkeypatch):
    """A connection that stays silent, or ends in the middle of a head, is closed; the latter is told why."""
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.5)
    said = rest(connect(own, head))
    assert said[:12] == (b"HTTP/1.1 408" if head else b"")
    assert (b'{"error": "the request\'s head did not arrive within 0.5 s"}' in said) is bool(head)


def test_a_dripping_head_gains_no_time(own, connect, monkeypatch):
    """A byte now and then does not put the deadline off, on a connection that has served a request before either."""
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.5)
    started, pause = time.monotonic(), threading.Event()
    for before in (b"", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"):
        connection = connect(own, before)
        with contextlib.suppress(OSError):
            while time.monotonic() < started + 10:
                connection.sendall(b"G")
                pause.wait(0.05)
    assert time.monotonic() < started + 5


def test_a_body_that_does_not_come_is_not_waited_for(own, connect, monkeypatch):
    """Half a body is told so in time; behind a wrong key it is not even listened to."""
    monkeypatch.setattr(wire, "BODY_TIMEOUT", 0.3)
    said = rest(connect(own, f"{HEAD}x-api-key: K\r\nContent-Length: 10\r\n\r\n{{".encode()))
    assert said.startswith(b"HTTP/1.1 408")
    assert b"the body did not arrive within 0.3 s" in said
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.3)
    said = rest(connect(own, f"{HEAD}Content-Length: 10\r\n\r\n{{".encode()))
    assert said.startswith(b"HTTP/1.1 401")


def test_who_does_not_read_is_not_waited_for(own, connect, monkeypatch):
    """A caller who asks and asks and reads nothing is cut off, so that answers don't pile up."""
    monkeypatch.setattr(connections, "READ_TIMEOUT", 0.5)
    connection = connect(own)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(1)
    many = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100_000
    with pytest.raises(OSError, match=r"reset|[Bb]roken pipe|timed out"):
        connection.sendall(many)
    wait_for(lambda: own.connections == 0)


def test_what_is_no_http_is_refused_as_json(own, connect):
    """Even garbage gets an error in the service's form, and is hung up on."""
    for garbage in (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        head, _, said = rest(connect(own, garbage)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(said) == {"error": "invalid HTTP request received"}


# Who are many.


def test_three_hundred_half_open_connections_lock_nobody_out(connect, body):
    """Among silent, dripping and half-sent connections the balance is told within a second, and a clip is made."""
    half = f"{HEAD}x-api-key: K\r\nContent-Length: 100\r\n\r\n{{".encode()
    done = threading.Event()
    with PreviewServer(key="K") as server:
        crowd = [connect(server, data) for data in (b"", b"GET / HTTP/1.1\r\nX: ", half) for _ in range(100)]

        def drip():
            while not done.wait(0.2):
                for connection in crowd[100:200]:
                    with contextlib.suppress(OSError):
                        connection.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            for path in ("/v1/get-user-credits", "/health", "/v1/get-user-credits"):
                started = time.monotonic()
                told = requests.get(server.base_url + path, headers={"x-api-key": "K"}, timeout=9)
                assert told.status_code == 200, told.text
                assert time.monotonic() - started < 1
            clip = requests.post(f"{server.base_url}/v1/{DRAFT}", json=body, headers={"x-api-key": "K"}, timeout=30)
            assert media.what_is_wrong(clip.content) == ""
            assert server.connections <= connections.MAX_CONNECTIONS + 1
        finally:
            done.set()
            dripping.join()


def test_new_connections_push_out_the_one_that_waited_longest(own, connect, monkeypatch):
    """Where there are too many, whoever has asked nothing for longest makes room, and nobody else."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(connections, "GRACE", -1.0)
    first, second, third = (connect(own) for _ in range(3))
    wait_for(lambda: own.connections == 3)
    assert requests.get(f"{own.base_url}/health", timeout=9).status_code == 200
    assert rest(first) == b""
    for connection in (second, third):
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 200")


def test_a_sudden_crowd_is_told_to_come_back(own, connect, monkeypatch):
    """Where all are too new to be given up, the next is told to come back, except at /health; soon the oldest goes."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(connections, "GRACE", 60.0)
    first = connect(own)
    connect(own)
    wait_for(lambda: own.connections == 2)
    told = requests.get(f"{own.base_url}/v1/get-user-credits", headers={"x-api-key": "K"}, timeout=9)
    assert (told.status_code, told.json()["error"]) == (429, "too many connections: ask again in 1 s")
    assert told.headers["retry-after"] == "1"
    assert requests.get(f"{own.base_url}/health", timeout=30).json()["status"] == "ok"
    monkeypatch.setattr(connections, "GRACE", 0.0)
    for _ in range(3):
        connect(own)
    assert rest(first) == b""


def test_a_thousand_random_requests_leave_no_trace(own, monkeypatch):
    """Mutated requests get no 5xx, raise nothing inside, and hold no connection; `fuzz_server.py` sends many more."""
    monkeypatch.setattr("fuzz_server.PATIENCE", 0.1)
    seen, problems = fuzz(own, 1000)
    assert not problems
    assert {200, 400, 401, 404, 406} <= set(seen)
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.0)
    assert left_open(own) == 0


# The process.


def test_a_served_process_stays_small_and_ends_at_once(tmp_path, body):
    """Four clips asked for at once take half a gigabyte; SIGTERM amid renders and held connections ends it with 0."""
    command = [sys.executable, "-m", "vidu_nb", "serve", "--key", "K"]
    environment = {"TMPDIR": str(tmp_path), "PATH": ""}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    try:
        url = process.stdout.readline().split()[1]

        def ask(seed):
            fields = body | {"seed": seed, "aspect_ratio": "16:9"}
            return requests.post(f"{url}/v2/{MODEL}", json=fields, headers={"x-api-key": "K"}, timeout=60).json()

        jobs = [ask(seed)["status_url"] for seed in (1, 2, 3, 4)]
        wait_for(lambda: state(jobs[1]) == "COMPLETED" and state(jobs[2]) == "PROCESSING", seconds=90)
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())[1]) / 1000
        assert peak < 300 + 200 * RENDERS_AT_ONCE, f"{peak:.0f} MB"
        port = int(url.rpartition(":")[2])
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        said, complaints = process.communicate(timeout=30)
        assert (process.returncode, said, complaints) == (0, "", "")
        assert time.monotonic() - started < 15
        assert not list(tmp_path.glob("vidu-nb-*"))
        for connection in held:
            connection.close()
    finally:
        process.kill()
        process.communicate()


def test_a_pictures_slow_host_does_not_keep_the_process(tmp_path, body):
    """SIGTERM ends `vidu-nb serve` while a render waits for a picture that never comes."""
    serve = (
        "import functools, sys, vidu_nb.animatic.server as room; from vidu_nb.commands.cli import main;"
        "room.PreviewServer = functools.partial(room.PreviewServer, allow=lambda address: True);"
        "sys.exit(main(['serve', '--key', 'K']))"
    )
    with socket.create_server(("127.0.0.1", 0)) as tarpit:
        process = subprocess.Popen([sys.executable, "-c", serve], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        try:
            url = process.stdout.readline().split()[1]
            slow = body | {"image_urls": [f"http://127.0.0.1:{tarpit.getsockname()[1]}/a.png"]}
            requests.post(f"{url}/v2/{MODEL}", json=slow, headers={"x-api-key": "K"}, timeout=9)
            with tarpit.accept()[0]:
                process.terminate()
                assert process.wait(15) == 0
        finally:
            process.kill()
            process.communicate()


def state(url):
    """A queued request's status."""
    return requests.get(url, headers={"x-api-key": "K"}, timeout=30).json()["status"]
