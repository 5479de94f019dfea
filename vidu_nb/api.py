"""`generate`, `preview` and `storyboard`: one call from a prompt and pictures to a clip, or to its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .catalogue.request import Request
from .client.client import Client
from .errors import InvalidRequest
from .references.reference import Source
from .request import AspectRatio, MovementAmplitude, Quality, VideoRequest
from .video import Video

if TYPE_CHECKING:
    from .animatic.story.storyboard import Storyboard


def generate(
    prompt: str,
    references: Source,
    *,
    aspect_ratio: AspectRatio = "16:9",
    duration: int = 5,
    seed: int = 42,
    bgm: bool = True,
    movement_amplitude: MovementAmplitude = "auto",
    client: Client | None = None,
) -> Video:
    """Make a clip from a prompt and one to seven pictures.

    With a key this is a paid call of about two minutes and half a dollar. Without one, the free local preview engine
    answers.

    Parameters
    ----------
    prompt
        What happens in the clip; at most 1500 characters.
    references
        One to seven of: path, ``https://`` URL, ``data:`` URI, base64 text, bytes, PIL image, `Reference`, uint8 array
        of shape (H, W), (H, W, 3) or (H, W, 4).
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
    client
        Who to ask; defaults to `Client.from_env()`.

    Raises
    ------
    InvalidRequest
        A parameter is wrong; nothing was sent.
    ViduError
        See `Client.generate`.

    >>> from PIL import Image
    >>> generate("A wall. Zoom in.", Image.new("RGB", (256, 256), "navy"), aspect_ratio="1:1", seed=7)
    Video(1:1 · 5 s · seed 7 · preview, free, ...)
    """
    request = VideoRequest(
        prompt=prompt,
        references=references,
        aspect_ratio=aspect_ratio,
        duration=duration,
        seed=seed,
        bgm=bgm,
        movement_amplitude=movement_amplitude,
    )
    return (client or Client.from_env()).generate(request)


def preview(
    prompt: str,
    references: Source,
    *,
    aspect_ratio: AspectRatio = "16:9",
    duration: int = 5,
    seed: int = 42,
    bgm: bool = True,
    movement_amplitude: MovementAmplitude = "auto",
    quality: Quality = "full",
    client: Client | None = None,
) -> Video:
    """Make a free animatic of the same request on the local preview engine, in seconds; no key, no network.

    Parameters are those of `generate`, and `quality`: ``"draft"`` is 960 pixels on the long side and much sooner there,
    with the same plan and timing. The result is a moving storyboard of the references, never the model's work.

    Raises
    ------
    InvalidRequest
        A parameter is wrong, or `client` asks a service that costs money, or comes with a `quality` of its own.

    >>> from skimage import data
    >>> preview("Coffee, slow push in.", data.coffee(), bgm=False).info.audio_codec is None
    True
    """
    request = VideoRequest(
        prompt=prompt,
        references=references,
        aspect_ratio=aspect_ratio,
        duration=duration,
        seed=seed,
        bgm=bgm,
        movement_amplitude=movement_amplitude,
    )
    if client and not client.is_free:
        raise InvalidRequest("client: it asks a paid service; a preview wants Client.preview()", field="client")
    if client and quality != "full":
        raise InvalidRequest("quality: the client has its own; pass one of the two", field="quality")
    return (client or Client.preview(quality=quality)).generate(request)


def storyboard(request: Request | Video) -> Storyboard | None:
    """Plan the preview of a request: its shots, camera moves and the pictures they show.

    Parameters
    ----------
    request
        A request; or a clip, whose own frames then stand beneath the table.

    Returns
    -------
    Storyboard or None
        Shows itself as a table; None for a clip whose request is not known. For a paid clip it is what a preview of the
        same request would do: the model goes its own ways.

    >>> request = VideoRequest(prompt="A cat, push in. Then a cup.", references="https://example.com/cat.png")
    >>> [shot.move for shot in storyboard(request).shots][0]
    'push in'
    """
    if isinstance(request, Video):
        return request.storyboard
    from .animatic.story.storyboard import plan_of

    return plan_of(request)
