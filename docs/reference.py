"""The page of Python names and the tables of models, made from docstrings and the models' files.

``python docs/reference.py`` writes ``docs/api.md``, and the part of ``docs/models.md`` between its two marks.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vidu_nb as vidu
from vidu_nb.catalogue.field import Field
from vidu_nb.measures.film_consistency import FilmConsistency
from vidu_nb.measures.film_framing import FilmFraming

PAGE = Path(__file__).with_name("api.md")
MODELS_PAGE = Path(__file__).with_name("models.md")
MARKS = ("<!-- models, made by make docs -->\n", "<!-- end of models -->\n")
MODELS = type(vidu.models)  # the class of a mapping, which is no key of a dict itself
WIDTH = 100  # characters of a signature before it is broken

#: What is told, in order; a class with the names of those methods that people call, None for all of them.
CHAPTERS: dict[str, dict[Any, tuple[str, ...] | None]] = {
    "Making clips and pictures": {
        vidu.generate: None, vidu.picture: None, vidu.preview: None, vidu.sweep: None, vidu.Client: None,
    },
    "What is asked": {
        vidu.VideoRequest: None, vidu.Reference: None, vidu.Plan: None, vidu.storyboard: None, vidu.Storyboard: (),
        MODELS: ("add", "remove", "find"), vidu.Model: ("from_toml", "request", "price_of", "schema"),
    },
    "A cast and a film": {
        vidu.Cast: ("replace", "without", "mentioned", "write", "save", "load", "label"),
        vidu.Film: (
            "from_text", "parameters", "duration", "model_of", "request",
            "replace", "insert", "append", "move", "without",
            "priced", "kept", "price_usd", "seconds", "summary",
            "preview", "shoot", "failed", "missing", "spent_usd", "stopped",
            "video", "videos", "clips", "takes", "save",
        ),
        vidu.Scene: ("parameters", "replace"),
    },
    "What comes back": {
        vidu.Video: None, vidu.Picture: None, vidu.Pictures: None, vidu.Receipt: ("to_dict",), vidu.Sweep: None,
        vidu.load: None,
    },
    "Showing": {
        vidu.panel: None, vidu.Panel: ("fill", "preview", "generate", "run", "wait", "cancel"),
        vidu.show: None, vidu.Player: (),
    },
    "Measuring": {
        vidu.reproduces: None, vidu.Verdict: None, vidu.Verdicts: None, vidu.consistency: None, vidu.Consistency: None,
        vidu.dino: None, vidu.framing: None, vidu.Framing: None, FilmConsistency: None, FilmFraming: None,
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
        titles = [heading(thing) for thing in things]
        links = ", ".join(f"[{one.removeprefix('class ')}](#{one.lower().replace(' ', '-')})" for one in titles)
        yield f"- {chapter}: {links}"
    yield "- Errors: [the tree](#errors)"


def heading(thing: Any) -> str:
    """A name, with a word before a class's: `sweep` and `Sweep` would have the same anchor."""
    if thing is MODELS or thing is vidu.models:
        return "models"
    return f"class {thing.__name__}" if inspect.isclass(thing) else str(thing.__name__)


def entry(thing: Any, members: tuple[str, ...] | None) -> Iterator[str]:
    """One function or class."""
    yield f"\n### {heading(thing)}\n"
    if thing is not MODELS:
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
                owner, call = heading(thing).removeprefix("class "), signature(getattr(thing, name), name)
                yield f"\n#### {owner}.{name}()\n\n```\n{call}\n```\n"
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


def models_page() -> str:
    """The page on models, with the tables of those that come along."""
    before, _, rest = MODELS_PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    return f"{before}{MARKS[0]}\n" + "\n".join(models()) + f"\n\n{MARKS[1]}" + rest.partition(MARKS[1])[2]


def models() -> Iterator[str]:
    """The models that come along in one table, then the parameters of each."""
    yield "| model | returns | about, US dollars | about, seconds | read in |\n| --- | --- | --- | --- | --- |"
    for model in vidu.models.values():
        anchor = re.sub(r"[^\w\- ]", "", model.slug)
        row = (
            f"[`{model.slug}`](#{anchor})",
            model.returns,
            f"{model.price_usd:g}",
            f"{model.seconds:g}",
            model.source,
        )
        yield f"| {' | '.join(row)} |"
    for model in vidu.models.values():
        yield f"\n### {model.slug}\n"
        yield "| parameter | role | default | values | sure |\n| --- | --- | --- | --- | --- |"
        for one in model.fields.values():
            name = f"`{one.name}`" if one.name == one.parameter else f"`{one.name}`, here `{one.parameter}`"
            default = "required" if one.required else "" if one.default is None else f"`{json.dumps(one.default)}`"
            yield f"| {name} | {one.role} | {default} | {values(one)} | {'yes' if one.sure else f'no: {one.mark}'} |"


def values(one: Field) -> str:
    """What a parameter takes, in a few words."""
    parts = [one.type]
    if one.choices:
        parts.append(("one of " if one.sure else "such as ") + ", ".join(f"`{choice}`" for choice in one.choices))
    if one.minimum is not None:
        parts.append(f"{one.minimum} to {one.maximum}")
    if one.multiple_of is not None:
        parts.append(f"a multiple of {one.multiple_of}")
    if one.max_length is not None:
        parts.append(f"at most {one.max_length} characters")
    if one.max_items is not None:
        parts.append(f"{one.min_items or 0} to {one.max_items}")
    if one.random is not None:
        parts.append(f"{one.random} is a random one")
    if one.animated:
        parts.append("also an animated GIF")
    return "; ".join([", ".join(parts), *(f"{choice}: {remark}" for choice, remark in one.remarks.items())])


def main() -> int:
    """Write the pages; with ``--check`` only tell whether they are up to date."""
    pages = {PAGE: page(), MODELS_PAGE: models_page()}
    if "--check" in sys.argv:
        return int(any(path.read_text(encoding="utf-8") != text for path, text in pages.items()))
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
