"""A class to try: a gateway with three people and play money. ``make class``; Ctrl-C ends it.

Clips come from the preview server, so nothing costs anything, and the class's folder is gone at the end.
"""

from __future__ import annotations

import contextlib
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

from vidu_nb import PreviewServer
from vidu_nb.console import write

NAMES = ("anna", "ben", "cleo")
KEY = "play-money-key"


def main() -> None:
    """Serve until Ctrl-C."""
    with (
        tempfile.TemporaryDirectory(prefix="vidu-nb-class-") as name,
        PreviewServer(key=KEY, credits=40) as service,
        contextlib.suppress(KeyboardInterrupt),
    ):
        _serve(Path(name), service.base_url)


def _serve(folder: Path, service: str) -> None:
    roster, key, tokens = folder / "class.csv", folder / "key", folder / "class-tokens.csv"
    roster.write_text("name\n" + "\n".join(NAMES) + "\n", encoding="utf-8")
    key.touch(mode=0o600)
    key.write_text(KEY, encoding="utf-8")
    command = [
        sys.executable, "-m", "vidu_nb", "gateway", "--roster", str(roster), "--each-usd", "2", "--total-usd", "5",
        "--tokens", str(tokens), "--key-file", str(key), "--archive", str(folder / "archive"), "--upstream", service,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway:  # noqa: S603 - our own command
        try:
            _introduce((gateway.stdout or sys.stdin).readline().removeprefix("serving ").strip(), tokens)
            gateway.wait()
        finally:
            gateway.terminate()


def _introduce(url: str, tokens: Path) -> None:
    """Print who is who, and what to do with it."""
    if not url:
        return  # it has told why on standard error
    with tokens.open(encoding="utf-8", newline="") as file:
        people = {row["name"]: row["token"] for row in csv.DictReader(file)}
    write(f"\nThe class's page: {url}/ (sign in with a token)\n")
    for name, token in people.items():
        write(f"  {name:8} {token}")
    write("\nAs one of them, in a terminal or before a notebook:\n")
    write(f"  export SEGMIND_BASE_URL={url} SEGMIND_API_KEY={people[NAMES[0]]}")
    write("  vidu-nb credits\n\nThree people with $2.00 each, and $5.00 for all. Ctrl-C ends it.")


if __name__ == "__main__":
    main()
