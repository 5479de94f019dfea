"""The command line, mostly as its own process: what it prints, and how it ends."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
import requests
from faults import FaultServer
from PIL import Image

import vidu_nb as vidu
from vidu_nb.commands.cli import main

CAT = "https://example.com/cat.png"
RUN = [sys.executable, "-m", "vidu_nb"]


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SEGMIND", "VIDU_NB"))}
    return subprocess.run(
        [*RUN, *arguments], cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=120, check=False
    )


def called(*arguments: str) -> int:
    """The exit status of a command in this process; what it printed is captured by the test."""
    try:
        return main(arguments)
    except SystemExit as ended:  # argparse's way to leave
        return int(ended.code or 0)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    Image.effect_mandelbrot((320, 240), (-2, -1, 1, 1), 60).convert("RGB").save(tmp_path / "cat.png")
    return "cat.png"


def test_preview_makes_a_clip_and_tells_where(tmp_path: Path, picture: str):
    """`preview -o` leaves a clip with its recipe, which `show` reads back."""
    made = run("preview", "A cat. Zoom in.", "-r", picture, "--seed", "7", "--no-bgm", "-o", "out.mp4", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines() == [str(tmp_path / "out.mp4"), "16:9 · 5 s · seed 7 · preview, free"]
    shown = run("show", "out.mp4", "--json", cwd=tmp_path)
    told = json.loads(shown.stdout)
    assert told["request"]["prompt"] == "A cat. Zoom in."
    assert told["request"]["bgm"] is False
    assert told["info"]["audio_codec"] is None
    assert told["receipt"]["engine"] == "preview"
    assert "seed 7" in run("show", "out.mp4", cwd=tmp_path).stdout


def test_copies_for_strangers_leave_the_pictures_out(picture: str, capsys: pytest.CaptureFixture[str]):
    """With `--no-pictures` neither `-o` nor `archive export` puts the reference pictures into a copy."""
    asked = ("preview", "A cat", "-r", picture, "--aspect-ratio", "1:1", "--no-bgm")
    assert called(*asked, "-o", "with.mp4") == called(*asked, "-o", "without.mp4", "--no-pictures") == 0
    assert called("archive", "export", "--to", "shared", "--no-pictures") == 0
    capsys.readouterr()
    copies = ["with.mp4", "without.mp4", *map(str, Path("shared").iterdir())]
    assert [vidu.load(copy).request is not None for copy in copies] == [True, False, False]
    assert all(vidu.load(copy).receipt for copy in copies)


def test_a_clip_that_can_not_be_saved_where_it_should_is_named_where_it_is_kept(tmp_path: Path, picture: str):
    """A paid clip is in the archive by then: its path is what a person needs to read."""
    made = run("preview", "A cat", "-r", picture, "--no-bgm", "-o", "cat.png/out.mp4", cwd=tmp_path)
    assert made.returncode == 1
    assert "Traceback" not in made.stderr
    kept = Path(made.stderr.rpartition("the clip is kept as ")[2].strip())
    assert kept.is_file()


def test_generate_without_a_key_previews_and_says_so(tmp_path: Path, picture: str):
    """With no key `generate` uses the local engine, says so on standard error, and prints pure JSON."""
    made = run("generate", "A cat", "-r", picture, "--aspect-ratio", "1:1", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["receipt"]["engine"] == "preview"
    assert Path(told["path"]).is_file()
    assert "No SEGMIND_API_KEY" in made.stderr


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
        (["show", "cat.png"], 1, "can't be read"),
        (["dance"], 2, "invalid choice"),
        ([], 2, "required"),
        (["serve", "--port", "70000"], 2, "must be 0 to 65535"),
    ],
)
@pytest.mark.usefixtures("picture")
def test_wrong_usage_and_failures_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, word: str
):
    """Exit 2 for wrong usage and 1 for a failure, the reason on the last line of standard error, nothing written."""
    assert called(*arguments) == status
    out, err = capsys.readouterr()
    assert word in err.splitlines()[-1]
    assert "Traceback" not in err
    assert out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat.png"]


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]):
    """`--help` of the program and of each command ends well and names its options."""
    assert called("--help") == 0
    for command in ("generate", "preview", "sweep", "show", "credits", "calls", "archive", "serve", "demo", "lab"):
        assert called(command, "--help") == 0
        assert f"usage: vidu-nb {command}" in capsys.readouterr().out


def test_serve_answers_from_its_ready_line_on_and_ends_cleanly(tmp_path: Path, picture: str):
    """After `serving URL` the API answers, also to `vidu-nb` itself; SIGTERM ends it with status 0."""
    server = subprocess.Popen(
        [*RUN, "serve", "--key", "K", "--credits", "0.5"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        ready = server.stdout.readline()
        assert ready.startswith("serving http://127.0.0.1:")
        url = ready.split()[1]
        assert requests.get(f"{url}/health", timeout=5).json()["engine"] == "preview"
        there = {"SEGMIND_BASE_URL": f"{url}/v1/", "SEGMIND_API_KEY": "K"}
        assert json.loads(run("credits", "--json", cwd=tmp_path, **there).stdout)["credits"] == 0.5
        first = run("generate", "A cat", "-r", picture, cwd=tmp_path, **there)
        assert first.returncode == 0, first.stderr
        second = run("generate", "Another cat", "-r", picture, cwd=tmp_path, **there)
        assert second.returncode == 1
        assert "InsufficientCredits 406" in second.stderr
        assert "Not billed" in second.stderr
        assert run("credits", cwd=tmp_path, SEGMIND_BASE_URL=url, SEGMIND_API_KEY="wrong").returncode == 1
        server.send_signal(signal.SIGTERM)
        rest, _ = server.communicate(timeout=20)
        assert rest == ""
        assert server.returncode == 0
    finally:
        server.kill()
        server.communicate()


def test_both_of_the_service_s_own_samples_run_without_a_network(tmp_path: Path):
    """The shape of the service's own samples: JSON or MP4 bytes, though no network reaches their pictures."""
    server = subprocess.Popen([*RUN, "serve", "--key", "K"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        url = f"{server.stdout.readline().split()[1]}/v1/vidu-q1-reference-to-video"
        lines = [
            "import requests, json",
            "urls = [f'https://pictures.invalid/input/{name}' for name in ('man.jpeg', 'book.png', 'park.jpeg')]",
            "data = {'prompt': 'A man sits on a bench', 'image_urls': urls, 'aspect_ratio': '16:9', 'duration': 5,",
            "        'seed': 42, 'bgm': True, 'movement_amplitude': 'auto'}",
            "headers = {'x-api-key': 'K', 'Content-Type': 'application/json'}",
            f"response = requests.post({url!r} + FORM, headers=headers, json=data)",
        ]
        (tmp_path / "raw.py").write_text("\n".join(["FORM = ''", *lines, "print(response.content)"]))
        (tmp_path / "told.py").write_text(
            "\n".join(["FORM = '?format=json'", *lines, "print(json.dumps(response.json(), indent=2))"])
        )
        raw = subprocess.run(
            [sys.executable, "raw.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
        )
        assert "ftyp" in raw.stdout[:40]
        told = subprocess.run(
            [sys.executable, "told.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
        )
        clip = requests.get(json.loads(told.stdout)["video"]["url"], timeout=10)
        assert clip.content[4:8] == b"ftyp"
    finally:
        server.terminate()
        server.communicate(timeout=20)


def test_the_archive_is_listed_verified_exported_and_pruned_by_name(tmp_path: Path, picture: str):
    """`archive` names each clip, finds a rotten one, copies with recipes, and removes only what is named."""
    for seed in ("1", "2"):
        made = run("preview", "A cat", "-r", picture, "--seed", seed, "--aspect-ratio", "1:1", "--no-bgm", cwd=tmp_path)
        assert made.returncode == 0, made.stderr
    listed = json.loads(run("archive", "list", "--json", cwd=tmp_path).stdout)
    assert [row["prompt"] for row in listed] == ["A cat", "A cat"]
    names = [row["file"] for row in listed]
    assert run("archive", "verify", cwd=tmp_path).returncode == 0
    exported = json.loads(run("archive", "export", names[0], "--to", "out", "--json", cwd=tmp_path).stdout)
    assert json.loads(run("show", exported[0]["copy"], "--json", cwd=tmp_path).stdout)["receipt"]["replayed"] is False
    (tmp_path / "vidu_archive" / names[1]).with_suffix(".json").rename(tmp_path / "papers")
    (tmp_path / "vidu_archive" / names[1]).with_suffix(".json").write_text("{")
    assert run("archive", "export", "--to", "all", cwd=tmp_path).returncode == 1
    (tmp_path / "papers").rename((tmp_path / "vidu_archive" / names[1]).with_suffix(".json"))
    with (tmp_path / "vidu_archive" / names[1]).open("r+b") as clip:
        clip.seek(2000)
        clip.write(b"rot")
    verified = run("archive", "verify", cwd=tmp_path)
    assert verified.returncode == 1
    assert "has changed since it was kept" in verified.stdout
    assert run("archive", "prune", cwd=tmp_path).returncode == 2
    assert run("archive", "prune", "preview/nothing.mp4", cwd=tmp_path).returncode == 2
    assert run("archive", "prune", names[1], cwd=tmp_path).returncode == 0
    assert [row["file"] for row in json.loads(run("archive", "list", "--json", cwd=tmp_path).stdout)] == names[:1]


def test_open_calls_are_listed_fetched_and_settled(tmp_path: Path, picture: str):
    """A paid call that brought nothing is named with its id and price; `settle` closes it, `resume` costs nothing."""
    with FaultServer() as service:
        ask = partial(run, cwd=tmp_path, SEGMIND_API_KEY="a-key", SEGMIND_BASE_URL=service.url("status_503"))
        assert ask("generate", "A cat", "-r", picture).returncode == 1
        [call] = json.loads(ask("calls", "--json").stdout)
        assert (call["state"], call["prompt"], call["price_usd"]) == ("unknown", "A cat", 0.5)
        assert call["id"] in ask("calls", "resume").stdout
        assert ask("calls", "settle", call["id"]).returncode == 2
        assert ask("calls", "settle", "nobody", "--billed", "no").returncode == 2
        assert ask("calls", "settle", call["id"], "--billed", "no").stdout == ""
        assert json.loads(ask("calls", "--json").stdout) == []
        assert len(service.posts()) == 1


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
