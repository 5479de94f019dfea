"""The routes of the preview server: the service's own HTTP API, from a request to its clip."""

from __future__ import annotations

import json

import numpy as np
import pytest
import requests
from callers import CORS, ROUTE, ask, data_uri, exchange, head, refused, wait_for
from faults import clip

from vidu_nb import media
from vidu_nb.animatic.server.limits import Limits
from vidu_nb.animatic.server.server import PreviewServer
from vidu_nb.request import DRAFT, MODEL

pytestmark = pytest.mark.usefixtures("small_frames")

NOBODY = "0" * 32
CLIP = clip("made elsewhere")


@pytest.fixture(scope="module")
def quick():
    """A server whose clips are there at once, for what doesn't depend on their pictures."""
    with PreviewServer(render=lambda *_, **__: CLIP) as server:
        yield server


@pytest.fixture(scope="module")
def small(body):
    """A body whose draft is the cheapest to make."""
    return body | {"aspect_ratio": "16:9"}


def followed(server, ticket):
    """Every status that a queued request had, up to its end."""
    seen = []

    def ended():
        seen.append(ask(server, "GET", ticket["status_url"]))
        return seen[-1].json()["status"] in ("COMPLETED", "FAILED")

    wait_for(ended)
    return seen


# A clip that is waited for.


def test_a_good_request_gives_a_whole_clip(answer, photo, tmp_path):
    """The answer is an MP4 of the asked frame and length that shows its references, with the service's headers."""
    assert answer.status_code == 200, answer.text[:300]
    assert answer.headers["content-type"] == "video/mp4"
    assert media.what_is_wrong(answer.content) == ""
    (tmp_path / "clip.mp4").write_bytes(answer.content)
    info = media.probe("clip.mp4")
    assert (info.width, info.height, info.frames) == (1080, 1080, 120)
    frame = np.asarray(media.poster("clip.mp4", at=0.0, side=128)).astype(float)
    assert np.abs(frame.mean((0, 1)) - photo.mean((0, 1))).max() < 50
    headers = answer.headers
    assert (headers["x-remaining-credits"], headers["x-cost"], headers["x-seed-value"]) == ("100", "0", "42")
    assert float(headers["x-generation-time"]) > 0
    assert len(headers["x-request-id"]) >= 16
    assert headers["x-vidu-engine"] == "preview"
    assert not CORS & {name.lower() for name in headers}


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"accept": "application/json"}),
        ("?format=json", {}),
        ("?format=json", {"x-forwarded-proto": "gopher", "x-forwarded-host": "evil.example"}),
    ],
    ids=["Accept", "format", "behind a proxy that lies"],
)
def test_json_names_a_url_that_serves_the_clip(query, headers, quick, body):
    """Who asks for JSON gets a URL of this server that serves the MP4 without a key; seed 0 tells which was used."""
    made = ask(quick, "POST", f"{ROUTE}{query}", body | {"seed": 0}, headers=headers)
    assert made.status_code == 200, made.text[:300]
    assert 1 <= int(made.headers["x-seed-value"]) <= 999_999
    video = made.json()["video"]
    assert video["url"] == f"{quick.base_url}/v1/files/{video['file_name']}"
    served = requests.get(video["url"], timeout=60)
    assert served.headers["content-type"] == video["content_type"] == "video/mp4"
    assert served.content == CLIP
    assert len(CLIP) == video["file_size"]


@pytest.fixture(scope="module")
def served(quick, body):
    """The URL of a clip on the server."""
    return ask(quick, "POST", f"{ROUTE}?format=json", body).json()["video"]["url"]


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, len(CLIP)),
        ("bytes=-10", len(CLIP) - 10, len(CLIP)),
        (f"bytes=-{10**15}", 0, len(CLIP)),
        (f"bytes=5-{10**15}", 5, len(CLIP)),
        ("Bytes = 0 - 0", 0, 1),
    ],
)
def test_a_range_of_a_clip_is_that_part(wanted, start, stop, served):
    """Players seek by ranges: 206 with the very bytes, where they stand, and of how many."""
    got = requests.get(served, headers={"range": wanted}, timeout=60)
    assert (got.status_code, got.content) == (206, CLIP[start:stop])
    assert got.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(CLIP)}"
    assert got.headers["accept-ranges"] == "bytes"
    assert got.headers["content-type"] == "video/mp4"
    assert got.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize(
    "wanted", ["bytes=0-1,5-9", "lines=0-9", "bytes=", "bytes=-", "bytes=9-5", "bytes=a-b", "0-99"]
)
def test_what_is_no_single_range_gets_the_whole_clip(wanted, served):
    """As HTTP leaves it to a server; it still tells that it knows ranges."""
    got = requests.get(served, headers={"range": wanted}, timeout=60)
    assert (got.status_code, got.content, got.headers["accept-ranges"]) == (200, CLIP, "bytes")


