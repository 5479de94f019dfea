"""From an answer's bytes on disk to a cached clip, wherever the process before had come to its end."""

from __future__ import annotations

import json
import os
import signal

import pytest
from faults import KEY, clip
from services import Service

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.recipe import describe

REQUEST = vidu.VideoRequest(prompt="A cat", references="https://example.com/cat.png", seed=7)
CLIP = clip("whole")


@pytest.fixture
def client(web):
    """A client of a service that has the clip, and a job for it, and answers no POST."""
    web.pages["/clip.mp4"] = CLIP
    web.pages["/v2/requests/job-1/status"] = b'{"status": "COMPLETED"}'
    web.pages["/v2/requests/job-1"] = linking(web)
    return Client(KEY, web.url(""), timeout=10, notify=len)


def linking(web, path="/clip.mp4"):
    return json.dumps({"video": {"url": web.url(path)}}).encode()


def ticket(web):
    return {
        "request_id": "job-1",
        "status_url": web.url("/v2/requests/job-1/status"),
        "response_url": web.url("/v2/requests/job-1"),
    }


def left_behind(client, *states, data=None):
    """A call as a process left it that was killed: states of the journal, and what lies on disk."""
    key = REQUEST.key(engine=client.engine, model=client.model)
    attempt = client.archive.journal.open(
        key, engine=client.engine, model=client.model, lock=key, price_usd=0.5, request=describe(REQUEST)
    )
    for state, details in (("sent", {}), *states):
        attempt = attempt.add(state, **details)
    if data is not None:
        client.archive.receive(attempt, data)
    return attempt


RECEIVED = ("received", {"headers": {"x-cost": "0.4"}, "elapsed_s": 1.5})
#: What the journal says and what lies on disk, by what the process had just done when it was killed.
STANDS = {
    "a clip had come": lambda _: ([], CLIP),
    "a clip was noted": lambda _: ([RECEIVED], CLIP),
    "a link had come": lambda web: ([], linking(web)),
    "a link was noted": lambda web: ([RECEIVED], linking(web)),
    "fetching the link": lambda web: ([RECEIVED, ("linked", {"link": web.url("/clip.mp4")})], linking(web)),
    "the link's clip had come": lambda web: ([RECEIVED, ("linked", {"link": web.url("/gone")})], CLIP),
    "the answer was tidied away": lambda web: ([RECEIVED, ("linked", {"link": web.url("/clip.mp4")})], None),
    "a ticket had come": lambda web: ([], json.dumps(ticket(web)).encode()),
    "a ticket was noted": lambda web: ([RECEIVED], json.dumps(ticket(web)).encode()),
    "polling": lambda web: ([RECEIVED, ("queued", {"ticket": ticket(web)})], json.dumps(ticket(web)).encode()),
    "polling, and its answer was tidied away": lambda web: ([RECEIVED, ("queued", {"ticket": ticket(web)})], None),
    "the job's link had come": lambda web: (
        [RECEIVED, ("queued", {"ticket": ticket(web) | {"request_id": "gone"}})],
        linking(web),
    ),
    "the job's clip had come": lambda web: ([RECEIVED, ("queued", {"ticket": ticket(web)})], CLIP),
    "the job's link was noted": lambda web: ([RECEIVED, ("queued", {"ticket": ticket(web)}), RECEIVED], linking(web)),
}


@pytest.mark.parametrize("how", ["generate", "resume"])
@pytest.mark.parametrize("stand", STANDS)
def test_what_was_paid_for_is_brought_in_from_wherever_it_stood(client, web, stand, how):
    """A kill between any two steps: the same call again, or `resume`, stores the clip and sends nothing."""
    states, data = STANDS[stand](web)
    left_behind(client, *states, data=data)
    assert [call.state for call in client.pending()] == ["fetchable"]
    video = client.generate(REQUEST) if how == "generate" else client.resume()[0]
    assert (video.bytes, video.receipt.replayed) == (CLIP, False)
    assert client.pending() == []
    assert client.generate(REQUEST).receipt.replayed


@pytest.mark.parametrize(
    "junk", [b"", b"<html>", b'{"error": "busy"}', CLIP[:-1], b'{"request_id": 5, "status_url": ""}']
)
def test_an_answer_that_brings_nothing_is_put_aside_and_not_asked_again(client, junk):
    """A 200 without a clip may have been billed: its bytes are kept for a person, and the call stays unknown."""
    left_behind(client, RECEIVED, data=junk)
    with pytest.raises(errors.OutcomeUnknown, match="no whole clip") as caught:
        client.generate(REQUEST)
    assert (caught.value.billed, caught.value.fetchable) == ("yes", False)
    [aside] = client.archive.folder.glob("quarantine/*.bin")
    assert aside.read_bytes() == junk
    assert [call.state for call in client.pending()] == ["unknown"]


def test_a_clip_behind_a_failing_url_is_fetched_later_for_nothing(client, web):
    """The URL is journalled before it is fetched: `resume` brings the clip once the URL answers, without a POST."""
    left_behind(client, RECEIVED, data=linking(web, "/late.mp4"))
    for page in ((403, {}, b""), b"<html>", CLIP[:-1]):
        web.pages["/late.mp4"] = page
        with pytest.raises(errors.OutcomeUnknown, match="could not be fetched") as caught:
            client.generate(REQUEST)
        assert "resume" in caught.value.remedy
        assert caught.value.fetchable
        assert client.resume() == []
    web.pages["/late.mp4"] = CLIP
    assert client.resume()[0].bytes == CLIP


def test_a_client_of_another_service_leaves_a_job_alone(client, web):
    """It has neither the key nor the job: what it can't ask for stays to be fetched by one that has."""
    left_behind(client, RECEIVED, ("queued", {"ticket": ticket(web)}), data=b"{}")
    lines = []
    for other in (
        Client.preview(notify=lines.append),
        Client(KEY, "http://127.0.0.1:9", timeout=5, notify=lines.append),
    ):
        assert other.resume() == []
    assert len(lines) == 2
    assert all(f"the job is one of {client.engine}: only a client of that service" in line for line in lines)
    assert [call.state for call in client.pending()] == ["fetchable"]
    assert client.resume()[0].bytes == CLIP


def test_a_client_of_another_service_fetches_a_link(client, web):
    """Links are public, so that anybody may follow one, the free preview engine's client as well."""
    left_behind(client, RECEIVED, data=linking(web))
    assert Client.preview(notify=len).resume()[0].bytes == CLIP


def test_an_interrupt_while_a_link_is_fetched_leaves_it_to_be_fetched():
    """What was paid for is fetchable, and the same call again brings it at no cost."""

    def answer(call):
        if call.command == "POST":
            call.say(json.dumps({"video": {"url": f"{service.url}/clip.mp4"}}).encode())
        elif call.path != "/clip.mp4":
            call.say(b'{"credits": 9.5}')
        elif service.calls.count(call.path) == 1:
            os.kill(os.getpid(), signal.SIGINT)
            call.rfile.read(1)  # until the caller hangs up
        else:
            call.say(CLIP)

    with Service(answer) as service:
        client = Client(KEY, service.url, timeout=20, notify=len)
        with pytest.raises(KeyboardInterrupt):
            client.generate(REQUEST)
        assert [call.state for call in client.pending()] == ["fetchable"]
        assert client.generate(REQUEST).bytes == CLIP
        assert client.pending() == []
        assert len(service.posts) == 1
