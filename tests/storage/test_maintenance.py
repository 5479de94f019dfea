"""Maintenance: copies go outside of every archive, and what is removed is what was named, and what is nobody's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb.commands.cli import main
from vidu_nb.errors import InvalidRequest
from vidu_nb.request import VideoRequest
from vidu_nb.storage.maintenance import export, listing, prune, verify


@pytest.fixture
def archive(studio, photo):
    """An archive of two clips."""
    client = vidu.Client(KEY, studio.root, notify=len)
    for seed in (1, 2):
        client.generate(VideoRequest(prompt="A wave", references=photo, seed=seed))
    return client.archive


@pytest.mark.parametrize("place", ["", "copies", "references", "journal/1a", "ENGINE", "other", "other/segmind"])
def test_an_export_goes_outside_of_every_archive(archive, studio, photo, place, tmp_path):
    """Neither this archive nor another one gets the copies, and no folder is made for them."""
    other = vidu.Client(KEY, studio.root, tmp_path / "other", notify=len)
    other.generate(VideoRequest(prompt="A wave", references=photo, seed=3))
    [engine] = {entry.path.parent.name for entry in archive.entries()}
    folder = tmp_path / place if place.startswith("other") else archive.folder / place.replace("ENGINE", engine)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(InvalidRequest, match="save the copy outside of the archive"):
        export(archive, folder)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_command_that_exports_into_an_archive_is_wrong_usage(archive, capsys):
    """Status 2 and one line; beside the archive, the copies carry their recipes."""
    assert main(["archive", "export", "--to", str(archive.folder / "copies")]) == 2
    assert "save the copy outside of the archive" in capsys.readouterr().err
    assert main(["archive", "export", "--to", "copies"]) == 0
    assert [vidu.load(copy).request.prompt for copy in Path("copies").iterdir()] == ["A wave"] * 2


def test_what_is_damaged_is_called_so(archive):
    """The state is a word, for people and for programs."""
    first, _ = archive.entries()
    first.clip.write_bytes(b"rot")
    assert [row["state"] for row in verify(archive)] == ["damaged", "ok"]


def test_pruning_removes_what_is_named_and_what_killed_processes_left(archive):
    """The other clip and the journal stay."""
    part = archive.incoming / ".vidu-nb-0123456789ab.part"
    part.touch()
    os.utime(part, (0, 0))
    first, second = (row["file"] for row in listing(archive))
    assert prune(archive, [first]) == [{"file": first, "state": "removed"}]
    assert [row["file"] for row in listing(archive)] == [second]
    assert not part.exists()
    assert len(list(archive.journal)) == 2
    for names in ([], [first], ["../../x.mp4"]):
        with pytest.raises(InvalidRequest):
            prune(archive, names)
    assert [row["file"] for row in listing(archive)] == [second]
