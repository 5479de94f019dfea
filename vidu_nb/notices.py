"""A line for a person, in a terminal or in a notebook."""

from __future__ import annotations

import sys

_said: set[str] = set()


def say_once(text: str) -> None:
    """Tell a person once a process."""
    if text not in _said:
        _said.add(text)
        tell(text)


def tell(text: str) -> None:
    """Print for a person; a notebook shows standard error as if something had failed, so not there."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    print(text, file=sys.stdout if shell else sys.stderr)
