"""The short form of `make torture`: the ledger of a minute of faulted calls, kills, races and budgets is clean."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from urllib.parse import quote

import pytest
from common import ROOT
from torture import FORMS, STEPS, Needles, what_is_torn

KEY = "SG_0123456789+/~abcdefghijklm"
#: The seconds are for a machine that others keep busy: the counts end the run.
SHORT = ("--calls", "300", "--kills", "50", "--races", "20", "--budgets", "10", "--seconds", "500")
MUST_BE_ZERO = (
    "unconsented posts", "results lost", "torn files", "races lost", "budgets overspent", "misjudged", "key sightings",
)  # fmt: skip


def test_a_minute_of_torture_leaves_a_clean_ledger():
    """No unconsented POST, no lost result, no torn file, no key; and the run was no empty one."""
    torture = ROOT / "tests" / "torture.py"
    done = subprocess.run([sys.executable, torture, *SHORT], capture_output=True, text=True, timeout=560, check=False)
    ledger = dict(re.findall(r"^([a-z ]+?) {2,}(\d+)$", done.stdout, re.MULTILINE))
    figures = {name: int(value) for name, value in ledger.items()}
    assert {name: figures.get(name) for name in MUST_BE_ZERO} == dict.fromkeys(MUST_BE_ZERO, 0), done.stdout
    assert figures["kinds"] >= 40
    assert figures["kills"] >= 25
    assert figures["results received"] > 100
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("form", FORMS)
def test_the_search_finds_a_key_in_every_form(form):
    """A search that finds nothing proves something only if it would have found the key."""
    assert Needles(KEY).count(f"... {FORMS[form](KEY)} ...".encode())


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_the_search_finds_a_key_inside_longer_base64(before):
    """Wherever the key stands in what was coded."""
    coded = base64.b64encode(f"{before}{KEY} and more".encode())
    assert Needles(KEY).count(coded)
    assert Needles(KEY).count(base64.urlsafe_b64encode(f"{before}{KEY}".encode()))
    assert not Needles(quote(KEY[::-1])).count(coded)


def test_the_scan_sees_torn_files(tmp_path):
    """Half a paper, papers without a clip, and a clip that disagrees are told from whole ones."""
    (tmp_path / "half.json").write_text('{"sha')
    (tmp_path / "alone.json").write_text('{"sha256": "0"}')
    (tmp_path / "clip.json").write_text('{"sha256": "0"}')
    (tmp_path / "clip.mp4").write_bytes(b"other bytes")
    (tmp_path / "orphan.mp4").write_bytes(b"no papers")
    told = {
        name: what_is_torn(tmp_path / name, tmp_path) for name in ("half.json", "alone.json", "clip.mp4", "orphan.mp4")
    }
    assert all(told.values()), told
    assert what_is_torn(tmp_path / "clip.json", tmp_path) == ""


def test_the_steps_at_which_a_process_dies_are_real_events():
    """Python's audit hooks know each of them: a misspelt one would never kill."""
    heard = subprocess.run([sys.executable, "-c", AUDITED], capture_output=True, text=True, check=True).stdout.split()
    assert set(STEPS) <= set(heard)


AUDITED = """
import fcntl, os, shutil, socket, sys, tempfile
heard = set()
sys.addaudithook(lambda event, _: heard.add(event))
folder = tempfile.mkdtemp()
with open(folder + "/a", "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
os.replace(folder + "/a", folder + "/b")
os.mkdir(folder + "/c")
os.listdir(folder), list(os.scandir(folder))
os.remove(folder + "/b")
socket.socket().connect_ex(("127.0.0.1", 9))
print(*heard)
shutil.rmtree(folder)
"""
