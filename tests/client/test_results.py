"""A paid clip that exists is had: wherever its link leads and whatever became of it; the key stays at home."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json

import pytest
from faults import KEY, clip
from services import Service

import vidu_nb as vidu
from vidu_nb import errors

REQUEST = vidu.VideoRequest(prompt="A cat", references="https://example.com/cat.png", seed=7)
CLIP = clip("whole")
JOB = "/v2/requests/job-1"


class Pages:
    """Answers with `pages`: bytes, (status, bytes), a URL or path to redirect to, or a list of these, one a call.

    `keyed` holds the paths to which a key came.
    """

    def __init__(self, **pages):
        self.pages = {f"/{name}": page for name, page in pages.items()}
        self.keyed = []

    def __call__(self, call):
        """Answer a call."""
        if "x-api-key" in call.headers:
            self.keyed.append(call.path)
        page = self.pages.get(call.path, (404, b'{"error": "nothing here"}'))
        if isinstance(page, list):
            page = page.pop(0) if len(page) > 1 else page[0]
        if isinstance(page, str):
            call.send_response(self.pages.get("status", 302))
            call.send_header("Location", page)
            call.send_header("Content-Length", "0")
            call.end_headers()
        else:
            status, data = page if isinstance(page, tuple) else (200, page)
            call.say(data, status=status)

    def answers(self, link):
        """The POST is answered with a link."""
        self.pages[f"/v1/{vidu.Client.preview().model}"] = naming(link)
        return self

    def queues(self, service, *looks):
        """The POST is answered with a ticket; what the looks at the job's result bring, one after another."""
        ticket = {"request_id": "job-1", "status_url": f"{service.url}{JOB}/status", "response_url": service.url + JOB}
        self.pages[f"/v2/{vidu.Client.preview().model}"] = json.dumps(ticket).encode()
        self.pages[f"{JOB}/status"] = b'{"status": "COMPLETED"}'
        self.pages[JOB] = list(looks)
        return self


def naming(link):
    return json.dumps({"video": {"url": link}}).encode()


def result(link, **more):
    return json.dumps({"status": "COMPLETED", "output": link, "metrics": {"cost": 0.4}, **more}).encode()


@pytest.fixture
def pages():
    return Pages()


@pytest.fixture
def service(pages):
    """The paid service, which answers with `pages`."""
    with Service(pages) as made:
        yield made


@pytest.fixture
def storage():
    """Another company's: a server with an origin of its own."""
    with Service(Pages(**{"clip.mp4": CLIP})) as made:
        yield made


@pytest.fixture
def client(service):
    """Makes a client of the service; all of them share the archive."""

    def make(mode="sync"):
        return vidu.Client(KEY, service.url, archive="clips", timeout=10, mode=mode, notify=len)

    return make


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_link_is_followed(status, pages, service, storage, client):
    """To another host, over a relative hop and back: the clip arrives, is paid once, and replays."""
    pages.answers(f"{storage.url}/1")
    storage.answer.pages |= {"status": status, "/1": "2?x=é y", "/2?x=%C3%A9%20y": f"{service.url}/3"}
    pages.pages |= {"status": status, "/3": f"//127.0.0.1:{storage.server_port}/clip.mp4"}
    assert client().generate(REQUEST).bytes == CLIP
    assert client().generate(REQUEST).receipt.replayed
    assert len(service.posts) == 1
    assert storage.answer.keyed == []


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("/circle", "redirects more than 5 times"),
        ("file:///etc/hostname", r"no http\(s\):// URL"),
        ("ftp://127.0.0.1/clip.mp4", r"no http\(s\):// URL"),
        ("javascript:alert(1)", r"no http\(s\):// URL"),
        ("http://[oops/clip.mp4", "no URL"),
        ("http://user:word@127.0.0.1/clip.mp4", "a user name or a password"),
        ("http://127.0.0.1:9/clip.mp4", "Connection refused"),
    ],
)
def test_a_redirect_that_leads_nowhere_ends_with_a_sentence(location, says, pages, storage, service, client):
    """It stays to be fetched, and once the link is right it is."""
    pages.answers(f"{storage.url}/circle")
    storage.answer.pages["/circle"] = location
    with pytest.raises(errors.OutcomeUnknown, match=says) as caught:
        client().generate(REQUEST)
    assert (caught.value.fetchable, caught.value.billed) == (True, "yes")
    assert len(storage.calls) <= 6
    storage.answer.pages["/circle"] = "/clip.mp4"
    assert client().resume()[0].bytes == CLIP
    assert len(service.posts) == 1


