"""The command line: what it prints, and how it ends."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
from faults import KEY
from losing import Losing
from PIL import Image

import vidu_nb as vidu
from vidu_nb import console
from vidu_nb.animatic.server.server import PreviewServer
from vidu_nb.commands.cli import main
from vidu_nb.request import DRAFT

pytestmark = pytest.mark.usefixtures("small_frames")

CHEAP = ("--aspect-ratio", "1:1", "--no-bgm")
LONG = 120  # s; a limit that only ends a hang


CAT = "https://example.com/cat.png"


@pytest.fixture
def picture(tmp_path: Path) -> str:
    Image.effect_mandelbrot((320, 240), (-2, -1, 1, 1), 60).convert("RGB").save(tmp_path / "cat.png")
    return "cat.png"


def test_preview_makes_a_clip_and_tells_where(command, tmp_path: Path, picture: str, monkeypatch):
    """`preview -o` leaves a clip with its recipe, which `show` reads back; without a key `generate` says it is one."""
    monkeypatch.setattr(console, "_shown", set())  # as in a process of its own
    request = ("A cat. Zoom in.", "-r", picture, "--seed", "7", *CHEAP)
    made = command("preview", *request, "-o", "out.mp4")
    assert made.status == 0, made.err
    assert made.out.splitlines() == [str(tmp_path / "out.mp4"), "1:1 · 5 s · seed 7 · preview, free"]
    shown = json.loads(command("show", "out.mp4", "--json").out)
    assert shown["request"]["prompt"] == "A cat. Zoom in."
    assert shown["request"]["bgm"] is False
    assert shown["info"]["audio_codec"] is None
    assert shown["receipt"]["engine"] == "preview"
    assert "seed 7" in command("show", "out.mp4").out
    generated = command("generate", *request, "--json")
    assert "No SEGMIND_API_KEY" in generated.err
    same = json.loads(generated.out)
    assert same["receipt"]["engine"] == "preview"
    assert Path(same["path"]).read_bytes() == next((tmp_path / "archive").rglob("*.mp4")).read_bytes()


@pytest.mark.usefixtures("paid")
def test_copies_for_strangers_leave_the_pictures_out(command, picture: str):
    """With `--no-pictures` neither `-o` nor `archive export` puts the reference pictures into a copy."""
    asked = ("generate", "A cat", "-r", picture)
    assert command(*asked, "-o", "with.mp4").status == 0
    assert command(*asked, "-o", "without.mp4", "--no-pictures").status == 0
    assert command("archive", "export", "--to", "shared", "--no-pictures").status == 0
    copies = ["with.mp4", "without.mp4", *map(str, Path("shared").iterdir())]
    assert [vidu.load(copy).request is not None for copy in copies] == [True, False, False]
    assert all(vidu.load(copy).receipt for copy in copies)


@pytest.mark.usefixtures("paid")
def test_a_clip_that_can_not_be_saved_where_it_should_is_named_where_it_is_kept(command, picture: str):
    """A paid clip is in the archive by then: its path is what a person needs to read."""
    made = command("generate", "A cat", "-r", picture, "-o", "cat.png/out.mp4")
    assert made.status == 1
    assert "Traceback" not in made.err
    assert Path(made.err.rpartition("the clip is in the archive: ")[2].strip()).is_file()


@pytest.mark.parametrize("where", ["out/", "a/b/", "there", "new/.", "."])
@pytest.mark.usefixtures("paid")
def test_a_folder_gets_the_clip_under_its_usual_name(command, tmp_path: Path, picture: str, where: str):
    """`-o` with a folder, there already or only named as one, fills it as `video.save` does; the path is printed."""
    (tmp_path / "there").mkdir()
    made = command("generate", "A cat", "-r", picture, "-o", where)
    assert made.status == 0, made.err
    saved = Path(made.out.splitlines()[0])
    [kept] = (tmp_path / "archive").rglob("*.mp4")
    assert saved == (tmp_path / where / kept.name).resolve()
    assert vidu.load(saved).request.prompt == "A cat"
    saved.unlink()
    assert vidu.load(kept).save(where) == saved
    assert saved.is_file()


@pytest.mark.parametrize("where", ["a/b/c.mp4", "there/c.mp4", "c"])
@pytest.mark.usefixtures("paid")
def test_a_name_for_a_copy_is_a_file(command, tmp_path: Path, picture: str, where: str):
    """`-o` without a folder's ending is the copy's own name; folders on the way are made."""
    (tmp_path / "there").mkdir()
    made = command("generate", "A cat", "-r", picture, "-o", where)
    assert made.status == 0, made.err
    assert (tmp_path / where).is_file()


@pytest.mark.parametrize("action", ["generate", "preview"])
def test_standard_output_is_no_place_for_a_clip(command, paid, tmp_path: Path, picture: str, action: str):
    """`-o -` is refused before anything is made: standard output tells where the clip is, and holds no bytes of it."""
    refused = command(action, "A cat", "-r", picture, "-o", "-")
    assert refused.status == 2
    assert "name a file or a folder" in refused.err
    assert not paid.posts()
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["preview", "A cat", "-r", "missing.png"], 2, "references[0]: there is no file 'missing.png'"),
        (["preview", "A cat"], 2, "references: is empty"),
        (["preview", "", "-r", "cat.png"], 2, "prompt: is empty"),
        (["preview", "A cat", "-r", "cat.png", "--seed", "1000000"], 2, "seed: 1000000 is out of range"),
        (["preview", "A cat", "-r", "cat.png", "--seed", "-1"], 2, "seed: -1 is out of range"),
        (["preview", "A cat", "-r", "cat.png", "--duration", "7"], 2, "duration: 7 is not offered"),
        (["preview", "A cat", "-r", "cat.png", "--aspect-ratio", "4:3"], 2, "aspect_ratio: '4:3' is not one of"),
        (["preview", "A cat", "-r", "cat.png", "--frames", "3"], 2, "unrecognized arguments"),
        (["show", "missing.mp4"], 1, "does not exist"),
        (["show", "."], 1, "can't be read"),
        (["dance"], 2, "invalid choice"),
        ([], 2, "required"),
        (["serve", "--port", "70000"], 2, "must be 0 to 65535"),
    ],
)
@pytest.mark.usefixtures("picture")
def test_wrong_usage_and_failures_are_told_in_one_line(
    command, tmp_path: Path, arguments: list[str], status: int, word: str
):
    """Exit 2 for wrong usage and 1 for a failure, the reason on the last line of standard error, nothing written."""
    ended = command(*arguments)
    assert ended.status == status
    assert word in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat.png"]


def test_every_command_has_help(command):
    """`--help` of the program and of each command ends well and names its options."""
    assert command("--help").status == 0
    for name in ("generate", "preview", "sweep", "show", "credits", "calls", "archive", "serve", "demo", "lab"):
        shown = command(name, "--help")
        assert shown.status == 0
        assert f"usage: vidu-nb {name}" in shown.out


def test_serve_answers_from_its_ready_line_on_and_ends_cleanly(command, tmp_path: Path, picture: str, monkeypatch):
    """After `serving URL` the API answers, also to `vidu-nb` itself; SIGTERM ends the process with status 0."""
    server = subprocess.Popen(
        [sys.executable, "-m", "vidu_nb", "serve", "--key", "K", "--credits", "0.5"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        ready = server.stdout.readline()
        assert ready.startswith("serving http://127.0.0.1:")
        url = ready.split()[1]
        assert requests.get(f"{url}/health", timeout=LONG).json()["engine"] == "preview"
        monkeypatch.setenv("SEGMIND_BASE_URL", f"{url}/v1/")
        monkeypatch.setenv("SEGMIND_API_KEY", "K")
        assert json.loads(command("credits", "--json").out)["credits"] == 0.5
        first = command("generate", "A cat", "-r", picture, *CHEAP)
        assert first.status == 0, first.err
        second = command("generate", "Another cat", "-r", picture, *CHEAP)
        assert second.status == 1
        assert "InsufficientCredits 406" in second.err
        assert "Not billed" in second.err
        monkeypatch.setenv("SEGMIND_API_KEY", "wrong")
        assert command("credits").status == 1
        server.send_signal(signal.SIGTERM)
        rest, _ = server.communicate(timeout=LONG)
        assert rest == ""
        assert server.returncode == 0
    finally:
        server.kill()
        server.communicate()


def test_both_of_the_service_s_own_samples_run_without_a_network(server):
    """The shape of the service's own samples: JSON or MP4 bytes, though no network reaches their pictures."""
    url = f"{server.base_url}/v1/{DRAFT}"
    names = ("man.jpeg", "book.png", "park.jpeg")
    data = {
        "prompt": "A man sits on a bench",
        "image_urls": [f"https://pictures.invalid/input/{name}" for name in names],
        "aspect_ratio": "16:9",
        "duration": 5,
        "seed": 42,
        "bgm": True,
        "movement_amplitude": "auto",
    }
    headers = {"x-api-key": server.key, "Content-Type": "application/json"}
    raw = requests.post(url, headers=headers, json=data, timeout=LONG)
    payload = requests.post(f"{url}?format=json", headers=headers, json=data, timeout=LONG).json()
    assert raw.content[4:8] == b"ftyp"
    assert requests.get(payload["video"]["url"], timeout=LONG).content == raw.content


