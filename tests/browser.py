"""What the browser tests share: a Chromium, and a JupyterLab of their own."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from mimetypes import guess_type
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

PATIENCE = 120_000  # ms; a busy machine takes its time
expect.set_options(timeout=PATIENCE)

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]

UNUSED = ("audio", "csvviewer", "htmlviewer", "hub", "imageviewer", "javascript", "json",
          "markdownviewer", "mermaid", "pdf", "pluginmanager", "settingeditor", "terminal", "vega5", "video",
          "workspaces")  # fmt: skip

#: JupyterLab looks for no build of its own at each page load, which starts two Node processes, and loads no part that
#: neither shows nor does anything in a notebook.
PAGE_CONFIG = {
    "buildAvailable": False,
    "buildCheck": False,
    "disabledExtensions": {f"@jupyterlab/{name}-extension": True for name in UNUSED},
}

#: Plays a video until its time has moved, and gives what it is: width and height in pixels, duration in s, readyState.
PLAYS = """async video => {
    video.muted = true;
    await video.play();
    const from = video.currentTime;
    await new Promise((done, failed) => {
        const late = setTimeout(() => failed(new Error(`stuck at ${video.currentTime} s`)), 120000);
        video.addEventListener('timeupdate', () => {
            if (video.currentTime > from + 0.3) { clearTimeout(late); done(); }
        });
    });
    video.pause();
    return {width: video.videoWidth, height: video.videoHeight, duration: video.duration, ready: video.readyState};
}"""

#: Sends an element a drop or a paste with these files and texts, announced as in life; whether the browser then acts.
HAND_OVER = """(element, {kind, files, texts}) => {
    const carried = new DataTransfer();
    for (const {name, type, data} of files)
        carried.items.add(new File([Uint8Array.from(atob(data), each => each.charCodeAt(0))], name, {type}));
    for (const [type, text] of Object.entries(texts)) carried.setData(type, text);
    const more = {bubbles: true, cancelable: true};
    if (kind === 'paste') return element.dispatchEvent(new ClipboardEvent(kind, {...more, clipboardData: carried}));
    return ['dragenter', 'dragover', 'drop']
        .map(name => element.dispatchEvent(new DragEvent(name, {...more, dataTransfer: carried}))).at(-1);
}"""


def find_chromium() -> str | None:
    """A Chromium on this machine; None leaves the choice to Playwright, which has its own where it was installed."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium without a window. While it is open, asyncio's loop runs in this thread: no `asyncio.run` beside it."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield started
        started.close()


@contextmanager
def jupyter_lab(folder: Path, *, base_url: str = "/", dark: bool = False, seconds: float = 180) -> Iterator[str]:
    """JupyterLab on a folder, with settings of its own; gives its URL, ended by its own process id."""
    settings = folder / ".lab" / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    (settings / "themes.jupyterlab-settings").write_text(f'{{"theme": "JupyterLab {"Dark" if dark else "Light"}"}}')
    manager = folder / ".lab" / "settings" / "@jupyter-widgets" / "jupyterlab-manager"
    manager.mkdir(parents=True)
    (manager / "plugin.jupyterlab-settings").write_text('{"saveState": true}')
    config = folder / ".lab" / "config" / "labconfig"
    config.mkdir(parents=True)
    (config / "page_config.json").write_text(json.dumps(PAGE_CONFIG))
    home = {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".lab" / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".lab" / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(folder / ".lab" / "config"),
        "JUPYTER_PATH": str(folder / ".lab" / "share"),
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        f"--ServerApp.root_dir={folder}", f"--ServerApp.base_url={base_url}", "--IdentityProvider.token=",
        "--ServerApp.password=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    log = (folder / "jupyter.log").open("wb")
    server = subprocess.Popen(command, cwd=folder, env=os.environ | home, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}{base_url}"
    try:
        _wait_for(f"{url}api/status", server, seconds)
        yield url
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=20)  # it may still be starting a kernel, and would wait for that
        server.kill()
        server.wait()
        log.close()


