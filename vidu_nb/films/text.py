"""A film written down as plain text: Markdown, with the film's parameters in its front matter."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InvalidRequest, one_line
from ..files import expanded, reason
from .front_matter import WrongLine, parted, read_settings
from .scene import Scene

if TYPE_CHECKING:
    from markdown_it.token import Token

MAX_BYTES = 500_000
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LATE_LIST = 100  # a list's first number from which on it is meant as a number
#: Markdown that is no scene, in words.
_STRANGE = {"blockquote_open": "a quote", "fence": "code", "table_open": "a table"}


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
        parts = parted(text)
        settings, lines = read_settings(parts, given)
        title, blocks = _titled(_blocks(parts.body, parts.body_line))
        scenes = tuple(_scene(title, block) for title, block in blocks)
    except WrongLine as error:
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
        if not path.exists() or path.is_file():
            with path.open("rb") as file:
                return where, file.read(MAX_BYTES + 1)
        problem = "it is no file"
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
        raise WrongLine(f"a control character, {text[strange]!a}: delete it", _line_at(text, strange))


def _line_at(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


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
            raise WrongLine(f"{_STRANGE[token.type]} is no scene: write a paragraph, or <!-- a comment -->", line)
        if token.type == "ordered_list_open" and int(token.attrGet("start") or 1) >= _LATE_LIST:
            raise WrongLine("a number and a dot begin a list: write a backslash before the dot", line)
        if token.type == "heading_open":
            level = 0 if token.markup == "-" else int(token.tag[1:])  # --- below a paragraph is a line, not a heading
        elif token.type == "inline":
            yield _Block(level, " ".join(_plain(token.children or (), line).split()), line)
        elif token.type == "heading_close":
            level = 0


def _plain(tokens: Sequence[Token], line: int) -> str:
    """Return a text without the marks of Markdown."""
    if any(one.type == "image" for one in tokens):
        raise WrongLine("a picture's link: pictures are passed as a cast, and mentioned as @name", line)
    return "".join(" " if one.type.endswith("break") else one.content for one in tokens)


def _without_comments(body: str, first: int) -> tuple[str, list[int]]:
    """Return the story without its comments and without the lines that held nothing else, and each line's number."""

    def marked(found: re.Match[str]) -> str:
        return "\1" + "\0" * found[0].count("\n")

    text = _COMMENT.sub(marked, body)
    if "<!--" in text:
        place = text.index("<!--")
        raise WrongLine(
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


def _without_scene(heading: _Block) -> WrongLine:
    return WrongLine(f"{one_line(heading.text, 60)!r} has no scene: write a paragraph below the heading", heading.line)


def _scene(title: str, block: _Block) -> Scene:
    continues = block.text.startswith(("...", "…"))
    prompt = block.text.lstrip(".… ") if continues else block.text
    if not prompt:
        raise WrongLine("the paragraph has no words: write what happens after the dots", block.line)
    return Scene(prompt, title=title, continues=continues)
