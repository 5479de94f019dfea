"""A film's front matter: its parameters, between ``---`` as YAML or between ``+++`` as TOML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..catalogue.field import Field
from ..catalogue.model import Model
from ..catalogue.models import models
from ..catalogue.toml_lines import TomlError, line_of, parse
from ..errors import InvalidRequest, one_line
from .scene import MUSIC

MAX_FRONT_BYTES = 20_000
_FENCES = {"---": ("---", "..."), "+++": ("+++",)}  # what begins it, and what ends it
_MOST_LISTS = 100  # of YAML, in brackets
#: The film's own parameters that it may have, beside the model's.
_OWN = ("title", "music", "dissolve", "model")


class WrongLine(Exception):  # never leaves this package
    """What is wrong in a text, and the line where."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.line = line


class Parts(NamedTuple):
    """What marks the front matter, itself, the number of its first line; the story, and the number of its first."""

    mark: str
    front: str
    front_line: int
    body: str
    body_line: int


class Entry(NamedTuple):
    """A parameter in the front matter: as it is written, and where."""

    name: str
    value: Any
    line: int


def parted(text: str) -> Parts:
    """Return a text's front matter, empty where it has none, and the rest."""
    lines = text.split("\n")
    begin = next((i for i, line in enumerate(lines) if line.strip()), 0)
    mark = lines[begin].rstrip()
    if mark not in _FENCES:
        return Parts("", "", 0, text, 1)
    end = next((i for i, line in enumerate(lines) if i > begin and line.rstrip() in _FENCES[mark]), None)
    if end is None:
        raise WrongLine(f"front matter begins here, and no line of {mark} ends it", begin + 1)
    front = "\n".join(lines[begin + 1 : end])
    if len(front) > MAX_FRONT_BYTES:
        raise WrongLine(f"the front matter is larger than {MAX_FRONT_BYTES // 1000} kB", begin + 1)
    return Parts(mark, front, begin + 2, "\n".join(lines[end + 1 :]), end + 2)


def read_settings(parts: Parts, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the parameters of the front matter that count, checked, by their names in Python, and their lines.

    Parameters
    ----------
    parts
        Of a text.
    given
        Parameters that are passed beside it, and count instead.

    Raises
    ------
    WrongLine
        A name or a value is wrong, or names a file.
    """
    entries = [Entry(one.name, one.value, one.line + parts.front_line) for one in _entries(parts)]
    model = _model_of(entries, given)
    named = {_parameter(name, model) for name in given}
    found: dict[str, Entry] = {}
    for entry in entries:
        earlier = found.setdefault(_parameter(entry.name, model), entry)
        if earlier is not entry:
            raise WrongLine(f"{_shown(entry.name)}: is given twice: line {earlier.line} has it, too", entry.line)
    kept = {parameter: entry for parameter, entry in found.items() if parameter not in named}
    values = {parameter: _value(parameter, entry, model) for parameter, entry in kept.items()}
    return values, {parameter: entry.line for parameter, entry in kept.items()}


def _entries(parts: Parts) -> Iterator[Entry]:
    """Yield what stands in the front matter, its lines counted from 0; of YAML every value is text."""
    if parts.mark == "---":
        yield from _yaml_entries(parts)
    elif parts.mark:
        try:
            for name, value in parse(parts.front).items():
                yield Entry(name, value, line_of(parts.front, (name,)) - 1)
        except TomlError as error:
            raise WrongLine(str(error), parts.front_line + error.line - 1) from None


def _yaml_entries(parts: Parts) -> Iterator[Entry]:
    """Yield the same of YAML, read without its guesses: to these, 16:9 is a number of minutes."""
    import yaml

    def wrong(problem: str, mark: yaml.Mark | None) -> WrongLine:
        return WrongLine(problem, parts.front_line + (mark.line if mark else 0))

    opened = 0
    try:
        for token in yaml.scan(parts.front):
            opened += isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken)
            if opened > _MOST_LISTS:  # each takes longer than the one before
                raise wrong("is not YAML that a film needs: it has too many lists", token.start_mark)
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
                raise wrong("anchors and aliases of YAML are not taken: write the value", token.start_mark)
        loader = yaml.BaseLoader(parts.front)
        node = loader.get_single_node()
        if node is not None and not isinstance(node, yaml.MappingNode):
            raise wrong("front matter has lines of NAME: VALUE", node.start_mark)
        for key, value in node.value if node else ():
            name, text = (loader.construct_object(one, deep=True) for one in (key, value))
            yield Entry(str(name), text, key.start_mark.line)
    except yaml.MarkedYAMLError as error:
        problem, mark = f"is not YAML: {error.problem or error.context}", error.problem_mark or error.context_mark
    except (yaml.YAMLError, RecursionError) as error:
        problem, mark = f"is not YAML: {one_line(str(error), 100) or 'nested too deeply'}", None
    else:
        return
    raise wrong(problem, mark)


def _model_of(entries: Sequence[Entry], given: Mapping[str, Any]) -> Model:
    if given.get("model") is not None:
        return models.find(given["model"])
    for name, value, line in entries:
        if name == "model":
            try:
                return models.find(value if isinstance(value, str) else repr(value))
            except InvalidRequest as error:
                raise WrongLine(error.message, line) from None
    return models.find(None)


def _parameter(name: str, model: Model) -> str:
    """Return a parameter's name in Python."""
    known = model.by_parameter.get(name) or model.fields.get(name)
    return known.parameter if known else name


def _value(parameter: str, entry: Entry, model: Model) -> Any:
    """Return an entry's value as `Film` takes it."""
    try:
        return _checked(parameter, entry.value, model)
    except InvalidRequest as error:
        problem = error.message
    except ValueError as error:
        problem = str(error)
    raise WrongLine(f"{_shown(entry.name)}: {problem}", entry.line)


def _checked(parameter: str, value: Any, model: Model) -> Any:
    """Return a value, where it is one of this parameter and names no file; ValueError says what is wrong with it."""
    if value in ("", [], {}):
        raise ValueError("has no value: leave the line out")
    if parameter == "cast":
        raise ValueError("is passed beside the text, as cast=... or --cast FOLDER")
    if parameter == "music" and value not in MUSIC:
        raise ValueError(f"{_shown(value)} is none of {', '.join(MUSIC)}: a file is passed as music=...")
    if parameter in ("title", "model") and not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is no text")
    if parameter in _OWN:
        return _number(value) if parameter == "dissolve" else value
    field = model.by_parameter.get(parameter)
    if (field is None and parameter != "references") or (field and field.role == "prompt"):
        known = [*_OWN, *(one.parameter for one in model.fields.values() if one.role != "prompt")]
        raise ValueError(f"unknown parameter; known are {', '.join(known)}")
    return _addresses(value) if field is None or field.is_media else _of_field(field, value)


def _number(value: Any) -> Any:
    """Return a text as a number; as it is where it is none, for the film to judge."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _addresses(value: Any) -> Any:
    for one in value if isinstance(value, list) else [value]:
        if not (isinstance(one, str) and one.startswith("https://")):
            raise ValueError(f"{_shown(one)} is no https:// address: files are passed as a cast")
    return value


def _of_field(field: Field, value: Any) -> Any:
    """Return a value as the type that the model's file says."""
    if isinstance(value, dict | list):
        raise ValueError(f"{_shown(value)} is no value of it")  # noqa: TRY004 - as the others
    read = field.read(value)
    field.check(read)
    return read


def _shown(value: object) -> str:
    return one_line(value if isinstance(value, str) else repr(value), 60)
