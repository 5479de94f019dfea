"""The fault server's own promises: every other reliability test leans on its counts."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import av
import pytest
from faults import (
    HOST,
    MODEL_PATH,
    TABLE,
    FaultServer,
    box_starts,
    clip,
    cut_at,
    gzip_bomb,
    kinds,
    read_journal,
    spawn,
    tiny_mp4,
)

from vidu_nb import media

KEY = "SG_0123456789abcdef"
LIMIT = 5.0  # s


@pytest.fixture
def server():
    with FaultServer() as made:
        yield made


def message(path=MODEL_PATH, body=b"", *, method="POST", headers=()):
    lines = [f"{method} {path} HTTP/1.1", "Host: here", f"x-api-key: {KEY}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def asking(prompt):
    return json.dumps({"prompt": prompt}).encode()


def talk(url, data):
    """Send bytes and read to the end, whatever that is; b"" where there was nothing to read."""
    answer = b""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(ConnectionResetError))  # some doors slam while we knock
        sock = stack.enter_context(socket.create_connection((HOST, urlsplit(url).port), LIMIT))
        stack.enter_context(contextlib.suppress(OSError))
        sock.sendall(data)
        for _ in range(100_000):
            piece = sock.recv(65536)
            answer += piece
            if not piece:
                break
    return answer


def post(url, body=b"{}"):
    return talk(url, message(urlsplit(url).path + MODEL_PATH, body))


def whole_body(answer):
    return answer.partition(b"\r\n\r\n")[2]


def test_the_table_is_rich_and_consistent():
    """There are far more than forty kinds, and what each says of itself does not contradict itself."""
    assert len(TABLE) > 150
    for one in TABLE.values():
        if one.concludes == "nothing sent":
            assert one.wire == "nothing", one.name
            assert not one.billed, one.name
        if one.concludes == "video kept":
            assert one.billed, one.name
            assert one.wire != "nothing", one.name
        if one.concludes == "not billed":
            assert not one.billed, one.name
        if one.first:
            assert not TABLE[one.first].billed, one.name


def test_the_clip_is_a_whole_video_and_no_cut_of_it_is():
    """The good answer is a real MP4 of a few kB with its own bytes for each call; every cut in the table is told."""
    data = clip("a")
    assert media.what_is_wrong(data) == ""
    assert len(tiny_mp4()) < 10_000
    with av.open(io.BytesIO(data)) as container:
        assert len(list(container.decode(video=0))) == 10
    assert clip("b") != data
    assert tiny_mp4() == tiny_mp4.__wrapped__()
    assert {"ftyp", "mdat", "moov"} <= set(box_starts(data))
    for point in ("ftyp", "between_boxes", "moov", "mdat", "last_byte"):
        assert media.what_is_wrong(data[: cut_at(point, data)]), point


@pytest.mark.parametrize("name", [name for name in kinds() if TABLE[name].strikes in ("headers", "body", "link")])
def test_each_kind_strikes_where_it_says(server, name):
    """The truth tells how far the request came, that it was keyed, and whether it was billed, as the table says."""
    fault = TABLE[name]
    if fault.pace != "quick":
        data = message(urlsplit(server.url(name)).path + MODEL_PATH, asking("a"))
        with socket.create_connection((HOST, server.doors["main"]), LIMIT) as sock:
            sock.sendall(data)
            server.wait(lambda seen: seen and seen[0].reached == ("headers" if fault.strikes == "headers" else "body"))
    else:
        post(server.url(name), asking("a"))
    (seen,) = server.settle()
    reads = fault.strikes != "headers" or fault.billed
    assert seen.fault == (fault.first or name)
    assert seen.reached == ("body" if reads else "headers")
    assert seen.billed == (fault.billed and not fault.first)
    assert (seen.method, seen.keyed) == ("POST", True)
    assert seen.key_sha256 == hashlib.sha256(KEY.encode()).hexdigest()
    assert bool(seen.delivered) == (fault.concludes == "video kept" and fault.strikes != "link" and not fault.first)
    if reads:
        assert (seen.prompt, seen.body_sha256) == ("a", hashlib.sha256(asking("a")).hexdigest())


@pytest.mark.parametrize("name", [name for name in kinds() if TABLE[name].strikes == "accept"])
def test_faults_before_reading_have_their_own_door(server, name):
    """They end or keep silent without having read a request, and the truth says so."""
    hello = b"\x16\x03\x01" + bytes(100)
    if TABLE[name].pace == "deadline":
        with socket.create_connection((HOST, server.doors[name]), LIMIT) as sock:
            sock.sendall(hello)
            server.wait(lambda seen: seen and seen[0].fault == name)
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(1)
    else:
        assert MODEL_PATH.encode() not in talk(server.url(name), hello)
    (seen,) = server.settle()
    assert (seen.door, seen.fault, seen.reached, seen.billed) == (name, name, "connected", False)


def test_doors_that_never_connect(server):
    """`refuse` refuses, `connect_silence` hangs until the caller's own time-out; neither is ever seen."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, server.doors["refuse"]), LIMIT)
    with pytest.raises(TimeoutError):
        socket.create_connection((HOST, server.doors["connect_silence"]), 0.2)
    assert server.seen() == []


