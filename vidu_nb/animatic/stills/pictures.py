"""From a request for pictures to their files: swapped faces, a restyled picture, or a designed card."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...catalogue.field import Role
from ...catalogue.request import Request
from ...errors import InvalidRequest
from ...references.images import decode
from ..cancellation import Question, check
from ..fetching import AddressRule, fitted, is_allowed, load_picture, load_pictures
from ..film.camera import Box
from ..film.lettering import badge_chip, caption_chip, small_prints
from ..output import Output
from ..parameters import details, frame_of, prompt_of, samples_of, strength_of, text_of
from ..subjects import subjects_of
from .animation import is_animated, read_animation, write_gif
from .card import card
from .faces import FEW_SIDES, SIDES, chosen, faces_in, indices, swap
from .restyle import restyle

Picture = NDArray[np.uint8]
T = TypeVar("T")

STRENGTH = 0.65  # where none is given
_PIXELS = 4_200_000  # of a picture that is changed; a larger one is made smaller
_INSET = 0.16  # of the shorter side: further pictures, which stand at the foot
_FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "gif": "GIF"}

Progress = Callable[[int, int], None]


def make_pictures(
    request: Request,
    *,
    seed: int,
    allow: AddressRule = is_allowed,
    progress: Progress | None = None,
    cancelled: Question | None = None,
) -> tuple[Output, ...]:
    """Make the pictures that a request asks for, as previews of what the model would.

    Parameters
    ----------
    request
        Of a model that returns pictures.
    seed
        Stands in for the request's own.
    allow
        Which addresses a picture's URL may lead to.
    progress
        Called with (pictures or frames done, all of them).
    cancelled
        Asked between pictures and frames.

    Raises
    ------
    InvalidRequest
        A picture is damaged or can't be fetched, or a face that is asked for isn't there.
    Cancelled
        When `cancelled()` returned True.
    """
    if request.by_role("face") is not None and request.by_role("picture") is not None:
        return (_swapped(request, allow, progress, cancelled),)
    sources = load_pictures(request, allow=allow, cancelled=cancelled)
    count = samples_of(request)
    made = []
    for number in range(count):
        check(cancelled)
        drawn = (_restyled if sources else _designed)(request, sources, seed, number, count)
        made.append(_encoded(request, drawn))
        if progress is not None:
            progress(number + 1, count)
    return tuple(made)


def _designed(request: Request, _sources: Sequence[Picture], seed: int, number: int, count: int) -> Picture:
    width, height = frame_of(request)
    shown: tuple[Role, ...] = ("prompt", "width", "height", "seed", "samples", "style", "file_type")
    style = request.by_role("style")
    parts = [request.model.title, f"{width}×{height}", *_seeded(request, seed), *_numbered(number, count)]
    parts += [f"style: {text_of(style)}"] if style not in (None, "") else []
    rest = details(request, shown=shown)
    return card(
        width,
        height,
        prompt=prompt_of(request),
        style=_style_of(request),
        seed=_sample_seed(seed, number),
        small_print=" · ".join([*parts, rest] if rest else parts),
    )


def _restyled(request: Request, sources: Sequence[Picture], seed: int, number: int, count: int) -> Picture:
    strength = strength_of(request, STRENGTH)
    main = _main(request)
    source = np.asarray(fitted(Image.fromarray(sources[main]), _PIXELS))
    changed = restyle(
        source,
        prompt=prompt_of(request),
        style=_style_of(request),
        seed=_sample_seed(seed, number),
        strength=strength,
    )
    others = [picture for place, picture in enumerate(sources) if place != main]
    image = Image.fromarray(changed)
    _inset(image, others)
    shown: tuple[Role, ...] = ("prompt", "picture", "references", "seed", "samples", "file_type", "videos")
    parts = [*_seeded(request, seed), *_numbered(number, count), details(request, shown=shown)]
    return _labelled(image, prompt_of(request), " · ".join(filter(None, parts)))


def _main(request: Request) -> int:
    """Return which of the pictures is changed: the one whose role it is, else the first."""
    field, place = request.model.by_role("picture"), 0
    for subject in subjects_of(request):
        if field is not None and subject.where == field.name:
            return place
        place += subject.frames
    return 0


def _inset(image: Image.Image, others: Sequence[Picture]) -> None:
    """Set further pictures along the right edge, small."""
    side = round(_INSET * min(image.size))
    gap = max(2, side // 12)
    x, y = image.width - side - gap, image.height - side - gap
    for picture in others:
        if y < side:
            return
        small = Image.fromarray(picture)
        small.thumbnail((side, side))
        framed = Image.new("RGB", (small.width + 2 * (gap // 2), small.height + 2 * (gap // 2)), "white")
        framed.paste(small, (gap // 2, gap // 2))
        image.paste(framed, (x + side - small.width, y + side - small.height))
        y -= side + gap


def _swapped(request: Request, allow: AddressRule, progress: Progress | None, cancelled: Question | None) -> Output:
    names = {role: field.name for role in ("face", "picture") if (field := request.model.by_role(role))}
    lists = {}
    for role in ("picture_faces", "face_faces"):
        field = request.model.by_role(role)
        lists[role] = indices(request.by_role(role), name=field.name if field else role), field.name if field else role
    face, data = (load_picture(request, role, allow=allow, cancelled=cancelled) for role in ("face", "picture"))
    source = _decoded(face, names["face"])
    wanted, name = lists["face_faces"]
    sources = chosen(faces_in(source), wanted, picture=names["face"], name=name)
    print_ = details(request, shown=("prompt", "face", "picture", "file_type"))
    wanted, name = lists["picture_faces"]

    def changed(picture: Picture, targets: Sequence[Box]) -> Picture:
        image = Image.fromarray(swap(picture, targets, source, sources))
        return _labelled(image, prompt_of(request), print_)

    if not is_animated(data) or _format(request, "GIF") != "GIF":
        picture = _decoded(data, names["picture"])
        targets = chosen(faces_in(picture), wanted, picture=names["picture"], name=name)
        return _encoded(request, changed(picture, targets))
    animation = _about(names["picture"], lambda: read_animation(data, cancelled=cancelled))
    frames, most = [], len(animation.frames)
    found = [_frame_faces(frame, number, cancelled) for number, frame in enumerate(animation.frames)]
    fullest = max(found, key=len)
    chosen(fullest, wanted, picture=names["picture"], name=name)
    for done, (frame, faces) in enumerate(zip(animation.frames, found, strict=True), 1):
        check(cancelled)
        frames.append(changed(frame, [faces[one] for one in wanted if one < len(faces)]))
        if progress is not None:
            progress(done, most)
    return Output(write_gif(frames, animation.durations, animation.loop), "image/gif")


def _frame_faces(frame: Picture, number: int, cancelled: Question | None) -> list[Box]:
    check(cancelled)
    return faces_in(frame, sides=SIDES if number == 0 else FEW_SIDES)


def _about(name: str, read: Callable[[], T]) -> T:
    """Name the parameter in what is wrong with its picture."""
    problem = ""
    try:
        return read()
    except InvalidRequest as error:
        problem = error.message
    raise InvalidRequest(f"{name}: {problem}", field=name)


def _decoded(data: bytes, name: str) -> Picture:
    return _about(name, lambda: np.asarray(fitted(decode(data), _PIXELS)))


def _labelled(image: Image.Image, prompt: str, text: str) -> Picture:
    """Write the badge, the prompt and the small print on a picture."""
    badge_chip(*image.size).onto(image)
    if text:
        for chip in small_prints(*image.size, text):
            chip.onto(image)
    if prompt:
        caption_chip(*image.size, "", prompt).onto(image)
    return np.asarray(image)


def _style_of(request: Request) -> str:
    style = request.by_role("style")
    return "" if style is None else text_of(style)


def _sample_seed(seed: int, number: int) -> int:
    """Return a seed of its own for each sample; the first has the request's."""
    return seed if number == 0 else seed * 1009 + number


def _seeded(request: Request, seed: int) -> list[str]:
    return [f"seed {seed}"] if request.model.by_role("seed") else []


def _numbered(number: int, count: int) -> list[str]:
    return [f"sample {number + 1} of {count}"] if count > 1 else []


def _format(request: Request, default: str) -> str:
    return _FORMATS.get(str(request.by_role("file_type")).lower(), default)


def _encoded(request: Request, picture: Picture) -> Output:
    """Encode a picture as the request asks, else as JPEG."""
    kind = _format(request, "JPEG")
    if kind == "GIF":
        return Output(write_gif([picture]), "image/gif")
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **({"quality": 92, "subsampling": 0} if kind == "JPEG" else {}))
    return Output(buffer.getvalue(), f"image/{kind.lower()}")
