"""Carry the values of one model's parameters over to another's: by role, and by name where there is no role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalogue.field import Field
from ..catalogue.model import Model

Values = Mapping[str, Any]


def carry(values: Values, old: Model, new: Model) -> tuple[dict[str, Any], list[str]]:
    """Return what another model has a parameter for, and the titles of what it has none for.

    Parameters
    ----------
    values
        By the parameters' names in Python, those of `old`.
    old, new
        Whose values they are, and who is to get them. Pictures without a parameter of their own role go, in their
        order, where there is a place for pictures.

    >>> from vidu_nb import models
    >>> clip, picture = models["vidu-q1-reference-to-video"], models["sdxl1.0-txt2img"]
    >>> carry({"prompt": "A cat", "seed": 0, "bgm": False, "movement_amplitude": "auto"}, clip, picture)
    ({'prompt': 'A cat', 'seed': -1}, ['Background music'])
    """
    taken, dropped = {}, []
    for field in old.fields.values():
        value = values.get(field.parameter)
        if value in (None, "", ()) or field.type.startswith("picture"):
            continue
        target = _counterpart(field, new)
        if target is not None and field.random is not None and value == field.random:
            value = target.random
        if target is not None and value is not None and _makes_sense(value, field, target):
            taken[target.parameter] = value
        elif value != field.sent_default:
            dropped.append(field.title)
    pictures, left = _pictures(values, old, new)
    if left:
        dropped.append(f"{left} picture{'' if left == 1 else 's'}")
    return taken | pictures, dropped


def lay_out(pictures: tuple[Any, ...], model: Model) -> dict[str, Any]:
    """Return pictures by the parameters that take them, in their order, as far as there are places."""
    return _placed({}, list(pictures), model)


def room_for(field: Field) -> int:
    """Return how many pictures a parameter takes."""
    return field.most if field.type == "pictures" else 1


def _counterpart(field: Field, model: Model) -> Field | None:
    found = model.by_role(field.role) if field.role else model.fields.get(field.name)
    return found if found is not None and found.type == field.type and found.role == field.role else None


def _makes_sense(value: Any, field: Field, target: Field) -> bool:
    """Return whether a value can mean the same: one that is chosen from a list must stand in the other's list too."""
    return not target.choices or value in target.choices or (field.name == target.name and not target.sure)


def _pictures(values: Values, old: Model, new: Model) -> tuple[dict[str, Any], int]:
    """Return the pictures by the new model's parameters, and how many found no place."""
    placed: dict[str, list[Any]] = {}
    loose: list[Any] = []
    for field in old.media:
        given = values.get(field.parameter)
        if given is None or not field.type.startswith("picture"):
            continue
        pictures = list(given) if isinstance(given, tuple) else [given]
        target = _counterpart(field, new)
        room = room_for(target) if target is not None else 0
        if target is not None and pictures:
            placed[target.parameter] = pictures[:room]
        loose += pictures[room:]
    before = sum(map(len, placed.values())) + len(loose)
    made = _placed(placed, loose, new)
    after = sum(len(one) if isinstance(one, tuple) else 1 for one in made.values())
    return made, before - after


def _placed(placed: dict[str, list[Any]], loose: list[Any], model: Model) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in model.media:
        if not field.type.startswith("picture"):
            continue
        pictures = placed.get(field.parameter, [])
        free = room_for(field) - len(pictures)
        pictures, loose = [*pictures, *loose[:free]], loose[free:]
        if pictures:
            made[field.parameter] = tuple(pictures) if field.type == "pictures" else pictures[0]
    return made
