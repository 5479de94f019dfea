"""The snippets, run for real: what arrives is the request, whatever its prompt holds."""

from __future__ import annotations

import ast
import base64
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import vidu_nb as vidu
from vidu_nb import Reference, VideoRequest
from vidu_nb.panels.snippets import as_curl, as_python, as_requests

KEY = "SG_key-of-the-tests"
PATH = "/v1/vidu-q1-reference-to-video"
HOSTILE = (
    'He said "it\'s \'\'\' """ so"! !! !-1 for $5 and ${HOME} \\$HOME $(touch hacked) `touch hacked` %s {} {{x}} &&\n'
    "END\n\tEOF\\\n"
    "C:\\new\\\\table \\n \\u0041 <script>alert(1)</script>\r\n\u202eright\u2028to\x1b[31m left\x00\n🎬 日本"
)
PROMPTS = [HOSTILE, "A cat.", "\\", "'", '"', "ends with \\\n'", "`", "$"]


class Service(ThreadingHTTPServer):
    """Stands where the service would: notes each call and answers as `status` says."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.calls, self.status = [], 200
        self.answer = "video/mp4", b"the clip"

    @property
    def base_url(self):
        """The service's root."""
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    """Answers for `Service`."""

    def do_POST(self):
        """Note the call and answer it."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.calls.append((self.path, self.headers["x-api-key"], self.headers["content-type"], body))
        kind, answer = self.server.answer
        if self.server.status != 200:
            kind, answer = "application/json", b'{"error": "Insufficient credits"}'
        self.send_response(self.server.status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def service():
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield service
        service.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def noise():
    """A picture that no PNG of the size limit holds, and so is sent as JPEG."""
    return np.random.default_rng(1).integers(0, 255, (900, 900, 3), dtype=np.uint8)


@pytest.fixture
def picture_path(tmp_path):
    """Keeps a picture as sent, under a name that shells and Python must not act on."""

    def path_of(reference):
        kind = "png" if reference.url.startswith("data:image/png") else "jpg"
        path = tmp_path / "it's $HOME!" / f'"{reference.sha256[:8]}"\\`x`.{kind}'
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(reference.bytes)
        return str(path.relative_to(tmp_path))

    return path_of


@pytest.fixture
def hostile(photo, noise):
    """A request with every kind of reference, each with a trap."""
    pictures = [
        Reference(photo, name='it\'s "a" cat.png'),
        Reference(noise, name="noise.jpg"),
        Reference("https://example.com/a.png?x='$HOME'&y=`id`\"!#\\n"),
        Reference("https://example.com/b%20c.png", name="other"),
    ]
    return VideoRequest(prompt=HOSTILE, references=pictures, aspect_ratio="1:1", seed=7, bgm=False)


SHELLS = {
    "bash": ["bash", "--norc"],
    "interactive": ["bash", "--norc", "-i", "-o", "histexpand"],  # as when pasted: `!` may mean an earlier command
}


def run(command, code, cwd, **environment):
    """A program that reads its code from standard input; in a session of its own, away from any terminal."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEGMIND")}
    return subprocess.run(
        command, input=code, cwd=cwd, env=clean | {"SEGMIND_API_KEY": KEY} | environment, start_new_session=True,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def run_all(request, picture_path, service, cwd):
    """What each snippet that calls the API sent: (path, key, content type, body)."""
    curl = as_curl(request, picture_path, base_url=service.base_url)
    run([sys.executable, "-"], as_requests(request, picture_path, base_url=service.base_url), cwd)
    for shell in SHELLS.values():
        run(shell, curl, cwd)
    return service.calls


def test_what_arrives_is_the_request(hostile, picture_path, service, tmp_path):
    """curl, pasted or as a script, and `requests` post exactly the request's payload, with the key from outside."""
    calls = run_all(hostile, picture_path, service, tmp_path)
    assert [call[:3] for call in calls] == [(PATH, KEY, "application/json")] * 3
    for _, _, _, body in calls:
        assert json.loads(body) == hostile.payload()
    assert (tmp_path / "clip.mp4").read_bytes() == b"the clip"
    assert not list(tmp_path.rglob("hacked"))


def in_python(code):
    """The arguments that a call of `generate` would get: the prompt, the references, the keywords."""
    call = ast.parse(code).body[1].value
    prompt, references = map(ast.literal_eval, call.args)
    return {"prompt": prompt, "references": references} | {k.arg: ast.literal_eval(k.value) for k in call.keywords}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_prompt_survives(prompt, service, tmp_path):
    """A single quote, dollar sign, backtick or backslash is text in all of them, wherever it stands."""
    request = VideoRequest(prompt=prompt, references="https://example.com/a.png")
    calls = run_all(request, None, service, tmp_path)
    assert [json.loads(body) for *_, body in calls] == [request.payload()] * 3
    assert in_python(as_python(request, None))["prompt"] == request.prompt


def test_a_refusal_is_told_and_fails(hostile, picture_path, service, tmp_path):
    """Where the service refuses, both end with an error; its words are shown, or kept where curl says so."""
    service.status = 406
    told = run([sys.executable, "-"], as_requests(hostile, picture_path, base_url=service.base_url), tmp_path)
    assert told.returncode != 0
    assert "406" in told.stderr
    assert "Insufficient credits" in told.stderr
    assert not (tmp_path / "clip.mp4").exists()
    told = run(SHELLS["bash"], as_curl(hostile, picture_path, base_url=service.base_url), tmp_path)
    assert told.returncode != 0
    assert "406" in told.stderr
    assert "in clip.mp4" in told.stdout
    assert b"Insufficient credits" in (tmp_path / "clip.mp4").read_bytes()


def test_nothing_is_sent_where_a_picture_is_missing(hostile, service, tmp_path):
    """Snippets travel without their pictures: the one that is not there is named, and no call is made."""
    for command, snippet in ((SHELLS["bash"], as_curl), ([sys.executable, "-"], as_requests)):
        told = run(command, snippet(hostile, lambda _: "gone.png", base_url=service.base_url), tmp_path)
        assert told.returncode != 0
        assert "gone.png" in told.stderr
    assert service.calls == []


def test_the_python_call_is_replayed(photo, noise, tmp_path):
    """The snippet for Python asks for the very same clip: it comes from the archive, whatever the pictures are."""
    pictures = [Reference(photo, name='it\'s "a" cat.png'), Reference(noise, name="noise.jpg")]
    request = VideoRequest(prompt=HOSTILE, references=pictures, aspect_ratio="1:1", seed=7, bgm=False)
    made = vidu.Client.preview().generate(request)

    def kept(reference):
        return next(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob(f"{reference.sha256}.*"))

    told = f"{as_python(request, kept)}\nprint(video.receipt.replayed, str(video.path) == {str(made.path)!r})\n"
    ended = run([sys.executable, "-"], told, tmp_path, SEGMIND_API_KEY="")
    assert ended.stdout.splitlines()[-1:] == ["True True"], ended.stderr
    assert not list(tmp_path.rglob("hacked"))


def test_the_python_call_reads_well():
    """Defaults and names that follow from the file are left out; another service is named."""
    request = VideoRequest(prompt="A cat.", references="https://example.com/cat.png", seed=7)
    assert as_python(request, None, base_url="http://127.0.0.1:1") == (
        "import vidu_nb as vidu\n"
        "\n"
        "video = vidu.generate(\n"
        '    "A cat.",\n'
        "    [\n"
        '        "https://example.com/cat.png",\n'
        "    ],\n"
        "    seed=7,\n"
        '    client=vidu.Client(base_url="http://127.0.0.1:1"),\n'
        ")\n"
        "video\n"
    )


@pytest.mark.parametrize(
    "different", [{}, {"aspect_ratio": "9:16"}, {"seed": 0, "bgm": False}, {"movement_amplitude": "large"}]
)
def test_every_parameter_arrives_in_python(different):
    """Exactly the parameters that differ from their defaults are written, as keywords that `generate` takes."""
    asked = {"prompt": "A cat.\nA dog.", "references": ["https://example.com/a.png"], **different}
    assert in_python(as_python(VideoRequest(**asked), None)) == asked


@pytest.mark.parametrize("snippet", [as_python, as_requests, as_curl])
def test_no_snippet_holds_a_picture(snippet, hostile, picture_path):
    """The pictures stay in their files; invisible characters are written out."""
    code = snippet(hostile, picture_path)
    assert len(code) < 4000
    assert all(c.isprintable() or c == "\n" for c in code)


# Other models.


def requests_of_others(photo, clip):
    """A request of each kind, with every type of parameter, by its model's slug."""
    local, far = Reference(photo, name="a.png"), "https://example.com/b.png"
    made = [
        vidu.models["wan2.7-r2v"].request(
            prompt=HOSTILE, negative_prompt="`rain`\n$HOME", references=[local, far], duration=7, resolution="1080P",
            reference_videos=[clip, "https://example.com/walk.mp4"], reference_voice=clip,
        ),
        vidu.models["sdxl1.0-txt2img"].request(prompt="A cat.", style="it's `new`", samples=2, refiner=False, seed=-1),
        vidu.models["sdxl-img2img"].request(prompt="A cat.", image=local, strength=0.65, scheduler="Euler a"),
        vidu.models["faceswap-v2"].request(source_img=local, target_img=far, base64=True),
        vidu.models["sd2.1-faceswapper"].request(input_face_image=far, target_face_image=local, file_type="gif"),
    ]  # fmt: skip
    return {one.model.slug: one for one in made}


@pytest.fixture
def media_path(picture_path, tmp_path, small_clip):
    """Where pictures and clips lie for the code that is run."""

    def path_of(medium):
        if isinstance(medium, Reference):
            return picture_path(medium)
        (tmp_path / medium.name).write_bytes(small_clip.read_bytes())
        return medium.name

    return path_of


OTHERS = [slug for slug in vidu.models if not PATH.endswith(slug)]


@pytest.mark.parametrize("slug", OTHERS)
def test_what_arrives_is_the_request_of_any_model(slug, photo, small_clip, media_path, service, tmp_path):
    """Both curl and `requests` post to the model's own address exactly its request's payload, files included."""
    request = requests_of_others(photo, small_clip)[slug]
    calls = run_all(request, media_path, service, tmp_path)
    assert [call[:3] for call in calls] == [(f"/v1/{slug}", KEY, "application/json")] * 3
    for *_, body in calls:
        assert json.loads(body) == request.payload()
    assert not list(tmp_path.rglob("hacked"))


@pytest.mark.parametrize("slug", OTHERS)
def test_the_python_call_makes_the_same_request(slug, photo, small_clip, media_path, tmp_path, monkeypatch):
    """Run with `generate` and `picture` that hand their arguments back, it makes an equal request."""
    request = requests_of_others(photo, small_clip)[slug]
    code = as_python(request, media_path)
    call = ast.parse(code).body[-2].value
    monkeypatch.chdir(tmp_path)
    given = {one.arg: eval(ast.unparse(one.value), {"vidu": vidu, **helpers(code)}) for one in call.keywords}
    values = [eval(ast.unparse(one), {"vidu": vidu, **helpers(code)}) for one in call.args]
    assert given.pop("model") == slug
    assert call.func.attr == ("generate" if request.model.returns == "video" else "picture")
    named = dict(zip(("prompt", "references"), values, strict=False))
    assert vidu.models[slug].request(**named, **given) == request


def helpers(code):
    """What a snippet imports beside the package."""
    names = {}
    exec("\n".join(line for line in code.splitlines() if line.startswith("from ")), names)
    return names


PNG, GIF, JPEG = b"\x89PNG\r\n\x1a\n" + bytes(90), b"GIF89a" + bytes(90), b"\xff\xd8\xff" + bytes(90)


def as_json(*pictures):
    """What the service answers where base64 was asked for, or several pictures."""
    texts = [base64.b64encode(one).decode() for one in pictures]
    return "application/json", json.dumps({"image": texts if len(texts) > 1 else texts[0]}).encode()


@pytest.mark.parametrize(
    ("answer", "files"),
    [
        (("image/png", PNG), {"picture.png": PNG}),
        (("image/gif", GIF), {"picture.gif": GIF}),
        (("image/jpeg", JPEG), {"picture.jpg": JPEG}),
        (as_json(JPEG), {"picture-1.jpg": JPEG}),
        (as_json(PNG, JPEG, GIF), {"picture-1.png": PNG, "picture-2.jpg": JPEG, "picture-3.gif": GIF}),
    ],
    ids=["png", "gif", "jpeg", "base64", "several"],
)
def test_pictures_are_written_as_what_they_are(answer, files, service, tmp_path):
    """Bytes, base64 text and several: each file has the ending of what is in it, by `requests` and by curl."""
    request = vidu.models["sdxl1.0-txt2img"].request(prompt="A cat.")
    service.answer = answer
    programs = {"py": [sys.executable, "-"], "sh": SHELLS["bash"], "pasted": SHELLS["interactive"]}
    for name, program in programs.items():
        folder = tmp_path / name
        folder.mkdir()
        write = as_requests if name == "py" else as_curl
        told = run(program, write(request, None, base_url=service.base_url), folder)
        found = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".part"}
        assert found == files, told.stderr


def test_a_refused_picture_is_told_and_fails(service, tmp_path):
    """Where the service refuses there is no picture; curl keeps the answer beside, and says where."""
    request = vidu.models["sdxl1.0-txt2img"].request(prompt="A cat.")
    service.status = 406
    told = run(SHELLS["bash"], as_curl(request, None, base_url=service.base_url), tmp_path)
    assert told.returncode != 0
    assert "406" in told.stderr
    assert "picture.part" in told.stdout
    assert b"Insufficient credits" in (tmp_path / "picture.part").read_bytes()
    assert run([sys.executable, "-"], as_requests(request, None, base_url=service.base_url), tmp_path).returncode != 0
    assert not list(tmp_path.glob("picture.jpg"))


def test_the_call_of_another_model_reads_well():
    """Only what is given stands there; a model of pictures is asked with `picture`."""
    request = vidu.models["sdxl1.0-txt2img"].request(prompt="A cat.", samples=2)
    assert as_python(request, None) == (
        'import vidu_nb as vidu\n\npicture = vidu.picture(\n    "A cat.",\n    samples=2,\n'
        '    model="sdxl1.0-txt2img",\n)\npicture\n'
    )
