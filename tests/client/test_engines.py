"""Who answers: by which name, under which address, and whether it costs money."""

from __future__ import annotations

import re

import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb.client.client import Client
from vidu_nb.errors import BudgetExceeded, ConfirmationNeeded, InvalidRequest
from vidu_nb.folders import FOLDERS, folder_name
from vidu_nb.storage.budget import Budget


@pytest.mark.parametrize(
    ("url", "name", "folder"),
    [
        ("https://api.segmind.com", "segmind", "segmind"),
        ("https://API.segmind.com/v1", "segmind", "segmind"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "127.0.0.1-8000"),
        ("https://clips.example/", "clips.example", "clips.example"),
        ("https://clips.example/v1", "clips.example", "clips.example"),
        ("https://previews.example", "previews.example", "previews.example"),
        ("https://segmind.com.example", "segmind.com.example", "segmind.com.example"),
    ],
)
def test_a_service_is_called_by_its_host(url, name, folder):
    """The name stands in keys, receipts and folders, so it stays what it was in every version."""
    client = Client(KEY, url)
    assert (client.engine, folder_name(client.engine), client.is_free) == (name, folder, False)


@pytest.mark.parametrize(
    "host",
    ["preview", "Preview", "preview.", "-preview", "segmind", "SEGMIND", "segmind.", *sorted(FOLDERS), "Journal."],
)
def test_no_host_is_taken_for_an_engine_or_a_folder_of_ours(host):
    """Whatever it is called: it costs money, has keys of its own, and a folder that holds nothing else."""
    client = Client(KEY, f"https://{host}", price_usd=0.5)
    request = vidu.VideoRequest(prompt="A cat", references="https://example.com/cat.png")
    ours = {request.key(engine=engine) for engine in ("preview", "segmind")}
    assert not client.is_free
    assert request.key(engine=client.engine) not in ours
    assert folder_name(client.engine) not in {"preview", "segmind", *FOLDERS}


def test_a_host_named_preview_asks_before_it_costs(tmp_path, monkeypatch):
    """A sweep wants to be confirmed, a budget refuses, and `vidu.preview` won't use it."""
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    monkeypatch.setenv("SEGMIND_BASE_URL", "https://preview")
    client = vidu.Client(budget=Budget(0.4, tmp_path / "class.json"), price_usd=0.5, notify=len)
    cat = "https://example.com/cat.png"
    with pytest.raises(ConfirmationNeeded):
        vidu.sweep("A cat", cat, seed=[1, 2, 3], client=client)
    with pytest.raises(BudgetExceeded):
        client.generate(vidu.VideoRequest(prompt="A cat", references=cat))
    with pytest.raises(InvalidRequest, match="paid service"):
        vidu.preview("A cat", cat, client=client)


def test_everything_in_an_archive_is_an_engine_s_or_known_as_none(faults, photo, tmp_path):
    """A folder that no engine may have is one of the listed ones: after calls of every sort there is no other."""
    budget = Budget(5, tmp_path / "archive" / "budgets" / "class.json")
    client = Client(KEY, faults.root, notify=len, budget=budget)
    client.generate(vidu.VideoRequest(prompt="A cat", references=photo))
    with pytest.raises(vidu.errors.OutcomeUnknown):
        client.generate(vidu.VideoRequest(prompt="A dog [fault:html_200]", references=photo))
    folders = {path.name for path in client.archive.folder.iterdir() if path.is_dir()}
    assert folders - {folder_name(client.engine)} <= FOLDERS


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST", "localhost.", "class.localhost", "Class.LocalHost.", "127.0.0.1", "127.1",
        "127.0.0.2", "0x7f.1", "2130706433", "0", "0.0.0.0", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::]",
    ],
)  # fmt: skip
def test_every_name_of_this_machine_may_be_plain_http(host):
    """However it is written: a key that stays on this machine needs no encryption."""
    assert Client(KEY, f"http://{host}:8000/v1").base_url == f"http://{host}:8000"


@pytest.mark.parametrize("host", ["localhost.", "class.localhost", "LOCALHOST", "127.1", "2130706433", "0"])
def test_a_call_to_a_name_of_this_machine_goes_to_this_machine(faults, host):
    """No resolver is asked for a name that can only be this machine's, and no proxy is used."""
    port = faults.root.rpartition(":")[2]
    client = Client(KEY, f"http://{host}:{port}", notify=len)
    assert client.generate(vidu.VideoRequest(prompt="A cat", references="https://example.com/cat.png")).path.is_file()


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com", "http://10.0.0.1:8000", "http://localhost.example.com", "http://mylocalhost",
        "http://localhost.localdomain", "http://127.0.0.1.example.com", "http://167772161", "http://[::2]",
        "http://localhost..", "http://１２７.0.0.1", "http://[fe80::1]", "http://.localhost",
    ],
)  # fmt: skip
def test_a_key_never_travels_over_plain_http(url):
    """A base URL with plain http is refused for any host but this machine."""
    with pytest.raises(InvalidRequest, match="plain http"):
        Client(KEY, url)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://[::1", "must be an http(s):// URL"),
        ("https://service.example:abc", "must be an http(s):// URL"),
        ("ftp://service.example", "must be an http(s):// URL"),
        ("api.segmind.com", "must be an http(s):// URL"),
        ("nowhere", "must be an http(s):// URL"),
        ("https://me:secret@a.example", "must not hold a user name or password"),
    ],
)
def test_a_base_url_that_is_none_is_refused(url, problem):
    """Each is an error about `base_url`, before anything is sent; a password in it is not repeated."""
    with pytest.raises(InvalidRequest, match=f"^base_url: {re.escape(problem)}") as caught:
        Client(KEY, url)
    assert "secret" not in str(caught.value)


def test_an_empty_setting_is_none(monkeypatch):
    """``SEGMIND_BASE_URL=`` with no key is the preview engine, as if it were not there."""
    monkeypatch.setenv("SEGMIND_BASE_URL", "")
    assert Client.from_env().is_free


def test_an_unknown_mode_is_refused_with_the_ones_there_are():
    """The error names the field and its values; so it is with `uploads`."""
    with pytest.raises(InvalidRequest, match="mode: 'async' is none of auto, sync, queue"):
        Client(mode="async")
    with pytest.raises(InvalidRequest, match="uploads: 'cloud' is none of inline, storage"):
        Client.preview(uploads="cloud")
