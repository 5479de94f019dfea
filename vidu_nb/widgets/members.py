"""A cast beside a prompt: cards that put mentions into it, and names that complete what is typed after an @."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anywidget
import traitlets

from ..references.cast import Cast
from ..thumbnails import thumbnail_uri

_FACE, _FACE_BYTES = (48, 48), 1_200  # px, and bytes in base64
_FOLDER = Path(__file__).parent
MENTIONS_JS = (_FOLDER / "mentions.js").read_text("utf-8")
MENTIONS_CSS = (_FOLDER / "mentions.css").read_text("utf-8")


class Members(anywidget.AnyWidget):
    """Shows a cast's members beside the prompt of the panel that it stands in.

    Attributes
    ----------
    members : list of dict
        What the page shows of each.
    mentioned : list of str
        Names that stand out.
    """

    # Two files to read, one module for the browser: outputs have no address from which one could import the other.
    _esm = f"{MENTIONS_JS}\n{(_FOLDER / 'members.js').read_text('utf-8')}"
    _css = MENTIONS_CSS

    members = traitlets.List(traitlets.Dict()).tag(sync=True)
    mentioned = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def show(self, cast: Cast, mentioned: Sequence[str] = ()) -> None:
        """Show a cast, with those who are mentioned."""
        self.members, self.mentioned = member_items(cast), list(mentioned)


def member_items(cast: Cast) -> list[dict[str, str]]:
    """Return what a page shows of each member: name, a small picture, and how many there are."""
    items = []
    for name, pictures in cast.items():
        copies = cast.small(name)
        thumbnail = thumbnail_uri(copies[0], _FACE, _FACE_BYTES, fills=True) if copies else ""
        note = f"{len(pictures)} picture{'' if len(pictures) == 1 else 's'}"
        items.append({"name": name, "thumbnail": thumbnail, "note": note})
    return items
