"""A Jupyter toolkit for Vidu Q1 Reference to Video: from a prompt and pictures to a clip that plays inline.

    import vidu_nb as vidu

    vidu.generate("A cat naps. Then it looks up.", "cat.jpg")

With no API key the free local preview engine answers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from . import errors as errors
    from .archive import Archive as Archive
    from .client import Client as Client
    from .compare.presence import consistency as consistency
    from .compare.ratios import framing as framing
    from .compare.reproduction import reproduces as reproduces
    from .keys import login as login
    from .keys import logout as logout
    from .panels.panel import panel as panel
    from .receipt import Receipt as Receipt
    from .references import Reference as Reference
    from .request import VideoRequest as VideoRequest
    from .shorthand import generate as generate
    from .shorthand import preview as preview
    from .sweeps.launch import sweep as sweep
    from .sweeps.plan import Plan as Plan
    from .video import Video as Video
    from .video import load as load
    from .widgets.showing import show as show

#: Where each public name lives; importing a name imports its module, so that `import vidu_nb` itself costs nothing.
_HOMES = {
    "Archive": "archive",
    "Client": "client",
    "Plan": "sweeps.plan",
    "Receipt": "receipt",
    "Reference": "references",
    "Video": "video",
    "VideoRequest": "request",
    "consistency": "compare.presence",
    "errors": "errors",
    "framing": "compare.ratios",
    "generate": "shorthand",
    "load": "video",
    "login": "keys",
    "logout": "keys",
    "panel": "panels.panel",
    "preview": "shorthand",
    "reproduces": "compare.reproduction",
    "show": "widgets.showing",
    "sweep": "sweeps.launch",
}

__all__ = [
    "Archive",
    "Client",
    "Plan",
    "Receipt",
    "Reference",
    "Video",
    "VideoRequest",
    "consistency",
    "errors",
    "framing",
    "generate",
    "load",
    "login",
    "logout",
    "panel",
    "preview",
    "reproduces",
    "show",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_HOMES[name]}", __name__)
    value = module if name == _HOMES[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def load_ipython_extension(shell: Any) -> None:
    """What ``%load_ext vidu_nb`` calls: gives the shell the cell magic ``%%vidu``."""
    from .magic import register

    register(shell)