@pytest.mark.parametrize("wanted", [f"bytes={len(CLIP)}-", "bytes=-0", f"bytes={10**17}-{10**17}"])
def test_a_range_behind_the_end_is_refused_with_the_size(wanted, served):
    """416 in the service's form, with the size that is there."""
    got = requests.get(served, headers={"range": wanted}, timeout=60)
    refused(got, 416, f"the file has {len(CLIP):,} bytes")
    assert got.headers["content-range"] == f"bytes */{len(CLIP)}"


def test_a_range_of_another_version_gets_the_whole_clip(served):
    """If-Range with this clip's ETag gets the part, with any other the whole."""
    etag = requests.get(served, timeout=60).headers["etag"]
    for condition, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        got = requests.get(served, headers={"range": "bytes=0-9", "if-range": condition}, timeout=60)
        assert got.status_code == status


def test_an_uploaded_picture_has_ranges_too(quick, encoded):
    """The other files of the server are served alike."""
    url = ask(quick, "POST", "/upload-asset", {"data_urls": [data_uri(encoded())]}).json()["urls"][0]
    got = requests.get(url, headers={"range": "bytes=0-7"}, timeout=60)
    assert (got.status_code, got.content) == (206, b"\x89PNG\r\n\x1a\n")


def test_credits_run_down_to_a_refusal(body, small, encoded):
    """With one credit two clips can be had and no third; what is refused or fails costs nothing."""
    with PreviewServer(credits=1.0) as server:
        refused(ask(server, "POST", ROUTE, body | {"seed": -1}), 400, "seed: -1")
        refused(ask(server, "POST", ROUTE, body | {"image_urls": [data_uri(encoded()[:120])]}), 400, "image_urls[0]: ")
        answers = [ask(server, "POST", f"/v1/{DRAFT}", small) for _ in range(2)]
        assert [one.headers["x-cost"] for one in answers] == ["0.5", "0.5"]
        assert [one.headers["x-remaining-credits"] for one in answers] == ["0.5", "0"]
        for version in ("v1", "v2"):
            refused(ask(server, "POST", f"/{version}/{MODEL}", body), 406, "Insufficient credits: 0 left")
        assert ask(server, "GET", "/v1/get-user-credits").json() == {"credits": 0.0, "free-credits": 0.0}


def test_a_url_reference_is_fetched_where_that_is_allowed(small, web, encoded):
    """With its address allowed, a picture behind a URL is fetched and shown."""
    with PreviewServer(allow=lambda address: address == "127.0.0.1") as server:
        picture = web.url("/red.png", encoded(300, 300, colour="red"))
        made = ask(server, "POST", f"/v1/{DRAFT}", small | {"image_urls": [picture]})
    assert made.status_code == 200, made.text
    assert [handler.path for handler in web.seen] == ["/red.png"]


# The queue.


def test_a_queued_request_is_followed_to_its_clip(server, body):
    """The ticket's URLs show honest progress, then a clip: the same bytes as the waiting call's, with its metadata."""
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
    assert set(early.json()) == {"request_id", "status", "progress"}
    progress = [one.json()["progress"] for one in followed(server, ticket)]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    result = ask(server, "GET", ticket["response_url"])
    made = result.json()
    assert (result.status_code, made["status"], made["seed"]) == (200, "COMPLETED", 42)
    assert made["metrics"]["cost"] == 0
    assert made["metrics"]["total_time"] >= made["metrics"]["inference_time"] > 0
    assert "error" not in made
    served = requests.get(made["output"], timeout=60)
    assert made["video"] == {
        "url": made["output"],
        "content_type": "video/mp4",
        "file_name": made["output"].rpartition("/")[2],
        "file_size": len(served.content),
    }
    assert served.content == ask(server, "POST", f"/v1/{MODEL}", body).content


