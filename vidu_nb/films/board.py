"""What there is of a film: of each scene its clip or error, state, price and words, before any of it is drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalogue.request import PREVIEW
from ..client.client import Client, client_of
from ..client.engines import BASE_URL, Engine, named_engine
from ..console import dollars
from ..errors import InvalidRequest, OutcomeUnknown, ViduError, one_line
from ..media import poster_jpeg
from ..storage.archive import Archive
from ..sweeps.formatting import format_seconds
from ..video import Video
from .clips import frame_after, kept_clips
from .scene import MUSIC

if TYPE_CHECKING:
    from .film import Film

_POSTER_SIDE = 320  # px
BEGIN, END = "\ue000", "\ue001"  # around a mention, until the text is escaped


@dataclass(frozen=True, slots=True)
class Row:
    """What a storyboard shows of a scene.

    Attributes
    ----------
    number : int
        Counted from 1.
    title, prompt : str
        The prompt with its mentions between two private characters, which no text from outside holds.
    names : tuple of str
        Of those in the cast that it mentions.
    kind : str
        ``"kept"``, ``"to shoot"``, ``"waits"``, ``"making"``, ``"failed"`` or ``"unknown"``.
    state : str
        The same for people, with what went wrong.
    continues : bool
        Whether it begins with the last frame of the scene before.
    price_usd : float or None
        US dollars where it is to be paid for; None where it costs nothing or nobody knows.
    clip : Video or None
    poster : bytes or None
        A JPEG of its clip, or else of its preview.
    """

    number: int
    title: str
    prompt: str
    names: tuple[str, ...]
    kind: str
    state: str
    continues: bool
    price_usd: float | None
    clip: Video | None
    poster: bytes | None


@dataclass(frozen=True, slots=True)
class Board:
    """A storyboard before it is HTML or text: its rows, and what stands above them."""

    film: Film
    rows: tuple[Row, ...]
    headline: str

    @property
    def title(self) -> str:
        """The film's title in one line."""
        return one_line(self.film.title) or "A film"


def looking_client(film: Film) -> Client:
    """Return a client to look into the archive with; unlike `Client.from_env` it prints and starts nothing."""
    if film.looked_at is not None:
        return film.looked_at
    try:
        engine = named_engine()
    except InvalidRequest:  # it is told where something is asked for
        engine = None
    return client_of(engine or _preview(), archive=Archive())


def _preview(*, is_draft: bool = False) -> Engine:
    """Return the preview engine's name without its server, which nobody asks."""
    return Engine(PREVIEW, BASE_URL, None, is_free=True, is_draft=is_draft)


def find_clips(film: Film, client: Client) -> dict[int, object]:
    """Return the clip or the error of each scene that has one; whatever the archive is like."""
    try:
        found: dict[int, object] = dict(kept_clips(film, client))
    except (ViduError, OSError):  # the archive as a whole
        return {}
    if not client.is_free:
        found |= _open_calls(film, client, found)
    return found


def _open_calls(film: Film, client: Client, found: Mapping[int, object]) -> dict[int, object]:
    """Return an error for each scene whose last call has an unknown outcome, by the journal."""
    unknown: dict[int, object] = {}
    for index, scene in enumerate(film.scenes):
        before = found.get(index - 1)
        if index in found or (scene.continues and not isinstance(before, Video)):
            continue
        try:
            frame = frame_after(before, client) if scene.continues and isinstance(before, Video) else None
            request = client.archive.recognise(film.request(index, frame=frame))
            key = client.archive.key_of(request, engine=client.engine, model=client.name_of(request.model))
            attempts = client.archive.journal.attempts_for(key)
        except (ViduError, OSError):
            continue
        if attempts and attempts[-1].state == "unknown":
            unknown[index] = OutcomeUnknown("its last call may have been billed; client.pending() lists it")
    return unknown


def look(film: Film) -> Board:
    """Return a film's storyboard with what the archive holds; nothing is asked, started or printed for it."""
    client = looking_client(film)
    return make_board(film, {**film.failed, **find_clips(film, client)}, client)


def make_board(
    film: Film,
    found: Mapping[int, object],
    client: Client,
    in_flight: Collection[int] = (),
    *,
    landed: Collection[int] = (),
) -> Board:
    """Return a film's storyboard.

    Parameters
    ----------
    film, client
        What, and who is asked.
    found
        A clip or an error by the scene's place.
    in_flight
        The places of the scenes that are being made.
    landed
        The places of those that were made just now.
    """
    table = rows(film, found, in_flight, is_free=client.is_free, landed=landed)
    for engine in (_preview(), _preview(is_draft=True)):  # a preview is better than nothing, and a draft, too
        if any(row.poster is None for row in table):
            previews = find_clips(film, client_of(engine, archive=client.archive))
            table = [
                replace(row, poster=_poster_of(previews.get(row.number - 1))) if row.poster is None else row
                for row in table
            ]
    return Board(film, tuple(table), _headline(film, table, client))


