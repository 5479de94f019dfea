"""The preview server: the service's own HTTP API, for people on this machine and nobody else."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
import time

import numpy as np
import pytest
import requests

from vidu_nb import media
from vidu_nb.animatic.server import PreviewServer
from vidu_nb.request import MODEL

ROUTE = f"/v1/{MODEL}"
CORS = {"access-control-allow-origin", "access-control-allow-headers", "access-control-allow-methods"}


def data_uri(data):
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def raw(server, head, content=b"", *, path=ROUTE, method="POST", key=True):
    """Sends bytes as they are and gives (status, headers, body) of the first answer; `head` holds header lines."""
    port = int(server.base_url.rpartition(":")[2])
    lines = [f"{method} {path} HTTP/1.1".encode(), *([b"x-api-key: " + server.key.encode()] if key else []), *head]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        reader = connection.makefile("rb")
        with contextlib.suppress(OSError):  # refused before all of it was read: the answer is there all the same
            connection.sendall(b"\r\n".join([*lines, b"", b""]) + content)
        status = int(reader.readline().split()[1])
        headers = {}
        while line := reader.readline().strip().decode("latin-1"):
            headers[line.partition(":")[0].lower()] = line.partition(":")[2].strip()
        return status, headers, reader.read(int(headers["content-length"])) if "content-length" in headers else b""


def refused(answer, status, says):
    """Asserts an error in the service's form: JSON with one line in `error`, and nothing for other web pages."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert list(said) == ["error"]
    assert says in said["error"]
    assert "\n" not in said["error"]
    assert len(said["error"]) <= 300
    assert not CORS & {name.lower() for name in answer.headers}


# The good answer.


def test_a_good_request_gives_a_whole_clip(answer, tmp_path):
    """The answer is an MP4 of the asked frame and length."""
    assert answer.status_code == 200, answer.text[:300]
    assert answer.headers["content-type"] == "video/mp4"
    assert media.what_is_wrong(answer.content) == ""
    (tmp_path / "clip.mp4").write_bytes(answer.content)
    info = media.probe("clip.mp4")
    assert (info.width, info.height, info.frames) == (1080, 1080, 120)


def test_a_good_answer_has_the_services_headers(answer):
    """Credits, cost, request id, time and seed stand in the headers, as from the service; no other page may read it."""
    headers = answer.headers
    assert float(headers["x-remaining-credits"]) > 0
    assert float(headers["x-cost"]) == 0
    assert len(headers["x-request-id"]) >= 16
    assert float(headers["x-generation-time"]) > 0
    assert headers["x-seed-value"] == "42"
    assert headers["x-vidu-engine"] == "preview"
    assert not CORS & {name.lower() for name in headers}


@pytest.mark.parametrize(
    ("headers", "query"), [({"accept": "application/json"}, ""), ({}, "?format=json")], ids=["Accept", "format"]
)
def test_json_names_a_url_that_serves_the_clip(headers, query, server, call, body):
    """Who asks for JSON gets a URL that serves the MP4 without a key; seed 0 tells which seed was used."""
    told = call(server, body | {"seed": 0}, headers=headers, query=query)
    assert told.status_code == 200, told.text[:300]
    assert 1 <= int(told.headers["x-seed-value"]) <= 999_999
    video = told.json()["video"]
    assert video["url"].startswith(f"{server.base_url}/v1/files/")
    clip = requests.get(video["url"], timeout=20)
    assert clip.headers["content-type"] == "video/mp4"
    assert len(clip.content) == video["file_size"]
    assert media.what_is_wrong(clip.content) == ""
    assert not CORS & {name.lower() for name in clip.headers}


def test_a_forwarded_scheme_is_not_believed(server, call, body):
    """A caller's proxy headers don't change the address that is handed out."""
    headers = {"x-forwarded-proto": "gopher", "x-forwarded-host": "evil.example", "accept": "application/json"}
    url = call(server, body, headers=headers).json()["video"]["url"]
    assert url.startswith(f"{server.base_url}/v1/files/")


