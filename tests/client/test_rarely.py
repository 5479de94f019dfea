"""What is met seldom: files that went meanwhile, broken papers, wrong words, strange executors, readers who left."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import types
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import pytest
import requests
from faults import KEY, clip
from filelock import FileLock
from PIL import Image

import vidu_nb as vidu
from vidu_nb import errors, media
from vidu_nb.animatic.server import PreviewServer
from vidu_nb.animatic.story.storyboard import Shot, Storyboard, plan
from vidu_nb.animatic.story.strip import strip_html
from vidu_nb.client.client import Client
from vidu_nb.client.responses import Ticket
from vidu_nb.commands.cli import main
from vidu_nb.console import tell
from vidu_nb.locks import hold
from vidu_nb.net import transport
from vidu_nb.net.credentials import find_key
from vidu_nb.references.reference import Reference, image_url_to_base64
from vidu_nb.request import MODEL
from vidu_nb.storage import budget
from vidu_nb.storage.budget import Budget

CAT = "https://example.com/cat.png"
HUGE = 50_000_001  # bytes; one more than a picture's file may have


@pytest.fixture
def client(faults):
    """A paying client of that service."""
    return Client(KEY, faults.root, timeout=10, notify=len)


@pytest.fixture
def own():
    """A preview server of the test's own."""
    with PreviewServer(key=KEY) as server:
        yield server


def asking(fault="good", **changes):
    return vidu.VideoRequest(**{"prompt": f"A cat [fault:{fault}]", "references": CAT, **changes})


def wait_for(condition):
    """Ask until it is true; fails by name when it never is."""
    end = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < end, "it never came about"
        threading.Event().wait(0.01)
    return found


