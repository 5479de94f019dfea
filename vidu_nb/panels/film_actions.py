"""The buttons of a film's panel: what a click costs, what is kept already, and the budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import ipywidgets as widgets

from ..console import dollars
from ..errors import InvalidRequest
from .actions import Progress, StatusLine, button, minutes


@dataclass(frozen=True, slots=True)
class FilmOffer:
    """What a click would do now.

    Attributes
    ----------
    problem : str
        What stands between the scenes and a film; empty where it is whole.
    many, kept_count : int
        Scenes, and those of them that cost nothing.
    blocked_count : int
        Scenes that can't be asked for.
    price_usd, seconds : float
        Expected for the others.
    has_key : bool
        Whether somebody can be paid.
    """

    problem: str
    many: int
    kept_count: int
    blocked_count: int
    price_usd: float
    seconds: float
    has_key: bool

    @property
    def is_paid(self) -> bool:
        """Whether the paying button names a price."""
        return self.has_key and self.kept_count + self.blocked_count < self.many

    @property
    def shoot_label(self) -> str:
        """The paying button's text."""
        if self.kept_count == self.many:
            return "Show the film (all kept: no cost)"
        if not self.has_key:
            return "Shoot (needs a key)"
        beside = f"; {self.kept_count} of {self.many} kept" if self.kept_count else ""
        beside += f"; {self.blocked_count} blocked" if self.blocked_count else ""
        if not self.is_paid:
            return f"Shoot (no cost{beside})"
        return f"Shoot (about {dollars(self.price_usd)}, about {minutes(self.seconds)}{beside})"


class FilmActions:
    """Shows the previews, Shoot, Cancel and the budget, with a line for reasons and a place for progress."""

    def __init__(
        self,
        *,
        draft: Callable[[], object],
        preview: Callable[[], object],
        shoot: Callable[[], object],
        cancel: Callable[[], object],
    ) -> None:
        self._offer: FilmOffer | None = None
        self.is_running = False
        self._draft = button("Draft preview (free)", "eye", draft, "")
        self._preview = button("Preview (free)", "eye", preview, "info")
        self._shoot = button("Shoot", "film", shoot, "primary")
        self._cancel = button("Cancel", "stop", cancel, "")
        self._draft.tooltip = "The whole film as a moving storyboard, small, in a third of a preview's time"
        self._preview.tooltip = "The whole film as a moving storyboard, made on this machine"
        self._cancel.disabled = True
        self._budget = widgets.Text(description="Budget US$", placeholder="no limit")
        self._budget.add_class("vidu-budget")
        self._budget.tooltip = "What this film may cost in all, however often it is shot"
        self._budget.observe(lambda _: self._refresh(), "value")
        self._reason = widgets.HTML()
        self._status = StatusLine()
        row = widgets.HBox([self._draft, self._preview, self._shoot, self._cancel, self._budget])
        row.add_class("vidu-row")
        self.box = widgets.VBox([row, self._reason, self._status.box])
        self.box.add_class("vidu-actions")

    @property
    def named_price(self) -> float:
        """US dollars that the paying button names; 0 where it names none."""
        return self._offer.price_usd if self._offer and self._offer.is_paid else 0.0

    @property
    def budget_usd(self) -> float | None:
        """What the film may cost in all; None where nothing is written.

        Raises
        ------
        InvalidRequest
            It is no amount.
        """
        text = self._budget.value.strip().removeprefix("$")
        if not text:
            return None
        try:
            amount = float(text)
        except ValueError:
            amount = -1.0
        if not 0 <= amount < 1e6:
            raise InvalidRequest("budget: write an amount in US dollars, such as 3, or leave it empty", field="budget")
        return amount

    def offer(self, offer: FilmOffer) -> None:
        """Show what the buttons would do now, and why where they do nothing."""
        self._offer = offer
        self._shoot.description = offer.shoot_label
        reason = offer.problem
        if not reason:
            try:
                _ = self.budget_usd
            except InvalidRequest as error:
                reason = error.message
        for one in (self._draft, self._preview):
            one.disabled = self.is_running or bool(offer.problem)
        self._shoot.disabled = self.is_running or bool(reason)
        if self.is_running:
            reason = "A call is running; the buttons come back when it has ended."
        sentence = f"{reason[:1].upper()}{reason[1:]}"
        self._reason.value = f'<div class="vidu-help">{escape(sentence) or "&nbsp;"}</div>'

    def show_progress(self, progress: Progress) -> None:
        """Show how far a call is."""
        if not self.is_running:
            self.is_running = True
            self._cancel.disabled = False
            self._refresh()
        self._status.show(progress)

    def say(self, message: str, *, problem: bool = False) -> None:
        """Show a message where the progress was; plain text."""
        self._status.say(message, problem=problem)

    def ended(self, message: str, *, problem: bool = False) -> None:
        """Show the result of a call; plain text."""
        self.is_running = False
        self._cancel.disabled = True
        self._status.end(message, problem=problem)
        self._refresh()

    def _refresh(self) -> None:
        if self._offer:
            self.offer(self._offer)