def test_a_call_with_the_key_follows_no_redirect(pages, storage, service, client):
    """A POST, and a question about a job, go nowhere else, not even within the service."""
    model = client().model
    pages.pages |= {f"/v1/{model}": f"{service.url}/elsewhere", "/elsewhere": CLIP}
    with pytest.raises(errors.APIError, match="302"):
        client().generate(REQUEST)
    pages.queues(service, f"{storage.url}/clip.mp4")
    with pytest.raises(errors.OutcomeUnknown):
        vidu.Client(KEY, service.url, archive="others", timeout=0.5, mode="queue", notify=len).generate(REQUEST)
    assert (storage.calls, "/elsewhere" in service.calls) == ([], False)


@pytest.mark.parametrize("first", [(202, b""), (408, b""), (425, b""), (429, b"slow down"), (500, b""), (503, b"busy")])
@pytest.mark.parametrize("times", [1, 2])
def test_a_link_that_is_not_ready_is_tried_again(first, times, pages, storage, service, client):
    """A storage that is busy, or to which the clip is still being copied: the call waits a moment and has it."""
    pages.answers(f"{storage.url}/soon.mp4")
    storage.answer.pages["/soon.mp4"] = [first] * times + [CLIP]
    assert client().generate(REQUEST).bytes == CLIP
    assert len(service.posts) == 1


def test_a_fetch_that_breaks_off_is_made_again(pages, storage, client):
    """The connection is cut in the middle of the clip."""
    answer, broken = storage.answer, []

    def once(call):
        if broken:
            answer(call)
        else:
            broken.append(call.path)
            call.say(CLIP[:-100], promised=100)
            call.close_connection = True

    storage.answer = once
    pages.answers(f"{storage.url}/clip.mp4")
    assert client().generate(REQUEST).bytes == CLIP


@pytest.mark.parametrize("status", [201, 203, 206])
def test_a_whole_clip_is_taken_whatever_kind_of_success_it_comes_with(status, pages, storage, client):
    """Its boxes say that it is whole."""
    storage.answer.pages["/clip.mp4"] = (status, CLIP)
    pages.answers(f"{storage.url}/clip.mp4")
    assert client().generate(REQUEST).bytes == CLIP


# The key.


def wants_the_key(call):
    """Answers the clip to whoever shows a key, as some services do for their own files."""
    if "x-api-key" in call.headers:
        call.say(CLIP)
    else:
        call.say(b'{"error": "key missing"}', status=401)


@pytest.mark.parametrize("spelled", ["{url}", "HTTP://127.0.0.1:{port}", "http://127.0.0.1:{port}"])
def test_the_services_own_link_gets_the_key(spelled, pages, service, client):
    """From the start, and whatever the case of its letters."""
    own = spelled.format(url=service.url, port=service.server_port)
    service.answer = lambda call: wants_the_key(call) if call.path == "/own.mp4" else pages(call)
    pages.answers(f"{own}/own.mp4")
    assert client().generate(REQUEST).bytes == CLIP


