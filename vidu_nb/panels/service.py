"""Choose who makes a panel's previews and results, find what is kept already, and price the next click."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

from ..catalogue.model import Model
from ..catalogue.models import DEFAULT
from ..catalogue.request import PREVIEW, Request
from ..client.client import Client, client_of
from ..client.engines import BASE_URL, HOSTED, Engine, named_engine
from ..client.estimates import Estimate, recent_receipts
from ..errors import ArchiveError, InvalidRequest
from ..files import listed
from ..folders import KEY_DIGITS, folder_name
from ..storage.archive import Archive
from .actions import Offer, missing
from .background import in_background
from .made import Made

_NO_KEY = (
    "Generate needs a Segmind API key, and none is set. Run vidu.login() in a cell: it asks for the key in a hidden "
    "field and keeps it in this kernel only. Generate then says what a clip costs. Previews need no key."
)
_ONLY_PREVIEWS = "This panel was given the free preview engine: it makes previews, and pays for nothing."

_SETTLED_NS = 2_000_000_000  # since a folder's last change; within a clock's step another one may bear the same time

#: State in the journal → what a person reads.
_STAGES = {
    "sent": "The model is at work",
    "queued": "The model is at work",
    "received": "Checking and keeping the answer",
    "linked": "Fetching the clip",
    "stored": "Kept",
}


class Service:
    """Provides the clients behind a panel's two buttons.

    Parameters
    ----------
    client
        Who makes the clips. None: the hosted service once a key is set; with none, only what is kept can be had.

    Attributes
    ----------
    can_pay : bool
        Whether somebody can be asked to make a clip for money.
    problem : str
        Why nobody can be asked, as a sentence.
    credits : float or None
        US dollars left on the account, where known.
    """

    def __init__(self, client: Client | None = None) -> None:
        self._given = client
        self.archive = client.archive if client else Archive()
        self.credits: float | None = None
        self._names: dict[str, tuple[int, str]] = {}  # by engine: when its folder had changed, and all names in it
        engine, self.problem = self._find_engine()
        self._use(engine)

    @property
    def engine(self) -> str:
        """The name of whoever makes clips for money."""
        return self._payee.engine

    def look_again(self) -> bool:
        """Return whether a key is set by now; the one that was set last counts."""
        engine, self.problem = self._find_engine()
        if engine != self._engine:  # another service, or another account
            self._use(engine)
        return self.can_pay

    def is_kept(self, request: Request | None, engine: str) -> bool:
        """Return whether the archive would answer."""
        if request is None or request.is_random:
            return False
        with contextlib.suppress(ArchiveError, OSError):  # asking for it says what is wrong
            key = self._key(request, engine)
            return self._is_named(key, engine) and self.archive.find(key, engine=engine) is not None
        return False

    def _is_named(self, key: str, engine: str) -> bool:
        """Return whether a file's name begins like this key: asked at every pause in typing, of ten thousand clips."""
        folder = self.archive.folder / folder_name(engine)
        changed = folder.stat().st_mtime_ns
        known_at, names = self._names.get(engine, (0, ""))
        if changed != known_at:
            is_settled = time.time_ns() - changed > _SETTLED_NS
            names = "\n".join(listed(folder))
            self._names[engine] = (changed if is_settled else 0, names)
        return f"_{key[:KEY_DIGITS]}" in names

    def client(self, engine: str) -> Client:
        """Return the client to ask; the preview engine is started at its first use."""
        if engine != PREVIEW:
            return self._payee
        if self._given and self._given.is_free:
            return self._given
        return Client.preview(archive=self.archive, mode="queue")  # a queue reports progress

    def stage(self, request: Request, engine: str) -> str:
        """Return how far a call is by its journal; empty while that says nothing."""
        with contextlib.suppress(ArchiveError, OSError):
            attempts = self.archive.journal.attempts_for(self._key(request, engine))
            state = attempts[-1].state if attempts else ""
            if state in ("sent", "received", "queued") and engine == PREVIEW:  # what comes first is a queue's ticket
                return "Rendering the preview"
            return _STAGES.get(state, "")
        return ""

    def learn(self, made: Made, model: Model) -> None:
        """Take a fresh result's receipt into account."""
        if made.receipt and not made.receipt.replayed:
            self._estimate(model).learn([made.receipt])
            if made.receipt.engine == self.engine and made.receipt.credits_remaining is not None:
                self.credits = made.receipt.credits_remaining

    def ask_balance(self, then: Callable[[], object]) -> None:
        """Ask in the background what is left, where that is a person's budget: not of the hosted service.

        Parameters
        ----------
        then
            Called once it is known; never where it can't be had.
        """
        payee = self._payee
        if not self.can_pay or payee.is_free or payee.engine == HOSTED:
            return

        def ask() -> None:
            with contextlib.suppress(Exception):  # a courtesy: whatever it meets, the panel goes on
                left = float(payee.credits())
                if payee is self._payee and self.credits is None:  # no call has told by now
                    self.credits = left
                    then()

        in_background(ask)

    def price_usd(self, model: Model, request: Request | None) -> float:
        """Return the US dollars that a click on the paying button is expected to cost.

        Where a model's price depends on what is asked for, its file tells; else what the last calls cost.
        """
        if request is not None and model.price_factors:
            return self._payee.price_of(request)
        return self._estimate(model).price_usd(self.engine)

    def seconds(self, model: Model, engine: str) -> float:
        """Return how long a call is expected to take."""
        return self._estimate(model).seconds(engine)

    def offer(self, model: Model, request: Request | None, problems: Sequence[tuple[str, str]]) -> Offer:
        """Return what a click on either button would do."""
        return Offer(
            returns=model.returns,
            missing=missing(model, problems),
            preview_kept=self.is_kept(request, PREVIEW),
            clip_kept=self.is_kept(request, self.engine),
            price_usd=self.price_usd(model, request),
            preview_s=self.seconds(model, PREVIEW),
            clip_s=self.seconds(model, self.engine),
            has_key=self.can_pay,
            credits=self.credits,
        )

    def _key(self, request: Request, engine: str) -> str:
        request = self.archive.recognise(request)
        return self.archive.key_of(request, engine=engine, model=self._name_of(request.model, engine))

    def _name_of(self, model: Model, engine: str) -> str:
        """Return a model's name in an engine's URL; the preview engine is not started for that."""
        if engine != PREVIEW:
            return self._payee.name_of(model)
        return self._given.name_of(model) if self._given and self._given.is_free else model.slug

    def _estimate(self, model: Model) -> Estimate:
        """Return what is known of a model's calls: its setting, corrected by what the archive keeps of them."""
        known = self._estimates.get(model.slug)
        if known is None:
            price = self._payee.price_usd if model == DEFAULT else model.price_usd
            known = self._estimates[model.slug] = Estimate(price, model.seconds)
            if self.can_pay:
                known.learn(recent_receipts(self.archive, self.engine, self._payee.name_of(model)))
        return known

    def _find_engine(self) -> tuple[Engine | None, str]:
        """Return the service that the environment names, and why there would be none."""
        if self._given:
            return None, _ONLY_PREVIEWS
        try:
            return named_engine(), _NO_KEY
        except InvalidRequest as error:
            return None, str(error)

    def _use(self, engine: Engine | None) -> None:
        """Ask the client that was given, else this service; with neither, only what is kept can be had."""
        self._engine, self.credits = engine, None
        given = self._given if self._given and not self._given.is_free else None
        nobody = Engine("segmind", BASE_URL, None)
        self._payee = given or client_of(engine or nobody, archive=self.archive)
        self.can_pay = given is not None or engine is not None
        self._estimates: dict[str, Estimate] = {}
