"""``%%vidu``: a cell whose text is the prompt; ``%load_ext vidu_nb`` brings it.

%%vidu -r cat.jpg --seed 7
A cat naps. Then it looks up.

Another model is named with ``--model``, and its parameters with ``--set NAME=VALUE``.
"""

from __future__ import annotations

import argparse
import keyword
import shlex
from collections.abc import Iterable, Iterator
from string import Template
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from ..catalogue.models import models
from ..client.client import Client
from ..console import printable
from .options import assignment, cast_folder, check_output, picture, request_from, request_options, save

_EXAMPLE = "%%vidu -r cat.jpg --seed 7\nA cat naps. Then it looks up."
_DESCRIPTION = (
    "Make a clip; the cell's text is the prompt. Without SEGMIND_API_KEY, a free local preview engine answers."
)
_EPILOG = """\
$name stands for a variable: in the prompt and in options for its text, as a picture (-r $name) for the path, bytes,
PIL image, array or Reference itself, or for a list of them, as --cast $name for a Cast or a folder, as a value
(--set NAME=$name) for whatever it holds.
$$ is a dollar sign; where there is no such variable, the text stays as it is.
"""


@magics_class
class ViduMagics(Magics):
    """The magics of this package."""

    shell: InteractiveShell

    @no_var_expand  # IPython would evaluate {...}, which prompts may hold, and would turn pictures into text
    @line_cell_magic
    def vidu(self, line: str, cell: str | None = None) -> Any:
        """Make a clip, or a picture, from the cell's text; ``%vidu`` shows the options."""
        names = self.shell.user_ns
        parser = _parser(names)
        arguments = parser.parse_args(_split(line))
        if arguments.help or cell is None:
            parser.print_help()
            return None
        model = models.find(arguments.model)
        prompt = model.by_role("prompt")
        if not cell.strip() and prompt and prompt.required:
            raise UsageError(
                f"the cell is empty: write what happens in the clip below the first line, as in\n{_EXAMPLE}"
            )
        arguments.prompt = Template(cell).safe_substitute(names) if cell.strip() else None
        arguments.references = list(_flat(arguments.references))
        if arguments.output:
            check_output(arguments.output, model)
        client = Client.preview() if arguments.preview else Client.from_env()
        made = client.generate(request_from(arguments, model), fresh=arguments.fresh)
        if arguments.name:
            names[arguments.name] = made
        if arguments.output:
            save(made, arguments.output, references=not arguments.no_pictures)
        return made


def register(shell: InteractiveShell) -> None:
    """Give a shell the magic; doing it twice changes nothing."""
    shell.register_magics(ViduMagics)
    if _with_a_body not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(_with_a_body)


def _with_a_body(lines: list[str]) -> list[str]:
    """Give the cell a body: IPython refuses a cell magic without one before we see it, and we can show options."""
    is_bare = len(lines) == 1 and lines[0].split(maxsplit=1)[:1] == ["%%vidu"]
    return [lines[0].rstrip("\n") + "\n", "\n"] if is_bare else lines


_with_a_body.has_side_effects = True  # type: ignore[attr-defined]  # else a terminal takes the first line for complete


class _Parser(argparse.ArgumentParser):
    """Reports errors in IPython's way; argparse's own would end the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(printable(f"%%vidu: {message} (%vidu lists the options)"))


def _parser(names: dict[str, Any]) -> argparse.ArgumentParser:
    def expanded(text: str) -> str:
        return Template(text).safe_substitute(names)

    def variable_in(text: str, option: str) -> Any:
        match = Template.pattern.fullmatch(text)
        name = match and (match["named"] or match["braced"])
        if not name:
            return expanded(text)
        if name not in names:
            raise UsageError(printable(f"%%vidu: {option}{text}: there is no variable {name}"))
        return names[name]

    def picture_of(text: str) -> Any:
        return variable_in(text, "-r ")

    def cast_in(text: str) -> Any:
        return variable_in(text, "--cast ")

    def assigned(text: str) -> tuple[str, Any]:
        name, value = assignment(text)
        return name, variable_in(value, f"--set {name}=")

    parser = _Parser(
        prog="%%vidu", description=_DESCRIPTION, epilog=_EPILOG, add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    for kind, convert in (
        (None, expanded), (str, expanded), (int, lambda text: int(expanded(text))), (picture, picture_of),
        (cast_folder, cast_in), (assignment, assigned),
    ):  # fmt: skip
        parser.register("type", kind, convert)
    request_options(parser)
    parser.add_argument(
        "--as", dest="name", type=_variable, metavar="NAME", help="also store the result in this variable"
    )
    parser.add_argument("--preview", action="store_true", help="use the free local preview engine, even with a key")
    parser.add_argument("--fresh", action="store_true", help="make a new clip, even where one is cached (paid again)")
    parser.add_argument("-h", "--help", action="store_true", help="show these options")
    return parser


def _variable(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} can't be a variable's name")
    return text


def _split(line: str) -> list[str]:
    """Split the line into words; quotes hold words together, and a backslash is one, since Windows paths have them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    problem = ""
    try:
        return list(lexer)
    except ValueError as error:
        problem = str(error).lower()
    raise UsageError(f"%%vidu: the first line can't be read: {problem}")


def _flat(pictures: Iterable[Any]) -> Iterator[Any]:
    for one in pictures:
        yield from one if isinstance(one, list | tuple) else (one,)
