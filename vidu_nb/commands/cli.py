"""The command line: ``vidu-nb generate | preview | picture | film | sweep | models | show | credits | calls | ...``.

Facts go to standard output (as JSON with ``--json``), progress and errors to standard error. Exit status: 0 success,
1 a failure reported in one line, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..console import printable, write
from ..errors import InvalidRequest, ViduError
from ..files import expanded
from ..references.signatures import shareable
from . import gateway

if TYPE_CHECKING:
    from ..catalogue.model import Model
    from ..client.client import Client


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        What follows the program's name; defaults to the process's own.

    Returns
    -------
    int
        The exit status.
    """
    try:
        parsed = _parser().parse_args(arguments)
        parsed.run(parsed)
        if sys.stdout:  # None where it was closed
            sys.stdout.flush()  # a reader that has left is reported here, and not at exit
    except InvalidRequest as error:
        _print_error(error)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left; don't complain at exit
    except KeyboardInterrupt as error:
        _print_error(str(error) or "interrupted")
        return 130
    except (ViduError, OSError) as error:
        _print_error(error)
        return 1
    return 0


def _print_error(message: object) -> None:
    write(f"vidu-nb: {message}", sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Prints through `write`: an error repeats what was typed, or pasted from somewhere."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            write(message.rstrip("\n"), file or sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="vidu-nb",
        description="Make clips with Vidu Q1 Reference to Video, and clips and pictures with other models (vidu-nb "
        "models lists them). Without SEGMIND_API_KEY they are free local previews.",
    )
    parser.add_argument("--version", action="version", version=f"vidu-nb {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(commands, "generate", _generate, "make a clip: paid with a key, a free preview without", _request_options)
    _add(commands, "preview", _preview, "make a free local preview, with or without a key", _request_options)
    _add(commands, "picture", _picture, "make a picture: paid with a key, a free preview without", _picture_options)
    _add(commands, "film", _film, "preview a film of a text file, or pay for its scenes", _film_options)
    _add(commands, "sweep", _sweep, "make a clip for every combination of several values", _sweep_options)
    _add(commands, "models", _models, "list the models, or what can be asked of one", _models_options)
    _add(commands, "show", _show, "show a clip's, a picture's or a film's format and what made it", _show_options)
    _add(commands, "credits", _credits, "show the account's balance", _json_option)
    _add(commands, "calls", _calls, "list, fetch or close paid calls whose clip has not arrived", _calls_options)
    _add(commands, "archive", _archive, "list, verify, export or delete clips in the archive", _archive_options)
    _add(commands, "serve", _serve, "serve free previews over the service's HTTP API on 127.0.0.1", _serve_options)
    _add(commands, "gateway", gateway.run, "share one key with a class, a budget for each", gateway.add_options)
    _add(
        commands,
        "demo",
        _demo,
        "make a preview and, with JupyterLab, run the quickstart notebook; no key is needed",
        _demo_options,
    )
    _add(commands, "lab", _lab, "copy the example notebooks into a folder and open JupyterLab there", _lab_options)
    return parser


def _add(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], None],
    help_text: str,
    options: Callable[[argparse.ArgumentParser], None],
) -> None:
    command = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    options(command)
    command.set_defaults(run=run)


def _json_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def _request_options(command: argparse.ArgumentParser) -> None:
    from .options import prompt_argument, request_options

    prompt_argument(command)
    request_options(command)
    _json_option(command)


def _picture_options(command: argparse.ArgumentParser) -> None:
    from .options import any_model_options, output_options

    command.add_argument("prompt", nargs="?", help="what the picture shows; left out for models without a prompt")
    any_model_options(command)
    output_options(command)
    _json_option(command)


def _models_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("slug", nargs="?", metavar="SLUG", help="the model whose parameters are listed")
    _json_option(command)


def _film_options(command: argparse.ArgumentParser) -> None:
    from .film import film_options

    film_options(command)


