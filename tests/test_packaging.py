"""What is installed, where it can be imported, what Binder is told; `make wheel-check binder-check` do more."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from common import ROOT

import vidu_nb as vidu
from vidu_nb._version import HOMEPAGE

BINDER = ROOT / "binder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

#: Every public name, and a request, with the network watched.
IMPORT_ALL = """
import sys
def refuse(event, _):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise SystemExit(f"reached for the network: {event}")
sys.addaudithook(refuse)
import vidu_nb
for name in vidu_nb.__all__:
    getattr(vidu_nb, name)
print(vidu_nb.VideoRequest(prompt="A cat", references="https://example.com/cat.jpg").seed)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(ROOT)]
    subprocess.run(pip, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as opened:
        yield opened


def test_the_project_has_one_owner():
    """The page that calls name as their contact is that of the repository that Binder builds."""
    [binder] = re.findall(r"mybinder\.org/v2/gh/([^/]+/[^/]+)/", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert f"https://github.com/{binder}" == HOMEPAGE


def test_what_is_tested_is_what_gets_installed():
    """Where CI is set, the other tests run against an installed wheel; elsewhere against this checkout."""
    installed = Path(vidu.__file__).is_relative_to(sysconfig.get_path("purelib"))
    assert installed == bool(os.environ.get("CI"))


def test_the_wheel_holds_the_front_end_and_the_notebooks(wheel: zipfile.ZipFile):
    """Every module, script, style and notebook is in the wheel, and so is the marker for types."""
    names = set(wheel.namelist())
    house = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "vidu_nb").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    endings = (".js", ".css", ".html", ".svg", ".py", ".toml", ".typed")
    assert {name for name in house if name.endswith(endings)} <= names
    assert {f"vidu_nb/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")} <= names


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile):
    """No clip that a notebook left behind, no test and no tool gets into the wheel, which stays under 3 MB."""
    known = re.compile(r"vidu_nb/.*\.(py|js|css|html|svg|toml|typed|ipynb)")
    odd = [name for name in wheel.namelist() if not known.fullmatch(name)]
    assert all(".dist-info/" in name for name in odd), odd
    assert "vidu_nb/notebooks/tidy.py" not in wheel.namelist()
    assert sum(entry.compress_size for entry in wheel.infolist()) < 3_000_000


def test_the_installed_package_finds_its_notebooks(wheel: zipfile.ZipFile, tmp_path: Path):
    """Outside of a checkout the example notebooks come from the package itself."""
    wheel.extractall(tmp_path / "site")
    code = "from vidu_nb.commands.lab import copy_notebooks; print(len(copy_notebooks('class')[0]))"
    env = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert int(told.stdout) == len(list((tmp_path / "class").glob("*.ipynb"))) >= 5


def test_it_imports_with_no_home_no_display_no_network_and_nowhere_to_write(tmp_path: Path):
    """All public names import where HOME can't exist, the working folder is gone and no screen is there."""
    gone = tmp_path / "gone"
    gone.mkdir()
    bare = {
        "PATH": os.environ["PATH"],
        "HOME": "/dev/null/home",  # not even root can make it
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    start = "import os, sys; os.rmdir(os.getcwd()); exec(sys.argv[1])"
    told = subprocess.run(
        [sys.executable, "-P", "-c", start, IMPORT_ALL], cwd=gone, env=bare, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "42\n", "")


def test_binder_gets_a_python_that_the_package_takes():
    """runtime.txt is the one line that repo2docker parses, and names an allowed Python."""
    version = re.fullmatch(r"python-3\.(\d+)\n", (BINDER / "runtime.txt").read_text())
    assert version
    assert int(version[1]) >= int(PROJECT["requires-python"].removeprefix(">=3."))


def test_binder_installs_this_package_with_extras_that_exist():
    """Binder's requirements name the checkout with extras that exist, pinned versions, and a newer kernel."""
    lines = [line.partition("#")[0].strip() for line in (BINDER / "requirements.txt").read_text().splitlines()]
    assert "-c ../constraints.txt" in lines
    extras = re.search(r"^-e \.\[(.+)\]$", "\n".join(lines), re.MULTILINE)
    assert extras
    assert set(extras[1].split(",")) <= set(PROJECT["optional-dependencies"])
    kernel = re.search(r"^ipykernel==(\d+)\.(\d+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert kernel
    assert (int(kernel[1]), int(kernel[2])) >= (7, 1)


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_binder_scripts_can_run(name: str):
    """Both scripts are executable and sound; one stops at a fault, the other ends as what it was asked to start."""
    script = BINDER / name
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert ("set -euo pipefail" in text) == (name == "postBuild")
    assert text.endswith('exec "$@"\n') == (name == "start")


def test_binder_links_open_notebooks_that_exist():
    """Where the README links to Binder, it names a notebook of this repository."""
    for path in re.findall(r"mybinder\.org/\S+?urlpath=lab/tree/([^\s)]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / path).is_file()


@pytest.mark.usefixtures("paid")
def test_the_download_notebook_packs_clips_with_their_recipes(ipython, tmp_path: Path, photo):
    """What Binder puts beside the examples exports every clip of the archive and zips them."""
    asked = vidu.VideoRequest(prompt="A cat", references=photo)
    vidu.Client.from_env(archive="vidu_archive").generate(asked)
    cells = json.loads((BINDER / "00_download_your_clips.ipynb").read_text(encoding="utf-8"))["cells"]
    for code in ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"):
        ipython.run_cell(code).raise_error()
    with zipfile.ZipFile(tmp_path / "clips.zip") as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".mp4")]
        packed.extract(name, tmp_path)
    assert vidu.load(tmp_path / name).request == asked
