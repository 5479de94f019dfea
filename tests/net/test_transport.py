"""One call against every fault: it ends in time, says truly whether anything was sent, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from faults import HOST, MODEL_PATH, STATUSES, TABLE, FaultServer, clip, cut_at, gzip_bomb, kinds

from vidu_nb.errors import ArchiveError, BudgetExceeded, InvalidRequest, Unreachable, ViduError
from vidu_nb.net.credentials import KeyHeader, Secret
from vidu_nb.net.transport import Answer, Call, Interrupted

KEY = "SG_" + "5ec2e7" * 4
SECRET = Secret.from_text(KEY)
LIMIT = 5.0  # s, for calls that must end long before
DEADLINE = 0.3  # s, for calls that only the deadline ends
GRACE = 0.5  # s, by which a call may outlast its deadline
CAP = 2_000_000  # bytes
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True, scope="module")
def quick_collections():
    """What is there already is no test's leftover: leaving it out makes each collection ten times as quick."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server():
    with FaultServer() as made:
        yield made


@dataclass
class Ending:
    """How a call ended, with the answer or what had arrived of it; not the exception: its frames keep sockets alive."""

    kind: str = ""
    answer: Answer | None = None
    message: str = ""
    sent: bool = False
    seconds: float = 0.0
    shown: list[str] = field(default_factory=list)


def attempt(call, url, *, body=b"{}", key=SECRET, method="POST", look=True):
    """Make the call and note how it ended; with `look`, also all that a traceback could show of it."""
    ending, started = Ending(), time.monotonic()
    try:
        ending.answer = call.request(method, url, key=KeyHeader(key), body=body)
        ending.kind = "answer"
    except BaseException as error:  # whatever escapes is a finding
        ending.kind, ending.message = type(error).__name__, str(error)
        ending.answer = getattr(error, "answer", None)
        ending.shown = list(everything_shown(error)) if look else []
    ending.seconds, ending.sent = time.monotonic() - started, call.sent
    return ending


def meet(server, name, *, timeout=None, cap=CAP, body=b"{}"):
    """Let a call meet a fault; nothing may be left afterwards: no thread, no socket, no second request, no stray."""
    timeout = timeout or (DEADLINE if TABLE[name].pace == "deadline" else LIMIT)
    look = TABLE[name].pace != "heavy"  # the texts of hundreds of megabytes say nothing
    before, files = threads(), open_files()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        ending = attempt(Call(timeout=timeout, max_bytes=cap), server.url(name) + MODEL_PATH, body=body, look=look)
        gc.collect()
    seen = server.settle()
    assert [str(one.message) for one in told] == []
    assert threads() <= before
    assert open_files() <= files
    assert len(seen) <= 1, "one request, one connection"
    assert not any(KEY in text for text in ending.shown)
    return ending


def threads():
    """The threads that are not the server's; a timer that was just cancelled gets a moment to end."""
    for one in threading.enumerate():
        if isinstance(one, threading.Timer) and one.finished.is_set():
            one.join(1)
    return {one for one in threading.enumerate() if one.name != "fault server"}


