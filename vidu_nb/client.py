"""The client: one paid POST for each `generate`, its answer checked and kept; and the public functions on top of it."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

from . import media
from .archive import Archive
from .errors import InvalidRequest, OutcomeUnknown, api_error
from .keys import KeyHeader, Secret, find_key
from .references import Source
from .request import MODEL, AspectRatio, MovementAmplitude, VideoRequest
from .transport import Answer, Call, is_loopback
from .video import Receipt, Video, number

BASE_URL = "https://api.segmind.com"
ENV_BASE_URL = "SEGMIND_BASE_URL"
ENV_PRICE = "VIDU_NB_PRICE_USD"
PRICE_USD = 0.5  # what a clip cost when this was written; each answer's x-cost is the truth
TIMEOUT = 600.0  # s; a clip takes about 120
_FREE_CALL_TIMEOUT = 30.0  # s


class Credits(float):
    """US dollars left on the account; `.paid` and `.free` tell the two parts.

    >>> Credits(2.0, 0.5)
    Credits(2.50 USD: 2.00 paid, 0.50 free)
    """

    paid: float
    free: float

    def __new__(cls, paid: float, free: float = 0.0) -> Self:
        """Make the sum of both parts."""
        self = super().__new__(cls, paid + free)
        self.paid, self.free = paid, free
        return self

    def __repr__(self) -> str:
        return f"Credits({float(self):.2f} USD: {self.paid:.2f} paid, {self.free:.2f} free)"


class Client:
    """Talks to one engine: a base URL and a key.

    Parameters
    ----------
    api_key
        The Segmind API key; defaults to `login`'s, else to ``SEGMIND_API_KEY``. With neither a key nor a base URL,
        the free local preview engine answers.
    base_url
        The service's root, with or without ``/v1``; defaults to ``SEGMIND_BASE_URL``, else the hosted service.
    archive
        Folder (or `Archive`) for the clips; defaults to ``VIDU_NB_ARCHIVE``, else ``vidu_archive`` in the working
        folder.
    price_usd
        Expected US dollars a clip, for estimates; defaults to ``VIDU_NB_PRICE_USD``, else 0.50.
    timeout
        Seconds for one call, from connecting to the last byte.
    model
        The model's name in the URL.

    Raises
    ------
    InvalidRequest
        The key or the base URL is malformed, or a key would travel over plain http.

    >>> client = Client()                                                   # doctest: +SKIP
    >>> client.generate(VideoRequest(prompt="A cat", references="cat.jpg"))   # doctest: +SKIP
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        archive: str | os.PathLike[str] | Archive | None = None,
        price_usd: float | None = None,
        timeout: float = TIMEOUT,
        model: str = MODEL,
    ) -> None:
        self._key = Secret.from_text(api_key) if api_key is not None else find_key()
        url = base_url or os.environ.get(ENV_BASE_URL)
        if url is None and self._key is None:
            url, self._key = _embedded_engine()
            self.engine = "preview"
        else:
            self.engine = _engine_name(url or BASE_URL)
        self.base_url = _checked_base(url or BASE_URL, has_key=self._key is not None)
        self.archive = archive if isinstance(archive, Archive) else Archive(archive)
        self.price_usd = _price() if price_usd is None else float(price_usd)
        self.timeout = timeout
        self.model = model

    @classmethod
    def from_env(cls, **settings: Any) -> Client:
        """A client from the environment alone: the hosted service with a key, the free local preview engine without.

        Says so once when it is the preview engine.
        """
        client = cls(**settings)
        if client.engine == "preview":
            _say_once("No SEGMIND_API_KEY: the free local preview engine answers (vidu.login() sets a key).")
        return client

    @classmethod
    def preview(cls, **settings: Any) -> Client:
        """A client of the free local preview engine, whatever the environment says."""
        url, key = _embedded_engine()
        client = cls(api_key=key.reveal(), base_url=url, **settings)
        client.engine = "preview"
        return client

    def generate(self, request: VideoRequest) -> Video:
        """Make a clip: one POST, never repeated here.

        Parameters
        ----------
        request
            What to make.

        Returns
        -------
        Video
            Kept in the archive before this returns.

        Raises
        ------
        Unreachable
            Nothing was sent, nothing is billed.
        APIError
            The service refused; `.billed`, `.remedy` and the class say more.
        OutcomeUnknown
            The request was sent and no usable clip came back.
        ArchiveError
            The clip came and can't be kept.
        """
        url = f"{self.base_url}/v1/{self.model}"
        body = json.dumps(request.payload()).encode()
        answer = Call(timeout=self.timeout).request("POST", url, key=KeyHeader(self._key), body=body)
        if answer.status != 200:
            raise api_error(answer.status, error_text(answer), request_id=answer.headers.get("x-request-id"))
        data = self._clip_in(answer)
        receipt = Receipt.from_headers(
            answer.headers,
            engine=self._who_answered(answer),
            model=self.model,
            elapsed_s=answer.elapsed_s,
            sha256=hashlib.sha256(data).hexdigest(),
        )
        return self.archive.keep(data, request, receipt)

    def credits(self) -> Credits:
        """The account's balance in US dollars; a free call.

        Raises
        ------
        Unreachable, APIError
            As for `generate`.
        """
        url = f"{self.base_url}/v1/get-user-credits"
        answer = Call(timeout=_FREE_CALL_TIMEOUT, max_bytes=1_000_000).request("GET", url, key=KeyHeader(self._key))
        if answer.status != 200:
            raise api_error(answer.status, error_text(answer), request_id=answer.headers.get("x-request-id"))
        said = _json(answer.body)
        said = said if isinstance(said, dict) else {}
        paid, free = number(said.get("credits")), number(said.get("free-credits"))
        if paid is None and free is None:
            raise OutcomeUnknown("the balance's answer names no credits", billed="no", remedy="Look in the console.")
        return Credits(paid or 0.0, free or 0.0)

    def _who_answered(self, answer: Answer) -> str:
        """The engine for the receipt: a preview server under any address is a preview, and nobody else may say so."""
        claims = answer.headers.get("x-vidu-engine") == "preview"
        return "preview" if claims and self.engine != "segmind" else self.engine

    def _clip_in(self, answer: Answer) -> bytes:
        """The MP4 in an answer with status 200, or behind the URL that it names."""
        problem = media.what_is_wrong(answer.body)
        said = _json(answer.body) if problem else None
        link = next(urls_in(said), "")
        if link:
            # No key goes with this call: the result lies on public storage, often another company's.
            fetched = Call(timeout=self.timeout).request("GET", urljoin(self.base_url, link))
            problem = (
                media.what_is_wrong(fetched.body) if fetched.status == 200 else f"its URL answered {fetched.status}"
            )
            if not problem:
                return fetched.body
        elif not problem:
            return answer.body
        elif said is not None:
            problem = f"the service said: {error_text(answer)}"
        raise OutcomeUnknown(
            f"the service answered 200, but no whole clip: {problem}",
            billed="yes",
            remedy="Check the credit balance before asking again: a second call may be a second bill.",
            request_id=answer.headers.get("x-request-id"),
        )

    def __repr__(self) -> str:
        return f"Client(engine={self.engine!r}, base_url={self.base_url!r}, key={'set' if self._key else 'none'})"


