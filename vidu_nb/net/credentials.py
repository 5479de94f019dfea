"""Where an API key comes from, and how it is kept out of everything that is shown, saved or logged."""

from __future__ import annotations

import base64
import importlib.util
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..errors import InvalidRequest, ViduError

if TYPE_CHECKING:
    from requests import PreparedRequest

ENV_KEY = "SEGMIND_API_KEY"
_TELLING = 6  # bytes; a shorter piece of text stands anywhere by chance


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A key that no repr, traceback or pickle shows; `reveal` is the one way to its text."""

    _text: str

    @classmethod
    def from_text(cls, text: str) -> Secret:
        """A key as a person pastes it: quotes and white space around it are dropped.

        Raises
        ------
        InvalidRequest
            Empty, more than one line, or not printable ASCII; the message never shows the text.
        """
        if isinstance(text, Secret):
            return text
        text = text.strip().strip("'\"").strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            told = "api_key: must be one line of printable ASCII without spaces; copy it again from the Segmind console"
            raise InvalidRequest(told, field="api_key")
        return cls(text)

    def reveal(self) -> str:
        """The key itself; only for the header of the call."""
        return self._text

    def scrub(self, said: bytes) -> bytes:
        """Bytes from outside with every plain copy of the key blotted out, for a service that echoes what it got.

        Plain copies are the text itself, base64 (also inside longer base64), hex and URL-encoding.
        """
        raw, quoted = self._text.encode(), quote(self._text, safe="").encode()
        forms = {raw, raw.hex().encode(), raw.hex().upper().encode(), quoted, quoted.lower()}
        for shift, spoilt in ((0, 0), (1, 2), (2, 3)):  # base64's ends mix with their neighbours
            coded = base64.b64encode(bytes(shift) + raw)[spoilt:].rstrip(b"=")[:-1]
            forms |= {coded, coded.replace(b"+", b"-").replace(b"/", b"_")}
        for form in sorted(forms, key=len, reverse=True):
            if len(form) >= _TELLING:
                said = said.replace(form, b"***")
        return said

    def __repr__(self) -> str:
        return "Secret(hidden)"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key is never pickled: let the other process read its own")


class KeyHeader:
    """Adds the key to a request at the moment of sending, so that no frame of ours holds it in a variable."""

    def __init__(self, key: Secret | None) -> None:
        self.key = key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """What `requests` calls with the request that it is about to send."""
        if self.key:
            request.headers["x-api-key"] = self.key.reveal()
        return request


#: What `login` was told, for this process alone: the environment would pass it on to every child process.
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
    vidu_nb.errors.InvalidRequest: api_key: must be one line of printable ASCII without spaces; ...
    """
    if key is None:
        from getpass import getpass

        key = getpass("Segmind API key (hidden): ")
    secret = Secret.from_text(key)
    del key  # a traceback may show this frame's variables
    if keyring:
        _keep_in_keyring(secret)
    _remembered["key"] = secret


def logout() -> None:
    """Forget what `login` was told in this process; a keyring keeps its copy.

    >>> logout()
    """
    _remembered.clear()


def find_key() -> Secret | None:
    """The key from `login`, else ``SEGMIND_API_KEY``, else Colab's secrets, else the system's keyring, else None."""
    if "key" in _remembered:
        return _remembered["key"]
    text = (os.environ.get(ENV_KEY) or "").strip() or _from_colab() or _from_keyring()
    return Secret.from_text(text) if text else None


def _from_colab() -> str | None:
    if "google.colab" not in sys.modules:
        return None
    try:
        from google.colab import userdata

        return str(userdata.get(ENV_KEY) or "")
    except Exception:  # Colab raises its own classes where the secret is missing or access was not granted
        return None


def _from_keyring() -> str | None:
    if importlib.util.find_spec("keyring") is None:
        return None
    try:
        import keyring

        text: str | None = keyring.get_password(*_KEYRING)
    except Exception:  # no keyring daemon, a locked one: whatever the system's backend raises
        return None
    return text


def _keep_in_keyring(secret: Secret) -> None:
    problem, remedy = "", ""
    try:
        import keyring

        keyring.set_password(*_KEYRING, secret.reveal())
    except ImportError:
        problem, remedy = "the keyring package is not installed", "Install it with: pip install keyring"
    except Exception as error:  # the backend's own classes; their text may hold the key, so only the class is told
        problem = type(error).__name__
    if problem:
        raise ViduError(f"the key was not kept: {problem}", remedy=remedy or "Unlock the system's keyring.")
