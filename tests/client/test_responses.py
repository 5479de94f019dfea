"""What an answer holds: pure functions over bytes that anybody may have made."""

from __future__ import annotations

import json

import pytest
from faults import clip, cut_at

from vidu_nb.client.responses import Ticket, counts_though_broken, holds_result, link_in
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
RESULTS = {"a clip": CLIP, "a link": LINK, "a ticket": TICKET}


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
    assert link_in(b"[" * depth + b"]" * depth) == ""
