"""A line for a person, in a terminal or in a notebook."""

from __future__ import annotations

import contextlib
import io
import sys
import types

from vidu_nb.console import tell


def test_a_module_that_another_thread_is_importing_harms_no_line(monkeypatch):
    """IPython is asked only once it is whole: before that, this is no notebook."""
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed):
        tell("a line for a person")
    assert printed.getvalue() == "a line for a person\n"
