"""The preview server in a process: one of its own for a notebook's kernel, and `vidu-nb serve`."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from callers import ask, connect, wait_for

from vidu_nb.animatic.server.queue import RENDERS_AT_ONCE
from vidu_nb.request import MODEL

RACE = """
import threading
from vidu_nb.animatic.server.server import embedded

barrier, servers = threading.Barrier(8), []

def ask():
    barrier.wait()
    servers.append(embedded())

threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
started = [one for one in threading.enumerate() if one.name == "vidu-nb preview server"]
print(len(started), len({server.base_url for server in servers}))
"""

FORK = """
import os, threading
import requests
from vidu_nb.animatic.server.server import embedded

begun = threading.Event()
thread = threading.Thread(target=lambda: (begun.set(), embedded()))
thread.start()
begun.wait()  # the fork comes while a server is being started, or right after
child = os.fork()
if child == 0:
    theirs = embedded()
    print(requests.get(f"{theirs.base_url}/health", timeout=60).status_code, theirs.base_url, flush=True)
    os._exit(0)
thread.join()
os.waitpid(child, 0)
print(requests.get(f"{embedded().base_url}/health", timeout=60).status_code, embedded().base_url)
"""

#: `vidu-nb serve` that lets pictures be fetched from this machine.
SERVE_ANY = """
import functools, sys
import vidu_nb.animatic.server.server as module
from vidu_nb.commands.cli import main

module.PreviewServer = functools.partial(module.PreviewServer, allow=lambda address: True)
sys.exit(main(["serve", "--key", "K"]))
"""


def run(script):
    """The words that a script printed in a process of its own."""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return ran.stdout.split()


@pytest.fixture
def serve(tmp_path):
    """Starts a `vidu-nb serve` by its command and gives (process, how to call it)."""
    started = []

    def start(*command):
        process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"TMPDIR": str(tmp_path), "PATH": ""}, cwd=Path(__file__).parents[3],
        )  # fmt: skip
        started.append(process)
        return process, SimpleNamespace(base_url=process.stdout.readline().split()[1], key="K")

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_threads_that_ask_at_once_share_one_server():
    """Eight threads that ask first, all at the same moment, start one server and get that one."""
    assert run(RACE) == ["1", "1"]


def test_a_forked_child_starts_a_server_of_its_own():
    """A fork copies memory and no threads: the child's server answers, the parent's too, whenever the fork came."""
    theirs_status, theirs, ours_status, ours = run(FORK)
    assert (theirs_status, ours_status) == ("200", "200")
    assert theirs != ours


def test_a_served_process_stays_small_and_ends_at_once(serve, tmp_path, body):
    """Four clips asked for at once take half a gigabyte; SIGTERM amid renders and half-open connections ends it."""
    process, server = serve("-m", "vidu_nb", "serve", "--key", "K")
    jobs = [
        ask(server, "POST", f"/v2/{MODEL}", body | {"seed": seed, "aspect_ratio": "16:9"}).json()
        for seed in (1, 2, 3, 4)
    ]

    def status(number):
        return ask(server, "GET", jobs[number]["status_url"]).json()["status"]

    wait_for(lambda: status(0) == "COMPLETED" and status(RENDERS_AT_ONCE) in ("PROCESSING", "COMPLETED"), seconds=300)
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())[1]) / 1000
    assert peak < 300 + 200 * RENDERS_AT_ONCE, f"{peak:.0f} MB"
    held = [connect(server) for _ in range(20)]
    for connection in held[10:]:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
    process.send_signal(signal.SIGTERM)
    printed, complaints = process.communicate(timeout=120)
    assert (process.returncode, printed, complaints) == (0, "", "")
    assert not list(tmp_path.glob("vidu-nb-*"))
    for connection in held:
        connection.close()


def test_a_pictures_slow_host_does_not_keep_the_process(serve, body):
    """SIGTERM ends `vidu-nb serve` while a render waits for a picture that never comes."""
    process, server = serve("-c", SERVE_ANY)
    with socket.create_server(("127.0.0.1", 0)) as tarpit:
        url = f"http://127.0.0.1:{tarpit.getsockname()[1]}/a.png"
        ask(server, "POST", f"/v2/{MODEL}", body | {"image_urls": [url]})
        with tarpit.accept()[0]:
            process.terminate()
            assert process.wait(120) == 0