def test_the_main_door_can_go_down_and_come_back(server):
    """While it is down connections are refused; afterwards the same port answers again."""
    for _ in range(3):
        server.down()
        with pytest.raises(ConnectionRefusedError):
            post(server.root)
        server.up()
        assert post(server.root).startswith(b"HTTP/1.1 200")
    assert len(server.posts()) == 3


def test_rules_in_their_order(server):
    """Header before query before path before prompt; a name that is not in the table is an error, not a good answer."""
    good, told = asking("x [fault:status_400] y"), {}
    for rule, data in {
        "prompt": message(body=good),
        "path": message("/fault/status_403" + MODEL_PATH, good),
        "query": message("/fault/status_403" + MODEL_PATH + "?fault=status_404", good),
        "header": message(
            "/fault/status_403" + MODEL_PATH + "?fault=status_404", good, headers=["x-fault: status_410"]
        ),
    }.items():
        told[rule] = int(talk(server.root, data).split()[1])
    assert told == {"prompt": 400, "path": 403, "query": 404, "header": 410}
    assert talk(server.root, message("/fault/no_such" + MODEL_PATH, good)) == b""
    with pytest.raises(ValueError, match="no_such"):
        FaultServer(["no_such"])
    with pytest.raises(ValueError, match="down"):
        FaultServer(["refuse"])


def test_a_script_is_used_up_one_name_a_connection():
    """Scripted faults come first and in order; then the rules hold."""
    with FaultServer(["status_429_zero", "close_at_accept", "status_500"]) as server:
        answers = [post(server.root, asking("a")) for _ in range(4)]
        assert [answer[9:12] for answer in answers] == [b"429", b"", b"500", b"200"]
        assert [seen.fault for seen in server.settle()] == ["status_429_zero", "close_at_accept", "status_500", "good"]
        assert server.billed() == 1


def test_rate_limited_once_lets_the_second_try_through(server):
    """The same body is refused the first time and answered the second; another body starts anew."""
    url = server.url("rate_limited_once_zero")
    statuses = [post(url, asking(prompt))[9:12] for prompt in ("a", "a", "b")]
    assert statuses == [b"429", b"200", b"429"]
    assert (server.billed(), server.billed("a"), server.billed("b")) == (1, 1, 0)


def test_a_link_is_answered_with_the_same_bytes_each_time(server):
    """The result's URL can be fetched again, isn't billed, and another call's URL gives other bytes."""
    links = [json.loads(whole_body(post(server.url("good_link_url"), asking(prompt))))["url"] for prompt in "ab"]
    clips = [whole_body(talk(link, message(urlsplit(link).path, method="GET"))) for link in (*links, links[0])]
    assert clips[0] == clips[2] != clips[1]
    assert not any(media.what_is_wrong(data) for data in clips)
    seen = server.settle()
    assert server.billed() == 2
    assert [one.delivered for one in seen if one.method == "GET"] == [hashlib.sha256(d).hexdigest() for d in clips]


def test_redirects_point_to_the_trap(server):
    """Following one would be seen as a stray; not following leaves none."""
    answer = post(server.url("redirect_307_port"))
    assert server.strays() == []
    place = next(line for line in answer.decode().split("\r\n") if line.startswith("Location:")).split()[1]
    talk(place, message(urlsplit(place).path, b"{}"))
    (stray,) = server.strays()
    assert (stray.keyed, stray.reached, stray.billed) == (True, "body", False)
    assert server.billed() == 0