def open_files():
    """How many files and sockets this process holds, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def everything_shown(error: BaseException | None) -> Iterator[str]:
    """All texts of an exception and of those behind it, with each local of each frame, as a verbose traceback shows."""
    todo, known = [error], set()
    while todo and len(known) < 100:
        one = todo.pop()
        if one is None or id(one) in known:
            continue
        known.add(id(one))
        yield from (str(one), repr(one), repr(one.args), repr(vars(one)))
        todo += [one.__cause__, one.__context__, *(arg for arg in one.args if isinstance(arg, BaseException))]
        trace = one.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename != __file__:
                yield from (repr(value) for value in list(trace.tb_frame.f_locals.values()))
            trace = trace.tb_next


EXPECTED = {"nothing": "Unreachable", "broken": "Interrupted", "whole": "answer"}


@pytest.mark.parametrize("name", [*kinds(pace="quick"), *kinds(pace="deadline")])
def test_each_kind_ends_as_it_must(server, name):
    """`Unreachable` exactly when no request byte left, `Interrupted` when the answer broke off; in time and clean."""
    ending = meet(server, name)
    if name == "reset_at_accept" and not ending.sent:  # the reset may also come before the first byte could leave
        assert ending.kind == "Unreachable"
    else:
        assert ending.kind == EXPECTED[TABLE[name].wire], ending.message
        assert ending.sent == (TABLE[name].wire != "nothing")
    assert server.strays() == []
    if TABLE[name].pace == "deadline":
        assert DEADLINE - 0.05 < ending.seconds < DEADLINE + GRACE
    else:
        assert ending.seconds < 2


@pytest.mark.parametrize("name", kinds(pace="heavy"))
def test_size_is_capped_whatever_the_server_sends(server, name):
    """Floods and bombs stop at the cap, in the answer of any status, with little read and little memory used."""
    gzip_bomb()  # made beforehand: the server's own memory is not at issue
    tracemalloc.start()
    try:
        ending = meet(server, name, timeout=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (seen,) = server.seen()
    assert ending.kind == "Interrupted", ending.message[:200]
    assert "larger" in ending.message or "too large" in ending.message or name == "huge_chunk_minus_one"
    assert seen.bytes_out < 20_000_000  # the cap and what the system's buffers hold
    assert ending.answer is None or len(ending.answer.body) <= CAP + 65536
    assert peak < 5 * CAP + 4_000_000


def test_the_cap_is_exact(server):
    """An answer of exactly the cap is whole; one byte more is not taken."""
    size = len(meet(server, "good").answer.body)
    for cap, kind in ((size, "answer"), (size - 1, "Interrupted")):
        with FaultServer() as other:
            assert meet(other, "good", cap=cap).kind == kind


@pytest.mark.parametrize("name", ["good", "good_close", "good_chunked", "good_gzip", "good_http10", "good_slow"])
def test_a_good_answer_arrives_whole(server, name):
    """Whatever the framing: the body's bytes are the server's, and header names don't care about case."""
    answer = meet(server, name).answer
    (seen,) = server.seen()
    assert answer.status == 200
    assert hashlib.sha256(answer.body).hexdigest() == seen.delivered
    assert answer.headers["X-Request-ID"] == answer.headers["x-request-id"] == f"fault-{seen.id}"


@pytest.mark.parametrize("name", STATUSES)
def test_statuses_come_through(server, name):
    """An error status is an answer with its body, not an exception of this layer."""
    answer = meet(server, f"status_{name}").answer
    assert answer.status == STATUSES[name][0]
    assert STATUSES[name][1].encode() in answer.body


@pytest.mark.parametrize("name", [name for name in kinds(pace="quick") if name.startswith("redirect_30")])
def test_redirects_are_answers_and_nothing_goes_there(server, name):
    """To another host, port or scheme: neither key nor body nor a bare connection arrives at the other place."""
    answer = meet(server, name).answer
    assert answer.status == int(name.split("_")[1])
    assert server.strays() == []
    assert len(server.seen()) == 1


# Ended from outside


ABORTABLE = [
    "silence_at_accept", "silence_after_headers", "silence_after_body", "silence_mdat", "body_drip", "chunk_drip",
    "header_drip", "status_line_drip", "interim_drip",
]  # fmt: skip


@pytest.mark.parametrize("name", ABORTABLE)
def test_abort_ends_a_call_at_once(server, name):
    """Another thread's `abort` ends a call that waits, and its reason is what the error says."""
    call = Call(timeout=20)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(attempt, call, server.url(name) + MODEL_PATH)
        server.wait(lambda seen: seen and seen[0].fault == name)
        started = time.monotonic()
        call.abort("changed my mind")
        ending = running.result(10)
    assert time.monotonic() - started < 0.5
    assert "changed my mind" in ending.message or not ending.sent
    server.settle()


