"""Settings from the environment."""

from __future__ import annotations

import os

from ._version import HOMEPAGE, __version__

ENV_CONTACT = "VIDU_NB_CONTACT"


def setting(name: str) -> str:
    """Return a variable of the environment without white space around it; empty where it is not set.

    Read settings through this alone: a line that mentions `os.environ` and fails shows all of it, the key as well, in
    IPython's Verbose tracebacks. This function's frame is gone by then.

    >>> setting("NO_SUCH_SETTING")
    ''
    """
    return os.environ.get(name, "").strip()


def user_agent() -> str:
    """Return what our calls say of themselves: who we are, where to complain, and by which library.

    Hosts such as Wikimedia refuse programs that name no contact. ``VIDU_NB_CONTACT``, an e-mail address or a page, says
    who runs this one.
    """
    import requests  # ~90 ms, and whoever asks is about to use it

    own = "".join(c for c in setting(ENV_CONTACT) if c.isascii() and c.isprintable() and c not in "()")
    return f"vidu-nb/{__version__} ({'; '.join(filter(None, (HOMEPAGE, own)))}) requests/{requests.__version__}"
