"""`consistency` and `framing`, of a clip and of a whole film."""

from __future__ import annotations

import os
from typing import overload

from ..catalogue.request import DRAFT_ENDING, Request
from ..client.client import Client
from ..errors import InvalidRequest, NotKept
from ..measures.consistency import RATE, Consistency
from ..measures.consistency import consistency as of_clip
from ..measures.embedding import Embed
from ..measures.film_consistency import FilmConsistency, consistency_of_scenes
from ..measures.film_framing import FilmFraming, framing_of_scenes
from ..measures.framing import Framing
from ..measures.framing import framing as framing_of_one
from ..measures.scenes import SceneClip
from ..references.reference import Source
from ..request import Quality
from ..storage.archive import Archive
from ..video import Video
from .film import Film

QUALITIES: tuple[Quality, ...] = ("full", "draft")  # of previews, the better one first


@overload
def consistency(
    video: Video | str | os.PathLike[str],
    references: Source = None,
    *,
    embed: Embed | None = None,
    rate: float = RATE,
    threshold: float | None = None,
) -> Consistency: ...


@overload
def consistency(
    video: Film,
    references: None = None,
    *,
    embed: Embed | None = None,
    rate: float = RATE,
    threshold: float | None = None,
) -> FilmConsistency: ...


def consistency(
    video: Video | Film | str | os.PathLike[str],
    references: Source = None,
    *,
    embed: Embed | None = None,
    rate: float = RATE,
    threshold: float | None = None,
) -> Consistency | FilmConsistency:
    """Look for each reference in a clip, or for a film's cast in its scenes.

    Parameters
    ----------
    video
        A `Video`, or a file's path; or a `Film`, of which each scene that has a clip is measured: with those whom its
        prompt mentions, by all their pictures. Of a film that nobody paid for, its previews are measured: the full ones
        if there are any, else the drafts.
    references
        One to seven pictures; defaults to all those of the video's request, whatever its model calls them. URLs are not
        fetched: pass the pictures. A film has its cast.
    embed
        A function from a list of uint8 RGB pictures to an array of one vector each, such as ``vidu.dino()``; cosines of
        these vectors then are the scores. The default finds local features and colours: it knows a picture again when
        it is cropped, turned, mirrored, tinted or blurred. It does not know a person again in another pose, from
        behind, or drawn in another style; for a model's output take `dino`.
    rate
        Samples a second, more than 0. What is on screen for less than one step may be missed; edges are exact to a
        frame, since they are searched for between two samples. So all frames between two samples are held in memory,
        3 MB each in 1080p: 8 of them by default, 48 for one sample in two seconds.
    threshold
        The score from which on a reference counts as on screen, 0 to 1; by default 0.5, and 0.6 with `embed`.

    Returns
    -------
    Consistency or FilmConsistency
        Of a film: the cast by scene, the weakest scene, and what drifts from scene to scene. Of a clip: scores by
        reference and sample, spans, best frames, shots, and the frame-to-frame consistency of VBench (Huang et al.,
        CVPR 2024, arXiv:2311.17982, "subject consistency"): the mean over samples t = 2..T of half the likeness to the
        first and half the likeness to the one before. VBench takes every frame and DINO's vectors; here the samples and
        the given measure are taken.

    Raises
    ------
    InvalidRequest
        No reference, one that can't be opened, a rate that is not more than 0, or a picture in place of a clip.
    NotKept
        No scene of the film has a clip yet.
    ViduError
        The file is no video, or `embed` returns something else than vectors.

    >>> import vidu_nb as vidu
    >>> from skimage import data
    >>> clip = vidu.preview("The cat looks up.", data.cat(), aspect_ratio="1:1", bgm=False)
    >>> vidu.consistency(clip).spans
    ((Span(start=0.0, end=5.0),),)
    >>> cast = vidu.Cast(cat=data.cat(), cup=data.coffee())
    >>> film = vidu.Film(["@cat naps.", "A @cup steams."], cast=cast, aspect_ratio="1:1", bgm=False)
    >>> film.preview(quality="draft").info.duration
    10.0
    >>> print(vidu.consistency(film))
    FilmConsistency(2 scenes, preview, draft; weakest: ...)
            1     2
    cat  0...     -
    cup     -  0...
    - not measured, ? no clip yet
    """
    if not isinstance(video, Film):
        return of_clip(video, references, embed=embed, rate=rate, threshold=threshold)
    if references is not None:
        message = "references: a film is measured by its cast: pass one of its clips to look for other pictures"
        raise InvalidRequest(message, field="references")
    if not video.cast:
        raise InvalidRequest("cast: the film has none, so there is nobody to look for", field="cast")
    of, scenes = _scenes(video)
    return consistency_of_scenes(scenes, video.cast, of=of, embed=embed, rate=rate, threshold=threshold)


