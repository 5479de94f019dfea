"""Calls of a model that returns pictures: whatever form they come in, each is kept whole, and paid for once."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from faults import KEY, clip
from PIL import Image
from services import Service

import vidu_nb as vidu
from vidu_nb import errors, image_file, models
from vidu_nb.client.responses import read
from vidu_nb.image_file import packed
from vidu_nb.storage.archive import Archive
from vidu_nb.storage.maintenance import export, listing, prune, verify

DRAW = models["sdxl1.0-txt2img"]
JOB = "/v2/requests/job-1"
NOISE = np.random.default_rng(3).integers(0, 255, (96, 128, 3), np.uint8)


def encoded(colour="navy", kind="PNG", **options):
    buffer = io.BytesIO()
    image = Image.fromarray(NOISE)
    image.paste(colour, (0, 0, 64, 96))
    image.save(buffer, kind, **options)
    return buffer.getvalue()


PNG, JPEG, WEBP = encoded(), encoded(kind="JPEG"), encoded(kind="WEBP")
GIF = encoded(kind="GIF", save_all=True, append_images=[Image.new("RGB", (128, 96), "red")], duration=90)
FOUR = [encoded(colour) for colour in ("red", "green", "blue", "white")]
FORMATS = {"png": PNG, "jpg": JPEG, "gif": GIF, "webp": WEBP}


def text(picture):
    return base64.b64encode(picture).decode()


def body(payload):
    return json.dumps(payload).encode()


def drawing(**parameters):
    return DRAW.request(**{"prompt": "A lighthouse at dusk", "seed": 7, **parameters})


class Pages:
    """Answers with `pages`: bytes, or (status, bytes), or a list of these, one a call; counts what is paid for."""

    def __init__(self):
        self.pages, self.posts, self.keyed, self.price = {}, [], [], 0.008

    def __call__(self, call):
        """Answer a call."""
        if "x-api-key" in call.headers:
            self.keyed.append(call.path)
        page = self.pages.get(call.path.partition("?")[0], (404, b'{"error": "nothing here"}'))
        if isinstance(page, list):
            page = page.pop(0) if len(page) > 1 else page[0]
        if call.command == "POST":
            self.posts.append(call.body)
        if page == "lost":
            call.say(b"", promised=100)
            return
        status, data = page if isinstance(page, tuple) else (200, page)
        call.say(data, status=status, cost=self.price if call.command == "POST" else None)

    def answers(self, page, model=DRAW):
        """A call of the model is answered with this."""
        self.pages[f"/v1/{model.slug}"] = page

    def queues(self, service, *looks, model=DRAW):
        """It is answered with a ticket; what the looks at the job's result bring, one after another."""
        urls = {"status_url": f"{service.url}{JOB}/status", "response_url": service.url + JOB}
        self.pages[f"/v2/{model.slug}"] = body({"request_id": "job-1", **urls})
        self.pages[f"{JOB}/status"] = b'{"status": "COMPLETED"}'
        self.pages[JOB] = list(looks)


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
    """Another company's storage: no key goes there."""
    with Service(Pages()) as made:
        yield made


@pytest.fixture
def lines():
    return []


@pytest.fixture
def client(service, tmp_path, lines):
    """Makes a client; all share the archive."""

    def make(mode="sync", **settings):
        return vidu.Client(
            KEY, service.url, tmp_path / "archive", timeout=20, mode=mode, notify=lines.append, **settings
        )

    return make


PAINTER = """slug = "painter"
title = "Painter"
returns = "image"
price_usd = 0.1

[fields.prompt]
type = "string"
role = "prompt"
required = true
"""


@pytest.fixture
def painter(tmp_path):
    """Adds the model of a file, and forgets it again."""

    def add(text=PAINTER):
        file = tmp_path / "painter.toml"
        file.write_text(text)
        return models.add(file)

    yield add
    models.remove("painter")


def files(archive, pattern="127*/*"):
    return sorted(path.name for path in archive.folder.glob(pattern))


