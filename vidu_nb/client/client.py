"""The client: asks once, keeps what comes, replays what is cached, and never pays twice behind anybody's back."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import get_args, overload

from ..catalogue.field import plain
from ..catalogue.model import Model
from ..catalogue.models import models
from ..catalogue.request import Request
from ..console import print_line, print_once
from ..environment import setting
from ..errors import APIError, InvalidRequest, NotKept, OutcomeUnknown
from ..net.credentials import hide
from ..net.transport import NewTransport
from ..receipt import number
from ..request import MODEL, Quality, VideoRequest
from ..storage.archive import Archive, Made
from ..storage.budget import Budget
from ..storage.journal import Attempt
from ..storage.maintenance import nearest
from ..video import Video
from .account import Credits, Pending
from .collect import Collection
from .engines import Engine, choose_engine, preview_engine
from .recover import Recovery
from .session import Errand, Mode, Session, Uploads
from .submit import Submission

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
    budget
        What the paid calls may cost together; None for no limit.
    mode
        ``"queue"`` (v2) takes a ticket, keeps it on disk and polls for the clip: a process that dies meanwhile picks
        the paid job up at its next call. ``"sync"`` (v1) holds one connection until the clip is made. ``"auto"`` queues
        where the service can, and is sync where the queue's address answers 404 or 405, remembered for that model.
    uploads
        ``"inline"`` sends local pictures inside the request, ``"storage"`` puts them into the service's storage first
        (public: whoever has a link sees them) and sends links; each picture is uploaded at most once a day.
    progress
        Gets the part of a queued clip that is made, 0 to 1, where the service reports it.
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
    >>> quiet.engine, quiet.price_usd
    ('segmind', 0.45)
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
        budget: Budget | None = None,
        mode: Mode = "auto",
        uploads: Uploads = "inline",
        progress: Callable[[float], object] | None = None,
        notify: Callable[[str], object] | None = None,
    ) -> None:
        secret, api_key = hide(api_key), None  # first of all: a traceback shows each frame's arguments
        engine = choose_engine(secret, base_url, model=model)
        self._use(_session(engine, archive, price_usd, timeout, budget, mode, uploads, progress, notify))

    @classmethod
    def from_env(
        cls,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        archive: str | os.PathLike[str] | Archive | None = None,
        price_usd: float | None = None,
        timeout: float = TIMEOUT,
        model: str = MODEL,
        budget: Budget | None = None,
        mode: Mode = "auto",
        uploads: Uploads = "inline",
        progress: Callable[[float], object] | None = None,
        notify: Callable[[str], object] | None = None,
    ) -> Client:
        """Make a client from the environment: the hosted service with a key, the free local preview engine without.

        Prints a line, once, when it is the preview engine. Parameters are those of the class.

        >>> Client.from_env(timeout=60).engine
        'preview'
        """
        secret, api_key = hide(api_key), None  # as above
        engine = choose_engine(secret, base_url, model=model)
        if engine.is_free:
            print_once("No SEGMIND_API_KEY: the free local preview engine answers (vidu.login() sets a key).")
        return cls._over(_session(engine, archive, price_usd, timeout, budget, mode, uploads, progress, notify))

    @classmethod
    def preview(
        cls,
        *,
        quality: Quality = "full",
        archive: str | os.PathLike[str] | Archive | None = None,
        price_usd: float | None = None,
        timeout: float = TIMEOUT,
        budget: Budget | None = None,
        mode: Mode = "auto",
        uploads: Uploads = "inline",
        progress: Callable[[float], object] | None = None,
        notify: Callable[[str], object] | None = None,
    ) -> Client:
        """Make a client of the free local preview engine, whatever the environment says.

        Parameters
        ----------
        quality
            ``"full"`` (1080p), or ``"draft"``: 960 pixels on the long side, the same plan and timing, much sooner.
        archive, price_usd, timeout, budget, mode, uploads, progress, notify
            As for the class; nothing is paid for, and nothing is uploaded.

        >>> Client.preview(quality="draft").model
        'vidu-q1-reference-to-video-draft'
        """
        _check_choice("quality", quality, get_args(Quality))
        engine = preview_engine(is_draft=quality == "draft")
        return cls._over(_session(engine, archive, price_usd, timeout, budget, mode, uploads, progress, notify))

    def sibling(
        self,
        *,
        notify: Callable[[str], object] | None = None,
        budget: Budget | None = None,
        progress: Callable[[float], object] | None = None,
        call: NewTransport | None = None,
    ) -> Client:
        """Make a client of the same engine, archive and price, whose calls are reported, limited and cancelled apart.

        Parameters
        ----------
        notify, progress
            As for the class; its own by default.
        budget
            One more budget: its calls must fit into each, this one and those of the client.
        call
            Makes what carries a request for a clip, in place of `transport.Call`.
        """
        session = self._session
        return self._over(
            replace(
                session,
                notify=notify or session.notify,
                budgets=session.budgets if budget is None else (*session.budgets, budget),
                progress=progress or session.progress,
                call=call or session.call,
            )
        )

    @classmethod
    def _over(cls, session: Session) -> Client:
        client = cls.__new__(cls)
        client._use(session)  # noqa: SLF001 - one of our own kind
        return client

    def _use(self, session: Session) -> None:
        self._session = session
        self._recovery = Recovery(session)

    @property
    def engine(self) -> str:
        """Who answers: ``"segmind"``, ``"preview"``, or another service's host."""
        return self._session.engine.name

    @property
    def base_url(self) -> str:
        """The service's root."""
        return self._session.engine.base_url

    @property
    def model(self) -> str:
        """The name in the URL of the default model."""
        return self.name_of(models[MODEL])

    def name_of(self, model: Model) -> str:
        """Return a model's name in the URL, in keys and in the archive.

        >>> from vidu_nb import models
        >>> Client.preview(quality="draft").name_of(models["wan2.7-r2v"])
        'wan2.7-r2v-draft'
        """
        return self._session.engine.name_of(model)

    def price_of(self, request: Request) -> float:
        """Return the US dollars that a request is expected to cost: `price_usd`, or what another model's file says.

        >>> from vidu_nb import models
        >>> request = models["sdxl1.0-txt2img"].request(prompt="A lighthouse at dusk", samples=2)
        >>> Client("a-key-of-my-own-0123456789").price_of(request)
        0.016
        """
        return self._session.price_of(request)

    @property
    def archive(self) -> Archive:
        """Where clips are kept."""
        return self._session.archive

    @property
    def price_usd(self) -> float:
        """Expected US dollars a clip."""
        return self._session.price_usd

    @property
    def timeout(self) -> float:
        """Seconds for one call."""
        return self._session.timeout

    @property
    def is_free(self) -> bool:
        """True for the local preview engine, whose calls cost nothing."""
        return self._session.engine.is_free

    @overload
    def generate(
        self, request: VideoRequest, *, fresh: bool = False, again: bool = False, offline: bool = False
    ) -> Video: ...
    @overload
    def generate(
        self, request: Request, *, fresh: bool = False, again: bool = False, offline: bool = False
    ) -> Made: ...
    def generate(self, request: Request, *, fresh: bool = False, again: bool = False, offline: bool = False) -> Made:
        """Make a clip or pictures, or replay them: the same request, but for a random seed, is paid for once.

        Parameters
        ----------
        request
            What to make.
        fresh
            Pay for another take, though one may be cached; both are kept then.
        again
            Pay again, though an earlier call of the same request has an unknown outcome and may have been billed.
        offline
            Replay or fail; never call out. Also replays a request with a random seed.

        Returns
        -------
        Video, Picture or Pictures
            By what the model returns, `Pictures` where more than one came. In the archive before this returns;
            ``.receipt.replayed`` tells a replay.

        Raises
        ------
        InvalidRequest
            `fresh` and `offline` contradict each other.
        Unreachable
            Nothing was sent (after three tries), nothing is billed.
        APIError
            The service refused; `.billed`, `.remedy` and the class say more. A 429 was retried as the service asked.
        OutcomeUnknown
            The request was sent and no usable clip came back, now or at an earlier call; it may have been billed.
        BudgetExceeded
            The budget holds less than the price; nothing was sent.
        ArchiveError
            Something kept can't be read, or there is no disk space for the result (nothing was sent), or it came and
            could not be written (``.data`` has it).
        NotKept
            `offline`, and nothing is cached for this request.
        """
        if fresh and offline:
            raise InvalidRequest(
                "offline: fresh=True pays for another take, and offline=True never calls out: pass one of the two",
                field="offline",
            )
        replays = not fresh and (not request.is_random or offline)
        return self._make(request, replays=replays, again=again, offline=offline)

    def make_once(self, request: Request) -> Made:
        """Make a clip or pictures, or replay what is kept, of a request with a random seed as well.

        Of two threads or kernels that ask at once, one pays, and the other gets the same. Errors are those of
        `generate`.

        >>> from PIL import Image
        >>> wall = VideoRequest(prompt="A wall", references=Image.new("RGB", (256, 256)), aspect_ratio="1:1", seed=0)
        >>> client = Client.preview(quality="draft")
        >>> client.make_once(wall).path == client.make_once(wall).path
        True
        """
        return self._make(request, replays=True, again=False, offline=False)

    def _make(self, request: Request, *, replays: bool, again: bool, offline: bool) -> Made:
        session, check = self._session, self._session.cancellation_check()
        request = self.archive.recognise(request)
        key = self.archive.key_of(request, engine=self.engine, model=self.name_of(request.model))
        if replays and (video := session.find(key, request)):
            return video
        if offline:
            raise NotKept(
                nearest(self.archive, request, engine=self.engine), remedy="Ask without offline=True to make it."
            )
        # Others who ask the same wait for this call's clip; other takes run side by side.
        lock = key if replays else f"{key}-{secrets.token_hex(4)}"
        with session.holding(lock, check):
            if replays and (video := session.find_journalled(key, request)):
                return video  # somebody else's call, meanwhile
            if video := self._recovery.look_at_earlier(request, key, lock, check, again=again):
                return video
            try:
                attempt = Submission(session, request, key, lock, check).run()
                return Collection(session, attempt, check).run(request)
            except (APIError, OutcomeUnknown) as error:
                found = self._recovery.look_for_lost(key, lock, check) if error.billed != "no" else None
                if found is None:
                    raise
                session.notify(f"{error.message}: the service's record has it.")
            return Collection(session, found, check).run(request)

    def takes(self, request: Request) -> list[Made]:
        """Return everything that is kept for a request, in the order in which it came; nothing is sent.

        More than one where ``fresh=True`` paid for other takes.

        Raises
        ------
        ArchiveError
            Something is kept and can't be used.

        >>> Client.preview().takes(VideoRequest(prompt="A cat", references="https://example.com/cat.png"))
        []
        """
        request = self.archive.recognise(request)
        key = self.archive.key_of(request, engine=self.engine, model=self.name_of(request.model))
        entries = self.archive.takes(key, engine=self.engine)
        return [self.archive.open(entry, request=request) for entry in entries]

    def credits(self) -> Credits:
        """Ask for the account's balance in US dollars; a free call.

        Raises
        ------
        Unreachable, APIError
            As for `generate`.

        >>> Client.preview().credits()  # of play money, which nothing is taken from
        Credits(100.00 USD: 100.00 paid, 0.00 free)
        """
        return self._session.credits()

    def pending(self) -> list[Pending]:
        """List the paid calls that are not closed: of unknown outcome, or paid and not fetched yet."""
        return self._recovery.pending()

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
        self._recovery.settle(call.id if isinstance(call, Pending) else call, billed=billed)

    def resume(self) -> list[Made]:
        """Fetch every clip that was paid for and is not in the archive yet; costs nothing.

        Returns
        -------
        list of Video, Picture and Pictures
            What could be had. The others stay in `pending`.
        """
        return self._recovery.resume()

    def reconcile(self) -> list[Made]:
        """Look for the calls of unknown outcome in the service's own record, and close those that are found; free.

        One that is made is fetched and its real cost booked, one that failed is closed as the record has it, one that
        still runs stays in `pending`, and `resume` or the same call again waits for it. A call that is not found stays
        unknown: that it is not in the record doesn't mean that it was not billed.

        Returns
        -------
        list of Video, Picture and Pictures
            What was fetched.

        Raises
        ------
        Unreachable, APIError, ViduError
            The record can't be read.

        >>> Client("an-invented-key").reconcile()  # nothing is open, so nothing is asked
        []
        """
        return self._recovery.reconcile()

    def cancel(self) -> None:
        """End every call of this client, at once: one that had been sent raises OutcomeUnknown, others Unreachable."""
        self._session.cancel()

    def __repr__(self) -> str:
        if "_session" not in vars(self):
            return "Client(not made: its arguments were refused)"  # as a traceback's variables show it
        key = "set" if self._session.engine.key else "none"
        return f"Client(engine={self.engine!r}, base_url={self.base_url!r}, key={key})"


