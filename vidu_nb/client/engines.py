"""Who answers: an engine is a base URL, a key and a model. The client doesn't know what is behind it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from ..catalogue.model import Model
from ..catalogue.request import PREVIEW
from ..environment import setting
from ..errors import InvalidRequest
from ..folders import folder_name
from ..net.credentials import Secret, find_key, hub_token
from ..net.transport import is_loopback, origin
from ..request import DRAFT_ENDING, MODEL

HOSTED = "segmind"  # the hosted service's name in keys, receipts and the archive
BASE_URL = "https://api.segmind.com"
UPLOADS_URL = "https://workflows-api.segmind.com"  # the hosted service's storage has a host of its own
RECORD_URL = "https://api.spotprod.segmind.com"  # and so has its record of calls
HISTORY_ROUTE = "/inference-request/request-history"
ENV_RECORD_URL = "VIDU_NB_HISTORY_URL"
ENV_BASE_URL = "SEGMIND_BASE_URL"
PREVIEW_SECONDS = 3.0  # what a preview takes on two cores
PAID_SECONDS = 120.0  # what the service's documentation says


@dataclass(frozen=True, slots=True)
class Engine:
    """A service that speaks the API.

    Attributes
    ----------
    name : str
        ``"segmind"``, ``"preview"``, or the host (with its port) of another service.
    base_url : str
        The service's root, without ``/v1``.
    key : Secret or None
    model : str
        The name in the URL of the default model, for a service that calls it otherwise; other models go by their slugs.
    is_draft : bool
        Whether the preview engine makes its quicker, smaller clips.
    is_free : bool
        True for the process's own preview server alone: nothing that a URL spells makes calls free.
    record_url : str
        The root of the service's record of calls; empty where none is asked.
    """

    name: str
    base_url: str
    key: Secret | None
    model: str = MODEL
    is_free: bool = False
    record_url: str = ""
    is_draft: bool = False

    def name_of(self, model: Model) -> str:
        """Return a model's name in the URL, in keys and in the archive."""
        name = self.model if model == MODEL else model.slug
        return f"{name}{DRAFT_ENDING}" if self.is_draft and model.returns == "video" else name

    def generate_url(self, name: str) -> str:
        """Return the address for what is waited for in the call."""
        return f"{self.base_url}/v1/{quote(name)}"

    def queue_url(self, name: str) -> str:
        """Return the address for what is fetched later."""
        return f"{self.base_url}/v2/{quote(name)}"

    @property
    def history_url(self) -> str:
        """The address of the record of calls."""
        return self.record_url + HISTORY_ROUTE

    def call_url(self, request_id: str) -> str:
        """Return the address of one's own call in the record, empty where there is no record or no id."""
        return f"{self.history_url}/{quote(request_id, safe='')}" if self.record_url and request_id else ""

    @property
    def upload_url(self) -> str:
        """The address of the service's storage for pictures."""
        root = UPLOADS_URL if _is_hosted(self.base_url) else self.base_url
        return f"{root}/upload-asset"

    @property
    def credits_url(self) -> str:
        """The address of the account's balance."""
        return f"{self.base_url}/v1/get-user-credits"


def choose_engine(key: Secret | None = None, base_url: str | None = None, *, model: str = MODEL) -> Engine:
    """Choose the engine that arguments and environment name: with neither key nor base URL, the local preview engine.

    Raises
    ------
    InvalidRequest
        The key or the base URL is malformed, or a key would travel over plain http.
    """
    return named_engine(key, base_url, model=model) or preview_engine(model=model)


def named_engine(key: Secret | None = None, base_url: str | None = None, *, model: str = MODEL) -> Engine | None:
    """Choose the same, None with neither a key nor a base URL; starts nothing.

    Raises
    ------
    InvalidRequest
        As for `choose_engine`.
    """
    url = base_url or setting(ENV_BASE_URL) or None
    own = key.checked() if key else find_key()
    key = own or hub_token(url)
    if url is None and key is None:
        return None
    base = _checked_base(url or BASE_URL, has_key=key is not None)
    record = _record_url(base, has_key=key is not None)
    if key and not own and not hub_token(record):
        record = ""  # a hub's token goes nowhere else
    return Engine(_name_of(base), base, key, model, record_url=record)


def preview_engine(*, model: str = MODEL, is_draft: bool = False) -> Engine:
    """Return the process's own preview server, started at the first call."""
    from ..animatic.server.server import embedded

    server = embedded()
    return Engine(PREVIEW, server.base_url, Secret.from_text(server.key), model, is_free=True, is_draft=is_draft)


def _record_url(base: str, *, has_key: bool) -> str:
    """Return where the record is: as set, empty for "off"; else the hosted service's own host, or the base URL."""
    chosen = setting(ENV_RECORD_URL)
    if not chosen:
        return RECORD_URL if _is_hosted(base) else base
    if chosen.lower() == "off":
        return ""
    url = _checked_url(ENV_RECORD_URL, chosen, has_key=has_key)
    return url.rstrip("/").removesuffix(HISTORY_ROUTE).rstrip("/")


def _is_hosted(base: str) -> bool:
    return origin(base) == origin(BASE_URL)


def _name_of(url: str) -> str:
    """The name in keys, receipts and folders: a service's host.

    One that is called like an engine of ours is named by its root's URL, which no host can be called.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == "segmind.com" or host.endswith(".segmind.com"):
        return HOSTED
    return f"{parts.scheme}://{parts.netloc}" if folder_name(parts.netloc) in (HOSTED, PREVIEW) else parts.netloc


def _checked_base(url: str, *, has_key: bool) -> str:
    return _checked_url("base_url", url, has_key=has_key).rstrip("/").removesuffix("/v1").rstrip("/")


def _checked_url(name: str, url: str, *, has_key: bool) -> str:
    problem = ""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # checked only when asked for
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        problem = "must be an http(s):// URL"
    elif parts.username or parts.password:
        problem = "must not hold a user name or password"
    elif parts.query or parts.fragment:
        problem = "must not hold a query or a fragment"
    elif parts.scheme == "http" and has_key and not is_loopback(url):
        problem = "is plain http: the key would travel unencrypted; use https://"
    if problem:
        raise InvalidRequest(f"{name}: {problem}", field=name)
    return url.strip()
