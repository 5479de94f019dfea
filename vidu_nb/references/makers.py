"""How a picture was made: the recipe that a reference carries, and that the recipe of a later clip remembers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 6  # pictures that were made of pictures that were made of pictures ...
MAX_BYTES = 8_000  # of JSON: seven of them beside a request stay small
_MAX_READ = 1_000_000  # of JSON that is looked at
MADE_BY = "made_by"  # in a picture's note, where it is known
_NAMES = ("request_model", "request", "receipt")


def bounded(recipe: object) -> dict[str, Any] | None:
    """Return what a reference carries of a picture's recipe: as many of its steps as fit, the last ones first.

    Parameters
    ----------
    recipe
        From `Picture.recipe`, or from a file, which may hold anything.

    Returns
    -------
    dict or None
        None where it tells of no request.

    >>> bounded({"format": 1, "request": {"prompt": "A cat"}})
    {'request': {'prompt': 'A cat'}}
    """
    try:
        if len(json.dumps(recipe)) > _MAX_READ:
            return None
        for depth in range(MAX_DEPTH, 0, -1):
            made = _steps(recipe, depth)
            if made is None or len(json.dumps(made)) <= MAX_BYTES:
                return made
    except (ValueError, TypeError, RecursionError):  # it is no JSON
        pass
    return None


def _steps(recipe: object, depth: int) -> dict[str, Any] | None:
    """Return a recipe with so many steps at most, itself counted."""
    if not isinstance(recipe, Mapping) or not isinstance(recipe.get("request"), Mapping):
        return None
    made = {name: recipe[name] for name in _NAMES if name in recipe}
    return {**made, "request": {name: _notes(value, depth - 1) for name, value in recipe["request"].items()}}


def _notes(value: object, depth: int) -> object:
    if isinstance(value, list):
        return [_note(one, depth) for one in value]
    return _note(value, depth)


def _note(value: object, depth: int) -> object:
    if not isinstance(value, Mapping):
        return value
    plain = {name: one for name, one in value.items() if name != MADE_BY}
    maker = _steps(value.get(MADE_BY), depth) if depth > 0 else None
    return {**plain, MADE_BY: maker} if maker else plain
