"""A film written down as plain text: Markdown, with the film's parameters in its front matter."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..catalogue.field import Field
from ..catalogue.model import Model
from ..catalogue.models import models
from ..catalogue.toml_lines import TomlError, line_of, parse
from ..errors import InvalidRequest, one_line
from ..files import expanded, reason
from .scene import MUSIC, Scene

if TYPE_CHECKING:
    from markdown_it.token import Token

MAX_BYTES = 500_000
MAX_FRONT_BYTES = 20_000
_FENCES = {"---": ("---", "..."), "+++": ("+++",)}  # what begins front matter, and what ends it
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LATE_LIST = 100  # a list's first number from which on it is meant as a number
#: Markdown that is no scene, in words.
_STRANGE = {
    "blockquote_open": "a quote", "fence": "code", "table_open": "a table", "image": "a picture's link",
}  # fmt: skip
#: The film's own parameters that front matter may have, beside the model's.
_OWN = ("title", "music", "dissolve", "model")


@dataclass(frozen=True, slots=True)
class Story:
    """What a text says: scenes and parameters, each with its line.

    Attributes
    ----------
    where : str
        The file's name, for errors.
    scenes : tuple of Scene
    lines : tuple of int
        Where each scene begins.
    settings : mapping
        Parameters of `Film`, by their names in Python.
    settings_lines : mapping of str to int
        Where each of them stands.
    """

    where: str
    scenes: tuple[Scene, ...]
    lines: tuple[int, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    settings_lines: Mapping[str, int] = field(default_factory=dict)

    def locate(self, error: InvalidRequest) -> InvalidRequest:
        """Return an error of a film that was made of this with the line that it comes from."""
        scene = re.match(r"scene (\d+): ", error.message)
        line = self.lines[int(scene[1]) - 1] if scene and int(scene[1]) <= len(self.lines) else None
        message = error.message
        if error.field in self.settings_lines and error.field != "references":
            line = self.settings_lines[error.field]
            message = message.removeprefix(scene[0] if scene else "")
        place = self.where if line is None else f"{self.where}, line {line}"
        return InvalidRequest(f"{place}: {message}", field=error.field)


class _Wrong(Exception):  # never leaves this module
    """What is wrong, and the line where."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.line = line


class _Block(NamedTuple):
    """A heading or a paragraph; a heading's level is 1 or more, a paragraph's is 0."""

    level: int
    text: str
    line: int


def read_story(source: str | os.PathLike[str], given: Mapping[str, Any]) -> Story:
    """Read a story.

    Parameters
    ----------
    source
        A path; or the text itself, where it has more than one line.
    given
        Parameters of `Film` that are passed beside it, and count instead of the text's own.

    Raises
    ------
    InvalidRequest
        The file can't be read, or something in it is wrong; the message names the line.
    """
    where, text = _text_of(source)
    try:
        _check_characters(text)
        mark, front, body, first = _parted(text)
        settings, lines = _settings(_entries(mark, front), given)
        title, blocks = _titled(_blocks(body, first))
        scenes = tuple(_scene(title, block) for title, block in blocks)
    except _Wrong as error:
        problem = f"{where}, line {error.line}: {one_line(str(error))}"
    else:
        if not scenes:
            raise InvalidRequest(f"{where}: it has no paragraph: each one is a scene", field="scenes")
        own = settings if title is None or "title" in {*settings, *given} else {**settings, "title": title}
        return Story(where, scenes, tuple(block.line for _, block in blocks), own, lines)
    raise InvalidRequest(problem, field="text")


# From a file to text.


def _text_of(source: str | os.PathLike[str]) -> tuple[str, str]:
    """Return what a story is called in errors, and its text."""
    if isinstance(source, str) and "\n" in source.replace("\r", "\n"):
        where, data = "text", source.encode("utf-8", "surrogatepass")[: MAX_BYTES + 1]
    elif isinstance(source, str | os.PathLike):
        where, data = _read(source)
    else:
        message = f"text: {type(source).__name__} is no story: pass a path, or a text of several lines"
        raise InvalidRequest(message, field="text")
    problem, text = "", ""
    if len(data) > MAX_BYTES:
        problem = f"is larger than {MAX_BYTES // 1000} kB"
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        problem = "is UTF-16 text: save it as UTF-8"
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            problem = f"is not UTF-8 text (line {line}): save it as UTF-8"
    if problem:
        raise InvalidRequest(f"{where}: {problem}", field="text")
    return where, text.replace("\r\n", "\n").replace("\r", "\n")


def _read(source: str | os.PathLike[str]) -> tuple[str, bytes]:
    path = expanded(source)
    where = one_line(path.name, 100) or "text"
    try:
        if path.exists() and not path.is_file():
            raise InvalidRequest(f"text: {where} is no file", field="text")
        with path.open("rb") as file:
            return where, file.read(MAX_BYTES + 1)
    except OSError as error:
        problem = reason(error)
    except ValueError:
        problem = "a path can't hold a NUL character"
    raise InvalidRequest(
        f"text: {one_line(str(path), 200)} can't be read: {problem}; pass a path, or a text of several lines",
        field="text",
    )


