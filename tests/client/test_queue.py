"""The durable queue: a paid job survives whatever happens to the one who waits for it, and is never submitted twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from queue_stub import QueueStub
from services import Service

from vidu_nb.client.client import Client
from vidu_nb.errors import JobFailed, OutcomeUnknown
from vidu_nb.request import VideoRequest
from vidu_nb.storage.budget import Budget

REQUEST = VideoRequest(prompt="A cat", references="https://example.com/cat.png", seed=7)


@pytest.fixture
def stub(small_clip):
    with QueueStub(small_clip.read_bytes()) as made:
        yield made


@pytest.fixture
def client(stub, tmp_path):
    """Makes a client of the stub's queue; all of them share the archive."""

    def make(**settings):
        settings = {"timeout": 10, "notify": len, "mode": "queue"} | settings
        return Client("a-key", stub.url, tmp_path / "archive", **settings)

    return make


def test_a_job_is_submitted_once_and_its_clip_kept(client, stub):
    """The clip, its cost, its seed and the job's name arrive; asking again costs nothing."""
    told = []
    asked = client(progress=told.append)
    video = asked.generate(REQUEST)
    assert video.bytes == stub.clip
    assert (video.receipt.cost_usd, video.receipt.seed, video.receipt.request_id) == (0.4, 4711, "job-1")
    assert video.receipt.credits_remaining == 9.6
    assert client().generate(REQUEST).receipt.replayed
    assert stub.submitted == 1
    assert told == [0.5, 0.5]
    assert asked.pending() == []


def test_the_key_goes_to_the_service_and_nowhere_else(client, stub, small_clip):
    """A ticket that leads to a stranger's host is asked about at the service; a stranger's clip is fetched without."""
    keys = []

    def storage(call):
        keys.append("x-api-key" in call.headers)
        call.say(small_clip.read_bytes())

    stub.strangers = "http://127.0.0.1:9"  # nobody is there: a call to it would never bring a clip
    with Service(storage) as strangers:
        stub.result = (200, {"status": "COMPLETED", "output": f"{strangers.url}/clip.mp4"})
        assert client().generate(REQUEST).bytes == stub.clip
    assert keys == [False]
    assert all(has_key for path, has_key in stub.keys)


TROUBLE = [
    "cut", (500, {"error": "oops"}), (429, {"error": "slow down"}), (200, b"<html>log in</html>"), (502, b""),
    (404, {"error": "not listed yet"}), "SOMETHING NEW", (200, b'{"status": ["PROCESSING"]}'),
]  # fmt: skip


@pytest.mark.parametrize("look", TROUBLE, ids=str)
def test_a_look_that_brings_nothing_is_only_one_more_look(client, stub, look):
    """Cut connections, errors and nonsense in place of a status: it is asked again, and nothing is paid again."""
    stub.looks = ["QUEUED", look, "COMPLETED"]
    assert client().generate(REQUEST).bytes == stub.clip
    assert stub.submitted == 1


@pytest.mark.parametrize(
    "look", [(422, {"error": "no face found"}), (200, {"status": "FAILED", "error": "no face found"})], ids=str
)
def test_a_failed_job_is_told_and_not_billed(client, stub, tmp_path, look):
    """Its words arrive, the budget has its reservation back, and asking again is a new job."""
    budget = Budget(0.5, tmp_path / "budget.json")
    stub.looks = ["PROCESSING", look]
    with pytest.raises(JobFailed, match="no face found") as caught:
        client(budget=budget).generate(REQUEST)
    assert (caught.value.billed, budget.spent) == ("no", 0.0)
    assert client().pending() == []
    stub.looks = ["COMPLETED"]
    assert client(budget=budget).generate(REQUEST).bytes == stub.clip
    assert stub.submitted == 2


def test_a_failed_job_that_names_a_cost_counts_in_the_budget(client, stub, tmp_path):
    """Whatever the documentation says, what the service says it took is spent."""
    budget = Budget(2.0, tmp_path / "budget.json")
    stub.looks = [(422, {"error": "no face found", "metrics": {"cost": 0.3}})]
    with pytest.raises(JobFailed) as caught:
        client(budget=budget).generate(REQUEST)
    assert (caught.value.billed, budget.spent) == ("yes", 0.3)


def test_an_expired_job_is_no_failed_one(client, stub, tmp_path):
    """A job that the service no longer knows may have been billed: it is never submitted again by itself."""
    budget = Budget(0.5, tmp_path / "budget.json")
    stub.looks = [(404, {"error": "expired"})]
    with pytest.raises(OutcomeUnknown, match="no longer knows the job job-1") as caught:
        client(budget=budget).generate(REQUEST)
    assert (caught.value.fetchable, budget.spent) == (False, 0.5)
    with pytest.raises(OutcomeUnknown):
        client().generate(REQUEST)
    assert [call.state for call in client().pending()] == ["unknown"]
    assert stub.submitted == 1


def test_a_key_that_is_no_good_any_more_loses_nothing(client, stub):
    """401 on the status ends the wait with the job kept; the next call, with a good key, picks it up."""
    stub.looks = [(401, {"error": "key revoked"})]
    with pytest.raises(OutcomeUnknown, match="check the key") as caught:
        client().generate(REQUEST)
    assert caught.value.fetchable
    stub.looks = ["COMPLETED"]
    assert client().generate(REQUEST).bytes == stub.clip
    assert stub.submitted == 1