def _sweep_options(command: argparse.ArgumentParser) -> None:
    from .options import swept_options

    swept_options(command)
    command.add_argument(
        "--budget-usd", type=float, metavar="USD", help="the most that the whole sweep may cost, in US dollars"
    )
    command.add_argument(
        "--yes", action="store_true", help="confirm a sweep that costs more than a dollar, or has no budget"
    )
    command.add_argument("--dry-run", action="store_true", help="print the plan and its price; send nothing")
    command.add_argument("--draft", action="store_true", help="make small, quick previews: free, and no key is needed")
    command.add_argument(
        "--max-workers", type=int, default=4, metavar="N", help="how many clips to make at a time (default: 4)"
    )
    _json_option(command)


def _show_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", help="a clip or a film (MP4), or a picture that was saved")
    _json_option(command)


def _calls_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "action", nargs="?", choices=("list", "resume", "reconcile", "settle"), default="list",
        help="list them (default), resume: fetch the clips that are ready, reconcile: look for calls of unknown "
        "outcome in the service's record, and fetch or close those that are found, settle: close one call",
    )  # fmt: skip
    command.add_argument("id", nargs="?", help="for settle: the call, as list prints it")
    command.add_argument(
        "--billed", choices=("yes", "no"), help="for settle: whether the call is on the service's bill"
    )
    _json_option(command)


def _archive_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "action", choices=("list", "verify", "export", "prune"),
        help="list clips, verify: check the files, export: copy clips out, prune: delete clips",
    )  # fmt: skip
    command.add_argument(
        "names", nargs="*", metavar="NAME",
        help="clips by file name, as list prints them; export: all by default; prune: only these",
    )  # fmt: skip
    command.add_argument(
        "--to", metavar="FOLDER", help="for export: where to copy clips to, each with its request and receipt inside"
    )
    command.add_argument(
        "--no-pictures", action="store_true", help="for export: leave the reference pictures out of the copies"
    )
    command.add_argument(
        "--folder", metavar="FOLDER", help="the archive's folder (default: VIDU_NB_ARCHIVE, else vidu_archive)"
    )
    _json_option(command)


def _serve_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=_port, default=0, help="the port on 127.0.0.1 (default: 0, any free one)")
    command.add_argument(
        "--key", help="the x-api-key that callers must send (default: a random one, printed on stderr)"
    )
    command.add_argument(
        "--credits",
        type=float,
        metavar="N",
        help="start with N dollars of play money and charge each call its model's price; by default nothing is charged",
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return port


def _demo_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", nargs="?", default="demo", help="where the results go (default: demo)")
    _json_option(command)


def _lab_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "folder", nargs="?", default="vidu-notebooks", help="where the notebooks go (default: vidu-notebooks)"
    )
    command.add_argument("--port", type=_port, help="JupyterLab's port (default: 8888, or the next free one)")
    command.add_argument("--no-browser", action="store_true", help="don't open a browser; the address is printed")
    command.add_argument("--allow-root", action="store_true", help="let JupyterLab run as root, as in a container")


def _generate(arguments: argparse.Namespace) -> None:
    from ..catalogue.models import models
    from ..client.client import Client

    _make(arguments, models.find(arguments.model), Client.from_env)


def _preview(arguments: argparse.Namespace) -> None:
    from ..catalogue.models import models
    from ..client.client import Client

    _make(arguments, models.find(arguments.model), Client.preview)


def _picture(arguments: argparse.Namespace) -> None:
    from ..api import image_model
    from ..client.client import Client

    _make(arguments, image_model(arguments.model), Client.from_env)


def _make(arguments: argparse.Namespace, model: Model, make_client: Callable[[], Client]) -> None:
    from .options import check_output, request_from

    if arguments.output:
        check_output(arguments.output, model)
    request = request_from(arguments, model)
    for reference in request.pictures:
        for note in reference.notes:
            _print_error(f"note: {reference.label}: {note}")
    client = make_client()
    with _progress("preview" if client.engine == "preview" else "generating", client, model):
        made = client.generate(request)
    _print_made(_saved(made, arguments), as_json=arguments.json)