def test_credits_run_down_to_a_refusal(call, body):
    """With one credit two clips can be had; the third is refused; a bad request costs nothing."""
    with PreviewServer(credits=1.0) as server:
        refused(call(server, body | {"seed": -1}), 400, "seed: -1")
        left = []
        for _ in range(2):
            answer = call(server, body)
            assert answer.headers["x-cost"] == "0.5"
            left.append(float(answer.headers["x-remaining-credits"]))
        assert left == [0.5, 0.0]
        refused(call(server, body), 406, "Insufficient credits: 0 left")
        balance = requests.get(f"{server.base_url}/v1/get-user-credits", headers={"x-api-key": server.key}, timeout=9)
        assert balance.json() == {"credits": 0.0, "free-credits": 0.0}


def test_a_picture_that_fails_is_not_charged(call, body, encoded):
    """A request that is accepted and then fails on its picture gives its credits back."""
    broken = data_uri(encoded()[:120])
    with PreviewServer(credits=0.5) as server:
        refused(call(server, body | {"image_urls": [broken]}), 400, "image_urls[0]: ")
        assert server.api.purse.left == 0.5


def test_a_url_reference_is_fetched_where_that_is_allowed(call, body, web, encoded):
    """With its address allowed, a picture behind a URL is fetched and shown."""
    with PreviewServer(allow=lambda address: address == "127.0.0.1") as server:
        answer = call(server, body | {"image_urls": [web.url("/red.png", encoded(300, 300, colour="red"))]})
    assert answer.status_code == 200, answer.text
    assert [handler.path for handler in web.seen] == ["/red.png"]


def test_a_caller_who_hangs_up_ends_the_work(body):
    """When nobody waits for a clip any more, its slot is free for the next caller within a second or two."""
    with PreviewServer() as server:
        port = int(server.base_url.rpartition(":")[2])
        data = json.dumps(body).encode()
        head = f"POST {ROUTE} HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: {server.key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        jobs, pause, end = server.api.jobs, threading.Event(), time.monotonic() + 20
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head.encode() + data)
            while not jobs.running and time.monotonic() < end:
                pause.wait(0.01)
            assert jobs.running == 1
        started = time.monotonic()
        while jobs.running and time.monotonic() < end:
            pause.wait(0.01)
        assert time.monotonic() - started < 1.2
        assert server.api.purse.left == 100.0


# Refusals.


def with_picture(data):
    return {"image_urls": [data_uri(data) if isinstance(data, bytes) else data]}


