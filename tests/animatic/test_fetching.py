"""References by URL: whoever wrote the request chose the address, so only public ones are fetched, and briefly."""

from __future__ import annotations

import base64
import gzip
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from vidu_nb.animatic.cancellation import Cancelled
from vidu_nb.animatic.engine import make_clip
from vidu_nb.animatic.fetching import fetch, is_allowed, is_public, load_pictures
from vidu_nb.errors import InvalidRequest
from vidu_nb.references.images import MAX_FILE_BYTES
from vidu_nb.references.reference import image_url_to_base64
from vidu_nb.request import VideoRequest

FORBIDDEN = [
    "127.0.0.1", "127.1", "0", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "LOCALHOST.", "[::1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]",
    "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "255.255.255.255",
    "224.0.0.1", "user:password@127.0.0.1",
]  # fmt: skip
ANY = {"allow": lambda _address: True}


def request_for(*urls):
    return VideoRequest(prompt="A cat", references=list(urls))


@pytest.mark.parametrize("host", FORBIDDEN)
def test_addresses_of_this_machine_and_its_network_are_refused(host, web):
    """However it is spelled, an address that is not public is never connected to."""
    url = web.url("/a.png", b"").replace("127.0.0.1", host)
    with pytest.raises(InvalidRequest, match=r"not a public address|not known here") as caught:
        fetch(url)
    assert "\n" not in str(caught.value)
    assert web.seen == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True), ("2606:2800:21f:cb07::1", True),
        ("::1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::a00:1", False), ("fe80::1%eth0", False),
        ("64:ff9b::5db8:d70e", True), ("::ffff:93.184.215.14", True), ("2002:5db8:d70e::1", True),
        ("64:ff9b::6440:1", False), ("64:ff9b::c612:1", False), ("2002:a00:1::1", False), ("::ffff:100.64.0.1", False),
        ("64:ff9b:1::1", False), ("::10.0.0.1", False), ("::7f00:1", False), ("::", False), ("fec0::1", False),
        ("fc00::1", False), ("2001:0:5db8:d70e::1", False),
        ("2001:db8::1", False), ("198.18.0.1", False), ("ff02::1", False), ("nonsense", False), ("", False),
    ],
)  # fmt: skip
def test_only_public_addresses_count_as_public(address, public):
    """An address that leads anywhere but to the public internet is not public, nor is what is no address."""
    assert is_public(address) is public


@pytest.fixture
def resolve(monkeypatch):
    """Makes every name resolve to one address, as some proxies and gateways do."""

    def to(address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
        )

    return to


@pytest.mark.parametrize(
    ("address", "what", "network"),
    [
        ("198.18.0.7", "a proxy such as Clash or Surge in fake-IP mode", "198.18.0.0/15"),
        ("198.19.255.1", "a proxy such as Clash or Surge in fake-IP mode", "198.18.0.0/15"),
        ("64:ff9b::c612:7", "a proxy such as Clash or Surge in fake-IP mode", "198.18.0.0/15"),
        ("100.101.102.103", "a VPN such as Tailscale", "100.64.0.0/10"),
        ("fdfe:dcba:9876::3", "a VPN or a proxy in fake-IP mode", "fc00::/7"),
        ("64:ff9b:1::808:808", "a local NAT64 gateway", "64:ff9b:1::/48"),
    ],
)
def test_an_address_that_only_stands_for_a_public_one_is_named(address, what, network, resolve, monkeypatch):
    """The error says what it is and how to allow it; until somebody does the guard stays, and then for all others."""
    resolve(address)
    with pytest.raises(InvalidRequest, match=r"'pictures\.example' is not a public address") as caught:
        fetch("http://pictures.example/cat.png")
    assert what in caught.value.message
    assert f"VIDU_NB_ALLOW_NETWORKS={network}" in caught.value.message
    assert "pass the file" in caught.value.message
    monkeypatch.setenv("VIDU_NB_ALLOW_NETWORKS", network)
    assert is_allowed(address)
    assert not is_allowed("10.0.0.1")
    assert not is_allowed("127.0.0.1")
    assert not is_public(address)


