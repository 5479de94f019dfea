"""The gateway's routes: the official SDK against it, the record, uploads, links, and what it refuses."""

from __future__ import annotations

import base64
import stat
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
import requests
from gateways import body_of, classroom, wanted
from segmind import SegmindClient
from segmind.exceptions import SegmindError
from segmind.files import Files
from segmind.v2 import InferenceFailed
from upstream import Upstream

from vidu_nb import media
from vidu_nb.gateway import uploads
from vidu_nb.request import MODEL, VideoRequest


@pytest.fixture(scope="module")
def service():
    """A service whose jobs are done at once."""
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def school(service, tmp_path_factory):
    """A class before it."""
    with classroom(tmp_path_factory.mktemp("school") / "class", service.url, each_usd=100, total_usd=200) as school:
        yield school


def uri(data, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


# The official SDK.


@pytest.fixture
def sdk(school):
    """The SDK's client, with anna's token."""
    return SegmindClient(api_key=school.tokens["anna"], base_url=f"{school.url}/v1", timeout=60)


def test_the_sdk_waits_for_a_clip(sdk):
    """The waiting call's answer is the MP4, with what it cost and what is left in its headers."""
    answer = sdk.run_sync(MODEL, **body_of("SDK, waiting"))
    assert answer.headers["content-type"] == "video/mp4"
    assert media.what_is_wrong(answer.content) == ""
    assert answer.headers["x-cost"] == "0.5"
    assert float(answer.headers["x-remaining-credits"]) <= 99.5


def test_the_sdk_follows_the_queue(sdk):
    """`run` queues, polls, and gives the body whose output is the clip's URL, which needs no token."""
    made = sdk.run(MODEL, **body_of("SDK, queued"))
    assert (made["status"], made["metrics"]["cost"], made["seed"]) == ("COMPLETED", 0.5, 7)
    clip = requests.get(made["output"], timeout=60).content
    assert media.what_is_wrong(clip) == ""
    assert len(clip) == made["video"]["file_size"]


def test_the_sdk_uploads_a_picture_and_names_it(sdk, school, service, monkeypatch, encoded, tmp_path):
    """A picture that was uploaded reaches the service as bytes, and the same picture inline is the same request."""
    monkeypatch.setattr(Files, "STORAGE_BASE_URL", school.url)
    (tmp_path / "red.png").write_bytes(encoded(200, 160, colour="red"))
    url = sdk.files.upload(tmp_path / "red.png")["file_urls"][0]
    with urllib.request.urlopen(url, timeout=60) as served:
        assert served.read() == encoded(200, 160, colour="red")
    sdk.run(MODEL, **body_of("SDK, uploaded") | {"image_urls": [url]})
    sent = list(service.jobs.values())[-1].inputs["image_urls"]
    assert sent == [uri(encoded(200, 160, colour="red"))]
    inline = school.post("ben", body_of("SDK, uploaded") | {"image_urls": sent})
    assert inline.headers["x-cost"] == "0"


def test_a_picture_that_was_made_becomes_a_clip(sdk, school, service):
    """The link of a picture that was made here is a reference of the next call, and the service gets it whole."""
    card = sdk.run("sdxl1.0-txt2img", prompt="A red boat", img_width=512, img_height=512)
    picture = requests.get(card["output"], timeout=30).content
    sdk.run(MODEL, **body_of("It sails") | {"image_urls": [card["output"]]})
    assert list(service.jobs.values())[-1].inputs["image_urls"] == [uri(picture)]
    same = {"prompt": "A red boat", "img_width": 512, "img_height": 512}
    direct = school.post("ben", same, model="sdxl1.0-txt2img")
    assert (direct.headers["content-type"], direct.content) == ("image/png", picture)
    as_text = school.post("ben", same | {"base64": True}, model="sdxl1.0-txt2img").json()
    assert base64.b64decode(as_text["image"]).startswith(b"\x89PNG")


def test_the_sdk_hears_what_failed(sdk):
    """A job that failed is the SDK's `InferenceFailed`, with the service's message and what it cost."""
    with pytest.raises(InferenceFailed) as caught:
        sdk.submit_async(MODEL, **body_of("SDK [fails]")).wait(timeout=60, interval=0.1)
    assert "the job failed" in caught.value.detail
    assert caught.value.status_body["metrics"]["cost"] == 0


def test_the_sdk_hears_of_a_wrong_token_and_an_empty_budget(school):
    """Both are the SDK's errors with the service's statuses, and say whom to ask."""
    with pytest.raises(SegmindError, match="ask your teacher") as caught:
        SegmindClient(api_key="nobody's", base_url=f"{school.url}/v1").run(MODEL, **body_of("SDK"))
    assert caught.value.status == 401
    school.ledger.change("ben", usd=0.25)
    try:
        with pytest.raises(SegmindError, match=r"Insufficient credits: .*ask your teacher") as caught:
            SegmindClient(api_key=school.tokens["ben"], base_url=f"{school.url}/v1").run(MODEL, **body_of("SDK, poor"))
        assert caught.value.status == 406
    finally:
        school.ledger.change("ben", usd=None)


def test_our_own_client_gets_its_receipt(school, encoded):
    """A person's own client works unchanged: cost, balance and seed in its receipt; pictures by way of the storage."""
    anna = school.client_of("anna", uploads="storage")
    request = VideoRequest(prompt="Ours", references=encoded(200, 160))
    video = anna.generate(request)
    assert (video.receipt.cost_usd, video.receipt.seed, video.receipt.replayed) == (0.5, 7, False)
    assert (
        video.receipt.credits_remaining
        == anna.credits().total
        == school.ledger.left(school.ledger.person_named("anna"))
    )
    assert school.client_of("ben").generate(request).receipt.cost_usd == 0


# The record.


@pytest.mark.parametrize(
    "query",
    [
        {"per_page": "101"}, {"page": "0"}, {"page": "x"}, {"from_date": "yesterday"}, {"sort_by": "inputs"},
        {"sort_order": "up"}, {"from_date": "2026-01-01", "to_date": "2026-03-01"},
    ],
)  # fmt: skip
def test_the_record_refuses_what_the_services_own_does(school, query):
    """Parameters outside of the record's limits are a 400 that names one of them."""
    answer = school.get("anna", "/inference-request/request-history", **query)
    assert answer.status_code == 400
    assert any(name in answer.json()["error"] for name in query)


def test_the_record_holds_ones_own_calls_only(school):
    """Each person sees their own calls, with links that work, and nobody else's by its id either."""
    mine = school.post("anna", body_of("In the record")).headers["x-request-id"]
    rows = school.get("anna", "/inference-request/request-history", model_name=MODEL, per_page=100).json()["data"]
    row = next(row for row in rows if row["request_id"] == mine)
    assert row["model_status"] == "COMPLETED"
    assert requests.get(row["generation_url"], timeout=30).status_code == 200
    assert school.get("ben", f"/inference-request/request-history/{mine}").status_code == 404
    others = school.get("ben", "/inference-request/request-history", per_page=100).json()["data"]
    assert mine not in {row["request_id"] for row in others}
    tomorrow = str(datetime.now(UTC).date() + timedelta(days=1))
    later = school.get("anna", "/inference-request/request-history", from_date=tomorrow, to_date=tomorrow).json()
    assert (later["total"], later["data"]) == (0, [])


# Uploads and links.


def upload(school, name, *files):
    headers = {"x-api-key": school.tokens[name]}
    return requests.post(f"{school.url}/upload-asset", json={"data_urls": list(files)}, headers=headers, timeout=30)


def test_uploads_are_stored_for_their_owner_under_names_that_nobody_can_guess(school, encoded):
    """The same file of another person has another name; the folder is the gateway's alone; nobody uploads unknown."""
    data = uri(encoded(200, 160, colour="green"))
    [mine], [again], [theirs] = (upload(school, name, data).json()["urls"] for name in ("anna", "anna", "ben"))
    assert mine == again != theirs
    folder = school.client.archive.folder / "gateway" / "uploads"
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o700}
    guessed = mine[:-5] + ("1" if mine[-5] == "0" else "0") + ".png"
    assert requests.get(guessed, timeout=30).status_code == 404
    assert requests.get(f"{school.url}/v1/assets/..%2f..%2fledger.db", timeout=30).status_code == 404
    assert requests.post(f"{school.url}/upload-asset", json={"data_urls": [data]}, timeout=30).status_code == 401


