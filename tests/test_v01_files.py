"""Files that version 0.1 wrote: what was paid for then is read, replayed, fetched and settled by today's code."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
import unicodedata
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from faults import clip

import vidu_nb as vidu
from vidu_nb import Budget  # where the documentation of 0.1 says that it is

pytestmark = pytest.mark.usefixtures("small_frames")

FIXTURES = Path(__file__).parent / "fixtures" / "v0.1"
PICTURES = FIXTURES / "pictures"
WAVE, NIGHT, TURNED = (PICTURES / name for name in ("wave.png", "night.png", "turned.jpg"))
HARBOUR = PICTURES / "harbour.png"  # too large for a PNG: it was sent as a JPEG, which has other pixels
HOSTED, OTHER, LOCAL = "http://api.segmind.com", "http://clips.example", "http://127.0.0.1:8321"

CAT = "https://example.com/cat.png"
TIDE = {"prompt": "A tide comes in. Then it goes out.", "references": [WAVE, NIGHT], "seed": 7}
HARBOUR_REQUEST = {
    "prompt": "Boats leave the harbour.", "references": HARBOUR, "seed": 11, "aspect_ratio": "9:16", "bgm": False,
    "movement_amplitude": "large",
}  # fmt: skip
CAFE = {
    "prompt": unicodedata.normalize("NFD", "Café by the sea, 海边. Push in."),
    "references": [CAT, WAVE], "seed": 3, "aspect_ratio": "1:1", "movement_amplitude": "small",
}  # fmt: skip

#: Kept clips: who was asked for what, under which key.
STORED = {
    "direct": (HOSTED, TIDE, "be3e1abb1f05d898e8c1105a94d4c5ea5d23514ab97a33b99c3fbf2e2ee8f467"),
    "by a link, of a picture sent as JPEG": (
        HOSTED, HARBOUR_REQUEST, "ef8fc19ad83345545460bf32ca7f6e4a67516f1358911bfe9ba0babfe863f642",
    ),
    "through the queue, of a URL": (
        HOSTED, CAFE, "600357db92ea6dd94518eab7b26c2c5d028e3651d792fd34e4687f527e057ea4",
    ),
    "with the prompt in the other Unicode form": (
        HOSTED, {**CAFE, "prompt": unicodedata.normalize("NFC", CAFE["prompt"])},
        "600357db92ea6dd94518eab7b26c2c5d028e3651d792fd34e4687f527e057ea4",
    ),
    "with pictures in the storage": (
        HOSTED, {"prompt": "A stored tide.", "references": [WAVE, CAT], "seed": 5},
        "93ac8b76cad12fe5128c6d820d830a0b1ad0ec0b842762860683c1c539e0731d",
    ),
    "by another service, of a turned picture": (
        OTHER, {"prompt": "A turned tide.", "references": TURNED, "seed": 9},
        "cbbf58b5a2a6e01935f8d92da8811404da0f9057216e724cb7d440cccd036f06",
    ),
    "by another service with a port": (
        LOCAL, TIDE, "cc5196d8c99774e2ff938a0c58ee595c8499bd09add3bfaaceabb9a8eee7493b",
    ),
}  # fmt: skip

#: Paid calls whose clip can be had at no cost: prompt and key, all of `WAVE` with seed 7.
FETCHABLE = {
    "Received.": "a3b4a68914c5ada951e764c5f24ecae060b6df9fb8288d9494b26b1458c220a1",
    "Received a link.": "a3b7c9c4e1d41c84171215a7c2564b7d111afa4d60402f31483408700079aad8",
    "Received a ticket.": "eebaabaa5954a6a96a75c4a7f7b50b0aed0a97e8db98d1277ec8ead2f183871e",
    "Received a job's result.": "848dd3ecc36fff4a606eca3bf4df4c030e2bd5b336e482a260c805dd1d5c44fb",
    "Received, the journal says sent.": "3a33c21d377beb98295bfc0b282f196208f4343ea91b605b0749af9701951f03",
    "Received and half stored.": "cec173b28a2ac26240464a15827a25f4d0e73a96b24dfcde038d559620e4eefb",
    "Linked.": "368441fe623139cc55984abf5197af1b42b8624171d26a3b35ad7a89bb06ea24",
    "Linked and fetched.": "3ec55411b0d3bb6ee18491a92cb6ee2cf281b185b6659dfaa9d95f703177bf9c",
    "Queued.": "3b077388ae6139c48a8d58fd6bdb1884d7ecdfce57cce44e6080b1baa014deef",
}
COST_UNKNOWN = {"Received, the journal says sent."}  # its clip is there; the headers that told the cost are not
#: Calls that may have been billed: prompt, seed and key, all of `WAVE`.
UNKNOWN = {
    "Sent.": (7, "2d1b40f8fe9bca9cafe5917a3a969b410f65e2b1f45b06454446bc5ba984867c"),
    "Sent as another take.": (0, "51f7b8b733d46d92014f34798e9e6de54b9744848aaf2a389e3fe3cc2ed993b5"),
    "Answered with a page.": (7, "d740212fe89beb91300c1c5bd0ddb4bbb277ab4c1b5b9775da8978d8473f8082"),
    "Cut off.": (7, "7321e15812da5930b28596a4d4e2231a733242a9561c2c98a7e6e4554bb42637"),
    "Unavailable.": (7, "c3023bc41dab7618649a0386241d7f186986de00cdfaf418d19188c59c87e36a"),
    "A lost job.": (7, "52d232b50a2500aff5be7645b913923bdb6f5627d5cc856e30d84d80ec836286"),
    "Waves of a sweep.": (3, "74f03b2458654b872cb3e88a5610ba08ba012082949b96a0af69849b2406af4d"),
}
#: Calls that are closed without a clip.
CLOSED = {
    "A refused tide.": (1, "4a6f98250ffb143ff74a8173bafd32124ec371f7bbb220815737476eed790bc5"),
    "A failed tide.": (1, "b62eb2c7bb219629fff93e39ce9b4b2702db14ce843ff55710065d2cce91d207"),
    "A settled tide.": (2, "9979a7bd60ed1a0fe5945feedd44f15d10962c9458f226851d46253033efb49d"),
}
PURSE = "4bdc4eb75f3f10a6.json"  # of the sweep


def of_wave(prompt, seed=7):
    """A request of the one picture."""
    return vidu.VideoRequest(prompt=prompt, references=WAVE, seed=seed)


# The service, behind a proxy: the names in the files stay as they were written, and nothing leaves this machine.


class Service(ThreadingHTTPServer):
    """Answers every host: finishes each job, makes each clip; remembers what was asked by POST."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts = []  # (path, body)


