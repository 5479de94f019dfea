"""`vidu-nb lab`: notebooks of one's own, and JupyterLab on them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from served import contents

from vidu_nb.commands.demo import example_notebooks
from vidu_nb.commands.lab import copy_notebooks
from vidu_nb.errors import InvalidRequest, ViduError


def test_what_a_person_changed_stays_as_it_is(tmp_path: Path):
    """A second copy brings back what was removed, and leaves alone what is there, changed or not."""
    copied, kept = copy_notebooks(tmp_path / "class")
    assert [path.name for path in copied] == sorted(path.name for path in example_notebooks().glob("*.ipynb"))
    assert not kept
    copied[0].write_text("my own")
    copied[1].unlink()
    assert copy_notebooks(tmp_path / "class") == (copied[1:2], [copied[0], *copied[2:]])
    assert copied[0].read_text() == "my own"
    assert copied[1].read_bytes() == (example_notebooks() / copied[1].name).read_bytes()


def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path):
    """A file in the folder's place is wrong usage; a folder that can't be made is a failure."""
    (tmp_path / "file").touch()
    with pytest.raises(InvalidRequest, match=r"folder: file is a file; name a folder"):
        copy_notebooks("file")
    with pytest.raises(ViduError, match=r"file/class can't be written to: .*Name another folder\.") as caught:
        copy_notebooks("file/class")
    assert not isinstance(caught.value, InvalidRequest)


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["class"], 1, "JupyterLab is not installed. Install it with: pip install 'vidu-nb[lab]'"),
        (["class", "--port", "70000"], 2, "must be 0 to 65535"),
        (["class", "--browser"], 2, "unrecognized arguments: --browser"),
    ],
)
def test_wrong_usage_and_a_missing_jupyterlab_are_told_in_one_line(
    command, tmp_path: Path, monkeypatch, arguments: list[str], status: int, word: str
):
    """Where JupyterLab can't be imported the pip command is told; in no case is anything copied."""
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", None)
    ended = command("lab", *arguments)
    assert ended.status == status
    assert ended.err.splitlines()[-1].endswith(word)
    assert not (tmp_path / "class").exists()


def test_jupyterlab_serves_the_folder(tmp_path: Path):
    """`vidu-nb lab DIR --no-browser` copies the notebooks, serves them, and ends with status 0 when it is stopped."""
    names = ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    env = os.environ | dict.fromkeys(names, str(tmp_path / "jupyter"))
    command = [sys.executable, "-m", "vidu_nb", "lab", "class", "--no-browser", "--allow-root"]
    with (tmp_path / "log").open("wb") as log:
        lab = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            entries = contents(lab, tmp_path / "jupyter")
        finally:
            lab.terminate()
            status = lab.wait(timeout=120)
    told = (tmp_path / "log").read_text()
    assert status == 0, told
    assert entries == sorted(path.name for path in example_notebooks().glob("*.ipynb"))
    assert told.startswith(f"{len(entries)} notebooks copied to class\n")
    assert "/lab/tree/01_quickstart.ipynb" in told