def rows(
    film: Film,
    found: Mapping[int, object],
    in_flight: Collection[int] = (),
    *,
    is_free: bool = False,
    landed: Collection[int] = (),
) -> list[Row]:
    """Return a row for each scene, with what was found of it; parameters as for `make_board`."""
    quote = film.quote
    table: list[Row] = []
    for index, scene in enumerate(film.scenes):
        outcome = found.get(index)
        clip = outcome if isinstance(outcome, Video) else None
        is_wanted = quote is not None and index not in quote.kept and index not in landed
        before = table[-1].kind == "kept" if scene.continues and table else True
        kind, state = "to shoot", "to preview" if is_free else "to shoot"
        if index in in_flight:
            kind, state = "making", "being made"
        elif clip and not is_wanted:
            kind, state = "kept", _kept(scene.take, is_free=is_free)
        elif isinstance(outcome, ViduError):
            kind, state = _failed(outcome)
        elif not before:
            kind, state = "waits", f"waits for scene {index}"
        costs = quote is not None and not quote.is_free and index not in quote.blocked
        price = quote.prices[index] if quote and costs and kind not in ("kept", "making") else None
        poster = _poster_of(clip)
        if clip and poster is None:
            kind, state = "failed", f"damaged: {clip.path.name} can't be read"
        table.append(
            Row(index + 1, scene.title, _written(film, scene.prompt), _mentioned(film, scene.prompt), kind, state,
                scene.continues, price, clip, poster)
        )  # fmt: skip
    return table


def _kept(take: int | None, *, is_free: bool) -> str:
    return ("preview kept" if is_free else "kept") + (f", take {take}" if take else "")


def _failed(error: ViduError) -> tuple[str, str]:
    if isinstance(error, OutcomeUnknown):
        return "unknown", f"unknown outcome: {one_line(error.message, 300)}"
    return "failed", f"failed: {one_line(str(error), 300)}"


def _poster_of(clip: object) -> bytes | None:
    """Return a clip's poster, cached while its file stays as it is; None where there is none."""
    if not isinstance(clip, Video):
        return None
    try:
        return poster_jpeg(clip.path, side=_POSTER_SIDE)
    except (ViduError, OSError, ValueError):
        return None


def _mentioned(film: Film, prompt: str) -> tuple[str, ...]:
    try:
        return film.cast.mentioned(prompt)
    except InvalidRequest:
        return ()


def _written(film: Film, prompt: str) -> str:
    """Return a prompt with its mentions set apart."""
    plain = prompt.replace(BEGIN, "").replace(END, "")
    try:
        return film.cast.write(plain, lambda name: f"{BEGIN}{name}{END}")
    except InvalidRequest:
        return plain


def _count(scenes: int) -> str:
    return f"{scenes:,} scene{'s' if scenes != 1 else ''}"


def _headline(film: Film, table: Sequence[Row], client: Client) -> str:
    """Return counts, length, price, time, music and dissolve, as far as they are known."""
    kept_count = sum(row.kind == "kept" for row in table)
    kept = ("preview kept" if kept_count == 1 else "previews kept") if client.is_free else "kept"
    parts = [_count(len(film)), f"{film.duration:g} s", f"{kept_count} {kept}"]
    quote = film.quote
    if quote and quote.left:
        price = "free" if quote.is_free else f"about {dollars(quote.price_usd)}"
        left = f"{len(quote.left)} to make with {quote.engine}"
        parts.append(f"{left}: {price}, about {format_seconds(quote.seconds)}")
    parts += [f"{len(quote.blocked)} blocked"] if quote and quote.blocked else []
    parts += [f"{dollars(film.spent_usd)} spent"] if film.spent_usd else []
    parts.append(_music(film.music))
    parts += [f"dissolves of {film.dissolve:g} s"] if film.dissolve and len(film) > 1 else []
    return " · ".join(parts)


def _music(music: str) -> str:
    told = {"film": "one track over all", "clips": "each clip's own sound", "none": "no sound"}
    return told[music] if music in MUSIC else f"music: {one_line(Path(music).name, 40)}"