def test_a_network_that_is_allowed_is_fetched_from(web, encoded, monkeypatch):
    """What the variable names is connected to, redirects included; what it doesn't name is not."""
    url = web.url("/a.png", (302, {"Location": "/b.png"}, b""))
    web.url("/b.png", encoded())
    monkeypatch.setenv("VIDU_NB_ALLOW_NETWORKS", "198.18.0.0/15, 127.0.0.1")
    assert fetch(url) == encoded()
    web.url("/a.png", (302, {"Location": "http://10.0.0.1/b.png"}, b""))
    with pytest.raises(InvalidRequest, match="not a public address; pass the file"):
        fetch(url)
    monkeypatch.setenv("VIDU_NB_ALLOW_NETWORKS", "everything")
    with pytest.raises(InvalidRequest, match="VIDU_NB_ALLOW_NETWORKS: 'everything' is no list of networks"):
        fetch(url)


def test_a_host_is_reached_by_the_kind_of_address_that_this_network_has(encoded, monkeypatch):
    """Behind NAT64 a host has an IPv4 address to which there is no way, and an IPv6 one to which there is."""

    class Six(ThreadingHTTPServer):
        address_family = socket.AF_INET6

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(encoded())

        def log_message(self, *_):
            pass

    try:
        server = Six(("::1", 0), Page)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    found = [(family, socket.SOCK_STREAM, 6, "", (address, server.server_port))
             for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))]  # fmt: skip
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: found if "example" in host else real(host, *a, **k)
    )
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        assert fetch(f"http://pictures.example:{server.server_port}/cat.png", **ANY) == encoded()
        server.shutdown()


@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_host_that_refuses_programs_is_explained(status, web):
    """Many do: the way around is the file."""
    with pytest.raises(InvalidRequest, match=rf"answered {status}: many hosts refuse programs.* pass the file"):
        fetch(web.url("/a.png", (status, {}, b"")), **ANY)


def test_the_caller_says_who_it_is(web, encoded, monkeypatch):
    """Name, version, a contact and the library, in the form that Wikimedia and others ask for, wherever it calls."""
    url = web.url("/a.png", encoded())
    fetch(url, **ANY)
    image_url_to_base64(url)
    monkeypatch.setenv("VIDU_NB_CONTACT", "ada@example.org\r\nx-more: (1)")
    fetch(url, **ANY)
    plain, helper, own = (seen.headers["User-Agent"] for seen in web.seen)
    assert re.fullmatch(r"vidu-nb/\d+\.\d+\.\d+\S* \(https://[^ ()]+/vidu-nb\) requests/\d+\.\d+\S*", plain)
    assert helper == plain
    assert "; ada@example.orgx-more: 1) requests/" in own


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data", "//10.0.0.1/x", "http://[::1]:{port}/secret", "http://0/"]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_checked_anew(status, target, web):
    """A redirect from an allowed address to a forbidden one is refused before anybody connects."""
    location = target.format(port=web.server_port)
    url = web.url("/a.png", (status, {"Location": location}, b""))
    with pytest.raises(InvalidRequest, match="is not a public address"):
        fetch(url, allow=lambda address: address == "127.0.0.1")
    assert len(web.seen) == 1


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://e.com/a.png", "http://[", "gopher://x"])
def test_a_redirect_leaves_the_web_nowhere(location, web):
    """A redirect to a file, to another protocol or to nonsense is refused in words."""
    with pytest.raises(InvalidRequest, match=r"only http:// and https://|no URL"):
        fetch(web.url("/a.png", (302, {"Location": location}, b"")), **ANY)


def test_redirects_end(web):
    """A redirect in a circle is followed three times, not for ever."""
    url = web.url("/a.png", (302, {"Location": "/a.png"}, b""))
    with pytest.raises(InvalidRequest, match="redirects more than 3 times"):
        fetch(url, **ANY)
    assert len(web.seen) == 4


def test_a_few_redirects_are_followed(web, encoded):
    """A picture that has moved is found."""
    web.url("/old.png", (301, {"Location": "/new.png"}, b""))
    web.url("/new.png", encoded())
    assert fetch(web.url("/old.png"), **ANY) == encoded()


def drip(handler):
    """A header and then a byte now and then, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    pause = threading.Event()
    while not pause.wait(0.02):
        handler.wfile.write(b"x")


def trickle_head(handler):
    """Header lines without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    pause = threading.Event()
    while not pause.wait(0.02):
        handler.wfile.write(b"X-More: 1\r\n")


def stall_and_redirect(handler):
    """A redirect to itself, each time after a while."""
    threading.Event().wait(0.2)
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.end_headers()