def generate(
    prompt: str,
    references: Source,
    *,
    aspect_ratio: AspectRatio = "16:9",
    duration: int = 5,
    seed: int = 42,
    bgm: bool = True,
    movement_amplitude: MovementAmplitude = "auto",
    client: Client | None = None,
) -> Video:
    """Make a clip from a prompt and one to seven pictures.

    With a key this is a paid call of about two minutes and half a dollar. Without one, the free local preview engine
    answers.

    Parameters
    ----------
    prompt
        What happens in the clip; at most 1500 characters.
    references
        One or many of: path, ``https://`` URL, ``data:`` URI, bytes, PIL image, uint8 array (H, W, 3).
    aspect_ratio
        ``"16:9"`` (1920x1080), ``"1:1"`` (1080x1080) or ``"9:16"`` (1080x1920).
    duration
        Seconds; 5.
    seed
        0 to 999999; 0 means a random one, not reproducible.
    bgm
        Background music.
    movement_amplitude
        ``"auto"``, ``"small"``, ``"medium"`` or ``"large"``.
    client
        Who to ask; defaults to `Client.from_env()`.

    Raises
    ------
    InvalidRequest
        A parameter is wrong; nothing was sent.
    ViduError
        See `Client.generate`.

    >>> generate("A cat naps. Then it looks up.", "cat.jpg", seed=7)      # doctest: +SKIP
    """
    request = _request(locals())
    return (client or Client.from_env()).generate(request)