def test_abort_before_the_start_sends_nothing(server):
    """A call that was cancelled while it waited for its turn stays unsent, and says so."""
    call = Call(timeout=LIMIT)
    call.abort("changed my mind")
    ending = attempt(call, server.url("good") + MODEL_PATH)
    assert (ending.kind, ending.sent) == ("Unreachable", False)
    assert "changed my mind" in ending.message
    assert all(seen.bytes_in == 0 for seen in server.settle())


def test_abort_after_the_end_and_twice_is_harmless(server):
    """The caller needn't know whether the call is still running."""
    call = Call(timeout=LIMIT)
    assert attempt(call, server.url("good") + MODEL_PATH).kind == "answer"
    call.abort()
    call.abort()


@contextlib.contextmanager
def signal_when(server, holds, sign):
    """Send this thread a signal as soon as the server's truth says so, and again if nothing happens.

    A signal that comes just before Python blocks in a system call is only noticed after it; a person presses again.
    """
    target, over = threading.get_ident(), threading.Event()

    def ring():
        server.wait(holds)
        for _ in range(3):
            signal.pthread_kill(target, sign)
            if over.wait(1):
                return

    ringer = threading.Thread(target=ring, name="ringer")
    ringer.start()
    try:
        yield
    finally:
        over.set()
        ringer.join(LIMIT)


def body_was_read(seen):
    return seen and seen[0].reached == "body"


@pytest.mark.parametrize(
    ("name", "sent"), [("silence_after_body", True), ("silence_mdat", True), ("tls_silence", False)]
)
def test_an_interrupt_stays_an_interrupt(server, name, sent):
    """Ctrl-C ends the wait at once as a KeyboardInterrupt, which tells whether the call was sent; no key in sight."""
    before, call = threads(), Call(timeout=20)
    with signal_when(server, lambda seen: seen and seen[0].fault == name and seen[0].bytes_in, signal.SIGINT):
        ending = attempt(call, server.url(name) + MODEL_PATH)
    assert (ending.kind, ending.sent) == ("CallInterrupted" if sent else "KeyboardInterrupt", sent)
    assert ending.seconds < 2
    assert not any(KEY in text for text in ending.shown)
    server.settle()
    assert threads() <= before


def test_an_interrupt_keeps_what_had_arrived():
    """The last byte may be in when Ctrl-C comes: the bytes go with the exception, as with any other end."""
    body, over, target = bytes(24_000_000), threading.Event(), threading.get_ident()

    def serve():
        sock, _ = listener.accept()
        with sock:
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) + 1))
            sock.sendall(body)  # more than all buffers hold: once it is sent, most of it was read
            for _ in range(3):
                signal.pthread_kill(target, signal.SIGINT)
                if over.wait(1):
                    return

    with socket.create_server((HOST, 0)) as listener, ThreadPoolExecutor(1) as pool:
        serving = pool.submit(serve)
        ending = attempt(Call(timeout=20), f"http://{HOST}:{listener.getsockname()[1]}/a")
        over.set()
        serving.result(LIMIT)
    assert (ending.kind, ending.answer.status) == ("CallInterrupted", 200)
    assert len(ending.answer.body) > len(body) // 4
    assert not any(KEY in text for text in ending.shown)


def test_other_exceptions_from_signals_show_no_key(server):
    """SystemExit (or a test runner's time-out) raised in the wait passes on without the frames that hold the key."""

    def leave(*_):
        raise SystemExit(3)

    before = signal.signal(signal.SIGUSR1, leave)
    try:
        with signal_when(server, body_was_read, signal.SIGUSR1):
            ending = attempt(Call(timeout=3), server.url("silence_after_body") + MODEL_PATH)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (ending.kind, ending.sent) == ("SystemExit", True)
    assert not any(KEY in text for text in ending.shown)


