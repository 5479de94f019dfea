"""The docstrings' examples run in an empty folder, without the developer's own settings and keys."""

import os

import pytest


@pytest.fixture(autouse=True)
def _clean_place(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("SEGMIND_", "VIDU_NB_", "VSCODE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
