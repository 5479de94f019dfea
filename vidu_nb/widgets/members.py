"""What a page shows of a cast beside a prompt."""

from __future__ import annotations

from ..references.cast import Cast
from ..thumbnails import thumbnail_uri

_FACE, _FACE_BYTES = (48, 48), 1_200  # px, and bytes in base64


def member_items(cast: Cast) -> list[dict[str, str]]:
    """Return what a page shows of each member: name, a small picture, and how many there are."""
    items = []
    for name, pictures in cast.items():
        copies = cast.small(name)
        thumbnail = thumbnail_uri(copies[0], _FACE, _FACE_BYTES, fills=True) if copies else ""
        note = f"{len(pictures)} picture{'' if len(pictures) == 1 else 's'}"
        items.append({"name": name, "thumbnail": thumbnail, "note": note})
    return items
