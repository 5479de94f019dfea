"""Live drafts: each change of the controls is seen a moment later, small and quickly made."""

from __future__ import annotations

import random
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalogue.request import PREVIEW, Request
from ..pictures import Picture
from ..receipt import Receipt
from ..request import DRAFT_ENDING, MAX_SEED
from ..video import Video
from .background import Later
from .form import Form
from .result import Draft, ResultView

if TYPE_CHECKING:
    from ..animatic.cancellation import Question

PATIENCE = 0.4  # s without a change before a draft is begun
_PROMPT_SHOWN = 400  # characters


class LiveDraft:
    """While it is on, a draft of what the controls say follows each change.

    Drafts come straight from the preview engine, and none outlives its showing: no journal, no archive, no file.

    Parameters
    ----------
    form
        The controls.
    result
        Where drafts are shown.
    say
        Gets a sentence where none can be made.

    Attributes
    ----------
    is_on : bool
    """

    def __init__(self, form: Form, result: ResultView, say: Callable[[str], object]) -> None:
        self._form, self._result, self._say = form, result, say
        self._lock = threading.RLock()  # observers of what is shown may change the controls
        self._request: Request | None = None  # what was drawn last, or is about to be
        self._turn = 0  # counts the changes: a draft of an earlier turn is not wanted any more
        self._later = Later(PATIENCE)
        self.is_on = False

    def switch(self, *, on: bool) -> None:
        """Begin to follow, or cease."""
        self.is_on, self._request = on, None
        (self.follow if on else self.rest)()

    def follow(self) -> None:
        """Draw what the controls say, once they have been left alone for a moment."""
        request = self._form.request
        if not self.is_on or request is None:
            return
        with self._lock:
            if request == self._request:
                return
            turn = self._next_turn(request)
            self._later.put_off(lambda: self._draw(request, turn))

    def rest(self) -> None:
        """Draw nothing of what the controls say: something better is being made of it."""
        with self._lock:
            self._next_turn(self._form.request)

    def _next_turn(self, request: Request | None) -> int:
        """Give up the draft that is being made, and the one that waits."""
        self._request = request
        self._turn += 1
        self._later.drop()
        return self._turn

    def _draw(self, request: Request, turn: int) -> None:
        def is_given_up() -> bool:
            return self._turn != turn

        try:
            drafts = make_drafts(request, cancelled=is_given_up)
            with self._lock:
                if not is_given_up():
                    self._result.show_drafts(drafts)
        except Exception as error:  # whatever one draft meets, the next change gets another
            if not is_given_up():
                self._say(f"No draft: {error}")


def make_drafts(request: Request, *, cancelled: Question) -> list[Draft]:
    """Render drafts, and return them; no file remains.

    Parameters
    ----------
    request
        What to draw.
    cancelled
        Asked between frames; True ends the work with `Cancelled`.
    """
    from ..animatic.engine import make_outputs  # slow to import, and most panels draw no drafts

    seed = random.randint(1, MAX_SEED) if request.is_random else request.seed_value
    is_video = request.model.returns == "video"
    receipt = Receipt(PREVIEW, f"{request.model.slug}{DRAFT_ENDING if is_video else ''}", cost_usd=0.0, seed=seed)
    prompt = str(request.by_role("prompt") or "")
    drafts = []
    with tempfile.TemporaryDirectory(prefix="vidu-nb-draft-") as folder:
        for number, output in enumerate(make_outputs(request, seed=seed, draft=True, cancelled=cancelled), 1):
            path = Path(folder) / f"draft{number}.{output.suffix}"
            path.write_bytes(output.data)
            made = Video(path, request, receipt) if is_video else Picture(path, request, receipt)
            size = (made.info.width, made.info.height) if isinstance(made, Video) else made.size
            kind = "video/mp4" if is_video else f"image/{output.suffix.replace('jpg', 'jpeg')}"
            drafts.append(
                Draft("video" if is_video else "image", output.data, kind, made.caption, prompt[:_PROMPT_SHOWN], size)
            )
    return drafts
