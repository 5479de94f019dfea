"""`vidu-nb demo`: a clip, and the quickstart notebook executed."""

from __future__ import annotations

import json
from pathlib import Path

import vidu_nb as vidu
from vidu_nb.cli import main


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
