"""Pictures in the service's storage: said before the first one, each uploaded once, and never a paid call's fault."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from vidu_nb.client.client import Client
from vidu_nb.errors import BudgetExceeded, Unauthorized, Unreachable, ViduError
from vidu_nb.request import VideoRequest
from vidu_nb.storage.budget import Budget


class Storage(BaseHTTPRequestHandler):
    """Takes pictures and prompts; remembers both."""

    def do_POST(self):
        """Do either."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/upload-asset":
            self.server.uploads.append(body["data_urls"])
            links = [
                f"https://storage.example/{len(self.server.uploads)}-{i}.png" for i in range(len(body["data_urls"]))
            ]
            self.say(*self.server.refusal or (200, {self.server.field: links}))
        else:
            self.server.asked.append(body["image_urls"])
            self.say(200, self.server.clip)

    def say(self, status, body):
        """Answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def storage(small_clip):
    with ThreadingHTTPServer(("127.0.0.1", 0), Storage) as server:
        server.uploads, server.asked, server.refusal, server.field = [], [], None, "urls"
        server.clip = small_clip.read_bytes()
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(storage, tmp_path):
    def make(said, **settings):
        settings = {"uploads": "storage", "notify": said.append} | settings
        return Client("a-key", f"http://127.0.0.1:{storage.server_port}", tmp_path / "archive", **settings)

    return make


def asks(encoded, *colours, seed=7):
    pictures = [encoded(colour=colour) for colour in colours]
    return VideoRequest(prompt="A cat", references=[*pictures, "https://example.com/cat.png"], seed=seed)


@pytest.mark.parametrize("field", ["urls", "file_urls"])
def test_pictures_are_uploaded_once_and_sent_as_links(client, storage, encoded, field):
    """What the storage has already is not uploaded again, by any later call; a web link stays what it is."""
    storage.field, said = field, []
    client(said).generate(asks(encoded, "navy", "red"))
    client(said).generate(asks(encoded, "red", "teal", seed=8))
    assert [len(pictures) for pictures in storage.uploads] == [2, 1]
    first, second = storage.asked
    assert first == [
        "https://storage.example/1-0.png",
        "https://storage.example/1-1.png",
        "https://example.com/cat.png",
    ]
    assert second[:2] == ["https://storage.example/1-1.png", "https://storage.example/2-0.png"]
    assert len(said) == 1
    assert "public" in said[0]


def test_the_clip_answers_for_the_same_pictures_sent_inside_the_request(client, storage, encoded):
    """How pictures travel is no part of a request: what was paid for replays either way."""
    client([]).generate(asks(encoded, "navy"))
    assert client([], uploads="inline").generate(asks(encoded, "navy")).receipt.replayed
    assert len(storage.asked) == 1


def test_no_picture_is_published_for_a_call_that_is_not_made(client, storage, encoded, tmp_path):
    """Where the budget refuses, nothing goes to the public storage; where the storage refuses, the budget is whole."""
    budget = Budget(0.3, tmp_path / "budget.json")
    with pytest.raises(BudgetExceeded):
        client([], budget=budget, price_usd=0.5).generate(asks(encoded, "navy"))
    assert storage.uploads == []
    storage.refusal = (401, {"error": "bad key"})
    with pytest.raises(Unauthorized):
        client([], budget=budget, price_usd=0.3).generate(asks(encoded, "navy"))
    assert budget.left == 0.3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, {"error": "bad key"}), Unauthorized), ((503, b""), ViduError), ((200, b"<html>"), ViduError),
        ((200, {"urls": []}), ViduError), ((200, {"urls": ["javascript:alert(1)"]}), ViduError),
        ((200, {"urls": ["http://[oops"]}), ViduError),
    ],
    ids=str,
)  # fmt: skip
def test_a_storage_that_fails_costs_nothing(client, storage, encoded, answer, error):
    """Nothing is asked of the model, nothing stands open, and the next call works."""
    storage.refusal = answer
    with pytest.raises(error) as caught:
        client([]).generate(asks(encoded, "navy"))
    assert getattr(caught.value, "billed", "no") == "no"
    assert (storage.asked, client([]).pending()) == ([], [])
    storage.refusal = None
    client([]).generate(asks(encoded, "navy"))


def test_an_unreachable_storage_is_told_as_nothing_sent(tmp_path, encoded):
    """Nobody listens there."""
    client = Client("a-key", "http://127.0.0.1:9", tmp_path / "archive", uploads="storage", notify=len)
    with pytest.raises(Unreachable):
        client.generate(asks(encoded, "navy"))


def test_a_spoilt_memory_is_passed_over(client, storage, encoded, tmp_path):
    """Whatever stands in the file that remembers a link, the picture is uploaded again."""
    for number, spoilt in enumerate([b"", b"[]", b'{"url": "ftp://x", "at": 1e12}', b'{"url": 5, "at": "now"}'], 2):
        client([]).generate(asks(encoded, "navy", seed=number))
        for file in tmp_path.rglob("uploads/*/*.json"):
            file.write_bytes(spoilt)
    assert len(storage.uploads) == 4


def test_previews_upload_nothing(encoded, tmp_path):
    """The local engine gets its pictures directly: they never leave the machine."""
    said = []
    client = Client.preview(archive=tmp_path / "archive", uploads="storage", quality="draft", notify=said.append)
    assert client.generate(
        asks(encoded, "navy").model_copy(update={"references": asks(encoded, "navy").references[:1]})
    )
    assert said == []
    assert not list(tmp_path.rglob("uploads"))
