"""Kernels that die in a call, side by side or one after another: the next brings the clip, and nobody pays twice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from losing import Losing

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.animatic.server.server import PreviewServer
from vidu_nb.client.client import Client
from vidu_nb.request import MODEL

KEY = "an-invented-key-for-tests"

#: Ends itself, as kill -9 does, when the journal has noted a state.
DIES = """
import os, signal, sys
import vidu_nb as vidu
from vidu_nb.storage.journal import Attempt

url, state = sys.argv[1:]
add = Attempt.add

def and_die(self, noted, **details):
    attempt = add(self, noted, **details)
    if noted == state:
        os.kill(os.getpid(), signal.SIGKILL)
    return attempt

Attempt.add = and_die
request = vidu.VideoRequest(prompt="A cat", references="https://example.com/cat.png")
vidu.Client(os.environ["SEGMIND_API_KEY"], url, archive="here", notify=len).generate(request)
"""
WAITS = """
import os, sys
import vidu_nb as vidu

request = vidu.VideoRequest(prompt="A cat", references="https://example.com/cat.png")
vidu.Client(os.environ["SEGMIND_API_KEY"], sys.argv[1], archive="here", mode="sync", notify=len).generate(request)
"""
ASKS = """
import os, sys
import vidu_nb as vidu

request = vidu.VideoRequest(prompt="A cat", references="https://example.com/cat.png")
try:
    key, url, seconds = os.environ["SEGMIND_API_KEY"], sys.argv[1], float(sys.argv[2])
    client = vidu.Client(key, url, archive="here", notify=len, timeout=seconds)
    print(client.generate(request, fresh=True).receipt.request_id)
except vidu.errors.OutcomeUnknown:
    print("unknown")
"""
REQUEST = vidu.VideoRequest(prompt="A cat", references="https://example.com/cat.png")


@pytest.fixture
def service(small_clip):
    """A service with a record of calls."""
    clip = small_clip.read_bytes()
    with PreviewServer(key=KEY, credits=100.0, render=lambda *_, **__: clip) as server:
        yield server


@pytest.fixture
def wire(service):
    """The way to it, on which answers can be lost."""
    with Losing(service.base_url) as proxy:
        yield proxy


def run(program, *arguments):
    """Start a program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=os.environ | {"SEGMIND_API_KEY": KEY, "PYTHONPATH": str(Path(vidu.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("lose", [0, 1], ids=["answered", "lost"])
@pytest.mark.parametrize("state", ["sent", "received", "unknown", "queued", "linked", "stored"])
def test_a_process_killed_at_any_state_leaves_a_clip_for_the_next(wire, service, state, lose):
    """The same call in another process: its clip, at one price. Killed before the POST, it is asked for then."""
    wire.lose = lose
    killed = run(DIES, wire.url, state)
    killed.communicate(timeout=60)
    never = state == "unknown" and not lose
    assert killed.returncode == (0 if never else -9)
    client = Client(KEY, wire.url, archive="here", notify=len, timeout=1 if state == "sent" else 30)
    if state == "sent":  # it died before its POST, and nobody can know: no row is never "not billed"
        with pytest.raises(errors.OutcomeUnknown):
            client.generate(REQUEST)
        [call] = client.pending()
        assert (call.record, wire.posts) == ("not found", 0)
        return
    assert client.generate(REQUEST).path.exists()
    assert (wire.posts, client.pending()) == (1, [])
    assert service.state.money.balance == 99.5


def test_a_process_killed_while_it_waits_leaves_its_clip_to_the_next(small_clip):
    """Its journal says "sent", the request had arrived and nobody hears the answer: the record has it."""
    rendering, may_end = threading.Event(), threading.Event()

    def render(*_, **__):
        rendering.set()
        assert may_end.wait(60)
        return small_clip.read_bytes()

    with PreviewServer(key=KEY, credits=100.0, render=render) as service, Losing(service.base_url) as wire:
        waiting = run(WAITS, wire.url)
        assert rendering.wait(60)
        waiting.kill()
        waiting.communicate(timeout=60)
        client = Client(KEY, wire.url, archive="here", notify=len, timeout=60)
        assert [attempt.state for attempt in client.archive.journal] == ["sent"]
        assert [call.record for call in client.pending()] == ["pending"]
        may_end.set()
        assert client.generate(REQUEST).path.exists()
        assert (wire.posts, client.pending(), service.state.money.balance) == (1, [], 99.5)


def test_of_two_processes_with_the_same_request_each_gets_its_own(wire, service):
    """Two takes in flight, the answer of one of them lost: its row is the one that the other's answer doesn't name."""
    wire.lose = 1
    takes = [run(ASKS, wire.url, 60) for _ in range(2)]
    names = [take.communicate(timeout=120)[0].strip() for take in takes]
    rows = {row["request_id"] for row in service.state.record.history()["data"]}
    assert set(names) == rows
    assert len(rows) == 2
    assert Client(KEY, wire.url, archive="here").pending() == []


def test_of_two_processes_one_of_which_never_arrived_neither_gets_the_others(wire, service):
    """One row for two calls that are both lost: it stays unknown whose it is."""
    wire.lose, wire.swallow = 2, 1
    both = threading.Barrier(2)
    wire.before = lambda path: path.endswith(MODEL) and both.wait(60)  # side by side: neither is lost before the other
    takes = [run(ASKS, wire.url, 2) for _ in range(2)]
    names = [take.communicate(timeout=120)[0].strip() for take in takes]
    assert names == ["unknown", "unknown"]
    assert len(service.state.record.history()["data"]) == 1
    assert [call.state for call in Client(KEY, wire.url, archive="here").pending()] == ["unknown", "unknown"]
