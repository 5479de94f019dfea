"""The key is shown nowhere: by no traceback of whatever fails after it came in, and by no object, file or output."""

from __future__ import annotations

import copy
import getpass
import json
import pickle
import re
import sys
import traceback
import types

import ipywidgets
import pytest
from faults import FaultServer
from IPython.core.ultratb import VerboseTB
from panels import press, send, use

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.commands.cli import main
from vidu_nb.net.credentials import Secret
from vidu_nb.net.transport import Answer
from vidu_nb.panels.snippets import as_curl, as_python, as_requests

KEY = "SG_8f3b1d6e2a7c4950b8e1"
PIECES = [KEY[start : start + 8] for start in range(len(KEY) - 7)]
CAT = "https://example.com/cat.png"


@pytest.fixture(autouse=True)
def _logged_out():
    yield
    vidu.logout()


def is_shown(text):
    """Whether any eight characters of the key, one after another, stand in a text."""
    return any(piece in text for piece in PIECES)


# Tracebacks.


def everything_shown(error):
    """All that a person, a tool or a log could see of an error that our code raised, by the name of what shows it."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next  # the caller's own frame holds what the caller wrote
    assert trace, "no frame of ours is left to look at"
    yield "Verbose", VerboseTB(theme_name="nocolor", include_vars=True).text(type(error), error, trace, context=11)
    yield "pickle", pickle.dumps(error).decode("latin-1")
    for one in chain_of(error):
        yield "text", f"{one} {one!r} {one.args!r} {vars(one)!r}"
        yield "plain", "".join(traceback.format_exception_only(one))
    while trace:
        yield from ((f"the variable {name}", debugged(value)) for name, value in list(trace.tb_frame.f_locals.items()))
        trace = trace.tb_next


def debugged(value):
    """A variable as a debugger shows it, where `__init__` may not be done."""
    try:
        return repr(value)
    except AttributeError:
        return str(getattr(value, "__dict__", ""))


def chain_of(error):
    """An error, and those that it says caused it or happened before."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def assert_unseen(error):
    """Fail with the name of whatever shows the key, not with the key."""
    places = {place for place, text in everything_shown(error) if is_shown(text)}
    assert not places


def given(make):
    """A way in: the key is an argument of `make`."""
    return lambda _patch, text, settings: make(text, settings)


def logged_in(_patch, text, settings):
    vidu.login(text)
    return vidu.Client(**settings)


def typed(patch, text, settings):
    patch.setattr(getpass, "getpass", lambda _prompt: text)
    vidu.login()
    return vidu.Client(**settings)


def from_environment(patch, text, settings):
    patch.setenv("SEGMIND_API_KEY", text)
    return vidu.Client.from_env(**settings)


def keyring_of(**functions):
    """A stand-in for the keyring package."""
    fake = types.ModuleType("keyring")
    fake.__spec__ = types.SimpleNamespace()
    vars(fake).update(functions)
    return fake


def from_keyring(patch, text, settings):
    patch.setitem(sys.modules, "keyring", keyring_of(get_password=lambda *_: text))
    return vidu.Client(**settings)


def from_colab(patch, text, settings):
    colab = types.ModuleType("google.colab")
    colab.userdata = types.SimpleNamespace(get=lambda _: text)
    patch.setitem(sys.modules, "google", types.ModuleType("google"))
    patch.setitem(sys.modules, "google.colab", colab)
    return vidu.Client(**settings)


#: Each way in which a key comes to the package.
WAYS = {
    "Client": given(lambda text, settings: vidu.Client(text, **settings)),
    "Client, by name": given(lambda text, settings: vidu.Client(api_key=text, **settings)),
    "Client.from_env, by name": given(lambda text, settings: vidu.Client.from_env(api_key=text, **settings)),
    "login": logged_in,
    "login, typed": typed,
    "environment": from_environment,
    "keyring": from_keyring,
    "Colab": from_colab,
}

#: What can be wrong beside a good key: settings, and the environment's settings.
WRONG = {
    "mode": ({"mode": "quue"}, {}),
    "uploads": ({"uploads": "nowhere"}, {}),
    "price": ({"price_usd": "half"}, {}),
    "scheme": ({"base_url": "ftp://x"}, {}),
    "plain http": ({"base_url": "http://service.example"}, {}),
    "archive": ({"archive": object()}, {}),
    "price in the environment": ({}, {"VIDU_NB_PRICE_USD": "half"}),
    "address in the environment": ({}, {"SEGMIND_BASE_URL": "ftp://x"}),
}