@pytest.mark.usefixtures("paid")
def test_the_archive_is_listed_verified_exported_and_pruned_by_name(command, tmp_path: Path, picture: str):
    """`archive` names each clip, finds a rotten one, copies with recipes, and removes only what is named."""
    for seed in ("1", "2"):
        made = command("generate", "A cat", "-r", picture, "--seed", seed)
        assert made.status == 0, made.err
    listed = json.loads(command("archive", "list", "--json").out)
    assert [row["prompt"] for row in listed] == ["A cat", "A cat"]
    names = [row["file"] for row in listed]
    clip = tmp_path / "archive" / names[1]
    assert command("archive", "verify").status == 0
    exported = json.loads(command("archive", "export", names[0], "--to", "out", "--json").out)
    assert json.loads(command("show", exported[0]["copy"], "--json").out)["receipt"]["replayed"] is False
    clip.with_suffix(".json").rename(tmp_path / "papers")
    clip.with_suffix(".json").write_text("{")
    assert command("archive", "export", "--to", "all").status == 1
    (tmp_path / "papers").rename(clip.with_suffix(".json"))
    with clip.open("r+b") as opened:
        opened.seek(2000)
        opened.write(b"rot")
    verified = command("archive", "verify")
    assert verified.status == 1
    assert "has changed since it was kept" in verified.out
    assert command("archive", "prune").status == 2
    assert command("archive", "prune", "preview/nothing.mp4").status == 2
    assert command("archive", "prune", names[1]).status == 0
    assert [row["file"] for row in json.loads(command("archive", "list", "--json").out)] == names[:1]