def test_a_redirect_back_to_the_service_gets_the_key_and_one_away_from_it_does_not(pages, service, storage, client):
    """Each hop is judged by where it goes."""
    pages.answers(f"{storage.url}/there")
    storage.answer.pages["/there"] = f"{service.url}/back"
    pages.pages["/back"] = f"{storage.url}/clip.mp4"
    assert client().generate(REQUEST).bytes == CLIP
    assert "/back" in pages.keyed
    assert storage.answer.keyed == []


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1.:{port}", "127.1:{port}", "127.0.0.1:{other}"])
def test_any_other_origin_gets_no_key(host, pages, service, storage, client):
    """Another name for the same machine and another port of it are other origins."""
    at = host.format(port=service.server_port, other=storage.server_port)
    pages.answers(f"http://{at}/clip.mp4")
    pages.pages["/clip.mp4"] = CLIP
    with contextlib.suppress(errors.OutcomeUnknown):  # not every system knows all of these names
        client().generate(REQUEST)
    assert "/clip.mp4" not in pages.keyed
    assert storage.answer.keyed == []


# A job whose link has expired.


@pytest.mark.parametrize("how", ["generate", "resume"])
@pytest.mark.parametrize(
    "old", [(403, b"expired"), (404, b""), (410, b""), (400, b"<Code>ExpiredToken</Code>"), b"<html>"]
)
def test_a_link_that_has_expired_is_replaced_by_the_job(old, how, pages, service, storage, client):
    """At once, and after the process has ended: the job names a fresh link, and nothing is paid again."""
    storage.answer.pages["/old.mp4"] = old
    dead, fresh = (result(f"{storage.url}/{name}.mp4", seed=4711) for name in ("old", "clip"))
    pages.queues(service, dead, *([] if how == "generate" else [dead]), fresh)
    if how == "generate":
        video = client("queue").generate(REQUEST)
    else:
        with pytest.raises(errors.OutcomeUnknown, match="the job names the same URL again") as caught:
            client("queue").generate(REQUEST)
        assert caught.value.fetchable
        [video] = client().resume()  # which mode a client has changes nothing
    assert (video.bytes, video.receipt.cost_usd, video.receipt.seed) == (CLIP, 0.4, 4711)
    assert client().generate(REQUEST).receipt.replayed
    assert len(service.posts) == 1


def test_a_link_that_came_beside_its_ticket_is_replaced_as_well(pages, service, storage, client):
    """A service that had the clip at once names both, and the link may be dead when it is fetched."""
    pages.queues(service, result(f"{storage.url}/clip.mp4"))
    ticket = json.loads(pages.pages[f"/v2/{client().model}"])
    pages.pages[f"/v2/{client().model}"] = json.dumps(ticket | {"output": f"{storage.url}/old.mp4"}).encode()
    assert client("queue").generate(REQUEST).bytes == CLIP
    assert len(service.posts) == 1


def test_a_job_is_asked_for_a_fresh_link_once(pages, service, storage, client):
    """Where that one is dead as well, the error says what is left, and the next call tries again."""
    pages.queues(service, *(result(f"{storage.url}/{name}.mp4") for name in "abc"), result(f"{storage.url}/clip.mp4"))
    with pytest.raises(errors.OutcomeUnknown, match=r"answered 404 .*; .*a fresh one, and its .*404") as caught:
        client("queue").generate(REQUEST)
    assert (caught.value.fetchable, caught.value.billed, caught.value.request_id) == (True, "yes", "job-1")
    assert "job-1" in caught.value.message
    assert "resume" in caught.value.remedy
    assert service.calls.count(JOB) == 2
    assert client().resume() == []
    assert client().resume()[0].bytes == CLIP
    assert len(service.posts) == 1


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ((404, b'{"error": "no such request"}'), "no longer knows the job"),
        ((410, b""), "no longer knows the job"),
        ((422, b'{"status": "FAILED", "error": "node lost"}'), "counts as failed: node lost"),
        (b'{"status": "FAILED", "error": "node lost"}', "counts as failed: node lost"),
    ],
)
def test_a_clip_that_neither_link_nor_job_lead_to_is_not_promised(now, says, pages, service, storage, client):
    """It was billed and stays open, as unknown; nothing is sent again, and should the link work again, it is used."""
    pages.queues(service, result(f"{storage.url}/late.mp4"), now)
    for _ in range(2):
        with pytest.raises(errors.OutcomeUnknown, match=says) as caught:
            client("queue").generate(REQUEST)
        assert (caught.value.fetchable, caught.value.billed, caught.value.request_id) == (False, "yes", "job-1")
        assert "settle" in caught.value.remedy
    [pending] = client().pending()
    assert (pending.state, says in pending.reason) == ("unknown", True)
    assert len(service.posts) == 1
    storage.answer.pages["/late.mp4"] = CLIP
    assert client().resume()[0].bytes == CLIP


