"""`make class`: a class to try, in one command."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import requests
from common import ROOT

import vidu_nb as vidu


def test_a_class_to_try_runs_until_it_is_interrupted(tmp_path, photo):
    """It prints address and tokens, a person makes a clip for play money, and Ctrl-C ends all of it."""
    command = [sys.executable, str(ROOT / "docs" / "class.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, start_new_session=True) as process:
        try:
            printed = ""
            while "Ctrl-C ends it" not in printed:
                line = process.stdout.readline()
                assert line, f"it ended after {printed!r}"
                printed += line
            url, token = re.search(r"SEGMIND_BASE_URL=(\S+) SEGMIND_API_KEY=(\S+)", printed).groups()
            client = vidu.Client(token, url, archive=tmp_path / "anna")
            assert client.generate(vidu.VideoRequest(prompt="A wall", references=photo)).receipt.cost_usd == 0.5
            assert client.credits() == 1.5
            teacher = re.search(r"teacher +(\S+)", printed)[1]
            facts = requests.get(f"{url}/class.json", headers={"x-api-key": teacher}, timeout=60).json()
            assert [one["name"] for one in facts["people"]] == ["anna", "ben", "cleo"]
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.send_signal(signal.SIGINT)  # where something failed before
    assert "Traceback" not in printed