@pytest.mark.parametrize(
    "bad", ["data:text/html;base64,PGI+", "data:image/png;base64,AAAA", "https://example.com/a.png", 7]
)
def test_only_pictures_videos_and_sounds_are_stored(school, bad):
    """Anything else is refused by its place, and nothing is stored."""
    answer = upload(school, "anna", bad)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("data_urls[0]: ")


def test_a_persons_uploads_have_a_limit(school, encoded, monkeypatch):
    """The oldest go for new ones, of the same person alone."""
    monkeypatch.setattr(uploads, "MOST", 3)
    kept = upload(school, "ben", uri(encoded(300, 200))).json()["urls"][0]
    urls = [upload(school, "anna", uri(encoded(200, 160 + number))).json()["urls"][0] for number in range(5)]
    assert [requests.get(url, timeout=30).status_code for url in urls] == [404, 404, 200, 200, 200]
    assert requests.get(kept, timeout=30).status_code == 200
    gone = school.post("anna", body_of("Gone") | {"image_urls": [urls[0]]})
    assert gone.status_code == 400
    assert "no such upload any more" in gone.json()["error"]


def test_a_link_of_somewhere_else_is_passed_on(school, service):
    """A URL that only looks like one of the gateway's own is the service's to fetch."""
    stranger = "https://example.com/v1/assets/1-abc.png"
    assert school.post("anna", body_of("Elsewhere") | {"image_urls": [stranger]}).status_code == 200
    assert list(service.jobs.values())[-1].inputs["image_urls"] == [stranger]


