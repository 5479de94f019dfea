"""The client: asks once, keeps what comes, replays what is kept, and never pays twice behind anybody's back."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any, get_args

from ..console import print_line, print_once
from ..environment import setting
from ..errors import InvalidRequest, NotKept, ViduError
from ..net.credentials import hide
from ..net.transport import NewTransport
from ..receipt import number
from ..request import DRAFT, MODEL, PREVIEW, Quality, VideoRequest
from ..storage.archive import Archive
from ..storage.budget import Budget
from ..storage.maintenance import nearest
from ..video import Video
from .account import Credits, Pending
from .engines import Engine, choose_engine, preview_engine
from .recover import Unfinished
from .session import Exchange, Mode, Uploads
from .submit import ask

ENV_PRICE = "VIDU_NB_PRICE_USD"
PRICE_USD = 0.5  # what a clip cost when this was written; each answer's x-cost is the truth
TIMEOUT = 600.0  # s; a clip takes about 120


class Client:
    """Talks to one engine: a base URL and a key.

    Parameters
    ----------
    api_key
        The Segmind API key; defaults to `login`'s, else to ``SEGMIND_API_KEY``, else to a keyring's. With neither a key
        nor a base URL, the free local preview engine answers.
    base_url
        The service's root, with or without ``/v1``; defaults to ``SEGMIND_BASE_URL``, else the hosted service.
    archive
        Folder (or `Archive`) for the clips; defaults to ``VIDU_NB_ARCHIVE``, else ``vidu_archive`` in the working
        folder.
    price_usd
        Expected US dollars a clip, for estimates and budgets; defaults to ``VIDU_NB_PRICE_USD``, else 0.50.
    timeout
        Seconds for one call, from connecting to the last byte.
    model
        The model's name in the URL.
    engine
        In place of the key, the base URL and the model.
    budget
        What the paid calls may cost together; None for no limit.
    mode
        ``"sync"`` (v1) holds one connection until the clip is made; ``"queue"`` (v2) takes a ticket, keeps it on disk
        and asks for the clip: a process that dies meanwhile picks the paid job up at its next call.
    uploads
        ``"inline"`` sends local pictures inside the request, ``"storage"`` puts them into the service's storage first
        (public: whoever has a link sees them) and sends links; each picture is uploaded at most once a day.
    progress
        Gets the part of a queued clip that is made, 0 to 1, where the service tells it.
    notify
        Gets a line when something takes its time (a rate limit, another kernel's call); defaults to printing it.

    Raises
    ------
    InvalidRequest
        The key, the base URL or the price is malformed, `mode` or `uploads` is none of theirs, or a key would travel
        over plain http.

    >>> from PIL import Image
    >>> client = Client(timeout=60)  # no key here: the preview engine answers
    >>> client.engine, client.model, client.is_free, client.timeout
    ('preview', 'vidu-q1-reference-to-video', True, 60)
    >>> request = VideoRequest(prompt="A wall", references=Image.new("RGB", (256, 256)), aspect_ratio="1:1")
    >>> client.generate(request)
    Video(1:1 · 5 s · seed 42 · preview, free, ...)
    >>> client.generate(request, offline=True).receipt.replayed
    True

    A client of the hosted service; nothing is sent before the first call.

    >>> paying = Client("an-invented-key", archive="clips", price_usd=0.45)
    >>> paying.base_url, paying.price_usd, paying.archive
    ('https://api.segmind.com', 0.45, Archive(...clips...))
    >>> paying.pending(), paying.resume()  # calls of unknown outcome; clips that were paid for and not fetched
    ([], [])
    >>> quiet = paying.sibling(notify=lambda line: None)
    >>> quiet.asks_as(paying), quiet.asks_as(client)
    (True, False)
    >>> quiet.cancel()  # its calls alone; another thread's, say
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        archive: str | os.PathLike[str] | Archive | None = None,
        price_usd: float | None = None,
        timeout: float = TIMEOUT,
        model: str = MODEL,
        *,
        engine: Engine | None = None,
        budget: Budget | None = None,
        mode: Mode = "sync",
        uploads: Uploads = "inline",
        progress: Callable[[float], object] | None = None,
        notify: Callable[[str], object] | None = None,
    ) -> None:
        secret, api_key = hide(api_key), None  # first of all: a traceback shows each frame's arguments
        _check_choice("mode", mode, get_args(Mode))
        _check_choice("uploads", uploads, get_args(Uploads))
        self._use(
            Exchange(
                engine or choose_engine(secret, base_url, model=model),
                archive if isinstance(archive, Archive) else Archive(archive),
                price_usd=_price(setting(ENV_PRICE) or PRICE_USD if price_usd is None else price_usd),
                timeout=timeout,
                budgets=(budget,) if budget else (),
                notify=notify or print_line,
                mode=mode,
                uploads=uploads,
                progress=progress or _ignore,
            )
        )

    def _use(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._unfinished = Unfinished(exchange)

    @classmethod
    def from_env(cls, **settings: Any) -> Client:
        """A client from the environment alone: the hosted service with a key, the free local preview engine without.

        Says so once when it is the preview engine.

        >>> Client.from_env(timeout=60).engine
        'preview'
        """
        _hide_key(settings)
        client = cls(**settings)
        if client.engine == PREVIEW:
            print_once("No SEGMIND_API_KEY: the free local preview engine answers (vidu.login() sets a key).")
        return client

    @classmethod
    def preview(cls, *, quality: Quality = "full", **settings: Any) -> Client:
        """A client of the free local preview engine, whatever the environment says.

        Parameters
        ----------
        quality
            ``"full"`` (1080p), or ``"draft"``: 960 pixels on the long side, the same plan and timing, much sooner.
        **settings
            As for the class.

        >>> Client.preview(quality="draft").model
        'vidu-q1-reference-to-video-draft'
        """
        _hide_key(settings)
        _check_choice("quality", quality, get_args(Quality))
        return cls(engine=preview_engine(model=DRAFT if quality == "draft" else MODEL), **settings)

    def sibling(
        self,
        *,
        notify: Callable[[str], object] | None = None,
        budget: Budget | None = None,
        progress: Callable[[float], object] | None = None,
        call: NewTransport | None = None,
    ) -> Client:
        """A client of the same engine, archive and price, whose calls are told, limited and cancelled apart.

        Parameters
        ----------
        notify, progress
            As for the class; its own by default.
        budget
            One more budget: its calls must fit into each, this one and those of the client.
        call
            Makes what carries a request for a clip, in place of `transport.Call`.
        """
        ours, other = self._exchange, copy(self)
        theirs = replace(
            ours,
            notify=notify or ours.notify,
            budgets=ours.budgets if budget is None else (*ours.budgets, budget),
            progress=progress or ours.progress,
            call=call or ours.call,
        )
        other._use(theirs)  # noqa: SLF001 - one of our own kind
        return other

    def asks_as(self, other: Client) -> bool:
        """Whether both ask the same service with the same key."""
        return self._exchange.engine == other._exchange.engine

    @property
    def engine(self) -> str:
        """Who answers: ``"segmind"``, ``"preview"``, or another service's host."""
        return self._exchange.engine.name

    @property
    def base_url(self) -> str:
        """The service's root."""
        return self._exchange.engine.base_url

    @property
    def model(self) -> str:
        """The model's name in the URL."""
        return self._exchange.engine.model

    @property
    def archive(self) -> Archive:
        """Where clips are kept."""
        return self._exchange.archive

    @property
    def price_usd(self) -> float:
        """Expected US dollars a clip."""
        return self._exchange.price_usd

    @property
    def timeout(self) -> float:
        """Seconds for one call."""
        return self._exchange.timeout

    @property
    def is_free(self) -> bool:
        """True for the local preview engine, whose calls cost nothing."""
        return self._exchange.engine.is_free

    def generate(
        self, request: VideoRequest, *, fresh: bool = False, again: bool = False, offline: bool = False
    ) -> Video:
        """Make a clip, or replay it from the archive: the same request (with a seed other than 0) is paid for once.

        Parameters
        ----------
        request
            What to make.
        fresh
            Pay for another take, though one may be kept; both are kept then.
        again
            Pay again, though an earlier call of the same request has an unknown outcome and may have been billed.
        offline
            Replay or fail; never call out. Also replays a request with seed 0.

        Returns
        -------
        Video
            Kept in the archive before this returns; ``.receipt.replayed`` tells a replay.

        Raises
        ------
        Unreachable
            Nothing was sent (after three tries), nothing is billed.
        APIError
            The service refused; `.billed`, `.remedy` and the class say more. A 429 was retried as the service asked.
        OutcomeUnknown
            The request was sent and no usable clip came back, now or at an earlier call; it may have been billed.
        BudgetExceeded
            The budget holds less than the price; nothing was sent.
        ArchiveError
            Something kept can't be read, or there is no room to keep the result (nothing was sent), or it came and
            could not be kept (``.data`` has it).
        NotKept
            `offline`, and nothing is kept for this request.
        """
        check = self._exchange.patience()
        request = self.archive.recognise(request)
        key = request.key(engine=self.engine, model=self.model)
        replays = not fresh and (request.seed != 0 or offline)
        if replays and (kept := self._unfinished.kept(request, lambda: self.archive.find(key, engine=self.engine))):
            return kept
        if offline:
            raise NotKept(
                nearest(self.archive, request, engine=self.engine), remedy="Ask without offline=True to make it."
            )
        alone = replays  # others who ask the same wait for this call's clip; other takes run side by side
        lock = key if alone else f"{key}-{secrets.token_hex(4)}"
        with self._unfinished.holding(lock, check):
            if replays and (kept := self._unfinished.kept(request, lambda: self.archive.find_journalled(key))):
                return kept  # somebody else's call, meanwhile
            if finished := self._unfinished.look_at_earlier(key, lock, request, again=again):
                return finished
            return ask(self._exchange, request, key, lock, check=check)

    def credits(self) -> Credits:
        """The account's balance in US dollars; a free call.

        Raises
        ------
        Unreachable, APIError
            As for `generate`.

        >>> Client.preview().credits()  # of play money, which nothing is taken from
        Credits(100.00 USD: 100.00 paid, 0.00 free)
        """
        answer = self._exchange.free_call("GET", self._exchange.engine.credits_url)
        if answer.status != 200:
            raise self._exchange.refusal(answer)
        found = Credits.from_answer(answer.body)
        if found is None:
            raise ViduError("the balance's answer names no credits", remedy="Look in the Segmind console.")
        self._exchange.balance = float(found)
        return found

    def pending(self) -> list[Pending]:
        """Paid calls that are not closed: of unknown outcome, or paid and not fetched yet."""
        return self._unfinished.pending(self.credits)

    def settle(self, call: Pending | str, *, billed: bool) -> None:
        """Close a call of unknown outcome, after a look at the service's bill.

        Parameters
        ----------
        call
            From `pending`, or its id.
        billed
            What the bill says; False also gives the reservation back: to this client's budget, to a sweep's own.

        Raises
        ------
        InvalidRequest
            No such open call.

        >>> client = Client("an-invented-key")
        >>> for call in client.pending():
        ...     client.settle(call, billed=False)  # the bill does not name it
        """
        self._unfinished.settle(call.id if isinstance(call, Pending) else call, billed=billed)

    def resume(self) -> list[Video]:
        """Bring in every clip that was paid for and not kept yet; costs nothing.

        Returns
        -------
        list of Video
            What could be had. The others stay in `pending`.
        """
        return self._unfinished.resume()

    def cancel(self) -> None:
        """End every call of this client, at once: one that had been sent raises OutcomeUnknown, others Unreachable."""
        self._exchange.cancel()

    def __repr__(self) -> str:
        key = "set" if self._exchange.engine.key else "none"
        return f"Client(engine={self.engine!r}, base_url={self.base_url!r}, key={key})"


def _hide_key(settings: dict[str, Any]) -> None:
    """Wrap the key in settings that are passed on: a traceback shows each frame's arguments."""
    if "api_key" in settings:
        settings["api_key"] = hide(settings["api_key"])


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidRequest(f"{name}: {value!r} is none of {', '.join(choices)}", field=name)


def _ignore(_: object) -> None:
    """What becomes of progress that nobody asked for."""


def _price(said: object) -> float:
    price = number(said)
    if price is None:
        raise InvalidRequest(f"price_usd: {said!r} is not a price: pass US dollars such as 0.5", field="price_usd")
    return price
