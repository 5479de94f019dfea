"""Where the notebook is: which front end shows it, and whether a link from it reaches a clip.

`deliver` decides, and is a pure function of a `Place`; `current_place` looks around for one.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, NamedTuple
from urllib.parse import quote

from .console import print_once, running_shell
from .environment import setting
from .files import working_folder
from .folders import is_archive

ENV_PLAYER = "VIDU_NB_PLAYER"
_CHOICES = ("auto", "link", "embed")

#: Hosted notebooks whose outputs reach no file beside the notebook, each with a variable that is set there.
_HOSTED = {
    "Colab": "COLAB_RELEASE_TAG",
    "Kaggle": "KAGGLE_KERNEL_RUN_TYPE",
    "Databricks": "DATABRICKS_RUNTIME_VERSION",
    "Deepnote": "DEEPNOTE_PROJECT_ID",
    "Datalore": "DATALORE_USER",
    "Hex": "HEX_PROJECT_ID",
    "nteract": "NTERACT_EXE",
}

_HIDDEN = "it is in a hidden folder, which Jupyter does not serve"
_LED_OUT = "a symbolic link leads out of the folder that Jupyter serves"
_OUTSIDE = "it lies outside of the notebook's folder"
_REASONS = (_HIDDEN, _LED_OUT, _OUTSIDE)  # what a user can change comes first


@dataclass(frozen=True)
class Place:
    """What is known of where the notebook is.

    Attributes
    ----------
    player : str
        ``"auto"``, or what `ENV_PLAYER` decides: ``"link"`` or ``"embed"``.
    front_end : str
        The name of a front end that plays no links; empty for any other.
    folders : tuple of pathlib.PurePath
        The notebook's folder as the front end spells it, then with symbolic links resolved; empty where it is unknown.
    roots : tuple of pathlib.PurePath
        The file server's root in the same spellings; empty where it is unknown.
    """

    player: str = "auto"
    front_end: str = ""
    folders: tuple[PurePath, ...] = ()
    roots: tuple[PurePath, ...] = ()


class Delivery(NamedTuple):
    """How a clip gets into the notebook.

    Attributes
    ----------
    link : str
        A relative URL; empty for a copy.
    reason : str
        Why it is a copy, in a few words.
    """

    link: str
    reason: str = ""


def deliver(clip: tuple[PurePath, ...], place: Place) -> Delivery:
    """Decide between a link to a clip and a copy of it.

    A link is tried as it is spelled: a symbolic link beside the notebook leads to a clip on another disk. Where a
    Jupyter Server is known to run the kernel, what it opens in the end must lie below its root as well, and be hidden
    nowhere: Tornado resolves symbolic links since 6.5.9.

    Parameters
    ----------
    clip
        The clip's absolute path as it is spelled, then with symbolic links resolved.
    place
        Where the notebook is.

    >>> here = Place(folders=(PurePath("/home/me/work"),))
    >>> deliver((PurePath("/home/me/work/clips/16:9.mp4"),), here)
    Delivery(link='clips/16%3A9.mp4', reason='')
    >>> deliver((PurePath("/srv/clips/a.mp4"),), here)
    Delivery(link='', reason="it lies outside of the notebook's folder")
    """
    if place.player == "embed":
        return Delivery("", f"{ENV_PLAYER}=embed")
    if place.front_end and place.player != "link":
        return Delivery("", f"{place.front_end} plays no links to files")
    if not place.folders:
        return Delivery("", "the notebook's folder is unknown")
    reasons = []
    for folder in place.folders:
        for target in clip:
            link, reason = _link(folder, target, clip[-1], place)
            if link:
                return Delivery(link)
            reasons.append(reason)
    return Delivery("", min(reasons, key=_REASONS.index))


def _link(folder: PurePath, target: PurePath, opened: PurePath, place: Place) -> Delivery:
    """Return a link from one spelling of the folder to one of the clip, empty where it would not play."""
    way, last = _way(folder, target), _way(place.folders[-1], opened)
    if way is None or last is None or ".." in target.parts:
        return Delivery("", _OUTSIDE)
    up, down = way
    if place.player != "link":
        if up and not _is_served(folder, target, place):
            return Delivery("", _OUTSIDE)
        if not all(opened.is_relative_to(root) for root in place.roots[-1:]):
            return Delivery("", _LED_OUT)
        if any(part.startswith(".") for part in (*down, *(last[1] if place.roots else ()))):
            return Delivery("", _HIDDEN)
    return Delivery(quote("/".join((*[".."] * up, *down))))


def _way(folder: PurePath, target: PurePath) -> tuple[int, tuple[str, ...]] | None:
    """Return the steps up from a folder and the names down to a target, None for another drive."""
    for up, above in enumerate((folder, *folder.parents)):
        if target.is_relative_to(above):  # as the system compares: Windows knows no case
            return up, target.relative_to(above).parts
    return None


def _is_served(folder: PurePath, target: PurePath, place: Place) -> bool:
    """Return whether a way up from the notebook's folder stays below the server's root.

    What is above a resolved folder need not be above the notebook: only the front end's own spelling can go up.
    """
    return folder == place.folders[0] and any(
        target.is_relative_to(root) and folder.is_relative_to(root) for root in place.roots
    )


def current_place() -> Place:
    """Look for where the notebook is, in the kernel first: the environment may be another program's, and passed on."""
    shell = running_shell()
    names: Mapping[str, Any] = getattr(shell, "user_ns", {})
    session = setting("JPY_SESSION_NAME")
    root = _server_root()
    player = _player_setting()
    front_end = _front_end(names, session)
    folder = _notebook_folder(session, root, _kernel_start(shell))
    if folder is None and player == "link":
        folder = working_folder()
    return Place(player, front_end, _spellings(folder), _spellings(root))


