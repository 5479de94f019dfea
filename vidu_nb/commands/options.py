"""A request as options: for the command line and the cell magic, read from the models' files.

Vidu Q1's parameters have options of their own; those of any model are ``--set NAME=VALUE``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..catalogue.field import MANY
from ..catalogue.model import Model
from ..catalogue.models import DEFAULT, models
from ..catalogue.request import Request
from ..errors import InvalidRequest, one_line
from ..folders import copy_target
from ..pictures import PICTURE_COPIES
from ..references.cast import Cast
from ..video import COPIES, Video

_PICTURE_HELP = "a path, https:// URL or data: URI; repeat it for up to seven pictures"


def prompt_argument(command: argparse.ArgumentParser) -> None:
    """Add the prompt as a positional argument; models without one are asked without it."""
    command.add_argument("prompt", nargs="?", help=_help("prompt"))


def request_options(command: argparse.ArgumentParser) -> None:
    """Add an option for each parameter but the prompt, with the help that the model's file gives; and ``--output``."""
    any_model_options(command)
    for name, field in models[DEFAULT].by_parameter.items():
        option = f"--{name.replace('_', '-')}"
        if name in ("prompt", "references"):
            continue
        if field.type == "boolean":
            command.add_argument(option, action=argparse.BooleanOptionalAction, default=None, help=_help(name))
            continue
        shown = "|".join(map(str, field.choices)) or name.upper()
        command.add_argument(option, type=type(field.default), metavar=shown, help=_help(name))
    output_options(command)


def any_model_options(command: argparse.ArgumentParser) -> None:
    """Add what every model takes: pictures, its name, and its parameters by their names."""
    command.add_argument(
        "-r", "--reference", action="append", default=[], metavar="PICTURE", dest="references", type=picture,
        help=_PICTURE_HELP,
    )  # fmt: skip
    cast_option(command)
    _model_options(command, "a parameter of that model; repeat it for others, and for a list of pictures or links")


def cast_option(command: argparse.ArgumentParser) -> None:
    """Add whose pictures a prompt may mention."""
    command.add_argument(
        "--cast", type=cast_folder, metavar="FOLDER",
        help="a folder with a cast: pictures, and cast.toml or their names; a prompt mentions @anna",
    )  # fmt: skip


def output_options(command: argparse.ArgumentParser) -> None:
    """Add where a copy goes."""
    command.add_argument(
        "-o", "--output", metavar="FILE|FOLDER/",
        help="also save a copy, with the request and receipt inside; a folder gets it under its name in the archive",
    )  # fmt: skip
    command.add_argument(
        "--no-pictures", action="store_true", help="leave the reference pictures out of the copy of a clip"
    )


def swept_options(command: argparse.ArgumentParser) -> None:
    """Add the same options with one value or several for each parameter, and one prompt or several."""
    command.add_argument("prompt", nargs="*", help=f"{_help('prompt')} Several make a clip each.")
    command.add_argument(
        "-r", "--reference", action="append", default=[], metavar="PICTURE", dest="references", type=picture,
        help=f"{_PICTURE_HELP}, which every clip is made from",
    )  # fmt: skip
    cast_option(command)
    _model_options(command, "a parameter of that model; the same name again is another value, and makes a clip each")
    for name, field in models[DEFAULT].by_parameter.items():
        if name in ("prompt", "references"):
            continue
        is_switch = field.type == "boolean"
        shown = "on|off" if is_switch else "|".join(map(str, field.choices)) or name.upper()
        command.add_argument(
            f"--{name.replace('_', '-')}", nargs="+", type=_switch if is_switch else type(field.default),
            metavar=shown, help=f"{_help(name)} Several values make a clip each.",
        )  # fmt: skip


def _model_options(command: argparse.ArgumentParser, help_text: str) -> None:
    command.add_argument(
        "--model", metavar="SLUG", help=f"the model to ask, as vidu-nb models lists them (default: {DEFAULT})"
    )
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="settings", type=assignment,
        help=f"{help_text}; vidu-nb models SLUG lists the names",
    )  # fmt: skip


