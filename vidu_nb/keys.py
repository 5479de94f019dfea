"""Where an API key comes from, and how it is kept out of everything that is shown, saved or logged."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import InvalidRequest

if TYPE_CHECKING:
    from requests import PreparedRequest

ENV_KEY = "SEGMIND_API_KEY"


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


def login(key: str | None = None) -> None:
    """Ask for the Segmind API key and keep it in this process.

    The key is typed into a hidden field; it goes neither into the notebook nor into the environment.

    Parameters
    ----------
    key
        Leave it out to be asked. A key written in a cell is saved with the notebook.
    """
    if key is None:
        from getpass import getpass

        key = getpass("Segmind API key (hidden): ")
    _remembered["key"] = Secret.from_text(key)


def logout() -> None:
    """Forget what `login` was told."""
    _remembered.clear()


def find_key() -> Secret | None:
    """The key from `login`, else from ``SEGMIND_API_KEY``, else None."""
    if "key" in _remembered:
        return _remembered["key"]
    text = os.environ.get(ENV_KEY, "")
    return Secret.from_text(text) if text.strip() else None
