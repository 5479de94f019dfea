"""`Film.preview`: the whole film as one free clip, whatever the environment says."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from faults import FaultServer
from takes import Takes

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.films.film import Film
from vidu_nb.films.scene import Scene
from vidu_nb.storage.archive import Archive

pytestmark = pytest.mark.usefixtures("small_frames")


@pytest.fixture
def film(photo):
    """Two scenes and one that continues, cheap to preview."""
    scenes = ["A wave. Zoom in.", "A wave. Pan left.", Scene("The wave breaks.", continues=True)]
    return Film(scenes, references=photo, aspect_ratio="1:1", bgm=False, seed=7)


def rendered():
    """How many previews were made so far."""
    return sum(attempt.state == "stored" for attempt in Archive().journal)


def test_only_what_changed_is_rendered_again(film):
    """A scene and those that continue from it; sound and titles are no reason, and neither is the same again."""
    whole = film.preview(quality="draft")
    assert (rendered(), whole.info.duration, whole.receipt.engine, whole.receipt.cost_usd) == (3, 15.0, "preview", 0)
    assert film.preview(quality="draft").path == whole.path
    film.replace(1, title="Two", take=4).replace(title="A film").preview(quality="draft")
    assert rendered() == 3
    film.replace(0, prompt="A wave. Zoom out.").preview(quality="draft")
    assert rendered() == 4
    film.replace(1, prompt="A wave. Pan right.").preview(quality="draft")
    assert rendered() == 6


def test_a_random_seed_is_previewed_once(film):
    """And what continues from it begins with the frame that was drawn."""
    film = film.replace(seed=0)
    assert film.preview(quality="draft").path == film.preview(quality="draft").path
    assert rendered() == 3


def test_a_damaged_preview_is_made_again(film):
    """It cost nothing; so is a frame that others begin with."""
    whole = film.preview(quality="draft")
    client = Client.preview(quality="draft")
    [*_, last] = sorted(film.clips(client).items())
    last[1].path.write_bytes(b"damaged")
    for path in client.archive.frames.iterdir():
        path.write_bytes(b"damaged")
    whole.path.unlink()
    assert film.preview(quality="draft").info.duration == 15.0


def test_no_paid_service_is_asked_though_a_key_is_set(film, monkeypatch, tmp_path, capfd):
    """Neither the environment's nor the film's own; the film's archive is, and nothing is printed."""
    with FaultServer() as service, Takes() as stand_in:
        monkeypatch.setenv("SEGMIND_API_KEY", "SG_invented-key-0123")
        monkeypatch.setenv("SEGMIND_BASE_URL", service.root)
        own = film.replace(client=stand_in.client(archive=tmp_path / "own"))
        whole = own.preview(quality="draft")
        assert (service.seen(), stand_in.prompts) == ([], [])
    assert whole.path.is_relative_to(tmp_path / "own")
    assert "".join(capfd.readouterr()).strip() == ""


def test_a_film_of_links_is_previewed(monkeypatch):
    """Of pictures whose host can't be reached there are slates, in what continues as well."""
    monkeypatch.setenv("VIDU_NB_ARCHIVE", "links")
    link = "https://pictures.invalid/cat.png"
    film = Film(["A wave.", Scene("It breaks.", continues=True)], references=link, aspect_ratio="1:1", bgm=False)
    assert film.preview(quality="draft").info.duration == 10.0


def test_what_is_wrong_names_the_scene(film):
    """The error is the scene's own, and says which one it was."""
    bad = film.replace(1, references="https://127.0.0.1:9/private.png")
    with pytest.raises(errors.ViduError, match="scene 2: "):
        bad.preview(quality="draft")
    with Takes() as stand_in, pytest.raises(errors.InvalidRequest, match="client: it asks a paid service"):
        film.preview(client=stand_in.client())
    with pytest.raises(errors.InvalidRequest, match="quality: the client has its own"):
        film.preview(quality="draft", client=Client.preview())
    with pytest.raises(errors.InvalidRequest, match="quality: 'best' is none of"):
        film.preview(quality="best")


def test_an_interrupt_ends_a_preview_at_once(photo):
    """Nobody waits for what costs nothing; the error holds the film, and what was made is kept."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    film = Film([f"A wave, {n}." for n in range(60)], references=photo, aspect_ratio="1:1", bgm=False)

    def act():
        while not rendered():
            threading.Event().wait(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=act, daemon=True).start()
    try:
        with pytest.raises(errors.FilmInterrupted, match=r"of 60 scenes.*Stopped: interrupted") as caught:
            film.preview(quality="draft")
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value.film == film
    assert 0 < rendered() < 60


@pytest.mark.usefixtures("true_frames")
def test_a_client_of_the_preview_engine_may_be_passed(film):
    """Its quality and archive are what counts."""
    client = Client.preview(quality="draft", archive="elsewhere")
    whole = film[:1].preview(client=client)
    assert (whole.info.width, whole.path.parent.parent.name) == (960, "elsewhere")


def test_a_film_without_a_key_is_shot_for_free(film, capsys):
    """The free engine answers, the line that says so comes once, and nothing needs a word."""
    film = film[:1].shoot()
    assert (film.missing, film.spent_usd, film.priced().price_usd) == ((), 0, 0)
    assert vidu.Client.preview().is_free
    assert "".join(capsys.readouterr()).count("No SEGMIND_API_KEY") <= 1
    assert "spent" not in repr(film)