# The command line.


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["archive", "export"], 2, "--to: name the folder to export to"),
        (["sweep", "A cat", "-r", CAT, "--bgm", "maybe"], 2, "'maybe' is neither on nor off"),
        (["credits"], 0, "$10000.00 left ($10000.00 paid, $0.00 free)"),
        (["generate", "A cat", "-r", "moving.gif"], 0, "note: moving.gif: only the first frame of the animation is"),
    ],
)
@pytest.mark.usefixtures("paid")
def test_what_a_command_has_to_say_is_one_line(tmp_path, capsys, words, status, said):
    """A missing folder, a word that is no switch, a balance, and what was done to a picture."""
    frames = [Image.new("RGB", (200, 200), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    try:
        ended = main(words)
    except SystemExit as error:
        ended = error.code
    assert ended == status
    assert said in "".join(capsys.readouterr())


def test_a_reader_who_leaves_is_no_error(monkeypatch, capsys):
    """Where nobody reads what is printed, the status is 0, and nothing complains, then or when the rest is flushed."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as left:
        monkeypatch.setattr(sys, "stdout", left)
        assert main(["archive", "list", "--json"]) == 0
    assert capsys.readouterr().err == ""


def test_an_interrupted_sweep_ends_with_130_and_the_way_on(paid, capsys):
    """Ctrl-C: the paid call in flight is waited for, the rest is not asked for, and the same command goes on."""

    def interrupt():
        paid.wait(lambda seen: any(one.reached == "body" for one in seen))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    words = ["sweep", "A cat [fault:good_slow]", "-r", CAT, "--seed", "1", "2", "3", "--max-workers", "1", "--yes"]
    assert main(words) == 130
    assert "1 of 3 clips" in (said := capsys.readouterr().err)
    assert "Run the same sweep again to go on" in said
    assert len(paid.posts()) == 1


@pytest.fixture
def _handlers():
    """`serve` takes the process's signals: they are given back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers")
def test_serve_tells_a_random_key_and_a_port_that_is_taken(monkeypatch, capsys):
    """The key on standard error opens the server; a second one on its port is told why there is none, status 1."""
    read, write = os.pipe()
    answers, told = [], io.StringIO()  # capsys would lose what is written while another thread reads

    def call():
        try:
            with os.fdopen(read) as lines:
                url = lines.readline().split()[1]
            key = told.getvalue().removeprefix("x-api-key: ").strip()
            answers.append(requests.get(f"{url}/v1/get-user-credits", headers={"x-api-key": key}, timeout=10))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with os.fdopen(write, "w") as out, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", out)
        patched.setattr(sys, "stderr", told)
        threading.Thread(target=call).start()
        assert main(["serve"]) == 0
    assert [answer.status_code for answer in answers] == [200]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 1
    assert f"port {port} can't be used: Address already in use" in capsys.readouterr().err


# Keys and addresses.


def refuses(*words):
    raise LookupError(f"denied: {words}")


@pytest.mark.parametrize(("get", "found"), [(lambda _: KEY, KEY), (lambda _: None, None), (refuses, None)])
def test_colabs_secrets_are_asked_and_may_refuse(monkeypatch, get, found):
    """On Colab the secret is the key; where it is missing, or access was not granted, there is none."""
    colab = types.ModuleType("google.colab")
    colab.userdata = types.SimpleNamespace(get=get)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    key = find_key()
    assert (key and key.reveal()) == found
    assert vidu.Client(key or "another", timeout=12).timeout == 12


@pytest.mark.parametrize("installed", [True, False])
def test_a_keyring_that_fails_keeps_and_gives_no_key(monkeypatch, installed):
    """`login` says that the key was not kept and never shows it; without a working keyring no key is found."""
    fake = types.ModuleType("keyring")
    fake.get_password = fake.set_password = refuses
    fake.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "keyring", fake if installed else None)
    problem = "LookupError" if installed else "the keyring package is not installed.*pip install keyring"
    with pytest.raises(errors.ViduError, match=f"the key was not kept: {problem}") as caught:
        vidu.login(KEY, keyring=True)
    assert KEY not in str(caught.value)
    assert find_key() is None


@pytest.mark.parametrize(
    ("url", "said"),
    [("api.segmind.com", "http(s):// URL"), ("ftp://a.example", "http(s):// URL"),
     ("https://me:secret@a.example", "must not hold a user name or password")],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_its_password(url, said):
    """Before anything is sent, in words."""
    with pytest.raises(errors.InvalidRequest, match=re.escape(said)) as caught:
        Client(KEY, url)
    assert "secret" not in str(caught.value)


def test_a_ticket_with_a_broken_address_is_asked_for_at_the_documented_one():
    """The key never goes where the service's address can't be recognised."""
    said = {"request_id": "a1", "status_url": "http://[oops", "response_url": "http://[oops"}
    ticket = Ticket.from_json(said, base_url="https://api.example")
    assert ticket.status_url == "https://api.example/v2/requests/a1/status"


# Pictures and clips.


def sparse(path):
    """A file of many zeros that takes no room."""
    with path.open("wb") as file:
        file.truncate(HUGE)
    return path


def oversized(bomb, width, height):
    """A PNG's bytes whose header says so."""
    head = b"IHDR" + struct.pack(">II", width, height) + bomb[24:29]
    return bomb[:12] + head + struct.pack(">I", zlib.crc32(head)) + bomb[33:]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda *_: bytes(HUGE), "larger than 50 MB: shrink it"),
        (lambda *_: "data:image/png;base64," + "A" * (HUGE // 3 * 4 + 8), "larger than 50 MB: shrink it"),
        (lambda folder, _: sparse(folder / "huge.png"), "huge.png' is larger than 50 MB"),
        (lambda folder, _: folder / "gone.png", "gone.png' does not exist: check the path"),
        (lambda *_: Path("/dev/null/cat.png"), "can't be read (Not a directory)"),
        (lambda _, bomb: oversized(bomb, 12_000, 9_000), "12000x9000 is more than 100 megapixels"),
    ],
    ids=["bytes", "data", "file", "gone", "no-folder", "pixels"],
)
def test_what_can_be_no_reference_is_refused_by_its_reason(tmp_path, bomb, make, said):
    """Too many bytes, whichever way they come; too many pixels; a file that is not there or can't be."""
    with pytest.raises(errors.InvalidRequest, match=re.escape(said)):
        Reference(make(tmp_path, bomb))


def test_a_picture_behind_a_url_is_not_read_beyond_the_limit(web):
    """The download ends where it is too large, with a word."""
    with pytest.raises(errors.Unreachable, match="larger than 50 MB"):
        image_url_to_base64(web.url("/huge.png", bytes(HUGE + 10_000_000)))


def test_damaged_exif_spoils_no_picture(encoded):
    """What the camera wrote can't be read; the picture can."""
    data = encoded(kind="WEBP", exif=b"rubbish, and more of it")
    made = Reference.from_wire(f"data:image/webp;base64,{base64.b64encode(data).decode()}")
    assert (made.size, made.open().size) == ((200, 160), (200, 160))


def test_a_file_without_pictures_is_told(tmp_path, small_clip):
    """Sound alone is no video, and a clip that lost the frame that the others build on has no poster."""
    sound, headless = tmp_path / "sound.mp4", tmp_path / "headless.mp4"
    with av.open(str(small_clip)) as whole, av.open(str(sound), "w") as one, av.open(str(headless), "w") as other:
        heard, seen = (file.add_stream_from_template(stream) for file, stream in zip(
            (one, other), (whole.streams.audio[0], whole.streams.video[0]), strict=True))  # fmt: skip
        for packet in whole.demux():
            if packet.dts is not None and not (packet.stream.type == "video" and packet.is_keyframe):
                packet.stream = heard if packet.stream.type == "audio" else seen
                packet.stream.container.mux(packet)
    with pytest.raises(errors.ViduError, match=r"sound\.mp4 holds no video"):
        vidu.load(sound)
    with pytest.raises(errors.ViduError, match=r"headless\.mp4 holds no picture"):
        media.poster(headless)


def test_a_small_copy_that_can_not_be_small_enough_is_told(small_clip):
    """Where no bit rate brings a clip below the limit, there is a word in place of a copy that swells the notebook."""
    with pytest.raises(errors.ViduError, match=r"small\.mp4 can't be brought below 1000 bytes"):
        media.proxy(small_clip, max_bytes=1000)


def test_a_last_box_that_reaches_to_the_end_is_whole(small_clip):
    """Recorders that don't know the length beforehand write 0 for it."""
    data = small_clip.read_bytes()
    at = data.index(b"mdat") - 4
    assert struct.unpack(">I", data[at : at + 4])[0] == len(data) - at
    assert media.what_is_wrong(data[:at] + bytes(4) + data[at + 4 :]) == ""


# Storyboards.

SHOT = Shot(0, 24, 0, "static", "wide", "")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: replace(SHOT, size="huge"), "size='huge' is none of wide"),
        (lambda: replace(SHOT, frames=0), "a shot of 0 frames: it needs at least one"),
        (lambda: Storyboard((SHOT, replace(SHOT, start=30)), 320, 180, 54, 1, "auto", False, ""),
         "starts at frame 30: it should follow the last one at 24"),
        (lambda: plan("A cat", [], width=320, height=180, duration=5, seed=1, movement_amplitude="auto", bgm=False),
         "needs at least one picture"),
    ],
    ids=["size", "frames", "gap", "pictures"],
)  # fmt: skip
def test_a_storyboard_that_can_not_be_filmed_is_refused_with_the_value(make, said):
    """Made by hand, it is checked like one that was read from a prompt."""
    with pytest.raises(ValueError, match=re.escape(said)):
        make()