def check_output(output: str, model: Model) -> None:
    """Refuse a place for the copy where none can go: before anything is made or paid for.

    Raises
    ------
    InvalidRequest
        Standard output, an ending that no copy has, or a place inside an archive.
    """
    made = "clip" if model.returns == "video" else "picture"
    if output == "-":
        raise InvalidRequest(
            f"output: a {made} is not written to standard output; name a file or a folder (./- is a file)",
            field="output",
        )
    copy_target(output, COPIES if model.returns == "video" else PICTURE_COPIES)


def parts(made: Any) -> tuple[Any, ...]:
    """Return the clip or the pictures that a request brought."""
    return made if isinstance(made, tuple) else (made,)


def save(made: Any, output: str, *, references: bool) -> list[Path]:
    """Save a copy of a clip, of a picture, or of each of several; returns where."""
    if isinstance(made, Video):
        return [made.save(output, references=references)]
    saved = made.save(output)
    return saved if isinstance(saved, list) else [saved]


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither on nor off")
    return text == "on"


def picture(text: str) -> str:
    """Return what ``-r`` names, as it is: a type of its own, so that a parser can register another meaning for it."""
    return text


def cast_folder(text: str) -> str:
    """Return what ``--cast`` names; a type of its own, as `picture` is."""
    return text


def cast_of(given: Any) -> Cast | None:
    """Return the cast that ``--cast`` names: a folder, or what a variable holds.

    Raises
    ------
    InvalidRequest
        The folder holds none, or its ``cast.toml`` is wrong.
    """
    if given is None or isinstance(given, Cast):
        return given
    return Cast(given) if isinstance(given, Mapping) else Cast.load(given)


def assignment(text: str) -> tuple[str, Any]:
    """Return the name and the value that ``--set`` names; a type of its own, as `picture` is."""
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE")
    return name, value


def request_from(arguments: argparse.Namespace, model: Model) -> Request:
    """Make the request that parsed options ask for.

    Raises
    ------
    InvalidRequest
        A name or a value is wrong, or a name is given twice.
    """
    asked = _given(arguments)
    for name, values in _settings(arguments.settings, model).items():
        field = model.by_parameter[name]
        if name in asked or (len(values) > 1 and field.type not in MANY):
            raise InvalidRequest(f"--set: {name} is given twice: pass it once", field=name)
        asked[name] = values if field.type in MANY else values[0]
    return model.request(**_with_references(asked, model))


def swept_from(arguments: argparse.Namespace, model: Model) -> dict[str, Any]:
    """Return parsed options as a sweep's parameters.

    Raises
    ------
    InvalidRequest
        As for `request_from`; a name given twice is another value.
    """
    asked = _given(arguments)
    for name, values in _settings(arguments.settings, model).items():
        if name in asked:
            raise InvalidRequest(f"--set: {name} has an option of its own here: pass it by one of the two", field=name)
        asked[name] = values
    return _with_references(asked, model)


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the options for Vidu Q1's parameters hold; another model refuses those that it doesn't have."""
    names = models[DEFAULT].by_parameter
    asked = {name: value for name in names if (value := getattr(arguments, name, None)) not in (None, [])}
    cast = cast_of(arguments.cast)
    return asked if cast is None else {**asked, "references": [cast, *asked.get("references", ())]}


def _with_references(asked: dict[str, Any], model: Model) -> dict[str, Any]:
    """Return the parameters with no pictures where some are required, so that the error says that there are none."""
    field = model.by_parameter.get("references")
    return {"references": [], **asked} if field and field.required else asked


def _settings(pairs: Iterable[tuple[str, Any]], model: Model) -> dict[str, list[Any]]:
    """Return each parameter that ``--set`` names, under its name in Python, with its values by the field's type."""
    found: dict[str, list[Any]] = {}
    for name, value in pairs:
        field = model.by_parameter.get(name) or model.fields.get(name)
        if field is None:
            known = ", ".join(model.by_parameter)
            problem = f"--set: {one_line(name, 80)!r} is no parameter of {model.slug}; known are {known}"
            raise InvalidRequest(problem, field="set")
        found.setdefault(field.parameter, []).append(field.read(value))
    return found


def _help(name: str) -> str:
    field = models[DEFAULT].by_parameter[name]
    value = ("off", "on")[field.default] if isinstance(field.default, bool) else field.default
    default = "" if field.required else f" Default: {value}."
    return f"{field.help}{default}".replace("%", "%%")
