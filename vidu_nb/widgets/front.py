"""`FrontEnd`: a widget whose page is made of several plain files, and that answers what a page asks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget

from ..errors import ViduError

_FOLDER = Path(__file__).parent
_LOOK_S = 0.2  # between two looks at the files
Answer = Mapping[str, Any]


class FrontEnd(anywidget.AnyWidget):
    """Shows files in a page as one module, and answers messages.

    A message is an object with ``do``, what is asked for, and ``token``, which the answer repeats; an answer has
    ``message``, a sentence, and ``refused``. Nothing in a message is trusted.

    Attributes
    ----------
    files : tuple of str
        The names of the files in this folder without their endings: each has a ``.js``, some have a ``.css``. The
        last one has the default export. The browser gets one module, as outputs have no address from which one file
        could import another.
    looks : tuple of str
        The names of CSS files of others that it shares.
    """

    files: ClassVar[tuple[str, ...]] = ()
    looks: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        if "files" in cls.__dict__:  # not in the class that gets this one's traits
            cls._esm, cls._css = module(cls.files), style((*cls.looks, *cls.files))
        super().__init_subclass__(**options)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.on_msg(self._receive)
        if os.environ.get("ANYWIDGET_HMR") == "1":
            threading.Thread(target=self._reload_when_changed, name="vidu-nb reload", daemon=True).start()

    def _answer(self, do: str, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> Answer | None:
        """Do what a page asks, and return what goes into the answer; a `ViduError` is shown."""
        raise NotImplementedError

    def _receive(self, _widget: object, content: object, buffers: Sequence[memoryview] | None) -> None:
        content = content if isinstance(content, Mapping) else {}
        token, do = content.get("token"), content.get("do")
        answer: dict[str, Any] = {"message": "that was not done: an error in Python", "refused": True}
        try:
            found = self._answer(do if isinstance(do, str) else "", content, list(buffers or ()))
            answer = {"message": "", "refused": False, **(found or {})}
        except ViduError as error:
            answer["message"] = str(error)
        finally:
            if isinstance(token, str):
                sent = answer.pop("bytes", None)
                self.send({"token": token, **answer}, None if sent is None else [sent])

    def _reload_when_changed(self) -> None:
        """Show each change of the files, until the widget is closed; for whoever works on them."""
        looks = (*self.looks, *self.files)
        seen = _dates(looks)
        while self.comm is not None:
            time.sleep(_LOOK_S)
            try:
                now = _dates(looks)
                if now != seen:
                    self._esm, self._css = module(self.files), style(looks)
                    seen = now
            except OSError:  # some editors take a file away while they save it
                continue


def module(files: Sequence[str]) -> str:
    """Return the files' JavaScript as one module."""
    return _lean(_FOLDER / f"{name}.js" for name in files)


def style(files: Sequence[str]) -> str:
    """Return the files' CSS, of those that have some."""
    paths = [_FOLDER / f"{name}.css" for name in files]
    return _lean(path for path in paths if path.exists())


def _lean(paths: Iterable[Path]) -> str:
    """Return the files' lines without comments and indentation: every notebook with a panel in it keeps a copy."""
    lines = (line.strip() for path in paths for line in path.read_text("utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/*")))


def _dates(files: Sequence[str]) -> dict[Path, int]:
    """Return when each of the files was changed."""
    paths = [path for name in files for path in (_FOLDER / f"{name}.js", _FOLDER / f"{name}.css")]
    return {path: path.stat().st_mtime_ns for path in paths if path.exists()}