def client_of(engine: Engine, *, archive: Archive) -> Client:
    """Make a client of an engine that was chosen already."""
    return Client._over(_session(engine, archive, None, TIMEOUT, None, "sync", "inline", None, None))  # noqa: SLF001


# For a gateway, which makes the calls of many and waits for none of them in a thread.


def impatient(client: Client) -> Client:
    """Make a client of the same engine, archive and budgets that waits for nothing that a queue makes."""
    return Client._over(replace(client._session, waits=0.0))  # noqa: SLF001


def begin(client: Client, request: Request, errand: Errand, *, fresh: bool = False) -> Made | None:
    """Ask as `Client.generate` does; None where the clip is waited for, and `advance` brings it at no further cost.

    Parameters
    ----------
    client
        Who asks.
    request
        What to make.
    errand
        What the call is made for: its mark finds the call in the archive's journal.
    fresh
        Pay for another take, though one may be cached.

    Raises
    ------
    ViduError
        As for `Client.generate`.
    """
    asking = Client._over(replace(client._session, waits=0.0, errand=errand))  # noqa: SLF001
    try:
        return asking.generate(request, fresh=fresh)
    except OutcomeUnknown as error:
        if not error.fetchable:
            raise
        return None


def advance(client: Client, attempt: Attempt) -> Made | None:
    """Take one step of a call that is not closed: return what it made, None while it is not made.

    Raises
    ------
    ViduError
        As for `Client.generate`.
    """
    try:
        return impatient(client)._recovery.collect(attempt)  # noqa: SLF001
    except OutcomeUnknown as error:
        if not error.fetchable:
            raise
        return None


def _session(
    engine: Engine,
    archive: str | os.PathLike[str] | Archive | None,
    price_usd: float | None,
    timeout: float,
    budget: Budget | None,
    mode: Mode,
    uploads: Uploads,
    progress: Callable[[float], object] | None,
    notify: Callable[[str], object] | None,
) -> Session:
    """What a client is made of, with its arguments checked and its defaults filled in."""
    _check_choice("mode", mode, get_args(Mode))
    _check_choice("uploads", uploads, get_args(Uploads))
    return Session(
        engine,
        archive if isinstance(archive, Archive) else Archive(archive),
        price_usd=_price(setting(ENV_PRICE) or PRICE_USD if price_usd is None else price_usd),
        timeout=plain(timeout),
        budgets=(budget,) if budget else (),
        notify=notify or print_line,
        mode=mode,
        uploads=uploads,
        progress=progress or _ignore,
    )


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidRequest(f"{name}: {value!r} is none of {', '.join(choices)}", field=name)


def _ignore(_: object) -> None:
    """Take progress that nobody asked for."""


def _price(value: object) -> float:
    price = number(value)
    if price is None:
        raise InvalidRequest(f"price_usd: {value!r} is not a price: pass US dollars such as 0.5", field="price_usd")
    return price
