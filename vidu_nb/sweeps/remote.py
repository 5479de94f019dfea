"""Calls that are made elsewhere: only the POST travels, while locks, journal, budget and archive stay with the caller.

    caller: lock ► budget ► journal "sent" ► errand ──► worker: POST ► answer ──► caller: journal ► archive

So every promise about money is kept in one place, whatever becomes of a worker. A free preview may be carried again by
an executor that repeats the tasks of a lost worker; a paid call is carried once.
"""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..client.client import Client
from ..client.engines import preview_engine
from ..errors import CallInterrupted, InvalidRequest, Unreachable, ViduError
from ..net.credentials import KeyHeader, Secret
from ..net.transport import Answer, Call, Interrupted, Transport

WORKERS = 4  # for an executor that doesn't tell how many it has
MAX_WORKERS = 64
_UNSURE = "Check the credit balance before asking again: a second call may be a second bill."
_QUEUE = 60.0  # s that a call may wait for a worker, beyond the time of one call before it


@dataclass(frozen=True, slots=True, repr=False)
class Errand:
    """One POST on its way to a worker. Its repr, which schedulers show and log, tells neither the key nor the body."""

    id: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    key: Secret | None
    timeout: float
    is_free: bool

    def __reduce__(self) -> tuple[Any, ...]:
        # A key refuses to be pickled. Only here it is let go, and only with a Courier's leave.
        text = self.key.reveal() if self.key else None
        return _unpacked, (self.id, self.url, self.body, dict(self.headers), text, self.timeout, self.is_free)

    def __repr__(self) -> str:
        return f"Errand({self.id}, {len(self.body):,} bytes)"


def _unpacked(
    id: str, url: str, body: bytes, headers: dict[str, str], key: str | None, timeout: float, is_free: bool
) -> Errand:
    return Errand(id, url, body, headers, Secret.from_text(key) if key else None, timeout, is_free)


def carry(errand: Errand) -> Answer | ViduError:
    """Make an errand's call: what a worker runs.

    Returns
    -------
    Answer or ViduError
        What went wrong is returned, not raised: schedulers log what is raised.
    """
    url, key = errand.url, errand.key
    if errand.is_free:
        engine = preview_engine(model=url.rsplit("/", 1)[1])  # this process's own
        url, key = engine.generate_url, engine.key
    elif not _is_first(errand.id):
        return Interrupted(
            "the worker was lost, and the call may have been made; it was not made again", remedy=_UNSURE
        )
    call = Call(timeout=errand.timeout)
    try:
        answer = call.request("POST", url, key=KeyHeader(key), body=errand.body, headers=errand.headers)
    except ViduError as error:
        return error
    except CallInterrupted as error:  # a Ctrl-C that reached the worker is none of whoever waits for it
        return Interrupted(error.message, remedy=error.remedy, answer=error.answer)
    return Answer(answer.status, dict(answer.headers), answer.body, answer.elapsed_s)


def _is_first(errand: str) -> bool:
    """Whether an errand was never begun before: Dask repeats a task whose worker was lost, whatever it had done."""
    distributed: Any = sys.modules.get("distributed")
    get_worker = getattr(distributed, "get_worker", None)  # not there yet while another thread imports it
    try:
        if get_worker is None or not get_worker():
            return True
    except ValueError:  # this is no Dask worker
        return True
    begun = distributed.Event(f"vidu-nb-{errand}")  # the scheduler keeps it, not the worker
    if begun.is_set():
        return False
    begun.set()
    return True


@dataclass(frozen=True, slots=True)
class Courier:
    """An executor, and what it may carry.

    Attributes
    ----------
    submit : callable
        The executor's.
    workers : int
        Calls at a time that keep it busy.
    is_free : bool
        Whether the calls cost nothing: each worker then asks a preview engine of its own.
    """

    submit: Callable[..., Future[Answer | ViduError]]
    workers: int
    is_free: bool

    @classmethod
    def of(cls, executor: Any, client: Client, *, share_key: bool) -> Courier | None:
        """The courier for an executor, None where there is none.

        Raises
        ------
        InvalidRequest
            It is no executor, or the key would have to leave this process and may not.
        """
        if executor is None:
            return None
        if hasattr(executor, "get_executor"):  # a Dask client
            executor = executor.get_executor(pure=False)
        if not isinstance(executor, Executor):
            told = f"executor: {type(executor).__name__} is no concurrent.futures.Executor and no Dask client"
            raise InvalidRequest(told, field="executor")
        if not (client.is_free or share_key or isinstance(executor, ThreadPoolExecutor)):
            raise InvalidRequest(
                "share_key: paid calls on this executor's workers need the key there: pass share_key=True to send it "
                "along with each call, or leave the executor out, since waiting needs no cluster",
                field="share_key",
            )
        many = _count(executor)
        # A paid call on its way counts as sent, so none is sent ahead; a free one keeps the next worker busy.
        return cls(executor.submit, min(2 * many if client.is_free else many, MAX_WORKERS), client.is_free)

    def call(self, *, timeout: float, on_send: Callable[[], object] | None = None) -> Transport:
        """What carries one request, in place of `transport.Call`."""
        return RemoteCall(self, timeout, on_send)


class RemoteCall:
    """One request that a worker makes; `Call`'s promises hold, except that what was handed over counts as sent."""

    def __init__(self, courier: Courier, timeout: float, on_send: Callable[[], object] | None) -> None:
        self.sent = False
        self._courier = courier
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
        url: str,
        *,
        key: KeyHeader | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Hand over and wait."""
        if self._reason:
            raise Unreachable(f"nothing was sent: {self._reason}")
        own = None if self._courier.is_free or key is None else key.key
        errand = Errand(
            secrets.token_hex(16), url, body or b"", dict(headers or {}), own, self._timeout, self._courier.is_free
        )
        if self._on_send:
            self._on_send()
        problem = ""
        try:
            future = self._courier.submit(carry, errand)
        except RuntimeError as error:  # shut down, or broken
            problem = str(error)
        if problem:
            raise Unreachable(f"nothing was sent: the executor takes no calls ({problem})", remedy="Make a new one.")
        self.sent = True
        future.add_done_callback(lambda _: self._woken.set())
        self._woken.wait(2 * self._timeout + _QUEUE)
        if not future.done():
            future.cancel()
            raise Interrupted(self._reason or "no worker answered in time", remedy=_UNSURE)
        return self._opened(future)

    def _opened(self, future: Future[Answer | ViduError]) -> Answer:
        problem = ""
        try:
            said = future.result()
        except CancelledError:
            problem = self._reason or "the executor cancelled the call"
        except Exception as error:  # whatever an executor has for a lost worker
            problem = f"the worker was lost ({type(error).__name__})"
        if problem:
            raise Interrupted(problem, remedy=_UNSURE)
        if isinstance(said, ViduError):
            self.sent = not isinstance(said, Unreachable)
            raise said
        return said


def _count(executor: Executor) -> int:
    many = getattr(executor, "_max_workers", None)
    if many is None and (dask := getattr(executor, "_client", None)):
        many = sum(dask.nthreads().values())
    return many or WORKERS
