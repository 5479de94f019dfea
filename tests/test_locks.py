"""Locks: one holder at a time, also while their files come and go."""

from __future__ import annotations

import gc
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from vidu_nb import locks

PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}

LOOKER = """
import sys, threading
from pathlib import Path
from vidu_nb.locks import is_held
threading.Thread(target=lambda: (sys.stdin.readline(), stop.append(1)), daemon=True).start()
stop, seen = [], 0
print("ready", flush=True)
while not stop:
    seen += is_held(Path(sys.argv[1]))
print(seen)
"""


def test_looking_at_a_lock_is_not_holding_it(tmp_path):
    """Kernels that look at a free lock at once all see it free: else an unknown call could pass for a running one."""
    path = tmp_path / "one.lock"
    with locks.hold(path, timeout=1):
        assert locks.is_held(path)
    with subprocess.Popen([sys.executable, "-c", LOOKER, str(path)], **PIPES) as other:
        assert other.stdout.readline() == "ready\n"
        seen = sum(locks.is_held(path) for _ in range(1000))
        assert (seen, other.communicate("stop\n", timeout=20)[0]) == (0, "0\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows can't look at a lock without holding it")
def test_looking_at_a_lock_makes_no_file_and_needs_none(tmp_path):
    """A thousand open calls are looked at in a blink: nothing is made, whether the lock's file is there or not."""
    path = tmp_path / "one.lock"
    assert not locks.is_held(path)
    assert list(tmp_path.iterdir()) == []
    with locks.hold(path, timeout=1):
        assert locks.is_held(path)
    assert not locks.is_held(path)
    assert list(tmp_path.iterdir()) == [path]


OUT_OF_FILES = """
import os, resource, sys
from pathlib import Path
from vidu_nb.locks import is_held
last = os.open(os.devnull, os.O_RDONLY)
os.close(last)
resource.setrlimit(resource.RLIMIT_NOFILE, (last, last))
print(is_held(Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_process_without_files_takes_no_running_call_for_an_ended_one(tmp_path):
    """Where no more files can be opened nobody knows: a call counts as running, and isn't paid for again."""
    path = tmp_path / "one.lock"
    with locks.hold(path, timeout=1):
        done = subprocess.run(
            [sys.executable, "-c", OUT_OF_FILES, str(path)], check=True, capture_output=True, text=True
        )
    assert done.stdout == "True\n", done.stderr


#: Holds one lock again and again; a file that only one at a time can make tells when two hold it at once.
HOLDER = """
import os, sys
from pathlib import Path
from vidu_nb.locks import hold, hold_once
path, witness = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    with (hold, hold_once)[number % 3 > 0](path, timeout=60):
        os.close(os.open(witness, os.O_CREAT | os.O_EXCL))
        witness.unlink()
print("alone")
"""


def test_a_lock_whose_file_is_removed_has_one_holder(tmp_path):
    """Processes and threads that wait for it while its file goes and comes back never hold it at the same time."""
    path, witness = tmp_path / "locks" / "take.lock", tmp_path / "witness"
    others = [
        subprocess.Popen([sys.executable, "-c", HOLDER, str(path), str(witness), "150"], **PIPES) for _ in range(3)
    ]
    assert [other.stdout.readline() for other in others] == ["ready\n"] * 3
    for other in others:
        other.stdin.write("go\n")
        other.stdin.flush()

    def work(_):
        with locks.hold_once(path, timeout=60):
            witness.touch(exist_ok=False)
            witness.unlink()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(200)))
    assert [other.communicate(timeout=120)[0] for other in others] == ["alone\n"] * 3
    with locks.hold_once(path, timeout=60):
        assert locks.is_held(path)
    assert not path.exists()
    assert not locks.is_held(path)


def test_a_lock_of_one_take_leaves_nothing(tmp_path):
    """Neither on disk nor in memory, however the block ends."""
    for number in range(50):
        with pytest.raises(KeyError), locks.hold_once(tmp_path / f"{number}.lock", timeout=1):
            raise KeyError
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    assert [name for name in locks._threads if str(tmp_path) in name] == []


def test_a_link_in_a_locks_place_is_no_lock(tmp_path):
    """Whatever it leads to stays as it is, and the lock holds all the same."""
    mine = tmp_path / "mine.txt"
    mine.write_text("my notes")
    for target in (mine, tmp_path / "nothing", tmp_path):
        path = tmp_path / "one.lock"
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        with locks.hold(path, timeout=1):
            assert locks.is_held(path)
    assert mine.read_text() == "my notes"
    assert not (tmp_path / "nothing").exists()
