"""Where an API key comes from, and how it is kept out of everything that is shown, saved or logged.

A traceback in IPython's Verbose mode shows each frame's arguments and the variables of the line that failed. So a key
is wrapped in a `Secret` before anything else can fail, and each function that was given its text lets go of it at once.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from ..environment import setting
from ..errors import InvalidRequest, ViduError

if TYPE_CHECKING:
    from requests import PreparedRequest

ENV_KEY = "SEGMIND_API_KEY"
#: What stands before a key that was copied out of a header, a shell or a file of settings.
_NAME = re.compile(r"(bearer\s|authorization\s*:|x-api-key\s*:|(\w+\s+)?SEGMIND_API_KEY\s*=)", re.IGNORECASE)
_MIN_SCRUBBED = 6  # characters; a shorter piece of text stands anywhere by chance


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A key that no repr, traceback or pickle shows; `reveal` is the one way to its text."""

    _text: str

    @classmethod
    def from_text(cls, text: str) -> Secret:
        """Return the key in a text as a person pastes it: `hide` and `checked` in one.

        Raises
        ------
        InvalidRequest
            As for `checked`. The caller's own variables still hold the text then: `hide` it first where that matters.
        """
        secret, text = cls(text), ""
        return secret.checked()

    def checked(self) -> Secret:
        """Return the key without the quotes, white space and invisible characters that were copied along with it.

        Raises
        ------
        InvalidRequest
            Empty, more than one line, not printable ASCII, or with a name before it, such as ``Bearer``; neither the
            message nor a frame shows the text.
        """
        key = _clean(self.reveal())
        if isinstance(key, str):
            raise InvalidRequest(
                f"api_key: {key}; a key is one line of printable ASCII without spaces: copy it again, and it alone, "
                "from the Segmind console",
                field="api_key",
            )
        return key

    def reveal(self) -> str:
        """Return the key itself; only for the header of the call."""
        return self._text

    def scrub(self, data: bytes) -> bytes:
        """Return bytes from outside without the key's text, for a service that echoes what it got."""
        if len(self._text) < _MIN_SCRUBBED:
            return data
        return data.replace(self.reveal().encode(), b"***")

    def __repr__(self) -> str:
        return "Secret(hidden)"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key is never pickled: let the other process read its own")


def hide(text: str | Secret | None) -> Secret | None:
    """Wrap what was given as a key, unchecked, so that no frame shows it. Never fails; None stays None.

    The first line of a function that takes a key lets go of the text as well::

        secret, api_key = hide(api_key), None
    """
    return text if text is None or isinstance(text, Secret) else Secret(text)


def _clean(text: object) -> Secret | str:
    """Return the key in a text, or in a few words why it holds none."""
    if not isinstance(text, str):
        return "is not text"
    start, end = 0, len(text)
    while start < end and _is_copied_along(text[start]):
        start += 1
    while start < end and _is_copied_along(text[end - 1]):
        end -= 1
    return _problem(text[start:end]) or Secret(text[start:end])


def _is_copied_along(character: str) -> bool:
    """Return whether it is white space, a quotation mark of any script, or invisible."""
    return character.isspace() or character in "'\"`„‚" or unicodedata.category(character) in {"Cf", "Pi", "Pf"}


def _problem(text: str) -> str:
    """Say what is wrong with a key without showing any of it; empty where nothing is."""
    categories = set(map(unicodedata.category, text))
    problems = {
        "is empty": not text,
        "begins with a name, such as Bearer or x-api-key": _NAME.match(text),
        "has a line break inside": len(text.splitlines()) > 1,
        "has a space inside": any(map(str.isspace, text)),
        "has a control character in it": "Cc" in categories,
        "has an invisible character inside": "Cf" in categories,
        "has a character in it that is not ASCII": not text.isascii(),
    }
    return next((problem for problem, is_so in problems.items() if is_so), "")


class KeyHeader:
    """Adds the key to a request at the moment of sending, so that no frame of ours holds it in a variable."""

    def __init__(self, key: Secret | None) -> None:
        self.key = key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """What `requests` calls with the request that it is about to send."""
        if self.key:
            request.headers["x-api-key"] = self.key.reveal()
        return request


#: What `login` was given, for this process alone: the environment would pass it on to every child process.
_remembered: dict[str, Secret] = {}
_KEYRING = ("vidu-nb", "segmind")  # service and user name in the system's keyring


