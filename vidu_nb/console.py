"""Print for a person, in a terminal or in a notebook; the one way in which a text from outside reaches a terminal."""

from __future__ import annotations

import contextlib
import sys
import unicodedata
from typing import Any, TextIO

_shown: set[str] = set()
_JOINERS = "\u200c\u200d"  # invisible, and needed: by emoji that are made of several, and by some scripts


def print_once(text: str) -> None:
    """Print a line once a process."""
    if text not in _shown:
        _shown.add(text)
        print_line(text)


def print_line(text: str) -> None:
    """Print a line for a person; a notebook shows standard error as if something had failed, so not there."""
    write(text, sys.stdout if running_shell() else sys.stderr)


def write(text: object, file: TextIO | None = None) -> None:
    """Print a text that may come from outside: no control sequence gets through, no character is too strange.

    Parameters
    ----------
    text
        Lines of text; their ends and tabs stay.
    file
        Where to; defaults to standard output. What its encoding lacks is replaced by ``?``.

    Raises
    ------
    OSError
        Standard output can't be written: results would be lost. Elsewhere stand notes and errors, and a call that may
        be paid for doesn't fail because nobody reads them.
    """
    target = file or sys.stdout
    plain = printable(str(text), keep="\n\t")
    with contextlib.suppress(LookupError):  # an encoding that Python doesn't know: left to the stream
        encoding = getattr(target, "encoding", None) or "utf-8"
        plain = plain.encode(encoding, "replace").decode(encoding)
    try:
        print(plain, file=target, flush=True)
    except OSError:
        if target is sys.stdout:
            raise


def printable(text: str, *, keep: str = "") -> str:
    r"""Return a text with everything escaped that a terminal would act on, or that hides what stands there.

    Control characters, line ends, text-direction overrides, invisible characters and halves of characters come out as
    ``\x1b``, ``\n``, ``\u202e``; letters, symbols and emoji of all scripts stay.

    >>> printable("red: \x1b[31m, reversed: \u202e")
    'red: \\x1b[31m, reversed: \\u202e'
    """
    return "".join(_escaped(one) if one not in keep and _is_active(one) else one for one in text)


def _is_active(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in _JOINERS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def running_shell() -> Any:
    """Return IPython's shell, None where there is none; IPython is not imported for it."""
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)  # not there yet while another thread imports it
    return get() if get else None


def dollars(usd: float) -> str:
    """Format US dollars: with their cents, and with what is less than a cent where there are few.

    >>> dollars(0.5), dollars(1234.5), dollars(0.0225), dollars(3 * 0.008), dollars(0)
    ('$0.50', '$1,234.50', '$0.0225', '$0.024', '$0.00')
    """
    return f"${usd:,.2f}" if round(usd, 2) == round(usd, 4) or usd >= 0.1 else f"${usd:.3g}"
