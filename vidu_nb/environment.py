"""Settings from the environment."""

from __future__ import annotations

import os


def setting(name: str) -> str:
    """Return a variable of the environment without white space around it; empty where it is not set.

    Read settings through this alone: a line that mentions `os.environ` and fails shows all of it, the key as well, in
    IPython's Verbose tracebacks. This function's frame is gone by then.

    >>> setting("NO_SUCH_SETTING")
    ''
    """
    return os.environ.get(name, "").strip()
