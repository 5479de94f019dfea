"""What the page of a film's panel shows of each scene: the fields, the state, the price, and a small picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..catalogue.field import Field
from ..catalogue.model import Model
from ..client.client import Client
from ..console import dollars
from ..errors import ViduError
from ..films.board import Board, Row
from ..films.film import Film
from ..films.scene import MUSIC
from ..films.storyboard import picture_of, short_state
from ..thumbnails import opened, thumbnail_uri
from .controls import Control
from .script import Draft, Heading

_POSTER = (256, 256)  # px
_POSTER_BYTES = (500, 5_000)  # in base64: at least, and at most
_ALL_POSTERS_BYTES = 60_000  # a notebook may keep what its widgets show


def heading_item(heading: Heading, film: Film, board: Board) -> dict[str, Any]:
    """Return what the page shows above the scenes: the title, and what counts for all of them."""
    music = [*MUSIC, *([film.music] if film.music not in MUSIC else [])]
    labels = {"film": "one track over all", "clips": "each clip's own", "none": "none"}
    return {
        "title": heading.title, "headline": board.headline, "problem": _sentence(heading.problem),
        "music": heading.music, "musics": [[one, labels.get(one, one)] for one in music],
        "dissolve": heading.dissolve, "controls": _control_items(heading.controls, _defaults(film.model), "default"),
    }  # fmt: skip


def scene_item(draft: Draft, row: Row | None, film: Film, client: Client, *, can_pay: bool) -> dict[str, Any]:
    """Return what the page shows of a scene.

    Parameters
    ----------
    draft, row
        What is written, and what there is of it; None while it is in no film.
    film, client
        The priced film, and who is asked.
    can_pay
        Whether prices are shown.
    """
    model = draft.scene.model or film.model
    item: dict[str, Any] = {
        "id": draft.id, "prompt": draft.prompt, "title": draft.title, "continues": draft.continues,
        "take": draft.take or 0, "takes": 0, "problem": "", "note": "", "kind": "draft", "state": "not complete",
        "price": "", "names": [], "again": "", "again_price": 0, "own": _own(draft),
        "controls": _control_items(draft.controls, {**_defaults(model), **film.parameters}, "film"),
    }  # fmt: skip
    item["problem" if draft.prompt.strip() else "note"] = _sentence(draft.problem)
    if row is None or draft.problem:
        return item
    state, why = short_state(row)
    item |= {
        "kind": row.kind, "state": state, "note": why, "names": list(row.names), "takes": _takes(row, client),
        "price": dollars(row.price_usd) if row.price_usd and can_pay else "",
    }  # fmt: skip
    receipt = row.clip.receipt if row.kind == "kept" and row.clip else None
    if receipt and (receipt.original or receipt).shared:
        item["note"] = _sentence((receipt.original or receipt).cost_label)
    if row.kind == "kept" and can_pay:
        price = film.quote.prices[row.number - 1] if film.quote else 0.0
        item |= {"again": f"Another take ({dollars(price)})", "again_price": price}
    return item


def posters(board: Board, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return a small picture of each scene by its id: of its clip, else of who will be seen; and its shape."""
    low, high = _POSTER_BYTES
    most = max(low, min(high, _ALL_POSTERS_BYTES // len(board.rows)))
    made: dict[str, dict[str, Any]] = {}
    for name, row in zip(names, board.rows, strict=True):
        picture = picture_of(board, row)
        width, height = opened(picture).size if picture else board.film.request(row.number - 1).frame_size
        uri = thumbnail_uri(picture, _POSTER, most) if picture else ""
        made[name] = {"picture": uri, "shape": f"{width} / {height}", "is_made": row.poster is not None}
    return made


def _takes(row: Row, client: Client) -> int:
    if row.clip is None or row.clip.request is None:
        return 0
    try:
        return len(client.takes(row.clip.request))
    except (ViduError, OSError):
        return 1


def _own(draft: Draft) -> str:
    """Return what a scene asks for differently from its film."""
    told = []
    for control in draft.controls.values():
        raw, shape = control.raw, control.item()
        if raw:
            told.append(f"{control.field.title}: {shape['options'][raw] if 'options' in shape else raw}")
    return "; ".join(told)


def _defaults(model: Model) -> dict[str, Any]:
    return {name: field.sent_default for name, field in model.by_parameter.items()}


def _control_items(controls: Mapping[str, Control], empty: Mapping[str, Any], whose: str) -> list[dict[str, Any]]:
    """Return what the page shows of controls, with what an empty one means, and whose that is."""
    items = []
    for name, control in controls.items():
        words = f"{_words(control.field, empty.get(name, empty.get(control.field.name)))} ({whose})"
        item = control.item() | {"raw": control.raw}
        item |= {"options": [words, *item["options"][1:]]} if "options" in item else {"placeholder": words}
        items.append(item)
    return items


def _words(field: Field, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "not sent" if value is None else str(value)
    return f"{text} s" if field.role == "duration" and value is not None else text


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
