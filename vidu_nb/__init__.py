"""A Jupyter toolkit for paid video models: from a prompt and pictures to a clip that plays inline.

    import vidu_nb as vidu

    vidu.generate("A cat naps. Then it looks up.", "cat.jpg")
    vidu.picture("A lighthouse at dusk")

`generate` asks Vidu Q1 Reference to Video; ``model=`` names another of `vidu.models`. With no API key the free local
preview engine answers.

What stands in `__all__` is public; everything else may be moved or renamed in any release.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from . import errors as errors
    from .animatic.server.server import PreviewServer as PreviewServer
    from .animatic.story.storyboard import Storyboard as Storyboard
    from .api import generate as generate
    from .api import picture as picture
    from .api import preview as preview
    from .api import storyboard as storyboard
    from .catalogue.model import Model as Model
    from .catalogue.models import models as models
    from .client.account import Credits as Credits
    from .client.account import Pending as Pending
    from .client.client import Client as Client
    from .comparison import show as show
    from .films.film import Film as Film
    from .films.loading import load as load
    from .films.measuring import consistency as consistency
    from .films.measuring import framing as framing
    from .films.scene import Scene as Scene
    from .measures.consistency import Consistency as Consistency
    from .measures.embedding import dino as dino
    from .measures.framing import Framing as Framing
    from .measures.reproduction import Verdict as Verdict
    from .measures.reproduction import Verdicts as Verdicts
    from .measures.reproduction import reproduces as reproduces
    from .net.credentials import login as login
    from .net.credentials import logout as logout
    from .panels.panel import Panel as Panel
    from .panels.panel import panel as panel
    from .pictures import Picture as Picture
    from .pictures import Pictures as Pictures
    from .player import Player as Player
    from .receipt import Receipt as Receipt
    from .references.cast import Cast as Cast
    from .references.reference import Reference as Reference
    from .request import VideoRequest as VideoRequest
    from .storage.archive import Archive as Archive
    from .storage.budget import Budget as Budget
    from .sweeps.plan import Plan as Plan
    from .sweeps.result import Sweep as Sweep
    from .sweeps.sweep import sweep as sweep
    from .video import Video as Video

#: Where each public name lives; importing a name imports its module, so that `import vidu_nb` itself costs nothing.
_HOMES = {
    "Archive": "storage.archive",
    "Budget": "storage.budget",
    "Cast": "references.cast",
    "Client": "client.client",
    "Consistency": "measures.consistency",
    "Credits": "client.account",
    "Film": "films.film",
    "Framing": "measures.framing",
    "Model": "catalogue.model",
    "Panel": "panels.panel",
    "Pending": "client.account",
    "Picture": "pictures",
    "Pictures": "pictures",
    "Plan": "sweeps.plan",
    "Player": "player",
    "PreviewServer": "animatic.server.server",
    "Receipt": "receipt",
    "Reference": "references.reference",
    "Scene": "films.scene",
    "Storyboard": "animatic.story.storyboard",
    "Sweep": "sweeps.result",
    "Verdict": "measures.reproduction",
    "Verdicts": "measures.reproduction",
    "Video": "video",
    "VideoRequest": "request",
    "consistency": "films.measuring",
    "dino": "measures.embedding",
    "errors": "errors",
    "framing": "films.measuring",
    "generate": "api",
    "load": "films.loading",
    "login": "net.credentials",
    "logout": "net.credentials",
    "models": "catalogue.models",
    "panel": "panels.panel",
    "picture": "api",
    "preview": "api",
    "reproduces": "measures.reproduction",
    "show": "comparison",
    "storyboard": "api",
    "sweep": "sweeps.sweep",
}

__all__ = [
    "Archive",
    "Budget",
    "Cast",
    "Client",
    "Consistency",
    "Credits",
    "Film",
    "Framing",
    "Model",
    "Panel",
    "Pending",
    "Picture",
    "Pictures",
    "Plan",
    "Player",
    "PreviewServer",
    "Receipt",
    "Reference",
    "Scene",
    "Storyboard",
    "Sweep",
    "Verdict",
    "Verdicts",
    "Video",
    "VideoRequest",
    "consistency",
    "dino",
    "errors",
    "framing",
    "generate",
    "load",
    "login",
    "logout",
    "models",
    "panel",
    "picture",
    "preview",
    "reproduces",
    "show",
    "storyboard",
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
    """Register the cell magic ``%%vidu``; ``%load_ext vidu_nb`` calls this."""
    from .commands.magic import register

    register(shell)