#: Texts that are no key, though each holds one; and what the sentence says is wrong with it.
MALFORMED = {
    "two words": (f"{KEY} {KEY}", "has a space inside"),
    "a space that does not break": (f"{KEY[:11]}\u00a0{KEY[11:]}", "has a space inside"),
    "a wide space": (f"{KEY[:11]}\u3000{KEY[11:]}", "has a space inside"),
    "a tab": (f"{KEY[:11]}\t{KEY[11:]}", "has a space inside"),
    "two lines": (f"{KEY}\nand more", "has a line break inside"),
    "a wrapped line": (f"{KEY[:11]}\r\n{KEY[11:]}", "has a line break inside"),
    "a line separator": (f"{KEY[:11]}\u2028{KEY[11:]}", "has a line break inside"),
    "a control character": (f"{KEY}\x07", "has a control character in it"),
    "an escape sequence": (f"\x1b[200~{KEY}\x1b[201~", "has a control character in it"),
    "an invisible character inside": (f"{KEY[:11]}\u200b{KEY[11:]}", "has an invisible character inside"),
    "a soft hyphen": (f"{KEY[:11]}\u00ad{KEY[11:]}", "has an invisible character inside"),
    "a curly quote inside": (f"{KEY[:11]}\u2019{KEY[11:]}", "has a character in it that is not ASCII"),
    "a Cyrillic letter": (f"{KEY[:11]}\u0435{KEY[11:]}", "has a character in it that is not ASCII"),
    "half a character": (f"{KEY[:11]}\udce9{KEY[11:]}", "has a character in it that is not ASCII"),
    "a bearer token": (f"Bearer {KEY}", "begins with a name"),
    "a header": (f"x-api-key: {KEY}", "begins with a name"),
    "a header without a space": (f"X-Api-Key:{KEY}", "begins with a name"),
    "a whole header": (f"Authorization: Bearer {KEY}", "begins with a name"),
    "a shell's line": (f'export SEGMIND_API_KEY="{KEY}"', "begins with a name"),
    "a line of .env": (f"SEGMIND_API_KEY={KEY}", "begins with a name"),
    "bytes": (KEY.encode(), "is not text"),
    "a list": ([KEY], "is not text"),
}
#: What comes along when a key is copied, and is dropped.
COPIED = {
    "curly quotes": "\u201c{}\u201d",
    "other curly quotes": "\u2018{}\u2019",
    "low quotes": "\u201e{}\u201c",
    "backticks": "`{}`",
    "an invisible character before": "\ufeff{}",
    "an invisible character after": "{}\u200b",
    "white space": "\u00a0{}\u3000\r\n",
    "all of it": '\u200e "\u201c{}\u201d" \u2060\n',
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("way", WAYS)
def test_no_wrong_setting_shows_a_good_key(way, wrong, monkeypatch):
    """However the key came in: what fails beside it shows it in no frame, text or pickle."""
    settings, environment = WRONG[wrong]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises((errors.InvalidRequest, TypeError)) as caught:
        WAYS[way](monkeypatch, KEY, settings)
    assert_unseen(caught.value)


TEXT_ONLY = ("login, typed", "environment", "keyring", "Colab")


@pytest.mark.parametrize(
    ("way", "malformed"),
    [
        (way, name)
        for way in WAYS
        for name, (text, _) in MALFORMED.items()
        if isinstance(text, str) or way not in TEXT_ONLY
    ],
)
def test_no_malformed_key_is_shown(way, malformed, monkeypatch):
    """It is refused in one line that tells what is wrong with it and the cure, and never what was given."""
    text, problem = MALFORMED[malformed]
    with pytest.raises(
        errors.InvalidRequest, match=rf"^api_key: {problem}.* one line of printable ASCII.*copy it"
    ) as caught:
        WAYS[way](monkeypatch, text, {})
    assert "\n" not in str(caught.value)
    assert_unseen(caught.value)


@pytest.mark.parametrize("copied", COPIED)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_copied_along_with_a_key_is_dropped(way, copied, monkeypatch):
    """Quotes of any kind, white space and invisible characters around it are no part of a key."""
    client = WAYS[way](monkeypatch, COPIED[copied].format(KEY), {})
    assert client._session.engine.key.reveal() == KEY


@pytest.mark.parametrize("failure", [LookupError(KEY), KeyboardInterrupt(), SystemExit(3), None], ids=repr)
def test_a_keyring_that_fails_shows_no_key(failure, monkeypatch):
    """The system's backends hold it in their frames and may tell it in their errors; nothing is kept then."""

    def set_password(_service, _user, password):
        _ = password
        raise failure

    monkeypatch.setitem(sys.modules, "keyring", failure and keyring_of(set_password=set_password))
    with pytest.raises((errors.ViduError, KeyboardInterrupt, SystemExit)) as caught:
        vidu.login(KEY, keyring=True)
    assert_unseen(caught.value)
    assert vidu.Client().is_free


FAILURES = ["reset_after_body", "status_401_quotes_key", "garbage", "refuse", "tls_close", "headers_cut"]


@pytest.mark.parametrize("fault", FAILURES)
@pytest.mark.parametrize("way", ["Client", "environment"])
def test_no_failed_call_shows_the_key(way, fault, monkeypatch):
    """Refused, reset, answered with nonsense, or with the key itself: no frame of the call holds it."""
    with FaultServer() as server:
        client = WAYS[way](monkeypatch, KEY, {"base_url": server.url(fault), "timeout": 5, "notify": len})
        with pytest.raises(errors.ViduError) as caught:
            client.generate(vidu.VideoRequest(prompt=f"A cat [fault:{fault}]", references=CAT))
    assert_unseen(caught.value)


# Objects, files and outputs.


@pytest.fixture
def service(monkeypatch):
    """A service that knows the key from the environment."""
    with FaultServer() as server:
        monkeypatch.setenv("SEGMIND_API_KEY", KEY)
        monkeypatch.setenv("SEGMIND_BASE_URL", server.root)
        yield server


def with_parts(thing, depth=3):
    """The texts of an object and of its parts."""
    yield f"{thing} {thing!r} {[thing]}"
    for part in vars(thing).values() if depth and hasattr(thing, "__dict__") else ():
        yield from with_parts(part, depth - 1)


def secret(_folder):
    key = Secret.from_text(KEY)
    yield from (f"{key}", f"{key!r}", f"{[key]}", f"{key:}", str({"key": key}))


def client(_folder):
    yield from with_parts(vidu.Client(KEY))


def answer(_folder):
    yield repr(Answer(401, {"x-echo": KEY}, KEY.encode(), 0.1))


def archive(folder):
    for prompt in ("A cat", "A cat [fault:status_401_quotes_key]", "A cat [fault:reset_after_body]"):
        try:
            vidu.generate(prompt, CAT).save(folder / "saved.mp4")
        except errors.ViduError as error:
            yield str(error)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    yield from (path.read_bytes().decode("latin-1") for path in files)
    yield from map(str, files)


def panel(_folder):
    shown, told = vidu.panel(prompt="A cat", references=CAT), []
    shown.observe(lambda change: told.append(f"{change['new']!r}"))  # all that a page or a person was ever told
    press(shown, "Generate")
    told += [str(use(shown, "code", language=one)) for one in ("Python", "curl", "requests")]
    told += [str(use(shown, tool, name="copy.mp4")) for tool in ("save", "film", "continue")]
    told.append(repr(shown.film))
    shown.fill(prompt="A cat [fault:status_401_quotes_key]")
    press(shown, "Generate")
    assert isinstance(shown.error, errors.Unauthorized)
    told.append(str(send(shown, "press", button="again", price=1)))
    yield from (repr(shown), *told, str(shown.error))
    yield json.dumps(ipywidgets.Widget.get_manager_state(), default=str)


def snippets(_folder):
    request = vidu.VideoRequest(prompt="A cat", references=CAT)
    yield from (write(request, None) for write in (as_python, as_requests, as_curl))


def sweep(_folder):
    swept = vidu.sweep(["A cat", "A cat [fault:status_401_quotes_key]"], CAT, confirm=True)
    yield from (repr(swept), repr(swept.rows()), repr(swept.failed), repr(swept.plan), repr(swept._repr_mimebundle_()))


def command_line(_folder):
    main(["sweep", "A cat", "A cat [fault:status_401_quotes_key]", "-r", CAT, "--yes", "--json"])
    main(["credits"])
    yield ""


@pytest.mark.parametrize(
    "thing", [secret, client, answer, archive, panel, snippets, sweep, command_line], ids=lambda thing: thing.__name__
)
@pytest.mark.usefixtures("service")
def test_nothing_shows_the_key(thing, tmp_path, capsys):
    """Whatever form Python, a notebook, a file manager or a terminal offers for it."""
    shown = "\n".join(thing(tmp_path)) + "".join(capsys.readouterr())
    assert shown.strip()
    assert not is_shown(shown), re.sub("|".join(PIECES), "<HERE>", shown)[:2000]


@pytest.mark.parametrize("carry", [pickle.dumps, copy.deepcopy], ids=["pickle", "deepcopy"])
@pytest.mark.parametrize("thing", [Secret.from_text, vidu.Client], ids=["key", "client"])
def test_a_key_is_never_pickled(thing, carry):
    """A key can't be carried into a file or another process by accident."""
    with pytest.raises(TypeError, match=r"never pickled|cannot pickle") as caught:
        carry(thing(KEY))
    assert not is_shown(str(caught.value))
