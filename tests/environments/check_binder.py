"""Binder without Docker: what repo2docker would build, built in a virtual environment, started, opened in a browser.

python tests/environments/check_binder.py [FOLDER]: works in a folder that it makes and leaves, or in a temporary one.
Needs the test extra (it drives a Chromium) and a package index; takes about seven minutes on two cores.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from places import clean, copy_clone, environment, run, say, working_folder
from playwright.sync_api import Page

MEMORY = 1024  # MiB: the least that a Binder gives
QUICKSTART = "notebooks/01_quickstart.ipynb"
#: What repo2docker puts into each image before it looks at the repository: environment.yml in its own package.
FROZEN = (
    "ipykernel", "ipywidgets", "jupyter_server", "jupyterlab", "notebook", "jupyter-resource-usage",
    "jupyter-offlinenotebook",
)  # fmt: skip
ALL_DONE = """() => {
    const cells = jupyterapp.shell.currentWidget.content.widgets.filter(cell => cell.model.type === 'code');
    return cells.every(cell => cell.model.executionCount > 0) && cells.length;
}"""


def detect(tools: Path, home: Path) -> str:
    """The Dockerfile that repo2docker would build."""
    dockerfile = run(
        tools / "jupyter-repo2docker", "--no-build", "--no-run", "--debug", "--user-id=1000", "--user-name=somebody",
        home, cwd=home,
    )  # fmt: skip
    assert "for python=3.11" in dockerfile, "repo2docker didn't read runtime.txt"
    return dockerfile


def frozen(tools: Path) -> list[str]:
    """The versions of Jupyter that the image begins with, for Python 3.11."""
    lock = next(
        tools.parent.glob("lib/python3*/site-packages/repo2docker/buildpacks/conda/environment.py-3.11-linux-64.lock")
    )
    found = dict(re.findall(r"/([a-z_-]+)-([0-9][0-9.]*)-[^/]+\.conda", lock.read_text()))
    return [f"{name}=={found[name]}" for name in FROZEN]


def build(dockerfile: str, image: Path, home: Path) -> dict[str, str]:
    """Run the image's own steps as they stand, with a virtual environment for conda's; gives its variables."""
    prefix = {"KERNEL_PYTHON_PREFIX": image.parent, "NB_PYTHON_PREFIX": image.parent, "REPO_DIR": home, "HOME": home}
    env = clean(image, **prefix, USER="somebody", PYTHONUNBUFFERED="1")
    steps = re.findall(r"^RUN (.*)$", dockerfile.partition("# Copy stuff.")[2], re.MULTILINE)
    assert any("binder/requirements.txt" in step for step in steps), steps
    assert any(step.endswith("./binder/postBuild") for step in steps), steps
    for step in steps:
        say(run("bash", "-c", step, cwd=home, env=env).strip()[-400:])
    entry = re.search(r'R2D_ENTRYPOINT="(.*)"', dockerfile)
    assert entry, "repo2docker found no start"
    return env | {"R2D_ENTRYPOINT": entry[1].replace("${REPO_DIR}", str(home))}


@contextmanager
def session(image: Path, home: Path, env: dict[str, str]) -> Iterator[tuple[str, psutil.Process]]:
    """JupyterLab as a hub starts it: through `start`, under a base URL of its own; gives that and the process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        env["R2D_ENTRYPOINT"], image / "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.base_url=/user/somebody/", "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with (home.parent / "session.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=home, env=env, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}/user/somebody/", psutil.Process(server.pid)
        finally:
            server.terminate()
            server.wait(timeout=30)


def run_all(page: Page, url: str, path: str) -> None:
    """Open a notebook, run all its cells and wait for the last."""
    from browser import KERNEL_IS_IDLE, command, open_notebook

    open_notebook(page, url, path)
    page.evaluate("() => { jupyterapp.commands.execute('notebook:restart-clear-output'); }")
    page.wait_for_timeout(500)
    accept = page.locator(".jp-Dialog .jp-mod-accept")
    if accept.count():
        accept.click()
    page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)
    command(page, "notebook:run-all-cells")
    page.wait_for_function(ALL_DONE, timeout=300_000)
    page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count() == 0


def look(url: str, pictures: Path) -> None:
    """Run the quickstart in a browser, play its clip, and download what was made."""
    from browser import PLAYS, chromium

    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        wait_for(url)
        run_all(page, url, QUICKSTART)
        video = page.locator(".jp-OutputArea video").first
        told = video.evaluate(PLAYS)
        page.evaluate("() => jupyterapp.shell.currentWidget.content.scrollToItem(3, 'start')")
        video.wait_for(state="visible")
        page.screenshot(path=pictures / "quickstart.png")
        assert (told["width"], told["height"]) == (1920, 1080), told
        say("the quickstart's clip plays:", told)
        run_all(page, url, "notebooks/00_download_your_clips.ipynb")
        page.screenshot(path=pictures / "download.png")
        with page.expect_download() as download:
            page.locator(".jp-OutputArea a").first.click()
        say("downloaded:", download.value.suggested_filename, f"{download.value.path().stat().st_size / 1e6:.0f} MB")


def wait_for(url: str, seconds: float = 120) -> None:
    """Wait until a server answers."""
    from urllib.request import urlopen

    end = time.monotonic() + seconds
    while True:
        try:
            with urlopen(f"{url}api/status", timeout=2):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)  # between two looks at a bounded wait


def memory(process: psutil.Process) -> float:
    """What a process and all it started hold at this moment, in MiB; shared pages are counted each time."""
    held = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            held += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return held / 2**20


def most_memory(image: Path, notebook: Path, env: dict[str, str]) -> float:
    """The most that a notebook's kernel and its children hold while all its cells run, in MiB."""
    command = [image / "jupyter", "nbconvert", "--to=notebook", "--execute", "--inplace", "--log-level=ERROR", notebook]
    running = subprocess.Popen(command, cwd=notebook.parent, env=env)
    converter, most = psutil.Process(running.pid), 0.0
    while running.poll() is None:
        most = max([most, *(memory(kernel) for kernel in converter.children())])
        time.sleep(0.1)  # between two looks; the converter ends by itself
    assert running.returncode == 0, f"{notebook.name} failed"
    return most


def main(arguments: list[str]) -> None:
    """Detect, build, start, look, weigh."""
    with working_folder(arguments) as place:
        home = copy_clone(place / "somebody")
        tools = environment(place / "tools", "jupyter-repo2docker")
        dockerfile = detect(tools, home)
        image = environment(place / "image", *frozen(tools))
        env = build(dockerfile, image, home)
        say(run(image / "pip", "check", cwd=home).strip())
        with session(image, home, env) as (url, server):
            look(url, place)
            base = server.memory_info().rss / 2**20
        say(f"the server holds {base:.0f} MiB; with it, while all cells run:")
        sums = {}
        for notebook in sorted((home / "notebooks").glob("*.ipynb")):
            sums[notebook.name] = base + most_memory(image, notebook, env)
            say(f"{notebook.name:40} {sums[notebook.name]:4.0f} MiB")
        assert max(sums.values()) < MEMORY, "more than a Binder gives"


if __name__ == "__main__":
    main(sys.argv[1:])
