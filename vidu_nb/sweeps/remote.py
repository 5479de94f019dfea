"""Free previews on an executor: its workers render them; locks, journal and archive stay with the caller.

    caller: lock ► journal "sent" ► model, parameters, files ──► worker: render ──► caller: journal ► archive

No key travels and nothing is billed, so that a scheduler may repeat the preview of a lost worker as it likes.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import fields
from typing import Any
from urllib.parse import unquote

from ..animatic.engine import make_outputs
from ..animatic.output import Output, body_of
from ..animatic.parameters import usable_seed
from ..catalogue.model import Model
from ..catalogue.models import models
from ..catalogue.request import PREVIEW, PREVIEW_VERSION
from ..client.client import Client
from ..errors import InvalidRequest, Unreachable, ViduError
from ..net.credentials import KeyHeader
from ..net.transport import Answer, Interrupted
from ..request import DRAFT_ENDING, MAX_SEED, NAMES_HEADER

WORKERS = 4  # of an executor that doesn't tell how many it has
MAX_AT_A_TIME = 64


def render(
    model: dict[str, Any], body: dict[str, Any], names: list[str], seed: int | None, is_draft: bool, *files: str
) -> Output | ViduError:
    """Make a preview: what a worker runs.

    An error is returned, not raised: schedulers log what is raised, with the prompt and the pictures.

    Parameters
    ----------
    model
        The facts of a `Model`: a worker need not know the caller's own models.
    body
        The API's, with numbers of `files` in the place of pictures, videos and sounds.
    names
        What these are called.
    seed
        In the place of the request's own, where that is random.
    is_draft
        Whether frames are small.
    *files
        Each as the API has it.

    Returns
    -------
    Output or ViduError
        The body of the API's answer.
    """
    try:
        known = Model(**model)
        whole = {name: _filled(known, name, value, files) for name, value in body.items()}
        request = known.request_class.from_payload(whole, names=names)
        return body_of(request, make_outputs(request, seed=seed, draft=is_draft))
    except ViduError as error:
        return error.with_traceback(None)


def _filled(model: Model, name: str, value: Any, files: Sequence[str]) -> Any:
    """Return a parameter's value with the files that its numbers stand for."""
    if name not in model.fields or not model.fields[name].is_media or value is None:
        return value
    return [files[number] for number in value] if isinstance(value, list) else files[value]