@pytest.mark.parametrize(
    "now",
    [
        (401, b'{"error": "key revoked"}'), (500, b""), (202, b'{"status": "PROCESSING"}'), b"<html>log in</html>",
        "/elsewhere", b'{"status": "COMPLETED"}', b'{"status": "COMPLETED", "output": "gone"}',
    ],
    ids=str,
)  # fmt: skip
def test_a_job_that_can_not_be_asked_now_can_be_later(now, pages, service, storage, client):
    """A refused key, a broken service, a redirect: none of them says that the clip is lost."""
    pages.queues(service, result(f"{storage.url}/gone.mp4"), now, result(f"{storage.url}/clip.mp4"))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        client("queue").generate(REQUEST)
    assert caught.value.fetchable
    assert [call.state for call in client().pending()] == ["fetchable"]
    assert client().resume()[0].bytes == CLIP


def test_a_cancelled_fetch_asks_nothing_more(pages, service, storage, client):
    """`cancel` while the link is fetched comes back at once; the job is not asked for another."""
    cancelled = client("queue")
    pages.queues(service, result(f"{storage.url}/slow.mp4"))

    def slow(call):
        cancelled.cancel()
        call.rfile.read(1)  # until the caller hangs up

    storage.answer = slow
    with pytest.raises(errors.OutcomeUnknown, match="cancelled") as caught:
        cancelled.generate(REQUEST)
    assert caught.value.fetchable
    assert service.calls.count(JOB) == 1


# The clip inside of an answer.


def test_a_clip_in_the_jobs_json_or_behind_the_link_is_taken(pages, service, storage, client):
    """Wherever a clip may come from, it may come as text."""
    text = f"data:video/mp4;base64,{base64.b64encode(CLIP).decode()}"
    pages.queues(service, result(text))
    assert client("queue").generate(REQUEST).bytes == CLIP
    pages.answers(f"{storage.url}/text")
    storage.answer.pages["/text"] = json.dumps({"data": text}).encode()
    assert client().generate(REQUEST, fresh=True).bytes == CLIP


WHOLE = {
    "a data: URI": json.dumps({"video": "data:video/mp4;base64," + base64.b64encode(CLIP).decode()}).encode(),
    "bare base64": json.dumps({"output": base64.urlsafe_b64encode(CLIP).decode().rstrip("=")}).encode(),
    "a line end behind it": CLIP + b"\r\n",
    "zeros behind it": CLIP + bytes(512),
    "a multipart answer": b"--a8\r\nContent-Type: video/mp4\r\n\r\n" + CLIP + b"\r\n--a8--\r\n",
}


@pytest.mark.parametrize("body", WHOLE.values(), ids=WHOLE)
def test_the_archive_keeps_the_clip_alone(body, service, client):
    """What is stored plays, has the receipt's hash, and replays; what lay around it is gone."""
    service.answer = lambda call: call.say(body, cost=0.5)
    video = client().generate(REQUEST)
    assert (video.bytes, video.receipt.sha256) == (CLIP, hashlib.sha256(CLIP).hexdigest())
    assert video.info.frames == 10
    assert video.receipt.cost_usd == 0.5
    assert client().generate(REQUEST).receipt.replayed
    assert client().pending() == []
    assert len(service.posts) == 1
