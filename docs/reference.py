"""The page of Python names, made from the docstrings: ``python docs/reference.py`` writes ``docs/api.md``."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vidu_nb as vidu

PAGE = Path(__file__).with_name("api.md")
WIDTH = 100  # characters of a signature before it is broken

#: What is told, in order; a class with the names of those methods that people call, None for all of them.
CHAPTERS: dict[str, dict[Any, tuple[str, ...] | None]] = {
    "Making clips": {vidu.generate: None, vidu.preview: None, vidu.sweep: None, vidu.Client: None},
    "What is asked": {
        vidu.VideoRequest: None, vidu.Reference: None, vidu.Plan: None, vidu.storyboard: None, vidu.Storyboard: (),
    },
    "What comes back": {vidu.Video: None, vidu.Receipt: ("to_dict",), vidu.Sweep: None, vidu.load: None},
    "Showing": {
        vidu.panel: None, vidu.Panel: ("fill", "preview", "generate", "run", "wait", "cancel"),
        vidu.show: None, vidu.Player: (),
    },
    "Measuring": {
        vidu.reproduces: None, vidu.Verdict: None, vidu.Verdicts: None, vidu.consistency: None, vidu.Consistency: None,
        vidu.dino: None, vidu.framing: None, vidu.Framing: None,
    },
    "Money and keys": {
        vidu.login: None, vidu.logout: None, vidu.Budget: None, vidu.Credits: (), vidu.Pending: (),
        vidu.Archive: ("entries", "find", "open"),
    },
    "Without the hosted service": {vidu.PreviewServer: ()},
}  # fmt: skip
INTRO = """# Python names

Made from the docstrings by `make docs`: edit those. `import vidu_nb as vidu` brings them all; what is not named here
may move or change in any release.
"""
NEXT = "\nNext: [quickstart](quickstart.md), [troubleshooting](troubleshooting.md), [all pages](README.md).\n"


def page() -> str:
    """The whole page."""
    parts = [INTRO, *contents()]
    for chapter, things in CHAPTERS.items():
        parts.append(f"\n## {chapter}\n")
        for thing, members in things.items():
            parts += entry(thing, members)
    return "\n".join([*parts, *errors(), NEXT])


def contents() -> Iterator[str]:
    """A line for each chapter, with links."""
    for chapter, things in CHAPTERS.items():
        links = ", ".join(f"[{thing.__name__}](#{heading(thing).lower().replace(' ', '-')})" for thing in things)
        yield f"- {chapter}: {links}"
    yield "- Errors: [the tree](#errors)"


def heading(thing: Any) -> str:
    """A name, with a word before a class's: `sweep` and `Sweep` would have the same anchor."""
    return f"class {thing.__name__}" if inspect.isclass(thing) else str(thing.__name__)


def entry(thing: Any, members: tuple[str, ...] | None) -> Iterator[str]:
    """One function or class."""
    yield f"\n### {heading(thing)}\n"
    yield f"```\n{signature(thing, thing.__name__)}\n```\n"
    yield prose(thing)
    if thing is vidu.VideoRequest:
        yield from fields()
    if inspect.isclass(thing):
        chosen = vars(thing) if members is None else members
        told = {name: one for name, one in sorted(vars(thing).items()) if name[0] != "_" and name in chosen}
        yield "\n" + "\n".join(f"- `.{name}`: {prose(one)}" for name, one in told.items() if isinstance(one, property))
        for name, one in told.items():
            if callable(getattr(thing, name)):
                yield f"\n#### {thing.__name__}.{name}()\n\n```\n{signature(getattr(thing, name), name)}\n```\n"
                yield prose(one)


def signature(thing: Any, name: str) -> str:
    """A call as one would write it, without annotations: the text says what is taken."""
    if thing is vidu.VideoRequest:  # its own takes what pydantic was told of
        given = ("=".join((field, repr(info.default))) for field, info in thing.model_fields.items() if info.default)
        return "VideoRequest(*, prompt, references, " + ", ".join(x for x in given if "Undefined" not in x) + ")"
    try:
        found = inspect.signature(thing)
    except ValueError:
        return name
    plain = [one.replace(annotation=one.empty) for one in found.parameters.values() if one.name != "self"]
    given = re.sub(
        r"<function (\w+) at 0x\w+>", r"\1", str(found.replace(parameters=plain, return_annotation=found.empty))
    )
    if len(name + given) <= WIDTH:
        return name + given
    starred = given[1:-1]
    return f"{name}(\n    " + re.sub(r", (?![^\[(]*[\])])", ",\n    ", starred) + ",\n)"


def fields() -> Iterator[str]:
    """The request's parameters, as the model itself tells them."""
    yield "\n| parameter | default | what it is |\n| --- | --- | --- |"
    for name, info in vidu.VideoRequest.model_fields.items():
        default = "" if info.is_required() else f"`{info.default!r}`"
        yield f"| `{name}` | {default} | {info.description} |"


def errors() -> Iterator[str]:
    """The tree, and what each error has of its own."""
    tree = inspect.cleandoc(vidu.errors.__doc__).split("\n\n")
    yield "\n## Errors\n\n" + tree[0]
    yield f"\n```\n{inspect.cleandoc(tree[1])}\n```\n\n" + markdown(tree[2])
    yield "\nWhat to do about each: [troubleshooting](troubleshooting.md#by-error)."


def prose(thing: Any) -> str:
    """A docstring as Markdown; a list's item where the thing is a property."""
    if isinstance(thing, property):
        return _words((inspect.getdoc(thing) or "").replace("\n\n", " ").replace("\n", " "))
    return markdown(inspect.getdoc(thing) or "")


def markdown(text: str) -> str:
    """Numpy's sections as bold words and lists, examples as code, names in single backticks."""
    blocks = re.split(r"\n\n", re.sub(r"^(\w+)\n-{3,}$", r"\n**\1**\n", text, flags=re.MULTILINE))
    return "\n\n".join(filter(None, (_block(block.strip("\n")) for block in blocks)))


def _block(block: str) -> str:
    if block.startswith(">>>"):
        return f"```pycon\n{block}\n```"
    lines = block.split("\n")
    if any(line.startswith("    ") for line in lines):  # name, then what it is, set in
        return "\n".join(f"  {_words(line.strip())}" if line[:1] == " " else f"- {_named(line)}" for line in lines)
    return _words(block)


def _named(line: str) -> str:
    name, _, kind = line.partition(" : ")
    return f"`{name}`" + (f" ({_words(kind)})" if kind else "") + "  "


def _words(text: str) -> str:
    return text.replace("``", "`")


def main() -> int:
    """Write the page; with ``--check`` only tell whether it is up to date."""
    text = page()
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
