"""The service's official Python SDK, unchanged, against a real `vidu-nb serve`: a drop-in for the service."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import urllib.request

import previews
import pytest
import requests
from common import ROOT
from PIL import Image
from segmind import SegmindClient
from segmind.exceptions import SegmindError
from segmind.files import Files
from segmind.v2 import InferenceFailed
from skimage import data

from vidu_nb import media, models
from vidu_nb.animatic.server.server import PreviewServer
from vidu_nb.request import DRAFT, MODEL

GOOD = {"prompt": "A wave", "aspect_ratio": "16:9", "bgm": False, "seed": 7}


@pytest.fixture(scope="module")
def url():
    """The address of a `vidu-nb serve` with clips in few pixels, which ends with status 0."""
    command = [sys.executable, previews.__file__, "serve", "--key", "K"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[1]
        process.terminate()
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def client(url):
    """The SDK's client."""
    return SegmindClient(api_key="K", base_url=f"{url}/v1", timeout=60)


@pytest.fixture(scope="module")
def body(body):
    """A good body whose draft is the cheapest to make."""
    return body | {"aspect_ratio": "16:9"}


@pytest.fixture
def uploaded(client, url, monkeypatch, encoded, tmp_path):
    """The URL of a picture that the SDK uploaded."""
    monkeypatch.setattr(Files, "STORAGE_BASE_URL", url)
    (tmp_path / "red.png").write_bytes(encoded(200, 160, colour="red"))
    return client.files.upload(tmp_path / "red.png")["file_urls"][0]


def test_run_sync_gives_the_clip(client, body):
    """The waiting call's answer is the MP4."""
    answer = client.run_sync(DRAFT, **body)
    assert answer.headers["content-type"] == "video/mp4"
    assert media.what_is_wrong(answer.content) == ""


def test_run_follows_the_queue_to_the_clip(client, uploaded, encoded):
    """`run` queues an uploaded picture, polls, and gives the body whose output is the clip's URL."""
    with urllib.request.urlopen(uploaded, timeout=60) as served:
        assert served.read() == encoded(200, 160, colour="red")
    made = client.run(DRAFT, **GOOD, image_urls=[uploaded])
    assert (made["status"], made["seed"]) == ("COMPLETED", 7)
    clip = requests.get(made["output"], timeout=60).content
    assert media.what_is_wrong(clip) == ""
    assert len(clip) == made["video"]["file_size"]


def test_a_submitted_job_can_be_asked_and_waited_for(client, body):
    """The job's handle tells its status, an early result says that it is not done, and `wait` ends with the clip."""
    job = client.submit_async(DRAFT, **body)
    assert job.status()["status"] in {"QUEUED", "PROCESSING"}
    assert "output" not in job.result()
    made = job.wait(timeout=300, interval=0.1)
    assert made["output"] == made["video"]["url"]
    assert job.status()["status"] == "COMPLETED"


def calls_of(face):
    """A cheap call of each model: its name in the URL, and its body."""
    picture = base64.b64encode(face).decode()
    swap = {"source_img": picture, "target_img": picture}
    card = {"prompt": "A red boat", "img_width": 512, "img_height": 512}
    return {
        DRAFT: GOOD | {"image_urls": [picture]},
        "wan2.7-r2v-draft": {"prompt": "Image1 sails", "duration": 2, "resolution": "720P"},
        "sdxl1.0-txt2img": card,
        "sdxl-img2img": {"prompt": "A red boat", "image": picture, "strength": 0.5},
        "faceswap-v2": swap,
        "sd2.1-faceswapper": {"input_face_image": picture, "target_face_image": picture},
    }


@pytest.fixture(scope="module")
def face():
    """A picture of a face as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()[20:212, 120:332]).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def test_every_model_is_called_in_both_versions(client, face):
    """What the SDK waits for and what it queues are the same files, of the kind that the model returns."""
    for name, asked in calls_of(face).items():
        kind = models[name.removesuffix("-draft")].returns
        waited = client.run_sync(name, **asked)
        assert waited.headers["content-type"].startswith(f"{kind}/")
        queued = client.run(name, **asked)
        assert queued["status"] == "COMPLETED"
        assert requests.get(queued["output"], timeout=60).content == waited.content


def test_a_picture_that_was_made_becomes_a_clip(client):
    """The URL of a card is a reference picture of the next call."""
    card = client.run("sdxl1.0-txt2img", prompt="A red boat", img_width=512, img_height=512)
    made = client.run("wan2.7-r2v-draft", prompt="Image1 sails", duration=2, reference_images=[card["output"]])
    assert media.what_is_wrong(requests.get(made["output"], timeout=60).content) == ""


def test_the_documented_example_runs(url, encoded, tmp_path):
    """What docs/server.md shows for the SDK works as it stands there."""
    text = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
    example = text.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "example.py").write_text(example.replace("http://127.0.0.1:8000", url).replace(MODEL, DRAFT))
    (tmp_path / "cat.png").write_bytes(encoded(200, 160))
    command = [sys.executable, "example.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[1].startswith(f"{url}/v1/files/")


def test_a_wrong_key_is_the_sdks_401(url, body):
    """The SDK raises its own error with the status and our text."""
    with pytest.raises(SegmindError) as caught:
        SegmindClient(api_key="wrong", base_url=f"{url}/v1").run(DRAFT, **body)
    assert (caught.value.status, caught.value.detail) == (401, "API key invalid")


def test_an_empty_purse_is_the_sdks_406(body):
    """Without credits both versions raise the SDK's error with status 406."""
    with PreviewServer(key="K", credits=0) as poor:
        client = SegmindClient(api_key="K", base_url=f"{poor.base_url}/v1")
        for call in (client.run_sync, client.run):
            with pytest.raises(SegmindError, match="Insufficient credits") as caught:
                call(DRAFT, **body)
            assert caught.value.status == 406


def test_a_job_that_fails_is_the_sdks_failure(client, body, encoded):
    """A damaged picture fails the job: `wait` raises `InferenceFailed` with the reason."""
    damaged = f"data:image/png;base64,{base64.b64encode(encoded()[:120]).decode()}"
    job = client.submit_async(DRAFT, **body | {"image_urls": [damaged]})
    with pytest.raises(InferenceFailed) as caught:
        job.wait(timeout=300, interval=0.1)
    assert caught.value.detail.startswith("image_urls[0]: ")
    assert caught.value.status_body["metrics"]["cost"] == 0