WRONG = [
    ("no prompt", {"prompt": None}, "prompt: None is not text"),
    ("an empty prompt", {"prompt": ""}, "prompt: is empty"),
    ("1501 characters", {"prompt": "x" * 1501}, "the limit is 1,500"),
    ("half a character", {"prompt": "\ud800"}, "prompt: "),
    ("no references", {"image_urls": []}, "image_urls: is missing"),
    ("null references", {"image_urls": None}, "image_urls: is missing"),
    ("eight references", {"image_urls": ["https://e.com/a.png"] * 8}, "image_urls: 8 given"),
    ("references no list", {"image_urls": "https://e.com/a.png"}, "image_urls: must be a list of strings"),
    ("an object for references", {"image_urls": {"0": "https://e.com/a.png"}}, "image_urls: must be a list"),
    ("no string", {"image_urls": [5]}, "image_urls[0]: must be text, not int"),
    ("a list in the list", {"image_urls": [["https://e.com/a.png"]]}, "image_urls[0]: must be text, not list"),
    ("a path", {"image_urls": ["/etc/passwd"]}, "image_urls[0]: "),
    ("a file URL", {"image_urls": ["file:///etc/passwd"]}, "image_urls[0]: "),
    ("an FTP URL", {"image_urls": ["ftp://e.com/a.png"]}, "image_urls[0]: "),
    ("half a character in a URL", {"image_urls": ["https://e.com/\ud800"]}, "image_urls[0]: the URL"),
    ("half a character in a name", {"\ud800": 1}, "unknown parameter"),
    ("no picture", with_picture(b"hello" * 50), "image_urls[0]: not a picture"),
    ("an EPS", with_picture(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 300 300\n"), "image_urls[0]: not a picture"),
    ("an SVG", with_picture(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), "image_urls[0]: not a picture"),
    ("loopback", with_picture("http://127.0.0.1:1/a.png"), "'127.0.0.1' is not a public address"),
    ("a cloud's metadata", with_picture("http://169.254.169.254/x"), "is not a public address"),
    ("ratio 4:3", {"aspect_ratio": "4:3"}, "aspect_ratio: '4:3' is not one of 16:9, 1:1, 9:16"),
    ("seed -1", {"seed": -1}, "seed: -1 is out of range"),
    ("seed 1000000", {"seed": 1_000_000}, "seed: 1000000 is out of range"),
    ("seed 1.5", {"seed": 1.5}, "seed: 1.5 is not a whole number"),
    ("seed true", {"seed": True}, "seed: True is not a whole number"),
    ("a huge seed", {"seed": 10**4000}, "seed: 1000"),
    ("duration 7", {"duration": 7}, "duration: 7 is not offered"),
    ("amplitude huge", {"movement_amplitude": "huge"}, "'huge' is not one of auto, small, medium, large"),
    ("bgm 1", {"bgm": 1}, "bgm: 1 is not True or False"),
    ("an unknown parameter", {"steps": 30}, "steps: unknown parameter; known are prompt, image_urls"),
    ("Python's own names", {"self": 1}, "self: unknown parameter"),
    ("the toolkit's name", {"references": ["https://e.com/a.png"]}, "references: unknown parameter"),
    ("a very long name", {"k" * 100_000: 1}, "unknown parameter"),
]


@pytest.mark.parametrize(("wrong", "says"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_parameter_is_refused(wrong, says, server, call, body):
    """A wrong parameter is answered with 400 and one line that names it."""
    refused(call(server, body | wrong), 400, says)


@pytest.mark.parametrize("size", [(127, 200), (640, 128)], ids=["127 px", "5:1"])
def test_a_picture_outside_the_limits_is_refused(size, server, call, body, encoded):
    """Too small and too oblong pictures are refused by their headers."""
    says = "too small" if 127 in size else "too oblong"
    refused(call(server, body | with_picture(encoded(*size))), 400, f"image_urls[0]: {size[0]}x{size[1]} is {says}")


def test_a_bomb_is_refused_by_its_header(server, call, body, bomb):
    """A picture that claims ten gigapixels is refused at once."""
    started = time.monotonic()
    refused(call(server, body | with_picture(bomb)), 400, "image_urls[0]: more than 100 megapixels: shrink it")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it can't be parsed"),
        ("{", "it can't be parsed"),
        ("prompt=x", "it can't be parsed"),
        (b"\xff\xfe{\x00", "it can't be parsed"),
        ('{"seed": NaN}', "NaN is no JSON value"),
        ('{"seed": -Infinity}', "-Infinity is no JSON value"),
        ('{"seed": ' + "9" * 5000 + "}", "it can't be parsed"),
        ("[" * 200_000, "it can't be parsed"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "it can't be parsed"),
    ],
    ids=["empty", "half", "a form", "bytes", "NaN", "-Infinity", "5000 digits", "deep lists", "deep objects"],
)
def test_what_is_no_json_is_refused(text, says, server, call):
    """A body that is no JSON, or is JSON made to hurt its reader, is answered with 400."""
    refused(call(server, text), 400, f"the body is not JSON: {says}")


@pytest.mark.parametrize("text", ["[]", "null", "5", '"text"', "[[[[]]]]"])
def test_json_that_is_no_object_is_refused(text, server, call):
    """JSON of another kind than an object is answered with 400."""
    refused(call(server, text), 400, "the body must be a JSON object")


@pytest.mark.parametrize("field", ["prompt", "image_urls", "seed", "bgm", "aspect_ratio"])
def test_nested_values_are_refused_wherever_they_stand(field, server, call, body):
    """Lists in lists, as deep as the parser takes them, are a wrong value like any other."""
    text = json.dumps(body | {field: "HERE"}).replace('"HERE"', "[" * 900 + "]" * 900)
    refused(call(server, text), 400, field)


def test_a_body_made_to_be_slow_is_refused_quickly(server, call, body):
    """Hundreds of thousands of unknown parameters are answered at the first one, in no time."""
    text = json.dumps(body | {f"k{i}": 0 for i in range(400_000)})
    started = time.monotonic()
    refused(call(server, text), 400, "unknown parameter")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded", ""])
def test_a_content_type_that_a_foreign_page_could_send_is_refused(kind, server, call, body):
    """Only application/json is read: a page can't send that here without asking first."""
    answer = call(server, json.dumps(body), headers={"content-type": kind})
    refused(answer, 406, "wrong content type: send Content-Type: application/json")


def test_a_content_type_may_name_its_charset(server, call, body):
    """`application/json; charset=utf-8` is JSON as well."""
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    refused(call(server, json.dumps(body | {"seed": -1}), headers=headers), 400, "seed")


def test_a_body_over_the_limit_is_refused_unread(server):
    """A body that announces more than 20 MB is refused before it is sent."""
    head = [b"Host: 127.0.0.1", b"Content-Type: application/json", b"Content-Length: 20000001"]
    status, headers, said = raw(server, head)
    assert (status, headers["connection"]) == (413, "close")
    assert json.loads(said)["error"] == "the body is over the limit of 20 MB"


def test_a_chunked_body_over_the_limit_is_cut_off(server):
    """A body that announces nothing is read up to the limit and no further."""
    head = [b"Host: 127.0.0.1", b"Content-Type: application/json", b"Transfer-Encoding: chunked"]
    status, _, said = raw(server, head, (b"100000\r\n" + b" " * 0x100000 + b"\r\n") * 20)
    assert status == 413
    assert "over the limit" in json.loads(said)["error"]


# Who may call.


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "API key missing: send it as x-api-key"),
        ({"authorization": "Bearer key-of-the-tests"}, "a Bearer token is not read"),
        ({"x-api-key": ""}, "API key invalid"),
        ({"x-api-key": "key-of-the-test"}, "API key invalid"),
        ({"x-api-key": b"\xff\xfe"}, "API key invalid"),
    ],
    ids=["none", "Bearer", "empty", "nearly", "bytes"],
)
@pytest.mark.parametrize("route", ["generate", "credits"])
def test_without_the_key_nothing_is_done(route, headers, says, server, call, body):
    """A missing or wrong key is answered with 401 before the body is looked at."""
    if route == "generate":
        answer = call(server, body, headers=headers, key=False)
    else:
        answer = requests.get(f"{server.base_url}/v1/get-user-credits", headers=headers, timeout=9)
    refused(answer, 401, says)
    assert server.key not in answer.text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example@127.0.0.1",
        "127.0.0.1/evil", "127.0.0.1#evil", "127.0.0.1?evil", "127.0.0.1:80:80", "0.0.0.0", "127.0.0.2", "[::2]", "[",
        "", "localhost evil", "127.0.0.1:999999",
    ],
)  # fmt: skip
def test_another_host_is_refused(host, server):
    """A page that reached this machine under its own name by DNS rebinding gets nothing, not even with the key."""
    status, headers, said = raw(server, [b"Host: " + host.encode()], method="GET", path="/health")
    assert status == 400
    assert b"preview" not in said
    assert not CORS & set(headers)