def test_a_strip_of_a_clip_that_is_too_short_shows_its_last_frame(small_clip):
    """A file that was cut after it was planned still gives every shot its frame."""
    html = strip_html(small_clip, [(0.0, "static", "first"), (3.0, "static", "second"), (4.0, "static", "third")])
    first, second, third = re.findall(r'src="([^"]+)"', html)
    assert second == third != first


# What is kept.


def test_papers_that_can_not_be_read_are_named_and_hide_nothing(client, capsys):
    """`list` and `verify` show the good beside the bad and leave links alone; the nearest is found all the same."""
    papers = client.generate(asking()).path.with_suffix(".json")
    broken = papers.with_name("a-dog_16x9_seed1_00000000.json")
    broken.mkdir()
    papers.with_name("a-link_16x9_seed1_00000000.json").symlink_to(papers)
    for action in ("list", "verify"):
        assert main(["archive", action]) == 1
        said, complaint = capsys.readouterr()
        assert f"{broken} can't be read (Is a directory)" in said
        assert papers.with_suffix(".mp4").name in said
        assert "a-link" not in said
        assert "1 of 2 can't be used" in complaint
    with pytest.raises(errors.NotKept, match=f"nearest is: {papers.stem}.mp4 differs in seed"):
        client.generate(asking(seed=9), offline=True)


