"""The key and the tokens, asked for in every way: they are in the files that were named, and nowhere else."""

from __future__ import annotations

import csv
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import requests

import vidu_nb as vidu

KEY = "SG_8f3b1d6e2a7c4950b8e1"
#: `vidu-nb gateway` that logs whatever any library has to say.
LOUD = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
for name in ("uvicorn", "urllib3", "asyncio"):
    logging.getLogger(name).setLevel(logging.DEBUG)
logging.getLogger("sqlalchemy").setLevel(logging.INFO)  # every statement; at DEBUG it prints whole tables
from vidu_nb.commands.cli import main
sys.exit(main(sys.argv[1:]))
"""


def pieces(secret):
    """What no text may hold: any twelve characters of a secret in a row."""
    return [secret[start : start + 12].encode() for start in range(len(secret) - 11)]


def shown(secrets, texts):
    """The places, of a mapping from place to bytes, that show a part of a secret."""
    parts = [piece for secret in secrets for piece in pieces(secret)]
    return sorted(place for place, text in texts.items() if any(piece in text for piece in parts))


def everything_answered(url, tokens, body):
    """What the gateway answers to everybody on every route, good and bad, with headers; by what was asked."""
    found = {}

    def ask(method, path, who, **more):
        headers = {"x-api-key": tokens[who]} if who in tokens else {"x-api-key": who} if who else {}
        answer = requests.request(method, url + path, headers=headers, timeout=120, allow_redirects=False, **more)
        found[f"{method} {path} {who}"] = repr(answer.headers).encode() + answer.content
        return answer

    made = ask("POST", "/v1/vidu-q1-reference-to-video", "anna", json=body)
    assert made.status_code == 200, made.text
    ask("POST", "/v2/vidu-q1-reference-to-video", "ben", json=body)
    number = made.headers["x-request-id"]
    paths = [
        "/", "/wall", "/class.json", "/class.csv", "/health", "/openapi.json", "/docs", "/nothing", "/static/page.js",
        "/static/page.css", "/v1/get-user-credits", f"/v2/requests/{number}", f"/v2/requests/{number}/status",
        "/inference-request/request-history", f"/inference-request/request-history/{number}", f"/clips/{number}",
        f"/clips/{number}/poster.jpg", f"/v1/files/{number}/0/x.mp4", "/static/../../key", "/clips/..%2fkey", "/?key=1",
    ]  # fmt: skip
    for path in paths:
        for who in ("teacher", "anna", "ben", None, "wrong"):
            ask("GET", path, who)
    for bad in (
        {},
        {"prompt": 7},
        [1],
        {"prompt": "x" * 5000},
        body | {"seed": "key"},
        body | {"image_urls": ["file:///key"]},
    ):
        for path in ("/v1/vidu-q1-reference-to-video", "/v2/nothing", "/class/people", "/class/pause", "/sign-out"):
            ask("POST", path, "anna", json=bad)
    for name in ({"name": "teacher"}, {"name": "anna", "usd": 1}, {"name": "anna", "usd": None}):
        ask("POST", "/class/people", "teacher", json=name)
    ask("POST", "/sign-in", None, data={"token": tokens["teacher"]})
    ask("TRACE", "/", "teacher")
    return found


def test_key_and_tokens_are_nowhere_but_where_they_were_put(tmp_path, faults, photo):
    """No answer, file, log at its loudest, or argument of the process shows a part of the key or of a token."""
    (tmp_path / "class.csv").write_text("name\nanna\nben\n")
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    command = [sys.executable, "-c", LOUD, "gateway", "--roster", "class.csv", "--total-usd", "5", "--key-file", "key"]
    command += ["--upstream", faults.root, "--archive", "archive"]
    with (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=err, text=True)
    try:
        url = process.stdout.readline().split()[1]
        with (tmp_path / "class-tokens.csv").open(newline="") as file:
            tokens = {row["name"]: row["token"] for row in csv.DictReader(file)}
        body = vidu.VideoRequest(prompt="A wall", references=photo, aspect_ratio="1:1", bgm=False).payload()
        answered = everything_answered(url, tokens, body)
        seen = {"arguments": Path(f"/proc/{process.pid}/cmdline").read_bytes()}
    finally:
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=120)
    seen["stdout"] = printed.encode()
    files = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(files["err"]) > 10_000, "it was not loud"
    assert shown([KEY, *tokens.values()], answered | seen) == []
    assert shown([KEY], files) == ["key"]
    assert shown(tokens.values(), files) == ["class-tokens.csv"]
    assert "archive/gateway/ledger.db" in files
    with sqlite3.connect(tmp_path / "archive/gateway/ledger.db") as ledger:
        secret = ledger.execute("select value from settings where name = 'secret'").fetchone()[0]
    assert shown([secret], answered | seen | {"err": files["err"]}) == []


def test_a_wrong_key_is_told_without_showing_it(tmp_path):
    """What the key's file holds is in no message, whatever is wrong with it."""
    for content, mode in ((f"{KEY}\nsecond line {KEY}", 0o600), (KEY, 0o644), (f"{KEY}\x00é", 0o600)):
        path = tmp_path / "key"
        path.unlink(missing_ok=True)
        path.write_text(content)
        path.chmod(mode)
        command = [sys.executable, "-m", "vidu_nb", "gateway", "--total-usd", "5", "--key-file", path, "--upstream"]
        ended = subprocess.run(
            [*command, "http://127.0.0.1:9"], cwd=tmp_path, capture_output=True, check=False, timeout=120, input=b""
        )
        assert ended.returncode in (1, 2), ended
        assert shown([KEY], {"out": ended.stdout, "err": ended.stderr}) == []
        assert len(ended.stderr.splitlines()) == 1
