"""The public face: its names, what importing it costs, and the key that nobody sees."""

from __future__ import annotations

import copy
import io
import json
import pickle
import subprocess
import sys

import pytest

import vidu_nb
from vidu_nb import Client
from vidu_nb.net.credentials import Secret

NAMES = [
    "Archive", "Budget", "Client", "Consistency", "Credits", "Framing", "Panel", "Pending", "Plan", "Player",
    "PreviewServer", "Receipt", "Reference", "Storyboard", "Sweep", "Verdict", "Verdicts", "Video", "VideoRequest",
    "consistency", "dino", "errors", "framing", "generate", "load", "login", "logout", "panel", "preview",
    "reproduces", "show", "storyboard", "sweep",
]  # fmt: skip
HEAVY = {"anywidget", "numpy", "av", "cv2", "PIL", "requests", "pydantic", "IPython", "ipywidgets"}
KEY = "SG_0123456789abcdef"


def test_the_public_names_are_pinned():
    """The list of public names changes only together with this one."""
    assert sorted(vidu_nb.__all__) == NAMES


@pytest.mark.parametrize("name", vidu_nb.__all__)
def test_every_public_name_is_there(name):
    """Each public name can be imported and is listed by dir()."""
    assert getattr(vidu_nb, name) is not None
    assert name in dir(vidu_nb)


def test_an_unknown_name_is_an_attribute_error():
    """A name that is not there is told the way Python does."""
    with pytest.raises(AttributeError, match=r"vidu_nb.*'genrate'"):
        _ = vidu_nb.genrate


def test_importing_costs_nothing():
    """`import vidu_nb` loads none of the heavy libraries."""
    code = "import json, sys, vidu_nb; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(told.stdout))


def test_a_key_is_never_shown():
    """Neither a client's nor a key's own text, in any form that Python offers, holds the key."""
    client = Client(api_key=KEY, base_url="https://api.segmind.com")
    secret = Secret.from_text(KEY)
    for shown in (repr(client), str(client), f"{client!r}", repr(secret), str(secret), f"{secret}", f"{[secret]}"):
        assert KEY not in shown


@pytest.mark.parametrize("carry", [pickle.dumps, copy.deepcopy], ids=["pickle", "deepcopy"])
def test_a_key_is_never_pickled(carry):
    """A key can't be carried into a file or another process by accident."""
    with pytest.raises(TypeError, match="never pickled") as caught:
        carry(Secret.from_text(KEY))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "two words", "schlüssel", KEY + "\x07"])
def test_a_malformed_key_is_refused_unseen(text):
    """A key that can't be one is refused in one line, with the cure, and without showing it."""
    with pytest.raises(vidu_nb.errors.InvalidRequest, match="api_key: ") as caught:
        Client(api_key=text)
    assert "\n" not in str(caught.value)
    assert not text.strip() or text not in str(caught.value)


def test_a_pasted_key_is_taken_without_its_wrapping():
    """Quotes, blanks and a line end around a pasted key don't matter."""
    assert Secret.from_text(f' "{KEY}"\r\n').reveal() == KEY


def test_every_error_survives_a_trip_between_processes():
    """An error that is pickled comes back with its text, its bill and its advice."""
    error = vidu_nb.errors.api_error(503, "gone", request_id="r")
    back = pickle.load(io.BytesIO(pickle.dumps(error)))
    assert (type(back), str(back), back.billed, back.status) == (type(error), str(error), "unknown", 503)
