"""Where a key comes from, and that nothing shows it."""

from __future__ import annotations

import getpass
import sys
import types

import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.net.credentials import Secret, find_key


@pytest.fixture(autouse=True)
def _forget():
    yield
    vidu.logout()


@pytest.mark.parametrize("text", [KEY, f"  {KEY}\n", f'"{KEY}"', f"' {KEY} '", f"\t{KEY}\r\n"])
def test_a_pasted_key_is_cleaned(text):
    """White space and quotes around a key are dropped."""
    assert Secret.from_text(text).reveal() == KEY


@pytest.mark.parametrize("text", ["", "  ", "two\nlines-of-it", "with space", "schlüssel", "nul\0byte", "''"])
def test_what_is_no_key_is_refused(text):
    """The error names the form of a key."""
    with pytest.raises(errors.InvalidRequest, match="one line of printable ASCII"):
        Secret.from_text(text)


def test_login_asks_without_echo_and_stays_in_this_process(monkeypatch):
    """`login` reads with getpass; the key is found from then on and never enters the environment."""
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: f" {KEY} ")
    vidu.login()
    assert find_key().reveal() == KEY
    assert vidu.Client().engine == "segmind"
    assert KEY not in str(dict(__import__("os").environ))
    vidu.logout()
    assert find_key() is None


def test_the_order_of_sources(monkeypatch):
    """An argument beats `login`, which beats the environment, which beats Colab's secrets and the keyring."""
    fake = types.ModuleType("keyring")
    fake.get_password = lambda *_: "from-keyring"
    fake.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "keyring", fake)
    assert find_key().reveal() == "from-keyring"
    monkeypatch.setenv("SEGMIND_API_KEY", "from-environment\n")
    assert find_key().reveal() == "from-environment"
    vidu.login("from-login")
    assert find_key().reveal() == "from-login"
    assert vidu.Client("from-argument")._session.engine.key.reveal() == "from-argument"


def test_login_keeps_the_key_in_the_keyring_only_on_request(monkeypatch):
    """`keyring=True` stores it under the package's name; without it the keyring is not touched."""
    kept = {}
    fake = types.ModuleType("keyring")
    fake.set_password = lambda service, user, key: kept.update({(service, user): key})
    monkeypatch.setitem(sys.modules, "keyring", fake)
    vidu.login(KEY)
    assert kept == {}
    vidu.login(KEY, keyring=True)
    assert kept == {("vidu-nb", "segmind"): KEY}


def test_what_a_service_echoes_is_blotted_out():
    """Every copy of the key goes from what is shown or kept; a key of a letter or two would take the text with it."""
    assert Secret(KEY).scrub(f"bad key {KEY}: {KEY}".encode()) == b"bad key ***: ***"
    assert Secret("k").scrub(b"kept") == b"kept"


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