def _player_setting() -> str:
    chosen = setting(ENV_PLAYER).lower() or "auto"
    if chosen in _CHOICES:
        return chosen
    print_once(f"{ENV_PLAYER} is {chosen!r}: it can be {', '.join(_CHOICES)}; auto is used.")
    return "auto"


def _front_end(names: Mapping[str, Any], session: str) -> str:
    """Return the name of a front end that plays no links, empty for any other."""
    if "__vsc_ipynb_file__" in names or "-jvsc-" in session:  # the second is VS Code's on a Jupyter server elsewhere
        return "VS Code"
    if "google.colab" in sys.modules:
        return "Colab"
    if runs_in_marimo():
        return "marimo"
    for name, variable in _HOSTED.items():
        if setting(variable):
            return name
    if not session and any(map(setting, ("VSCODE_PID", "VSCODE_CWD"))):  # a terminal in VS Code passes these on
        return "VS Code"
    return ""


def runs_in_marimo() -> bool:
    """Return whether a marimo notebook runs this, with a page that it is shown in."""
    return bool(getattr(sys.modules.get("marimo"), "running_in_notebook", bool)())


def _kernel_start(shell: Any) -> Path | None:
    """Return the folder in which the kernel started, which Jupyter, Voilà and nbclient make the notebook's."""
    return Path(shell.starting_dir) if getattr(shell, "kernel", None) else None


def _notebook_folder(session: str, root: Path | None, start: Path | None) -> Path | None:
    """Return the notebook's folder, whatever the working folder has become; None where it can't be told."""
    folder = (root or Path()).joinpath(session).parent if session else None
    if folder and not (folder.is_absolute() and folder.is_dir()):  # a name without a path, or another machine's
        folder = None
    if root or not (folder and start):
        return folder or start or _page_folder()
    # No server started this kernel: the session may be that of a notebook which runs this one.
    return folder if folder.resolve() == start.resolve() else None


def _page_folder() -> Path | None:
    """Return the working folder, where a program without a kernel writes its pages; nobody's are inside an archive."""
    here = working_folder()
    return None if here is None or any(map(is_archive, (here, *here.parents))) else here


def _server_root() -> Path | None:
    """Return the root folder of the Jupyter Server that started this kernel, None where none did on this machine."""
    try:
        from jupyter_core.paths import jupyter_runtime_dir
    except ImportError:
        return None
    for process in (os.getppid(), setting("JPY_PARENT_PID")):  # the second, where a script starts the kernel
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            # The file holds the server's token as well: nothing of it but the root leaves this expression.
            root = Path(json.loads(Path(jupyter_runtime_dir(), f"jpserver-{process}.json").read_bytes())["root_dir"])
            if root.is_absolute():
                return root
    return None


def _spellings(path: Path | None) -> tuple[Path, ...]:
    return () if path is None else (path, path.resolve())


def spellings(path: Path) -> tuple[Path, ...]:
    """Return a path as it is spelled and with symbolic links resolved, both absolute."""
    return _spellings(path.absolute())
