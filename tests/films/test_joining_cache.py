"""The joined clip that an archive keeps: made once, whole or not there, and another where anything changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from joining_clips import chapters_of, make, sound_of, tone

from vidu_nb import Client, Film, Scene
from vidu_nb.errors import ArchiveError, ViduError
from vidu_nb.films.joined import joined_film
from vidu_nb.media import what_is_wrong
from vidu_nb.receipt import Receipt
from vidu_nb.recipe import recipe_in
from vidu_nb.video import Video


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A second of two clips each, with papers."""
    folder = tmp_path_factory.mktemp("cache")
    paths = [make(folder / f"{n}.mp4", shade=90 * n, sound=tone(300 + 200 * n, 1)) for n in range(2)]
    return {
        n: Video(path, None, Receipt(engine="segmind", cost_usd=0.5, sha256=f"{n}" * 64))
        for n, path in enumerate(paths)
    }


@pytest.fixture
def film():
    """Two scenes, one with a title."""
    return Film(["A wall.", Scene("A door.", title="Out")], references="https://example.com/wall.png")


@pytest.fixture
def client(tmp_path):
    """A client that isn't asked anything."""
    return Client("an-invented-key", "http://127.0.0.1:9", tmp_path / "archive")


def kept(client):
    """The names in the folder of joined clips."""
    return sorted(path.name for path in client.archive.films.iterdir()) if client.archive.films.exists() else []


def test_a_film_is_joined_once(film, clips, client):
    """Asked for again, the file that is there is the answer, untouched."""
    first = joined_film(film, clips, client)
    stamp = first.path.stat()
    again = joined_film(film, clips, client)
    assert again == first
    assert again.path.stat().st_mtime_ns == stamp.st_mtime_ns
    assert kept(client) == [first.path.name]
    assert [title for _, _, title in chapters_of(first.path)] == ["Scene 1", "Out"]
    assert recipe_in(first.path)["film"]["scenes"][1]["prompt"] == "A door."
    assert first.receipt.cost_usd == 1.0


def test_an_archive_that_cannot_be_written_is_named(film, clips, client):
    """The error says where it failed and that the clips are kept."""
    client.archive.films.parent.mkdir(parents=True, exist_ok=True)
    client.archive.films.write_bytes(b"something else")
    with pytest.raises(ArchiveError, match=r"joined film can't be written to .*clips are kept") as caught:
        joined_film(film, clips, client)
    assert str(client.archive.films) in str(caught.value)


def test_what_was_done_stands_in_the_recipe(film, clips, client):
    """Notes on what was encoded, and why, go with the file."""
    notes = recipe_in(joined_film(film.replace(dissolve=0.25), clips, client).path)["film"]["notes"]
    assert notes == ["the scenes' pictures were encoded anew, since they dissolve"]
    assert recipe_in(joined_film(film, clips, client).path)["film"]["notes"] == []


def test_another_clip_makes_another_film(film, clips, client):
    """A new take of a scene, by its receipt or, without one, by its bytes."""
    first = joined_film(film, clips, client).path
    taken = {**clips, 1: replace(clips[1], receipt=replace(clips[1].receipt, sha256="9" * 64))}
    unknown = {n: Video(clip.path) for n, clip in clips.items()}
    other = {**unknown, 1: Video(clips[0].path)}
    paths = {first, *(joined_film(film, one, client).path for one in (taken, unknown, other))}
    assert len(paths) == 4


def test_other_music_makes_another_film(film, clips, client, tmp_path):
    """Of a sound file the content counts: changed under the same name, it is joined anew; moved, it is not."""
    music = tmp_path / "music.mp4"
    paths = set()
    for hertz in (440, 880):
        make(music, sound=tone(hertz, 2))
        paths.add(joined_film(film.replace(music=music), clips, client).path)
    moved = music.rename(tmp_path / "moved.mp4")
    assert len(paths | {joined_film(film.replace(music=moved), clips, client).path}) == 2
    sounds = [np.abs(np.fft.rfft(sound_of(path)[0])).argmax() for path in sorted(paths)]
    assert sounds[0] != sounds[1]


