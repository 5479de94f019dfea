"""The queue of the preview server: who waits, who is sent away, and what becomes of them in the end."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime

import pytest
from callers import ROUTE, ask, connect, post, read_answer, refused, wait_for

from vidu_nb.animatic import cancellation as cancelling
from vidu_nb.animatic.server.queue import RENDERS_AT_ONCE
from vidu_nb.animatic.server.server import PreviewServer
from vidu_nb.errors import ViduError
from vidu_nb.net.retry import asked_wait
from vidu_nb.request import MODEL

QUEUE = f"/v2/{MODEL}"


@pytest.fixture
def go():
    """Lets the renders of `waits` end."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def waits(go):
    """A render that waits until it may go on, or is cancelled."""

    def render(*_, cancelled, **__):
        while not go.wait(0.01):
            cancelling.check(cancelled)
        return b"clip"

    return render


@pytest.fixture
def busy(waits):
    """A server whose renders are all at work, with space for one more in its queue."""
    with PreviewServer(key="K", credits=50, waiting=1, render=waits) as server:
        for _ in range(RENDERS_AT_ONCE):
            server.state.queue.submit(lambda _progress, cancelled: waits(cancelled=cancelled))
        yield server


@pytest.mark.parametrize("path", [ROUTE, QUEUE])
def test_a_full_queue_says_when_to_come_back(path, busy, body):
    """Beyond the queue's length callers get a 429 that our own client can read, and nothing is charged."""
    ask(busy, "POST", QUEUE, body)
    balance = busy.state.money.balance
    before = datetime.now(UTC)
    answer = ask(busy, "POST", path, body)
    after = datetime.now(UTC)
    refused(answer, 429, "the queue is full (1 waiting): ask again in 3 s")
    assert asked_wait(answer.headers) == 3
    reset = {"x-rate-limit-reset-at-utc": answer.headers["x-rate-limit-reset-at-utc"]}
    assert asked_wait(reset, now=before) > 2
    assert asked_wait(reset, now=after) <= 3
    assert busy.state.money.balance == balance
    assert ask(busy, "GET", "/health").status_code == 200


@pytest.mark.parametrize("at_work", [True, False], ids=["at work", "waiting"])
def test_a_caller_who_hangs_up_ends_the_work(at_work, waits, busy, body):
    """When nobody waits for a clip any more, its place is free for the next, and credits and memory are given back."""
    with PreviewServer(key="K", credits=50, render=waits) if at_work else contextlib.nullcontext(busy) as server:
        queue, money, memory = server.state.queue, server.state.money, server.state.memory
        free = memory.free
        with connect(server) as connection:
            connection.sendall(post(server, body))
            wait_for(lambda: queue.running if at_work else queue.waiting)
            assert money.balance == 49.5
            assert memory.free < free
        wait_for(lambda: money.balance == 50)
        wait_for(lambda: memory.free == free)
        wait_for(lambda: queue.waiting == 0 and queue.running == (0 if at_work else RENDERS_AT_ONCE))


def test_callers_who_wait_take_no_thread_each(waits, body):
    """Thirty callers wait for their clips beside no more threads than renders and two for parsing."""
    with PreviewServer(key="K", render=waits) as server, contextlib.ExitStack() as stack:
        before = threading.active_count()
        for _ in range(30):
            stack.enter_context(connect(server)).sendall(post(server, body))
        wait_for(lambda: server.state.queue.waiting == 30 - RENDERS_AT_ONCE)
        assert threading.active_count() - before <= RENDERS_AT_ONCE + 2


def test_a_stopped_server_ends_its_renders(waits, body):
    """`stop` cancels what is at work and what waits; who waits for a clip is answered, and no thread is left."""
    with PreviewServer(key="K", render=waits) as server, connect(server) as connection:
        connection.sendall(post(server, body))
        wait_for(lambda: server.state.queue.running)
        ids = [ask(server, "POST", QUEUE, body).json()["request_id"] for _ in range(4)]
        jobs = [server.state.find(one).job for one in ids]
        assert server.stop()
        assert (status := read_answer(connection))[0] == 499
        assert status[2] == b'{"error":"the preview was cancelled"}'
        assert [job.status for job in jobs] == ["FAILED"] * 4
        with pytest.raises(ViduError, match="the server is stopping"):
            server.state.queue.submit(lambda *_: "a clip")
        with pytest.raises(OSError, match="refused"):
            connect(server)
    wait_for(lambda: not [one for one in threading.enumerate() if one.name == "vidu-nb preview"])


def test_a_bug_in_a_render_is_answered_by_kind_and_logged(body, caplog):
    """What nobody foresaw fails its own job and no other; the answer holds no more than its kind."""
    with PreviewServer(key="K", credits=5, render=lambda *_, **__: 1 / 0) as server:
        ticket = ask(server, "POST", QUEUE, body).json()
        status = wait_for(
            lambda: (one := ask(server, "GET", ticket["status_url"]).json())["status"] == "FAILED" and one
        )
        assert status["error"] == "internal error: ZeroDivisionError"
        refused(ask(server, "POST", ROUTE, body), 500, "internal error: ZeroDivisionError")
        assert "a preview failed" in caplog.text
        assert server.state.money.balance == 5
