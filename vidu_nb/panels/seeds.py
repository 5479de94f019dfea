"""Draw seeds for a model: within its range, and never the value that asks for a random one."""

from __future__ import annotations

import random

from ..catalogue.field import Field
from ..request import MAX_SEED


def draw_seed(field: Field) -> int:
    """Return another random seed that a model takes."""
    low, high = _range(field)
    return next_seed(field, random.randint(low, high) - 1)


def next_seed(field: Field, seed: int) -> int:
    """Return the seed after this one, the first after the last.

    >>> from vidu_nb import models
    >>> seeds = models["vidu-q1-reference-to-video"].by_role("seed")
    >>> next_seed(seeds, 41), next_seed(seeds, 999_999)
    (42, 1)
    """
    low, high = _range(field)
    following = seed + 1 if low <= seed + 1 <= high else low
    return following if following != field.random else next_seed(field, following)


def _range(field: Field) -> tuple[int, int]:
    """The seeds that are drawn: 0 and what is below mean a random one in too many models."""
    low, high = (int(field.minimum or 1), int(field.maximum or MAX_SEED)) if field.sure else (1, MAX_SEED)
    low = min(max(low, 1), high)
    return low, max(min(high, MAX_SEED), low)
