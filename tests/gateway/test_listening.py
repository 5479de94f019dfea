"""`vidu-nb gateway`: where it listens, what it warns of, and how people get another token."""

from __future__ import annotations

import pytest

from vidu_nb.gateway.people import read_tokens

ELSEWHERE = "192.0.2.1"  # reserved for documents: no machine has it, so nothing is listened on


@pytest.fixture
def gateway(command, tmp_path, monkeypatch):
    """Starts a gateway that can't listen, and gives how it ended."""
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_not-a-real-key-for-tests")
    (tmp_path / "class.csv").write_text("name\nanna\n")
    return lambda *options: command("gateway", "--roster", "class.csv", "--total-usd", 5, "--host", ELSEWHERE, *options)


def test_tokens_without_tls_are_warned_of(gateway):
    """An address that others reach gets a warning, unless there is a certificate or a named proxy."""
    ended = gateway()
    assert ended.status == 1
    assert "warning: tokens travel unencrypted" in ended.err
    assert "port 0 can't be used" in ended.err
    assert "unencrypted" not in gateway("--proxy-headers", "10.0.0.1").err
    assert "unencrypted" not in gateway("--certfile", "none.pem").err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--certfile", "none.pem"], "the certificate or its key can't be used (No such file or directory)"),
        (["--keyfile", "none.pem"], "the certificate is missing"),
        (["--proxy-headers", "*"], "by their addresses"),
        (["--public-url", "class"], "a public URL looks like https://class.example.org"),
        (["--new-token", "carl"], "there is nobody called 'carl'"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_line(gateway, options, problem):
    """A wrong certificate, proxy, name or person ends the start before anything is served."""
    ended = gateway(*options)
    assert ended.status in (1, 2)
    assert problem in ended.err.splitlines()[-1]
    assert "serving" not in ended.out


def test_a_lost_token_is_replaced_at_the_next_start(gateway, tmp_path):
    """--new-token writes another one for a person or for the teacher, beside those that stay."""
    gateway()
    before = read_tokens(tmp_path / "class-tokens.csv")
    ended = gateway("--new-token", "teacher")
    assert "another token for teacher written to class-tokens.csv" in ended.err
    after = read_tokens(tmp_path / "class-tokens.csv")
    assert (after["anna"], after["teacher"] != before["teacher"]) == (before["anna"], True)
