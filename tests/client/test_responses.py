"""What an answer holds: pure functions over bytes that anybody may have made."""

from __future__ import annotations

import base64
import json
import textwrap
from urllib.parse import quote

import pytest
from faults import clip, cut_at

from vidu_nb.client.responses import Ticket, counts_though_broken, holds_result, read
from vidu_nb.net.transport import Answer

SERVICE = "https://api.example"
CLIP = clip("a")
LINK = json.dumps({"video": {"url": "https://cdn.example/clip.mp4"}}).encode()
TICKET = json.dumps({"request_id": "job-1", "status": "QUEUED", "status_url": f"{SERVICE}/v2/requests/job-1"}).encode()
NOTHING = {
    "nothing": b"",
    "half a clip": CLIP[: cut_at("mdat", CLIP)],
    "half a link": LINK[:-10],
    "a page": b"<html><title>Busy</title></html>",
    "an error": b'{"error": "generation failed"}',
    "a ticket without an address": b'{"request_id": "job-1"}',
    "a file": b'{"url": "file:///etc/hostname"}',
}
EMBEDDED = json.dumps({"video": f"data:video/mp4;base64,{base64.b64encode(CLIP).decode()}"}).encode()
RESULTS = {"a clip": CLIP, "a clip in JSON": EMBEDDED, "a link": LINK, "a ticket": TICKET}


@pytest.mark.parametrize("body", [*RESULTS.values(), *NOTHING.values()], ids=[*RESULTS, *NOTHING])
@pytest.mark.parametrize("status", [200, 201, 202, 204, 302, 307, 400, 401, 429, 500, 503])
def test_what_brings_a_result(status, body):
    """A whole clip, a link or a ticket, with a status of success; nothing else."""
    assert holds_result(Answer(status, {}, body, 0.1), SERVICE) is (status < 300 and body in RESULTS.values())


#: Status and body of an answer that broke off → whether it is taken, for a call that went on, for an interrupted one.
BROKEN = [
    (200, CLIP, True, True),
    (200, LINK, True, True),
    (200, TICKET, True, True),
    (202, TICKET, True, True),
    *((200, body, False, False) for body in NOTHING.values()),
    (307, b"", True, False),
    (401, b'{"err', True, False),
    (500, b"", True, False),
    (503, b"", True, False),
    (503, CLIP, True, False),
    (429, b"", False, False),
    (429, CLIP, False, False),
]


@pytest.mark.parametrize(("status", "body", "goes_on", "interrupted"), BROKEN)
def test_what_counts_of_an_answer_that_broke_off(status, body, goes_on, interrupted):
    """All of a result counts, whatever is wrong with its wrapping; so does a status that says that there is none."""
    answer = Answer(status, {}, body, 0.1)
    assert counts_though_broken(answer, SERVICE, interrupted=False) is goes_on
    assert counts_though_broken(answer, SERVICE, interrupted=True) is interrupted


def test_a_ticket_with_a_broken_address_is_asked_for_at_the_documented_one():
    """The key never goes where the service's address can't be recognised."""
    payload = {"request_id": "a1", "status_url": "http://[oops", "response_url": "http://[oops"}
    ticket = Ticket.from_json(payload, base_url=SERVICE)
    assert ticket.status_url == f"{SERVICE}/v2/requests/a1/status"


@pytest.mark.parametrize("depth", [10, 900, 100_000])
def test_an_answer_of_nested_lists_is_no_riddle(depth):
    """However deep they are, there is no link in them, and looking for one ends."""
    assert not read(b"[" * depth + b"]" * depth).is_result


BASE64 = base64.b64encode(CLIP).decode()
URL_SAFE = base64.urlsafe_b64encode(CLIP).decode()
LINES = "\r\n".join(textwrap.wrap(BASE64, 76))
#: A clip as text, in every spelling that generators, gateways and browsers have for it.
AS_TEXT = {
    "a data: URI": f"data:video/mp4;base64,{BASE64}",
    "in capitals": f"DATA:VIDEO/MP4;BASE64,{BASE64}",
    "without a type": f"data:;base64,{BASE64}",
    "of another type": f"data:application/octet-stream;base64,{BASE64}",
    "with a name": f"data:video/mp4;name=clip.mp4;base64,{BASE64}",
    "with codecs": f'data:video/mp4;codecs="avc1.640028, mp4a.40.2";base64,{BASE64}',
    "with codecs, unquoted": f"data:video/mp4;codecs=avc1.640028,mp4a.40.2;base64,{BASE64}",
    "with spaces in its head": f"  data:video/mp4; base64 , {BASE64}",
    "in the URL-safe alphabet": f"data:video/mp4;base64,{URL_SAFE}",
    "without padding": f"data:video/mp4;base64,{URL_SAFE.rstrip('=')}",
    "in lines": f"data:video/mp4;base64,{LINES}\r\n",
    "percent-encoded base64": f"data:video/mp4;base64,{quote(BASE64, safe='')}",
    "percent-encoded bytes": f"data:video/mp4,{quote(CLIP, safe='')}",
    "with a line end in it": "data:video/mp4;base64," + base64.b64encode(CLIP + b"\r\n").decode(),
    "bare base64": BASE64,
    "bare, URL-safe, unpadded": URL_SAFE.rstrip("="),
    "bare, in lines": LINES,
}
PLACES = {
    "video": lambda text: {"video": text},
    "video.url": lambda text: {"video": {"url": text, "content_type": "video/mp4"}},
    "output": lambda text: {"status": "COMPLETED", "output": [text]},
    "data of b64_json": lambda text: {"data": [{"b64_json": text}]},
    "a list": lambda text: [text],
    "beside a picture": lambda text: {"urls": ["data:image/png;base64,iVBORw0KGgo=", text]},
}


