"""``vidu-nb film STORY.md``: a film of a text file, previewed, or paid for scene by scene; and a film's file, shown."""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..client.client import Client
from ..console import dollars, printable, write
from ..errors import ConfirmationNeeded, InvalidRequest, NotKept, ViduError, one_line
from ..films.film import Film
from ..films.pricing import quote_film
from ..films.saving import film_endings
from ..folders import copy_target
from ..recipe import recipe_in
from ..sweeps.formatting import format_seconds
from ..sweeps.result import Rows
from ..sweeps.run import WORKERS, workers_of
from ..video import Video
from .options import cast_of, cast_option

_PROMPT = 60  # characters


def film_options(command: argparse.ArgumentParser) -> None:
    """Add what makes a film of a text."""
    command.add_argument(
        "story", metavar="STORY.md",
        help="a text: a paragraph is a scene, headings are titles, lines between --- at its beginning are parameters",
    )  # fmt: skip
    cast_option(command)
    command.add_argument("--draft", action="store_true", help="make a small, quick preview")
    command.add_argument("--dry-run", action="store_true", help="print the scenes and their prices; make nothing")
    command.add_argument(
        "--shoot",
        action="store_true",
        help="pay for the scenes that are not cached; without it, a free preview is made",
    )
    command.add_argument(
        "--budget-usd", type=float, metavar="USD", help="with --shoot: the most that this film may cost, in US dollars"
    )
    command.add_argument(
        "--yes", action="store_true", help="with --shoot: confirm what costs more than a dollar, or has no budget"
    )
    command.add_argument(
        "--fresh", type=int, nargs="+", default=[], metavar="SCENE",
        help="with --shoot: pay for another take of these scenes, counted from 1; the earlier takes are kept",
    )  # fmt: skip
    command.add_argument(
        "--max-workers", type=int, metavar="N", help="with --shoot: how many scenes to make at a time (default: 4)"
    )
    command.add_argument(
        "-o", "--output", metavar="FILE|FOLDER/",
        help="also save the film there; the ending says what: .mp4, .gif, .webp, .png, .otio, .otioz, or of an adapter",
    )  # fmt: skip
    command.add_argument("--no-pictures", action="store_true", help="leave the cast's pictures out of the saved film")
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def run_film(arguments: argparse.Namespace) -> None:
    """Preview a film, or shoot it.

    Raises
    ------
    InvalidRequest
        An option, the text or the cast is wrong; nothing was made.
    ViduError
        Scenes are missing in the end.
    """
    _check(arguments)
    client = Client.from_env()
    film = Film.from_text(arguments.story, cast=cast_of(arguments.cast), client=client)
    fresh = [_place(film, number) for number in arguments.fresh]
    workers = workers_of(arguments.max_workers, default=WORKERS)
    plan = _plan(film.with_newest(fresh), client, workers=workers, fresh=fresh)
    if not arguments.json:
        write(_plan_text(plan))
    elif arguments.dry_run:
        write(json.dumps(plan, indent=1))
    if arguments.dry_run:
        return
    if arguments.shoot:
        film = _shot(film, arguments, fresh)
        plan = _with_states(plan, film)
    else:
        client = Client.preview(quality="draft" if arguments.draft else "full")
        film.preview(client=client)
        film = film.replace(client=client)
    clip, problem = _joined(film)
    place = _saved(film, clip, arguments) if clip else None
    if arguments.json:
        write(json.dumps(_outcome(film, plan, place), indent=1))
    elif clip and place:
        write(printable(str(place)))
        write(clip.caption)
    if problem:
        raise problem


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that contradict each other, and a place that can't be written, before anything is made."""
    if arguments.output == "-":
        message = "output: a film is not written to standard output; name a file or a folder (./- is a file)"
        raise InvalidRequest(message, field="output")
    if arguments.output:
        copy_target(arguments.output, film_endings())
    if arguments.shoot and arguments.draft:
        raise InvalidRequest("--draft: a draft is a preview: leave out --shoot", field="draft")
    for name in ("fresh", "budget_usd", "yes", "max_workers"):
        if getattr(arguments, name) and not arguments.shoot:
            raise InvalidRequest(f"--{name.replace('_', '-')}: add --shoot, since a preview costs nothing", field=name)


def _place(film: Film, number: int) -> int:
    if not 1 <= number <= len(film):
        raise InvalidRequest(f"--fresh: {number} is no scene: pass 1 to {len(film)}", field="fresh")
    return number - 1


def _shot(film: Film, arguments: argparse.Namespace, fresh: list[int]) -> Film:
    try:
        return film.shoot(
            budget_usd=arguments.budget_usd, confirm=arguments.yes, fresh=fresh, max_workers=arguments.max_workers
        )
    except ConfirmationNeeded as error:
        remedy = "Add --yes to go on, best with --budget-usd."
        raise ViduError(error.message, remedy=remedy) from error


def _joined(film: Film) -> tuple[Video | None, ViduError | None]:
    """Return the film's clip, or what is missing."""
    try:
        return film.video, None
    except NotKept as error:
        why = [f"scene {index + 1}: {one.message}" for index, one in film.failed.items()]
        return None, ViduError(error.message, remedy=" ".join([*why[:3], film.stopped]).strip() or error.remedy)
    except ViduError as error:  # the scenes' clips are kept, and are told
        return None, error