class Handler(BaseHTTPRequestHandler):
    """The routes that calls of any state may need."""

    def do_POST(self):
        """Make a clip."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posts.append((self.path, body))
        self.say(clip(f"post-{len(self.server.posts)}"))

    def do_GET(self):
        """Show the balance, a job, or a clip."""
        if self.path.endswith("/get-user-credits"):
            self.say({"credits": 5.0, "free-credits": 0.0})
        elif "/request-history" in self.path:
            self.send_error(404)
        elif self.path.endswith("/status"):
            self.say({"status": "COMPLETED"})
        elif "/v2/requests/" in self.path:
            job = self.path.rpartition("/")[2]
            self.say({"status": "COMPLETED", "output": f"{HOSTED}/{job}.mp4", "metrics": {"cost": 0.45}})
        else:
            self.say(clip(self.path))

    def say(self, body):
        """Answer with a clip, or with JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(200)
        for header in ("Content-Length", str(len(data))), ("x-cost", "0.45"):
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def service(monkeypatch):
    """The service, in place of every host that is not this machine."""
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def files(tmp_path):
    """A copy of what 0.1 wrote."""
    return Path(shutil.copytree(FIXTURES, tmp_path / "films"))


@pytest.fixture
def client(service):  # noqa: ARG001 - whatever a client asks reaches the service
    """Makes a client: ``client(folder)``. Without a key, since no key may travel over plain http."""

    def make(folder, base_url=HOSTED, **settings):
        settings = {"price_usd": 0.5, "timeout": 20, "notify": len} | settings
        return vidu.Client(base_url=base_url, archive=folder, **settings)

    return make


