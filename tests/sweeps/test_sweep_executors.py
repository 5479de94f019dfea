"""Executors carry free previews: the same clips as here; a lost worker loses nothing; paid calls are refused."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb import errors

CAT = "https://example.com/cat.png"


@pytest.fixture(scope="module")
def dask():
    """A cluster of two worker processes on this machine."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def processes():
    """A pool of one process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(params=["threads", "processes", "dask"])
def executor(request):
    """Each kind of executor."""
    if request.param == "threads":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    else:
        yield request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def here(photo, tmp_path_factory):
    """The bytes of three drafts that this process made."""
    client = vidu.Client.preview(quality="draft", archive=tmp_path_factory.mktemp("here"))
    return [one.bytes for one in vidu.sweep(**wave(photo), client=client)]


def wave(photo):
    """What the sweeps ask for; the prompt refers to the picture by its name."""
    picture = vidu.Reference(photo, name="wave")
    return {
        "prompt": "Close-up on the wave",
        "references": picture,
        "seed": [1, 2, 3],
        "aspect_ratio": "16:9",  # the cheapest draft
        "bgm": False,
    }


def test_an_executor_makes_the_same_clips(executor, here, photo):
    """Byte for byte what threads make here; journal and archive stay here, and a second run replays."""
    client = vidu.Client.preview(quality="draft")
    swept = vidu.sweep(**wave(photo), client=client, executor=executor)
    assert [one.bytes for one in swept] == here
    assert {(one.receipt.engine, one.receipt.cost_usd, one.receipt.seed) for one in swept} == {
        ("preview", 0.0, 1), ("preview", 0.0, 2), ("preview", 0.0, 3),
    }  # fmt: skip
    assert [attempt.state for attempt in client.archive.journal] == ["stored"] * 3
    again = vidu.sweep(**wave(photo), client=client, executor=executor)
    assert [row["state"] for row in again.rows()] == ["replayed"] * 3


def test_an_error_of_one_preview_stays_its_own(executor, photo):
    """A picture that can't be fetched is that request's error, as it would be here; a random seed is in the receipt."""
    sets = [[photo], ["https://127.0.0.1:9/cat.png"]]
    swept = vidu.sweep("A wave", sets, seed=0, aspect_ratio="16:9", bgm=False, quality="draft", executor=executor)
    assert [type(one).__name__ for one in swept.results] == ["Video", "BadRequest"]
    assert swept.failed[0].billed == "no"
    assert 1 <= swept[0].receipt.seed <= 999_999


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_a_paid_sweep_with_an_executor_is_refused(faults, kind):
    """The sentence says why and what to do; nothing is sent, and the key stays where it is."""
    client = vidu.Client(KEY, faults.root, price_usd=0.5)
    with (
        kind(1) as executor,
        pytest.raises(errors.InvalidRequest, match=r"free previews only.* leave the executor out") as caught,
    ):
        vidu.sweep("A cat", CAT, seed=[1, 2], client=client, confirm=True, executor=executor)
    assert caught.value.field == "executor"
    assert faults.posts() == []
    assert not client.archive.folder.exists()


def test_an_executor_that_is_shut_down_has_sent_nothing(photo):
    """The error says so, and after three of them no more are handed over."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    swept = vidu.sweep("A cat", photo, seed=range(1, 9), quality="draft", executor=pool)
    assert {type(one) for one in swept.failed} == {errors.Unreachable}
    assert swept.stopped.startswith("3 calls in a row")


class Odd(Executor):
    """An executor that leaves each task to its fate."""

    def __init__(self, fate):
        self.fate, self.futures = fate, []

    def submit(self, *_):
        """Take a task, and run it nowhere."""
        self.futures.append(Future())
        self.fate(self.futures[-1])
        return self.futures[-1]


@pytest.mark.parametrize(
    ("fate", "reason"),
    [
        (lambda future: future.set_exception(LookupError("gone")), "the worker failed: LookupError('gone')"),
        (lambda future: future.set_exception(KeyboardInterrupt()), "the worker failed: KeyboardInterrupt()"),
        (lambda future: future.cancel(), "the executor cancelled the preview"),
        (lambda _: None, "no worker answered within 0.2 s"),
    ],
    ids=["lost", "interrupted", "cancelled", "silent"],
)
def test_a_preview_that_an_executor_loses_costs_nothing(photo, fate, reason):
    """The error says so, nothing is pending, and the same sweep again makes it."""
    client = vidu.Client.preview(quality="draft", timeout=0.2)
    executor = Odd(fate)
    [error] = vidu.sweep("A cat", photo, client=client, executor=executor).failed
    assert reason in str(error)
    assert "call again" in error.remedy
    assert (error.billed, client.pending()) == ("no", [])
    assert executor.futures[0].done()
    assert len(vidu.sweep("A cat", photo, quality="draft").videos) == 1


# A cluster.


def test_a_worker_killed_in_the_middle_loses_nothing(dask, photo):
    """Its previews are made again by another one."""
    pids = dask.run(os.getpid)

    def kill_a_busy_worker():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for address, tasks in dask.processing().items():
                if address in pids and any(task.startswith("render") for task in tasks):
                    os.kill(pids[address], signal.SIGKILL)  # as a machine ends that fails
                    return

    killer = threading.Thread(target=kill_a_busy_worker)
    killer.start()
    swept = vidu.sweep(**wave(photo) | {"seed": [4, 5, 6, 7]}, quality="draft", executor=dask)
    killer.join()
    assert [one.request.seed for one in swept] == [4, 5, 6, 7]
    assert swept.failed == []


def test_large_pictures_travel_to_a_cluster_once(dask):
    """Dask warns of large tasks, and here a warning is an error: the tasks only name the seven pictures."""
    noise = np.random.default_rng(1).integers(0, 16, (7, 1000, 1000, 3), np.uint8)
    large = [vidu.Reference(one) for one in noise]
    assert sum(len(one.url) for one in large) > 15_000_000
    swept = vidu.sweep("A wall", large, seed=[1, 2], aspect_ratio="16:9", bgm=False, quality="draft", executor=dask)
    assert (len(swept.videos), swept.failed) == (2, [])