def test_calls_side_by_side_share_nothing(server):
    """32 calls at once, each with its own fault: each ends as its own fault tells, each was asked once."""
    jobs = [name for name in kinds(pace="quick") if name[:7] == "status_" and name[7:10].isdigit()][:32]
    with ThreadPoolExecutor(32) as pool:
        endings = list(
            pool.map(lambda name: attempt(Call(timeout=LIMIT), server.url(name) + MODEL_PATH, body=name.encode()), jobs)
        )
    assert {ending.kind for ending in endings} == {"answer"}
    assert len(server.settle()) == 32
    for name, ending in zip(jobs, endings, strict=True):
        assert ending.answer.status == int(name.split("_")[1])


# What was sent, and what had arrived


def test_a_host_without_an_address_is_unreachable():
    """DNS fails before anything is sent."""
    ending = attempt(Call(timeout=LIMIT), "http://no-such-host.invalid/v1/a")
    assert (ending.kind, ending.sent) == ("Unreachable", False)
    assert ending.seconds < LIMIT + GRACE


def test_unreachable_ends_when_the_door_opens(server):
    """The same port refuses, then answers: a refusal is never taken for a sent call."""
    server.down()
    url = f"{server.root}{MODEL_PATH}"
    assert attempt(Call(timeout=LIMIT), url).kind == "Unreachable"
    server.up()
    assert attempt(Call(timeout=LIMIT), url).kind == "answer"
    assert len(server.settle()) == 1


CUTS = [name for name in kinds() if name.startswith("cut_") and TABLE[name].wire == "broken"]


@pytest.mark.parametrize("name", [*CUTS, "reset_mdat_length", "reset_mdat_close", "reset_mdat_chunked", "silence_mdat"])
def test_what_had_arrived_is_kept(server, name):
    """`Interrupted.answer` has every byte of the body that came, however the answer broke off."""
    ending = meet(server, name)
    (seen,) = server.seen()
    whole = clip(f"{seen.id}-{seen.body_sha256[:12]}")
    point = "mdat" if "mdat" in name else name.removeprefix("cut_").rsplit("_", 1)[0]
    assert ending.kind == "Interrupted", ending.message
    assert ending.answer.body == whole[: cut_at(point, whole)]


def test_a_clean_cut_without_a_length_is_a_short_answer(server):
    """HTTP can't tell a cut from an end here: the bytes come through, and whoever asked must look at them."""
    answer = meet(server, "cut_mdat_close").answer
    (seen,) = server.seen()
    whole = clip(f"{seen.id}-{seen.body_sha256[:12]}")
    assert answer.body == whole[: cut_at("mdat", whole)]


def test_the_errors_speak_of_the_bill(server):
    """Nothing sent is not billed; sent without an answer may be; both say what to do."""
    with pytest.raises(Unreachable, match="Not billed") as unsent:
        Call(timeout=LIMIT).request("POST", server.url("refuse"))
    told = r"the request was sent to 127\.0\.0\.1, but no complete response came: .* May be billed"
    with pytest.raises(Interrupted, match=told) as sent:
        Call(timeout=LIMIT).request("POST", server.url("close_after_body"), body=b"{}")
    assert (unsent.value.billed, sent.value.billed) == ("no", "unknown")
    assert isinstance(unsent.value, ViduError)
    assert unsent.value.remedy
    assert sent.value.remedy


def test_on_send_comes_before_the_first_byte(server):
    """It is called once, connected and with nothing sent."""
    noted = []
    call = Call(timeout=LIMIT, on_send=lambda: noted.append([seen.bytes_in for seen in server.seen()]))
    assert attempt(call, server.url("good") + MODEL_PATH).kind == "answer"
    assert noted in ([[0]], [[]])