def test_music_that_has_gone_is_an_error(film, clips, client, tmp_path):
    """A sound file that was there when the film was written and isn't now: one line, and no file."""
    music = make(tmp_path / "music.mp4", sound=tone(440, 2))
    film = film.replace(music=music)
    music.unlink()
    with pytest.raises(ViduError, match=r"music\.mp4"):
        joined_film(film, clips, client)
    assert kept(client) == []


def test_threads_that_join_the_same_film_get_one_file(film, clips, client):
    """Eight at once: all get the whole film, and it is joined once."""
    found, errors = [], []

    def ask():
        try:
            found.append(joined_film(film, clips, client).path.read_bytes())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(kept(client)) == 1


JOIN = """
import resource, signal, sys
from pathlib import Path
from vidu_nb import Client, Film, Scene
from vidu_nb.films.joined import joined_film
from vidu_nb.receipt import Receipt
from vidu_nb.video import Video
archive, limit, dissolve, *paths = sys.argv[1:]
scenes = ["A wall.", Scene("A door.", title="Out")]
film = Film(scenes, references="https://example.com/wall.png", dissolve=float(dissolve))
papers = [Receipt(engine="segmind", cost_usd=0.5, sha256=f"{n}" * 64) for n in range(len(paths))]
clips = {n: Video(Path(path), None, papers[n]) for n, path in enumerate(paths)}
if int(limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
print("ready", flush=True)
sys.stdin.readline()
print(joined_film(film, clips, Client("an-invented-key", "http://127.0.0.1:9", archive)).path)
"""


def start(client, clips, *, limit=0, dissolve=0.0):
    """A process that joins the film when it gets a line."""
    command = [sys.executable, "-c", JOIN, str(client.archive.folder), str(limit), str(dissolve)]
    process = subprocess.Popen(
        [*command, *(str(clip.path) for clip in clips.values())],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


def test_processes_that_join_the_same_film_get_one_file(film, clips, client):
    """Three kernels at once, and this one."""
    processes = [start(client, clips) for _ in range(3)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    own = joined_film(film, clips, client).path
    ends = [process.communicate(timeout=120) for process in processes]
    assert {out.strip() for out, _ in ends} == {str(own)}, ends
    assert kept(client) == [own.name]


def test_a_full_disk_leaves_nothing(clips, client):
    """A file that can't be written whole is an error of the system, in its words; no part stays, and no half film."""
    whole = sum(clip.path.stat().st_size for clip in clips.values())
    for limit in (whole // 8, whole // 2, whole * 3 // 4):
        process = start(client, clips, limit=limit)
        _, errors = process.communicate("\n", timeout=120)
        assert process.returncode == 1
        assert "File too large" in errors.splitlines()[-1]
        assert kept(client) == []


def test_a_kill_in_the_middle_leaves_no_half_film(film, clips, client):
    """Killed at any moment, the next one joins the film whole."""
    for _ in range(3):
        process = start(client, clips, dissolve=0.5)
        process.stdin.write("\n")
        process.stdin.flush()
        while process.poll() is None and not kept(client):
            os.sched_yield()
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        for name in kept(client):
            assert name.startswith(".vidu-nb-") or not what_is_wrong((client.archive.films / name).read_bytes())
    path = joined_film(film.replace(dissolve=0.5), clips, client).path
    assert not what_is_wrong(path.read_bytes())
    assert len(chapters_of(path)) == 2


def test_a_damaged_clip_leaves_nothing(film, clips, client, tmp_path):
    """An error names the scene, and the next attempt with a whole clip succeeds."""
    (tmp_path / "bad.mp4").write_bytes(clips[1].path.read_bytes()[:3000])
    with pytest.raises(ViduError, match=r"^scene 2: "):
        joined_film(film, {**clips, 1: replace(clips[1], path=tmp_path / "bad.mp4")}, client)
    assert kept(client) == []
    assert joined_film(film, clips, client).path.is_file()
