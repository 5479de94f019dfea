"""Files: only regular ones are read where a stranger may have put others, and only what is ours is cleared away."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest
from vidu_nb.files import ABANDONED_S, expanded, is_regular, read_regular, remove_parts, write_bytes


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: path.symlink_to(__file__), "is a link"),
        (lambda path: path.symlink_to("nowhere"), "is a link"),
        (lambda path: path.symlink_to("/dev/null"), "is a link"),
        (os.mkfifo, "no regular file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda _: None, "No such file"),
    ],
    ids=["link", "dangling", "device", "pipe", "folder", "nothing"],
)
def test_only_a_regular_file_is_read(tmp_path, make, problem):
    """Whatever else has its name is told, and neither followed nor waited for."""
    path = tmp_path / "one.json"
    make(path)
    with pytest.raises(OSError, match=problem):
        read_regular(path)
    assert not is_regular(path)


def test_a_regular_file_is_read_whole(tmp_path):
    """Byte for byte, also through a folder that is a link."""
    write_bytes(tmp_path / "there" / "one.bin", bytes(range(256)))
    (tmp_path / "here").symlink_to(tmp_path / "there")
    assert read_regular(tmp_path / "here" / "one.bin") == bytes(range(256))


NAMES = (".vidu-nb-0123456789ab.part", ".0123456789ab.part", ".vidu-nb-0123456789AB.part", ".x.part", "a.part", "b.mp4")


@pytest.mark.parametrize(("unsigned", "gone"), [(False, 1), (True, 2)])
def test_only_our_own_old_parts_are_removed(tmp_path, unsigned, gone):
    """By their names and their age; in a folder of the user's, only those whose names say that they are ours."""
    for name in NAMES:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - ABANDONED_S - 60,) * 2)
    (tmp_path / ".vidu-nb-ba9876543210.part").touch()
    remove_parts(tmp_path, unsigned=unsigned)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*NAMES[gone:], ".vidu-nb-ba9876543210.part"])
    remove_parts(tmp_path / "nowhere")


def test_saving_a_clip_clears_away_what_a_killed_save_left(small_video, tmp_path):
    """Thirty hidden megabytes beside the notebook would never be found."""
    part = tmp_path / ".vidu-nb-0123456789ab.part"
    part.write_bytes(b"half a clip")
    os.utime(part, (0, 0))
    small_video.save(tmp_path / "clip.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("path", ["~nobody-of-this-name/x.mp4", Path("~nobody-of-this-name") / "a" / "b"])
def test_a_home_of_no_user_is_refused_by_name(path):
    """In the words that one would search for."""
    with pytest.raises(
        InvalidRequest, match=r"no such user: can't expand '~nobody-of-this-name'; write the path in full"
    ):
        expanded(path)
    with pytest.raises(InvalidRequest, match="no such user"):
        vidu.load(path)