@pytest.mark.parametrize("second", ["evil.example", "127.0.0.1"])
def test_two_hosts_are_refused(second, server):
    """A request with two Host headers is refused whichever comes first."""
    for hosts in ((b"127.0.0.1", second.encode()), (second.encode(), b"127.0.0.1")):
        status, _, said = raw(server, [b"Host: " + host for host in hosts], method="GET", path="/health")
        assert status == 400
        assert b"preview" not in said


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:80"])
def test_this_machines_own_names_are_served(host, server):
    """The names that lead here are answered."""
    status, _, said = raw(server, [b"Host: " + host.encode()], method="GET", path="/health")
    assert (status, json.loads(said)["engine"]) == (200, "preview")


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "GET"])
def test_no_page_of_another_origin_is_let_in(method, server):
    """No answer, least of all to a preflight, tells a browser that another origin may read it."""
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for path in (ROUTE, "/v1/get-user-credits", "/health", "/nothing"):
        answer = requests.request(method, server.base_url + path, headers=headers, timeout=9)
        assert not CORS & {name.lower() for name in answer.headers}


# Wrong doors.


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("POST", "/v1/another-model", 404, "no model 'another-model' here; there is 'vidu-q1-reference-to-video'"),
        ("GET", "/", 404, "nothing at '/'"),
        ("GET", "/v1/files/nothing.mp4", 404, "no such file"),
        ("GET", "/v1/files/..%2f..%2fetc%2fpasswd", 404, ""),
        ("GET", "/v1/files/%2e%2e/%2e%2e/etc/passwd", 404, ""),
        ("GET", "/../../etc/passwd", 404, ""),
        ("GET", f"//evil.example{ROUTE}", 404, "nothing at"),
        ("GET", "/health/", 404, "nothing at '/health/'"),
        ("GET", "/docs", 404, "nothing at '/docs'"),
        ("GET", ROUTE, 405, "GET is not allowed here"),
        ("DELETE", "/v1/get-user-credits", 405, "DELETE is not allowed here"),
    ],
)
def test_a_wrong_door_is_told_as_json(method, path, status, says, server):
    """An unknown address or method is answered in the service's form, and leads to no file."""
    code, headers, said = raw(server, [b"Host: 127.0.0.1", b"Content-Length: 0"], method=method, path=path)
    assert (code, headers["content-type"]) == (status, "application/json")
    assert says in json.loads(said)["error"]