def _taken_apart(model: Model, body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a body with numbers in the place of its files, and the files."""
    files: list[str] = []
    numbered = dict(body)
    for name in (field.name for field in model.media if body.get(field.name) is not None):
        value = body[name]
        many = value if isinstance(value, list) else [value]
        numbers = list(range(len(files), len(files) + len(many)))
        files += many
        numbered[name] = numbers if isinstance(value, list) else numbers[0]
    return numbered, files


class PreviewWorkers:
    """The workers of an executor, for a free client's previews.

    Parameters
    ----------
    executor
        A `concurrent.futures.Executor`, or a Dask ``Client``.
    client
        Whose previews they are.

    Attributes
    ----------
    at_a_time : int
        Previews that keep the workers busy: while one is rendered, the next is there already.

    Raises
    ------
    InvalidRequest
        It is no executor, or the client's calls are paid.
    """

    def __init__(self, executor: Any, client: Client) -> None:
        is_dask = hasattr(executor, "get_executor")
        self._executor: Any = executor.get_executor(pure=False) if is_dask else executor
        if not isinstance(self._executor, Executor):
            problem = f"executor: {type(executor).__name__} is no concurrent.futures.Executor and no Dask client"
            raise InvalidRequest(problem, field="executor")
        if not client.is_free:
            raise InvalidRequest(
                "executor: it carries free previews only. A paid call waits two minutes for the service and needs no "
                "cluster, and the key stays in this process: leave the executor out; max_workers sets the calls at a "
                "time",
                field="executor",
            )
        self._dask: Any = executor if is_dask else None
        self._shared: dict[bytes, Any] = {}
        self._lock = threading.Lock()
        count = sum(executor.nthreads().values()) if is_dask else getattr(executor, "_max_workers", None)
        self.at_a_time = min(2 * (count or WORKERS), MAX_AT_A_TIME)

    def submit(
        self, model: Model, body: dict[str, Any], names: list[str], *, seed: int | None, is_draft: bool
    ) -> Future[Output | ViduError]:
        """Hand a preview to a worker; RuntimeError where the executor takes no tasks any more."""
        facts = {one.name: getattr(model, one.name) for one in fields(model)}
        numbered, files = _taken_apart(model, body)
        shared = [self._share(one) for one in files]
        future: Future[Output | ViduError] = self._executor.submit(
            render, facts, numbered, names, seed, is_draft, *shared
        )
        return future

    def _share(self, picture: str) -> Any:
        """A picture as it is handed over; Dask's workers get it once, and then pass it on among themselves."""
        if self._dask is None:
            return picture
        digest = hashlib.sha256(picture.encode()).digest()
        with self._lock:
            if digest not in self._shared:
                # A task, not `scatter`: Dask runs it again when the worker that held the picture is lost.
                self._shared[digest] = self._dask.submit(str, picture)
            return self._shared[digest]


class RemotePreview:
    """One preview on its way to a worker and back: a transport, used in place of an HTTP call."""

    def __init__(self, workers: PreviewWorkers, *, timeout: float, on_send: Callable[[], object] | None = None) -> None:
        self.sent = False
        self._workers = workers
        self._timeout = timeout
        self._on_send = on_send
        self._reason = ""
        self._woken = threading.Event()

    def abort(self, reason: str = "the call was cancelled") -> None:
        """Wait no longer."""
        self._reason = self._reason or reason
        self._woken.set()

    def request(
        self,
        method: str,  # noqa: ARG002  # a request for a preview is a POST
        url: str,
        *,
        key: KeyHeader | None = None,  # noqa: ARG002  # it stays here
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Hand the request over and wait for what it brings.

        Raises
        ------
        Unreachable
            The executor takes no tasks any more.
        Interrupted
            The call was aborted or took too long, or its worker failed.
        """
        model, is_draft = _named(url)
        payload = json.loads(body or b"{}")
        names = [unquote(name) for name in (headers or {}).get(NAMES_HEADER, "").split("/")]
        seed = _seed_for(model, payload)
        started = time.monotonic()
        if self._on_send:
            self._on_send()
        try:
            future = self._workers.submit(model, payload, names, seed=seed, is_draft=is_draft)
        except RuntimeError as error:
            problem = f"nothing was sent: the executor takes no tasks ({error})"
            raise Unreachable(problem, remedy="Make a new one.") from error
        self.sent = True
        made = self._await(future)
        elapsed = time.monotonic() - started
        if isinstance(made, ViduError):
            return Answer(400, {}, json.dumps({"error": made.message}).encode(), elapsed)
        answered = {
            "content-type": made.media_type,
            "x-vidu-engine": PREVIEW,
            "x-vidu-engine-version": str(PREVIEW_VERSION),
            "x-cost": "0",
            **({} if seed is None else {"x-seed-value": str(seed)}),
        }
        return Answer(200, answered, made.data, elapsed)

    def _await(self, future: Future[Output | ViduError]) -> Output | ViduError:
        future.add_done_callback(lambda _: self._woken.set())
        self._woken.wait(self._timeout)
        if not future.done():
            future.cancel()
            raise Interrupted(self._reason or f"no worker answered within {self._timeout:g} s")
        if future.cancelled():
            raise Interrupted(self._reason or "the executor cancelled the preview")
        if error := future.exception():
            raise Interrupted(f"the worker failed: {error!r}")
        return future.result()


def _named(url: str) -> tuple[Model, bool]:
    """Return the model that an address of the API names, and whether it is a draft."""
    name = unquote(url.rpartition("/")[2])
    if name in models:
        return models[name], False
    return models.find(name.removesuffix(DRAFT_ENDING)), name.endswith(DRAFT_ENDING)


def _seed_for(model: Model, payload: Mapping[str, Any]) -> int | None:
    """Return the seed that a preview is made with: drawn where a random one is asked for; None for a model without."""
    field = model.by_role("seed")
    if field is None:
        return None
    seed = payload.get(field.name)
    if field.random is not None and seed == field.random:
        return secrets.randbelow(MAX_SEED) + 1
    return usable_seed(seed)
