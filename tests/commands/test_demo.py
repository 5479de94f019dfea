"""The examples as people get them: `vidu-nb demo`, and notebooks that want no more than `vidu-nb lab` brings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import vidu_nb as vidu
from vidu_nb.commands.cli import main
from vidu_nb.commands.demo import example_notebooks


def test_the_demo_leaves_a_clip_a_notebook_and_a_page(tmp_path, monkeypatch, capsys):
    """`vidu-nb demo` makes what the front page promises, with no key: a clip, the notebook executed, a page of it."""
    monkeypatch.delenv("VIDU_NB_ARCHIVE")  # as it is for people
    assert main(["demo", "shown", "--json"]) == 0
    made = {name: Path(path) for name, path in json.loads(capsys.readouterr().out).items()}
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in made.items()} == {
        "clip": "shown/demo.mp4",
        "notebook": "shown/01_quickstart.ipynb",
        "html": "shown/01_quickstart.html",
    }
    assert vidu.load(made["clip"]).is_preview
    cells = json.loads(made["notebook"].read_text())["cells"]
    assert any(cell.get("outputs") for cell in cells)
    assert "<video" in made["html"].read_text()


def test_the_notebook_of_sweeps_needs_no_pandas(tmp_path):
    """Its tables are text where pandas is not installed, as on Binder; every cell runs."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "pandas.py").write_text("raise ImportError('not here')")
    env = os.environ | {"PYTHONPATH": str(tmp_path / "without")}
    notebook = example_notebooks() / "06_sweeps_and_budgets.ipynb"
    command = ["jupyter", "nbconvert", "--to=notebook", "--execute", "--output-dir=.", "--log-level=ERROR", notebook]
    subprocess.run([sys.executable, "-m", *command], env=env, check=True, timeout=200)
    cells = json.loads((tmp_path / notebook.name).read_text())["cells"]
    shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", ())]
    assert any("".join(data.get("text/plain", "")).startswith("seed  state") for data in shown)