def test_names_beside_the_body_are_only_words(server, call, body):
    """Too many, too long or malformed names of pictures change nothing about a request's checks."""
    for names in ("a/b/c/d/e/f/g/h/i", "%ff%0a%00", "x" * 20_000, "/" * 5000):
        refused(call(server, body | {"seed": -1}, headers={"x-reference-names": names}), 400, "seed: -1")


def test_garbage_and_half_requests_leave_the_server_standing(server):
    """Whatever arrives on the port, the next caller is served."""
    port = int(server.base_url.rpartition(":")[2])
    head = f"POST {ROUTE} HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: {server.key}\r\nContent-Type: application/json\r\n"
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 1000,
        b"GET /" + b"a" * 200_000,
        f"{head}Content-Length: 10\r\n\r\n{{".encode(),
        f"{head}Content-Length: -5\r\n\r\n".encode(),
        f"{head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345".encode(),
        f"{head}Transfer-Encoding: chunked\r\n\r\nZZ\r\n".encode(),
    ):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(data)
    many = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    assert requests.get(f"{server.base_url}/health", timeout=9).json()["status"] == "ok"
    for connection in many:
        connection.close()


def test_the_same_request_gives_the_same_bytes(answer, server, call, body):
    """A preview is deterministic: the same seed reproduces it to the byte."""
    assert call(server, body).content == answer.content


def test_a_stopped_server_is_gone():
    """After `stop` nobody answers on the port, and no thread is left."""
    with PreviewServer() as server:
        assert requests.get(f"{server.base_url}/health", timeout=9).status_code == 200
        thread = server._thread
    assert not thread.is_alive()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.base_url}/health", timeout=9)


def test_a_preview_shows_its_references(answer, photo, tmp_path):
    """The clip's first picture has the reference's colours: a preview is a storyboard of what was passed."""
    (tmp_path / "clip.mp4").write_bytes(answer.content)
    frame = np.asarray(media.poster("clip.mp4", at=0.0, side=128)).astype(float)
    assert np.abs(frame.mean((0, 1)) - photo.mean((0, 1))).max() < 50
