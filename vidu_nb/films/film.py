"""`Film`: scenes that share a cast and parameters, as an immutable value."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Self

from ..catalogue.field import plain
from ..catalogue.model import Model
from ..catalogue.models import models
from ..catalogue.request import Request, quietly
from ..client.client import Client
from ..errors import InvalidRequest, NotKept, ViduError, one_line
from ..files import expanded, is_regular
from ..recipe import read_recipe
from ..references.cast import Cast
from ..references.last_frame import LAST_FRAME, opening
from ..references.reference import Reference, Source
from ..request import Quality
from ..storage.budget import Budget
from ..video import Video
from .clips import kept_clips, takes_of
from .joined import joined_film
from .pricing import FilmQuote, quote_film
from .saving import save_film
from .scene import MUSIC, Scene, read_media
from .shooting import Shot, preview_film, shoot_film
from .storyboard import bundle, film_text

MAX_SCENES = 200
MAX_DISSOLVE = 2.0  # s
_OWN = ("cast", "title", "music", "dissolve", "model", "client")


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
        self.scenes = _scenes(scenes)
        self.cast = cast if isinstance(cast, Cast) else Cast(cast)
        self.title = one_line(str(title), 200)
        self.music = _checked_music(music)
        self.dissolve = _checked_dissolve(dissolve)
        self.model = models.find(model)
        self.client = client
        self._parameters = read_media(self.model, parameters)
        self.scenes = tuple(self._with_media(index, scene) for index, scene in enumerate(self.scenes))
        self._quote: FilmQuote | None = None
        self._shot: Shot | None = None
        self._file: Path | None = None
        self._check()

    # The plan.

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What all scenes ask for that don't say otherwise, by name."""
        return dict(self._parameters)

    def model_of(self, index: int) -> Model:
        """Return the model that a scene asks."""
        return self[index].model or self.model

    def request(self, index: int, *, frame: Reference | None = None) -> Request:
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
        index = range(len(self))[index]
        scene, model = self.scenes[index], self.model_of(index)
        parameters = {
            name: value
            for name, value in self._parameters.items()
            if name in model.by_parameter or name in model.fields or name == "references"
        } | dict(scene.parameters)
        extra = parameters.get("references")
        more = [] if extra is None else list(extra) if isinstance(extra, list | tuple) else [extra]
        prompt, begin = scene.prompt, []
        if scene.continues:
            begin = [frame or _blank()]
            prompt = opening(model.name_pictures) + prompt
        sources = [*begin, self.cast, *more]
        problem: InvalidRequest | None = None
        with quietly():
            try:
                return model.request(**{**parameters, "prompt": prompt, "references": sources})
            except InvalidRequest as error:
                problem = error
        raise InvalidRequest(f"scene {index + 1}: {problem.message}", field=problem.field)

    @property
    def duration(self) -> float:
        """The film's length in seconds, as far as the scenes' requests say it."""
        lengths = [float(self.request(index).by_role("duration") or 5) for index in range(len(self))]
        return sum(lengths) - self.dissolve * (len(self) - 1)

    def replace(self, index: int | None = None, /, **changes: Any) -> Self:
        """Return the film with a scene changed, or, without an index, with parameters of its own changed.

        >>> film = Film(["A wall.", "A door."], references="https://example.com/wall.png")
        >>> film.replace(1, seed=7)[1].parameters, film.replace(music="none", seed=3).parameters["seed"]
        ({'seed': 7}, 3)
        """
        if index is None:
            scenes = changes.pop("scenes", self.scenes)
            own = {name: getattr(self, name) for name in _OWN} | self._parameters | changes
            return type(self)(scenes, **{k: v for k, v in own.items() if v is not None or k in _OWN})
        place = range(len(self))[index]
        return self._with([*self.scenes[:place], self.scenes[place].replace(**changes), *self.scenes[place + 1 :]])

    def insert(self, index: int, scene: str | Scene) -> Self:
        """Return the film with one more scene, before the one at that place."""
        scenes = list(self.scenes)
        scenes.insert(index, *_scenes(scene))
        return self._with(scenes)

    def append(self, scene: str | Scene) -> Self:
        """Return the film with one more scene at its end."""
        return self._with([*self.scenes, *_scenes(scene)])

    def move(self, index: int, to: int) -> Self:
        """Return the film with a scene at another place."""
        scenes = list(self.scenes)
        scene = scenes.pop(range(len(self))[index])
        scenes.insert(range(len(self))[to], scene)
        return self._with(scenes)

    def without(self, *indices: int) -> Self:
        """Return the film without some scenes."""
        gone = {range(len(self))[index] for index in indices}
        return self._with([scene for place, scene in enumerate(self.scenes) if place not in gone])

    def _with(self, scenes: Sequence[Scene]) -> Self:
        return self.replace(scenes=scenes)

    def digest(self, client: Client) -> str:
        """Return a name for what this film asks of a client's engine, 16 hex digits: music and titles don't count."""
        asked = [
            [self.request(index).key(engine=client.engine, model=client.name_of(self.model_of(index))), one.continues]
            for index, one in enumerate(self.scenes)
        ]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]

    # Money.

    def priced(self, client: Client | None = None, *, workers: int = 4) -> Self:
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
        return self.quoted(quote_film(self, client or self._asked(), workers=workers))

    def quoted(self, quote: FilmQuote) -> Self:
        """Return the film with a quote."""
        return self._like(_quote=quote)

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
        """US dollars for the scenes that are not kept; None for a film that is not `priced`."""
        return None if self._quote is None else self._quote.price_usd

    @property
    def seconds(self) -> float | None:
        """Expected seconds for the scenes that are not kept; None for a film that is not `priced`."""
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
        """
        shot = shoot_film(self, budget_usd, client, confirm=confirm, fresh=fresh, max_workers=max_workers)
        return self.shot(shot)

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

    def takes(self, index: int) -> list[Video]:
        """Return every kept take of a scene, in the order in which they came; none where the one before is missing."""
        return takes_of(self, range(len(self))[index], self._asked())

    @property
    def video(self) -> Video:
        """The joined clip, with a chapter a scene and the film's recipe; made when it is first asked for.

        Raises
        ------
        NotKept
            Scenes are missing; the message says which.
        """
        if self._file is not None:
            return Video(self._file, None, read_recipe(self._file)[1])
        clips = self.clips()
        if missing := [str(index + 1) for index in range(len(self)) if index not in clips]:
            raise NotKept(
                f"{len(missing)} of {len(self)} scenes have no clip yet: {', '.join(missing)}",
                remedy="film.shoot() makes them; film.preview() shows the whole film for free.",
            )
        return joined_film(self, clips, self._asked())

    def save(self, path: str | os.PathLike[str], *, references: bool = True) -> Path:
        """Save the film: ``.mp4`` with chapters and recipe, ``.otio`` for editors, ``.gif``, ``.webp``, or ``.png``.

        Parameters
        ----------
        path
            Where to; its ending says what. A PNG is a sheet of posters.
        references
            Put the cast's pictures into an MP4 as well, so that `load` gives the whole film back.

        Returns
        -------
        pathlib.Path
            The absolute path.

        Raises
        ------
        InvalidRequest
            The name has another ending, or the place is inside an archive.
        NotKept
            Scenes are missing.
        """
        return save_film(self, path, references=references)

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
        """Return the film with what came of a run."""
        return self._like(_shot=shot, _quote=None)

    def saved_as(self, path: Path) -> Self:
        """Return the film with the file that it was read from."""
        return self._like(_file=path)

    def _like(self, **inner: object) -> Self:
        """Return the same film with something else known of it."""
        film = copy(self)
        vars(film).update(inner)
        return film

    # Inner workings.

    def _asked(self) -> Client:
        return self.client or Client.from_env()

    def _with_media(self, index: int, scene: Scene) -> Scene:
        """Return a scene whose pictures were read."""
        problem: InvalidRequest | None = None
        try:
            taken = read_media(scene.model or self.model, scene.parameters)
            return scene.replace(**taken) if taken else scene
        except InvalidRequest as error:
            problem = error
        raise InvalidRequest(f"scene {index + 1}: {problem.message}", field=problem.field)

    def _check(self) -> None:
        if self.scenes[0].continues:
            raise InvalidRequest("scene 1: continues: there is no scene before it", field="continues")
        known = {
            name
            for index in range(len(self))
            for one in self.model_of(index).fields.values()
            for name in (one.name, one.parameter)
        }
        if strange := next((name for name in self._parameters if name not in known | {"references"}), None):
            message = f"{strange}: unknown parameter; known are {', '.join(self.model.by_parameter)}"
            raise InvalidRequest(message, field=strange)
        for index in range(len(self)):
            model = self.model_of(index)
            if model.returns != "video":
                raise InvalidRequest(f"scene {index + 1}: model: {model.slug} returns no video", field="model")
            self.request(index)

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> Scene:
        return self.scenes[index]

    def __iter__(self) -> Iterator[Scene]:
        return iter(self.scenes)

    def _value(self) -> tuple[Any, ...]:
        return self.scenes, self.cast, self.title, self.music, self.dissolve, self.model, self._parameters

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Film) and self._value() == other._value()

    def __hash__(self) -> int:
        return hash((self.scenes, self.title, self.music, self.dissolve))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        return bundle(self)

    def __repr__(self) -> str:
        return film_text(self)


def _blank() -> Reference:
    """Return what stands in for a frame that is not there yet: requests are checked and priced with it."""
    from PIL import Image

    return Reference(Image.new("RGB", (256, 256), "grey"), name=LAST_FRAME)


def _scenes(given: Iterable[str | Scene] | str | Scene) -> tuple[Scene, ...]:
    many = [given] if isinstance(given, str | Scene) else list(given)
    if not many or len(many) > MAX_SCENES:
        raise InvalidRequest(f"scenes: {len(many)} given: pass 1 to {MAX_SCENES}", field="scenes")
    return tuple(one if isinstance(one, Scene) else Scene(one) for one in many)


def _checked_music(given: str | os.PathLike[str]) -> str:
    if isinstance(given, str) and given in MUSIC:
        return given
    if isinstance(given, str | os.PathLike) and os.fspath(given):
        path = expanded(os.fspath(given)).absolute()
        if is_regular(path):
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
