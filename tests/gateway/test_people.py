"""The roster and its tokens: whatever a spreadsheet makes of them, and wherever a start ends."""

from __future__ import annotations

import csv
import os

import pytest

from vidu_nb.errors import ViduError
from vidu_nb.gateway.ledger import Ledger
from vidu_nb.gateway.people import Enrolled, enrol, hash_of, read_roster, read_tokens, renew

NASTY = ["=1+1", "@cmd", "-2", "<b>Bobby</b>", "Zoë, the 2nd", 'says "hi"']


@pytest.fixture
def ledger(tmp_path):
    with_rows = Ledger(f"sqlite:///{tmp_path / 'class.db'}", each_usd=2, total_usd=40)
    yield with_rows
    with_rows.close()


@pytest.fixture
def tokens(tmp_path):
    return tmp_path / "class-tokens.csv"


def roster(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_roster(path)


@pytest.mark.parametrize(
    "data",
    [
        "name,usd\nanna,\nben,0.5\n",
        "\ufeffname,usd\r\nanna,\r\nben,0.5\r\n",
        "Name;USD\nanna;\nben;0,5\n",
        "usd\tname\n\tanna\n0.5\tben",
        "name , usd , mail\n anna ,,a@example.org\n\n , ,\nben,0.5,\n",
    ],
)
def test_a_roster_is_read_as_spreadsheets_write_it(tmp_path, data):
    """Byte-order marks, semicolons with decimal commas, tabs, spaces, empty lines, other columns: all are read."""
    assert roster(tmp_path / "class.csv", data) == [Enrolled("anna", None), Enrolled("ben", 0.5)]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("name,usd\nanna,1\n".encode("utf-16"), "UTF-16"),
        ("name\nanna\n".encode("utf-16-le"), "UTF-16"),
        ("name\nJosé\n".encode("latin-1"), "no UTF-8 text"),
        ("name\nAnna\nben\nANNA\n", r"line 4: 'ANNA' is there twice"),
        ("name\nZoë\nZoe\u0308\n", "line 3: .* is there twice"),
        ("name\nTeacher\n", "line 2: 'Teacher' is taken"),
        ("name,usd\nanna,lots\n", "line 2: usd: 'lots' is no amount"),
        ("name,usd\nanna,nan\n", "line 2: usd: 'nan' is no amount"),
        ("name,usd\nanna,-1\n", "line 2: usd: '-1' is no amount"),
        ('name,usd\n"anna,1\nben,1\n' + "carl,1\n" * 20, "quotation mark"),
        ("who\nanna\n", "no column called name"),
        ("", "no column called name"),
        (b"name\n" + b"a" * 1_000_001, "larger than 1 MB"),
    ],
)
def test_a_wrong_roster_is_refused_with_its_line(tmp_path, data, problem):
    """The message says where it is wrong and what to do, in one line."""
    with pytest.raises(ViduError, match=problem) as caught:
        roster(tmp_path / "class.csv", data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo, lambda _: None], ids=["folder", "pipe", "none"])
def test_a_roster_that_is_no_file_is_refused(tmp_path, make):
    """Nothing waits for ever on a pipe."""
    make(tmp_path / "class.csv")
    with pytest.raises(ViduError, match=r"no file|no such file"):
        read_roster(tmp_path / "class.csv")


def test_names_lose_what_a_terminal_obeys(tmp_path):
    """Escape sequences, line breaks and directions of text become spaces; markup stays the text that it is."""
    found = roster(tmp_path / "class.csv", 'name\n"An\x1b[31mna\nSmith"\nb\u202een\n<b>x</b>\n')
    assert [one.name for one in found] == ["An [31mna Smith", "b en", "<b>x</b>"]


def test_tokens_work_and_open_safely_in_a_spreadsheet(ledger, tokens):
    """Each name has a token that the ledger knows; no cell begins like a formula; only the owner can read the file."""
    assert enrol(ledger, [Enrolled(name, None) for name in NASTY], tokens) == ["teacher", *NASTY]
    assert tokens.stat().st_mode & 0o777 == 0o600
    with tokens.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [ledger.person_of(hash_of(row["token"])).name for row in rows] == ["teacher", *NASTY]
    assert not [row for row in rows if row["name"][0] in "=+-@"]
    assert not [row for row in rows if row["token"].encode() in (tokens.parent / "class.db").read_bytes()]


def test_five_thousand_people_are_enrolled_together(ledger, tokens):
    """A large roster is one transaction: all of it or nothing."""
    many = [Enrolled(f"person {number}", number / 100) for number in range(5000)]
    commits = []
    ledger_begin = ledger._begin
    ledger._begin = lambda: commits.append(1) or ledger_begin()
    assert len(enrol(ledger, many, tokens)) == 5001
    assert enrol(ledger, [Enrolled(one.name, 1.0) for one in many], tokens) == []
    assert len(commits) < 10
    ledger._begin = ledger_begin
    assert {row["usd"] for row in ledger.everybody() if row["role"] != "teacher"} == {1.0}


