"""Stopping a preview that nobody waits for any more."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ViduError

Question = Callable[[], bool]
"""Whether the work should stop; asked often, so it should answer at once."""


class Cancelled(ViduError):
    """The preview was stopped before it was done."""


def check(cancelled: Question | None) -> None:
    """Raise `Cancelled` where the answer is yes.

    >>> check(None), check(lambda: False)
    (None, None)
    """
    if cancelled is not None and cancelled():
        raise Cancelled("the preview was cancelled", remedy="Start it again: previews are free.")
