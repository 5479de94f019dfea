"""What a JupyterLab serves, asked over its own API; only the standard library, for checks in empty environments."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from urllib.request import urlopen


def contents(lab: subprocess.Popen[bytes], runtime: Path, seconds: float = 60) -> list[str]:
    """The names in the folder that a JupyterLab serves, once it answers; `runtime` is its JUPYTER_RUNTIME_DIR."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and lab.poll() is None:
        try:
            said = json.loads(next(runtime.glob("jpserver-*.json")).read_text())
            with urlopen(f"{said['url']}api/contents?token={said['token']}", timeout=30) as answer:
                return sorted(entry["name"] for entry in json.load(answer)["content"])
        except (StopIteration, ValueError, OSError):
            time.sleep(0.1)  # it isn't written, or not whole, or nobody listens yet; the wait is bounded
    raise AssertionError("JupyterLab did not answer")
