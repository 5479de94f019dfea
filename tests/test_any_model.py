"""A model is one file: with it everything works, without it what was made of it still shows; nothing else names one."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from services import Service

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest

PACKAGE = Path(vidu.__file__).parent
KEY = "SG_not-a-real-key"
SLUG = "grok-imagine-video-1.5-reference-to-video"
#: From the few facts that are known of it: a price, and how many references it takes.
GROK = f"""\
slug = "{SLUG}"
title = "Grok Imagine 1.5 reference to video"
returns = "video"
price_usd = 1.08
source = "the service's catalogue of models, without a page of its own"

[fields.prompt]
type = "string"
role = "prompt"
required = true
hint = "say what happens in the clip"

[fields.reference_images]
type = "pictures"
role = "references"
required = true
min_items = 1
max_items = 7

[fields.aspect_ratio]
type = "string"
role = "aspect_ratio"
choices = ["16:9", "9:16", "1:1"]
default = "16:9"
sure = false
mark = "guessed from sibling models"

[fields.duration]
type = "integer"
role = "duration"
default = 6
sure = false

[fields.mood]
type = "string"
choices = ["calm", "wild"]
sure = false
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a user's own models, with one in it."""
    place = tmp_path / "models"
    place.mkdir()
    (place / "grok.toml").write_text(GROK)
    monkeypatch.setenv("VIDU_NB_MODELS", str(place))
    return place


@pytest.fixture
def service(small_clip):
    """A paid service that makes a clip of whatever it is asked; `bodies` holds what that was."""
    bodies = []

    def answer(call):
        bodies.append(json.loads(call.body))
        call.say(small_clip.read_bytes(), cost=1.08)

    with Service(answer) as running:
        running.bodies = bodies
        yield running


def test_a_model_of_one_s_own_goes_all_the_way(folder, service, command, photo, tmp_path):
    """From its file through list, panel, preview, sweep, archive and saved recipe; and without it the clips still show.

    No code knows it.
    """
    # It is listed, with what is not documented.
    assert SLUG in command("models").out
    assert "not documented" in command("models", SLUG).out
    assert vidu.models[SLUG].price_usd == 1.08

    # The panel has a control for each parameter, and makes its request.
    panel = vidu.panel("A cat naps.", [photo], model=SLUG, mood="calm")
    assert panel.request.model == SLUG
    assert panel.request.value("mood") == "calm"

    # Its preview is free.
    preview = vidu.preview("A cat naps. Then it looks up.", [photo], model=SLUG, mood="calm", quality="draft")
    assert preview.is_preview
    assert preview.receipt.cost_usd == 0
    assert vidu.storyboard(preview.request).shots
    assert vidu.consistency(preview).names

    # A sweep prices it by its file, pays once for each, and sends only what was given.
    client = vidu.Client(KEY, service.url, mode="sync", notify=len)
    asked = {"model": SLUG, "mood": ["calm", "wild"], "duration": [4, 6], "client": client}
    plan = vidu.Plan.of("A cat naps.", [photo], **{name: asked[name] for name in ("model", "mood", "duration")})
    assert plan.priced(client).price_usd == pytest.approx(4 * 1.08)
    swept = vidu.sweep("A cat naps.", [photo], budget_usd=5, confirm=True, **asked)
    assert repr(swept) == "Sweep(4 of 4 clips · $4.32 spent)"
    assert {frozenset(body) for body in service.bodies} == {
        frozenset({"prompt", "reference_images", "duration", "mood"})
    }
    again = vidu.sweep("A cat naps.", [photo], **asked)
    assert (again.spent_usd, len(service.bodies)) == (0.0, 4)

    # The archive holds the clips, and a copy holds its request.
    clip = swept.at(mood="wild", duration=6)
    saved = clip.save(tmp_path / "cat.mp4")
    assert vidu.load(saved).request == clip.request
    assert client.generate(vidu.load(saved).request).receipt.replayed
    assert len(json.loads(command("archive", "list", "--json").out)) >= 4

    # Removed again, it is unknown, and what was made of it still shows, loads and is verified.
    (folder / "grok.toml").unlink()
    with pytest.raises(InvalidRequest, match="is not known"):
        vidu.generate("A cat naps.", [photo], model=SLUG, client=client)
    loaded = vidu.load(saved)
    assert loaded.request is None
    assert loaded.receipt.cost_usd == 1.08
    assert "text/html" in loaded._repr_mimebundle_()
    assert command("show", saved).status == 0
    assert command("archive", "verify").status == 0
    kept = [client.archive.open(entry) for entry in client.archive.entries(engine=client.engine)]
    assert len(kept) == 4
    assert vidu.show(kept).html().count("<video") == 4
    assert clip._repr_mimebundle_()["text/html"]


def test_a_file_that_is_wrong_takes_nothing_away(folder, command):
    """The others still work, and the file is named with its line."""
    (folder / "broken.toml").write_text('slug = "broken"\ntitle = 7\n')
    with pytest.warns(UserWarning, match=r"broken\.toml.*line 2"):
        listed = command("models").out
    assert SLUG in listed
    assert "broken" not in listed


def test_no_module_but_the_catalogue_and_the_preview_engine_names_a_model():
    """Slugs are data: the default goes by its one name in code, others by role and by what they return."""
    found = [
        (str(path.relative_to(PACKAGE)), text)
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in ("catalogue", "animatic")
        for text in literals(path)
        if any(slug in text for slug in vidu.models)
    ]
    assert not found


def literals(path):
    """The texts in a module's code; not its docstrings, whose examples may name what people write."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    expressions = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in expressions:
            yield node.value


def test_the_scan_would_see_one(tmp_path):
    """In plain texts, in f-strings and in tables; a docstring is no name."""
    path = tmp_path / "module.py"
    path.write_text('"""wan2.7-r2v"""\nA = {"x": "wan2.7-r2v"}\nB = f"{A}/wan2.7-r2v"\n')
    assert [text for text in literals(path) if "wan2.7-r2v" in text] == ["wan2.7-r2v", "/wan2.7-r2v"]


def test_the_service_s_own_sample_is_the_request_it_ever_was(service, command, monkeypatch):
    """The documented body, however it is asked: the same JSON, under the key that was paid for before."""
    body = {
        "prompt": "A man reads on a bench in a park, slow zoom on the book's cover, then back to him.",
        "image_urls": [f"https://pictures.example/input/{name}" for name in ("man.jpeg", "book.png", "park.jpeg")],
        "aspect_ratio": "16:9", "duration": 5, "seed": 42, "bgm": True, "movement_amplitude": "auto",
    }  # fmt: skip
    client = vidu.Client(KEY, service.url, mode="sync", notify=len)
    default = next(iter(vidu.models))
    made = [
        vidu.VideoRequest.from_payload(body),
        vidu.generate(body["prompt"], body["image_urls"], client=client).request,
        vidu.generate(body["prompt"], body["image_urls"], model=default, client=client).request,
        vidu.Plan.of(body["prompt"], body["image_urls"])[0],
    ]
    assert {one.key() for one in made} == {"56abb1177fbdda3bd8b18185d2e4c28832762051abf8b7941acfca13fdfe9f89"}
    assert service.bodies == [body]
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    monkeypatch.setenv("SEGMIND_BASE_URL", service.url)
    pictures = [word for url in body["image_urls"] for word in ("-r", url)]
    replayed = command("generate", body["prompt"], *pictures, "--model", default, "--set", "seed=42", "--json")
    assert json.loads(replayed.out)["receipt"]["replayed"]