def test_lost_calls_are_found_in_the_services_record(command, small_clip, picture: str, monkeypatch):
    """`calls list` says what the record has of each, `calls reconcile` brings the clip, and nothing is open then."""
    with (
        PreviewServer(key=KEY, credits=10.0, render=lambda *_, **__: small_clip.read_bytes()) as service,
        Losing(service.base_url, lose=1) as wire,
    ):
        for name, value in {"API_KEY": KEY, "BASE_URL": wire.url}.items():
            monkeypatch.setenv(f"SEGMIND_{name}", value)
        monkeypatch.setenv("VIDU_NB_HISTORY_URL", "off")
        assert "May be billed" in command("generate", "A cat", "-r", picture).err
        monkeypatch.delenv("VIDU_NB_HISTORY_URL")
        [call] = json.loads(command("calls", "--json").out)
        assert (call["state"], call["record"]) == ("unknown", "completed")
        assert "completed" in command("calls", "list").out
        [found] = json.loads(command("calls", "reconcile", "--json").out)
        assert Path(found["file"]).read_bytes() == small_clip.read_bytes()
        assert json.loads(command("calls", "--json").out) == []
        assert wire.posts == 1


def test_open_calls_are_listed_fetched_and_settled(command, paid, picture: str, monkeypatch):
    """A paid call that brought nothing is named with its id and price; `settle` closes it, `resume` costs nothing."""
    monkeypatch.setenv("SEGMIND_BASE_URL", paid.url("status_503"))
    assert command("generate", "A cat", "-r", picture).status == 1
    [call] = json.loads(command("calls", "--json").out)
    assert (call["state"], call["prompt"], call["price_usd"]) == ("unknown", "A cat", 0.5)
    assert call["id"] in command("calls", "resume").out
    assert command("calls", "settle", call["id"]).status == 2
    assert command("calls", "settle", "nobody", "--billed", "no").status == 2
    assert command("calls", "settle", call["id"], "--billed", "no").out == ""
    assert json.loads(command("calls", "--json").out) == []
    assert len(paid.posts()) == 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["archive", "export"], 2, "--to: name the folder to export to"),
        (["sweep", "A cat", "-r", CAT, "--bgm", "maybe"], 2, "'maybe' is neither on nor off"),
        (["credits"], 0, "$10000.00 left"),
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
