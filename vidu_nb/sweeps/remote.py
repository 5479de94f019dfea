"""Free previews on an executor: its workers render them; locks, journal and archive stay with the caller.

    caller: lock ► journal "sent" ► parameters, pictures ──► worker: render ► clip ──► caller: journal ► archive

No key travels and nothing is billed, so that a scheduler may repeat the preview of a lost worker as it likes.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import Any
from urllib.parse import unquote

from ..animatic.engine import make_clip
from ..catalogue.request import PREVIEW, PREVIEW_VERSION
from ..client.client import Client
from ..errors import InvalidRequest, Unreachable, ViduError
from ..net.credentials import KeyHeader
from ..net.transport import Answer, Interrupted
from ..request import DRAFT, MAX_SEED, NAMES_HEADER, VideoRequest

WORKERS = 4  # of an executor that doesn't tell how many it has
MAX_AT_A_TIME = 64


def render(parameters: dict[str, Any], names: list[str], is_draft: bool, *pictures: str) -> bytes | ViduError:
    """Render a preview: what a worker runs.

    An error is returned, not raised: schedulers log what is raised, with the prompt and the pictures.
    """
    try:
        request = VideoRequest.from_payload({**parameters, "image_urls": list(pictures)}, names=names)
        return make_clip(request, draft=is_draft)
    except ViduError as error:
        return error.with_traceback(None)


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
        self._is_draft = client.model == DRAFT
        self._shared: dict[bytes, Any] = {}
        self._lock = threading.Lock()
        count = sum(executor.nthreads().values()) if is_dask else getattr(executor, "_max_workers", None)
        self.at_a_time = min(2 * (count or WORKERS), MAX_AT_A_TIME)

    def submit(self, parameters: dict[str, Any], names: list[str], pictures: list[str]) -> Future[bytes | ViduError]:
        """Hand a preview to a worker; RuntimeError where the executor takes no tasks any more."""
        shared = [self._share(picture) for picture in pictures]
        future: Future[bytes | ViduError] = self._executor.submit(render, parameters, names, self._is_draft, *shared)
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
        method: str,  # noqa: ARG002  # a request for a clip is a POST
        url: str,  # noqa: ARG002  # the workers know who renders
        *,
        key: KeyHeader | None = None,  # noqa: ARG002  # it stays here
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Hand the request over and wait for its clip.

        Raises
        ------
        Unreachable
            The executor takes no tasks any more.
        Interrupted
            The call was aborted or took too long, or its worker failed.
        """
        parameters = json.loads(body or b"{}")
        pictures = parameters.pop("image_urls")
        parameters["seed"] = parameters["seed"] or secrets.randbelow(MAX_SEED) + 1
        names = [unquote(name) for name in (headers or {}).get(NAMES_HEADER, "").split("/")]
        started = time.monotonic()
        if self._on_send:
            self._on_send()
        try:
            future = self._workers.submit(parameters, names, pictures)
        except RuntimeError as error:
            problem = f"nothing was sent: the executor takes no tasks ({error})"
            raise Unreachable(problem, remedy="Make a new one.") from error
        self.sent = True
        clip = self._await(future)
        elapsed = time.monotonic() - started
        if isinstance(clip, ViduError):
            return Answer(400, {}, json.dumps({"error": clip.message}).encode(), elapsed)
        headers = {
            "x-vidu-engine": PREVIEW,
            "x-vidu-engine-version": str(PREVIEW_VERSION),
            "x-cost": "0",
            "x-seed-value": str(parameters["seed"]),
        }
        return Answer(200, headers, clip, elapsed)

    def _await(self, future: Future[bytes | ViduError]) -> bytes | ViduError:
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