@pytest.fixture
def run(command, monkeypatch):
    """What a command prints as JSON: ``run("calls", SEGMIND_BASE_URL=url)``."""

    def printed(*arguments, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        ended = command(*arguments, "--json")
        assert ended.status == 0, ended.err
        return json.loads(ended.out)

    return printed


# Requests.


@pytest.mark.parametrize("how", STORED)
def test_the_same_pictures_and_parameters_make_the_key_of_then(how, client, tmp_path):
    """A request that is made anew has the key under which 0.1 paid for it."""
    base_url, asked, key = STORED[how]
    assert vidu.VideoRequest(**asked).key(engine=client(tmp_path, base_url).engine) == key


@pytest.mark.parametrize(
    ("prompt", "seed", "key"),
    [*((prompt, 7, key) for prompt, key in FETCHABLE.items()), *((p, *rest) for p, rest in (UNKNOWN | CLOSED).items())],
)
def test_the_same_holds_for_calls_that_brought_no_clip(prompt, seed, key):
    """Else an open call would not be found, and be paid for again."""
    assert of_wave(prompt, seed).key() == key


# The archive.


@pytest.mark.parametrize("how", STORED)
def test_a_clip_that_was_paid_for_replays_at_no_cost(how, client, files, service):
    """Asked for anew, each clip of 0.1 comes from the archive, untouched, and nothing is sent."""
    base_url, asked, _ = STORED[how]
    video = client(files / "archive", base_url).generate(vidu.VideoRequest(**asked))
    assert (video.receipt.replayed, video.receipt.cost_usd, service.posts) == (True, 0.0, [])
    assert hashlib.sha256(video.bytes).hexdigest() == video.receipt.original.sha256
    assert client(files / "archive", base_url).generate(vidu.VideoRequest(**asked), offline=True).path == video.path


@pytest.mark.parametrize("how", STORED)
def test_clips_that_were_brought_here_without_their_journal_replay_as_well(how, client, files, service):
    """Their names and papers are enough."""
    shutil.rmtree(files / "archive" / "journal")
    base_url, asked, _ = STORED[how]
    assert client(files / "archive", base_url).generate(vidu.VideoRequest(**asked)).receipt.replayed
    assert service.posts == []


def test_the_newest_of_several_takes_replays(client, files):
    """0.1 paid for two takes, of which the second told no cost: that one comes, and both stay."""
    video = client(files / "archive").generate(vidu.VideoRequest(**TIDE))
    assert video.path.stem.endswith("_take2")
    assert video.receipt.original.cost_usd is None
    first = video.path.with_stem(video.path.stem.removesuffix("_take2"))
    assert first.read_bytes() != video.bytes


def test_a_clip_of_a_random_seed_replays_offline(client, files, service):
    """With seed 0 only `offline` replays; the seed that the service told then is in the receipt."""
    video = client(files / "archive").generate(of_wave("A random tide.", 0), offline=True)
    assert (video.receipt.replayed, video.receipt.seed, service.posts) == (True, 7, [])


def test_every_entry_opens_with_its_request_and_replays_from_it(client, files, service):
    """Request and receipt are put together from the files alone, and stand for the clip that they lie beside."""
    archive = vidu.Archive(files / "archive")
    videos = [archive.open(entry) for entry in archive.entries()]
    assert len(videos) == 9
    assert {video.receipt.engine for video in videos} == {"segmind", "clips.example", "127.0.0.1:8321", "preview"}
    addresses = {"segmind": HOSTED, "clips.example": OTHER, "127.0.0.1:8321": LOCAL}
    for video in videos:
        assert video.request.references
        assert video.info.frames == 6
        if not video.is_preview:
            asks = client(archive, addresses[video.receipt.engine])
            assert asks.generate(video.request, offline=True).request == video.request
    assert service.posts == []


def test_previews_stay_previews(files):
    """A draft of 0.1 opens as what it is; whether a later engine replays it is that engine's to say."""
    archive = vidu.Archive(files / "archive")
    (video,) = (archive.open(entry) for entry in archive.entries(engine="preview"))
    assert video.is_preview
    assert [reference.name for reference in video.request.references] == ["wave.png", "night.png"]


def test_the_command_line_lists_verifies_and_exports_it(files, tmp_path, run):
    """`vidu-nb archive` shows every clip with its cost, finds all of them whole, and copies them with their recipes."""
    folder = files / "archive"
    rows = run("archive", "list", "--folder", folder)
    assert len(rows) == 9
    assert [row["cost_usd"] for row in rows].count(0.45) == 7
    assert {row["prompt"] for row in rows} >= {TIDE["prompt"], CAFE["prompt"], "A turned tide."}
    assert [row["state"] for row in run("archive", "verify", "--folder", folder)] == ["ok"] * 9
    copies = run("archive", "export", "--folder", folder, "--to", tmp_path / "copies")
    assert all(vidu.load(row["copy"]).request for row in copies)


def test_a_plan_counts_what_is_kept(client, files):
    """A sweep of 0.1 that is planned again is priced without the clips that it made."""
    plan = vidu.Plan.of("Waves of a sweep.", WAVE, seed=[1, 2, 3, 4])
    assert plan.priced(client(files / "open-calls")).kept == 2


def test_a_link_to_a_picture_in_the_storage_is_used_while_it_is_fresh(client, files, service):
    """A picture that 0.1 uploaded within the day is not uploaded again."""
    (memory,) = (files / "archive" / "uploads" / "segmind").glob("*.json")
    memory.write_text(json.dumps(json.loads(memory.read_text()) | {"at": time.time()}))
    client(files / "archive", uploads="storage").generate(of_wave("Another stored tide."))
    ((path, body),) = service.posts
    assert path.endswith("/vidu-q1-reference-to-video")
    assert body["image_urls"] == ["https://storage.example/0.png"]


@pytest.mark.parametrize("prompt", CLOSED)
def test_a_closed_call_stands_in_nobodys_way(prompt, client, files, service):
    """What was refused, failed or settled is not pending, and asking again sends one request."""
    asks = client(files / "archive")
    assert asks.pending() == []
    assert not asks.generate(of_wave(prompt, CLOSED[prompt][0])).receipt.replayed
    assert len(service.posts) == 1


# Open calls.


def test_resume_brings_every_clip_that_was_paid_for(client, files, service, run):
    """Received, linked or queued when a process of 0.1 ended: each clip comes in, and nothing is sent."""
    complaints = []
    asks = client(files / "open-calls", notify=complaints.append)
    assert {call.prompt for call in asks.pending() if call.state == "fetchable"} == set(FETCHABLE)
    brought = asks.resume()
    assert ({video.request.prompt for video in brought}, complaints) == (set(FETCHABLE), [])
    assert {video.receipt.cost_usd for video in brought if video.request.prompt not in COST_UNKNOWN} == {0.45}
    assert {call.prompt for call in asks.pending()} == set(UNKNOWN)
    assert asks.resume() == []
    for prompt in FETCHABLE:
        assert asks.generate(of_wave(prompt)).receipt.replayed
    assert service.posts == []
    assert {row["state"] for row in run("archive", "verify", "--folder", files / "open-calls")} == {"ok"}


@pytest.mark.parametrize("prompt", FETCHABLE)
def test_the_same_call_again_brings_it_as_well(prompt, client, files, service):
    """Whoever asks again gets the clip of the call that 0.1 began, at no further cost."""
    video = client(files / "open-calls").generate(of_wave(prompt))
    assert (video.receipt.cost_usd, service.posts) == (None if prompt in COST_UNKNOWN else 0.45, [])
    assert video.path.is_relative_to(files / "open-calls" / "segmind")


@pytest.mark.parametrize("prompt", ["Linked.", "Queued."])
def test_the_journals_own_link_or_ticket_is_enough(prompt, client, files, service):
    """A call whose answer told where the clip is comes in though the answer itself is gone."""
    shutil.rmtree(files / "open-calls" / "incoming")
    assert client(files / "open-calls").generate(of_wave(prompt)).bytes
    assert service.posts == []


def test_pending_lists_the_calls_that_may_have_been_billed(client, files):
    """Each with its price, its time and a reason."""
    calls = [call for call in client(files / "open-calls").pending() if call.state == "unknown"]
    assert {(call.prompt, call.seed) for call in calls} == {(prompt, seed) for prompt, (seed, _) in UNKNOWN.items()}
    assert {(call.engine, call.price_usd, call.since[:10]) for call in calls} == {("segmind", 0.5, "2026-11-27")}
    assert all(call.reason for call in calls)


@pytest.mark.parametrize("prompt", UNKNOWN)
def test_a_call_of_unknown_outcome_is_not_repeated_by_itself(prompt, client, files, service):
    """The same call again raises and sends nothing; only `again=True` pays."""
    request = of_wave(prompt, UNKNOWN[prompt][0])
    with pytest.raises(vidu.errors.OutcomeUnknown):
        client(files / "open-calls").generate(request)
    assert service.posts == []
    assert client(files / "open-calls").generate(request, again=True).receipt.cost_usd == 0.45
    assert len(service.posts) == 1


@pytest.mark.parametrize("prompt", UNKNOWN)
def test_a_call_of_unknown_outcome_can_be_settled(prompt, client, files, service):
    """Closed as not billed, it is no longer pending, and the same call again sends one request."""
    asks = client(files / "open-calls")
    (call,) = (call for call in asks.pending() if call.prompt == prompt)
    asks.settle(call, billed=False)
    assert {call.prompt for call in asks.pending()} == set(FETCHABLE) | set(UNKNOWN) - {prompt}
    asks.generate(of_wave(prompt, UNKNOWN[prompt][0]))
    assert len(service.posts) == 1


def test_the_command_line_fetches_and_settles_calls(files, service, run):
    """`vidu-nb calls` lists, resumes and closes what 0.1 left open."""
    here = {"SEGMIND_BASE_URL": HOSTED, "VIDU_NB_ARCHIVE": str(files / "open-calls")}
    calls = run("calls", **here)
    assert {call["prompt"] for call in calls} == set(FETCHABLE) | set(UNKNOWN)
    rows = run("calls", "resume", **here)
    assert sum("file" in row for row in rows) == len(FETCHABLE)
    (sent,) = (call["id"] for call in calls if call["prompt"] == "Sent.")
    left = run("calls", "settle", sent, "--billed", "yes", **here)
    assert {call["prompt"] for call in left} == set(UNKNOWN) - {"Sent."}
    assert service.posts == []


# Money.


def test_a_budget_of_ones_own_stands_where_it_stood(client, files, service):
    """What 0.1 spent counts: the rest can be spent, and no more."""
    file = files / "class.json"
    before = json.loads(file.read_text())["amounts"]
    budget = Budget(5.0, file)
    assert (budget.spent, budget.left) == (3.25, 1.75)
    with pytest.raises(vidu.errors.BudgetExceeded):
        client(files / "archive", budget=Budget(3.5, file)).generate(of_wave("Too dear."))
    assert (budget.spent, service.posts) == (3.25, [])
    client(files / "archive", budget=budget).generate(of_wave("Not too dear."))
    assert budget.spent == 3.7
    assert json.loads(file.read_text())["amounts"].items() >= before.items()


@pytest.mark.parametrize(("billed", "spent"), [(True, 1.45), (False, 0.95)])
def test_a_settled_call_gives_its_reservation_back_to_the_sweep(billed, spent, client, files):
    """The sweep's own budget holds the price of its unknown call until the bill says that it was none."""
    purse = Budget(3.0, files / "open-calls" / "budgets" / PURSE)
    assert purse.spent == 1.45
    asks = client(files / "open-calls")
    (call,) = (call for call in asks.pending() if call.prompt == "Waves of a sweep.")
    asks.settle(call, billed=billed)
    assert purse.spent == spent


def test_the_same_sweep_again_goes_on_where_it_stood(client, files, service):
    """It replays what was made, spends from the same budget, and doesn't repeat the call of unknown outcome."""
    asks = client(files / "open-calls")
    swept = vidu.sweep("Waves of a sweep.", WAVE, seed=[1, 2, 3, 4], budget_usd=3, confirm=True, client=asks)
    assert [video.request.seed for video in swept] == [1, 2, 4]
    assert [type(error) for error in swept.failed] == [vidu.errors.OutcomeUnknown]
    assert [body["seed"] for _, body in service.posts] == [4]
    assert (swept.budget.file.name, swept.budget.spent, swept.spent_usd) == (PURSE, 1.9, 0.45)
    assert [file.name for file in swept.budget.file.parent.glob("*.json")] == [PURSE]


# Saved copies.


@pytest.mark.parametrize(
    ("name", "asked", "cost"),
    [("tide", TIDE, None), ("first-tide", TIDE, 0.45), ("harbour", HARBOUR_REQUEST, 0.45), ("cafe", CAFE, 0.45)],
)
def test_a_saved_copy_gives_the_request_and_replays_what_was_paid_for(name, asked, cost, client, files, service):
    """Request and receipt are those of the call that made the clip; asked for again, it comes from the archive."""
    video = vidu.load(files / "saved" / f"{name}.mp4")
    assert video.request == vidu.VideoRequest(**asked)
    assert (video.receipt.engine, video.receipt.cost_usd, video.receipt.replayed) == ("segmind", cost, False)
    assert [bool(reference.bytes) for reference in video.request.references] == [
        not reference.is_url for reference in video.request.references
    ]
    again = client(files / "archive").generate(video.request)
    assert (again.receipt.replayed, again.receipt.cost_usd, service.posts) == (True, 0.0, [])


def test_a_saved_copy_without_pictures_keeps_its_receipt(files, run):
    """`references=False` left the pictures out: no request, but what was asked and what it cost."""
    video = vidu.load(files / "saved" / "tide-without-pictures.mp4")
    assert video.request is None
    assert (video.receipt.cost_usd, video.receipt.seed, video.receipt.request_id) == (0.45, 7, "req-01")
    shown = run("show", video.path)
    assert (shown["info"]["frames"], shown["receipt"]["cost_usd"]) == (6, 0.45)


def test_a_saved_draft_is_a_preview(files):
    """A preview's copy never passes for the model's work."""
    video = vidu.load(files / "saved" / "draft.mp4")
    assert video.is_preview
    assert video.request == vidu.VideoRequest(**TIDE)
    assert "preview" in repr(video)