def login(key: str | None = None, *, keyring: bool = False) -> None:
    """Ask for the Segmind API key and keep it in this process.

    The key is typed into a hidden field; it goes neither into the notebook nor into the environment.

    Parameters
    ----------
    key
        Leave it out to be asked. A key written in a cell is saved with the notebook.
    keyring
        Also keep it in the system's keyring, for later kernels; needs the `keyring` package.

    Raises
    ------
    InvalidRequest
        Not a key.
    ViduError
        There is no keyring.

    >>> login("two words")
    Traceback (most recent call last):
    ...
    vidu_nb.errors.InvalidRequest: api_key: has a space inside; a key is one line of printable ASCII ...
    """
    secret, key = hide(key), None
    if secret is None:
        from getpass import getpass

        secret = Secret(getpass("Segmind API key (hidden): "))
    secret = secret.checked()
    if keyring:
        _store_in_keyring(secret)
    _remembered["key"] = secret


def logout() -> None:
    """Forget the key of `login` in this process; a keyring keeps its copy.

    >>> logout()
    """
    _remembered.clear()


def find_key() -> Secret | None:
    """Return the key from `login`, ``SEGMIND_API_KEY``, Colab's secrets or the system's keyring, None without one.

    Raises
    ------
    InvalidRequest
        The first of them that holds something holds no key.
    """
    secret = _remembered.get("key") or _from_environment() or _from_colab() or _from_keyring()
    return secret.checked() if secret else None


def hub_token(url: str | None) -> Secret | None:
    """Return the token that a JupyterHub gave this server, for a service of that hub; None for any other address.

    Parameters
    ----------
    url
        Whom the token would be sent to.
    """
    text = setting("JUPYTERHUB_API_TOKEN")
    return Secret(text).checked() if text and url and _is_below_hub(url) else None


def _is_below_hub(url: str) -> bool:
    """Return whether an address is a service of the JupyterHub that started this process."""
    services = f"{setting('JUPYTERHUB_BASE_URL').rstrip('/')}/services/"
    try:
        parts = urlsplit(url)
        if not _is_hubs(parts) or "@" in parts.netloc:
            return False
    except ValueError:  # a port that is none, for one
        return False
    # As it stands there: what a server would read out of "..", escapes, or a second slash is none of a service's path.
    is_plain = re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?", parts.path)
    is_inside = parts.path.startswith(services) and len(parts.path) > len(services)
    return bool(is_plain) and is_inside and not (parts.query or parts.fragment)


def _is_hubs(parts: SplitResult) -> bool:
    """Return whether the hub is reached at a scheme, host and port."""
    public = [setting(name) for name in ("JUPYTERHUB_HOST", "JUPYTERHUB_PUBLIC_HUB_URL")]
    known, asked = [_origin(urlsplit(one)) for one in public if one], _origin(parts)
    if known:
        return asked in known
    # Inside of its network the hub listens on one port, and its proxy, which leads to services, on another.
    inside = urlsplit(setting("JUPYTERHUB_API_URL"))
    return bool(inside.hostname) and asked[:2] == (inside.scheme, inside.hostname)


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port."""
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _from_environment() -> Secret | None:
    text = setting(ENV_KEY)
    return Secret(text) if text else None


def _from_colab() -> Secret | None:
    if "google.colab" not in sys.modules:
        return None
    try:
        from google.colab import userdata

        text = userdata.get(ENV_KEY)
    except Exception:  # Colab raises its own classes where the secret is missing or access was not granted
        return None
    return Secret(text) if text else None


def _from_keyring() -> Secret | None:
    if importlib.util.find_spec("keyring") is None:
        return None
    try:
        import keyring

        text = keyring.get_password(*_KEYRING)
    except Exception:  # no keyring daemon, a locked one: whatever the system's backend raises
        return None
    return Secret(text) if text else None


def _store_in_keyring(secret: Secret) -> None:
    failure = _keyring_failure(secret)
    if failure is None:
        return
    if issubclass(failure, ImportError):
        raise ViduError(
            "the key was not kept: the keyring package is not installed", remedy="Install it with: pip install keyring"
        )
    if issubclass(failure, Exception):
        raise ViduError(f"the key was not kept: {failure.__name__}", remedy="Unlock the system's keyring.")
    raise failure  # Ctrl-C at the prompt that unlocks it


def _keyring_failure(secret: Secret) -> type[BaseException] | None:
    """Store the key; return only the class of what the backend raised: its text and its frames may hold the key."""
    try:
        import keyring

        keyring.set_password(*_KEYRING, secret.reveal())
    except BaseException as error:
        return type(error)
    return None