@overload
def framing(source: Video | Request, *, archive: Archive | None = None) -> Framing: ...


@overload
def framing(source: Film, *, archive: None = None) -> FilmFraming: ...


def framing(source: Video | Request | Film, *, archive: Archive | None = None) -> Framing | FilmFraming:
    """Measure how much of the subject each aspect ratio keeps, and whether it lies inside the usual safe areas.

    Parameters
    ----------
    source
        A request, such as a `VideoRequest`, is judged before anything is paid: its free previews in the three ratios
        are made or replayed (one with a random seed as if it were 42), and the subject is followed through their
        storyboards; references given by URL are fetched, from public addresses only. A `Video` is judged by its frames,
        two a second: its own ratio, and for the others a crop from the middle and the best crop; so is the one preview
        of a request to a model that can't be asked for the three ratios. Of a `Film` each scene's clip is judged; which
        ones these are, see `consistency`.
    archive
        Where previews are kept; defaults to that of `Client`.

    Returns
    -------
    Framing or FilmFraming
        With ``.table``, ``.areas`` and ``.plot()``. Shares are 0 to 1, boxes are in pixels of `FRAME_SIZES`.

    Raises
    ------
    InvalidRequest
        Neither a video nor a request for one nor a film, or a reference can't be read or fetched.
    NotKept
        No scene of the film has a clip yet.
    ViduError
        The video can't be read, or no preview could be made.

    Notes
    -----
    What a clip's own frame has already cut off can't be known, so its own ratio always keeps 1. A preview's camera
    goes nearer than the subject's box on purpose: a close-up keeps less in every ratio. Its roll is left out of
    account.

    >>> import vidu_nb as vidu
    >>> from PIL import Image
    >>> clip = vidu.preview("A wall. Static.", Image.new("RGB", (256, 256)), aspect_ratio="1:1", bgm=False)
    >>> [(cut.ratio, cut.way, cut.size) for cut in vidu.framing(clip).cuts][2:]
    [('1:1', 'own frame', (1080, 1080)), ('9:16', 'centre crop', (1080, 1920)), ('9:16', 'best crop', (1080, 1920))]
    """
    if not isinstance(source, Film):
        return framing_of_one(source, archive=archive)
    of, scenes = _scenes(source)
    return framing_of_scenes(scenes, of=of)


def _scenes(film: Film) -> tuple[str, list[SceneClip]]:
    """Return a film's scenes with their clips, and whose these are: paid ones if there are any, else previews.

    Raises
    ------
    NotKept
        No scene has a clip.
    """
    own = film.client or Client.from_env()
    previews = (Client.preview(quality=quality, archive=own.archive) for quality in QUALITIES)
    for client in (own, *previews):
        clips = film.clips(client)
        if clips:
            is_draft = client.name_of(film.model).endswith(DRAFT_ENDING)
            scenes = [
                SceneClip(scene.title, film.cast.mentioned(scene.prompt), clips.get(index))
                for index, scene in enumerate(film.scenes)
            ]
            return f"{client.engine}, draft" if is_draft else client.engine, scenes
    raise NotKept(
        "no scene of the film has a clip yet", remedy="film.preview() makes free ones, film.shoot() paid ones."
    )