@pytest.mark.parametrize("how", ["generate", "resume"])
def test_a_job_that_takes_too_long_is_picked_up_later(client, stub, how):
    """The time-out ends the waiting, not the job."""
    stub.looks = ["PROCESSING"]
    with pytest.raises(OutcomeUnknown, match="goes on") as caught:
        client(timeout=0.3).generate(REQUEST)
    assert caught.value.fetchable
    assert [call.state for call in client().pending()] == ["fetchable"]
    stub.looks = ["COMPLETED"]
    video = client().generate(REQUEST) if how == "generate" else client().resume()[0]
    assert video.bytes == stub.clip
    assert video.request == REQUEST
    assert stub.submitted == 1


def test_cancelling_ends_the_wait_and_keeps_the_job(client, stub):
    """`cancel` from another thread comes back at once; the job is paid for and stays fetchable."""
    stub.looks = ["PROCESSING"]
    looking = threading.Event()
    asked = client(progress=lambda _: looking.set(), timeout=60)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(asked.generate, REQUEST)
        assert looking.wait(10)
        asked.cancel()
        with pytest.raises(OutcomeUnknown, match="cancelled") as caught:
            waiting.result(timeout=5)
    assert caught.value.fetchable
    stub.looks = ["COMPLETED"]
    assert client().generate(REQUEST).bytes == stub.clip
    assert stub.submitted == 1


def test_a_clip_that_can_not_be_fetched_yet_is_fetched_later(client, stub, small_clip):
    """The job is done and its file not there: the next call fetches it, without asking for another."""
    stub.clip = b"not here"
    with pytest.raises(OutcomeUnknown, match="could not be fetched"):
        client().generate(REQUEST)
    stub.clip = small_clip.read_bytes()
    assert client().resume()[0].bytes == stub.clip
    assert stub.submitted == 1


@pytest.mark.parametrize(
    "said", [{"request_id": "job-1"}, {"status_url": "x"}, [1], "QUEUED", {"request_id": 5, "status_url": ""}]
)
def test_an_answer_that_is_no_ticket_is_kept_for_a_person(client, stub, said):
    """It may have been billed: nothing is submitted again by itself, and its bytes are kept."""
    stub.ticket = said
    with pytest.raises(OutcomeUnknown, match="no whole clip") as caught:
        client().generate(REQUEST)
    assert caught.value.billed == "yes"
    assert json.dumps(said).encode() in [path.read_bytes() for path in client().archive.folder.rglob("*.bin")]
    with pytest.raises(OutcomeUnknown):
        client().generate(REQUEST)
    assert stub.submitted == 1


def test_many_who_ask_for_the_same_share_one_job(client, stub):
    """Eight threads, one submission, the same clip for all."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: client().generate(REQUEST).path, range(8)))
    assert len(set(found)) == 1
    assert stub.submitted == 1


def test_an_interrupted_wait_keeps_the_job(stub, client, tmp_path):
    """Ctrl-C while waiting ends the call; the next one picks the job up."""
    stub.looks = ["PROCESSING"]
    script = (
        "import sys; from vidu_nb.client.client import Client; from vidu_nb.request import VideoRequest\n"
        "ask = Client('a-key', *sys.argv[1:], mode='queue', notify=len, progress=lambda _: print('look', flush=True))\n"
        "ask.generate(VideoRequest(prompt='A cat', references='https://example.com/cat.png', seed=7))"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    kernel = subprocess.Popen([sys.executable, "-c", script, stub.url, str(tmp_path / "archive")], **pipes)
    assert kernel.stdout.readline() == "look\n"
    kernel.send_signal(signal.SIGINT)
    _, said = kernel.communicate(timeout=20)
    assert said.rstrip().endswith("KeyboardInterrupt")
    stub.looks = ["COMPLETED"]
    assert client().generate(REQUEST).bytes == stub.clip
    assert stub.submitted == 1


KILLS = 50
#: Forks a kernel for each request, ends it the hard way somewhere between its ticket and its clip, and asks again.
KILLER = """
import os, random, signal, sys, time
from vidu_nb.client.client import Client
from vidu_nb.request import VideoRequest

url, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

def ask(number):
    client = Client("a-key", url, folder, mode="queue", notify=len, timeout=30)
    return client.generate(VideoRequest(prompt="A cat", references="https://example.com/cat.png", seed=number))

def kernel(number):
    child = os.fork()
    if not child:
        try:
            ask(number)
        finally:
            os._exit(0)
    return child

def states():
    files = Client("a-key", url, folder).archive.journal.folder.rglob("*.json")
    return sum('"queued"' in path.read_text() for path in files)

killed = 0
for start in range(1, count + 1, 10):
    kernels = [kernel(number) for number in range(start, start + 10)]
    end = time.monotonic() + 30
    while states() < start + 9 and time.monotonic() < end:
        time.sleep(0.01)
    random.shuffle(kernels)
    for child in kernels:
        time.sleep(random.uniform(0, 0.04))
        os.kill(child, signal.SIGKILL)
    killed += sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL for child in kernels)
    for number in range(start, start + 10):
        print(ask(number).receipt.request_id)
print(killed)
"""


def test_kernels_that_are_killed_while_they_wait_pay_once(stub, tmp_path):
    """Fifty kills at random moments between ticket and clip: fifty clips, fifty submissions."""
    stub.looks = ["PROCESSING"] * 4 + ["COMPLETED"]
    command = [sys.executable, "-c", KILLER, stub.url, str(tmp_path / "archive"), str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    *jobs, killed = done.stdout.split()
    assert len(set(jobs)) == stub.submitted == KILLS
    assert int(killed) >= KILLS // 2, "the kernels had finished before they were killed"