REFUSALS = [
    ArchiveError("the journal can't be written"), BudgetExceeded("$0.50 more than is left"), InvalidRequest("no"),
    BrokenPipeError(32, "a pipe of the caller's own"), KeyError("x"), KeyboardInterrupt(),
]  # fmt: skip


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
def test_what_on_send_raises_is_what_request_raises(server, refusal):
    """The very same error with its own cause, whatever its class; nothing has left, and no frame shows the key."""
    cause = OSError("the disk is full")

    def refuse():
        raise refusal from cause

    call = Call(timeout=LIMIT, on_send=refuse)
    with pytest.raises(type(refusal)) as caught:
        call.request("POST", server.url("good") + MODEL_PATH, key=KeyHeader(SECRET), body=b"{}")
    assert caught.value is refusal
    assert caught.value.__cause__ is cause
    assert not call.sent
    assert not any(KEY in text for text in everything_shown(caught.value))
    [seen] = server.wait(lambda seen: seen and seen[0].ended)  # the server may notice later than the caller
    assert (seen.bytes_in, server.billed()) == (0, 0)


# The key


def test_the_key_goes_with_the_request_only(server):
    """It is sent when given and absent when not; compressed answers are not asked for."""
    for key in (SECRET, None):
        attempt(Call(timeout=LIMIT), server.url("good") + MODEL_PATH, key=key)
    with_key, without = server.settle()
    assert (with_key.keyed, without.keyed) == (True, False)
    assert with_key.key_sha256 == hashlib.sha256(KEY.encode()).hexdigest()
    assert with_key.headers["accept-encoding"] == "identity"
    assert with_key.headers["content-type"] == "application/json"


def test_loopback_knows_no_proxy_and_no_netrc(server, monkeypatch, tmp_path):
    """A proxy or a .netrc in the environment is not for this machine's own servers."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{HOST}:{server.doors['trap']}")
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login me password hidden\nmachine localhost login me password hidden\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for host in (HOST, "localhost"):
        for key in (SECRET, None):
            url = f"http://{host}:{server.doors['main']}{MODEL_PATH}"
            assert attempt(Call(timeout=LIMIT), url, key=key).kind == "answer"
    assert server.strays() == []
    assert not any("authorization" in seen.headers for seen in server.settle())


def test_a_given_address_is_where_the_call_goes(server, monkeypatch):
    """`address` replaces DNS and proxies; the URL's host is still what the server is asked for."""
    monkeypatch.setenv("http_proxy", f"http://{HOST}:{server.doors['trap']}")
    url = f"http://storage.invalid:{server.doors['main']}/a.mp4"
    assert attempt(Call(timeout=LIMIT, address=HOST), url, method="GET", body=None, key=None).kind == "answer"
    (seen,) = server.settle()
    assert seen.headers["host"] == f"storage.invalid:{server.doors['main']}"


# Found wanting


@pytest.mark.parametrize("name", ["interim_100", "interim_102", "interim_103"])
def test_interim_answers_are_not_the_answer(server, name):
    """102 and 103 before the 200 announce it; taking them for the answer loses a paid clip."""
    answer = meet(server, name).answer
    assert (answer.status, hashlib.sha256(answer.body).hexdigest()) == (200, server.seen()[0].delivered)


def test_a_gzip_of_two_members_loses_the_second(server):
    """RFC 1952 allows it: either the whole body comes through, or the call says that it did not."""
    ending = meet(server, "good_gzip_members")
    assert ending.kind == "Interrupted" or hashlib.sha256(ending.answer.body).hexdigest() == server.seen()[0].delivered


def test_a_slow_upload_is_no_failure(server):
    """Sending a body of some MB may take longer than connecting: only the whole call's deadline ends it."""
    call = Call(timeout=LIMIT, connect_timeout=0.2)
    ending = attempt(call, server.url("slow_upload") + MODEL_PATH, body=bytes(8_000_000))
    server.settle()
    assert server.billed() == 1
    assert ending.kind == "answer", ending.message


def test_a_host_that_never_answers_a_connection_is_given_up(server):
    """Connecting has a time of its own, after which another try may succeed."""
    with pytest.raises(Unreachable, match="could not be reached: connecting took too long") as caught:
        Call(timeout=LIMIT, connect_timeout=0.1).request("GET", server.url("connect_silence"))
    assert caught.value.transient


