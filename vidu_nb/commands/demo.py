"""The demo: a clip from three photographs and, where Jupyter is, the quickstart notebook executed; no key is needed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from ..client.client import Client
from ..errors import ViduError
from ..files import expanded
from ..request import VideoRequest
from ..samples import PROMPT, sample_references
from ..storage.archive import Archive

QUICKSTART = "01_quickstart.ipynb"
_PACKAGES = ("nbclient", "nbconvert", "ipykernel")  # what executes a notebook and makes a page of it
_CELL_TIMEOUT = 300  # s
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def example_notebooks() -> Path:
    """Find the folder with the example notebooks: in the installed package, or beside it in a checkout.

    Raises
    ------
    ViduError
        Neither is there.
    """
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "notebooks", here.parent / "notebooks"):
        if (folder / QUICKSTART).is_file():
            return folder
    raise ViduError("the example notebooks are not installed", remedy="Install vidu-nb from a wheel or a checkout.")


def run_demo(folder: Path, *, notebook: Path | None = None, notify: Callable[[str], None] = print) -> dict[str, Path]:
    """Make a clip and an executed copy of a notebook; the clip alone where Jupyter's packages are not installed.

    Parameters
    ----------
    folder
        Where everything goes; made if missing.
    notebook
        What is executed; defaults to the quickstart notebook.
    notify
        Gets a line for each step.

    Returns
    -------
    dict of str to pathlib.Path
        ``clip``, ``notebook`` and ``html``; ``clip`` alone where packages are missing, and `notify` gets the remedy.

    Raises
    ------
    ViduError
        A cell of the notebook failed.
    """
    folder = expanded(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    notify("Making a five-second clip from three photographs with the free local preview engine ...")
    video = Client.preview(archive=Archive(folder / "vidu_archive")).generate(
        VideoRequest(prompt=PROMPT, references=sample_references())
    )
    clip = video.save(folder / "demo.mp4")
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        remedy = f"pip install 'vidu-nb[lab]' (missing: {', '.join(missing)})"
        notify(f"To run the notebook as well, install Jupyter's packages and repeat the command: {remedy}")
        return {"clip": clip}
    source = notebook or example_notebooks() / QUICKSTART
    notify(f"Executing {source.name} ...")
    copy = folder / source.name
    shutil.copyfile(source, copy)
    return {"clip": clip, "notebook": copy, "html": _execute(copy)}


def _execute(path: Path) -> Path:
    """Run a notebook in its own folder and in place; returns its HTML form, whose clips play from beside it."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbconvert import HTMLExporter

    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(path.parent)}}
    runner = NotebookClient(
        notebook, timeout=_CELL_TIMEOUT, resources=place, store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],  # a kernel that listens on 127.0.0.1 warns of it each time
    )  # fmt: skip
    problem = ""
    try:
        runner.execute()
    except CellExecutionError as error:
        problem = f"{error.ename}: {error.evalue}"
    if problem:
        raise ViduError(f"a cell of {path.name} failed: {problem}")
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        output.get("data", {}).pop(_WIDGET_VIEW, None)  # it names a model of the kernel that has just ended
    nbformat.write(notebook, path)
    page = path.with_suffix(".html")
    page.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    return page
