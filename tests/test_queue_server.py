"""The preview server's queue, uploads and line: what is asked for now and fetched later."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from datetime import UTC, datetime

import pytest
import requests

from vidu_nb import media
from vidu_nb.animatic import api
from vidu_nb.animatic.jobs import RENDERS_AT_ONCE
from vidu_nb.animatic.server import PreviewServer
from vidu_nb.net.retry import asked_wait
from vidu_nb.request import DRAFT, MODEL

NOBODY = "0" * 32


@pytest.fixture(scope="module")
def ask():
    """Asks a server with its key: ``ask(server, "POST", "/v2/...", {...})``; also takes a whole URL."""

    def send(server, method, path, body=None, **options):
        url = path if path.startswith("http") else server.base_url + path
        headers = {"x-api-key": server.key} | options.pop("headers", {})
        return requests.request(method, url, json=body, headers=headers, timeout=30, **options)

    return send


@pytest.fixture
def busy():
    """A server whose places are all taken until `go` is set, with room for one more in its line."""
    with PreviewServer(key="K", credits=5, waiting=1) as server:
        server.go = threading.Event()
        for _ in range(RENDERS_AT_ONCE):
            server.api.jobs.submit(lambda **_hooks: server.go.wait(20))
        yield server
        server.go.set()


def data_uri(data):
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def wait_for(condition, *, seconds=20.0):
    """Asks until it is true; fails by name when it never is."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not (found := condition()):
        assert time.monotonic() < end, "it never came about"
        pause.wait(0.02)
    return found


def followed(ask, server, ticket):
    """Every status that a queued request was told to have, up to its end."""
    seen = []

    def ended():
        seen.append(ask(server, "GET", ticket["status_url"]))
        return seen[-1].json()["status"] in ("COMPLETED", "FAILED")

    wait_for(ended)
    return seen


# From the ticket to the clip.


def test_a_queued_request_is_followed_to_its_clip(server, ask, body, answer):
    """The ticket's URLs tell honest progress, then a clip: the same bytes as the waiting call's, with its papers."""
    submitted = ask(server, "POST", f"/v2/{MODEL}", body)
    ticket = submitted.json()
    name = ticket["request_id"]
    assert submitted.headers["x-request-id"] == name
    assert ticket == {
        "request_id": name,
        "status": "QUEUED",
        "poll_url": f"{server.base_url}/v2/requests/{name}/status",
        "status_url": f"{server.base_url}/v2/requests/{name}/status",
        "response_url": f"{server.base_url}/v2/requests/{name}",
    }
    early = ask(server, "GET", ticket["response_url"])
    assert (early.status_code, early.json()["status"]) in {(202, "QUEUED"), (202, "PROCESSING")}
    told = [one.json() for one in followed(ask, server, ticket)]
    progress = [one["progress"] for one in told]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert any(0 < one < 1 for one in progress)
    result = ask(server, "GET", ticket["response_url"])
    assert result.status_code == 200
    made = result.json()
    assert (made["status"], made["seed"], made["output"]) == ("COMPLETED", 42, made["video"]["url"])
    assert made["metrics"]["cost"] == 0
    assert made["metrics"]["total_time"] >= made["metrics"]["inference_time"] > 0
    clip = requests.get(made["output"], timeout=9)
    assert clip.headers["content-type"] == made["video"]["content_type"] == "video/mp4"
    assert len(clip.content) == made["video"]["file_size"]
    assert made["video"]["file_name"] == made["output"].rpartition("/")[2]
    assert clip.content == answer.content


def test_the_draft_is_a_lighter_clip_under_its_own_name(server, ask, body, answer):
    """The draft model is served like the other: a whole clip in fewer bytes."""
    ticket = ask(server, "POST", f"/v2/{DRAFT}", body).json()
    followed(ask, server, ticket)
    clip = requests.get(ask(server, "GET", ticket["response_url"]).json()["output"], timeout=9).content
    assert media.what_is_wrong(clip) == ""
    assert len(clip) < len(answer.content)


def test_a_job_that_fails_says_why_and_costs_nothing(ask, body, encoded):
    """A picture that turns out damaged: both URLs answer 422 with the reason, and the credits are back."""
    with PreviewServer(credits=0.5) as server:
        damaged = body | {"image_urls": [data_uri(encoded()[:120])]}
        ticket = ask(server, "POST", f"/v2/{MODEL}", damaged).json()
        status = followed(ask, server, ticket)[-1]
        for told in (status, ask(server, "GET", ticket["response_url"])):
            assert told.status_code == 422
            assert told.json()["error"].startswith("image_urls[0]: ")
            assert told.json()["metrics"]["cost"] == 0
            assert told.json()["metrics"]["remaining_credits"] == 0.5