@pytest.mark.parametrize("request_said", [None, {"image_urls": [{"sha256": "../../key"}]}])
def test_a_clip_outlives_its_papers(client, photo, request_said):
    """Where the papers tell no request, or a picture that can't be, the clip opens, and its request is None."""
    papers = client.generate(asking(references=photo)).path.with_suffix(".json")
    said = json.loads(papers.read_text())
    said["request"] = request_said and said["request"] | request_said
    papers.write_text(json.dumps(said))
    [entry] = client.archive.entries()
    video = client.archive.open(entry)
    assert (video.request, video.bytes[4:8]) == (None, b"ftyp")


def test_a_clip_that_goes_while_the_newest_are_looked_for_is_told(client, monkeypatch):
    """Removed by another between the listing and the look, it is a problem in its place, behind the others."""
    kept, going = (client.generate(asking(seed=seed)).path.with_suffix(".json") for seed in (1, 2))
    look = Path.lstat

    def late(path):
        if path == going:
            path.unlink(missing_ok=True)
        return look(path)

    monkeypatch.setattr(Path, "lstat", late)
    first, second = client.archive.entries(newest=5)
    assert first.path == kept
    assert f"{going} can't be read (No such file" in str(second)


def test_storing_twice_changes_nothing(client):
    """After a crash between the clip's place and the journal's word, the same clip gets the same name."""
    video = client.generate(asking())
    [attempt] = client.archive.journal
    entry = client.archive.store(attempt, video.bytes, video.receipt)
    assert entry.clip == video.path
    assert [path.name for path in video.path.parent.glob("*.mp4")] == [video.path.name]


def test_the_ten_thousandth_take_is_handed_over_and_not_lost(client, monkeypatch, tmp_path):
    """Where every name is taken, the error holds the clip that was paid for, and says where its bytes lie."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = client.generate(asking()).path
    for take in range(2, 10_000):
        path.with_name(f"{path.stem}_take{take}.json").touch()
    with pytest.raises(errors.ArchiveError, match="holds 9,999 takes of one request") as caught:
        client.generate(asking(), fresh=True)
    assert (caught.value.billed, caught.value.data[4:8]) == ("yes", b"ftyp")
    [rescued] = tmp_path.glob("vidu-nb-rescued-*.mp4")
    assert rescued.read_bytes() == caught.value.data


def test_a_damaged_preview_is_made_again(photo):
    """It costs nothing, so nobody is asked to mend it."""
    free, request = Client.preview(quality="draft"), asking(references=photo, aspect_ratio="1:1", bgm=False)
    first = free.generate(request)
    first.path.write_bytes(b"rot")
    again = free.generate(request)
    assert not again.receipt.replayed
    assert media.what_is_wrong(again.bytes) == ""


# Calls.


@pytest.mark.parametrize("name", ["incoming", "references"])
def test_nothing_is_sent_where_the_answer_could_not_be_kept(client, faults, photo, name):
    """A file where the archive needs a folder is found before the call is paid for."""
    client.archive.folder.mkdir()
    (client.archive.folder / name).write_text("in the way")
    with pytest.raises(errors.ArchiveError, match=r"nothing was sent.*can't be written \(.*File exists"):
        client.generate(asking(references=photo))
    assert faults.posts() == []


def test_a_journal_that_can_not_be_read_is_named(client):
    """It may stand for a paid call: it is never passed over."""
    client.generate(asking())
    [attempt] = client.archive.journal
    attempt.path.unlink()
    attempt.path.mkdir()
    with pytest.raises(
        errors.ArchiveError, match=f"{attempt.path} can't be read .Is a directory.*may stand for a paid"
    ):
        client.pending()


def test_a_call_is_pending_though_the_locks_are_gone(client):
    """Somebody who tidies up the archive's locks hides no call."""
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking("reset_after_body"))
    shutil.rmtree(client.archive.folder / "locks")
    assert [call.state for call in client.pending()] == ["unknown"]


