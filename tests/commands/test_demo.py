"""The examples as people get them: `vidu-nb demo`, and notebooks that want no more than `vidu-nb lab` brings."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
from common import ROOT

import vidu_nb as vidu
from vidu_nb.commands.demo import QUICKSTART, example_notebooks, run_demo

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def beginning(tmp_path):
    """The quickstart notebook up to its first clip: `make notebooks` runs the rest."""
    notebook = json.loads((example_notebooks() / QUICKSTART).read_text(encoding="utf-8"))
    code = [index for index, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"]
    notebook["cells"] = notebook["cells"][: code[2]]
    for cell in (cell for cell in notebook["cells"] if cell["cell_type"] == "code"):
        cell["outputs"] = []
    (tmp_path / QUICKSTART).write_text(json.dumps(notebook), encoding="utf-8")
    return tmp_path / QUICKSTART


def test_the_demo_leaves_a_clip_a_notebook_and_a_page(tmp_path, monkeypatch, beginning):
    """`run_demo` makes what the front page promises, with no key: a clip, the notebook executed, a page of it."""
    monkeypatch.delenv("VIDU_NB_ARCHIVE")  # as it is for people
    steps = []
    made = run_demo(Path("shown"), notebook=beginning, notify=steps.append)
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in made.items()} == {
        "clip": "shown/demo.mp4",
        "notebook": "shown/01_quickstart.ipynb",
        "html": "shown/01_quickstart.html",
    }
    assert steps[-1] == "Executing 01_quickstart.ipynb ..."
    assert vidu.load(made["clip"]).is_preview
    cells = json.loads(made["notebook"].read_text())["cells"]
    assert any(cell.get("outputs") for cell in cells)
    assert "<video" in made["html"].read_text()


@pytest.mark.parametrize("absent", [["nbconvert"], ["nbclient", "nbconvert", "ipykernel"]], ids=" ".join)
def test_without_jupyter_the_demo_is_its_clip(command, tmp_path, monkeypatch, absent):
    """With the bare package, `vidu-nb demo` makes the clip, tells how to get the notebook as well, and ends well."""
    for name in absent:
        monkeypatch.setitem(sys.modules, name, None)
    ended = command("demo", "shown", "--json")
    assert ended.status == 0, ended.err
    made = json.loads(ended.out)
    assert list(made) == ["clip"]
    assert vidu.load(made["clip"]).is_preview
    last = ended.err.splitlines()[-1]
    assert "notebook" in last
    assert f"pip install 'vidu-nb[lab]' (missing: {', '.join(absent)})" in last
    assert not list(tmp_path.rglob("*.ipynb"))


def imported_by(notebook: Path) -> set[str]:
    """The modules that a notebook's cells import."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    nodes = [node for text in code if not text.startswith("%") for node in ast.walk(ast.parse(text))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("notebook", sorted(example_notebooks().glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_imports_only_what_lab_brings(notebook):
    """Each module is there, and comes with `vidu-nb[lab]` as Binder installs it: pandas and Dask, say, do not."""
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *extras["lab"], *extras["plots"]]
    brought = {re.match(r"[\w-]+", line)[0].lower() for line in lines}
    owners = packages_distributions()
    for name in imported_by(notebook):
        assert find_spec(name), f"{name} is not there"
        package = name.partition(".")[0]
        assert package in {"vidu_nb", *sys.stdlib_module_names} or brought & {
            owner.lower() for owner in owners[package]
        }, name
