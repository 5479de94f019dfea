"""Imports run one way: from the rooms that people use down to the ones that know nothing of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import vidu_nb

#: The house, roof first. A room may import from rooms below its own floor, and from none beside or above it.
FLOORS = """
__main__
cli
magic panels.panel sweeps.launch
sweeps.outcome
sweeps.views
sweeps.grid sweeps.run
sweeps.plan
sweeps.quotes sweeps.words
panels.live
panels.result panels.header
panels.form panels.history panels.service
panels.actions panels.jobs panels.starters lab
demo
widgets shorthand options sweeps.remote panels.snippets compare.ratios
client compare.safe_areas
unfinished asking
finishing uploads
exchange account upkeep tickets
engines
animatic.server
animatic.api
animatic.wire animatic.engine animatic.openapi
animatic.jobs animatic.connections animatic.holdings
animatic.render animatic.images
animatic.lettering
animatic.stage
animatic.subject animatic.layout
animatic.sampling animatic.cancelling animatic.camera animatic.sound.music animatic.slate
animatic.sound.score
archive compare.reproduction compare.presence player
compare.watch
compare.likeness compare.embedding compare.plots compare.judgement
video
animatic.storyboard
animatic.casting animatic.strip
animatic.script
animatic.moves animatic.vocabulary
request answers
references transport journal budget compare.differences
sources
files keys locks media notices pictures retry
errors
"""
RANKS = {room: -floor for floor, rooms in enumerate(FLOORS.split("\n")) for room in rooms.split()}

#: The exceptions, each with its reason.
UPWARD = {("video", "player"): "a Video shows itself when it is a cell's last value"}

#: What the preview engine must not know, wherever those rooms stand.
NOT_FOR_ANIMATIC = {"client", "exchange", "engines", "archive", "journal", "player", "video", "shorthand", "panels"}

HOUSE = Path(vidu_nb.__file__).parent
FILES = sorted(path for path in HOUSE.rglob("*.py") if path.name != "__init__.py" and "notebooks" not in path.parts)


def room_of(path):
    """``animatic.server`` for its file; a folder of front-end pieces is one room."""
    name = ".".join(path.relative_to(HOUSE).with_suffix("").parts)
    return "widgets" if name.startswith("widgets.") else name


def imports(path):
    """(room, line) for each import of ours that runs, in functions as well; those for type checkers don't."""
    package = ("vidu_nb", *path.relative_to(HOUSE).parent.parts)
    todo = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo.extend(node.orelse)
            continue
        todo.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join((*package[: len(package) - node.level + 1], *filter(None, [node.module])))
            base = base if node.level else node.module
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            room = name.removeprefix("vidu_nb.")
            if room != name and is_room(room):
                yield ("widgets" if room.startswith("widgets") else room), node.lineno


def is_room(name):
    """True for a module of the house, false for a name inside of one."""
    place = HOUSE.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or (name == "widgets" and place.is_dir())


@pytest.mark.parametrize("path", FILES, ids=room_of)
def test_imports_run_downward(path):
    """Every import of a module goes to a lower floor of the house as it is drawn above."""
    room = room_of(path)
    assert room in RANKS, f"vidu_nb/{path.relative_to(HOUSE)} is not drawn in FLOORS: put it on its floor"
    for target, line in imports(path):
        assert target in RANKS, f"{target} is not drawn in FLOORS: put it on its floor"
        if target == room or (room, target) in UPWARD:
            continue
        assert RANKS[target] < RANKS[room], f"{path}:{line}: {room} imports {target}, which is not below it"


def drawn():
    """The rooms as CONTRIBUTING draws them for people, in the order of reading."""
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    house = ""
    for line in text.partition("Rooms, from the ground up")[2].split("```")[1].strip().splitlines():
        if line and line[0] != " ":
            house = ""
        for names in re.split(r" {2,}", line.strip())[::2]:  # each is followed by what it is for
            if names.endswith("/"):
                house = names.replace("/", ".")
            else:
                yield from (house + name for name in names.split(", ") if name)
        if line.startswith("widgets/"):
            yield "widgets"


def test_the_drawing_for_people_is_the_house():
    """It names each room once, and a room imports only from those that stand before it."""
    rooms = [room for room in drawn() if not room.startswith("widgets.")]
    assert sorted(rooms) == sorted(set(RANKS) - {"__main__"})
    upward = {
        (room_of(path), target)
        for path in FILES
        for target, _ in imports(path)
        if room_of(path) not in {"__main__", target} and rooms.index(target) > rooms.index(room_of(path))
    }
    assert upward == set(UPWARD)


@pytest.mark.parametrize("path", [path for path in FILES if "animatic" in path.relative_to(HOUSE).parts], ids=room_of)
def test_the_preview_engine_knows_nothing_of_the_client(path):
    """The preview engine stands in for the service, so it never imports what calls the service or keeps its clips."""
    known = {target for target, _ in imports(path)}
    assert not known & NOT_FOR_ANIMATIC, f"{path} imports {known & NOT_FOR_ANIMATIC}"


def test_no_module_hides_a_public_function():
    """No module bears the name of a public function: importing the module would put it in the function's place."""
    functions = {name for name in vidu_nb.__all__ if callable(getattr(vidu_nb, name))}
    assert not functions & set(RANKS)
    assert not functions & {room_of(path) for path in FILES}
