"""From a prompt to shots: who is seen when, how the camera moves, and where the cuts are.

Reading never fails: words that mean nothing here leave a choice open, and every open choice is drawn from the seed and
the prompt, so that the same inputs give the same storyboard in every process and on every machine.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, TypeVar

from ...console import printable
from ...errors import ViduError
from ...references.last_frame import LAST_FRAME, opening
from ..parameters import frame_of, prompt_of, seconds_of, seed_of
from ..subjects import in_plain_words, phrases_of, subjects_of
from .casting import Take, cast, condense, fit, weight
from .moves import AMPLITUDES, PACES, SIZES, move_of
from .script import clauses, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ...catalogue.request import Request

FPS = 24
DISSOLVE = 8  # frames
MIN_SHOT = 16  # frames: two thirds of a second, about as short as a picture can be and still be seen
TRANSITIONS = ("start", "cut", "dissolve")

_HEAD = ("shot", "time", "picture", "move", "size", "begins with", "words")
_SOFT = 1.9  # a picture that is enlarged more often looks soft: 1000 pixels across a wide frame
_LEAST = 64  # px: below it there is no room for the badge
_MOST_SCENES = 7  # grounds that stand in for pictures
_DRAFT_SIDE = 960  # px, the longer one: half of the clip's in 16:9 and 9:16

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Shot:
    """One camera move over one picture, `frames` long from frame `start` on, at 24 frames a second.

    Attributes
    ----------
    start, frames : int
        The first frame, counted from the clip's first as 0, and how many there are, 1 at least.
    picture : int
        Which reference is shown, from 0.
    move : str
        One of `moves.MOVES`, or several of them joined by " + ".
    size, pace : str
        ``"wide"``, ``"medium"`` or ``"close-up"``; ``"slow"``, ``"normal"`` or ``"fast"``.
    text : str
        The prompt's words for it, which its caption repeats.
    transition : str
        How it begins: ``"start"``, ``"cut"`` or ``"dissolve"``, which mixes its first 8 frames with the shot before.
    who : str
        Whom of a cast it shows; empty where there is none.

    Raises
    ------
    ValueError
        A word that is none of these, or no frame.
    """

    start: int
    frames: int
    picture: int
    move: str
    size: str
    text: str
    pace: str = "normal"
    transition: str = "cut"
    who: str = ""

    def __post_init__(self) -> None:
        move_of(self.move)
        known = (("size", SIZES), ("pace", PACES), ("transition", TRANSITIONS))
        for name, values in known:
            if getattr(self, name) not in values:
                raise ValueError(f"{name}={getattr(self, name)!r} is none of {', '.join(values)}")
        if self.frames < 1:
            raise ValueError(f"a shot of {self.frames} frames: it needs at least one")


@dataclass(frozen=True, slots=True)
class Storyboard:
    """Everything that decides a clip, apart from the pictures themselves.

    Prints as a table. As a cell's last value it is that table, with a strip of frames where `clip` tells the file.

    Attributes
    ----------
    shots : tuple of Shot
        One after the other, without gaps; together `frames` long, at 24 frames a second.
    width, height : int
        Pixels, even, 64 at least.
    seed, amplitude, bgm, prompt
        As in `plan`.
    notes : tuple of str
        What a person should know of it.
    clip : Path or None
        The file that was made of it.

    Raises
    ------
    ValueError
        An odd or too small size, an unknown amplitude, or shots that leave gaps or don't fill the clip.

    >>> import vidu_nb as vidu
    >>> request = vidu.VideoRequest(prompt="A cat. Then a cup", references="https://example.com/cat.png", seed=7)
    >>> board = vidu.storyboard(request)
    >>> len(board.shots), board.frames, (board.width, board.height)
    (2, 120, (1920, 1080))
    """

    shots: tuple[Shot, ...]
    width: int
    height: int
    frames: int
    seed: int
    amplitude: str
    bgm: bool
    prompt: str
    notes: tuple[str, ...] = field(default=(), repr=False, compare=False)
    clip: Path | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.width % 2 or self.height % 2 or min(self.width, self.height) < _LEAST:
            raise ValueError(
                f"{self.width}x{self.height}: H.264 wants even sizes, and the badge at least {_LEAST} pixels"
            )
        if self.amplitude not in AMPLITUDES:
            raise ValueError(f"amplitude={self.amplitude!r} is none of {', '.join(AMPLITUDES)}")
        end = 0
        for shot in self.shots:
            if shot.start != end:
                raise ValueError(f"a shot starts at frame {shot.start}: it should follow the last one at {end}")
            end += shot.frames
        if not self.shots or end != self.frames:
            raise ValueError(f"the shots end at frame {end}: they should fill {self.frames} frames")

    def at(self, index: int) -> int:
        """Return the number, from 0, of the shot that frame `index` belongs to: in a dissolve that is the new one."""
        return next(i for i, shot in enumerate(self.shots) if index < shot.start + shot.frames)

    def span(self, number: int) -> int:
        """Count the frames that a shot is seen for: one that is dissolved away goes on moving until it is gone."""
        dissolved = any(later.transition == "dissolve" for later in self.shots[number + 1 : number + 2])
        return self.shots[number].frames + DISSOLVE * dissolved

    def rows(self) -> list[tuple[str, ...]]:
        """Return the plan as a table of texts: a head, and a row for each shot."""
        rows: list[tuple[str, ...]] = [_HEAD]
        for number, shot in enumerate(self.shots, 1):
            begin, end = shot.start / FPS, (shot.start + shot.frames) / FPS
            move = shot.move if shot.pace == "normal" else f"{shot.move} ({shot.pace})"
            time = f"{begin:.2f}-{end:.2f} s"
            words = " ".join(shot.text.split())
            picture = f"{shot.picture + 1} {shot.who}".rstrip()
            rows.append((str(number), time, picture, move, shot.size, shot.transition, words))
        return rows

    def __str__(self) -> str:
        rows = [[printable(cell) for cell in row] for row in self.rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows)
        return "\n".join((*(line.rstrip() for line in lines), *map(printable, self.notes)))

    def _repr_html_(self) -> str:
        head, *rows = self.rows()
        cell = 'style="text-align:left;vertical-align:top;white-space:normal;overflow-wrap:anywhere"'
        table = "".join(f'<th scope="col" {cell}>{escape(name)}</th>' for name in head)
        for row in rows:
            table += f"</tr><tr>{''.join(f'<td {cell}>{escape(text)}</td>' for text in row)}"
        notes = "".join(f'<div style="font-size:12px;margin-top:4px">{escape(note)}</div>' for note in self.notes)
        return f"<table><tr>{table}</tr></table>{notes}{self._strip()}"

    def _strip(self) -> str:
        if self.clip is None:
            return ""
        from .strip import strip_html  # Pillow and FFmpeg: nobody who plans a clip needs them

        rows = self.rows()[1:]
        shots = [
            ((shot.start + shot.frames / 2) / FPS, shot.move, f"{row[0]} · {row[3]} · {row[1]}")
            for shot, row in zip(self.shots, rows, strict=True)
        ]
        try:
            return strip_html(self.clip, shots)
        except ViduError as error:  # the plan is worth showing without its frames
            return f"<p>{escape(str(error))}</p>"


def plan_of(request: Request, *, seed: int | None = None, draft: bool = False, clip: Path | None = None) -> Storyboard:
    """Plan the animatic of a request.

    Parameters
    ----------
    request
        What is asked.
    seed
        Stands in for the request's own, for a request with seed 0.
    draft
        Whether frames are small, 960 pixels on their longer side; nothing else differs.
    clip
        The file that was made of it, whose frames stand beneath the table.

    Returns
    -------
    Storyboard
        The same for the same request and seed; its notes name the pictures that look soft in the full frame, and the
        scripts that captions can't be drawn in.

    >>> from vidu_nb import VideoRequest
    >>> request = VideoRequest(prompt="A cat. Then a cup", references="https://example.com/cat.png", seed=7)
    >>> full, small = plan_of(request), plan_of(request, draft=True)
    >>> (full.width, full.height), (small.width, small.height), full.shots == small.shots
    ((1920, 1080), (960, 540), True)
    """
    width, height = frame_of(request)
    if draft:
        scale = min(1.0, _DRAFT_SIDE / max(width, height))
        width, height = (max(_LEAST, 2 * round(side * scale / 2)) for side in (width, height))
    subjects = subjects_of(request)
    prompt, shown = prompt_of(request), [one for one in subjects for _ in range(one.frames)]
    begins = opening(request.model.name_pictures).rstrip()
    movement = request.by_role("movement")
    board = plan(
        prompt,
        [one.medium.name for one in shown] or [""] * scenes_in(prompt),
        width=width,
        height=height,
        duration=seconds_of(request),
        seed=seed_of(request) if seed is None else seed,
        movement_amplitude=movement if movement in tuple(AMPLITUDES) else "auto",
        bgm=request.by_role("sound") is True,
        mentions=tuple(one.mention for one in shown),
        videos=sum(one.is_video for one in shown),
        members=tuple(one.who for one in shown),
        phrases=phrases_of(subjects, request.model.name_pictures),
        opens=begins if shown and shown[0].who == LAST_FRAME and prompt.startswith(begins) else "",
    )
    return replace(board, notes=(*_soft(request), *_unlettered(prompt), *_stand_ins(request)), clip=clip)


def scenes_in(prompt: str) -> int:
    """Return how many grounds stand in where a request names no pictures: one for each clause, 1 to 7.

    >>> scenes_in("A lake. Then a wood.")
    2
    """
    return min(max(1, len(list(clauses(prompt)))), _MOST_SCENES)


def _soft(request: Request) -> tuple[str, ...]:
    """Return a line about the pictures that have too few pixels for the frame, as far as their sizes are known."""
    width, height = frame_of(request)
    found = []
    for number, reference in enumerate(request.pictures, 1):
        if reference.size is None or reference.name == LAST_FRAME:  # behind a URL; of a clip, which nobody can choose
            continue
        enlarged = max(width / reference.size[0], height / reference.size[1])
        if enlarged > _SOFT:
            found.append("{0} ({2}x{3}, {1:.1f} times)".format(number, enlarged, *reference.size))
    many = len(found) > 1
    told = f"Enlarged to {width}x{height} and therefore soft: picture{'s' * many} {', '.join(found)}."
    return (told,) if found else ()


def _stand_ins(request: Request) -> tuple[str, ...]:
    """Return lines about what a preview shows and plays in the place of something else."""
    shown, seconds = subjects_of(request), request.by_role("duration")
    notes = []
    if not shown:
        notes.append("The request names no pictures: painted grounds stand in, one for each clause of the prompt.")
    if any(one.is_video for one in shown):
        notes.append("Reference videos are shown by a few of their frames.")
    if request.by_role("voice") is not None:
        notes.append("The reference voice is played as it is, at most 10 s of it; the model gives it other words.")
    elif request.model.by_role("sound") is None:
        notes.append("The preview is silent; the model may add sound of its own.")
    if seconds is not None and seconds_of(request) != seconds:
        notes.append(f"The preview takes {seconds_of(request):g} s: previews last 1 to 60 s.")
    return tuple(notes)


# Latin, Greek, Cyrillic, Chinese, Japanese, Korean: OpenCV comes with their letters.
_LETTERED = re.compile(
    r"[\x00-\u024f\u0370-\u04ff\u1e00-\u1eff\u2000-\u206f\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uff5e]*"
)


def _unlettered(prompt: str) -> tuple[str, ...]:
    """Return a line about letters of the prompt that no font has."""
    if _LETTERED.fullmatch(prompt):
        return ()
    from ..film.letters import missing  # OpenCV: most plans do without it

    names = missing(prompt)
    told = (
        f"No font on this machine has the letters for {', '.join(names)}: captions leave them out. Noto Sans has them."
    )
    return (told,) if names else ()


def plan(
    prompt: str,
    names: Sequence[str],
    *,
    width: int,
    height: int,
    duration: float,
    seed: int,
    movement_amplitude: str,
    bgm: bool,
    mentions: tuple[str, ...] = (),
    videos: int = 0,
    members: tuple[str, ...] = (),
    phrases: Mapping[str, str] | None = None,
    opens: str = "",
) -> Storyboard:
    """Read a prompt as a storyboard of `duration` seconds at 24 frames a second.

    Parameters
    ----------
    prompt
        Any text. Sentences, and words such as "then", "cut to" or "back to", begin a shot.
    names
        One display name for each reference, such as "cat.jpg", or "". A clause gets the pictures that it names, by
        order ("the second image") or by the words of a name; the others are cast by the seed.
    width, height
        Size of the clip in pixels, even, 64 at least.
    duration
        Seconds, 1 at least.
    seed
        Decides what the words leave open.
    movement_amplitude
        "auto", "small", "medium" or "large".
    bgm
        Whether there is music.
    mentions
        What else names each picture, such as "Image1"; none by default.
    videos
        How many of them, at the end, are no pictures: "the second image" means none of these.
    members
        Whom of a cast each picture shows, or ""; none by default.
    phrases
        What captions say in the place of words that only a model needs.
    opens
        The prompt's first sentence, where it only says that the clip begins with the first picture: a short shot stands
        for it, as still as a clip's last frame, so that the two join.

    Returns
    -------
    Storyboard
        The same for the same arguments, in every process and on every machine.

    Raises
    ------
    ValueError
        No name, a size or an amplitude that `Storyboard` refuses, or less than a second.

    >>> board = plan("A cat naps. Then the camera pans left over the roofs.", ["roofs.png", "cat.jpg"], width=1920,
    ...              height=1080, duration=5, seed=7, movement_amplitude="auto", bgm=True)
    >>> [(shot.picture, shot.move) for shot in board.shots][1:]
    [(0, 'pan left')]
    """
    if not names:
        raise ValueError("a storyboard needs at least one picture: pass one name, or an empty string, for each")
    rng = random.Random(
        f"{seed}\n{prompt}".encode("utf-8", "surrogatepass")
    )  # not hash(): it differs between processes
    frames = round(duration * FPS)
    first = _opening(frames) if opens else None
    left = frames - (first.frames if first else 0)
    most = max(1, left // MIN_SHOT)
    beats = condense([read(text, names, mentions, videos) for text in clauses(prompt.removeprefix(opens))], most)
    beats = [beat._replace(text=in_plain_words(beat.text, phrases or {})) for beat in beats]
    free = range(1 if first and len(names) > 1 else 0, len(names))
    takes = fit(cast(beats, _shuffled(rng, free)), most, left)
    lengths = _share(left, [weight(take, takes) for take in takes])
    shots = tuple(
        replace(shot, who=members[shot.picture]) if members else shot for shot in _direct(takes, lengths, rng, first)
    )
    return Storyboard(shots, width, height, frames, seed, movement_amplitude, bgm, prompt)


# ── Directing ─────────────────────────────────────────────────────────────────────────────────────


def _share(frames: int, weights: Sequence[float]) -> list[int]:
    """Share `frames` out by weight (largest remainders), at least `MIN_SHOT` each where that is possible."""
    least = min(MIN_SHOT, frames // len(weights))
    rest = frames - least * len(weights)
    exact = [rest * weight / sum(weights) for weight in weights]
    shares = [int(x) for x in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[: rest - sum(shares)]:
        shares[i] += 1
    return [least + share for share in shares]


def _opening(frames: int) -> Shot:
    """Return a still look at the whole first picture, in the clip's first frames."""
    return Shot(0, min(MIN_SHOT, frames // 3), 0, "static", "wide", "", transition="start")


_OPEN_MOVES = ("push in", "pull out", "pan left", "pan right", "tilt up", "tilt down", "orbit", "orbit left")
_DISSOLVED = 0.55  # the share of open transitions that are dissolves
_OPEN_SIZES = {"wide": ("medium", "close-up"), "medium": ("wide", "close-up"), "close-up": ("wide", "medium")}


def _direct(takes: Sequence[Take], lengths: Sequence[int], rng: random.Random, first: Shot | None) -> Iterator[Shot]:
    """Draw what is left open. Each take draws the same number of times, so that a word changes only its own shot."""
    start, last = 0, None
    seen: dict[int, Shot] = {}  # how each picture was shown last
    if first:
        yield first
        start, last, seen[first.picture] = first.frames, first, first
    for take, frames in zip(takes, lengths, strict=True):
        beat = take.beat
        used = [shot.move for shot in (last, seen.get(take.picture)) if shot is not None]
        moves = [move for move in _OPEN_MOVES if move not in used]
        move, shift, joint = _pick(rng, moves), rng.random(), rng.random()
        if beat.size:
            size = beat.size
        elif take.picture in seen:
            size = _OPEN_SIZES[seen[take.picture].size][int(shift * 2)]  # the same size again would look like a slip
        else:
            size = ("wide", "wide", "medium")[int(shift * 3)]
        transition = beat.transition or ("dissolve" if joint < _DISSOLVED or last is first is not None else "cut")
        shot = Shot(start, frames, take.picture, beat.move or move, size, beat.text, beat.pace, transition)
        if last is None:
            shot = replace(shot, transition="start")
        elif last.picture == take.picture and beat.transition is None:
            shot = replace(shot, transition="cut")  # to another angle one cuts: mixed with itself a picture is a blur
        yield shot
        start, last, seen[take.picture] = start + frames, shot, shot


def _pick(rng: random.Random, options: Sequence[_Item]) -> _Item:
    # Only random() is promised to stay the same from one Python to the next; choice() and shuffle() are not.
    return options[int(rng.random() * len(options))]


def _shuffled(rng: random.Random, items: Sequence[_Item]) -> list[_Item]:
    keys = [rng.random() for _ in items]
    return [item for _, item in sorted(zip(keys, items, strict=True), key=lambda pair: pair[0])]
