"""A film as an editor's timeline, through OpenTimelineIO and whichever of its adapters are installed."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ViduError
from ..media import probe
from ..video import Video
from .recipe import film_recipe

if TYPE_CHECKING:
    from .film import Film

#: Ending → what pip calls its adapter; the first two are OpenTimelineIO's own.
ADAPTERS = {
    ".otio": "", ".otioz": "", ".edl": "otio-cmx3600-adapter", ".xml": "otio-fcp-adapter",
    ".fcpxml": "otio-fcpx-xml-adapter",
}  # fmt: skip
#: Formats that name media by an address, and how it begins: Final Cut Pro 7 wants the host.
_BY_ADDRESS = {".xml": "file://localhost/", ".fcpxml": "file:///"}
_FOLDERS = frozenset({".otiod"})  # no files
_MEANT = frozenset("%#?;")  # characters of a path that an address would be read by
_RATE = 24.0  # frames a second, of a file that doesn't tell
_NAMESPACE = "vidu_nb"
_INT64 = 2**63


def timeline_endings() -> tuple[str, ...]:
    """Return the endings that stand for a timeline: those that are known, and those that installed adapters write."""
    known = tuple(ADAPTERS)
    try:
        otio = importlib.import_module("opentimelineio")
    except ImportError:
        return known
    return (*known, *sorted(_installed(otio) - set(known)))


def _installed(otio: Any) -> set[str]:
    return {f".{suffix}" for suffix in otio.adapters.suffixes_with_defined_adapters(write=True)} - _FOLDERS


def check_adapter(ending: str) -> None:
    """Make sure that timelines with an ending can be written.

    Raises
    ------
    ViduError
        OpenTimelineIO or the adapter is not installed; the message has pip's command.
    """
    try:
        otio = importlib.import_module("opentimelineio")
    except ImportError:
        otio = None
    if otio is None:
        raise ViduError(
            f"{ending}: OpenTimelineIO is not installed; nothing was saved",
            remedy="Install it with: pip install 'vidu-nb[edit]'",
        )
    if ending not in _installed(otio):
        raise ViduError(
            f"{ending}: OpenTimelineIO's adapter for it is not installed; nothing was saved",
            remedy=f"Install it with: pip install {ADAPTERS.get(ending) or 'opentimelineio'}, and restart the kernel.",
        )


def write_timeline(film: Film, clips: Sequence[Video], target: Path, ending: str) -> None:
    """Write a film as a timeline.

    Parameters
    ----------
    film
        The film.
    clips
        The clip of each of its scenes.
    target
        Where to.
    ending
        Which form, such as ``".otio"``.

    Raises
    ------
    ViduError
        A clip can't be read, or the adapter can't write this film.
    OSError
        It can't be written there.
    """
    otio = importlib.import_module("opentimelineio")
    timeline = timeline_of(film, clips, url_of=_addresses(ending))
    adapter = otio.adapters.from_filepath(f"film{ending}")
    problem = ""
    try:
        otio.adapters.write_to_file(timeline, str(target.absolute()), adapter_name=adapter.name)
    except OSError:
        raise
    except Exception as error:  # whatever somebody's adapter raises
        problem = f"{type(error).__name__}: {error}"[:300]
    if problem:
        raise ViduError(f"OpenTimelineIO's adapter {adapter.name} can't write this film ({problem})")


def _addresses(ending: str) -> Callable[[Path], str]:
    """Return how a form names media.

    In OpenTimelineIO's own that is a plain path: DaVinci Resolve and Kdenlive take no other, and its functions take it
    as well. A path that these would misread, since it has a character that means something in an address, becomes one.
    """
    if begin := _BY_ADDRESS.get(ending):
        return lambda path: path.as_uri().replace("file:///", begin, 1)
    return lambda path: path.as_uri() if _MEANT & set(str(path)) else path.as_posix()


class _Span(NamedTuple):
    """A scene's clip on the timeline: its own frames and rate; head and tail lie in dissolves beyond its cuts."""

    name: str
    path: Path
    frames: int
    rate: float
    has_sound: bool
    head: int = 0  # frames of the film, as the tail
    tail: int = 0


