"""Who may call the preview server, and with what: people on this machine, within limits, whoever else is there."""

from __future__ import annotations

import contextlib
import json

import pytest
from callers import CORS, ROUTE, ask, connect, exchange, head, post, read_answer, refused, wait_for

from vidu_nb import media
from vidu_nb.animatic.server.limits import Limits
from vidu_nb.animatic.server.server import PreviewServer
from vidu_nb.request import DRAFT, MODEL

NOBODY = "0" * 32
KEYED = [
    ("POST", ROUTE), ("POST", f"/v2/{MODEL}"), ("POST", "/upload-asset"), ("GET", "/v1/get-user-credits"),
    ("GET", f"/v2/requests/{NOBODY}"), ("GET", f"/v2/requests/{NOBODY}/status"),
]  # fmt: skip
BODIES = [(method, path) for method, path in KEYED if method == "POST"]


@pytest.fixture
def poor():
    """A server with a key and no credits, so that a good request is refused last, and nothing is rendered."""
    with PreviewServer(key="K", credits=0) as server:
        yield server


# Who.


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "API key missing: send it as x-api-key"),
        ({"authorization": "Bearer key-of-the-tests"}, "a Bearer token is not read"),
        ({"x-api-key": ""}, "API key missing"),
        ({"x-api-key": "key-of-the-test"}, "API key invalid"),
        ({"x-api-key": b"\xff\xfe"}, "API key invalid"),
    ],
    ids=["none", "Bearer", "empty", "nearly", "bytes"],
)
@pytest.mark.parametrize(("method", "path"), KEYED)
def test_without_the_key_nothing_is_done(method, path, headers, says, server):
    """A missing or wrong key is answered with 401 by every route of the service, before the body is looked at."""
    body = b"no JSON" if method == "POST" else None
    refused(ask(server, method, path, body, headers=headers, key=False), 401, says)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example@127.0.0.1",
        "127.0.0.1/evil", "127.0.0.1#evil", "127.0.0.1?evil", "127.0.0.1:80:80", "10.0.0.1", "167772161", "[::2]", "[",
        "", "localhost evil", "127.0.0.1:999999", "127.0.0.1\r\nHost: evil.example", "evil.example\r\nHost: 127.0.0.1",
        "127.0.0.1\r\nHost: 127.0.0.1", "localhost.localdomain", "mylocalhost", ".localhost",
    ],
)  # fmt: skip
def test_another_host_is_refused(host, server):
    """A page that reached this machine under its own name by DNS rebinding gets nothing, not even with the key."""
    status, headers, text = exchange(server, head(method="GET", path="/health", key=server.key, host=host))
    assert status == 400
    assert b'"engine"' not in text
    assert not CORS & set(headers)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:80", "localhost.", "class.localhost:80", "127.1",
        "127.0.0.2", "0", "2130706433", "[::ffff:127.0.0.1]",
    ],
)  # fmt: skip
def test_this_machines_own_names_are_served(host, server):
    """The names that lead here are answered."""
    status, _, text = exchange(server, head(method="GET", path="/health", host=host))
    assert (status, json.loads(text)["engine"]) == (200, "preview")


@pytest.mark.parametrize("path", [ROUTE, "/v1/get-user-credits", "/health", "/openapi.json", "/nothing"])
def test_no_page_of_another_origin_is_let_in(path, server):
    """No answer, least of all to a preflight, tells a browser that another origin may read it."""
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for method in ("OPTIONS", "POST", "GET"):
        assert not CORS & {name.lower() for name in ask(server, method, path, headers=headers).headers}


def test_no_answer_holds_the_key(body):
    """Tickets, results, errors and the document are free of it, and so is what the server prints as."""
    with PreviewServer(key="SG_0123456789abcdef", render=lambda *_, **__: b"clip") as server:
        ticket = ask(server, "POST", f"/v2/{MODEL}", body)
        answers = [ticket, ask(server, "POST", f"{ROUTE}?format=json", body), ask(server, "POST", "/upload-asset", {})]
        paths = ("/openapi.json", "/health", "/v1/nothing", "/v1/get-user-credits", ticket.json()["response_url"])
        answers += [ask(server, "GET", path) for path in paths]
        assert not [one for one in answers if server.key in one.text or server.key in str(one.headers)]
        assert server.key not in repr(server) + repr(server.state)


# With what.


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded", ""])
@pytest.mark.parametrize(("method", "path"), BODIES)
def test_a_content_type_that_a_foreign_page_could_send_is_refused(method, path, kind, poor):
    """Only application/json is read: a page can't send that here without asking first."""
    answer = ask(poor, method, path, b"{}", headers={"content-type": kind})
    refused(answer, 406, "wrong content type: send Content-Type: application/json")


