"""The preview server's limits: what it forgets, and whom it answers when it is full or stops."""

from __future__ import annotations

import base64
import io
import socket
import threading
import time

import numpy as np
import pytest
import requests
from faults import KEY
from PIL import Image

from vidu_nb import errors
from vidu_nb.animatic import api, connections
from vidu_nb.animatic.holdings import Shelf
from vidu_nb.animatic.server import PreviewServer
from vidu_nb.request import DRAFT, MODEL

WAIT = 20  # s; far more than anything here takes


def until(holds):
    """Wait until something is so."""
    end = time.monotonic() + WAIT
    while not (found := holds()):
        assert time.monotonic() < end, "it did not come true"
        threading.Event().wait(0.01)
    return found


@pytest.fixture
def own():
    """A preview server of the test's own."""
    with PreviewServer(key=KEY) as server:
        yield server


def ask(server, path, body=None, **options):
    """A call with the server's key: a POST where there is a body."""
    url = path if path.startswith("http") else server.base_url + path
    method = "POST" if body else "GET"
    return requests.request(method, url, json=body, headers={"x-api-key": KEY}, timeout=30, **options)


def test_the_queue_forgets_its_oldest_requests_and_its_oldest_clips(own, body, monkeypatch):
    """A clip that newer ones pushed out, and a request of long ago, are told apart, both 404."""
    own.api.files = Shelf(count=1, size=10_000_000)
    first, second = (ask(own, f"/v2/{DRAFT}", body | {"seed": seed}).json() for seed in (1, 2))
    for one in (first, second):
        until(lambda url=one["status_url"]: ask(own, url).json()["status"] == "COMPLETED")
    told = [ask(own, one["response_url"]) for one in (first, second)]
    assert [one.status_code for one in told] == [404, 200]
    assert "given up for newer ones: ask for it anew" in told[0].text
    monkeypatch.setattr(api, "_RECORDS", 2)
    ask(own, f"/v2/{DRAFT}", body)
    assert "no such request" in ask(own, first["response_url"]).text


def test_who_waits_for_a_clip_is_answered_when_the_server_stops(own, body):
    """Nobody is left without a word, and no render begins any more."""
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(ask(own, f"/v1/{MODEL}", body)))
    waiting.start()
    until(lambda: own.api.jobs.running)
    assert own.stop()
    waiting.join(WAIT)
    assert [(one.status_code, one.json()) for one in answers] == [(499, {"error": "the preview was cancelled"})]
    with pytest.raises(errors.ViduError, match="the server is stopping"):
        own.api.jobs.submit(lambda **_hooks: "a clip")


def test_who_still_reads_an_answer_is_never_cut_off(own, monkeypatch):
    """A slow reader gets every byte: it makes no room for newcomers, who are told to come back, nor for the end."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    monkeypatch.setattr(connections, "GRACE", -1.0)
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (2000, 2000, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "PNG", compress_level=0)
    uri = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    [url] = ask(own, "/upload-asset", {"data_urls": [uri]}).json()["urls"]
    until(lambda: own.connections == 0)
    with socket.create_connection(("127.0.0.1", own._socket.getsockname()[1]), timeout=WAIT) as slow:
        slow.sendall(f"GET {url.removeprefix(own.base_url)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        [held] = until(lambda: [one.transport for one in own._server.server_state.connections])
        until(held.get_write_buffer_size)
        assert ask(own, "/v1/get-user-credits").status_code == 429
        stopping = threading.Thread(target=own.stop)
        stopping.start()
        until(held.is_closing)
        read = b"".join(iter(lambda: slow.recv(1 << 20), b""))
        stopping.join(WAIT)
    assert read.endswith(buffer.getvalue())