@contextmanager
def marimo(folder: Path, mode: str, notebook: str, *, seconds: float = 180) -> Iterator[str]:
    """A notebook in marimo, as an app (``run``) or in its editor (``edit``); gives its URL, ended by its process id."""
    settings = folder / ".config" / "marimo" / "marimo.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('[display]\ntheme = "system"\n[runtime]\nauto_instantiate = true\n')
    home = {"XDG_CONFIG_HOME": str(folder / ".config"), "VIDU_NB_ARCHIVE": str(folder / "clips")}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "marimo", mode, notebook, "--headless", "--no-token", f"--port={port}"]
    command += ["--skip-update-check"] if mode == "edit" else []
    log = (folder / "marimo.log").open("wb")
    server = subprocess.Popen(command, cwd=folder, env=os.environ | home, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/"
    try:
        _wait_for(f"{url}health", server, seconds)
        yield url
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=20)
        server.kill()
        server.wait()
        log.close()


def write_notebook(path: Path, *cells: str, kernel: str = "python3") -> Path:
    """A notebook with these cells and without outputs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    notebook.metadata.kernelspec = {"name": kernel, "display_name": kernel}
    nbformat.write(notebook, path)
    return path


def install_kernel(version: str, folder: Path) -> str:
    """A kernel with another version of ipykernel, installed beside the environment's own; gives its name."""
    packages = Path(sys.prefix) / "kernels" / version
    if not (packages / "ipykernel").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", packages]
        subprocess.run([*command, f"ipykernel=={version}"], check=True)
    name = f"ipykernel-{version}"
    said = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": name,
        "language": "python",
        "env": {"PYTHONPATH": str(packages)},
    }
    spec = folder / ".lab" / "share" / "kernels" / name
    spec.mkdir(parents=True, exist_ok=True)
    (spec / "kernel.json").write_text(json.dumps(said))
    return name


KERNEL_IS_IDLE = """() => {
    const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
    const kernel = context?.isReady && context.session?.kernel;
    return kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle';
}"""


def open_notebook(page: Page, url: str, path: str) -> None:
    """Open a notebook in JupyterLab and wait until its kernel is idle."""
    page.goto(f"{url}lab/tree/{path}?reset")
    page.wait_for_function(KERNEL_IS_IDLE, timeout=PATIENCE)


LAB_IS_READY = "() => window.jupyterapp?.serviceManager.isReady && jupyterapp.restored.then(() => true)"

#: Opens a file in place of all that are open: their kernels end, and what they have not saved is gone.
OPEN_INSTEAD = """async path => {
    for (const one of [...jupyterapp.shell.widgets('main')]) {
        await one.sessionContext?.shutdown();
        one.dispose();
    }
    const opened = await jupyterapp.commands.execute('docmanager:open', {path});
    await opened.context.ready;
    for (const one of [...jupyterapp.shell.widgets('main')]) if (one !== opened) one.dispose(); // the launcher came
    return opened.id;
}"""

#: Whether a notebook's kernel is idle; a dialog about the kernel of the one before would keep it from the front.
IS_IN_FRONT = f"""id => {{
    document.querySelector('.jp-Dialog .jp-mod-accept')?.click();
    if (jupyterapp.shell.currentWidget?.id !== id) jupyterapp.shell.activateById(id);
    return jupyterapp.shell.currentWidget?.id === id && ({KERNEL_IS_IDLE})();
}}"""


def open_lab(browser: Browser, url: str) -> Page:
    """Open a page with JupyterLab and no notebook, for `open_instead`."""
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}lab?reset")
    page.wait_for_function(LAB_IS_READY)
    return page


def open_instead(page: Page, path: str) -> None:
    """Open a notebook in place of what a JupyterLab has open, on a new kernel; five times cheaper than a new page."""
    opened = page.evaluate(OPEN_INSTEAD, path)
    page.wait_for_function(IS_IN_FRONT, arg=opened, timeout=PATIENCE)


def command(page: Page, name: str) -> None:
    """Begin one of JupyterLab's commands, such as ``notebook:run-all-cells``; what it does may take a while."""
    page.evaluate("name => { jupyterapp.commands.execute(name); }", name)


