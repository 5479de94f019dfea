"""A widget's page: plain files, joined to one module, in which no name stands twice."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from vidu_nb.panels.panel import Panel
from vidu_nb.widgets import front
from vidu_nb.widgets.front import module, style
from vidu_nb.widgets.synchroniser import Synchroniser
from vidu_nb.widgets.tray import ReferenceTray

_NAME = re.compile(r"^(?:export )?(?:async )?(?:const|let|var|function\*?|class) (\w+)", re.MULTILINE)
WIDGETS = [Panel, ReferenceTray, Synchroniser]


def source(file: str) -> str:
    """A file as it is written."""
    return (Path(front.__file__).parent / f"{file}.js").read_text("utf-8")


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda one: one.__name__)
def test_files_that_are_joined_share_no_name(widget):
    """A name that two files have at their top would keep the page from loading any of it."""
    names = Counter(name for file in widget.files for name in _NAME.findall(source(file)))
    assert len(names) > 2
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda one: one.__name__)
def test_the_last_file_alone_exports_and_none_imports(widget):
    """An output has no address from which a page could import another file."""
    *others, last = map(source, widget.files)
    assert len(re.findall(r"^export default ", last, re.MULTILINE)) == 1
    assert not re.findall(r"^(?:export|import)\b", "\n".join(others), re.MULTILINE)
    assert not re.findall(r"^import\b", last, re.MULTILINE)


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda one: one.__name__)
def test_comments_and_indentation_stay_out_of_notebooks(widget):
    """A notebook keeps a copy of each panel's page: every statement of it, and no line for its readers."""
    lines = (module(widget.files) + "\n" + style((*widget.looks, *widget.files))).splitlines()
    assert [line for line in lines if not line or line != line.strip() or line.startswith(("//", "/*"))] == []
    for file in widget.files:
        assert all(name in module([file]) for name in _NAME.findall(source(file)))


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda one: one.__name__)
def test_a_page_fetches_nothing_from_elsewhere(widget):
    """The only addresses in it are a name space's and the beginnings that a person is shown."""
    addresses = re.findall(r"https?://[\w.-]+", module(widget.files) + style(widget.files))
    assert set(addresses) <= {"http://www.w3.org", "https://..."}