def _saved(film: Film, clip: Video, arguments: argparse.Namespace) -> Path:
    if not arguments.output:
        return clip.path
    try:
        return film.save(arguments.output, references=not arguments.no_pictures)
    except OSError as error:
        problem = f"{arguments.output}: {error.strerror}; the film is in the archive: {clip.path}"
    raise ViduError(problem)


# Facts.


def _plan(film: Film, client: Client, *, workers: int, fresh: Collection[int]) -> dict[str, Any]:
    """Return the scenes, what is cached, and what the others cost, as JSON-ready values."""
    quote = quote_film(film, client, workers=workers, fresh=fresh)
    states = dict.fromkeys(quote.kept, "cached") | dict.fromkeys(quote.blocked, "blocked")
    with_key = sum(film.model_of(index).price_of(film.request(index)) for index in range(len(film)))
    scenes = [
        {
            "scene": index + 1, "title": scene.title, "prompt": scene.prompt, "continues": scene.continues,
            "cast": list(film.cast.mentioned(scene.prompt)), "model": film.model_of(index).slug,
            "state": states.get(index, "to shoot"), "price_usd": quote.prices[index],
            "error": quote.blocked.get(index, ""),
        }
        for index, scene in enumerate(film)
    ]  # fmt: skip
    return {
        "title": film.title, "duration": film.duration, "engine": quote.engine, "cached": len(quote.kept),
        "price_usd": quote.price_usd, "price_with_key_usd": round(with_key, 9) if quote.is_free else None,
        "seconds": quote.seconds, "scenes": scenes,
    }  # fmt: skip


def _plan_text(plan: Mapping[str, Any]) -> str:
    """Return the same for people: a line in all, and one for each scene."""
    scenes = plan["scenes"]
    rows = Rows(
        {
            "scene": f"{row['scene']}{' …' if row['continues'] else ''}",
            **({"title": row["title"]} if any(one["title"] for one in scenes) else {}),
            "prompt": one_line(row["prompt"], _PROMPT),
            "state": one_line(f"{row['state']}: {row['error']}", _PROMPT) if row["error"] else row["state"],
            "price": dollars(row["price_usd"]) if row["state"] == "to shoot" and row["price_usd"] else "",
        }
        for row in scenes
    )
    blocked = sum(row["state"] == "blocked" for row in scenes)
    left = len(scenes) - plan["cached"] - blocked
    parts = [f"{len(scenes)} scene{'s' if len(scenes) > 1 else ''}, {plan['duration']:g} s"]
    parts += [f"{plan['cached']} cached"] if plan["cached"] else []
    if left and plan["price_with_key_usd"] is not None:
        all_cost = dollars(plan["price_with_key_usd"])
        parts.append(f"{left} to make with {plan['engine']}: free (with a key, all would cost about {all_cost})")
    elif left:
        cost = f"about {dollars(plan['price_usd'])}, about {format_seconds(plan['seconds'])}"
        parts.append(f"{left} to shoot with {plan['engine']}: {cost}")
    parts += [f"{blocked} blocked"] if blocked else []
    return f"{plan['title'] or 'Film'}: {' · '.join(parts)}\n{rows!r}"


def _with_states(plan: Mapping[str, Any], film: Film) -> dict[str, Any]:
    """Return the plan with what came of each scene that was shot."""
    clips, failed = film.clips(), film.failed

    def state(index: int, before: str) -> str:
        if index in failed:
            return "failed"
        return "missing" if index not in clips else before if before == "cached" else "made"

    return {**plan, "scenes": [{**row, "state": state(i, row["state"])} for i, row in enumerate(plan["scenes"])]}


def _outcome(film: Film, plan: Mapping[str, Any], place: Path | None) -> dict[str, Any]:
    """Return the plan's facts with the files."""
    clips = film.clips()
    scenes = [
        {**row, "file": str(clips[i].path) if i in clips else "", "error": str(film.failed.get(i, ""))}
        for i, row in enumerate(plan["scenes"])
    ]
    path = str(place) if place else None
    return {"path": path, **plan, "spent_usd": film.spent_usd, "stopped": film.stopped, "scenes": scenes}


def show_film(film: Film, *, as_json: bool) -> None:
    """Print what a film's file tells of itself."""
    clip = film.video
    info = clip.info
    if as_json:
        facts = {"path": str(clip.path), "info": asdict(info), **recipe_in(clip.path)}
        write(json.dumps(facts, indent=1))
        return
    size = f"{clip.path.name}: {info.width}x{info.height}, {info.fps:g} fps, {info.duration:.2f} s"
    write(printable(f"{size}, {len(film)} scenes" + (f": {film.title}" if film.title else "")))
    write(clip.caption)
    for number, scene in enumerate(film, 1):
        title = f"{printable(scene.title)}: " if scene.title else ""
        write(f"scene {number}: {title}{'… ' if scene.continues else ''}{printable(scene.prompt)}")
    if film.cast:
        write(f"cast: {printable(film.cast.label)}")