@pytest.mark.parametrize("text", AS_TEXT.values(), ids=AS_TEXT)
def test_a_clip_that_stands_in_the_json_is_the_clip(text):
    """However it is spelled, the bytes that come out are the clip's."""
    assert read(json.dumps({"video": text}).encode()).clip == CLIP


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("text", [AS_TEXT["a data: URI"], AS_TEXT["bare, in lines"]], ids=["data: URI", "bare"])
def test_a_clip_may_stand_wherever_its_url_may(text, place):
    """A service that answers with a clip in place of a link puts it where the link would be."""
    assert read(json.dumps(place(text)).encode()).clip == CLIP


@pytest.mark.parametrize("text", [BASE64[:-40], f"data:video/mp4;base64,{BASE64[:2000]}", "data:video/mp4;base64,%%%"])
def test_a_cut_clip_in_the_json_is_no_clip(text):
    """It is told as one that is not whole, and is no result."""
    answer = Answer(200, {}, json.dumps({"video": text}).encode(), 0.1)
    assert not holds_result(answer, SERVICE)
    assert read(answer.body).problem.startswith("the clip is text in it, and it is")


def test_a_link_beside_a_picture_in_the_json_is_found():
    """A thumbnail as a data: URI hides no URL."""
    found = read(json.dumps({"output": ["data:image/png;base64,iVBORw0KGgo=", "https://cdn.example/a.mp4"]}).encode())
    assert found.link == "https://cdn.example/a.mp4"


URL = "https://cdn.example/clip.mp4"
TEXT = base64.b64encode(CLIP).decode()
ELSEWHERE = [
    {"videos": [{"url": URL}]},
    {"result": {"video_url": URL}},
    {"outputs": [URL]},
    {"response": {"data": {"video": URL}}},
    {"state": "success", "creations": [{"cover": "https://cdn.example/cover.png", "link": URL}]},
    {"video": {"uri": URL}},
    {"data": {"download_url": URL}},
    {"statusCode": 200, "body": json.dumps({"video": {"url": URL}})},
    {"output": ["https://cdn.example/cover.png", URL]},
    {"output": "done", "files": [{"mp4": URL}]},
    {"statusCode": 200, "body": json.dumps({"asset": {"href": URL}})},
]


@pytest.mark.parametrize("payload", [*ELSEWHERE, URL], ids=str)
def test_a_link_is_found_under_any_name(payload):
    """Services call it as they like; a page's cover is no clip."""
    assert read(json.dumps(payload).encode()).link == URL


def test_a_body_that_is_a_link_and_nothing_else_is_followed():
    """With a line end or without; a sentence that begins with one isn't it."""
    assert read(f"{URL}\n".encode()).link == URL
    assert read(f"{URL} is not ready".encode()).link == ""


@pytest.mark.parametrize(
    "payload",
    [{"video": {"content": TEXT}}, {"video_base64": TEXT}, {"result": EMBEDDED.decode()}, {"files": [{"bytes": TEXT}]}],
    ids=["content", "video_base64", "a text in it", "files"],
)
def test_a_clip_in_json_is_found_under_any_name(payload):
    """Bare, or in a text that is JSON."""
    assert read(json.dumps(payload).encode()).clip == CLIP


@pytest.mark.parametrize(
    "payload",
    [
        {"request_body": {"video_url": URL}},
        {"input": {"image_urls": [URL]}},
        {"error": f"see {URL}"},
        {"request_id": "a1", "status_url": "https://api.example/a1", "webhook_url": "https://api.example/b"},
        {"thumbnail_url": "https://cdn.example/a.png", "poster": "https://cdn.example/b.jpg"},
        {"docs": "https://docs.example/video"},
        {"request_id": "a1", "status_url": "https://api.example/a1", "result_url": "https://api.example/r/a1"},
    ],
    ids=str,
)
def test_what_an_answer_says_beside_a_result_is_none(payload):
    """What it repeats of the request, what it is about, and pages to read."""
    assert not read(json.dumps(payload).encode()).is_result
