"""What a request's body holds: files that were uploaded before, in the place of their URLs, and files to be stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...catalogue.model import Model
from ...errors import InvalidRequest
from ...references.attachment import Attachment
from ...references.images import media_type
from ...references.reference import MAX_REFERENCES, Reference
from .guard import parse_json
from .limits import Reservation

TYPES = {
    "mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm", "mkv": "video/x-matroska",
    "mp3": "audio/mpeg", "m4a": "audio/mp4", "wav": "audio/wav", "ogg": "audio/ogg", "flac": "audio/flac",
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
}  # fmt: skip


def type_of(name: str) -> str:
    """Return a file's media type by its name's ending."""
    return TYPES.get(name.rpartition(".")[2], "application/octet-stream")


def put_files(payload: Any, model: Model, resolved: Callable[[object, str], Any], reservation: Reservation) -> None:
    """Put files in the place of the URLs under which a server knows them itself, in a request's payload.

    Parameters
    ----------
    payload
        The parsed JSON.
    model
        Tells which parameters hold files.
    resolved
        Returns what stands for a value of the parameter of that name, such as ``image_urls[0]``: the value itself
        where it is no URL of the server's.
    reservation
        Grows by what is put there.
    """
    inputs = payload if isinstance(payload, dict) else {}
    for parameter in model.media:
        value = inputs.get(parameter.name)
        many = value if isinstance(value, list) else [value]
        found = list(many)
        for place, one in enumerate(many[:MAX_REFERENCES]):
            where = f"{parameter.name}[{place}]" if isinstance(value, list) else parameter.name
            found[place] = resolved(one, where)
            if found[place] is not one:
                reservation.grow(len(found[place]))
        if value is not None:
            inputs[parameter.name] = found if isinstance(value, list) else found[0]


def uploads_in(body: bytearray) -> list[tuple[bytes, str]]:
    """Return the files in an upload's body, each with the ending of its name; pictures' headers are checked.

    Raises
    ------
    InvalidRequest
        One of them is no file that a request may name.
    """
    payload = parse_json(body)
    uris = payload.get("data_urls") if isinstance(payload, dict) and len(payload) == 1 else None
    if not isinstance(uris, list) or not 1 <= len(uris) <= MAX_REFERENCES:
        message = f'the body must read {{"data_urls": [...]}}, with one to {MAX_REFERENCES} data: URIs'
        raise InvalidRequest(message, field="data_urls")
    files = []
    for number, uri in enumerate(uris):
        problem = "must be a data: URI"
        if isinstance(uri, str) and uri.startswith("data:"):
            try:
                files.append(_file_in(uri))
                continue
            except InvalidRequest as error:
                problem = error.message
        raise InvalidRequest(f"data_urls[{number}]: {problem}", field=f"data_urls[{number}]")
    return files


def _file_in(uri: str) -> tuple[bytes, str]:
    kind = uri[5:80].partition(";")[0].lower()
    if kind.startswith(("video/", "audio/")):
        suffix = next((suffix for suffix, known in TYPES.items() if known == kind), "bin")
        return Attachment.from_wire(uri).bytes, suffix
    data = Reference.from_wire(uri).bytes
    return data, media_type(data)