def test_a_job_that_fails_says_why_and_costs_nothing(body, encoded):
    """A picture that turns out damaged: both URLs answer 422 with the reason, and the credits are back."""
    with PreviewServer(credits=0.5) as server:
        ticket = ask(server, "POST", f"/v2/{MODEL}", body | {"image_urls": [data_uri(encoded()[:120])]}).json()
        status = followed(server, ticket)[-1]
        for failed in (status, ask(server, "GET", ticket["response_url"])):
            assert failed.status_code == 422
            assert failed.json()["error"].startswith("image_urls[0]: ")
            assert failed.json()["metrics"]["cost"] == 0
            assert failed.json()["metrics"]["remaining_credits"] == 0.5


def test_old_requests_and_old_clips_are_forgotten(body):
    """A clip that newer ones displaced, a request of long ago and one that never was are each a 404."""
    limits = Limits(files=1, calls=2)
    with PreviewServer(limits=limits, render=lambda request, **_: b"clip %d" % request.seed) as server:
        first, second = (ask(server, "POST", f"/v2/{MODEL}", body | {"seed": seed}).json() for seed in (1, 2))
        for ticket in (first, second):
            followed(server, ticket)
        refused(ask(server, "GET", first["response_url"]), 404, "dropped for newer ones: ask for it again")
        assert ask(server, "GET", second["response_url"]).status_code == 200
        ask(server, "POST", f"/v2/{MODEL}", body)
        for path in (first["response_url"], first["status_url"], f"/v2/requests/{NOBODY}"):
            refused(ask(server, "GET", path), 404, "no such request; it may have expired")
    with PreviewServer(limits=Limits(request_seconds=0), render=lambda *_, **__: b"clip") as server:
        ticket = ask(server, "POST", f"/v2/{MODEL}", body).json()
        refused(ask(server, "GET", ticket["status_url"]), 404, "no such request; it may have expired")


# Uploads.


@pytest.mark.usefixtures("true_frames")
def test_an_uploaded_picture_is_served_and_can_be_named(server, small, encoded, answer):
    """An upload's URL serves the picture to who knows it, and stands for it in a request."""
    pictures = [encoded(160, 160, "PNG"), encoded(200, 160, "JPEG")]
    stored = ask(server, "POST", "/upload-asset", {"data_urls": [data_uri(one) for one in pictures]}).json()
    assert stored["urls"] == stored["file_urls"]
    for url, picture, kind in zip(stored["urls"], pictures, ("png", "jpeg"), strict=True):
        served = requests.get(url, timeout=60)
        assert (served.content, served.headers["content-type"]) == (picture, f"image/{kind}")
        assert url.startswith(f"{server.base_url}/v1/assets/")
    again = ask(server, "POST", "/upload-asset", {"data_urls": [data_uri(pictures[1])]}).json()["urls"]
    assert again == stored["urls"][1:]
    named = ask(server, "POST", f"/v1/{DRAFT}", small | {"image_urls": stored["urls"]})
    sent = ask(server, "POST", f"/v1/{DRAFT}", small | {"image_urls": [data_uri(one) for one in pictures]})
    assert named.status_code == 200, named.text
    assert named.content == sent.content
    assert len(named.content) < len(answer.content)  # a draft is lighter


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("{here}/v1/assets/nothing.png", "image_urls[0]: there is no such upload any more: upload it again"),
        ("{here}/v1/assets/../get-user-credits", "image_urls[0]: there is no such upload"),
        ("{here}/v1/get-user-credits", "'127.0.0.1' is not a public address"),
        ("http://127.0.0.1:1/v1/assets/nothing.png", "'127.0.0.1' is not a public address"),
        ("https://127.0.0.1:1/v1/assets/nothing.png", "'127.0.0.1' is not a public address"),
        ("http://[/v1/assets/nothing.png", "image_urls[0]: the URL"),
        ("http://169.254.169.254/x", "is not a public address"),
    ],
)
def test_only_uploads_are_taken_from_this_machine(url, says, server, body):
    """No other address of this machine or its network is let in by looking like an upload."""
    refused(ask(server, "POST", ROUTE, body | {"image_urls": [url.format(here=server.base_url)]}), 400, says)