@pytest.mark.parametrize("name", ["tls_silence", "connect_silence"])
def test_abort_ends_connecting_and_handshake(server, name):
    """Before the request is sent, too, `abort` ends the call at once."""
    call = Call(timeout=1.5)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(attempt, call, server.url(name) + MODEL_PATH)
        if name == "tls_silence":
            server.wait(lambda seen: seen and seen[0].bytes_in)  # the greeting: the handshake has begun
        started = time.monotonic()
        call.abort("changed my mind")
        ending = running.result(10)
    assert (ending.kind, ending.sent) == ("Unreachable", False)
    assert time.monotonic() - started < 0.5


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate and key for 127.0.0.1 that only this test trusts."""
    openssl = shutil.which("openssl")
    assert openssl, "the openssl program makes the certificate: install it"
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += [
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        f"subjectAltName=IP:{HOST}",
        "-keyout",
        file,
        "-out",
        f"{file}.crt",
    ]
    subprocess.run(command, check=True, capture_output=True)
    with file.open("a") as both:
        both.write(Path(f"{file}.crt").read_text())
    return file


def test_abort_must_not_turn_tls_into_plain_text(certificate, monkeypatch):
    """`SSLSocket.shutdown` drops the encryption first: a thread that sends just then would send the key in clear."""
    stripped, read = [], threading.Event()
    monkeypatch.setattr(ssl.SSLSocket, "shutdown", lambda self, _: stripped.append(self))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve():
        sock, _ = listener.accept()
        sock.settimeout(LIMIT)
        with context.wrap_socket(sock, server_side=True) as tls, contextlib.suppress(OSError):
            tls.recv(65536)
            read.set()
            tls.recv(65536)

    with socket.create_server((HOST, 0)) as listener, ThreadPoolExecutor(2) as pool:
        serving = pool.submit(serve)
        call = Call(timeout=2)
        running = pool.submit(attempt, call, f"https://{HOST}:{listener.getsockname()[1]}/a")
        assert read.wait(LIMIT)
        started = time.monotonic()
        call.abort("changed my mind")
        ending = running.result(LIMIT)
        serving.result(LIMIT)
    assert (ending.kind, ending.sent) == ("Interrupted", True)
    assert not stripped
    assert time.monotonic() - started < 0.5


def test_a_proxy_that_refuses_was_not_sent_the_request(server, monkeypatch):
    """A proxy's CONNECT holds neither key nor body: when it fails, nothing was sent."""
    monkeypatch.setenv("https_proxy", server.root)
    monkeypatch.setenv("no_proxy", "")
    ending = attempt(Call(timeout=LIMIT), "https://service.invalid/fault/status_403/v1/a")
    assert [(seen.method, seen.keyed) for seen in server.settle()] == [("CONNECT", False)]
    assert (ending.kind, ending.sent) == ("Unreachable", False)