def test_a_budget_counts_when_the_roster_changes_it(ledger, tokens):
    """A new figure counts at the next start; a restart with the same roster takes back no top-up."""
    budget = lambda: ledger.person_named("anna").usd  # noqa: E731
    enrol(ledger, [Enrolled("anna", 3)], tokens)
    ledger.top_up("anna", 1.5)
    enrol(ledger, [Enrolled("anna", 3)], tokens)
    assert budget() == 4.5
    enrol(ledger, [Enrolled("ANNA", 5)], tokens)
    assert budget() == 5
    enrol(ledger, [Enrolled("anna", None)], tokens)
    assert budget() == 2
    ledger.top_up("anna", 1)
    assert budget() == 3


def test_who_leaves_the_roster_keeps_their_account(ledger, tokens):
    """A removed line deletes nobody: what was spent stays counted, and the token is good until it is revoked."""
    enrol(ledger, [Enrolled("anna", 3), Enrolled("ben", None)], tokens)
    ledger.ask(ledger.person_named("anna"), "k", model="m", price_usd=1.0, inputs={}, at_once=2)
    assert enrol(ledger, [Enrolled("ben", None)], tokens) == []
    assert (ledger.spent_usd, ledger.left(ledger.person_named("anna"))) == (1.0, 2.0)
    assert ledger.person_of(hash_of(read_tokens(tokens)["anna"])).name == "anna"


@pytest.mark.parametrize("spoil", ["link", "readable", "pipe", "folder", "link to nothing"])
def test_tokens_go_to_no_file_that_others_could_read(ledger, tokens, tmp_path, spoil):
    """A link, a pipe, or a file that others can read is refused, and nobody is enrolled."""
    if spoil.startswith("link"):
        target = tmp_path / "elsewhere.csv"
        if spoil == "link":
            target.touch(mode=0o600)
        tokens.symlink_to(target)
    elif spoil == "readable":
        tokens.touch()
        tokens.chmod(0o640)
    else:
        (os.mkfifo if spoil == "pipe" else os.mkdir)(tokens)
    with pytest.raises(ViduError, match=r"class-tokens\.csv"):
        enrol(ledger, [Enrolled("anna", None)], tokens)
    assert ledger.everybody() == []
    assert not (tmp_path / "elsewhere.csv").exists() or not (tmp_path / "elsewhere.csv").read_bytes()


@pytest.mark.parametrize("torn", [False, True])
def test_a_start_that_ended_between_file_and_ledger_goes_on(ledger, tokens, torn):
    """Tokens in the file that the ledger hasn't are given to it by the next start; a torn line is replaced."""
    roster = [Enrolled("anna", None), Enrolled("=ben", None)]
    apply = ledger.apply_roster

    def interrupted(names, *, before_commit, **more):
        def write_and_end():
            before_commit()
            raise KeyboardInterrupt

        apply(names, before_commit=write_and_end, **more)

    ledger.apply_roster = interrupted
    with pytest.raises(KeyboardInterrupt):
        enrol(ledger, roster, tokens)
    ledger.apply_roster = apply
    assert ledger.everybody() == []
    if torn:
        tokens.write_text(tokens.read_text()[:-20])
    before = read_tokens(tokens)
    assert enrol(ledger, roster, tokens) == ["teacher", "anna", "=ben"]
    after = read_tokens(tokens)
    assert {ledger.person_of(hash_of(token)).name for token in after.values()} == {"teacher", "anna", "=ben"}
    assert after["anna"] == before["anna"]
    assert len({len(token) for token in after.values()}) == 1


def test_two_gateways_that_start_at_once_write_tokens_that_work(ledger, tokens, tmp_path):
    """Who comes second finds the names taken, and writes no token that the ledger does not know."""
    other = Ledger(f"sqlite:///{tmp_path / 'class.db'}", each_usd=2, total_usd=40)
    everybody = ledger.everybody
    rows = everybody()
    enrol(other, [Enrolled("anna", None)], tokens)
    answers = iter([rows])
    ledger.everybody = lambda: next(answers, None) or everybody()  # it looked before the other had written
    assert enrol(ledger, [Enrolled("anna", None)], tokens) == []
    assert len(tokens.read_text().splitlines()) == 3
    other.close()


def test_another_token_ends_the_one_before(ledger, tokens):
    """The last line of a name is the one that works; the teacher can be given one too."""
    enrol(ledger, [Enrolled("anna", None)], tokens)
    for name in ("anna", "teacher"):
        before = read_tokens(tokens)[name]
        renew(ledger, name.upper(), tokens)
        assert ledger.person_of(hash_of(before)) is None
        assert ledger.person_of(hash_of(read_tokens(tokens)[name])).name == name
    with pytest.raises(ViduError, match="nobody called 'carl'"):
        renew(ledger, "carl", tokens)
