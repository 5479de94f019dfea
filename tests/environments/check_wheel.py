"""The wheel and the source archive: built, installed in an empty environment, used and tested there.

python tests/environments/check_wheel.py [TEST ...]: what pytest is given; a fast part by default.
Needs a package index; takes about five minutes on two cores.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from places import CORE, ROOT, clean, copy_clone, environment, run, say

WANTED = ("dom.js", "panel.js", "panel.css", "controls.js", "tray.js", "tray_alone.js", "synchroniser.js", "py.typed")


def build(place: Path) -> tuple[Path, Path]:
    """The source archive, and the wheel made from it rather than from the checkout."""
    tools = environment(place / "tools", "build")
    run(tools / "python", "-m", "build", "--outdir", place / "dist", copy_clone(place / "checkout"), cwd=place)
    return next((place / "dist").glob("*.tar.gz")), next((place / "dist").glob("*.whl"))


def use_without_lab(programs: Path, away: Path) -> None:
    """What works with the library alone, and how the rest says what is missing."""
    place = run(programs / "python", "-c", "import vidu_nb; print(vidu_nb.__file__)", cwd=away).strip()
    assert "site-packages" in place, f"this is not the wheel: {place}"
    installed = {path.name for path in Path(place).parent.rglob("*")}
    assert installed >= set(WANTED), set(WANTED) - installed
    notebooks = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert installed >= notebooks, notebooks - installed
    say(run(programs / "pip", "check", cwd=away).strip())
    for command, status in ((["lab", "class"], 1), (["demo", "bare"], 0)):
        told = run(programs / "vidu-nb", *command, cwd=away, status=status)
        assert "pip install 'vidu-nb[lab]'" in told, told
        say(told.strip().splitlines()[-1])
    assert (away / "bare" / "demo.mp4").is_file()
    assert not (away / "class").exists()


def use_with_lab(programs: Path, away: Path) -> None:
    """The demo, and JupyterLab on notebooks of one's own."""
    made = json.loads(run(programs / "vidu-nb", "demo", "--json", cwd=away).splitlines()[-1])
    told = json.loads(run(programs / "vidu-nb", "show", made["clip"], "--json", cwd=away))
    assert (told["info"]["width"], told["receipt"]["engine"]) == (1920, "preview"), told
    from served import contents

    names = ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
    env = clean(programs) | dict.fromkeys(names, str(away / "jupyter"))
    command = [programs / "vidu-nb", "lab", "class", "--no-browser", "--allow-root"]
    with (away / "lab.log").open("wb") as log:
        lab = subprocess.Popen(command, cwd=away, env=env, stdout=log, stderr=log)
        try:
            answers = contents(lab, away / "jupyter")
        finally:
            lab.terminate()
            status = lab.wait(timeout=30)
    assert "01_quickstart.ipynb" in answers, answers
    assert status == 0, (away / "lab.log").read_text()
    say("vidu-nb lab serves", *answers)


def test(archive: Path, programs: Path, place: Path, tests: list[str]) -> None:
    """The tests out of the source archive, with its modules taken away, so that they can only find the wheel's."""
    with tarfile.open(archive) as packed:
        packed.extractall(place / "archive", filter="data")
    unpacked = next((place / "archive").iterdir())
    shutil.rmtree(unpacked / "vidu_nb")
    own = [f"--ignore=tests/test_{name}.py" for name in ("packaging", "mutations")]  # they need a checkout's modules
    told = run(programs / "pytest", "-q", "-p", "no:cacheprovider", *own, *tests, cwd=unpacked, env=clean(programs))
    say(told.strip().splitlines()[-1])


def main(tests: list[str]) -> None:
    """Build, install step by step, use, test."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        archive, wheel = build(place)
        away = place / "away"
        away.mkdir()
        pins = ("--constraint", ROOT / "constraints.txt")
        programs = environment(place / "venv", *pins, wheel)
        use_without_lab(programs, away)
        run(programs / "pip", "install", "--quiet", *pins, f"{wheel}[lab]", cwd=away)
        use_with_lab(programs, away)
        run(programs / "pip", "install", "--quiet", *pins, f"{wheel}[test]", cwd=away)
        test(archive, programs, place, tests)


if __name__ == "__main__":
    main(sys.argv[1:] or CORE)
