"""The layers of the package: each imports only from those before it, and nothing imports in a circle."""

from __future__ import annotations

import ast
import functools
import graphlib
import importlib.util
import sys
from pathlib import Path

from common import ROOT

import vidu_nb

#: From the ground up. CONTRIBUTING's drawing is made of this and of each one's first line: ``make docs``.
LAYERS = """
errors _version environment console files folders notebook locks libraries media animated thumbnails
references net image_file
catalogue widgets
request receipt recipe chain samples player
animatic
pictures video comparison storage
client
api measures
sweeps
films
gateway
panels
commands
""".split()  # noqa: SIM905
PACKAGE = Path(vidu_nb.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
    if path.parent != PACKAGE / "notebooks" and path.stem not in ("__init__", "__main__")
}


def imports(module):
    """The modules of ours that a module imports, inside of functions as well; not those for type checkers."""
    todo = [ast.parse(MODULES[module].read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.ImportFrom) and node.level:
            base = importlib.util.resolve_name(
                "." * node.level + (node.module or ""), f"v.{module}".rpartition(".")[0]
            )[2:]
            names = {f"{base}.{alias.name}".strip(".") for alias in node.names} | {base}
            yield from names & MODULES.keys()
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        todo += node.orelse if is_for_types else ast.iter_child_nodes(node)


@functools.cache
def graph():
    """What each module imports, read where it is asked for: every worker imports this file."""
    return {module: set(imports(module)) for module in MODULES}


def test_imports_go_down():
    """Every module imports from its own layer or from one before it."""
    layer = {module: LAYERS.index(module.partition(".")[0]) for module in MODULES}
    upward = [(module, other) for module in MODULES for other in graph()[module] if layer[other] > layer[module]]
    assert not upward


def test_nothing_imports_in_a_circle():
    """The modules have an order in which each could be read after those that it imports."""
    assert list(graphlib.TopologicalSorter(graph()).static_order())


def test_the_preview_engine_knows_nothing_of_the_client():
    """It stands in for the service, so it neither calls one nor keeps clips nor shows them."""
    layers = {
        other.partition(".")[0] for module in MODULES if module.startswith("animatic.") for other in graph()[module]
    }
    assert not layers & {"client", "storage", "video", "player", "recipe"}


def test_no_module_hides_a_public_name():
    """No module beside `__init__` bears the name of a public function: importing it would replace the function."""
    assert not set(LAYERS) & (set(vidu_nb.__all__) - {"errors"})


def drawing():
    """CONTRIBUTING's text, with a line for each layer and, set in, for each package inside of it."""
    lines = []
    for path in sorted(PACKAGE.rglob("*.py"), key=lambda path: path.parts):
        name = path.parent if path.stem == "__init__" else path.with_suffix("")
        parts = name.relative_to(PACKAGE).parts
        if parts and parts[0] in LAYERS and (len(parts) == 1 or path.stem == "__init__"):
            first = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).split("\n")[0]
            title = "  " * (len(parts) - 1) + parts[-1] + ("/" if path.stem == "__init__" else "")
            lines.append((LAYERS.index(parts[0]), f"{title:<14}{first}"))
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    head, mark, rest = text.partition("<!-- layers, made by make docs -->\n")
    drawn = "\n".join(line for _, line in sorted(lines, key=lambda line: line[0]))
    return f"{head}{mark}```\n{drawn}\n```\n" + rest.partition("```\n")[2].partition("```\n")[2]


def test_the_drawing_is_the_package():
    """CONTRIBUTING draws the layers as they are."""
    assert (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8") == drawing(), "run: make docs"


if __name__ == "__main__":
    sys.exit(not (ROOT / "CONTRIBUTING.md").write_text(drawing(), encoding="utf-8"))
