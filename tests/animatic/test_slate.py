"""A picture that could not be fetched: the preview stands in for it, and says so wherever it is shown."""

from __future__ import annotations

import json
from html import escape

import pytest

import vidu_nb as vidu
from vidu_nb.receipt import Receipt

pytestmark = pytest.mark.usefixtures("small_frames")

GONE = ["https://pictures.invalid/cat.png", "http://nowhere.invalid/dog.jpg"]
CHEAP = ("--aspect-ratio", "1:1", "--no-bgm")


@pytest.mark.parametrize(
    ("references", "missing", "caption"),
    [
        (lambda _: GONE[:1], (1,), "picture 1 not fetched"),
        (lambda photo: [photo, GONE[0]], (2,), "picture 2 not fetched"),
        (lambda photo: [GONE[1], photo, GONE[0]], (1, 3), "pictures 1 and 3 not fetched"),
        (lambda photo: photo, (), "preview, free"),
    ],
)
@pytest.mark.parametrize("mode", ["sync", "queue"])
def test_a_slate_is_in_the_receipt_and_the_caption(photo, tmp_path, mode, references, missing, caption):
    """Made, replayed, saved and loaded: the caption names the pictures that are not in the clip."""
    client = vidu.Client.preview(quality="draft", mode=mode)
    request = vidu.VideoRequest(prompt="A cat", references=references(photo), aspect_ratio="1:1", bgm=False)
    made = client.generate(request)
    replayed = client.generate(request)
    loaded = vidu.load(made.save(tmp_path / "copy.mp4"))
    for video in (made, replayed, loaded):
        assert video.receipt.pictures_missing == missing
        assert video.caption.endswith(caption)
        assert escape(video.caption) in video._repr_mimebundle_()["text/html"]


def test_a_sweep_on_workers_says_it_as_well(photo):
    """The note travels inside the clip, whoever rendered it."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor:
        swept = vidu.sweep(
            "A cat", [photo, GONE[0]], aspect_ratio="1:1", bgm=False, executor=executor,
            client=vidu.Client.preview(quality="draft"),
        )  # fmt: skip
    assert [video.receipt.pictures_missing for video in swept.videos] == [(2,)]


def test_the_command_line_says_it(command):
    """`preview` prints the caption, and with `--json` the numbers."""
    asked = ("preview", "A cat", "-r", GONE[0], *CHEAP)
    assert "picture 1 not fetched" in command(*asked).out
    assert json.loads(command(*asked, "--json").out)["receipt"]["pictures_missing"] == [1]


@pytest.mark.parametrize("odd", ["1", 1, [0], [101], ["1"], [True], None, {}, [1.5]])
def test_an_odd_note_in_a_file_is_none(odd):
    """A receipt is worth reading without it; those of before have none."""
    assert Receipt.from_dict({"engine": "preview", "pictures_missing": odd}).pictures_missing == ()


@pytest.mark.usefixtures("paid")
def test_nobody_else_says_so(photo):
    """A paid clip has no such note: the service fetches pictures itself, or refuses."""
    video = vidu.generate("A cat", photo)
    assert video.receipt.pictures_missing == ()
