"""Libraries of the wrong version: one sentence before anything is rendered, and a command that helps."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest
from common import ROOT

from vidu_nb.errors import ViduError
from vidu_nb.libraries import LIBRARIES, check_library

OLD = '__version__ = "{}"\n'
#: What may stand in a library's place, the module's source, and what the sentence says of it.
WRONG = {
    "OpenCV 4": ("cv2", OLD.format("4.10.0"), "OpenCV 5 or newer is needed, and version 4.10.0 is installed"),
    "OpenCV 4 of a vendor": ("cv2", OLD.format("4.12.0-openvino"), "and version 4.12.0-openvino is installed"),
    "no system library": (
        "cv2", 'raise ImportError("libGL.so.1: cannot open shared object file")', "can't be imported (libGL.so.1: ",
    ),
    "another NumPy": ("cv2", 'raise AttributeError("_ARRAY_API not found")', "imported (_ARRAY_API not found)"),
    "no NumPy": ("cv2", "import numpy_that_is_not_there", "can't be imported (No module named 'numpy_that"),
    "leftovers of OpenCV": ("cv2", "", "can't be imported (module 'cv2' has no attribute '__version__')"),
    "no OpenCV": ("cv2", 'raise ModuleNotFoundError("gone", name="cv2")', "and it is not installed"),
    "PyAV 14": ("av", OLD.format("14.2.0"), "PyAV 18.1 or newer is needed, and version 14.2.0 is installed"),
    "PyAV 18.0": ("av", OLD.format("18.0.0"), "and version 18.0.0 is installed"),
    "no PyAV": ("av", 'raise ModuleNotFoundError("gone", name="av")', "and it is not installed"),
}  # fmt: skip


@pytest.fixture
def with_module(tmp_path):
    """Runs a command of Python's where another module stands in a library's place."""

    def run(module, source, *command):
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / f"{module}.py").write_text(source)
        path = os.pathsep.join([str(tmp_path / "other"), *filter(None, [os.environ.get("PYTHONPATH")])])
        return subprocess.run(
            [sys.executable, *command],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_library_is_in_the_sentence(tmp_path, monkeypatch, wrong):
    """What is there and what is needed, whether it is missing, old or broken."""
    module, source, sentence = WRONG[wrong]
    (tmp_path / f"{module}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, module, raising=False)
    check_library.cache_clear()
    with pytest.raises(ViduError) as caught:
        check_library(module)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("wrong", ["OpenCV 4", "leftovers of OpenCV", "no PyAV"])
def test_a_library_that_is_missing_old_or_broken_is_told_before_rendering(with_module, tmp_path, encoded, wrong):
    """A preview ends with one line: what is there, what is needed, and pip's command; nothing is kept or billed."""
    module, source, sentence = WRONG[wrong]
    (tmp_path / "cat.png").write_bytes(encoded())
    ended = with_module(module, source, "-m", "vidu_nb", "preview", "A cat", "-r", "cat.png")
    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    assert sentence in line
    library = LIBRARIES[module]
    assert f"pip install --force-reinstall --no-deps '{library.package}{library.versions}'" in line
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize(
    "call", ["consistency(clip, 'cat.png')", "framing(v.VideoRequest(prompt='A cat', references='cat.png'))"]
)
def test_measures_say_the_same(with_module, tmp_path, encoded, small_clip, call):
    """Whatever needs the library asks in the same place."""
    (tmp_path / "cat.png").write_bytes(encoded())
    code = f"import vidu_nb as v\nclip = v.load({str(small_clip)!r})\nv.{call}"
    ended = with_module("cv2", OLD.format("4.8.1"), "-c", code)
    assert "ViduError: OpenCV 5 or newer is needed, and version 4.8.1 is installed" in ended.stderr.splitlines()[-1]


def test_a_clip_is_read_by_the_library_that_is_needed(with_module, small_clip):
    """`load` and `show` need PyAV, and say so too."""
    ended = with_module("av", OLD.format("9.0"), "-m", "vidu_nb", "show", str(small_clip))
    assert ended.returncode == 1
    assert "PyAV 18.1 or newer is needed, and version 9.0 is installed" in ended.stderr


def test_a_paid_clip_needs_neither(with_module, paid):
    """A call of the service brings its clip into the archive, whatever is installed for previews."""
    code = "import vidu_nb as v\nprint(v.generate('A cat', 'https://example.com/cat.png').path)"
    ended = with_module("cv2", OLD.format("4.8.1"), "-c", code)
    assert ended.returncode == 0, ended.stderr
    assert len(paid.posts()) == 1


@pytest.mark.parametrize(("module", "source"), [WRONG["OpenCV 4"][:2], WRONG["no PyAV"][:2]], ids=["OpenCV", "PyAV"])
def test_a_command_that_draws_nothing_needs_neither(with_module, module, source):
    """Lists of clips and calls are printed, whatever is installed for previews, and load none of it."""
    ended = with_module(module, source, "-m", "vidu_nb", "archive", "list", "--json")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[]\n", "")


def test_the_versions_are_those_that_pip_is_asked_for():
    """What the sentence names is what pyproject.toml requires."""
    required = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert {f"{one.package}{one.versions}" for one in LIBRARIES.values()} <= set(required)
