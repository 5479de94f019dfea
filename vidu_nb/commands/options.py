"""A request as options: for the command line and the cell magic, read from the request model."""

from __future__ import annotations

import argparse
from typing import Any

from ..catalogue.models import models
from ..errors import InvalidRequest
from ..request import MODEL, VideoRequest
from ..video import check_target


def prompt_argument(command: argparse.ArgumentParser) -> None:
    """Add the prompt as a positional argument."""
    command.add_argument("prompt", help=_help("prompt"))


def request_options(command: argparse.ArgumentParser) -> None:
    """Add an option for each parameter but the prompt, with the help that the request model gives; and ``--output``."""
    command.add_argument(
        "-r", "--reference", action="append", default=[], metavar="PICTURE", dest="references", type=picture,
        help="a path, https:// URL or data: URI; repeat it for up to seven pictures",
    )  # fmt: skip
    for name, field in models[MODEL].by_parameter.items():
        option = f"--{name.replace('_', '-')}"
        if name in ("prompt", "references"):
            continue
        if isinstance(field.default, bool):
            command.add_argument(option, action=argparse.BooleanOptionalAction, default=field.default, help=_help(name))
            continue
        shown = "|".join(map(str, field.choices)) or name.upper()
        command.add_argument(option, type=type(field.default), default=field.default, metavar=shown, help=_help(name))
    command.add_argument(
        "-o", "--output", metavar="FILE|FOLDER/",
        help="also save a copy, with the request and receipt inside; a folder gets it under its name in the archive",
    )  # fmt: skip
    command.add_argument("--no-pictures", action="store_true", help="leave the reference pictures out of the copy")


def check_output(output: str) -> None:
    """Refuse a place for the copy where none can go: before anything is made or paid for.

    Raises
    ------
    InvalidRequest
        Standard output, an ending that no copy has, or a place inside an archive.
    """
    if output == "-":
        raise InvalidRequest(
            "output: a clip is not written to standard output; name a file or a folder (./- is a file)", field="output"
        )
    check_target(output)


def swept_options(command: argparse.ArgumentParser) -> None:
    """Add the same options with one value or several for each parameter, and one prompt or several."""
    command.add_argument("prompt", nargs="+", help=f"{_help('prompt')} Several make a clip each.")
    command.add_argument(
        "-r", "--reference", action="append", default=[], metavar="PICTURE", dest="references", type=picture,
        help="a path, https:// URL or data: URI; repeat it for up to seven pictures, which every clip is made from",
    )  # fmt: skip
    for name, field in models[MODEL].by_parameter.items():
        if name in ("prompt", "references"):
            continue
        is_switch = isinstance(field.default, bool)
        shown = "on|off" if is_switch else "|".join(map(str, field.choices)) or name.upper()
        command.add_argument(
            f"--{name.replace('_', '-')}", nargs="+", type=_switch if is_switch else type(field.default),
            default=[field.default], metavar=shown, help=f"{_help(name)} Several values make a clip each.",
        )  # fmt: skip


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither on nor off")
    return text == "on"


def picture(text: str) -> str:
    """Return what ``-r`` names, as it is: a type of its own, so that a parser can register another meaning for it."""
    return text


def swept_from(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return parsed options as a sweep's parameters."""
    return {name: getattr(arguments, name) for name in models[MODEL].by_parameter}


def request_from(arguments: argparse.Namespace) -> VideoRequest:
    """Make the request that parsed options ask for.

    Raises
    ------
    InvalidRequest
        As for `VideoRequest`.
    """
    return VideoRequest(**{name: getattr(arguments, name) for name in models[MODEL].by_parameter})


def _help(name: str) -> str:
    field = models[MODEL].by_parameter[name]
    value = ("off", "on")[field.default] if isinstance(field.default, bool) else field.default
    default = "" if field.required else f" Default: {value}."
    return f"{field.help}{default}".replace("%", "%%")