def _saved(made: Any, arguments: argparse.Namespace) -> list[tuple[Path, Any]]:
    """Save what a request brought where a copy is wanted; returns each clip or picture with its place."""
    from .options import parts, save

    many = parts(made)
    if not arguments.output:
        return [(one.path, one) for one in many]
    problem = ""
    try:
        places = save(made, arguments.output, references=not arguments.no_pictures)
        return list(zip(places, many, strict=True))
    except OSError as error:
        problem = f"{arguments.output}: {error.strerror}; the {_noun(many[0])} is in the archive: {many[0].path}"
    raise ViduError(problem)


def _noun(made: Any) -> str:
    from ..video import Video

    return "clip" if isinstance(made, Video) else "picture"


def _film(arguments: argparse.Namespace) -> None:
    from .film import run_film

    run_film(arguments)


def _sweep(arguments: argparse.Namespace) -> None:
    from ..catalogue.models import models
    from ..client.client import Client
    from ..errors import ConfirmationNeeded
    from ..sweeps.plan import Plan
    from ..sweeps.sweep import run_plan
    from .options import swept_from

    model = models.find(arguments.model)
    plan = Plan.of(model=model, **swept_from(arguments, model))
    client = Client.preview(quality="draft") if arguments.draft else Client.from_env()
    if arguments.dry_run:
        plan = plan.priced(client, workers=max(1, arguments.max_workers))
        write(json.dumps(plan.facts(), indent=1) if arguments.json else plan)
        return
    try:
        swept = run_plan(
            plan,
            client,
            budget_usd=arguments.budget_usd,
            confirm=arguments.yes,
            max_workers=arguments.max_workers,
        )
    except ConfirmationNeeded as error:
        remedy = "Add --yes to go on, best with --budget-usd; --dry-run prints the plan."
        raise ViduError(error.message, remedy=remedy) from error
    write(json.dumps(swept.facts(), indent=1) if arguments.json else f"{swept.rows()}\n{swept.headline}")
    if missing := len(swept) - len(list(swept)):
        raise ViduError(f"{missing} of {len(swept)} {plan.unit}s are missing", remedy=swept.stopped)


def _print_made(made: Sequence[tuple[Path, Any]], *, as_json: bool) -> None:
    if as_json:
        facts = [{"path": str(path), **one.recipe()} for path, one in made]
        write(json.dumps(facts[0] if len(facts) == 1 else facts, indent=1))
    for path, one in () if as_json else made:
        write(printable(str(path)))
        write(one.caption)


@contextmanager
def _progress(label: str, client: Client, model: Model) -> Iterator[None]:
    """Show a bar on standard error that follows the clock: the service reports nothing until it is done."""
    from tqdm import tqdm

    from ..client.engines import PREVIEW_SECONDS

    expected = PREVIEW_SECONDS if client.engine == "preview" else model.seconds
    done = threading.Event()
    style = "{desc} {percentage:3.0f}% |{bar}| {elapsed} of about " + f"{expected:.0f} s"
    bar = tqdm(total=expected, desc=label, bar_format=style, file=sys.stderr, disable=None, leave=False)

    def follow() -> None:
        started = time.monotonic()
        while not done.wait(0.1):
            bar.n = min(time.monotonic() - started, expected * 0.99)
            bar.refresh()

    clock = threading.Thread(target=follow, daemon=True)
    clock.start()
    try:
        yield
    finally:
        done.set()
        clock.join()
        bar.close()


def _models(arguments: argparse.Namespace) -> None:
    from ..catalogue.models import models
    from .listing import described, model_facts, model_text, models_text

    if arguments.slug is None:
        known = list(models.values())
        write(json.dumps(list(map(model_facts, known)), indent=1) if arguments.json else models_text(known))
    else:
        model = models.find(arguments.slug)
        write(json.dumps(described(model), indent=1) if arguments.json else model_text(model))