def test_the_balance_tells_what_was_billed(server):
    """The free credits route falls by the price of each billed call, whatever the path's fault does to paid ones."""
    path = urlsplit(server.url("reset_after_body")).path
    post(server.url("reset_after_body"))
    server.wait(lambda seen: sum(one.billed for one in seen) == 1)
    answer = talk(server.root, message(f"{path}/v1/get-user-credits", method="GET"))
    assert json.loads(whole_body(answer))["credits"] == 9_999.5


def test_a_bomb_unpacks_to_what_it_says():
    """A thousandth of its size on the wire, whole and with a right checksum."""
    import gzip

    assert len(gzip_bomb(20 << 20)) < 30_000
    assert gzip.decompress(gzip_bomb(20 << 20)) == bytes(20 << 20)


def test_counts_are_exact_under_64_threads(tmp_path):
    """640 different requests at once: each met the fault that its prompt names, none is lost or counted twice."""
    names = [name for name in kinds(pace="quick") if TABLE[name].strikes == "body" and not TABLE[name].first]
    chooser = random.Random(7)
    jobs = [f"{number} [fault:{chooser.choice(names)}]" for number in range(640)]
    journal = tmp_path / "journal"
    with FaultServer(journal=journal) as server:
        with ThreadPoolExecutor(64) as pool:
            list(pool.map(lambda prompt: post(server.root, asking(prompt)), jobs))
        seen = server.settle()
        assert collections.Counter(one.prompt for one in seen) == collections.Counter(jobs)
        assert all(f"[fault:{one.fault}]" in one.prompt for one in seen)
        assert server.billed() == sum(TABLE[job[job.index(":") + 1 : -1]].billed for job in jobs)
    assert read_journal(journal) == seen


def test_a_torn_last_line_of_the_journal_is_passed_over(tmp_path):
    """Whoever reads while the server writes gets the whole lines."""
    journal = tmp_path / "journal"
    with FaultServer(journal=journal) as server:
        post(server.root)
        seen = server.settle()
    with journal.open("ab") as file:
        file.write(b'{"id": 2, "door"')
    assert read_journal(journal) == seen


def test_counts_outlive_a_killed_client(tmp_path):
    """Server and client are processes of their own: after kill -9 of the client the bill stands in the journal."""
    script = (
        "import json, socket, sys\n"
        f"sock = socket.create_connection(({HOST!r}, int(sys.argv[1])))\n"
        "sock.sendall(sys.argv[2].encode().decode('unicode_escape').encode())\n"
        "sock.recv(9)\n"
    )
    data = message("/fault/silence_after_body" + MODEL_PATH, asking("a"))
    with spawn(tmp_path / "journal", seconds=60) as server:
        with socket.create_connection((HOST, server.doors["main"]), LIMIT):
            pass
        command = [sys.executable, "-c", script, str(server.doors["main"]), data.decode().replace("\r\n", r"\r\n")]
        with subprocess.Popen(command) as client:
            wait_for(lambda: server.billed() == 1)
            client.send_signal(signal.SIGKILL)
        post(server.url("status_400"), asking("b"))
        assert (server.billed("a"), server.billed("b"), len(server.posts())) == (1, 0, 2)
        pid = server.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def wait_for(holds):
    """Ask again until it is so; another process can't ring a bell here."""
    pause = threading.Event()
    for _ in range(1000):
        if holds():
            return
        pause.wait(0.01)
    raise TimeoutError


def test_the_key_is_nowhere_in_the_truth(tmp_path):
    """Whoever searches files and logs for the key must not find the server's own notes."""
    journal = tmp_path / "journal"
    with FaultServer(journal=journal) as server:
        assert KEY.encode() in post(server.url("status_401_quotes_key"))
        assert KEY not in repr(server.settle())
    assert KEY.encode() not in journal.read_bytes()


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_nothing_is_left_behind():
    """After the block no thread and no socket of the server lives, not even with clients that hang in a silence."""
    hanging = ["body_drip", "silence_after_body", "silence_at_accept"]
    threads, files = set(threading.enumerate()), open_files()
    with FaultServer() as server, contextlib.ExitStack() as clients:
        for name in hanging:
            url = urlsplit(server.url(name))
            sock = clients.enter_context(socket.create_connection((HOST, url.port), LIMIT))
            sock.sendall(message(url.path + MODEL_PATH, b"{}"))
        server.wait(lambda seen: sorted(one.fault for one in seen) == hanging)
    assert set(threading.enumerate()) == threads
    assert open_files() == files


def open_files():
    """How many files and sockets this process holds, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0