UPLOADS = {
    "nothing": ({}, "the body must read"),
    "an empty list": ({"data_urls": []}, "with one to 7 data: URIs"),
    "no list": ({"data_urls": "data:"}, "the body must read"),
    "eight": ({"data_urls": ["data:"] * 8}, "with one to 7 data: URIs"),
    "another field": ({"data_urls": ["data:"], "more": 1}, "the body must read"),
    "no object": ([], "the body must read"),
    "no text": ({"data_urls": [5]}, "data_urls[0]: must be a data: URI"),
    "a URL": ({"data_urls": ["https://e.com/a.png"]}, "data_urls[0]: must be a data: URI"),
    "no base64": ({"data_urls": ["data:image/png;base64,%"]}, "data_urls[0]: the data: URI's content is not base64"),
    "no picture": ({"data_urls": [data_uri(b"<svg/>" * 20)]}, "data_urls[0]: an SVG drawing, not a picture"),
}


@pytest.mark.parametrize(("upload", "says"), UPLOADS.values(), ids=UPLOADS)
def test_what_is_no_picture_is_not_stored(upload, says, server):
    """An upload is checked like a reference; one that is wrong keeps all of them out."""
    refused(ask(server, "POST", "/upload-asset", upload), 400, says)


def test_a_picture_outside_the_limits_is_refused_everywhere(server, body, encoded, bomb):
    """Too small, too oblong and too large pictures are refused by their headers, in requests and in uploads."""
    for data, says in ((encoded(127, 200), "too small"), (encoded(640, 128), "too oblong"), (bomb, "megapixels")):
        refused(ask(server, "POST", "/upload-asset", {"data_urls": [data_uri(data)]}), 400, says)
        refused(ask(server, "POST", ROUTE, body | {"image_urls": [data_uri(data)]}), 400, says)


# Wrong requests.

WRONG = {
    "no prompt": ({"prompt": None}, "prompt: None is not text"),
    "1501 characters": ({"prompt": "x" * 1501}, "the limit is 1,500"),
    "half a character": ({"prompt": "\ud800"}, "prompt: "),
    "no references": ({"image_urls": []}, "image_urls: is missing"),
    "eight references": ({"image_urls": ["https://e.com/a.png"] * 8}, "image_urls: 8 given"),
    "references no list": ({"image_urls": "https://e.com/a.png"}, "image_urls: must be a list of strings"),
    "a list in the list": ({"image_urls": [["https://e.com/a.png"]]}, "image_urls[0]: must be text, not list"),
    "a path": ({"image_urls": ["/etc/passwd"]}, "image_urls[0]: "),
    "a file URL": ({"image_urls": ["file:///etc/passwd"]}, "image_urls[0]: "),
    "half a character in a URL": ({"image_urls": ["https://e.com/\ud800"]}, "image_urls[0]: the URL"),
    "no picture": ({"image_urls": [data_uri(b"hello" * 50)]}, "image_urls[0]: text, not a picture"),
    "ratio 4:3": ({"aspect_ratio": "4:3"}, "aspect_ratio: '4:3' is not one of 16:9, 1:1, 9:16"),
    "seed 1000000": ({"seed": 1_000_000}, "seed: 1000000 is out of range"),
    "seed 7.5": ({"seed": 7.5}, "seed: 7.5 is not a whole number"),
    "seed true": ({"seed": True}, "seed: True is not a whole number"),
    "a huge seed": ({"seed": 10**4000}, "seed: 1000"),
    "an object for a seed": ({"seed": {"a": [1]}}, "seed: {'a': [1]} is not a whole number"),
    "bgm 1": ({"bgm": 1}, "bgm: 1 is not True or False"),
    "an unknown parameter": ({"steps": 30}, "steps: unknown parameter; known are prompt, image_urls"),
    "Python's own names": ({"self": 1}, "self: unknown parameter"),
    "half a character in a name": ({"\ud800": 1}, "unknown parameter"),
    "a very long name": ({"k" * 100_000: 1}, "unknown parameter"),
    "very many names": ({f"k{i}": 0 for i in range(100_000)}, "unknown parameter"),
}


