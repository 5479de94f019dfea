"""Who makes previews and clips for a panel, what is kept already, and what the next click would cost."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ..client.client import Client, client_of
from ..client.engines import BASE_URL, Engine, named_engine
from ..client.estimates import Estimate, recent_receipts
from ..errors import ArchiveError, InvalidRequest
from ..request import MODEL, PREVIEW, VideoRequest
from ..storage.archive import Archive
from ..video import Video
from .actions import Offer, missing

_NO_KEY = (
    "Generate needs a Segmind API key, and none is set. Run vidu.login() in a cell: it asks for the key in a hidden "
    "field and keeps it in this kernel only. Generate then says what a clip costs. Previews need no key."
)
_ONLY_PREVIEWS = "This panel was given the free preview engine: it makes previews, and pays for nothing."

#: What the journal says of a call → what a person reads.
_STAGES = {
    "sent": "The model is at work",
    "queued": "The model is at work",
    "received": "Checking and keeping the answer",
    "linked": "Fetching the clip",
    "stored": "Kept",
}


class Service:
    """The clients behind a panel's two buttons.

    Parameters
    ----------
    client
        Who makes the clips. None: the hosted service once a key is set; with none, only what is kept can be had.

    Attributes
    ----------
    can_pay : bool
        Whether somebody can be asked to make a clip for money.
    problem : str
        Why nobody can be asked, in words.
    estimate : Estimate
        What a clip takes and costs.
    """

    def __init__(self, client: Client | None = None) -> None:
        self._given = client
        self.archive = client.archive if client else Archive()
        self.problem = ""
        self._engine: Engine | None = None
        self._payee, self.can_pay = self._find()
        self._credits: float | None = None
        self.estimate = self._what_it_takes()

    @property
    def engine(self) -> str:
        """The name of whoever makes clips for money."""
        return self._payee.engine

    def look_again(self) -> bool:
        """Whether a key is set by now; the one that was set last counts."""
        before = self._engine
        self._payee, self.can_pay = self._find()
        if before != self._engine:
            self._credits, self.estimate = None, self._what_it_takes()  # another account's
        return self.can_pay

    def is_kept(self, request: VideoRequest | None, engine: str) -> bool:
        """Whether the archive would answer."""
        if request is None or not request.seed:
            return False
        with contextlib.suppress(ArchiveError, OSError):  # asking for it says what is wrong
            return self.archive.find(self._key(request, engine), engine=engine) is not None
        return False

    def client(self, engine: str) -> Client:
        """Who is asked; the preview engine is started at its first use."""
        if engine != PREVIEW:
            return self._payee
        if self._given and self._given.is_free:
            return self._given
        return Client.preview(archive=self.archive, mode="queue")  # whose progress is told

    def stage(self, request: VideoRequest, engine: str) -> str:
        """How far a call is, from its journal; empty while nothing is told."""
        with contextlib.suppress(ArchiveError, OSError):
            attempts = self.archive.journal.attempts_for(self._key(request, engine))
            state = attempts[-1].state if attempts else ""
            if state in ("sent", "queued") and engine == PREVIEW:
                return "Rendering the preview"
            return _STAGES.get(state, "")
        return ""

    def learn(self, video: Video) -> None:
        """Take a fresh clip's receipt into account."""
        if video.receipt and not video.receipt.replayed:
            self.estimate.learn([video.receipt])
            if video.receipt.engine == self.engine and video.receipt.credits_remaining is not None:
                self._credits = video.receipt.credits_remaining

    def offer(self, request: VideoRequest | None, problems: Sequence[tuple[str, str]]) -> Offer:
        """What a click on either button would do."""
        return Offer(
            missing=missing(problems),
            preview_kept=self.is_kept(request, PREVIEW),
            clip_kept=self.is_kept(request, self.engine),
            price_usd=self.estimate.price_usd(self.engine),
            preview_s=self.estimate.seconds(PREVIEW),
            clip_s=self.estimate.seconds(self.engine),
            has_key=self.can_pay,
            credits=self._credits,
        )

    def _key(self, request: VideoRequest, engine: str) -> str:
        request = self.archive.recognise(request)
        return request.key(engine=engine, model=MODEL if engine == PREVIEW else self._payee.model)

    def _what_it_takes(self) -> Estimate:
        estimate = Estimate(self._payee.price_usd)
        if self.can_pay:
            estimate.learn(recent_receipts(self.archive, self.engine))
        return estimate

    def _find(self) -> tuple[Client, bool]:
        if self._given and not self._given.is_free:
            return self._given, True
        self.problem, engine = _ONLY_PREVIEWS if self._given else _NO_KEY, None
        try:
            engine = None if self._given else named_engine()
        except InvalidRequest as error:
            self.problem = str(error)
        self._engine = engine
        return client_of(engine or Engine("segmind", BASE_URL, None), archive=self.archive), engine is not None
