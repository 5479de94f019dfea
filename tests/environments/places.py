"""What the checks of clean environments share: a clone's files, virtual environments, commands shown as they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: The tests that touch every dependency, and take a minute or two.
CORE = [
    *(f"tests/test_{name}.py" for name in ("public", "request", "video", "media", "player", "console", "v01_files")),
    "tests/references", "tests/net/test_credentials.py", "tests/net/test_retry.py", "tests/animatic/story",
    "tests/animatic/sound", "tests/animatic/test_fetching.py", "tests/animatic/film/test_subject.py",
    "tests/client/test_client.py", "tests/commands/test_cli.py", "tests/commands/test_lab.py",
    "tests/commands/test_magic.py", "tests/panels/test_panel.py", "tests/panels/test_snippets.py",
    "tests/widgets/test_tray.py", "tests/widgets/test_synchroniser.py", "tests/measures/test_framing.py",
]  # fmt: skip

_OF_DEVELOPERS = ("SEGMIND", "VIDU_NB", "JUPYTER", "PYTHON", "VIRTUAL_ENV", "DISPLAY")


def copy_clone(to: Path) -> Path:
    """What `git clone` would give after a commit of everything that git doesn't ignore."""
    told = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, told.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    return to


def environment(folder: Path, *packages: str | Path) -> Path:
    """A new virtual environment with these packages; gives its folder of programs."""
    venv.create(folder, with_pip=True)
    if packages:
        run(folder / "bin" / "pip", "install", "--quiet", *packages, cwd=folder)
    return folder / "bin"


def clean(bin_folder: Path | None = None, **settings: str | Path) -> dict[str, str]:
    """The environment without a developer's own settings, and with another's programs first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_DEVELOPERS)}
    if bin_folder:
        kept["PATH"] = f"{bin_folder}{os.pathsep}{kept['PATH']}"
    return kept | {name: str(value) for name, value in settings.items()}


def run(*command: str | Path, cwd: Path, status: int = 0, env: dict[str, str] | None = None) -> str:
    """Show a command, run it, and give what it printed, on both streams; fails on another exit status than `status`."""
    words = [str(word) for word in command]
    _tell("$", *(Path(word).name if word.startswith("/") else word for word in words))
    began = time.monotonic()
    ended = subprocess.run(
        words, cwd=cwd, env=env or clean(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if ended.returncode != status:
        raise SystemExit(f"{ended.stdout}\nexit status {ended.returncode}, expected {status}")
    _tell(f"  {time.monotonic() - began:.0f} s")
    return ended.stdout


@contextmanager
def working_folder(arguments: list[str]) -> Iterator[Path]:
    """The folder that was named, which stays; or a temporary one."""
    if arguments:
        folder = Path(arguments[0]).resolve()
        folder.mkdir(parents=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def _tell(*words: object) -> None:
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def say(*facts: object) -> None:
    """A line about what was found."""
    _tell("  =>", *facts)


sys.path.insert(0, str(ROOT / "tests"))  # for `browser`