@pytest.mark.parametrize(("wrong", "says"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_wrong_parameter_is_refused(version, wrong, says, server, body):
    """A wrong parameter is answered with 400 and one line in the request model's words; the queue gives no ticket."""
    refused(ask(server, "POST", f"/{version}/{MODEL}", json.dumps(body | wrong)), 400, says)


NO_JSON = {
    "empty": ("", "the body is not JSON: it can't be parsed"),
    "half": ("{", "the body is not JSON: it can't be parsed"),
    "bytes": (b"\xff\xfe{\x00", "the body is not JSON: it can't be parsed"),
    "NaN": ('{"seed": NaN}', "the body is not JSON: NaN is no JSON value"),
    "-Infinity": ('{"seed": -Infinity}', "the body is not JSON: -Infinity is no JSON value"),
    "5000 digits": ('{"seed": ' + "9" * 5000 + "}", "the body is not JSON: it can't be parsed"),
    "deep": ('{"a":' * 100_000 + "1" + "}" * 100_000, "the body is not JSON: it can't be parsed"),
    "a list": ("[]", "the body must be a JSON object"),
    "null": ("null", "the body must be a JSON object"),
}


@pytest.mark.parametrize(("text", "says"), NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_json_object_is_refused(text, says, server):
    """A body that is no JSON, another kind than an object, or made to hurt its reader is answered with 400."""
    refused(ask(server, "POST", ROUTE, text), 400, says)


def test_a_whole_number_may_be_written_with_a_point(body):
    """JSON has one kind of number: a seed of 7.0 is the seed 7, and an infinite one is none."""
    seeds = []
    with PreviewServer(render=lambda request, **_: seeds.append(request.seed) or b"clip") as server:
        for seed, status in (("7.0", 200), ("7e0", 200), ("1e400", 400)):
            text = json.dumps(body | {"seed": "HERE"}).replace('"HERE"', seed)
            assert ask(server, "POST", ROUTE, text).status_code == status
    assert seeds == [7, 7]


def test_names_beside_the_body_are_only_words(server, body):
    """Too many, too long or malformed names of pictures change nothing about a request's checks."""
    for names in ("a/b/c/d/e/f/g/h/i", "%ff%0a%00", "x" * 20_000, "/" * 5000):
        refused(ask(server, "POST", ROUTE, body | {"seed": -1}, headers={"x-reference-names": names}), 400, "seed: -1")


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("POST", "/v1/another-model", 404, "no model 'another-model' here; there is 'vidu-q1-reference-to-video'"),
        ("POST", "/v2/another-model", 404, "no model 'another-model' here"),
        ("GET", "/", 404, "nothing at '/'"),
        ("GET", "/v1/files/nothing.mp4", 404, "no such file"),
        ("GET", "/v1/files/..%2f..%2fetc%2fpasswd", 404, ""),
        ("GET", "/v1/assets/%2e%2e/%2e%2e/etc/passwd", 404, ""),
        ("GET", f"//evil.example{ROUTE}", 404, "nothing at"),
        ("GET", "/health/", 404, "nothing at '/health/'"),
        ("GET", "/docs", 404, "nothing at '/docs'"),
        ("GET", "/redoc", 404, "nothing at '/redoc'"),
        ("GET", ROUTE, 405, "GET is not allowed here"),
        ("POST", "/v1/get-user-credits", 405, "POST is not allowed here"),
        ("DELETE", "/v1/get-user-credits", 405, "DELETE is not allowed here"),
    ],
)
def test_a_wrong_address_or_method_is_refused_as_json(method, path, status, says, server):
    """An unknown address or method is answered in the service's form, and leads to no file."""
    code, headers, text = exchange(server, head(method=method, path=path, key=server.key, length=0))
    assert (code, headers["content-type"]) == (status, "application/json")
    assert says in json.loads(text)["error"]


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/v1/get-user-credits", "/v1/files/nothing.mp4"])
def test_a_head_request_is_a_get_without_a_body(path, server):
    """HEAD gets a GET's status and headers, and no byte of its body."""
    asked, got = (ask(server, method, path) for method in ("HEAD", "GET"))
    assert (asked.status_code, asked.content) == (got.status_code, b"")
    assert asked.headers["content-length"] == got.headers["content-length"]
