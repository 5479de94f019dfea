"""The buttons: what a click costs, why one is disabled, and how far a call is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..catalogue.model import Model
from ..console import dollars
from ..errors import ViduError

_MAX_PRICE_USD = 1e6  # of one call, far above any


@dataclass(frozen=True, slots=True)
class Offer:
    """What a click on either of the two buttons would do.

    Attributes
    ----------
    returns : str
        ``"video"`` or ``"image"``.
    missing : tuple of str
        Sentences: what stands between the form and a request.
    preview_kept, clip_kept : bool
        Whether the archive holds the clip already.
    price_usd : float
        Expected US dollars a clip.
    preview_s, clip_s : float
        Expected seconds.
    has_key : bool
        Whether somebody can be paid.
    credits : float or None
        US dollars left on the account, where known.
    """

    returns: str
    missing: tuple[str, ...]
    preview_kept: bool
    clip_kept: bool
    price_usd: float
    preview_s: float
    clip_s: float
    has_key: bool
    credits: float | None

    @property
    def price(self) -> float | None:
        """The price that the paying button names, None where it names none."""
        return self.price_usd if self.has_key and not self.clip_kept else None

    def item(self, *, is_running: bool) -> dict[str, Any]:
        """Return what the page shows: the buttons' texts, whether they do something, and why they don't."""
        is_video = self.returns == "video"
        stand_in = "moving storyboard" if is_video else "stand-in"
        return {
            "preview": self.preview_label,
            "preview_help": f"A {stand_in} made on this machine, about {self.preview_s:.0f} s",
            "generate": self.clip_label,
            "generate_help": f"The model's {'clip' if is_video else 'picture'}; what is kept is shown again at no cost",
            "again": f"Pay again (about {dollars(self.price_usd)})",
            "price": self.price,
            "again_price": self.price_usd,
            "is_blocked": bool(self.missing) or is_running,
            "reason": reason(" ".join(self.missing), self.credits, is_running=is_running),
        }  # fmt: skip

    @property
    def preview_label(self) -> str:
        """The preview button's text."""
        return "Preview (kept: shows at once)" if self.preview_kept else "Preview (free)"

    @property
    def clip_label(self) -> str:
        """The paying button's text."""
        if self.clip_kept:
            return "Generate (kept: shows at no cost)"
        if not self.has_key:
            return "Generate (needs a key)"
        return f"Generate (about {dollars(self.price_usd)}, about {minutes(self.clip_s)})"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call is.

    Attributes
    ----------
    stage : str
        What it is doing.
    elapsed_s, expected_s : float
        Seconds since it was begun, and those that it is expected to take.
    reported : float
        The share that the service says is done, 0 to 1; 0 where it says nothing.
    """

    stage: str
    elapsed_s: float
    expected_s: float
    reported: float = 0.0

    @property
    def share(self) -> float:
        """The share that is done, below 1: as reported, else estimated from the clock.

        >>> Progress("Starting", elapsed_s=30, expected_s=120).share, Progress("Queued", 30, 120, reported=0.5).share
        (0.25, 0.5)
        """
        return min(self.reported or self.elapsed_s / self.expected_s, 0.99)

    def item(self) -> dict[str, Any]:
        """Return what the page shows."""
        elapsed, expected = self.elapsed_s, self.expected_s
        label, text = "Progress, an estimate", f"{elapsed:.0f} s of about {expected:.0f} s (an estimate)"
        if self.reported:
            label, text = "Progress", f"{self.reported:.0%}"
        elif elapsed > expected:
            text = f"{elapsed:.0f} s, longer than the usual {expected:.0f} s; still waiting"
        return {"stage": f"{self.stage} ...", "share": round(self.share, 3), "label": label, "text": text}


def minutes(seconds: float) -> str:
    """Format a time in the unit that people use for it.

    >>> minutes(45), minutes(120)
    ('45 s', '2 min')
    """
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def price_in(content: Mapping[str, Any]) -> float | None:
    """Return the price that a click names, None where it names none."""
    price = content.get("price")
    is_number = isinstance(price, int | float) and not isinstance(price, bool)
    return price if is_number and 0 <= price < _MAX_PRICE_USD else None  # type: ignore[operator]


def failure_text(error: BaseException | None) -> str:
    """Return an error as a sentence; of one that is not ours its kind as well."""
    return str(error) if isinstance(error, ViduError) else f"{type(error).__name__}: {error}"


def reason(problem: str, credits_usd: float | None, *, is_running: bool) -> str:
    """Return the line below the buttons: why they do nothing, else what is left on the account.

    >>> reason("", 1.5, is_running=False)
    'Credits left: $1.50'
    """
    if is_running:
        return "A call is running; the buttons come back when it has ended."
    return problem or ("" if credits_usd is None else f"Credits left: {dollars(credits_usd)}")


def cancelled(error: ViduError, price_usd: float) -> str:
    """Say what a cancelled call may still cost."""
    if error.billed == "no":
        return "Cancelled. Nothing is billed."
    if error.billed == "yes":
        return f"Cancelled. {error}"
    return (
        "Cancelled here. The service can't be told to stop: it goes on there, and may bill about "
        f"{dollars(price_usd)}. Nothing is sent again by itself; vidu.Client().pending() lists such calls."
    )


def missing(model: Model, problems: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return what a form lacks, as sentences for the line below the buttons."""
    return tuple(_sentence(model, name, problem) for name, problem in problems)


def _sentence(model: Model, name: str, problem: str) -> str:
    field = model.by_parameter.get(name)
    text = problem
    if field is not None and problem.startswith((f"{name}: is empty", f"{name}: is missing")):
        if field.type == "pictures":
            text = "add at least one picture"
        elif field.type == "picture":
            text = f"{field.title}: add a picture"
        elif field.hint:
            text = field.hint
    return f"{text[:1].upper()}{text[1:]}."