@pytest.mark.parametrize("page", [drip, trickle_head, stall_and_redirect], ids=lambda page: page.__name__)
def test_an_endless_answer_ends_at_the_deadline(page, web):
    """A server that keeps an answer going is given up when the time for the picture is over, redirects included."""
    url = web.url("/a.png", page)
    with pytest.raises(InvalidRequest, match=r"can't be fetched: .*pass the file instead"):
        fetch(url, timeout=0.5, **ANY)  # it returns: nobody else ends these answers


def endless(handler):
    """A gigabyte, quickly."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    block = b"x" * 1_000_000
    for _ in range(1000):
        handler.wfile.write(block)


def announced(handler):
    """A terabyte by its own account, and then the connection's end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nx")


def squeezed(handler):
    """A hundred megabytes in a hundred kilobytes."""
    data = gzip.compress(bytes(2 * MAX_FILE_BYTES), 1)
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data) + data)


@pytest.mark.parametrize("page", [endless, announced, squeezed], ids=lambda page: page.__name__)
def test_an_answer_that_is_too_large_is_given_up(page, web):
    """More than a picture may have, on the wire or unpacked, is not read to its end."""
    with pytest.raises(InvalidRequest, match="can't be fetched"):
        fetch(web.url("/a.png", page), **ANY)


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (b"<html>a page</html>", r"image_urls\[1\]: a web page, not a picture"),
        (b"", r"image_urls\[1\]: an empty file, not a picture"),
        ((404, {}, b"gone"), r"image_urls\[1\]: the picture's URL answered 404"),
        ((200, {}, b"\x89PNG\r\n\x1a\nbroken"), r"image_urls\[1\]: a PNG picture that is damaged"),
    ],
    ids=["a page", "nothing", "an error", "a broken picture"],
)
def test_what_is_no_picture_is_told_by_its_place(page, says, web, encoded):
    """An address without a usable picture is told by its place in the request."""
    request = request_for(web.url("/good.png", encoded()), web.url("/bad.png", page))
    with pytest.raises(InvalidRequest, match=says) as caught:
        load_pictures(request, **ANY)
    assert caught.value.field == "image_urls[1]"


def test_a_picture_behind_a_url_is_as_good_as_a_file(web, encoded, photo):
    """Fetched and sent pictures arrive alike, in order, as RGB arrays."""
    fetched, sent = load_pictures(request_for(web.url("/a.png", encoded(200, 160, colour="red")), photo), **ANY)
    assert fetched.shape == (160, 200, 3)
    assert (fetched == (255, 0, 0)).all()
    assert np.array_equal(sent, photo)


def test_pictures_are_kept_at_a_useful_size(encoded):
    """One may be twice as wide as any frame; seven share the room, so that they don't fill the memory."""
    huge = data_uri(encoded(9000, 4500))
    (alone,) = load_pictures(VideoRequest.from_payload({"prompt": "x", "image_urls": [huge]}))
    assert alone.shape == (2048, 4096, 3)
    photo = data_uri(encoded(4000, 3000, "JPEG"))
    seven = load_pictures(VideoRequest.from_payload({"prompt": "x", "image_urls": [photo] * 7}))
    assert sum(picture.nbytes for picture in seven) <= 49e6
    assert {picture.shape for picture in seven} == {(1309, 1746, 3)}


def test_cancelling_ends_a_fetch_at_once(web, encoded):
    """Nobody waits for a slow picture that nobody wants any more, and its server is hung up on."""
    arrived, hung_up = threading.Event(), threading.Event()

    def slow(handler):
        arrived.set()
        handler.connection.settimeout(120)
        hung_up.set() if handler.rfile.read(1) == b"" else None

    request = request_for(web.url("/slow.png", slow), web.url("/good.png", encoded()))
    with pytest.raises(Cancelled):
        load_pictures(request, cancelled=arrived.is_set, **ANY)
    assert hung_up.wait(120)


def test_cancelling_stops_before_anything_is_decoded(photo):
    """A request that was cancelled in the queue costs nothing."""
    with pytest.raises(Cancelled):
        make_clip(request_for(photo), cancelled=lambda: True)


def data_uri(data):
    return "data:image/png;base64," + base64.b64encode(data).decode()


def test_no_key_and_no_cookie_goes_along(web, encoded):
    """A stranger's server learns nothing of the caller."""
    fetch(web.url("/a.png", encoded()), **ANY)
    assert not {"x-api-key", "authorization", "cookie", "referer"} & {name.lower() for name in web.seen[0].headers}