def test_a_link_opens_one_file_and_no_other(school):
    """A call's link with another number, another call or another signature opens nothing."""
    made = school.post("anna", body_of("Linked"), version="v2").json()
    school.post("ben", body_of("Linked"))
    url = school.get("anna", f"/v2/requests/{made['request_id']}").json()["output"]
    root, call, _, signature = url.rsplit("/", 3)
    assert requests.get(url, timeout=30).headers["content-type"] == "video/mp4"
    for bad in (f"{root}/{call}/1/{signature}", f"{root}/{32 * '0'}/0/{signature}", f"{root}/{call}/0/{40 * '0'}.mp4"):
        assert requests.get(bad, timeout=30).status_code == 404
    part = requests.get(url, headers={"range": "bytes=0-9"}, timeout=30)
    assert (part.status_code, len(part.content)) == (206, 10)


def test_pictures_come_in_both_forms(school):
    """A direct answer as JSON names the clip's URL."""
    answer = school.post("anna", body_of("As JSON"), headers={"accept": "application/json"})
    assert requests.get(answer.json()["video"]["url"], timeout=30).status_code == 200


# Refusals.


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"prompt": NaN}', b'{"prompt": 5}'])
def test_a_body_that_makes_no_request_is_refused_before_anything_is_noted(school, service, body):
    """Nothing is sent, reserved or noted for what can't be read."""
    posts, calls = service.posts, sum(row["calls"] for row in school.ledger.everybody())
    headers = {"x-api-key": school.tokens["anna"], "content-type": "application/json"}
    assert requests.post(f"{school.url}/v2/{MODEL}", data=body, headers=headers, timeout=30).status_code == 400
    assert (service.posts, sum(row["calls"] for row in school.ledger.everybody())) == (posts, calls)


def test_too_many_at_once_are_told_when_to_ask_again(tmp_path):
    """A person's third call while two run is a 429 with a time; our own client waits for it."""
    with Upstream() as service, classroom(tmp_path / "class", service.url, at_once=2) as school:
        service.gate.clear()
        for number in range(2):
            school.post("anna", body_of(f"A cat, {number}"), version="v2")
        third = school.post("anna", body_of("A cat, 2"), version="v2")
        assert (third.status_code, third.headers["retry-after"]) == (429, "20")
        assert school.post("ben", body_of("A cat, 2"), version="v2").status_code == 200
        service.gate.set()


def test_a_paused_class_spends_nothing(school, service):
    """While the teacher has paused the class nothing is sent, and the sentence says so."""
    school.ledger.pause(paused=True)
    posts = service.posts
    answer = school.post("anna", body_of("Paused"))
    school.ledger.pause(paused=False)
    assert (answer.status_code, service.posts) == (403, posts)
    assert "paused" in answer.json()["error"]


def test_the_key_is_the_gateways_own(school, service):
    """The service gets the class's key and nothing of the person's: no token, no header of theirs."""
    school.post("anna", body_of("Whose key"), headers={"x-mine": "secret"})
    sent = {name.lower(): value for name, value in service.headers[-1].items()}
    assert school.tokens["anna"] not in sent.values()
    assert "x-mine" not in sent
    assert wanted("Whose key").payload()