def in_kernel(page: Page, code: str) -> str:
    """Run code in the kernel of the notebook that is open, in no cell; gives what it prints."""
    told: str = page.evaluate(
        """async code => {
            let text = '';
            const future = jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code});
            future.onIOPub = ({header, content}) => {
                if (header.msg_type === 'stream') text += content.text;
                if (header.msg_type === 'error') text += content.traceback.join('\\n');
            };
            await future.done;
            return text.trim();
        }""",
        code,
    )
    return told


def hand_over(target: Locator, kind: str, files: Iterable[tuple[str, bytes]] = (), **texts: str) -> bool:
    """Drop or paste files, given as (name, bytes), and texts by their type; whether the browser then acts by itself."""
    carried = [
        {"name": name, "type": guess_type(name)[0] or "", "data": base64.b64encode(data).decode()}
        for name, data in files
    ]
    texts = {{"uri": "text/uri-list", "plain": "text/plain"}[key]: text for key, text in texts.items()}
    left: bool = target.evaluate(HAND_OVER, {"kind": kind, "files": carried, "texts": texts})
    return left


def drag_from_the_file_browser(page: Page, name: str, target: Locator) -> None:
    """Drag a file by the mouse, as a person does, onto something that takes pictures."""
    item = page.locator(".jp-DirListing-item", has_text=name).locator(".jp-DirListing-itemText")
    item.scroll_into_view_if_needed()
    target.scroll_into_view_if_needed()
    start, end = item.bounding_box(), target.bounding_box()
    page.mouse.move(start["x"] + 10, start["y"] + 5)
    page.mouse.down()
    page.mouse.move(start["x"] + 40, start["y"] + 15, steps=5)
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + min(end["height"] / 2, 80), steps=10)
    expect(page.locator(".vidu-tray-over")).to_have_count(1)
    page.mouse.up()
    expect(page.locator(".vidu-tray-over")).to_have_count(0)


#: Texts in a part of a page whose contrast to what is behind them is below what WCAG asks for (4.5, large ones 3). axe
#: leaves JupyterLab's panels out, since it can't tell what lies behind a scrolled part.
FAINT = """place => {
    const pen = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    const shade = colour => {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        return [...pen.getImageData(0, 0, 1, 1).data].map(one => one / 255);
    };
    const over = ([red, green, blue, alpha], ground) =>
        [red, green, blue].map((one, at) => one * alpha + ground[at] * (1 - alpha));
    const ground = one =>
        one ? over(shade(getComputedStyle(one).backgroundColor), ground(one.parentElement)) : [1, 1, 1];
    const luminance = rgb => rgb.map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
        .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
    const faint = [];
    for (const one of document.querySelectorAll(`${place} *`)) {
        const hasText = [...one.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
        const isActive = !one.closest('[aria-disabled=true], [disabled]') && one.checkVisibility({checkOpacity: true});
        if (!hasText || !isActive || one.getBoundingClientRect().width <= 1) continue;
        const style = getComputedStyle(one), behind = ground(one), size = parseFloat(style.fontSize);
        const [dark, light] = [over(shade(style.color), behind), behind].map(luminance).sort((a, b) => a - b);
        const ratio = (light + 0.05) / (dark + 0.05);
        const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
        if (ratio < least) faint.push(`${ratio.toFixed(2)} ${one.className} ${one.textContent.slice(0, 40)}`);
    }
    return faint;
}"""


def violations(page: Page, place: str) -> list[tuple[str, list[str]]]:
    """What breaks rules of accessibility in a part of a page, after axe and by contrast: rules, and where."""
    found = Axe().run(page, context=place).response["violations"]
    broken = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]
    faint = page.evaluate(FAINT, place)
    return broken + ([("contrast", faint)] if faint else [])


def _wait_for(url: str, server: subprocess.Popen[bytes], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert server.poll() is None, "the server ended by itself; see its log"
        try:
            with urlopen(url, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.1)  # between two looks at a bounded wait
    raise AssertionError(f"the server did not answer within {seconds} s")
