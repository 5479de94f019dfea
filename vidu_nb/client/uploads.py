"""Upload pictures to the service's public storage, so that a request carries links in place of megabytes."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

from ..catalogue.request import Request
from ..errors import ViduError
from ..files import write_bytes
from ..folders import checked_hash, folder_name
from ..net.json_body import json_body
from .messages import as_json
from .responses import is_link
from .session import Session

TRUSTED = 86_400.0  # s for which a link counts as good; how long the storage keeps pictures is not documented


def stored_links(session: Session, request: Request) -> dict[str, str]:
    """Return a link to the storage for each picture of a request that is not a link itself, by its hash.

    Each picture is uploaded once a day.

    Raises
    ------
    ViduError
        The storage can't be reached or refuses; nothing was asked of the model, nothing was billed.
    """
    folder = session.archive.uploads / folder_name(session.engine.name)
    texts = {one.sha256: one.url for one in request.media if not one.is_url}
    files = {sha: folder / f"{checked_hash(sha)}.json" for sha in texts}
    links = {sha: link for sha, file in files.items() if (link := _remembered(file))}
    new = {sha: text for sha, text in texts.items() if sha not in links}
    if new:
        if not folder.exists():
            session.notify(
                "Reference pictures are put into the service's storage, which is public: whoever has a link sees them."
            )
        for sha, link in zip(new, _upload(session, list(new.values())), strict=True):
            links[sha] = link
            with contextlib.suppress(OSError):  # not remembered: uploaded again the next time
                write_bytes(files[sha], json.dumps({"url": link, "at": time.time()}).encode())
    return links


def _upload(session: Session, data_uris: list[str]) -> list[str]:
    body = json_body({"data_urls": data_uris})
    answer = session.free_call("POST", session.engine.upload_url, body, timeout=session.timeout)
    if answer.status // 100 != 2:
        refused = session.refusal(answer)
        refused.billed = "no"
        raise refused
    payload = as_json(answer.body)
    payload = payload if isinstance(payload, dict) else {}
    links = payload.get("urls") or payload.get("file_urls")  # the documentation's name, and the official SDK's
    if not isinstance(links, list) or len(links) != len(data_uris) or not all(map(is_link, links)):
        raise ViduError("the storage named no links for the pictures", remedy="Leave uploads at its default.")
    return links


def _remembered(file: Path) -> str:
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        entry = json.loads(file.read_text())
        if 0 <= time.time() - entry["at"] < TRUSTED and is_link(entry["url"]):
            return str(entry["url"])
    return ""
