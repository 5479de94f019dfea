"""`Receipt`: what the service reported about one call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from .catalogue.field import MOST_MEDIA
from .catalogue.request import PREVIEW
from .console import dollars
from .request import MODEL

REPLAYED = "x-vidu-replayed"  # the header by which a class's gateway tells that somebody has paid before
_FIGURES = ("cost_usd", "credits_remaining", "elapsed_s")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of one call. Figures that the service didn't tell are None, which means unknown.

    Attributes
    ----------
    engine : str
        ``"segmind"``, ``"preview"``, or another service's host.
    model : str
        The model's name in the URL.
    request_id : str or None
        The service's name for the call.
    cost_usd : float or None
        US dollars.
    credits_remaining : float or None
        US dollars left on the account after the call.
    seed : int or None
        The seed that was used, where the service told it (telling for a request with seed 0).
    elapsed_s : float or None
        Seconds from sending to the last byte.
    created_at : str
        UTC, ISO 8601.
    sha256 : str
        Of the clip's bytes as received.
    replayed : bool
        True when the clip came from the archive at no cost.
    original : Receipt or None
        For a replay, the receipt of the call that made the clip; saved copies carry that one.
    engine_version : int or None
        Of the preview engine, for its clips; None for those of version 0.1, and for other services.
    shared : bool
        True where a class's gateway answered with what somebody else had paid for.
    pictures_missing : tuple of int
        For a preview: which reference pictures could not be fetched, counted from 1; numbered slates stand in for them.

    >>> receipt = Receipt.from_dict({"engine": "segmind", "cost_usd": 0.5, "seed": 7})
    >>> receipt.cost_usd, receipt.to_dict()["seed"]
    (0.5, 7)
    """

    engine: str
    model: str = MODEL
    request_id: str | None = None
    cost_usd: float | None = None
    credits_remaining: float | None = None
    seed: int | None = None
    elapsed_s: float | None = None
    created_at: str = ""
    sha256: str = ""
    replayed: bool = False
    original: Receipt | None = field(default=None, repr=False, compare=False)
    engine_version: int | None = None
    pictures_missing: tuple[int, ...] = ()
    shared: bool = False

    @classmethod
    def from_headers(
        cls, headers: Mapping[str, str], *, engine: str, model: str, elapsed_s: float, sha256: str
    ) -> Receipt:
        """Read a receipt from a response's headers; anything missing, not a number or negative counts as unknown."""
        seed = number(headers.get("x-seed-value"))
        return cls(
            engine=engine,
            model=model,
            request_id=(headers.get("x-request-id") or "")[:200] or None,
            cost_usd=number(headers.get("x-cost")),
            credits_remaining=number(headers.get("x-remaining-credits")),
            seed=int(seed) if seed is not None and seed == int(seed) else None,
            elapsed_s=round(elapsed_s, 3),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            sha256=sha256,
            engine_version=_version(headers.get("x-vidu-engine-version")) if engine == PREVIEW else None,
            shared=headers.get(REPLAYED) == "true",
        )

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Receipt:
        """Read a receipt from JSON; unknown names and values of a wrong kind are passed over."""
        words: dict[str, Any] = {name: str(said[name]) for name in ("model", "created_at", "sha256") if name in said}
        figures: dict[str, Any] = {name: number(said.get(name)) for name in _FIGURES}
        seed, request_id = said.get("seed"), said.get("request_id")
        return cls(
            engine=str(said.get("engine") or "unknown"),
            request_id=None if request_id is None else str(request_id),
            seed=seed if isinstance(seed, int) else None,
            replayed=said.get("replayed") is True,
            shared=said.get("shared") is True,
            engine_version=_version(said.get("engine_version")),
            pictures_missing=picture_numbers(said.get("pictures_missing")),
            **words,
            **figures,
        )

    @property
    def cost_label(self) -> str:
        """The cost as text: ``"$0.50"``, ``"cost unknown"``, ``"replayed, $0.00"``, or that somebody else paid."""
        if self.replayed:
            return "replayed, $0.00"
        if self.shared:
            return "somebody in your class has made this: $0.00"
        return "cost unknown" if self.cost_usd is None else dollars(self.cost_usd)

    @property
    def missing_label(self) -> str:
        """Which pictures of a preview are slates, as text; empty where none is: ``"pictures 1 and 3 not fetched"``."""
        if not self.pictures_missing:
            return ""
        *others, last = map(str, self.pictures_missing)
        return f"pictures {', '.join(others)} and {last} not fetched" if others else f"picture {last} not fetched"

    def to_dict(self) -> dict[str, Any]:
        """Return the receipt as JSON-ready values."""
        said = asdict(self)
        del said["original"]
        if not self.shared:
            del said["shared"]  # as all receipts before there were gateways
        return {**said, "pictures_missing": list(self.pictures_missing)}


def number(text: object) -> float | None:
    """Read a figure from a service; None (unknown) where it is missing, not a number, infinite or negative."""
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and value >= 0 else None


def picture_numbers(value: object) -> tuple[int, ...]:
    """Read the numbers of reference pictures from JSON; none where it holds anything else."""
    numbers = value if isinstance(value, list | tuple) else []
    return tuple(numbers) if all(type(one) is int and 1 <= one <= MOST_MEDIA for one in numbers) else ()


def _version(text: object) -> int | None:
    value = number(text)
    return int(value) if value is not None and value.is_integer() else None
