"""What is asked of a request reads no picture again: neither from its own file nor from the archive."""

from __future__ import annotations

import base64
import sys

import numpy as np
import pytest
from PIL import Image

import vidu_nb as vidu
from vidu_nb.panels.snippets import as_curl, as_python, as_requests

_PICTURES = (".png", ".jpg")
_opened: list[str] = []
_hooks: list[bool] = []


def _listen(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and str(args[0]).endswith(_PICTURES):
        _opened.append(str(args[0]))


@pytest.fixture
def opened():
    """The pictures that this process opens, from now on; Python never forgets an audit hook, so there is one."""
    if not _hooks:
        sys.addaudithook(_listen)
        _hooks.append(True)
    _opened.clear()
    return _opened


@pytest.fixture
def encoded(monkeypatch):
    """The sizes of what is encoded as base64 or decoded from it, from now on, where it is as large as a picture."""
    sizes = []

    def noting(plain):
        def noted(data, *args, **how):
            if len(data) > 100_000:
                sizes.append(len(data))
            return plain(data, *args, **how)

        return noted

    for name in ("b64encode", "b64decode"):
        monkeypatch.setattr(base64, name, noting(getattr(base64, name)))
    return sizes


@pytest.fixture
def picture(tmp_path):
    """A photograph of some size: one that is sent as JPEG."""
    path = tmp_path / "mine" / "noise.jpg"
    path.parent.mkdir()
    Image.fromarray(np.random.default_rng(7).integers(0, 256, (900, 900, 3), np.uint8)).save(path, quality=80)
    return path


def test_a_request_reads_and_encodes_its_picture_once(picture, opened, encoded):
    """A plan of a hundred requests with the same picture as well: each holds the one that was read."""
    plan = vidu.Plan.of("A cat", picture, seed=range(100))
    assert len({one.key(engine="segmind", model="m") for one in plan}) == 100
    assert (opened, len(encoded)) == ([str(picture)], 1)


def test_keys_looks_prices_and_code_read_no_picture(picture, opened, encoded, tmp_path):
    """With the clip kept or not: only what is made, and what is put together from the archive, needs the bytes."""
    client = vidu.Client.preview(quality="draft", archive=tmp_path / "archive")
    request = vidu.VideoRequest(prompt="Noise", references=picture, seed=3, aspect_ratio="1:1")
    client.generate(request)
    new = request.model.request(prompt="Another", references=request.references, seed=4)
    archive = client.archive
    opened.clear()
    encoded.clear()
    for one in (request, new):
        asked = archive.recognise(one)
        key = archive.key_of(asked, engine=client.engine, model=client.model)
        assert (archive.find(key, engine=client.engine) is not None) == (one is request)
        assert len(client.takes(one)) == (one is request)
        client.price_of(one)
        for code in (as_python, as_requests, as_curl):
            assert "noise.jpg" in code(one, lambda _: "noise.jpg")
    assert client.generate(request).receipt.replayed
    assert len(list(archive.entries())) == 1
    assert vidu.Plan.of("Noise", request.references, seed=range(50), aspect_ratio="1:1").priced(client).kept == 1
    assert (opened, encoded) == ([], [])
