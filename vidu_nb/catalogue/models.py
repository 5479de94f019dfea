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
from ..files import expanded
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
        self._folder: tuple[object, dict[str, Model]] = (None, {})
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
            raise InvalidRequest(f"{Path(path).name}: slug: {model.slug!r} is in this package already", field="model")
        with self._lock:
            self._added[model.slug] = model
        return model

    def remove(self, slug: str) -> None:
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

    def __getitem__(self, slug: str) -> Model:
        for known in (self._package, lambda: self._added, self._users):
            if (model := known().get(slug)) is not None:
                return model
        raise KeyError(slug)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._package(), **self._users(), **self._added})

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
        """The models of ``VIDU_NB_MODELS``, read anew when the folder has changed; a wrong file is warned of."""
        folder = setting(ENV_MODELS)
        if not folder:
            return {}
        paths = sorted(expanded(folder).glob("*.toml"))
        stamp = [(path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths if path.is_file()]
        with self._lock:
            if self._folder[0] != stamp:
                found: dict[str, Model] = {}
                problems = []
                for path, _, _ in stamp:
                    try:
                        model = read_model(path)
                    except InvalidRequest as error:
                        problems.append(error.message)
                    else:
                        found[model.slug] = model
                self._folder = (stamp, found)
                for problem in problems:
                    warnings.warn(f"{ENV_MODELS}: {problem}", stacklevel=3)
            return self._folder[1]


models = Models()


def _restored(slug: str, values: dict[str, Any]) -> Request:
    with quietly():  # it was made once, and warned of then
        return models.find(slug).request(**values)


Request.restored = staticmethod(_restored)
