"""`generate`, `preview`, `picture` and `storyboard`: one call to a clip, to a picture, or to a clip's plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from .catalogue.model import Model
from .catalogue.models import models
from .catalogue.request import Request
from .client.client import Client
from .errors import InvalidRequest
from .references.reference import Source
from .request import DEFAULTS, AspectRatio, MovementAmplitude, Quality, given
from .video import Video

if TYPE_CHECKING:
    from .animatic.story.storyboard import Storyboard


@overload
def generate(
    prompt: str,
    references: Source,
    *,
    aspect_ratio: AspectRatio = ...,
    duration: int = ...,
    seed: int = ...,
    bgm: bool = ...,
    movement_amplitude: MovementAmplitude = ...,
    client: Client | None = None,
) -> Video: ...
@overload
def generate(
    prompt: str = ...,
    references: Source = ...,
    *,
    model: Model | str | None,
    client: Client | None = None,
    **parameters: Any,
) -> Any: ...
def generate(
    prompt: str = DEFAULTS.prompt,
    references: Source = DEFAULTS.references,
    *,
    aspect_ratio: str = DEFAULTS.aspect_ratio,
    duration: int = DEFAULTS.duration,
    seed: int = DEFAULTS.seed,
    bgm: bool = DEFAULTS.bgm,
    movement_amplitude: str = DEFAULTS.movement_amplitude,
    model: Model | str | None = None,
    client: Client | None = None,
    **parameters: Any,
) -> Any:
    """Make a clip from a prompt and one to seven pictures, or what another model returns from its own parameters.

    With a key this is a paid call of about two minutes and half a dollar. Without one, the free local preview engine
    answers.

    Parameters
    ----------
    prompt
        What happens in the clip; at most 1500 characters.
    references
        One to seven of: path, ``https://`` URL, ``data:`` URI, base64 text, bytes, PIL image, `Reference`, uint8 array
        of shape (H, W), (H, W, 3) or (H, W, 4); or a `Cast`, of which the prompt takes whom it mentions as ``@name``.
        Left out where a model needs none.
    aspect_ratio
        ``"16:9"`` (1920x1080), ``"1:1"`` (1080x1080) or ``"9:16"`` (1080x1920).
    duration
        Seconds; 5.
    seed
        0 to 999999; 0 means a random one, not reproducible.
    bgm
        Background music.
    movement_amplitude
        ``"auto"``, ``"small"``, ``"medium"`` or ``"large"``.
    model
        A `Model` or its slug from `models`. The defaults and limits above are Vidu Q1's; of another model its file says
        what can be passed, and what is not passed here is not sent unless its file has a default that is sure.
    client
        Who to ask; defaults to `Client.from_env()`.
    **parameters
        Another model's own parameters, as ``models[slug].fields`` names them.

    Returns
    -------
    Video
        Of a model that returns a picture a `Picture`, as from `picture`.

    Raises
    ------
    InvalidRequest
        A parameter is wrong, or the model has none of that name; nothing was sent.
    ViduError
        See `Client.generate`.

    >>> from PIL import Image
    >>> generate("A wall. Zoom in.", Image.new("RGB", (256, 256), "navy"), aspect_ratio="1:1", seed=7)
    Video(1:1 · 5 s · seed 7 · preview, free, ...)
    >>> generate("A wall", duration=7, tempo="slow", model="wan2.7-r2v")
    Traceback (most recent call last):
    ...
    vidu_nb.errors.InvalidRequest: tempo: unknown parameter; known are prompt, negative_prompt, references, ...
    """
    asked = given({
        "prompt": prompt, "references": references, "aspect_ratio": aspect_ratio, "duration": duration, "seed": seed,
        "bgm": bgm, "movement_amplitude": movement_amplitude,
    })  # fmt: skip
    request = models.find(model).request(**asked, **parameters)
    return (client or Client.from_env()).generate(request)


@overload
def preview(
    prompt: str,
    references: Source,
    *,
    aspect_ratio: AspectRatio = ...,
    duration: int = ...,
    seed: int = ...,
    bgm: bool = ...,
    movement_amplitude: MovementAmplitude = ...,
    quality: Quality = "full",
    client: Client | None = None,
) -> Video: ...
@overload
def preview(
    prompt: str = ...,
    references: Source = ...,
    *,
    quality: Quality = "full",
    model: Model | str | None,
    client: Client | None = None,
    **parameters: Any,
) -> Any: ...
def preview(
    prompt: str = DEFAULTS.prompt,
    references: Source = DEFAULTS.references,
    *,
    aspect_ratio: str = DEFAULTS.aspect_ratio,
    duration: int = DEFAULTS.duration,
    seed: int = DEFAULTS.seed,
    bgm: bool = DEFAULTS.bgm,
    movement_amplitude: str = DEFAULTS.movement_amplitude,
    quality: Quality = "full",
    model: Model | str | None = None,
    client: Client | None = None,
    **parameters: Any,
) -> Any:
    """Make a free animatic of the same request on the local preview engine, in seconds; no key, no network.

    Parameters are those of `generate`, and `quality`: ``"draft"`` is 960 pixels on the long side and much sooner there,
    with the same plan and timing. The result is a moving storyboard of the references, never the model's work; of a
    model that returns a picture it is a picture.

    Raises
    ------
    InvalidRequest
        A parameter is wrong, or `client` asks a service that costs money, or comes with a `quality` of its own.

    >>> from skimage import data
    >>> preview("Coffee, slow push in.", data.coffee(), bgm=False).info.audio_codec is None
    True
    """
    asked = given({
        "prompt": prompt, "references": references, "aspect_ratio": aspect_ratio, "duration": duration, "seed": seed,
        "bgm": bgm, "movement_amplitude": movement_amplitude,
    })  # fmt: skip
    request = models.find(model).request(**asked, **parameters)
    if client and not client.is_free:
        raise InvalidRequest("client: it asks a paid service; a preview wants Client.preview()", field="client")
    if client and quality != "full":
        raise InvalidRequest("quality: the client has its own; pass one of the two", field="quality")
    return (client or Client.preview(quality=quality)).generate(request)


def picture(
    prompt: str = DEFAULTS.prompt, *, model: Model | str | None = None, client: Client | None = None, **parameters: Any
) -> Any:
    """Make a picture with a model that returns one; a picture is a reference wherever one is taken.

    With a key this is a paid call; `Model.price_usd` has the price. Without one, the free local preview engine answers.

    Parameters
    ----------
    prompt
        What the picture shows. Left out for models that take none, such as face swappers.
    model
        A `Model` or its slug from `models`; by default the first that returns a picture and needs a prompt alone.
    client
        Who to ask; defaults to `Client.from_env()`.
    **parameters
        The model's own, as ``models[slug].fields`` names them; ``references`` stands for its pictures.

    Returns
    -------
    Picture
        Where more than one was asked for, a tuple of them.

    Raises
    ------
    InvalidRequest
        A parameter is wrong, or the model returns a video: nothing was sent.
    ViduError
        See `Client.generate`.

    >>> picture("A lighthouse at dusk", img_width=1001)
    Traceback (most recent call last):
    ...
    vidu_nb.errors.InvalidRequest: img_width: 1001 is not a multiple of 8: pass a whole number that is one
    """
    request = image_model(model).request(**given({"prompt": prompt}), **parameters)
    return (client or Client.from_env()).generate(request)


def image_model(name: Model | str | None) -> Model:
    """Return the model of that name; for None the first that returns a picture and needs a prompt alone.

    Raises
    ------
    InvalidRequest
        There is none of that name, or it returns a video.

    >>> image_model(None).returns
    'image'
    """
    model = models.find(_first_painter() if name is None else name)
    if model.returns == "image":
        return model
    message = f"model: {model.slug} returns a video: ask it with generate(), or name a model that returns a picture"
    raise InvalidRequest(message, field="model")


def _first_painter() -> Model:
    def needs_a_prompt_alone(model: Model) -> bool:
        return [one.role for one in model.fields.values() if one.required] == ["prompt"]

    return next(one for one in models.values() if one.returns == "image" and needs_a_prompt_alone(one))


def storyboard(request: Request | Video) -> Storyboard | None:
    """Plan the preview of a request: its shots, camera moves and the pictures they show.

    Parameters
    ----------
    request
        A request to any model that returns a video; or a clip, whose own frames then stand beneath the table.

    Returns
    -------
    Storyboard or None
        Shows itself as a table; None for a clip whose request is not known. For a paid clip it is what a preview of the
        same request would do: the model goes its own ways.

    Raises
    ------
    InvalidRequest
        It is, or asks for, a picture: only clips have shots.

    >>> import vidu_nb as vidu
    >>> request = vidu.VideoRequest(prompt="A cat, push in. Then a cup.", references="https://example.com/cat.png")
    >>> [shot.move for shot in storyboard(request).shots][0]
    'push in'
    """
    if isinstance(request, Video):
        return request.storyboard
    if not isinstance(request, Request) or request.model.returns != "video":
        problem = "request: only clips have shots: pass a request to a model that returns a video, or a Video"
        raise InvalidRequest(problem, field="request")
    from .animatic.story.storyboard import plan_of

    return plan_of(request)