# One picture, in every form.


@pytest.mark.parametrize("ending", FORMATS)
def test_a_picture_is_kept_as_it_came_and_replayed(client, pages, ending):
    """Its bytes untouched under the ending of its content, its papers beside it; the same call costs nothing."""
    pages.answers(FORMATS[ending])
    made = client().generate(drawing())
    assert isinstance(made, vidu.Picture)
    assert made.bytes == FORMATS[ending]
    assert made.path.name.startswith("a-lighthouse-at-dusk_1024x1024_seed7_")
    assert made.path.suffix == f".{ending}"
    assert (made.receipt.cost_usd, made.receipt.model, made.seed) == (0.008, DRAW.slug, 7)
    assert made.receipt.sha256 == hashlib.sha256(FORMATS[ending]).hexdigest()
    again = client().generate(drawing())
    assert (again.path, again.request, again.receipt.replayed) == (made.path, made.request, True)
    assert again.receipt.original.sha256 == made.receipt.sha256
    assert len(pages.posts) == 1


WRAPPED = {
    "bytes": lambda one: one,
    "the contract": lambda one: body({"image": text(one)}),
    "a list of one": lambda one: body({"image": [text(one)]}),
    "lines of base64": lambda one: body({"image": "\n".join(textwrap.wrap(text(one), 76))}),
    "URL-safe base64": lambda one: body({"image": base64.urlsafe_b64encode(one).decode().rstrip("=")}),
    "a data URI": lambda one: body({"images": [f"data:image/png;base64,{text(one)}"]}),
    "OpenAI's": lambda one: body({"data": [{"b64_json": text(one)}]}),
    "bare text": lambda one: text(one).encode(),
    "a bare data URI": lambda one: f"data:image/png;base64,{text(one)}".encode(),
    "a job's result": lambda one: body({"request_id": "a", "status": "COMPLETED", "output": {"image": text(one)}}),
    "another name": lambda one: body({"result": {"picture": text(one)}}),
    "another name, a data URI": lambda one: body({"result": {"picture": f"data:image/jpeg;base64,{text(one)}"}}),
    "another name, short lines": lambda one: body({"result": {"picture": "\n".join(textwrap.wrap(text(one), 64))}}),
    "another name, percent": lambda one: body({"result": {"picture": quote(text(one), safe="")}}),
    "a text in JSON": lambda one: body({"answer": json.dumps({"image": text(one)})}),
    "beside a cover": lambda one: body({"image": text(one), "url": "https://cdn.example/the-same.png"}),
    "multipart": lambda one: b"--x\r\nContent-Type: image/png\r\n\r\n" + one + b"\r\n--x--\r\n",
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED.keys())
@pytest.mark.parametrize("picture", FORMATS.values(), ids=FORMATS.keys())
def test_a_picture_is_found_in_every_wrapping(wrap, picture):
    """As bytes, as base64 in either alphabet, as a data URI, under the names that services use."""
    found = read(wrap(picture), "image")
    assert len(found.items) == 1
    assert found.clip.startswith(picture[:60])
    assert image_file.what_is_wrong(found.clip) == ""


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED.keys())
def test_half_of_a_picture_is_none_in_any_wrapping(wrap):
    """A truncated one is not whole."""
    found = read(wrap(PNG[: len(PNG) // 2]), "image")
    assert not found.clip


NO_PICTURE = {
    "nothing": b"", "a page": b"<html><title>Busy</title></html>", "an error": b'{"error": "generation failed"}',
    "an MP4": clip("x"), "JSON": b'{"status": "ok"}', "half": PNG[:-40], "deep": b"[" * 100_000, "text": b"queued",
    "a file": b'{"image": "file:///etc/hostname"}', "half as text": body({"image": text(PNG[:-40])}),
}  # fmt: skip


@pytest.mark.parametrize("answer", NO_PICTURE.values(), ids=NO_PICTURE.keys())
def test_what_is_no_picture_is_put_aside(client, pages, answer):
    """With status 200 it may have been billed: it is kept for a person to look at, and the call stays open."""
    pages.answers(answer)
    with pytest.raises(errors.OutcomeUnknown, match="no whole picture") as caught:
        client().generate(drawing())
    assert caught.value.billed == "yes"
    assert [path.read_bytes() for path in client().archive.folder.glob("quarantine/*")] == [answer]
    assert [call.state for call in client().pending()] == ["unknown"]
    with pytest.raises(errors.OutcomeUnknown):
        client().generate(drawing())
    assert len(pages.posts) == 1


def test_the_problem_names_what_came():
    """A clip or a page in a picture's place is called no picture; base64 that is broken is called so."""
    for answer in (clip("x"), b"<html>", b"\xff\x00\x01", b"busy!"):
        assert read(answer, "image").problem == "it is not a picture"
    assert read(text(PNG[:-40]).encode(), "image").problem == "the picture is text in it, and it is cut off"


def test_a_bomb_is_kept_and_not_decoded(client, pages, bomb):
    """It was paid for; nothing breaks on it."""
    pages.answers(bomb)
    made = client().generate(drawing())
    assert made.bytes == bomb
    assert made._repr_mimebundle_()


def test_a_cover_is_no_clip():
    """What a video's answer holds of pictures is not what was asked for, and the other way round."""
    answer = body({"video": text(clip("a")), "image": text(PNG)})
    assert read(answer).clip == clip("a")
    assert read(answer, "image").clip == PNG
    assert not read(PNG, "video").is_result
    assert read(PNG, "").clip == PNG
    assert read(clip("a"), "").clip == clip("a")
    assert read(body({"image": [text(PNG), text(JPEG)]}), "").items == (PNG, JPEG)


def test_the_key_is_in_no_answer_and_in_no_file(client, pages, tmp_path):
    """An answer that echoes the key loses it, a picture's bytes stay."""
    pages.answers(body({"image": text(PNG), "note": KEY}))
    assert client().generate(drawing()).bytes == PNG
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


# Several of one call.


def test_four_samples_are_one_call_and_four_files(client, pages):
    """One entry, each file with its hash; replayed, listed, verified, exported and removed as one."""
    pages.answers(body({"image": [text(one) for one in FOUR]}))
    request = drawing(samples=4)
    budget = vidu.Budget(1, client().archive.folder / "class.json")
    made = client(budget=budget).generate(request)
    assert isinstance(made, vidu.Pictures)
    assert [one.bytes for one in made] == FOUR
    assert budget.spent == 0.008  # as the service said
    names = files(client().archive)
    assert [name.removeprefix(made[0].path.stem) for name in names] == [".json", ".png", "_2.png", "_3.png", "_4.png"]
    again = client().generate(request)
    assert [one.bytes for one in again] == FOUR
    assert [one.receipt.sha256 for one in again] == [hashlib.sha256(one).hexdigest() for one in FOUR]
    archive = client().archive
    assert [row["state"] for row in verify(archive)] == ["ok"]
    (row,) = listing(archive)
    copies = export(archive, Path("copies"))
    assert [vidu.load(one["copy"]).request for one in copies] == [request] * 4
    assert [image_file.size(Path(one["copy"]).read_bytes()) for one in copies] == [(128, 96)] * 4
    prune(archive, [row["file"]])
    assert files(archive) == []


def test_one_changed_file_of_four_is_found(client, pages):
    """Each has its own hash."""
    pages.answers(body({"image": [text(one) for one in FOUR]}))
    made = client().generate(drawing(samples=4))
    made[2].path.write_bytes(FOUR[0])
    assert "_3.png" in verify(client().archive)[0]["problem"]
    with pytest.raises(errors.ArchiveError, match=r"_3\.png has changed"):
        client().generate(drawing(samples=4))
    made[2].path.unlink()
    with pytest.raises(errors.ArchiveError, match=r"_3\.png can't be read"):
        client().generate(drawing(samples=4))
    assert len(pages.posts) == 1


def test_one_broken_picture_of_four_takes_the_others_nothing(client, pages, lines):
    """Three are kept; the whole answer is put aside, and a line says so."""
    answer = body({"image": [text(FOUR[0]), text(FOUR[1][:-30]), *map(text, FOUR[2:])]})
    pages.answers(answer)
    made = client().generate(drawing(samples=4))
    assert [one.bytes for one in made] == [FOUR[0], *FOUR[2:]]
    assert [path.read_bytes() for path in client().archive.folder.glob("quarantine/*")] == [answer]
    assert any("1 of 4 pictures: it is cut off" in line for line in lines)
    assert client().pending() == []


LISTS = {
    "output": lambda urls: {"output": urls}, "images": lambda urls: {"images": [{"url": url} for url in urls]},
    "data": lambda urls: {"data": [{"url": url} for url in urls]}, "image": lambda urls: {"image": urls},
    "elsewhere": lambda urls: {"result": {"files": urls}}, "urls": lambda urls: {"urls": urls},
    "rows": lambda urls: {"data": [{"request_id": "a", "model_status": "COMPLETED", "output": url} for url in urls]},
    "rows of all": lambda urls: {"data": [{"request_id": "a", "status": "COMPLETED", "output": urls}] * len(urls)},
    "with its request": lambda urls: {"request_body": {"image": "https://a.example/mine.png"}, "output": urls},
}  # fmt: skip


@pytest.mark.parametrize("place", LISTS.values(), ids=LISTS.keys())
@pytest.mark.parametrize("count", [1, 3])
def test_links_are_found_wherever_they_stand(place, count):
    """All of them in their order, each once, and never what was sent."""
    urls = tuple(f"https://cdn.example/{number}" for number in range(count))
    assert read(body(place(urls)), "image").items == urls


def test_links_are_fetched_without_the_key(client, pages, storage):
    """Each from where it leads."""
    for number, picture in enumerate(FOUR):
        storage.answer.pages[f"/{number}"] = picture
    pages.answers(body({"output": [f"{storage.url}/{number}" for number in range(4)]}))
    made = client().generate(drawing(samples=4))
    assert [one.bytes for one in made] == FOUR
    assert storage.answer.keyed == []


def test_a_link_that_fails_costs_none_of_the_others(client, pages, storage):
    """What came is on disk; once the storage answers again, only the missing one is fetched, and nothing is paid."""
    for number, picture in enumerate(FOUR):
        storage.answer.pages[f"/{number}"] = picture
    storage.answer.pages["/2"] = (503, b"busy")
    pages.answers(body({"output": [f"{storage.url}/{number}" for number in range(4)]}))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        client().generate(drawing(samples=4))
    assert caught.value.fetchable
    assert [call.state for call in client().pending()] == ["fetchable"]
    storage.answer.pages = {"/2": FOUR[2]}  # the other links have expired
    (made,) = client().resume()
    assert [one.bytes for one in made] == FOUR
    assert len(pages.posts) == 1
    assert client().generate(drawing(samples=4)).receipt.replayed


def test_fresh_links_come_from_the_job(client, pages, service, storage):
    """Signed links expire: the ticket gives new ones, each for its own picture."""

    def urls(sign):
        return [f"{storage.url}/{number}-{sign}" for number in range(2)]

    for number in range(2):
        storage.answer.pages[f"/{number}-old"] = (403, b"expired")
        storage.answer.pages[f"/{number}-new"] = FOUR[number]
    looks = [body({"status": "COMPLETED", "output": urls(sign)}) for sign in ("old", "new")]
    pages.queues(service, *looks)
    made = client("queue").generate(drawing(samples=2))
    assert [one.bytes for one in made] == FOUR[:2]


def test_a_picture_that_is_gone_for_good_does_not_hold_the_others_back(client, pages, service, storage, lines):
    """Its link is gone and so is the job: the others are kept, and a line says what is missing."""
    storage.answer.pages = {"/0": FOUR[0], "/1": (404, b"")}
    answer = body({"status": "COMPLETED", "output": [f"{storage.url}/{number}" for number in range(2)]})
    pages.queues(service, answer, (404, b'{"error": "no such job"}'))
    made = client("queue").generate(drawing(samples=2))
    assert made.bytes == FOUR[0]
    assert any("1 of 2 pictures" in line for line in lines)
    assert client().pending() == []


def test_a_queued_picture_is_waited_for(client, pages, service):
    """Ticket, status, result with the pictures inside."""
    pages.queues(service, body({"status": "COMPLETED", "image": [text(PNG)], "metrics": {"cost": 0.01}, "seed": 5}))
    made = client("queue").generate(drawing(seed=-1))
    assert made.bytes == PNG
    assert (made.receipt.cost_usd, made.seed) == (0.01, 5)


@pytest.mark.parametrize("name", ["source_img", "target_img", "input_face_image", "request_body", "input"])
def test_what_was_sent_is_no_result(name):
    """Answers that repeat a request don't bring its pictures back as the model's work."""
    for value in ("https://a.example/mine.png", text(PNG)):
        assert not read(body({"request_id": "a", "status": "PROCESSING", name: value}), "image").is_result
        done = body({"request_id": "a", name: value, "output": "https://a.example/made.png"})
        assert read(done, "image").items == ("https://a.example/made.png",)


def record(pages, request, links):
    """The service's own record of one call: a row for each output."""
    row = {
        "request_id": "call-9", "model_name": DRAW.slug, "model_status": "COMPLETED", "request_body": request.payload(),
        "created_at": datetime.now(UTC).isoformat(), "credits_deduction": 0.032,
    }  # fmt: skip
    rows = body({"data": [{**row, "output": link} for link in links], "total": len(links)})
    pages.pages["/inference-request/request-history/call-9"] = rows
    pages.pages["/inference-request/request-history"] = rows


@pytest.mark.parametrize("later", [False, True])
def test_lost_pictures_are_found_in_the_record(client, pages, storage, later):
    """The answer was lost: all outputs of the call's rows are fetched, at once or by `reconcile`, at no cost."""
    request = drawing(samples=4)
    links = [f"{storage.url}/{number}" for number in range(4)]
    storage.answer.pages = {f"/{number}": picture for number, picture in enumerate(FOUR)}
    pages.answers("lost")
    if later:
        with pytest.raises(errors.OutcomeUnknown):
            client().generate(request)
        record(pages, request, links)
        (made,) = client().reconcile()
    else:
        record(pages, request, links)
        made = client().generate(request)
    assert [one.bytes for one in made] == FOUR
    assert made.receipt.cost_usd == 0.032
    assert len(pages.posts) == 1
    assert client().pending() == []


# Bad days.


def test_a_model_that_is_gone_leaves_its_pictures(client, pages, painter):
    """Its file was removed: what was paid for still shows, loads and is verified, without a request."""
    request = painter().request(prompt="Waves")
    pages.pages["/v1/painter"] = body({"image": f"{client()._session.engine.base_url}/later.png"})
    with pytest.raises(errors.OutcomeUnknown):
        client().generate(request)
    models.remove("painter")
    pages.pages["/later.png"] = PNG
    (made,) = client().resume()
    assert (made.bytes, made.request) == (PNG, None)
    (entry,) = client().archive.entries()
    assert client().archive.open(entry).caption.startswith("waves_")
    assert [row["state"] for row in verify(client().archive)] == ["ok"]


@pytest.mark.parametrize("mode", ["sync", "queue"])
@pytest.mark.parametrize("later", ["removed", "returns a video"])
def test_several_links_of_a_model_that_is_gone_are_all_fetched(client, pages, service, storage, painter, mode, later):
    """What it returned was known when it was asked: its file is removed, or says something else, and all are kept."""
    request = painter().request(prompt="Waves")
    links = body({"output": [f"{storage.url}/{number}" for number in range(4)]})
    pages.queues(service, links, model=request.model)
    pages.answers(links, model=request.model)
    pages.pages[f"{JOB}/status"] = (401, b"")
    with pytest.raises(errors.OutcomeUnknown):
        client(mode).generate(request)
    models.remove("painter")
    if later == "returns a video":
        painter(PAINTER.replace('"image"', '"video"'))
    pages.pages[f"{JOB}/status"] = b'{"status": "COMPLETED"}'
    storage.answer.pages = {f"/{number}": picture for number, picture in enumerate(FOUR)}
    (made,) = client(mode).resume()
    assert [one.bytes for one in made] == FOUR
    assert client(mode).pending() == []


UNSURE = "".join(
    f'[fields.{name}]\ntype = "string"\nsure = false\n'
    for name in ("prompt", "seed", "aspect_ratio", "samples", "loras")
)


@pytest.mark.parametrize(
    "value", [["a", 1], {"b": 2}, [{"name": "ink", "scale": 1}], [{"url": "https://a.example/ink"}], [[]], 7, "", True]
)
def test_values_that_nothing_is_known_of_keep_nobody_from_what_was_paid_for(client, pages, storage, painter, value):
    """Under names that other models have for something else as well: fetched, replayed, opened with its request."""
    model = painter(PAINTER.replace("fields.prompt", "fields.text") + UNSURE)
    names = [name for name in model.by_parameter if name != "prompt"]
    request = model.request(prompt="Waves", **dict.fromkeys(names, value))
    pages.answers(body({"output": f"{storage.url}/0"}), model=model)
    with pytest.raises(errors.OutcomeUnknown):
        client().generate(request)
    (call,) = client().pending()
    assert (call.prompt, call.state) == ("Waves", "fetchable")
    storage.answer.pages = {"/0": PNG}
    (made,) = client().resume()
    assert made.request == request
    assert made.path.name.startswith("waves_")
    assert client().generate(request).receipt.replayed
    assert made.chain()[-1].request == request
    assert made.chain()[-1].prompt == "Waves"
    assert vidu.load(made.save("copy.png")).request == request
    assert [row["prompt"] for row in listing(client().archive)] == ["Waves"]
    assert [row["state"] for row in verify(client().archive)] == ["ok"]


@pytest.mark.parametrize("price", [0.1, 0])
@pytest.mark.parametrize(("answer", "ending"), [(JPEG, ".jpg"), (body({"image": [text(PNG), text(JPEG)]}), ".json")])
def test_pictures_that_can_not_be_kept_are_rescued(
    client, pages, painter, tmp_path, monkeypatch, answer, ending, price
):
    """The disk refuses just when they come: they lie elsewhere under an ending that tells what they are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    request = painter(PAINTER.replace("price_usd = 0.1", f"price_usd = {price}")).request(prompt="Waves")
    pages.answers(answer, model=request.model)
    wanted = client()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wanted.archive, "_place", full)
    monkeypatch.setattr(wanted.archive, "_place_each", full)
    with pytest.raises(errors.ArchiveError, match="rescued") as caught:
        wanted.generate(request)
    assert caught.value.billed == "yes"
    (rescued,) = tmp_path.glob(f"vidu-nb-rescued-*{ending}")
    assert rescued.read_bytes() == caught.value.data
    assert image_file.unpacked(caught.value.data)
    monkeypatch.undo()
    assert client().generate(request).receipt.cost_usd == 0.008
    assert len(pages.posts) == 1


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        (packed([PNG, "https://cdn.example/b.png"]), "json"),
        (b'[{"url": "x"}]', "json"),
        (WEBP, "webp"),
        (clip("a"), "mp4"),
    ],
)
def test_what_is_rescued_on_its_way_is_named_by_its_content(client, pages, tmp_path, monkeypatch, data, ending):
    """Some pictures and the links of the others, as they are between two of them; the disk refuses."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pages.answers(b"<html>")
    with pytest.raises(errors.OutcomeUnknown):
        client().generate(drawing())
    archive = client().archive
    (attempt,) = archive.journal
    archive.incoming.rmdir()
    archive.incoming.write_text("a file where the folder was")
    with pytest.raises(errors.ArchiveError, match="rescued"):
        archive.receive(attempt, data)
    (rescued,) = tmp_path.glob("vidu-nb-rescued-*")
    assert rescued.suffix == f".{ending}"


def test_a_call_that_was_settled_is_closed(client, pages):
    """As for clips: the reservation comes back."""
    pages.answers(b"<html>")
    budget = vidu.Budget(1, client().archive.folder / "class.json")
    with pytest.raises(errors.OutcomeUnknown):
        client(budget=budget).generate(drawing(samples=3))
    assert budget.spent == 0.024  # the file's price for three
    (call,) = client().pending()
    assert (call.prompt, call.price_usd) == ("A lighthouse at dusk", 0.024)
    client(budget=budget).settle(call, billed=False)
    assert budget.spent == 0


def test_pictures_are_sent_and_replayed(client, pages, photo):
    """A picture that was made is sent as any other is; the clip's entry remembers how it was made, for every replay."""
    swap, face = models["faceswap-v2"], vidu.Reference(photo, name="face.png")
    pages.answers(encoded_large())
    drawn = client().generate(drawing())
    pages.answers(encoded_large("olive"), model=swap)
    made = client().generate(swap.request(source_img=face, target_img=drawn))
    sent = json.loads(pages.posts[-1])
    assert Image.open(io.BytesIO(base64.b64decode(sent["target_img"].partition(",")[2]))).size == (256, 192)
    assert made.path.name.startswith("faceswap-v2_256x192_seed0_")
    assert [step.model for step in made.chain()] == [DRAW.slug, swap.slug]
    plain = client().generate(swap.request(source_img=face, target_img=drawn.path))
    assert plain.receipt.replayed
    assert [step.model for step in plain.chain()] == [DRAW.slug, swap.slug]
    entry = next(one for one in Archive(client().archive.folder).entries() if "faceswap" in one.path.name)
    kept = client().archive.open(entry)
    assert [step.prompt for step in kept.chain()] == ["A lighthouse at dusk", ""]
    assert kept.request.target_img.made_by["request"]["prompt"] == "A lighthouse at dusk"
    assert kept.chain().cost_usd == 0.016
    pages.answers(GIF, model=swap)
    last = client().generate(swap.request(source_img=face, target_img=made))
    steps = last.chain()
    assert [step.model for step in steps] == [DRAW.slug, swap.slug, swap.slug]
    assert [step.request for step in steps] == [drawn.request, made.request, last.request]
    posts = len(pages.posts)
    for step in steps:  # each can be made again: here from the archive
        assert client().generate(step.request).receipt.replayed
    assert len(pages.posts) == posts


def test_the_steps_of_a_moving_picture_can_be_made_again(client, pages, photo):
    """An animated GIF that was sent is found beside the entry, for earlier steps as for the last."""
    frames = [Image.new("RGB", (256, 192), colour) for colour in ("red", "blue", "green")]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:], duration=80)
    swap = models["sd2.1-faceswapper"]
    (moving,) = (field for field in swap.media if field.animated)
    (face,) = (field for field in swap.media if not field.animated)
    answer = Path("moving.gif").read_bytes()
    pages.answers(answer, model=swap)
    first = client().generate(swap.request(**{moving.parameter: "moving.gif", face.parameter: photo}))
    Path("moving.gif").unlink()
    second = client().generate(swap.request(**{moving.parameter: first, face.parameter: first}))
    assert [step.request for step in second.chain()] == [first.request, second.request]


def test_the_nearest_request_is_one_of_the_same_model(client, pages, photo):
    """Another model's is never the nearest by sharing a few names; a picture's name doesn't count."""
    pages.answers(PNG)
    client().generate(drawing())
    swap, words = models["faceswap-v2"], models["sdxl-img2img"]
    with pytest.raises(errors.NotKept, match="model"):
        client().generate(words.request(prompt="A lighthouse at dusk", image=photo), offline=True)
    pages.answers(GIF, model=swap)
    client().generate(swap.request(source_img=photo, target_img=vidu.Reference(photo, name="a")))
    same = vidu.Reference(photo, name="b")
    other = swap.request(source_img=photo, target_img=same, face_restore="GFPGANv1.4.pth")
    with pytest.raises(errors.NotKept, match="differs in face_restore"):
        client().generate(other, offline=True)


def test_a_refusal_names_the_picture_whatever_lists_stand_before_it(client, pages, painter, photo):
    """The names are those of the references, and no other list's."""
    loras = '[fields.loras]\ntype = "string"\nsure = false\n'
    model = painter(PAINTER + loras + '[fields.image_urls]\ntype = "pictures"\nrole = "references"\n')
    problem = body({"detail": [{"loc": ["body", "image_urls", 0], "msg": "is too dark"}]})
    pages.answers((400, problem), model=model)
    request = model.request(prompt="Waves", loras=[{"name": "ink"}], references=vidu.Reference(photo, name="face"))
    with pytest.raises(errors.APIError, match=r"references\[0\] \(face\): is too dark"):
        client().generate(request)


def test_a_picture_goes_through_the_storage(client, pages):
    """With ``uploads="storage"`` the request carries a link in place of the picture."""
    pages.answers(encoded_large())
    drawn = client().generate(drawing())
    change = models["sdxl-img2img"]
    pages.answers(PNG, model=change)
    pages.pages["/upload-asset"] = body({"urls": ["https://cdn.example/up.png"]})
    client(uploads="storage").generate(change.request(prompt="In oil", image=drawn))
    assert json.loads(pages.posts[-1])["image"] == "https://cdn.example/up.png"


def encoded_large(colour="teal"):
    buffer = io.BytesIO()
    Image.new("RGB", (256, 192), colour).save(buffer, "PNG")
    return buffer.getvalue()


# A process that is killed.

KILLED = """
import os, sys
sys.path[:0] = {path!r}
import vidu_nb as vidu
from vidu_nb import files, models
from vidu_nb.storage import archive

steps = iter(range(1, 1000))
def counted(function):
    def call(*arguments, **named):
        if next(steps) == {step}:
            os.kill(os.getpid(), 9)
        return function(*arguments, **named)
    return call

for module in (archive,):
    module.write_bytes = counted(module.write_bytes)
archive.Archive.drop_received = counted(archive.Archive.drop_received)
archive.sync_folder = counted(archive.sync_folder)
request = models["sdxl1.0-txt2img"].request(prompt="A lighthouse at dusk", seed=7, samples=4)
vidu.Client({key!r}, {url!r}, {folder!r}, timeout=20, mode="sync", notify=len).generate(request)
"""


@pytest.mark.parametrize("step", range(3, 13))
def test_a_kill_between_any_two_files_loses_nothing(service, pages, client, tmp_path, step):
    """At each step of storing four pictures, kill -9: afterwards all four are there, and were paid for once."""
    pages.answers(body({"image": [text(one) for one in FOUR]}))
    code = KILLED.format(path=sys.path, step=step, key=KEY, url=service.url, folder=str(tmp_path / "archive"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, check=False, capture_output=True)
    assert ended.returncode in (-9, 0), ended.stderr.decode()
    made = client().generate(drawing(samples=4))
    assert [one.bytes for one in made] == FOUR
    assert len(pages.posts) == 1
    assert len(files(client().archive)) == 5
    assert [row["state"] for row in verify(client().archive)] == ["ok"]
    client().resume()  # as for clips: what has its place already is closed
    assert files(client().archive, "incoming/*") == []
    assert client().pending() == []
