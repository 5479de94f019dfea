"""A line for a person, in a terminal or in a notebook."""

from __future__ import annotations

import sys
from typing import Any

_said: set[str] = set()


def say_once(text: str) -> None:
    """Tell a person once a process."""
    if text not in _said:
        _said.add(text)
        tell(text)


def tell(text: str) -> None:
    """Print for a person; a notebook shows standard error as if something had failed, so not there."""
    print(text, file=sys.stdout if running_shell() else sys.stderr)


def running_shell() -> Any:
    """IPython's shell, None where there is none; IPython is not imported for it."""
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)  # not there yet while another thread imports it
    return get() if get else None