def _check_characters(text: str) -> None:
    strange = next((i for i, c in enumerate(text) if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"), None)
    if strange is not None:
        raise _Wrong(f"a control character, {text[strange]!a}: delete it", _line_at(text, strange))


def _line_at(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


# Front matter.


def _parted(text: str) -> tuple[str, str, str, int]:
    """Return what marks the front matter, itself, the story, and the number of the story's first line."""
    lines = text.split("\n")
    mark = lines[0].rstrip()
    if mark not in _FENCES:
        return "", "", text, 1
    end = next((i for i, line in enumerate(lines) if i and line.rstrip() in _FENCES[mark]), None)
    if end is None:
        raise _Wrong(f"front matter begins here, and no line of {mark} ends it", 1)
    front = "\n".join(lines[1:end])
    if len(front) > MAX_FRONT_BYTES:
        raise _Wrong(f"the front matter is larger than {MAX_FRONT_BYTES // 1000} kB", 1)
    return mark, front, "\n".join(lines[end + 1 :]), end + 2


def _entries(mark: str, front: str) -> Iterator[tuple[str, Any, int]]:
    """Yield each name in the front matter with its value and its line; of YAML every value is text."""
    if mark == "+++":
        try:
            for name, value in parse(front).items():
                yield name, value, line_of(front, (name,)) + 1
        except TomlError as error:
            raise _Wrong(str(error), error.line + 1) from None
    elif mark:
        yield from _yaml_entries(front)


def _yaml_entries(front: str) -> Iterator[tuple[str, Any, int]]:
    """Yield the same of YAML, read without its guesses: to these, 16:9 is a number of minutes."""
    import yaml

    problem, line = "", 0
    try:
        for token in yaml.scan(front):
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
                raise _Wrong("anchors and aliases of YAML are not taken: write the value", token.start_mark.line + 2)
        loader = yaml.BaseLoader(front)
        node = loader.get_single_node()
        if node is not None and not isinstance(node, yaml.MappingNode):
            raise _Wrong("front matter has lines of NAME: VALUE", node.start_mark.line + 2)
        for key, value in node.value if node else ():
            yield (
                str(loader.construct_object(key, deep=True)),
                loader.construct_object(value, deep=True),
                key.start_mark.line + 2,
            )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem, line = f"is not YAML: {error.problem or error.context}", (mark.line if mark else 0) + 2
    except (yaml.YAMLError, RecursionError) as error:
        problem, line = f"is not YAML: {one_line(str(error), 100) or 'nested too deeply'}", 1
    if problem:
        raise _Wrong(problem, line)


def _settings(
    entries: Iterator[tuple[str, Any, int]], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the parameters that count, checked, and their lines."""
    found: dict[str, tuple[str, Any, int]] = {}
    all_entries = list(entries)
    model = _model_of(all_entries, given)
    named = {_parameter(name, model) for name in given}
    for name, value, line in all_entries:
        parameter = _parameter(name, model)
        if parameter in found:
            raise _Wrong(f"{_shown(name)}: is given twice: line {found[parameter][2]} has it, too", line)
        found[parameter] = name, value, line
    kept = {parameter: one for parameter, one in found.items() if parameter not in named}
    values = {parameter: _value(parameter, *one, model) for parameter, one in kept.items()}
    return values, {parameter: line for parameter, (_, _, line) in kept.items()}


def _model_of(entries: Sequence[tuple[str, Any, int]], given: Mapping[str, Any]) -> Model:
    if given.get("model") is not None:
        return models.find(given["model"])
    for name, value, line in entries:
        if name == "model":
            try:
                return models.find(value if isinstance(value, str) else repr(value))
            except InvalidRequest as error:
                raise _Wrong(error.message, line) from None
    return models.find(None)


def _parameter(name: str, model: Model) -> str:
    """Return a parameter's name in Python."""
    known = model.by_parameter.get(name) or model.fields.get(name)
    return known.parameter if known else name


def _value(parameter: str, name: str, value: Any, line: int, model: Model) -> Any:
    """Return a value as `Film` takes it; nothing that stands in a text names a path."""
    problem = ""
    if parameter in ("title", "model"):
        problem = "" if isinstance(value, str) and value.strip() else "is no text"
    elif parameter == "music":
        problem = (
            "" if value in MUSIC else f"{_shown(value)} is none of {', '.join(MUSIC)}: a file is passed as music=..."
        )
    elif parameter == "dissolve":
        value = _number(value)
    elif parameter == "cast":
        problem = "is passed beside the text, as cast=... or --cast FOLDER"
    else:
        field = model.by_parameter.get(parameter)
        if (field is None and parameter != "references") or (field and field.role == "prompt"):
            known = [*_OWN, *(one.parameter for one in model.fields.values() if one.role != "prompt")]
            problem = f"unknown parameter; known are {', '.join(known)}"
        elif field is None or field.is_media:
            problem = _not_addresses(value)
        else:
            value, problem = _checked(field, value)
    if problem:
        raise _Wrong(f"{_shown(name)}: {problem}", line)
    return value


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _not_addresses(value: Any) -> str:
    """Return what is wrong with pictures or links; empty where all are addresses."""
    for one in value if isinstance(value, list) else [value]:
        if not (isinstance(one, str) and one.startswith("https://")):
            return f"{_shown(one)} is no https:// address: files are passed as a cast"
    return ""


def _checked(field: Field, value: Any) -> tuple[Any, str]:
    """Return a parameter's value, read by the type that its model's file says, and what is wrong with it."""
    if isinstance(value, dict | list) or value == "":
        return value, f"{_shown(value)} is no value of it" if value else "has no value: leave the line out"
    read = field.read(value)
    try:
        field.check(read)
    except InvalidRequest as error:
        return read, error.message
    except ValueError as error:
        return read, str(error)
    return read, ""


def _shown(value: object) -> str:
    return one_line(value if isinstance(value, str) else repr(value), 60)


# The story.


def _blocks(body: str, first: int) -> Iterator[_Block]:
    """Yield the story's headings and paragraphs; `first` is the number of its first line."""
    from markdown_it import MarkdownIt

    text, numbers = _without_comments(body, first)
    # Indented paragraphs are paragraphs, and what stands in <> is text.
    reader = MarkdownIt("commonmark").disable(["code", "reference", "html_block", "html_inline"]).enable("table")
    level, line = 0, first
    for token in reader.parse(text):
        line = numbers[token.map[0]] if token.map else line
        if token.type in _STRANGE:
            raise _Wrong(f"{_STRANGE[token.type]} is no scene: write a paragraph, or <!-- a comment -->", line)
        if token.type == "ordered_list_open" and int(token.attrGet("start") or 1) >= _LATE_LIST:
            raise _Wrong("a number and a dot begin a list: write a backslash before the dot", line)
        if token.type == "heading_open":
            level = 0 if token.markup == "-" else int(token.tag[1:])  # --- below a paragraph is a line, not a heading
        elif token.type == "inline":
            yield _Block(level, " ".join(_plain(token.children or (), line).split()), line)
        elif token.type == "heading_close":
            level = 0


def _plain(tokens: Sequence[Token], line: int) -> str:
    """Return a text without the marks of Markdown."""
    if any(one.type == "image" for one in tokens):
        raise _Wrong("a picture's link: pictures are passed as a cast, and mentioned as @name", line)
    return "".join(" " if one.type.endswith("break") else one.content for one in tokens)


def _without_comments(body: str, first: int) -> tuple[str, list[int]]:
    """Return the story without its comments and without the lines that held nothing else, and each line's number."""

    def marked(found: re.Match[str]) -> str:
        return "\1" + "\0" * found[0].count("\n")

    text = _COMMENT.sub(marked, body)
    if "<!--" in text:
        place = text.index("<!--")
        raise _Wrong(
            "a comment begins here, and no --> ends it", first + _line_at(text, place) - 1 + text.count("\0", 0, place)
        )
    lines, numbers, number = [], [], first
    for line in text.split("\n"):
        plain = line.replace("\0", "").replace("\1", "")
        if plain.strip() or "\1" not in line:
            lines.append(plain)
            numbers.append(number)
        number += 1 + line.count("\0")
    return "\n".join(lines), numbers


def _titled(blocks: Iterator[_Block]) -> tuple[str | None, list[tuple[str, _Block]]]:
    """Return the film's title, None where the text has none, and each paragraph with its own."""
    film, heading = None, None
    found: list[tuple[str, _Block]] = []
    headings = 0
    for block in blocks:
        if not block.level:
            found.append((heading.text if heading else "", block))
            heading = None
            continue
        headings += 1
        if heading and headings == 2 and heading.level == 1 and not found:
            film = heading.text
        elif heading and block.level <= heading.level:
            raise _without_scene(heading)
        heading = block
    if heading:
        raise _without_scene(heading)
    return film, found


def _without_scene(heading: _Block) -> _Wrong:
    return _Wrong(f"{_shown(heading.text)!r} has no scene: write a paragraph below the heading", heading.line)


def _scene(title: str, block: _Block) -> Scene:
    continues = block.text.startswith(("...", "…"))
    prompt = block.text.lstrip(".… ") if continues else block.text
    if not prompt:
        raise _Wrong("the paragraph has no words: write what happens after the dots", block.line)
    return Scene(prompt, title=title, continues=continues)
