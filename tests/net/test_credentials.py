"""Where a key comes from, and that nothing shows it."""

from __future__ import annotations

import base64
import getpass
import pickle
import re
import sys
import traceback
import types

import pytest
from faults import KEY, FaultServer
from IPython.core.ultratb import VerboseTB

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
def test_what_is_no_key_is_refused_without_being_shown(text):
    """The error tells the form of a key, never the text that was given."""
    with pytest.raises(errors.InvalidRequest, match="one line of printable ASCII") as caught:
        Secret.from_text(text)
    assert not text.strip() or text.strip() not in str(caught.value)


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


def test_a_secret_is_never_shown_nor_pickled():
    """Neither repr, str nor format show a key, and pickling is refused."""
    secret = Secret(KEY)
    assert KEY not in f"{secret} {secret!r} {[secret]} {vars(vidu.Client(KEY))}"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(secret)


def test_what_a_service_echoes_is_blotted_out():
    """Plain, base64, hex and URL-encoded copies of the key go from what is shown or kept."""
    secret = Secret("SG_a/key+with=signs")
    raw = secret.reveal().encode()
    coded = [base64.b64encode(before + raw + b" and more") for before in (b"", b"a", b"ab")]
    said = b" ".join([raw, raw.hex().encode(), b"SG_a%2Fkey%2Bwith%3Dsigns", *coded])
    left = secret.scrub(said).split()
    assert left[:3] == [b"***"] * 3
    assert all(re.fullmatch(rb".{0,4}\*\*\*.{12,16}", piece) for piece in left[3:]), left


@pytest.mark.parametrize(
    "fault", ["reset_after_body", "status_401_quotes_key", "garbage", "refuse", "tls_close", "headers_cut"]
)
def test_no_traceback_shows_the_key(fault):
    """Neither a plain traceback nor IPython's Verbose one, which prints every frame's variables, holds the key."""
    with FaultServer() as server:
        client = vidu.Client(KEY, server.url(fault), timeout=5, notify=lambda _line: None)
        request = vidu.VideoRequest(prompt=f"A cat [fault:{fault}]", references="https://example.com/cat.png")
        try:
            client.generate(request)
        except errors.ViduError as error:
            shown = "".join(traceback.format_exception(error))
            verbose = re.sub(r"\x1b\[[\d;]*m", "", VerboseTB().text(type(error), error, error.__traceback__))
            parts = [shown, verbose, repr(error), repr(error.args), repr(error.__cause__), repr(error.__context__)]
        else:
            pytest.fail("the call was to fail")
    assert len(verbose) > 500
    assert not [part for part in parts if KEY in part]


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
