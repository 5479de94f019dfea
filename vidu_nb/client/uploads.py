"""Pictures in the service's public storage, so that a request carries links in place of megabytes."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import ViduError
from ..files import write_bytes
from ..folders import checked_hash, folder_name
from ..request import VideoRequest
from .responses import as_json
from .session import Exchange

TRUSTED = 86_400.0  # s for which a link counts as good; how long the storage keeps pictures is not documented


def stored_links(exchange: Exchange, request: VideoRequest) -> list[str]:
    """A link for each reference: its own where it is one, else to the storage, where each picture is put once a day.

    Raises
    ------
    ViduError
        The storage can't be reached or refuses; nothing was asked of the model, nothing was billed.
    """
    texts: list[str] = request.payload()["image_urls"]
    folder = exchange.archive.uploads / folder_name(exchange.engine.name)
    files = {one.sha256: folder / f"{checked_hash(one.sha256)}.json" for one in request.references if not one.is_url}
    known = {sha: link for sha, file in files.items() if (link := _remembered(file))}
    new = {
        one.sha256: text
        for one, text in zip(request.references, texts, strict=True)
        if not one.is_url and one.sha256 not in known
    }
    if new:
        if not folder.exists():
            exchange.notify(
                "Reference pictures are put into the service's storage, which is public: whoever has a link sees them."
            )
        for sha, link in zip(new, _upload(exchange, list(new.values())), strict=True):
            known[sha] = link
            with contextlib.suppress(OSError):  # not remembered: uploaded again the next time
                write_bytes(files[sha], json.dumps({"url": link, "at": time.time()}).encode())
    return [text if one.is_url else known[one.sha256] for one, text in zip(request.references, texts, strict=True)]


def _upload(exchange: Exchange, data_uris: list[str]) -> list[str]:
    body = json.dumps({"data_urls": data_uris}).encode()
    answer = exchange.free_call("POST", exchange.engine.upload_url, body, timeout=exchange.timeout)
    if answer.status // 100 != 2:
        refused = exchange.refusal(answer)
        refused.billed = "no"
        raise refused
    said = as_json(answer.body)
    said = said if isinstance(said, dict) else {}
    links = said.get("urls") or said.get("file_urls")  # the documentation's name, and the official SDK's
    if not isinstance(links, list) or len(links) != len(data_uris) or not all(map(_is_link, links)):
        raise ViduError("the storage named no links for the pictures", remedy="Leave uploads at its default.")
    return links


def _is_link(text: object) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(text, str) and urlsplit(text).scheme in ("http", "https") and bool(urlsplit(text).hostname)
    return False


def _remembered(file: Path) -> str:
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        said = json.loads(file.read_text())
        if 0 <= time.time() - said["at"] < TRUSTED and _is_link(said["url"]):
            return str(said["url"])
    return ""
