"""Who and what a request shows: its pictures and videos in order, each with the words that a prompt names it by."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..catalogue.field import MANY
from ..catalogue.request import Medium, Request
from ..references.attachment import Attachment
from ..references.last_frame import LAST_FRAME
from ..references.reference import Reference
from .attachments import FRAMES


@dataclass(frozen=True, slots=True)
class Subject:
    """A picture or a video that a request names.

    Attributes
    ----------
    medium : Reference or Attachment
    where : str
        Its place in the API's body, such as ``image_urls[0]``.
    mention : str
        What the model's prompts call it, such as ``Image1``.
    frames : int
        How many still pictures show it.
    """

    medium: Medium
    where: str
    mention: str
    frames: int = 1

    @property
    def is_video(self) -> bool:
        """Whether it moves."""
        return isinstance(self.medium, Attachment)

    @property
    def who(self) -> str:
        """Whom of a cast it shows, or that it is another clip's last frame; empty for all others."""
        if self.medium.name == LAST_FRAME:
            return LAST_FRAME
        return self.medium.member if isinstance(self.medium, Reference) else ""


def subjects_of(request: Request) -> tuple[Subject, ...]:
    """Return the pictures that a request names, then its videos; sounds and other links are not seen.

    >>> from vidu_nb import models
    >>> request = models["wan2.7-r2v"].request(
    ...     prompt="Image1 follows Video1", references="https://example.com/a.png",
    ...     reference_videos="https://example.com/b.mp4"
    ... )
    >>> [(one.where, one.mention, one.frames) for one in subjects_of(request)]
    [('reference_images[0]', 'Image1', 1), ('reference_videos[0]', 'Video1', 3)]
    """
    model = request.model
    pictures: list[Subject] = []
    videos: list[Subject] = []
    for field in model.media:
        is_video = field.role == "videos"
        if not is_video and not field.type.startswith("picture"):
            continue
        value = request.value(field.name)
        found = videos if is_video else pictures
        for place, medium in enumerate(value if isinstance(value, tuple) else () if value is None else (value,)):
            where = f"{field.name}[{place}]" if field.type in MANY else field.name
            mention = model.mention.format(name=medium.name, number=len(found) + 1).strip()
            found.append(Subject(medium, where, _of_video(mention) if is_video else mention, FRAMES if is_video else 1))
    return (*pictures, *videos)


def _of_video(mention: str) -> str:
    """Return how a video is named where a picture is named so: Image1 gives Video1."""
    return re.sub("(?i)image|picture", lambda found: "Video" if found[0][0].isupper() else "video", mention)


def mentioned(text: str, mentions: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return where a text names which of the subjects, as (place, number from 0), in the order of its words.

    >>> mentioned("video1 looks at Image 1, not at Image12", ("Image1", "Video1"))
    [(0, 1), (16, 0)]
    """
    found = []
    for number, mention in enumerate(mentions):
        if not mention:
            continue
        words = re.sub(r"(?<=[^\W\d_])(?=\d)", "\0", mention)  # between letters and their number there may be a space
        pattern = _apart(mention, re.escape(words).replace("\0", r"\s?"))
        found += [(hit.start(), number) for hit in re.finditer(pattern, text, re.IGNORECASE)]
    return sorted(found)


def phrases_of(subjects: Iterable[Subject], name_pictures: Callable[[str, Sequence[int]], str]) -> Mapping[str, str]:
    """Return whom of a cast each phrase of a prompt means, by the phrase: ``anna (image 1, image 2)`` means anna.

    Parameters
    ----------
    subjects
        Those of the request.
    name_pictures
        `Model.name_pictures`, which wrote the phrases.
    """
    numbers: dict[str, list[int]] = {}
    for number, one in enumerate((one for one in subjects if not one.is_video), 1):
        numbers.setdefault(one.who, []).append(number)
    return {phrase: who for who, places in numbers.items() if who and (phrase := name_pictures(who, places))}


def in_plain_words(text: str, phrases: Mapping[str, str]) -> str:
    """Return a text with names in the place of the phrases that a model wants.

    >>> in_plain_words("Image1, Image2 waves at Image12.", {"Image1, Image2": "anna"})
    'anna waves at Image12.'
    """
    if not phrases:
        return text
    longest_first = sorted(phrases, key=len, reverse=True)
    pattern = "|".join(_apart(phrase, re.escape(phrase)) for phrase in longest_first)
    return re.sub(pattern, lambda found: phrases[found[0]], text)


def _apart(words: str, pattern: str) -> str:
    """Return a pattern for words that are no part of others: image1 is none of image12."""
    begins, ends = re.match(r"\w", words, re.ASCII), re.search(r"\w\Z", words, re.ASCII)
    return f"{'(?<![A-Za-z0-9_])' if begins else ''}{pattern}{'(?![A-Za-z0-9_])' if ends else ''}"