def test_waiting_for_anothers_call_ends(faults):
    """After twice the time that a call may take, whoever waits is told, and nothing is sent."""
    told = []
    client = Client(KEY, faults.root, timeout=0.05, notify=told.append)
    key = asking().key(engine=client.engine, model=client.model)
    with (
        hold(client.archive.lock_path(key), timeout=0),
        pytest.raises(errors.ArchiveError, match="nothing was sent: another thread or kernel has been making the same"),
    ):
        client.generate(asking())
    assert ["waiting for its clip" in line for line in told] == [True]
    assert faults.posts() == []


@pytest.mark.parametrize("said", ["half a li", "[]", '{"amounts": 3}', '{"limit_usd": 1}', None])
def test_a_budget_that_can_not_be_read_spends_nothing(faults, tmp_path, said):
    """Whatever stands in its file, it is no reason to believe that nothing was spent."""
    file = tmp_path / "class.json"
    file.write_text(said) if said else file.mkdir()
    with pytest.raises(errors.ArchiveError, match=r"class\.json can't be read: .*Mend or move it"):
        Client(KEY, faults.root, budget=Budget(5, file)).generate(asking())
    assert faults.posts() == []


def test_a_budget_that_another_kernel_holds_spends_nothing(faults, tmp_path, monkeypatch):
    """Whoever can't reserve the price in time does not call."""
    monkeypatch.setattr(budget, "_TIMEOUT", 0.05)
    purse = Budget(5, tmp_path / "class.json")
    with (
        FileLock(purse.file.with_suffix(".lock")),
        pytest.raises(errors.ArchiveError, match="another kernel holds it"),
    ):
        Client(KEY, faults.root, budget=purse).generate(asking())
    assert (faults.posts(), purse.spent) == ([], 0.0)


def test_ctrl_c_while_an_answer_is_written_waits_for_the_disk(client, faults, monkeypatch):
    """The clip in hand is on disk before the interrupt counts; asked for again, it costs nothing."""
    interrupts, sync = [], os.fsync

    def interrupted(file):
        if faults.posts() and not interrupts:
            interrupts.append(os.kill(os.getpid(), signal.SIGINT))
        sync(file)

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.generate(asking())
    assert client.generate(asking()).bytes[4:8] == b"ftyp"
    assert len(faults.posts()) == len(interrupts) == 1