def timeline_of(film: Film, clips: Sequence[Video], *, url_of: Callable[[Path], str] = Path.as_posix) -> Any:
    """Return a film as an `opentimelineio.schema.Timeline`: a track of its clips, one of its sound, and markers.

    A dissolve is centred on its cut, and the clips keep the frames that it needs. A marker stands where a scene begins
    to be seen, as its chapter does. Recipes stand in the metadata under ``vidu_nb``: the film's in the timeline, a
    scene's in its clip.

    Parameters
    ----------
    film, clips
        The film, and the clip of each of its scenes.
    url_of
        How media is named.
    """
    otio = importlib.import_module("opentimelineio")
    recipe = _storable(film_recipe(film, clips))
    scenes = recipe["film"].pop("scenes")
    spans = _spans(film, clips)
    rate = spans[0].rate

    def at(frames: int) -> Any:
        return otio.opentime.RationalTime(frames, rate)

    timeline = otio.schema.Timeline(film.title or "Film", global_start_time=at(0))
    timeline.metadata[_NAMESPACE] = recipe
    pictures = otio.schema.Track("Scenes", kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(pictures)
    tail = 0
    for number, (span, scene) in enumerate(zip(spans, scenes, strict=True), 1):
        if span.head or tail:  # a transition tells how much of the second clip comes before the cut, of the first after
            kind = otio.schema.TransitionTypes.SMPTE_Dissolve
            pictures.append(otio.schema.Transition("Cross Dissolve", kind, at(span.head), at(tail)))
        clip = _clip(otio, span, rate, url_of)
        # The names of clips begin alike, and a reel has eight letters.
        clip.metadata["cmx_3600"] = {"reel": f"SCENE{number:03d}"}
        clip.metadata[_NAMESPACE] = {"number": number, **scene}
        pictures.append(clip)
        start = pictures.range_of_child(clip).start_time.rescaled_to(rate) - at(span.head)
        timeline.tracks.markers.append(otio.schema.Marker(span.name, otio.opentime.TimeRange(start, at(1))))
        tail = span.tail
    if sound := _sound(otio, film, spans, pictures.duration().rescaled_to(rate), url_of):
        timeline.tracks.append(sound)
    return timeline


def _spans(film: Film, clips: Sequence[Video]) -> list[_Span]:
    spans = []
    for number, (scene, clip) in enumerate(zip(film.scenes, clips, strict=True), 1):
        info = probe(clip.path)
        name = scene.title or f"Scene {number}"  # as the chapter is called
        spans.append(_Span(name, clip.path.absolute(), info.frames, info.fps or _RATE, info.audio_codec is not None))
    rate = spans[0].rate
    lengths = [max(1, round(span.frames / span.rate * rate)) for span in spans]
    for number, pair in enumerate(pairwise(lengths)):  # a scene gives away half of itself at each of its ends at most
        shared = min(round(film.dissolve * rate), *(length // 2 for length in pair))
        spans[number] = spans[number]._replace(tail=shared - shared // 2)
        spans[number + 1] = spans[number + 1]._replace(head=shared // 2)
    return spans


def _clip(otio: Any, span: _Span, rate: float, url_of: Callable[[Path], str]) -> Any:
    def frames(start: int, count: int) -> Any:
        time = otio.opentime.RationalTime
        return otio.opentime.TimeRange(time(start, span.rate), time(count, span.rate))

    reference = otio.schema.ExternalReference(url_of(span.path), frames(0, span.frames))
    reference.name = span.path.name
    head, tail = (round(count * span.rate / rate) for count in (span.head, span.tail))
    return otio.schema.Clip(span.name, reference, frames(head, span.frames - head - tail))


def _sound(otio: Any, film: Film, spans: Sequence[_Span], length: Any, url_of: Callable[[Path], str]) -> Any:
    """Return the track of a film's sound, None where it has none."""
    if film.music == "none" or (film.music == "clips" and not any(span.has_sound for span in spans)):
        return None
    track = otio.schema.Track("Sound", kind=otio.schema.TrackKind.Audio)
    if film.music == "clips":
        for span in spans:
            clip = _clip(otio, span, length.rate, url_of)
            track.append(clip if span.has_sound else otio.schema.Gap(name=span.name, source_range=clip.source_range))
        return track
    # A track that was composed for the film is in the joined clip.
    path = film.video.path if film.music == "film" else Path(film.music)
    frames = round(length.value)
    whole = frames if film.music == "film" else max(1, round(_seconds_of(path, length.to_seconds()) * length.rate))
    for start in range(0, frames, whole):
        span = _Span("Music", path.absolute(), whole, length.rate, has_sound=True, tail=max(0, start + whole - frames))
        track.append(_clip(otio, span, length.rate, url_of))
    return track


def _seconds_of(path: Path, default: float) -> float:
    """Return how long a sound file is; the default where it doesn't tell, and where it can't be read."""
    import av

    try:
        with av.open(str(path)) as container:
            return (container.duration or 0) / 1_000_000 or default
    except (av.FFmpegError, OSError):
        return default


def _storable(value: Any) -> Any:
    """Return JSON-ready values as OpenTimelineIO holds them: its whole numbers have 64 bits, and all are numbers."""

    def stored(one: Any) -> Any:
        if isinstance(one, dict):
            return {name: stored(inner) for name, inner in one.items()}
        if isinstance(one, list):
            return [stored(inner) for inner in one]
        is_large = isinstance(one, int) and not -_INT64 <= one < _INT64
        return str(one) if is_large or (isinstance(one, float) and not math.isfinite(one)) else one

    return stored(json.loads(json.dumps(value)))
