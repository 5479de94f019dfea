"""The public face: its names, what importing it costs, and the key that nobody sees."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import vidu_nb

NAMES = [
    "Archive", "Budget", "Cast", "Client", "Consistency", "Credits", "Film", "Framing", "Model", "Panel", "Pending",
    "Picture", "Pictures", "Plan", "Player", "PreviewServer", "Receipt", "Reference", "Scene", "Storyboard", "Sweep",
    "Verdict", "Verdicts", "Video", "VideoRequest", "consistency", "dino", "errors", "framing", "generate", "load",
    "login", "logout", "models", "panel", "picture", "preview", "reproduces", "show", "storyboard", "sweep",
]  # fmt: skip
HEAVY = {"anywidget", "numpy", "av", "cv2", "PIL", "requests", "pydantic", "IPython", "ipywidgets"}


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
