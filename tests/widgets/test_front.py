"""A widget's page: plain files, joined to one module, in which no name stands twice."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from vidu_nb.panels.panel import Panel
from vidu_nb.widgets.front import module, style
from vidu_nb.widgets.synchroniser import Synchroniser
from vidu_nb.widgets.tray import ReferenceTray

_NAME = re.compile(r"^(?:export )?(?:async )?(?:const|let|var|function\*?|class) (\w+)", re.MULTILINE)
WIDGETS = [Panel, ReferenceTray, Synchroniser]


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda one: one.__name__)
def test_files_that_are_joined_share_no_name(widget):
    """A name that two files have at their top would keep the page from loading any of it."""
    names = Counter(_NAME.findall(module(widget.files)))
    assert len(names) > 2
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda one: one.__name__)
def test_the_last_file_alone_exports_and_none_imports(widget):
    """An output has no address from which a page could import another file."""
    last = module(widget.files[-1:])
    assert len(re.findall(r"^export default ", last, re.MULTILINE)) == 1
    assert not re.findall(r"^(?:export|import)\b", module(widget.files[:-1]), re.MULTILINE)
    assert not re.findall(r"^import\b", last, re.MULTILINE)


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda one: one.__name__)
def test_a_page_fetches_nothing_from_elsewhere(widget):
    """The only addresses in it are a name space's and the beginnings that a person is shown."""
    addresses = re.findall(r"https?://[\w.-]+", module(widget.files) + style(widget.files))
    assert set(addresses) <= {"http://www.w3.org", "https://..."}