def test_a_wrong_request_never_gets_a_ticket(server, ask, body):
    """The queue checks a request before it takes it, as the waiting call does."""
    wrong = ask(server, "POST", f"/v2/{MODEL}", body | {"seed": -1})
    assert (wrong.status_code, wrong.json()["error"][:8]) == (400, "seed: -1")
    assert ask(server, "POST", "/v2/another", body).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/v2/{MODEL}"), ("GET", f"/v2/requests/{NOBODY}"), ("GET", f"/v2/requests/{NOBODY}/status"),
        ("POST", "/upload-asset"),
    ],
)  # fmt: skip
def test_the_queue_needs_the_key(method, path, server, ask):
    """Without the key nobody queues, follows, fetches or uploads."""
    told = ask(server, method, path, {}, headers={"x-api-key": "wrong"})
    assert (told.status_code, told.json()["error"]) == (401, "API key invalid")


def test_an_unknown_and_an_expired_request_are_not_found(busy, ask, body, monkeypatch):
    """A request is known by its own id for an hour, and then no more."""
    for path in (f"/v2/requests/{NOBODY}", f"/v2/requests/{NOBODY}/status"):
        assert ask(busy, "GET", path).status_code == 404
    ticket = ask(busy, "POST", f"/v2/{MODEL}", body).json()
    assert ask(busy, "GET", ticket["status_url"]).json() == {
        "request_id": ticket["request_id"], "status": "QUEUED", "progress": 0.0,
    }  # fmt: skip
    monkeypatch.setattr(api, "RECORD_SECONDS", 0.0)
    assert ask(busy, "GET", ticket["status_url"]).json()["error"] == "no such request; it may have expired"


# The line.


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_full_line_says_when_to_come_back(version, busy, ask, body):
    """Beyond the line's length callers get a 429 that our own client can read, and nothing is charged."""
    ask(busy, "POST", f"/v2/{MODEL}", body)
    left = busy.api.purse.left
    told = ask(busy, "POST", f"/{version}/{MODEL}", body)
    assert (told.status_code, told.json()["error"]) == (429, "the line is full (1 waiting): ask again in 3 s")
    assert asked_wait(told.headers) == 3
    reset = {"x-rate-limit-reset-at-utc": told.headers["x-rate-limit-reset-at-utc"]}
    assert 0 < asked_wait(reset, now=datetime.now(UTC)) <= 3
    assert busy.api.purse.left == left
    assert ask(busy, "GET", "/health").status_code == 200


def test_who_hangs_up_leaves_the_line(busy, ask, body):
    """A caller who goes away while waiting frees the place, and gets the credits back."""
    data = json.dumps(body).encode()
    head = f"POST /v1/{MODEL} HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: K\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", int(busy.base_url.rpartition(":")[2]))) as connection:
        connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        wait_for(lambda: busy.api.purse.left == 4.5)
    wait_for(lambda: busy.api.purse.left == 5)
    assert ask(busy, "POST", f"/v2/{MODEL}", body).status_code == 200


def test_requests_under_way_have_a_limit_in_memory(busy, ask, body):
    """Where the bodies under way take all the memory that they may, the next is told to come back."""
    wait_for(lambda: busy.api.room.take(10_000_000) is False)
    told = ask(busy, "POST", f"/v2/{MODEL}", body | {"prompt": "x" * 1500, "odd": "x" * 10_000_000})
    assert told.status_code == 429
    assert "all the memory" in told.json()["error"]
    assert told.headers["retry-after"] == "2"


def test_what_a_request_took_of_the_memory_is_given_back(busy, ask, body):
    """Refused, cancelled or done: a request's place in the memory is free again."""
    before = busy.api.room._left
    ask(busy, "POST", f"/v2/{MODEL}", body | {"seed": -1})
    ask(busy, "POST", "/upload-asset", {"data_urls": ["data:"]})
    assert busy.api.room._left == before
    ask(busy, "POST", f"/v2/{MODEL}", body)
    assert busy.api.room._left < before
    busy.api.jobs.close(timeout=0)
    assert busy.api.room._left == before


def test_a_stopped_server_ends_its_renders(body):
    """`stop` cancels what is at work and what waits; no thread is left, and who waited hears of it."""
    with PreviewServer(key="K") as server:
        headers = {"x-api-key": "K"}
        for _ in range(4):
            requests.post(f"{server.base_url}/v2/{MODEL}", json=body, headers=headers, timeout=9)
        jobs = [record.job for record in server.api.records.values()]
        wait_for(lambda: server.api.jobs.running == RENDERS_AT_ONCE)
        started = time.monotonic()
        assert server.stop()
        assert time.monotonic() - started < 3
    assert [job.status for job in jobs] == ["FAILED"] * 4
    wait_for(lambda: not [one for one in threading.enumerate() if one.name == "vidu-nb preview"])


def test_a_bug_in_a_render_is_told_by_kind_and_logged(busy, ask, body, caplog, monkeypatch):
    """What nobody foresaw fails its own job and no other; the answer tells no more than its kind."""
    monkeypatch.setattr(api, "make_clip", lambda *_, **__: 1 / 0)
    busy.go.set()
    ticket = ask(busy, "POST", f"/v2/{MODEL}", body).json()
    assert followed(ask, busy, ticket)[-1].json()["error"] == "internal error: ZeroDivisionError"
    assert ask(busy, "POST", f"/v1/{MODEL}", body).json() == {"error": "internal error: ZeroDivisionError"}
    assert "a preview failed" in caplog.text
    assert busy.api.purse.left == 5


