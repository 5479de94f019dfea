"""`models`: the models that are known, by their slugs."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..environment import setting
from ..errors import InvalidRequest
from ..files import expanded, reason
from .model import Model, read_model
from .request import Request, quietly

ENV_MODELS = "VIDU_NB_MODELS"
DEFAULT = Request.default_model
FOLDER = Path(__file__).parent


class Models(Mapping[str, Model]):
    """The models that are known: those of this package, of the folder ``VIDU_NB_MODELS``, and those that were added.

    >>> from vidu_nb import models
    >>> list(models)[0], models["wan2.7-r2v"].returns, "pixies" in models
    ('vidu-q1-reference-to-video', 'video', False)
    """

    def __init__(self) -> None:
        self._own: dict[str, Model] = {}
        self._added: dict[str, Model] = {}
        self._files: dict[Path, tuple[object, Model | str]] = {}  # as it stood when it was read → a model, or its fault
        self._warned: set[str] = set()
        self._lock = threading.RLock()

    def add(self, path: str | os.PathLike[str]) -> Model:
        """Add a model from a file of one's own, until the process ends; the same again replaces it.

        Parameters
        ----------
        path
            A TOML file; `docs/models.md` says what stands in it.

        Raises
        ------
        InvalidRequest
            The file can't be read, is wrong in a line that the message names, or has the slug of a model of this
            package.
        """
        model = read_model(expanded(path))
        if model.slug in self._package():
            message = f"{Path(path).name}: slug: {model.slug!r} is a model of this package"
            raise InvalidRequest(message, field="model")
        with self._lock:
            self._added[model.slug] = model
        return model

    def remove(self, slug: Model | str) -> None:
        """Forget a model that was added; one that isn't there is no error."""
        with self._lock:
            self._added.pop(str(slug), None)

    def find(self, name: Model | str | None) -> Model:
        """Return the model that somebody named; the default for None.

        Raises
        ------
        InvalidRequest
            There is none of that name; the message lists those that are known.

        >>> from vidu_nb import models
        >>> models.find("sdxl")
        Traceback (most recent call last):
        ...
        vidu_nb.errors.InvalidRequest: model: 'sdxl' is not known; known are vidu-q1-reference-to-video, ...
        """
        if isinstance(name, Model):
            return name
        try:
            return self[DEFAULT if name is None else name]
        except KeyError:
            pass
        known = f"known are {', '.join(self)}"
        message = f"model: {str(name)[:80]!r} is not known; {known}; models.add() takes a file for another"
        raise InvalidRequest(message, field="model")

    def __getitem__(self, slug: Model | str) -> Model:
        if isinstance(slug, Model | str):
            for known in (self._package, lambda: self._added, self._users):
                if (model := known().get(str(slug))) is not None:
                    return model
        raise KeyError(slug)

    def __iter__(self) -> Iterator[str]:
        users = self._users()
        with self._lock:
            return iter({**self._package(), **users, **self._added})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"models({', '.join(self)})"

    def _package(self) -> dict[str, Model]:
        with self._lock:
            if not self._own:
                paths = sorted(FOLDER.glob("*.toml"), key=lambda path: (path.stem != DEFAULT, path.stem))
                self._own = {model.slug: model for model in map(read_model, paths)}
            return self._own

    def _users(self) -> dict[str, Model]:
        """Return the models of the folder ``VIDU_NB_MODELS``; warn of what is wrong there, as long as it is once."""
        found: dict[str, Model] = {}
        problems: list[str] = []
        with self._lock:
            self._files = {path: self._file(path) for path in _files_of(setting(ENV_MODELS), problems)}
            for path, (_, model) in self._files.items():
                if isinstance(model, str):
                    problems += [model] if model else []
                elif model.slug in self._package():
                    problems.append(f"{path.name}: slug: {model.slug!r} is a model of this package")
                elif model.slug in found:
                    problems.append(f"{path.name}: slug: {model.slug!r} is that of another file in the folder")
                else:
                    found[model.slug] = model
            news = [problem for problem in problems if problem not in self._warned]
            self._warned = set(problems)
        for problem in news:
            warnings.warn(f"{ENV_MODELS}: {problem}", stacklevel=3)
        return found

    def _file(self, path: Path) -> tuple[object, Model | str]:
        """Return what a file holds, read anew only where it has changed; an empty text for one that is changing."""
        stamp = _stamp(path)
        if path in self._files and self._files[path][0] == stamp:
            return self._files[path]
        problem = ""
        try:
            return stamp, read_model(path)
        except InvalidRequest as error:
            problem = error.message
        is_changing = _stamp(path) != stamp or (stamp is None and not path.is_symlink())
        return (object(), "") if is_changing else (stamp, problem)


def _stamp(path: Path) -> object:
    """Return what tells that a file has changed; None for one that isn't there."""
    try:
        now = path.stat()
    except OSError:
        return None
    return now.st_mtime_ns, now.st_ctime_ns, now.st_size, now.st_ino


def _files_of(folder: str, problems: list[str]) -> list[Path]:
    """Return a folder's TOML files; not the hidden ones, which editors and systems leave."""
    if not folder:
        return []
    try:
        return sorted(path for path in expanded(folder).iterdir() if path.suffix == ".toml" and path.name[0] != ".")
    except InvalidRequest as error:
        problems.append(error.message)
    except OSError as error:
        problems.append(f"{folder}: {reason(error)}")
    return []


models = Models()


def _restored(model: Model, values: dict[str, Any]) -> Request:
    """Make the request that was pickled: of the model that is known here, else of the one that came with it."""
    with quietly():  # it was made once, and warned of then
        return models.get(model.slug, model).request(**values)


Request.restored = staticmethod(_restored)
