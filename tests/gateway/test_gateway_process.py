"""`vidu-nb gateway` before a real `vidu-nb serve`: two commands, and people who ask."""

from __future__ import annotations

import contextlib
import stat
import subprocess
import sys

import pytest
import requests
from gateways import tokens_in
from torture_gateway import Gateway
from upstream import KEY

from vidu_nb.client.client import Client
from vidu_nb.errors import Forbidden
from vidu_nb.request import VideoRequest


@pytest.fixture
def service():
    """A `vidu-nb serve` with play money for two clips."""
    command = [sys.executable, "-m", "vidu_nb", "serve", "--key", KEY, "--credits", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[1]
        process.terminate()


@pytest.fixture
def folder(tmp_path):
    """The teacher's folder: a roster, and the key in a file of its owner's."""
    folder = tmp_path / "teacher"
    folder.mkdir()
    (folder / "class.csv").write_text("name\nanna\nben\n")
    (folder / "key").touch(mode=0o600)
    (folder / "key").write_text(KEY)
    return folder


@contextlib.contextmanager
def serving(folder, url):
    """A `vidu-nb gateway`, which ends when it is asked to."""
    gateway = Gateway(folder, url, None)
    try:
        yield gateway
    finally:
        gateway.stop()


def test_a_class_spends_what_there_is_and_hears_when_it_is_gone(folder, service, encoded, tmp_path):
    """Two clips of half a dollar; then the class's account is empty. After a new start all that was made is there."""
    ask = VideoRequest(prompt="A wave", references=encoded(256, 256), aspect_ratio="1:1", bgm=False)
    with serving(folder, service) as gateway:
        tokens = tokens_in(folder / "tokens.csv")
        anna, ben = (Client(tokens[name], gateway.url, tmp_path / name, notify=len) for name in ("anna", "ben"))
        assert (anna.generate(ask).receipt.cost_usd, ben.generate(ask).receipt.cost_usd) == (0.5, 0)
        assert ben.generate(ask.replace(seed=2)).receipt.cost_usd == 0.5
        with pytest.raises(Forbidden, match=r"the class's own account .* nothing was billed; tell your teacher"):
            Client(tokens["ben"], gateway.url, tmp_path / "b", mode="sync", notify=len).generate(ask.replace(seed=3))
    log = (folder / "gateway-0.log").read_text()
    assert "Insufficient credits" in log
    assert KEY not in log
    with serving(folder, service) as gateway:
        anna = Client(tokens["anna"], gateway.url, tmp_path / "another computer", notify=len)
        assert (anna.generate(ask).receipt.cost_usd, anna.credits().total) == (0, 999.5)
    left = requests.get(f"{service}/v1/get-user-credits", headers={"x-api-key": KEY}, timeout=30).json()
    assert left["credits"] == 0
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "archive" / "gateway").iterdir()}
    assert modes["ledger.db"] == 0o600
    assert stat.S_IMODE((folder / "archive" / "gateway").stat().st_mode) == 0o700
