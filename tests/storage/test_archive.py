"""Clips in an archive: found, opened, listed and stored, whatever lies beside them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.commands.cli import main


@pytest.fixture
def client(faults):
    """A paying client of that service."""
    return Client(KEY, faults.root, timeout=10, notify=len)


def asking(fault="good", **changes):
    return vidu.VideoRequest(
        **{"prompt": f"A cat [fault:{fault}]", "references": "https://example.com/cat.png", **changes}
    )


def test_papers_that_can_not_be_read_are_named_and_hide_nothing(client, capsys):
    """`list` and `verify` show the good beside the bad and leave links alone; the nearest is found all the same."""
    papers = client.generate(asking()).path.with_suffix(".json")
    broken = papers.with_name("a-dog_16x9_seed1_00000000.json")
    broken.mkdir()
    papers.with_name("a-link_16x9_seed1_00000000.json").symlink_to(papers)
    for action in ("list", "verify"):
        assert main(["archive", action]) == 1
        said, complaint = capsys.readouterr()
        assert f"{broken} can't be read (Is a directory)" in said
        assert papers.with_suffix(".mp4").name in said
        assert "a-link" not in said
        assert "1 of 2 can't be used" in complaint
    with pytest.raises(errors.NotKept, match=f"nearest is: {papers.stem}.mp4 differs in seed"):
        client.generate(asking(seed=9), offline=True)


@pytest.mark.parametrize("request_said", [None, {"image_urls": [{"sha256": "../../key"}]}])
def test_a_clip_outlives_its_papers(client, photo, request_said):
    """Where the papers tell no request, or a picture that can't be, the clip opens, and its request is None."""
    papers = client.generate(asking(references=photo)).path.with_suffix(".json")
    said = json.loads(papers.read_text())
    said["request"] = request_said and said["request"] | request_said
    papers.write_text(json.dumps(said))
    [entry] = client.archive.entries()
    video = client.archive.open(entry)
    assert (video.request, video.bytes[4:8]) == (None, b"ftyp")


def test_a_clip_that_goes_while_the_newest_are_looked_for_is_told(client, monkeypatch):
    """Removed by another between the listing and the look, it is a problem in its place, behind the others."""
    kept, going = (client.generate(asking(seed=seed)).path.with_suffix(".json") for seed in (1, 2))
    look = Path.lstat

    def late(path):
        if path == going:
            path.unlink(missing_ok=True)
        return look(path)

    monkeypatch.setattr(Path, "lstat", late)
    first, second = client.archive.entries(newest=5)
    assert first.path == kept
    assert f"{going} can't be read (No such file" in str(second)


def test_storing_twice_changes_nothing(client):
    """After a crash between the clip's place and the journal's word, the same clip gets the same name."""
    video = client.generate(asking())
    [attempt] = client.archive.journal
    entry = client.archive.store(attempt, video.bytes, video.receipt)
    assert entry.clip == video.path
    assert [path.name for path in video.path.parent.glob("*.mp4")] == [video.path.name]


def test_the_ten_thousandth_take_is_handed_over_and_not_lost(client, monkeypatch, tmp_path):
    """Where every name is taken, the error holds the clip that was paid for, and says where its bytes lie."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = client.generate(asking()).path
    for take in range(2, 10_000):
        path.with_name(f"{path.stem}_take{take}.json").touch()
    with pytest.raises(errors.ArchiveError, match="holds 9,999 takes of one request") as caught:
        client.generate(asking(), fresh=True)
    assert (caught.value.billed, caught.value.data[4:8]) == ("yes", b"ftyp")
    [rescued] = tmp_path.glob("vidu-nb-rescued-*.mp4")
    assert rescued.read_bytes() == caught.value.data
