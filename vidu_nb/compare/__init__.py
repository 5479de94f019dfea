"""Measures: does a seed reproduce, is each reference still there, and what does a ratio keep in frame."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .embedding import dino as dino


def __getattr__(name: str) -> Any:
    if name == "dino":
        from .embedding import dino

        return dino
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
