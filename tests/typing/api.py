"""Public calls as people write them; nothing here runs, mypy reads it: what is typed wrong for them is red."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from PIL.Image import Image

import vidu_nb as vidu
from vidu_nb.catalogue.request import Request
from vidu_nb.measures.film_consistency import FilmConsistency
from vidu_nb.measures.film_framing import FilmFraming

PROMPT = "A cat naps on a sofa, slow push in. Then it looks up, close-up."


def making(picture: Image, array: np.ndarray[Any, np.dtype[np.uint8]], data: bytes) -> None:
    """One call, whatever a picture is."""
    for source in ("cat.jpg", Path("cat.jpg"), "https://example.com/cat.png", data, picture, array):
        assert_type(vidu.generate(PROMPT, source), vidu.Video)
    assert_type(vidu.generate(PROMPT, ["cat.jpg", picture], aspect_ratio="9:16", seed=7, bgm=False), vidu.Video)
    assert_type(vidu.preview(PROMPT, [vidu.Reference("cat.jpg", name="cat")], quality="draft"), vidu.Video)
    vidu.generate(PROMPT, "cat.jpg", aspect_ratio="4:3")  # type: ignore[call-overload]
    vidu.generate(PROMPT, "cat.jpg", seed="seven")  # type: ignore[call-overload]
    vidu.generate(PROMPT, "cat.jpg", surprise=1)  # type: ignore[call-overload]


def any_model(own: Path) -> None:
    """Another model takes its own parameters, and is named by its slug or as itself."""
    model = vidu.models.add(own)
    assert_type(model, vidu.Model)
    for name in (model, model.slug):
        vidu.generate(PROMPT, model=name, duration=7, resolution="1080P")
        vidu.preview(PROMPT, "cat.jpg", model=name, quality="draft", aspect_ratio="21:9")
        assert_type(vidu.Plan.of(PROMPT, model=name, guidance=[3, 7.5]), vidu.Plan)
        assert_type(vidu.sweep(PROMPT, model=name, guidance=[3, 7.5], budget_usd=1), vidu.Sweep)
    lighthouse = vidu.picture("A lighthouse at dusk", samples=1)
    assert_type(vidu.generate(PROMPT, lighthouse), vidu.Video)
    vidu.picture(model=model, references=["face.jpg", "scene.jpg"])
    assert_type(vidu.framing(model.request(prompt=PROMPT)), vidu.Framing)


def asking() -> vidu.VideoRequest:
    """A request is a value."""
    request = vidu.VideoRequest(prompt=PROMPT, references="cat.jpg", seed=7)
    assert_type(request.replace(seed=8).key(), str)
    assert_type(request.payload(), dict[str, Any])
    assert_type(request.references, tuple[vidu.Reference, ...])
    assert_type(request.seed, int)
    request.seed = 9  # type: ignore[misc]
    return request


def paying(request: vidu.VideoRequest, folder: Path) -> vidu.Video:
    """A client with a budget, and its calls that are not closed."""
    client = vidu.Client(archive=folder, budget=vidu.Budget(5, folder / "class.json"), mode="queue", notify=print)
    for call in client.pending():
        assert_type(call, vidu.Pending)
        client.settle(call, billed=False)
    assert_type(client.resume(), list[vidu.Video | vidu.Picture | vidu.Pictures])
    assert_type(client.credits(), vidu.Credits)
    try:
        return client.generate(request, fresh=True)
    except vidu.errors.OutcomeUnknown as error:
        assert_type(error.remedy, str)
        assert_type(error.request_id, str | None)
    except vidu.errors.APIError as error:
        assert_type(error.status, int)
    return client.generate(request, offline=True)


def looking(video: vidu.Video) -> Iterator[object]:
    """What a clip has."""
    assert_type(video.path, Path)
    assert_type(video.bytes, bytes)
    assert_type(video.caption, str)
    assert_type(video.request, Request | None)
    assert_type(video.receipt.cost_usd if video.receipt else None, float | None)
    assert_type(video.save("clip.mp4", references=False), Path)
    assert_type(video.poster(side=320), Image)
    assert_type(vidu.load("clip.mp4"), vidu.Video | vidu.Picture | vidu.Film)
    assert_type(vidu.show([video, video], labels=["a", "b"]), vidu.Player)
    assert_type(vidu.storyboard(video), vidu.Storyboard | None)
    yield from video.frames(side=64)


def going_wide() -> list[vidu.Video]:
    """A grid, on this machine or elsewhere."""
    with ThreadPoolExecutor(2) as pool:
        swept = vidu.sweep(
            PROMPT, "cat.jpg", seed=[1, 2, 3], aspect_ratio=["16:9", "9:16"], quality="draft", executor=pool
        )
    assert_type(swept, vidu.Sweep)
    plan = vidu.Plan.of(PROMPT, ["cat.jpg"], seed=range(1, 100)).priced()
    assert_type(plan.price_usd, float | None)
    return list(swept.videos)


def casting(picture: Image, folder: Path) -> vidu.Cast:
    """Names with pictures, which prompts mention."""
    cast = vidu.Cast(anna=["anna1.jpg", picture], cafe=folder / "cafe.jpg")
    assert_type(cast["anna"], tuple[vidu.Reference, ...])
    assert_type(vidu.Cast({"red-car": picture}, anna=picture), vidu.Cast)
    assert_type(cast.save(folder), Path)
    assert_type(vidu.Cast.load("people"), vidu.Cast)
    assert_type(cast.mentioned("@anna waves"), tuple[str, ...])
    assert_type(cast.replace(ben=picture).without("anna"), vidu.Cast)
    assert_type(vidu.generate("@anna waves", cast, seed=7), vidu.Video)
    assert_type(vidu.preview("@anna waves", [cast, picture]), vidu.Video)
    assert_type(vidu.sweep(["@anna waves", "In the @cafe"], cast, seed=[1, 2]), vidu.Sweep)
    assert_type(vidu.Plan.of("@anna waves", [[cast], [cast, picture]]), vidu.Plan)
    for name, pictures in cast.items():
        assert_type((name, pictures[0]), tuple[str, vidu.Reference])
    return cast


def filming(cast: vidu.Cast, story: Path) -> Path:
    """Scenes that share a cast: written, previewed, priced, paid for, chosen from, and handed on."""
    scene = vidu.Scene("She walks to @cafe.", title="Outside", seed=7, continues=True)
    assert_type(scene.replace(seed=8, continues=False).prompt, str)
    film = vidu.Film(["@anna wakes up.", scene], cast=cast, aspect_ratio="16:9", seed=42, music="film", dissolve=0.5)
    assert_type(film[1], vidu.Scene)
    assert_type(film.replace(1, prompt="She runs.").insert(0, "A door.").move(0, 2).without(1), vidu.Film)
    assert_type(film.priced().price_usd, float | None)
    assert_type(film.preview(quality="draft"), vidu.Video)
    assert_type(film.shoot(budget_usd=3, confirm=True, fresh=[1]), vidu.Film)
    assert_type(film.video, vidu.Video)
    assert_type(film.videos, list[vidu.Video])
    assert_type(film.takes(1), list[vidu.Video])
    assert_type(vidu.Film.from_text("story.md", cast=cast, title="A morning"), vidu.Film)
    assert_type(vidu.Film.from_text(story, cast={"anna": "anna.jpg"}), vidu.Film)
    return film.save("film.otio")


def measuring(a: vidu.Video, b: vidu.Video, film: vidu.Film) -> None:
    """Figures of clips."""
    assert_type(vidu.consistency(a), vidu.Consistency)
    assert_type(vidu.framing(a), vidu.Framing)
    assert_type(vidu.consistency(film), FilmConsistency)
    assert_type(vidu.framing(film), FilmFraming)
    vidu.reproduces(a, b)


async def exploring() -> vidu.Video:
    """A panel does from code what it does by hand."""
    panel = vidu.panel(PROMPT, ["cat.jpg"], seed=7)
    assert_type(panel, vidu.Panel)
    assert_type(panel.preview(), vidu.Video)
    return await panel.run("generate")


def serving() -> str:
    """The service's API without the service."""
    with vidu.PreviewServer(key="k", credits=2.0) as server:
        return server.base_url