class Service(BaseHTTPRequestHandler):
    """Answers as its server's `answer` does."""

    def do_POST(self):
        """Take the body, and answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append(self.path)
        self.server.answer(self)

    def do_GET(self):
        """Answer."""
        self.server.calls.append(self.path)
        self.server.answer(self)

    def say(self, data, *, status=200, promised=0, cost=None):
        """Answer with these bytes, and so many more promised."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) + promised))
        if cost is not None:
            self.send_header("x-cost", str(cost))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def service():
    """A service whose answers a test writes."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        server.calls = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_ctrl_c_in_an_answer_that_never_ends_keeps_the_clip_that_came(service):
    """All of the clip is there, and the connection stays open: the interrupt counts, and the clip is kept."""

    def answer(call):
        call.say(clip("whole"), promised=1)
        threading.Event().wait(0.2)  # until it was read
        os.kill(os.getpid(), signal.SIGINT)
        call.rfile.read(1)  # until the caller hangs up

    service.answer = answer
    client = Client(KEY, f"http://127.0.0.1:{service.server_port}", timeout=20)
    with pytest.raises(KeyboardInterrupt):
        client.generate(asking())
    assert client.generate(asking()).bytes == clip("whole")
    assert len(service.calls) == 1


def test_ctrl_c_while_a_link_is_fetched_leaves_it_to_be_fetched(service):
    """What was paid for is told as fetchable, and the same call again brings it at no cost."""

    def answer(call):
        if call.command == "POST":
            call.say(json.dumps({"video": {"url": f"http://127.0.0.1:{service.server_port}/clip.mp4"}}).encode())
        elif call.path != "/clip.mp4":
            call.say(b'{"credits": 9.5}')
        elif service.calls.count(call.path) == 1:
            os.kill(os.getpid(), signal.SIGINT)
            call.rfile.read(1)  # until the caller hangs up
        else:
            call.say(clip("whole"))

    service.answer = answer
    client = Client(KEY, f"http://127.0.0.1:{service.server_port}", timeout=20)
    with pytest.raises(KeyboardInterrupt):
        client.generate(asking())
    assert [call.state for call in client.pending()] == ["fetchable"]
    assert client.generate(asking()).bytes == clip("whole")
    assert client.pending() == []
    assert len([path for path in service.calls if path.endswith(MODEL)]) == 1


def test_a_clip_that_is_fetched_later_corrects_the_sweeps_budget(service):
    """What it really cost replaces what was reserved, whoever brings it in."""
    root, missing = f"http://127.0.0.1:{service.server_port}", [404]

    def answer(call):
        if call.command == "POST":
            call.say(json.dumps({"video": {"url": f"{root}/clip.mp4"}}).encode(), cost=0.25)
        else:
            call.say(clip("whole"), status=missing[0])

    service.answer = answer
    swept = vidu.sweep("A cat", CAT, client=Client(KEY, root, price_usd=0.5, notify=len), budget_usd=1)
    assert (swept.budget.spent, len(swept.failed)) == (0.5, 1)
    missing[0] = 200
    assert len(Client(KEY, root).resume()) == 1
    assert swept.budget.spent == 0.25
    assert len([path for path in service.calls if path.endswith(MODEL)]) == 1


def test_a_storage_that_names_no_links_costs_nothing(service, photo):
    """An address that can't be one is no link: nothing is asked of the model."""
    service.answer = lambda call: call.say(b'{"urls": ["http://[oops"]}')
    client = Client(KEY, f"http://127.0.0.1:{service.server_port}", uploads="storage", notify=len)
    with pytest.raises(errors.ViduError, match="the storage named no links"):
        client.generate(asking(references=photo))
    assert service.calls == ["/upload-asset"]


def test_a_balance_that_names_no_credits_is_no_balance(web):
    """The error says where to look."""
    web.pages["/v1/get-user-credits"] = b'{"left": "enough"}'
    with pytest.raises(errors.ViduError, match=r"names no credits.*Segmind console"):
        Client(KEY, web.url("")).credits()


def test_a_host_that_never_answers_a_connection_is_given_up(faults, monkeypatch):
    """Connecting has a time of its own, and nothing was sent."""
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 0.1)
    with pytest.raises(errors.Unreachable, match=r"could not be reached: .*took too long"):
        Client(KEY, faults.url("connect_silence")).credits()


def test_a_module_that_another_thread_is_importing_harms_no_call(client, monkeypatch):
    """IPython and distributed are asked only once they are whole: before that, this is no notebook and no worker."""
    for name in ("IPython", "distributed"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        tell("a line for a person")
    assert told.getvalue() == "a line for a person\n"
    with ThreadPoolExecutor(1) as executor:
        swept = vidu.sweep("A cat", CAT, client=client, budget_usd=1, executor=executor)
    assert len(swept.videos) == 1