# Uploads.


def test_an_uploaded_picture_is_served_and_can_be_named(server, ask, body, encoded):
    """An upload's URL serves the picture to who knows it, and stands for it in a request."""
    pictures = [encoded(160, 160, "PNG"), encoded(200, 160, "JPEG")]
    told = ask(server, "POST", "/upload-asset", {"data_urls": [data_uri(one) for one in pictures]}).json()
    assert told["urls"] == told["file_urls"]
    for url, picture, kind in zip(told["urls"], pictures, ("png", "jpeg"), strict=True):
        served = requests.get(url, timeout=9)
        assert (served.content, served.headers["content-type"]) == (picture, f"image/{kind}")
        assert url.startswith(f"{server.base_url}/v1/assets/")
    again = ask(server, "POST", "/upload-asset", {"data_urls": [data_uri(pictures[1])]}).json()["urls"]
    assert again == told["urls"][1:]
    named = ask(server, "POST", f"/v1/{DRAFT}", body | {"image_urls": told["urls"]})
    sent = ask(server, "POST", f"/v1/{DRAFT}", body | {"image_urls": [data_uri(one) for one in pictures]})
    assert named.status_code == 200, named.text
    assert named.content == sent.content


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("{here}/v1/assets/nothing.png", "image_urls[0]: there is no such upload any more: upload it anew"),
        ("{here}/v1/assets/../get-user-credits", "image_urls[0]: there is no such upload"),
        ("{here}/v1/get-user-credits", "'127.0.0.1' is not a public address"),
        ("http://127.0.0.1:1/v1/assets/nothing.png", "'127.0.0.1' is not a public address"),
        ("https://127.0.0.1:1/v1/assets/nothing.png", "'127.0.0.1' is not a public address"),
        ("http://[/v1/assets/nothing.png", "image_urls[0]: the URL"),
    ],
)
def test_only_uploads_are_taken_from_this_machine(url, says, server, ask, body):
    """No other address of this machine is let in by looking like an upload."""
    told = ask(server, "POST", f"/v1/{MODEL}", body | {"image_urls": [url.format(here=server.base_url)]})
    assert told.status_code == 400
    assert says in told.json()["error"]


UPLOADS = [
    ("nothing", {}, "the body must read"),
    ("an empty list", {"data_urls": []}, "with one to 7 data: URIs"),
    ("no list", {"data_urls": "data:"}, "the body must read"),
    ("eight", {"data_urls": ["data:"] * 8}, "with one to 7 data: URIs"),
    ("more", {"data_urls": ["data:"], "more": 1}, "the body must read"),
    ("no text", {"data_urls": [5]}, "data_urls[0]: must be a data: URI"),
    ("a URL", {"data_urls": ["https://e.com/a.png"]}, "data_urls[0]: must be a data: URI"),
    ("no base64", {"data_urls": ["data:image/png;base64,%"]}, "data_urls[0]: the data: URI's content is not base64"),
    ("no picture", {"data_urls": [data_uri(b"<svg/>" * 20)]}, "data_urls[0]: not a picture"),
    ("no object", [], "the body must read"),
]


@pytest.mark.parametrize(("upload", "says"), [case[1:] for case in UPLOADS], ids=[case[0] for case in UPLOADS])
def test_what_is_no_picture_is_not_kept(upload, says, server, ask):
    """An upload is checked like a reference; one that is wrong keeps all of them out."""
    told = ask(server, "POST", "/upload-asset", upload)
    assert (told.status_code, list(told.json())) == (400, ["error"])
    assert says in told.json()["error"]


def test_a_picture_outside_the_limits_is_not_kept(server, ask, encoded, bomb):
    """Too small, too oblong and too large pictures are refused by their headers."""
    for data, says in ((encoded(127, 200), "too small"), (encoded(640, 128), "too oblong"), (bomb, "megapixels")):
        told = ask(server, "POST", "/upload-asset", {"data_urls": [data_uri(data)]})
        assert told.status_code == 400
        assert says in told.json()["error"]


def test_a_whole_number_may_be_written_with_a_point(body):
    """JSON has one kind of number: a seed of 7.0 is the seed 7, and 7.5 is none."""
    with PreviewServer(key="K", credits=0) as poor:
        for seed, status in (("7.0", 406), ("7.5", 400), ("1e400", 400)):
            text = json.dumps(body | {"seed": "HERE"}).replace('"HERE"', seed)
            headers = {"x-api-key": "K", "content-type": "application/json"}
            told = requests.post(f"{poor.base_url}/v1/{MODEL}", data=text, headers=headers, timeout=9)
            assert told.status_code == status


def test_nothing_that_is_told_holds_the_key(busy, ask, body):
    """Tickets, errors and the document are free of it."""
    busy.api.key = busy.key = "SG_0123456789abcdef"
    told = [ask(busy, "POST", f"/v2/{MODEL}", body), ask(busy, "POST", "/upload-asset", {})]
    told += [ask(busy, "GET", path) for path in ("/openapi.json", "/health", "/v1/nothing", told[0].json()["poll_url"])]
    assert not [one for one in told if busy.key in one.text or busy.key in str(one.headers)]
