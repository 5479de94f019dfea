"""The example notebooks in a folder of one's own, and JupyterLab on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ..errors import InvalidRequest, ViduError
from ..files import expanded, shown_path, write_atomically
from .demo import QUICKSTART, example_notebooks


def copy_notebooks(folder: Path | str) -> tuple[list[Path], list[Path]]:
    """Copy the example notebooks into a folder; what is there already belongs to the person and stays as it is.

    Parameters
    ----------
    folder
        Where to; made if missing.

    Returns
    -------
    tuple of two lists of pathlib.Path
        The files that were copied, and those that were already there and left unchanged, each in the notebooks' order.

    Raises
    ------
    InvalidRequest
        `folder` is a file.
    ViduError
        The folder can't be written to, or the notebooks are not installed.

    Examples
    --------
    >>> copied, skipped = copy_notebooks("class")
    >>> copied[0].name
    '01_quickstart.ipynb'
    >>> _ = copied[0].write_text("my own")
    >>> copy_notebooks("class")[1] == copied, copied[0].read_text()
    (True, 'my own')
    """
    folder = expanded(folder).resolve()
    if folder.exists() and not folder.is_dir():
        raise InvalidRequest(f"folder: {shown_path(folder)} is a file; name a folder", field="folder")
    copied, skipped = [], []
    problem = ""
    try:
        for source in sorted(example_notebooks().glob("*.ipynb")):
            target = folder / source.name
            if target.exists():
                skipped.append(target)
            else:
                write_atomically(target, partial(shutil.copyfile, source))
                copied.append(target)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise ViduError(f"{shown_path(folder)} can't be written to: {problem}", remedy="Name another folder.")
    return copied, skipped


def open_lab(folder: Path | str, options: Sequence[str] = (), *, notify: Callable[[str], None] = print) -> None:
    """Copy the example notebooks into a folder and run JupyterLab on them until it is stopped.

    Parameters
    ----------
    folder
        Where the notebooks go, as in `copy_notebooks`.
    options
        JupyterLab's own, such as ``--no-browser``.
    notify
        Gets a line about what was copied.

    Raises
    ------
    InvalidRequest, ViduError
        As `copy_notebooks` does; also where JupyterLab is missing, and then nothing has been copied.
    """
    missing = False
    try:
        from jupyterlab.labapp import LabApp
    except ImportError:
        missing = True
    if missing:
        raise ViduError("JupyterLab is not installed", remedy="Install it with: pip install 'vidu-nb[lab]'")
    copied, skipped = copy_notebooks(folder)
    place = (copied or skipped)[0].parent
    rest = f"; {len(skipped)} were already there and are left unchanged" if skipped else ""
    notify(f"{len(copied)} notebooks copied to {shown_path(place)}{rest}")
    LabApp.launch_instance([f"--ServerApp.root_dir={place}", f"--LabApp.default_url=/lab/tree/{QUICKSTART}", *options])