@contextlib.contextmanager
def socks_proxy(door, *, is_silent=False):
    """A SOCKS5 proxy that leads every host to one port of this machine, or says nothing."""
    asked, over = [], threading.Event()

    def serve():
        client, _ = listener.accept()
        with client:
            greeting = client.recv(2)
            client.recv(greeting[1])
            asked.append(greeting)
            greeted.set()
            if is_silent:
                over.wait(LIMIT)
                return
            client.sendall(b"\5\0")
            asked.append(client.recv(5 + 255 + 2))
            with socket.create_connection((HOST, door)) as target:
                client.sendall(b"\5\0\0\1" + bytes(6))
                upward = pool.submit(relay, client, target)
                relay(target, client)
                upward.result(LIMIT)

    def relay(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    greeted = threading.Event()
    with socket.create_server((HOST, 0)) as listener, ThreadPoolExecutor(2) as pool:
        serving = pool.submit(serve)
        yield listener.getsockname()[1], asked, greeted
        over.set()
        serving.result(LIMIT)


@pytest.mark.parametrize("scheme", ["socks5h", "socks5"])
def test_a_socks_proxy_carries_the_call(server, monkeypatch, scheme):
    """As people in some countries need: with `on_send` before the first byte, and names resolved where the URL says."""
    pytest.importorskip("socks")
    host = {"socks5h": "service.invalid", "socks5": "192.0.2.1"}[scheme]
    noted = []
    with socks_proxy(server.doors["main"]) as (port, asked, _):
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://{HOST}:{port}")
        call = Call(timeout=LIMIT, on_send=lambda: noted.append(len(server.posts())))
        ending = attempt(call, f"http://{host}/fault/good_close{MODEL_PATH}", body=b"{}")
    assert (ending.kind, noted) == ("answer", [0]), ending.message
    assert [seen.keyed for seen in server.settle()] == [True]
    assert asked[1][3] == {"socks5h": 3, "socks5": 1}[scheme]  # a name, an IPv4 address


def test_abort_ends_a_socks_handshake(server, monkeypatch):
    """A proxy that says nothing holds a cancelled call no longer than any other."""
    pytest.importorskip("socks")
    with socks_proxy(server.doors["main"], is_silent=True) as (port, _, greeted), ThreadPoolExecutor(1) as pool:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{HOST}:{port}")
        call = Call(timeout=LIMIT)
        running = pool.submit(attempt, call, "http://service.invalid/a")
        assert greeted.wait(LIMIT)
        started = time.monotonic()
        call.abort("changed my mind")
        ending = running.result(LIMIT)
    assert (ending.kind, ending.sent) == ("Unreachable", False)
    assert "changed my mind" in ending.message
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(
    ("proxy", "is_installed", "says"),
    [
        ("socks5h://127.0.0.1:9", False, "needs a package: pip install PySocks"),
        ("socks5h://127.0.0.1:9", True, "the SOCKS proxy: "),
        ("socks://127.0.0.1:9", True, "a proxy of the kind 'socks', which is not known: write socks5h://HOST:PORT"),
        ("ftp://127.0.0.1:9", True, "a proxy of the kind 'ftp'"),
        ("http:///nowhere", True, "the proxy that the environment names is no URL"),
        ("http://127.0.0.1:9", True, "Connection refused"),
    ],
)
def test_a_proxy_that_can_not_be_used_is_named(monkeypatch, proxy, is_installed, says):
    """In one line, with what to do; nothing was sent."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    if is_installed:
        pytest.importorskip("socks")
    else:
        monkeypatch.setitem(sys.modules, "socks", None)
    ending = attempt(Call(timeout=LIMIT), "https://service.invalid/a")
    assert (ending.kind, ending.sent) == ("Unreachable", False)
    assert says in ending.message


@pytest.mark.parametrize(
    "url",
    [
        "http://[oops/a.mp4",
        "http://127.0.0.1:99999/a.mp4",
        "http:///a.mp4",
        "http://127.0.0.1 /a.mp4",
        "javascript:alert(1)",
        "file:///etc/hostname",
        "ftp://127.0.0.1/a.mp4",
        "http://a..invalid/a.mp4",
        "http://" + "a" * 70 + ".invalid/a.mp4",
        "",
    ],
)
def test_a_url_that_is_none_is_unreachable(url):
    """Result URLs come from a server: whatever they are, the call says in its own words that nothing was sent."""
    ending = attempt(Call(timeout=LIMIT), url, method="GET", body=None)
    assert "the connection was cut" not in ending.message
    assert (ending.kind, ending.sent) == ("Unreachable", False)


def test_the_deadline_covers_dns(monkeypatch):
    """A name server that doesn't answer can't hold the call beyond its deadline."""
    answered = threading.Event()

    def lookup(*_args, **_named):
        answered.wait(1.5)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    ending = attempt(Call(timeout=DEADLINE), "http://slow-dns.invalid/a")
    answered.set()
    assert (ending.kind, ending.sent) == ("Unreachable", False)
    assert ending.seconds < DEADLINE + GRACE
