"""`Film`: scenes that share a cast and parameters, as an immutable value."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import operator
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Self, SupportsIndex, overload

from ..animated import SIDE
from ..catalogue.field import Field, plain
from ..catalogue.model import Model
from ..catalogue.models import models
from ..catalogue.request import Request, quietly
from ..client.client import Client
from ..console import dollars
from ..errors import InvalidRequest, ViduError, one_line
from ..files import expanded
from ..recipe import read_recipe
from ..references.cast import Cast
from ..references.last_frame import LAST_FRAME, opening
from ..references.reference import Reference, Source
from ..request import Quality
from ..storage.budget import Budget
from ..sweeps.formatting import format_seconds
from ..sweeps.run import WORKERS, workers_of
from ..sweeps.views import running_cell
from ..video import Video
from .clips import kept_clips, takes_of, whole_clips
from .joined import joined_film
from .pricing import FilmQuote, quote_film
from .saving import save_film
from .scene import MAX_TITLE, MUSIC, Scene, read_media, same_values
from .shooting import Shot, preview_film, shoot_film
from .storyboard import bundle, film_text
from .text import read_story

MAX_SCENES = 200
MAX_DISSOLVE = 2.0  # s
_OWN = ("cast", "title", "music", "dissolve", "model", "client")
_VALUE = ("scenes", "cast", "title", "music", "dissolve", "model", "_parameters")  # what makes two films equal
_UNKNOWN_SECONDS = 5.0  # of a clip whose request doesn't say how long it is


class Film:
    """Scenes that share a cast and parameters; shows itself as a storyboard.

    A value: what changes it gives a new one. What is paid for lies in the archive, so that a film which is written down
    again finds its clips again.

    Parameters
    ----------
    scenes
        Prompts, or `Scene`; one at least.
    cast
        Whom the prompts mention as ``@name``.
    title
        For people, and as the name of files.
    music
        ``"film"``: one track over all, composed for it; ``"clips"``: each clip's own sound, faded at the joints;
        ``"none"``; or a path to a sound file, which is looped or cut.
    dissolve
        Seconds from one scene to the next, at most 2; 0 cuts.
    model
        A `Model` or its slug; by default Vidu Q1.
    client
        Who is asked; by default `Client.from_env()`, when it is needed.
    **parameters
        Any parameter of the model, for all scenes that don't say otherwise; ``references`` are shown to each of them.

    Raises
    ------
    InvalidRequest
        Something is wrong; the message names the scene and the parameter.

    >>> from PIL import Image
    >>> cast = Cast(anna=Image.new("RGB", (256, 256), "navy"))
    >>> film = Film(["@anna wakes up.", Scene("She leaves.", seed=7, continues=True)], cast=cast, aspect_ratio="1:1")
    >>> len(film), film[1].continues, film.replace(0, prompt="@anna sleeps on.")[0].prompt
    (2, True, '@anna sleeps on.')
    >>> film.preview(quality="draft").info.duration
    10.0
    """

    scenes: tuple[Scene, ...]
    cast: Cast
    title: str
    music: str
    dissolve: float
    model: Model
    client: Client | None
    _parameters: dict[str, Any]
    # What is known of it besides.
    _quote: FilmQuote | None = None
    _priced_by: Client | None = None  # whose archive the quote looked at
    _shot: Shot | None = None
    _file: Path | None = None
    _cell: int | None = None  # the notebook's, which shows it already

    def __init__(
        self,
        scenes: Iterable[str | Scene] | str | Scene,
        *,
        cast: Cast | Mapping[str, Source] | None = None,
        title: str = "",
        music: str | os.PathLike[str] = "clips",
        dissolve: float = 0.0,
        model: Model | str | None = None,
        client: Client | None = None,
        **parameters: Any,
    ) -> None:
        of, many = models.find(model), list(_scenes(scenes))
        shared = read_media(of, parameters)
        for other in {scene.model for scene in many if scene.model}:
            unread = {name: value for name, value in shared.items() if not _knows(of, name)}
            shared = {name: shared[name] for name in shared if name not in unread} | read_media(other, unread)
        self._know(
            cast=_checked_cast(cast),
            title=_checked_title(title),
            music=_checked_music(music),
            dissolve=_checked_dissolve(dissolve),
            model=of,
            client=_checked_client(client),
            scenes=tuple(_with_media(of, index, scene) for index, scene in enumerate(many)),
            _parameters=shared,
        )
        self._check()

    @classmethod
    def from_text(
        cls,
        source: str | os.PathLike[str],
        *,
        cast: Cast | Mapping[str, Source] | None = None,
        client: Client | None = None,
        **parameters: Any,
    ) -> Self:
        r"""Make a film of plain text in Markdown: a paragraph is a scene, and headings are titles.

        A paragraph that begins with ``...`` continues the one before. Lines between ``---`` (YAML) or ``+++`` (TOML) at
        the beginning are the film's parameters, such as ``aspect_ratio: 9:16``; they name no files. Emphasis is left
        out, an item of a list is a scene, and what stands in ``<!-- -->`` is not read.

        Parameters
        ----------
        source
            A path, UTF-8; or the text itself, where it has more than one line.
        cast, client
            As for a film.
        **parameters
            Any other parameter of `Film`; these count instead of the text's own.

        Raises
        ------
        InvalidRequest
            The file can't be read, or something is wrong; the message names the line.

        >>> story = "---\naspect_ratio: 1:1\n---\n# Morning\n\nA wall, slow push in.\n\n... The sun comes up.\n"
        >>> film = Film.from_text(story, references="https://example.com/wall.png")
        >>> film[0].title, film[1].continues, film[1].prompt, film.parameters["aspect_ratio"]
        ('Morning', True, 'The sun comes up.', '1:1')
        """
        story = read_story(source, parameters)
        problem: InvalidRequest | None = None
        try:
            return cls(story.scenes, cast=cast, client=client, **{**story.settings, **parameters})
        except InvalidRequest as error:
            problem = error
        raise problem if problem.field in parameters else story.locate(problem)

    # The plan.

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What all scenes ask for that don't say otherwise, by name."""
        return dict(self._parameters)

    def model_of(self, index: SupportsIndex) -> Model:
        """Return the model that a scene asks."""
        return self.scenes[self._place(index)].model or self.model

    def request(self, index: SupportsIndex, *, frame: Reference | None = None) -> Request:
        """Return a scene's request.

        Parameters
        ----------
        index
            The scene's place, from 0.
        frame
            The last frame of the scene before, for one that continues it; without it a grey picture stands there.

        Raises
        ------
        InvalidRequest
            A parameter is wrong; the message names the scene.
        """
        place = self._place(index)
        return self._requests[place] if frame is None else self._request(place, frame)

    @functools.cached_property
    def _requests(self) -> tuple[Request, ...]:
        return tuple(self._request(place, _blank()) for place in range(len(self)))

    def _request(self, place: int, frame: Reference) -> Request:
        """Make a scene's request, which begins with that frame where the scene continues the one before."""
        scene, model = self.scenes[place], self.model_of(place)
        with _about(place):
            prompt = _prompt_of(model)
            parameters = self._shared_with(model, scene) | {
                _canonical(model, name): value for name, value in scene.parameters.items()
            }
            if prompt.parameter in parameters:
                raise InvalidRequest(
                    f"{prompt.parameter}: it is the scene's own text: pass it first", field=prompt.parameter
                )
            words, begin = scene.prompt, []
            if scene.continues:
                words, begin = opening(model.name_pictures) + words, [frame]
            sources = [*begin, self.cast, *parameters.get("references", ())]
            with quietly():
                return model.request(**{**parameters, prompt.parameter: words, "references": sources})

    def _shared_with(self, model: Model, scene: Scene) -> dict[str, Any]:
        """Return the film's parameters as far as a scene's model knows them and has a place for its pictures."""
        own = {_canonical(model, name) for name in scene.parameters}
        known = {_canonical(model, name): value for name, value in self._parameters.items() if _knows(model, name)}
        places = [one.parameter for one in model.media if one.type in ("picture", "pictures")]
        free = [name for name in places if name == "references" or name not in own]
        if scene.continues and not free:
            problem = "has all its pictures" if places else f"{model.slug} takes no picture"
            raise InvalidRequest(f"continues: {problem}: the last frame has no place", field="continues")
        if "references" in places:
            return known
        if scene.continues:  # the frame takes the first place
            known.pop(free.pop(0), None)
        if all(name in known for name in free):
            known.pop("references", None)
        return known

    @property
    def duration(self) -> float:
        """The film's length in seconds, as far as the scenes' requests say it."""
        lengths = [_seconds_of(one) for one in self._requests]
        return sum(lengths) - self.dissolve * (len(self) - 1)

    def replace(self, index: SupportsIndex | None = None, /, **changes: Any) -> Self:
        """Return the film with a scene changed, or, without an index, with parameters of its own changed.

        None takes a parameter away, and gives what is the film's own its default.

        >>> film = Film(["A wall.", "A door."], references="https://example.com/wall.png")
        >>> film.replace(1, seed=7)[1].parameters, film.replace(music="none", seed=3).parameters["seed"]
        ({'seed': 7}, 3)
        """
        if index is None:
            own = {name: getattr(self, name) for name in _OWN} | self._parameters | {"scenes": self.scenes} | changes
            return type(self)(**{name: value for name, value in own.items() if value is not None or name == "scenes"})
        place = self._place(index)
        with _about(place):
            changed = self.scenes[place].replace(**changes)
        return self._with([*self.scenes[:place], changed, *self.scenes[place + 1 :]])

    def insert(self, index: SupportsIndex, scene: str | Scene) -> Self:
        """Return the film with one more scene, before the one at that place; as in a list, any place is taken.

        >>> film = Film(["A wall.", "A door."], references="https://example.com/wall.png")
        >>> [scene.prompt for scene in film.insert(1, "A window.")]
        ['A wall.', 'A window.', 'A door.']
        """
        scenes = list(self.scenes)
        scenes.insert(index, scene)  # type: ignore[arg-type]  # texts become scenes
        return self._with(scenes)

    def append(self, scene: str | Scene) -> Self:
        """Return the film with one more scene at its end.

        >>> film = Film("A wall.", references="https://example.com/wall.png").append(Scene("A door.", seed=7))
        >>> film.duration, film.request(1).seed, film.model_of(1).slug
        (10.0, 7, 'vidu-q1-reference-to-video')
        """
        return self._with([*self.scenes, scene])

    def move(self, index: SupportsIndex, to: SupportsIndex) -> Self:
        """Return the film with a scene at another place.

        >>> film = Film(["A wall.", "A door."], references="https://example.com/wall.png")
        >>> [scene.prompt for scene in film.move(0, to=1)]
        ['A door.', 'A wall.']
        """
        scenes = list(self.scenes)
        scene = scenes.pop(self._place(index))
        scenes.insert(self._place(to), scene)
        return self._with(scenes)

    def without(self, *indices: SupportsIndex) -> Self:
        """Return the film without some scenes.

        >>> film = Film(["A wall.", "A door."], references="https://example.com/wall.png")
        >>> [scene.prompt for scene in film.without(0)]
        ['A door.']
        """
        gone = set(map(self._place, indices))
        return self._with([scene for place, scene in enumerate(self.scenes) if place not in gone])

    def _with(self, scenes: Sequence[str | Scene]) -> Self:
        return self.replace(scenes=scenes)

    def _place(self, index: SupportsIndex) -> int:
        """Return a scene's place from 0."""
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"no scene {place}: the film has {len(self)} scene{'s' if len(self) > 1 else ''}")
        return place % len(self)

    def digest(self, client: Client) -> str:
        """Return a name for what this film asks of a client's engine, 16 hex digits: music and titles don't count."""
        asked = [
            [client.archive.recognise(one).key(engine=client.engine, model=client.name_of(one.model)), scene.continues]
            for one, scene in zip(self._requests, self.scenes, strict=True)
        ]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]

    # Money.

    def priced(self, client: Client | None = None, *, workers: int = WORKERS) -> Self:
        """Return the film with a quote: which scenes are kept, US dollars and seconds for the others; sends nothing.

        Parameters
        ----------
        client
            Who would be asked; defaults to the film's own.
        workers
            Calls at a time.

        >>> film = Film(["A wall.", "A door."], references="https://example.com/wall.png")
        >>> priced = film.priced(Client("an-invented-key", price_usd=0.5))
        >>> priced.kept, priced.price_usd, priced.seconds
        (0, 1.0, 120.0)
        """
        client = client or self._asked()
        return self.quoted(quote_film(self, client, workers=workers_of(workers, default=WORKERS)), client)

    def quoted(self, quote: FilmQuote, client: Client) -> Self:
        """Return the film with a quote, which shows what this client keeps of it."""
        return self._like(_quote=quote, _priced_by=client)

    @property
    def looked_at(self) -> Client | None:
        """Whose clips the storyboard shows: those of the client that priced the film, else of its own."""
        return self._priced_by or self.client

    @property
    def quote(self) -> FilmQuote | None:
        """Price, time and what is kept; None for a film that is not `priced`."""
        return self._quote

    @property
    def kept(self) -> int | None:
        """How many scenes are kept; None for a film that is not `priced`."""
        return None if self._quote is None else len(self._quote.kept)

    @property
    def price_usd(self) -> float | None:
        """US dollars for the scenes that are left to make; None for a film that is not `priced`."""
        return None if self._quote is None else self._quote.price_usd

    @property
    def seconds(self) -> float | None:
        """Expected seconds for the scenes that are left to make; None for a film that is not `priced`."""
        return None if self._quote is None else self._quote.seconds

    # Its clips.

    def preview(self, *, quality: Quality = "full", client: Client | None = None) -> Video:
        """Make the whole film as one free animatic; scenes that are unchanged since the last one are not made again.

        Parameters
        ----------
        quality
            ``"draft"`` is 960 pixels on the long side, in a third of the time.
        client
            A client of the preview engine; by default one over the film's archive.

        Raises
        ------
        ViduError
            A scene's preview could not be made.
        FilmInterrupted
            A person interrupted it.
        """
        return preview_film(self, quality, client)

    def shoot(
        self,
        *,
        budget_usd: float | Budget | None = None,
        confirm: bool = False,
        fresh: Iterable[int] = (),
        max_workers: int | None = None,
        client: Client | None = None,
    ) -> Self:
        """Pay for the scenes that are not kept, several at a time, and return the film with what landed.

        A scene that continues another waits for it. What is kept costs nothing, so that shooting the same film again
        goes on where it stood; a changed scene is made anew, and those that continue from it. Interrupting asks for no
        more and keeps what has landed.

        Parameters
        ----------
        budget_usd
            US dollars that this film may cost in all, however often it is shot; or a `Budget` that is shared with
            others. A changed film has a new one. A call of unknown outcome counts in full.
        confirm
            Needed to spend more than one dollar, or to spend anything without a budget.
        fresh
            Places of scenes, from 0, of which another take is made and paid for; the earlier ones are kept, and
            ``film.replace(2, take=1)`` chooses one.
        max_workers
            Calls at a time; by default 4.
        client
            Who is asked; by default the film's own.

        Raises
        ------
        InvalidRequest
            A parameter is wrong; nothing was sent.
        ConfirmationNeeded
            It would cost more than is spent without confirmation; nothing was sent. ``.plan`` is the priced film.
        FilmInterrupted
            A person interrupted it; ``.film`` holds what has landed.

        >>> from PIL import Image
        >>> wall = Image.new("RGB", (256, 256), "tan")
        >>> film = Film(["A wall.", "A door."], references=wall, aspect_ratio="1:1", bgm=False, title="A house")
        >>> shot = film.shoot(budget_usd=1, client=Client.preview(quality="draft"))  # in the place of a paid service
        >>> shot.missing, shot.failed, shot.stopped, shot.spent_usd, shot.summary
        ((), {}, '', 0.0, '2 of 2 scenes')
        >>> len(shot.videos), sorted(shot.clips()), len(shot.takes(0))
        (2, [0, 1], 1)
        >>> shot.video
        Video(A house · film of 2 scenes · 10 s · ..., '...mp4')
        >>> shot.save("house.mp4").name
        'house.mp4'
        """
        film = self if client is None else self.replace(client=client)  # where its clips are, it is told to look
        shot = shoot_film(film, budget_usd, client, confirm=confirm, fresh=fresh, max_workers=max_workers)
        return film.shot(shot)

    def clips(self, client: Client | None = None) -> dict[int, Video]:
        """Return the kept clip of each scene that has one, by the scene's place."""
        found = kept_clips(self, client or self._asked())
        return {index: clip for index, clip in found.items() if isinstance(clip, Video)}

    @property
    def videos(self) -> list[Video]:
        """The clips of the scenes that are kept, in the film's order."""
        return [clip for _, clip in sorted(self.clips().items())]

    @property
    def missing(self) -> tuple[int, ...]:
        """The places of the scenes that have no clip yet."""
        found = self.clips()
        return tuple(index for index in range(len(self)) if index not in found)

    def takes(self, index: SupportsIndex) -> list[Video]:
        """Return every kept take of a scene, in the order in which they came; none where the one before is missing."""
        return takes_of(self, self._place(index), self._asked())

    @property
    def video(self) -> Video:
        """The joined clip, with a chapter a scene and the film's recipe; made when it is first asked for.

        Raises
        ------
        NotKept
            Scenes are missing, or what is kept of them can't be used; the message says which.
        """
        if self._file is not None:
            return Video(self._file, None, read_recipe(self._file)[1])
        client = self._asked()
        return joined_film(self, whole_clips(self, client), client)

    def save(self, path: str | os.PathLike[str], *, references: bool = True, side: int = SIDE) -> Path:
        """Save the film: ``.mp4`` with chapters and recipe, ``.otio`` for editors, ``.gif``, ``.webp``, or ``.png``.

        An ``.otio`` names the clips where the archive keeps them; an ``.otioz`` holds copies of them. Both want
        OpenTimelineIO: ``pip install 'vidu-nb[edit]'``; ``.edl``, ``.xml`` (Final Cut Pro 7) and whatever else its
        adapters write want these as well.

        Parameters
        ----------
        path
            Where to; its ending says what. A PNG is a sheet of posters. A folder gets the MP4 under its name in the
            archive.
        references
            Put the cast's pictures into an MP4 as well, so that `load` gives the whole film back.
        side
            Longer side of a GIF or WebP in pixels at most, 16 to 1920; how many bytes one has is printed.

        Returns
        -------
        pathlib.Path
            The absolute path.

        Raises
        ------
        InvalidRequest
            The name has another ending, the place is inside an archive, or `side` is wrong.
        NotKept
            Scenes are missing.
        ViduError
            OpenTimelineIO or an adapter is not installed; the message has pip's command.
        OSError
            It can't be written there.
        """
        return save_film(self, path, references=references, side=side)

    # What came of the last run.

    @property
    def failed(self) -> dict[int, ViduError]:
        """The errors of the last run, by the scene's place."""
        outcomes = self._shot.outcomes if self._shot else {}
        return {index: one for index, one in sorted(outcomes.items()) if isinstance(one, ViduError)}

    @property
    def spent_usd(self) -> float:
        """US dollars that the last run spent; calls of unknown outcome count in full."""
        return round(self._shot.spent_usd, 9) if self._shot else 0.0

    @property
    def stopped(self) -> str:
        """Why the last run did not ask for the rest; empty where it asked for all."""
        return self._shot.stopped if self._shot else ""

    def shot(self, shot: Shot) -> Self:
        """Return the film with what came of a run, which the notebook's cell that ran it shows."""
        known = {"_shot": shot, "_quote": None, "_priced_by": None, "_file": None, "_cell": running_cell()}
        return self.with_newest(shot.fresh)._like(**known)  # noqa: SLF001 - one of our own kind

    def with_newest(self, places: Collection[int]) -> Self:
        """Return the film with the newest take of some scenes, where another one was chosen."""
        chosen = [place for place in places if self.scenes[place].take is not None]
        scenes = [one.replace(take=None) if place in chosen else one for place, one in enumerate(self.scenes)]
        return self._with(scenes) if chosen else self

    def saved_as(self, path: Path) -> Self:
        """Return the film with the file that it was read from."""
        return self._like(_file=path)

    def _like(self, **inner: object) -> Self:
        """Return the same film with something else known of it."""
        film = object.__new__(type(self))
        film._know(**vars(self) | inner)
        return film

    # Inner workings.

    def _know(self, **values: object) -> None:
        vars(self).update(values)

    def _asked(self) -> Client:
        return self.client or Client.from_env()

    def _check(self) -> None:
        if self.scenes[0].continues:
            cure = "take that away with continues=False"
            raise InvalidRequest(f"scene 1: continues: there is no scene before it; {cure}", field="continues")
        asked = [self.model_of(index) for index in range(len(self))]
        prompts = {field.parameter for model in asked if (field := model.by_role("prompt"))}
        for name in self._parameters:
            if name in prompts:
                raise InvalidRequest(f"{name}: each scene has its own", field=name)
            if not any(_knows(model, name) for model in asked):
                message = f"{name}: unknown parameter; known are {', '.join(self.model.by_parameter)}"
                raise InvalidRequest(message, field=name)
        for index, model in enumerate(asked):
            if model.returns != "video":
                raise InvalidRequest(f"scene {index + 1}: model: {model.slug} returns no video", field="model")
        _ = self._requests  # each is checked when it is made

    def __len__(self) -> int:
        return len(self.scenes)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Scene: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Scene | Self:
        """Return a scene, or for a slice a film of some scenes."""
        return self._with(self.scenes[index]) if isinstance(index, slice) else self.scenes[self._place(index)]

    def __iter__(self) -> Iterator[Scene]:
        return iter(self.scenes)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a film doesn't change: film.replace({name}=...) gives a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a film doesn't change: film.replace({name}=None) gives a new one")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:  # no client, which has a key
        return {name: vars(self)[name] for name in _VALUE} | {"client": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._know(**state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Film) and all(same_values(vars(self)[name], vars(other)[name]) for name in _VALUE)

    def __hash__(self) -> int:
        return hash((self.scenes, self.title, self.music, self.dissolve))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        if self._cell is not None and self._cell == running_cell():
            return {"text/plain": repr(self)}  # the cell that shot it shows it already
        return bundle(self)

    @property
    def summary(self) -> str:
        """What the last run or the last quote tells, in one line: counts, money, and what is missing; may be empty."""
        if self._quote is None:
            return self._shot.summary(len(self)) if self._shot else ""
        quote = self._quote
        price = "free" if quote.is_free else f"about {dollars(quote.price_usd)}"
        rest = f"{price} and {format_seconds(quote.seconds)} for the others" if quote.left else "nothing to pay"
        blocked = f" · {len(quote.blocked)} blocked" if quote.blocked else ""
        return f"{len(quote.kept)} of {len(self)} scenes kept{blocked} · {rest}"

    def __repr__(self) -> str:
        return film_text(self) + (f"\n  {self.summary}" if self.summary else "")


@contextmanager
def _about(place: int) -> Iterator[None]:
    """Let the errors of a block name the scene at that place."""
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(f"scene {place + 1}: {error.message}", field=error.field) from None


@functools.cache
def _blank() -> Reference:
    """Return what stands in for a frame that is not there yet: requests are checked and priced with it."""
    from PIL import Image

    return Reference(Image.new("RGB", (256, 256), "grey"), name=LAST_FRAME)


def _prompt_of(model: Model) -> Field:
    field = model.by_role("prompt")
    if field is None:
        raise InvalidRequest(f"model: {model.slug} takes no prompt", field="model")
    return field


def _canonical(model: Model, name: str) -> str:
    """Return a parameter's name in Python, whichever of its two names is given."""
    return model.fields[name].parameter if name in model.fields else name


def _knows(model: Model, name: str) -> bool:
    takes_pictures = any(one.type in ("picture", "pictures") for one in model.media)
    return _canonical(model, name) in model.by_parameter or (name == "references" and takes_pictures)


def _seconds_of(request: Request) -> float:
    """Return a clip's length, as far as its request says it in seconds."""
    try:
        seconds = float(request.by_role("duration"))
    except (TypeError, ValueError):
        return _UNKNOWN_SECONDS
    return seconds if 0 < seconds < math.inf else _UNKNOWN_SECONDS


def _with_media(model: Model, index: int, scene: Scene) -> Scene:
    """Return a scene whose pictures were read."""
    with _about(index):
        return scene.with_parameters(read_media(scene.model or model, scene.parameters))


def _scenes(given: Iterable[str | Scene] | str | Scene) -> Iterator[Scene]:
    if not isinstance(given, str | Scene | Iterable):
        message = f"scenes: {type(given).__name__} is no list of scenes: pass texts, or Scene(...)"
        raise InvalidRequest(message, field="scenes")
    many = [given] if isinstance(given, str | Scene) else list(islice(given, MAX_SCENES + 1))
    if not 0 < len(many) <= MAX_SCENES:
        count = len(given) if isinstance(given, Sized) else f"more than {MAX_SCENES}" if many else 0
        raise InvalidRequest(f"scenes: {count} given: pass 1 to {MAX_SCENES}", field="scenes")
    for index, one in enumerate(many):
        with _about(index):
            scene = one if isinstance(one, Scene) else Scene(one)
        yield scene


def _checked_cast(given: Cast | Mapping[str, Source] | None) -> Cast:
    if given is None or isinstance(given, Mapping):
        return given if isinstance(given, Cast) else Cast(given)
    message = f"cast: {type(given).__name__} is no cast: pass a Cast, or names with their pictures"
    raise InvalidRequest(message, field="cast")


def _checked_title(given: str) -> str:
    if not isinstance(given, str):
        raise InvalidRequest(f"title: {type(given).__name__} is no text", field="title")
    return one_line(given, MAX_TITLE)


def _checked_client(given: Client | None) -> Client | None:
    if given is None or isinstance(given, Client):
        return given
    raise InvalidRequest(f"client: {type(given).__name__} is no Client", field="client")


def _checked_music(given: str | os.PathLike[str]) -> str:
    if isinstance(given, str) and given in MUSIC:
        return given
    if isinstance(given, str | os.PathLike) and os.fspath(given):
        path = expanded(os.fspath(given)).absolute()
        if path.is_file():
            return str(path)
    shown = one_line(repr(given), 80)
    message = f"music: {shown} is no sound file: pass its path, or one of {', '.join(map(repr, MUSIC))}"
    raise InvalidRequest(message, field="music")


def _checked_dissolve(given: float) -> float:
    value = plain(given)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_DISSOLVE:
        message = f"dissolve: {one_line(repr(given), 40)} is not between 0 and {MAX_DISSOLVE:g} seconds"
        raise InvalidRequest(message, field="dissolve")
    return float(value)