def preview(
    prompt: str,
    references: Source,
    *,
    aspect_ratio: AspectRatio = "16:9",
    duration: int = 5,
    seed: int = 42,
    bgm: bool = True,
    movement_amplitude: MovementAmplitude = "auto",
    client: Client | None = None,
) -> Video:
    """Make a free animatic of the same request on the local preview engine, in seconds; no key, no network.

    Parameters are those of `generate`. The result is a moving storyboard of the references, never the model's work.

    >>> preview("A cat naps. Then it looks up.", "cat.jpg", seed=7)       # doctest: +SKIP
    """
    request = _request(locals())
    return (client or Client.preview()).generate(request)


def _request(arguments: dict[str, Any]) -> VideoRequest:
    return VideoRequest(**{name: arguments[name] for name in VideoRequest.model_fields})


def error_text(answer: Answer) -> str:
    """What an error answer says: the JSON's words, an HTML page's title, or nothing."""
    said = _json(answer.body)
    if isinstance(said, dict):
        words = [said.get(name) for name in ("error", "error_description", "message", "detail")]
        flat = [word if isinstance(word, str) else json.dumps(word) for word in words if word]
        return ": ".join(dict.fromkeys(flat))
    text = answer.body[:4000].decode("utf-8", "replace")
    if "<" not in text:
        return text
    title = text.lower().find("<title>")
    return text[title + 7 :].split("<")[0] if title >= 0 else ""


def urls_in(said: Any) -> Iterator[str]:
    """The result's URLs in a JSON answer, in the places where services put them."""
    if isinstance(said, str) and said.startswith(("http://", "https://")):
        yield said
    elif isinstance(said, list):
        for one in said:
            yield from urls_in(one)
    elif isinstance(said, dict):
        for name in ("video", "output", "video_url", "url", "urls", "data"):
            yield from urls_in(said.get(name))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _embedded_engine() -> tuple[str, Secret]:
    from .animatic.server import embedded  # starts a server: only when it is needed

    server = embedded()
    return server.base_url, Secret.from_text(server.key)


def _engine_name(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return (
        "segmind" if host == "segmind.com" or host.endswith(".segmind.com") else urlsplit(url).netloc.rpartition("@")[2]
    )


def _checked_base(url: str, *, has_key: bool) -> str:
    parts = urlsplit(url.strip())
    problem = ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        problem = "must be an http(s):// URL"
    elif parts.username or parts.password:
        problem = "must not hold a user name or password"
    elif parts.scheme == "http" and has_key and not is_loopback(url):
        problem = "is plain http: the key would travel unencrypted; use https://"
    if problem:
        raise InvalidRequest(f"base_url: {problem}", field="base_url")
    return url.strip().rstrip("/").removesuffix("/v1").rstrip("/")


def _price() -> float:
    price = number(os.environ.get(ENV_PRICE) or PRICE_USD)
    if price is None:
        raise InvalidRequest(f"{ENV_PRICE} is not a price: set it to US dollars such as 0.5", field="price_usd")
    return price


_said: set[str] = set()


def _say_once(text: str) -> None:
    """Tell a person once a process; a notebook shows standard error as if something had failed, so not there."""
    if text in _said:
        return
    _said.add(text)
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    print(text, file=sys.stdout if shell else sys.stderr)
