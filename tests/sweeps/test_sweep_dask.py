"""The same sweep on a Dask cluster: the same clips; a lost worker loses nothing, and is not paid for twice."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time

import pytest
from faults import KEY, FaultServer

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.net.credentials import Secret
from vidu_nb.net.transport import Interrupted
from vidu_nb.sweeps.remote import Errand, carry

CAT = "https://example.com/cat.png"


@pytest.fixture(scope="module")
def dask():
    """A cluster of two worker processes on this machine."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def kill_a_busy_worker(dask, pids, *, after=lambda: None):
    """End a worker's process in the middle of a call, as a machine that fails does."""
    deadline = time.monotonic() + 30
    after()
    while time.monotonic() < deadline:
        for address, tasks in dask.processing().items():
            if tasks and address in pids:
                os.kill(pids[address], signal.SIGKILL)
                return


def test_a_cluster_makes_the_same_clips(dask, photo, tmp_path):
    """Byte for byte what threads make here."""
    parameters = {"prompt": "A wave", "references": photo, "seed": [1, 2, 3], "aspect_ratio": "1:1", "bgm": False}
    here = vidu.sweep(**parameters, client=vidu.Client.preview(quality="draft", archive=tmp_path / "here"))
    there = vidu.Client.preview(quality="draft", archive=tmp_path / "there")
    swept = vidu.sweep(**parameters, client=there, executor=dask)
    assert [one.bytes for one in swept] == [one.bytes for one in here]
    assert {one.receipt.engine for one in swept} == {"preview"}
    assert len(list(there.archive.journal)) == 3


def test_a_worker_killed_in_the_middle_loses_nothing(dask, photo, tmp_path):
    """Its previews are made again by another one."""
    client = vidu.Client.preview(quality="draft", archive=tmp_path / "kept")
    killer = threading.Thread(target=kill_a_busy_worker, args=(dask, dask.run(os.getpid)))
    killer.start()
    swept = vidu.sweep("A cat", photo, seed=[1, 2, 3, 4], aspect_ratio="1:1", bgm=False, client=client, executor=dask)
    killer.join()
    assert [one.request.seed for one in swept] == [1, 2, 3, 4]
    assert swept.failed == []


def test_a_paid_call_of_a_killed_worker_is_not_paid_again(dask):
    """Dask repeats its task on another worker, which finds that it was begun, and leaves the outcome unknown."""
    with FaultServer() as server:
        client = vidu.Client(KEY, server.root, price_usd=0.5, timeout=60, notify=len)

        def asked():
            server.wait(lambda seen: any(one.reached == "body" for one in seen), timeout=30)

        killer = threading.Thread(target=kill_a_busy_worker, args=(dask, dask.run(os.getpid)), kwargs={"after": asked})
        killer.start()
        swept = vidu.sweep(
            "A cat [fault:silence_after_body]", CAT, client=client, budget_usd=1, executor=dask, share_key=True
        )
        killer.join()
        assert [type(one) for one in swept.failed] == [Interrupted]
        assert "not made again" in str(swept.failed[0])
        assert len(server.posts()) == 1
    assert len(client.pending()) == 1
    assert swept.budget.spent == swept.spent_usd == 0.5


def test_a_paid_call_needs_leave_for_the_key(dask):
    """Nothing leaves this process without it."""
    client = vidu.Client(KEY, "http://127.0.0.1:9", price_usd=0.5)
    with pytest.raises(errors.InvalidRequest, match="share_key=True"):
        vidu.sweep("A cat", CAT, client=client, budget_usd=1, executor=dask)
    assert not client.archive.folder.exists()


def test_what_dask_knows_of_a_task_shows_no_key(dask):
    """Neither the task as the scheduler and its dashboard show it, nor any log."""
    errand = Errand("1", "http://127.0.0.1:9/v1/x", b"{}", {}, Secret.from_text(KEY), 5.0, is_free=False)
    assert KEY not in f"{errand!r} {errand} {[errand]}"
    assert pickle.loads(pickle.dumps(errand)).key.reveal() == KEY
    future = dask.submit(carry, errand, pure=False)
    assert isinstance(future.result(timeout=30), errors.Unreachable)

    def shown(dask_scheduler):
        tasks = dask_scheduler.tasks.values()
        return " ".join(repr(part) for task in tasks for part in (task, task.run_spec, task.annotations, task.key))

    def fails(errand):
        raise ValueError(errand.id)

    broken = dask.submit(fails, errand)
    assert dask.submit(str, errand, pure=False).result(timeout=30) == "Errand(1, 2 bytes)"
    assert isinstance(broken.exception(timeout=30), ValueError)
    told = [
        dask.run_on_scheduler(shown),
        dask.get_worker_logs(),
        dask.get_scheduler_logs(),
        broken.traceback(timeout=30),
    ]
    assert "carry" in str(told)
    assert KEY not in str(told)