def _show(arguments: argparse.Namespace) -> None:
    from ..films.film import Film
    from ..films.loading import load
    from ..video import Video
    from .film import show_film

    made = load(arguments.file)
    if isinstance(made, Film):
        show_film(made, as_json=arguments.json)
        return
    info = asdict(made.info) if isinstance(made, Video) else dict(zip(("width", "height"), made.size, strict=True))
    if arguments.json:
        write(json.dumps({"path": str(made.path), "info": info, **made.recipe()}, indent=1))
        return
    size = f"{made.path.name}: {info['width']}x{info['height']}"
    sound = f"{info['audio_codec']} {info['sample_rate']} Hz" if info.get("audio_codec") else "no sound"
    write(f"{size}, {info['fps']:g} fps, {info['duration']:.2f} s, {sound}" if "fps" in info else size)
    write(made.caption)
    if made.request:
        if prompt := made.request.by_role("prompt"):
            write(f"prompt: {printable(prompt)}")
        for i, reference in enumerate(made.request.pictures, start=1):
            write(f"reference {i}: {reference.label} ({reference.size[0]}x{reference.size[1]})" if reference.size else
                  f"reference {i}: {shareable(reference.url)}")  # fmt: skip


def _credits(arguments: argparse.Namespace) -> None:
    from ..client.client import Client

    left = Client.from_env().credits()
    if arguments.json:
        write(json.dumps({"credits": float(left), "paid": left.paid, "free": left.free}))
    else:
        parts = f" (${left.paid:.2f} paid, ${left.free:.2f} free)" if left.free else ""
        write(f"${float(left):.2f} left{parts}")


def _calls(arguments: argparse.Namespace) -> None:
    from ..client.client import Client

    client = Client.from_env()
    if arguments.action == "settle":
        if not (arguments.id and arguments.billed):
            raise InvalidRequest("settle: name the call's id, and --billed yes or --billed no", field="id")
        client.settle(arguments.id, billed=arguments.billed == "yes")
    videos = {"resume": client.resume, "reconcile": client.reconcile}.get(arguments.action, list)()
    fetched = [{"file": str(video.path)} for video in videos]
    _print_rows([*fetched, *(asdict(call) for call in client.pending())], as_json=arguments.json)


def _print_rows(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        write(json.dumps(rows, indent=1))
    for row in () if as_json else rows:
        write("  ".join(printable(str(value)) for value in row.values() if value not in ("", None)))


def _archive(arguments: argparse.Namespace) -> None:
    from ..storage.archive import Archive
    from ..storage.maintenance import export, listing, prune, verify

    archive = Archive(arguments.folder)
    if arguments.action == "list":
        rows = listing(archive)
    elif arguments.action == "verify":
        rows = verify(archive)
    elif arguments.action == "export":
        if not arguments.to:
            raise InvalidRequest("--to: name the folder to export to", field="to")
        rows = export(archive, expanded(arguments.to), arguments.names, references=not arguments.no_pictures)
    else:
        rows = prune(archive, arguments.names)
    _print_rows(rows, as_json=arguments.json)
    if bad := sum(1 for row in rows if row.get("problem")):
        raise ViduError(
            f"{bad} of {len(rows)} can't be used", remedy="They are left as they are; the lines above name them."
        )


def _serve(arguments: argparse.Namespace) -> None:
    from ..animatic.server.server import PreviewServer

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    problem = ""
    try:
        server = PreviewServer(port=arguments.port, key=arguments.key, credits=arguments.credits)
    except OSError as error:
        problem = error.strerror or "it is taken"
    if problem:
        raise ViduError(f"port {arguments.port} can't be used: {problem}", remedy="Choose another, or --port 0.")
    server.start()
    if not arguments.key:
        write(f"x-api-key: {server.key}", sys.stderr)
    write(f"serving {server.base_url}")
    stop.wait()
    if not server.stop():
        os._exit(0)  # a render waits for a picture's slow host, and the interpreter's own end would wait for it


def _demo(arguments: argparse.Namespace) -> None:
    from .demo import run_demo

    made = run_demo(Path(arguments.folder), notify=lambda text: write(text, sys.stderr))
    if arguments.json:
        write(json.dumps({name: str(path) for name, path in made.items()}))
    else:
        for name, path in made.items():
            write(f"{name:9} {path}")


def _lab(arguments: argparse.Namespace) -> None:
    from .lab import open_lab

    options = [f"--ServerApp.port={arguments.port}"] if arguments.port is not None else []
    options += ["--no-browser"] if arguments.no_browser else []
    options += ["--allow-root"] if arguments.allow_root else []
    open_lab(arguments.folder, options, notify=lambda text: write(text, sys.stderr))