def test_a_content_type_may_name_its_charset(poor, body):
    """`application/json; charset=utf-8` is JSON as well, in any case of letters."""
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    refused(ask(poor, "POST", ROUTE, json.dumps(body | {"seed": -1}), headers=headers), 400, "seed")


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_a_body_over_the_limit_is_refused(method, path, poor):
    """More than 20 MB are refused before they are sent where they are announced, else as soon as they are there."""
    announced = head(method=method, path=path, key="K", length=20_000_001)
    chunked = head("Content-Type: application/json", "Transfer-Encoding: chunked", method=method, path=path, key="K")
    for data in (announced, chunked + (b"100000\r\n" + b" " * 0x100000 + b"\r\n") * 20):
        status, headers, text = exchange(poor, data)
        assert (status, headers["connection"]) == (413, "close")
        assert json.loads(text) == {"error": "the body is over the limit of 20 MB"}


def test_a_body_that_does_not_come_is_not_waited_for():
    """Half a body is refused in time; behind a wrong key it is not even listened to."""
    with PreviewServer(key="K", limits=Limits(body_seconds=0.2)) as server:
        for _, path in BODIES:
            status, headers, text = exchange(server, head(path=path, key="K", length=10) + b"{")
            assert (status, headers["connection"]) == (408, "close")
            assert json.loads(text) == {"error": "the body did not arrive within 0.2 s"}
        assert exchange(server, head(key="wrong", length=10) + b"{")[0] == 401


def test_requests_in_progress_have_a_limit_in_memory(poor, body):
    """Where the bodies in progress use all the memory allowed, the next gets a 429; what ended gives its part back."""
    free = poor.state.memory.free
    assert free >= 7 * 20_000_000
    with PreviewServer(key="K", limits=Limits(memory_bytes=1_000_000)) as small:
        refused(ask(small, "POST", ROUTE, body | {"odd": "x" * 2_000_000}), 429, "all the memory that is allowed")
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(connect(small)) for _ in range(9)]
            for one in slow:
                one.sendall(head(key="K", length=200_000) + b" " * 110_000)
            wait_for(lambda: small.state.memory.free < 200_000)
            answer = ask(small, "POST", "/upload-asset", {"data_urls": ["x" * 200_000]})
            refused(answer, 429, "all the memory that is allowed")
            assert answer.headers["retry-after"] == "2"
        wait_for(lambda: small.state.memory.free == 1_000_000)  # they hung up
    for wrong in ({"seed": -1}, {"odd": 1}, {}):
        assert ask(poor, "POST", ROUTE, body | wrong).status_code in (400, 406)
    ask(poor, "POST", "/upload-asset", {"data_urls": ["data:"]})
    assert poor.state.memory.free == free


# Whoever else is there.


def test_a_large_body_is_parsed_while_others_are_answered(poor):
    """While megabytes of JSON are taken apart, the next callers get their answers."""
    body = b'{"odd": [' + b"0.5," * 2_000_000 + b"0.5]}"
    with connect(poor) as connection:
        free = poor.state.memory.free
        connection.sendall(head(key="K", length=len(body)) + body[:-1])
        wait_for(lambda: poor.state.memory.free == free - len(body) + 1)  # all but the last byte has arrived
        connection.sendall(body[-1:])
        connection.setblocking(False)
        answered = 0
        while answered < 1000:
            with contextlib.suppress(BlockingIOError):
                connection.recv(1)
                break
            assert ask(poor, "GET", "/health").status_code == 200
            answered += 1
    assert answered > 2, "others had to wait"  # one or two may have come before the last byte


def test_three_hundred_half_open_connections_lock_nobody_out(body):
    """Beside silent connections, half heads and half bodies, the balance is answered and a clip is made."""
    halves = (b"", b"GET / HTTP/1.1\r\nX: ", head(key="K", length=100) + b"{")
    with PreviewServer(key="K") as server, contextlib.ExitStack() as stack:
        for data in halves * 100:
            stack.enter_context(connect(server)).sendall(data)
        for path in ("/v1/get-user-credits", "/health"):
            assert ask(server, "GET", path).status_code == 200
        assert media.what_is_wrong(ask(server, "POST", f"/v1/{DRAFT}", body | {"aspect_ratio": "16:9"}).content) == ""


def test_garbage_and_half_requests_leave_the_server_standing(poor, body):
    """Whatever arrives on the port, the next caller is served, also on a connection that served others before."""
    start = head("Content-Type: application/json", key="K").removesuffix(b"\r\n")
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 1000,
        b"GET /" + b"a" * 200_000,
        start + b"Content-Length: 10\r\n\r\n{",
        start + b"Content-Length: -5\r\n\r\n",
        start + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        start + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        head("Upgrade: websocket", "Connection: upgrade", method="GET", path="/health"),
    ):
        with connect(poor) as connection:
            connection.sendall(data)
    with connect(poor) as connection:
        for _ in range(2):
            connection.sendall(post(poor, body))
            assert read_answer(connection)[0] == 406
