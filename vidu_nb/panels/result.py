"""The result: where a clip is shown, and what can be done with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets
from IPython.display import display, update_display

from ..client.engines import BASE_URL
from ..errors import ViduError
from ..files import expanded, shown_path
from ..player import Player
from ..references.reference import Reference
from ..request import MAX_SEED
from ..storage.archive import Archive
from ..video import Video
from ..widgets.copier import Copier
from ..widgets.synchroniser import Synchroniser
from .history import short_label
from .snippets import as_curl, as_python, as_requests

_EMPTY = '<div class="vidu-slot" style="color:var(--jp-ui-font-color2,#616161)">The clip appears here.</div>'


class Slot:
    """A place for a player in a cell's ordinary output, so that the saved notebook shows it without a kernel.

    Attributes
    ----------
    output : ipywidgets.Output
        The place inside the panel that is used where there is no cell's output to update: under Voilà, and for a panel
        inside another widget.
    """

    def __init__(self) -> None:
        self.output = widgets.Output()
        self.output.layout.display = "none"
        self._ids: list[str] = []
        self._bundle = {"text/plain": "", "text/html": _EMPTY}

    def display(self) -> None:
        """Open a place below the cell that runs."""
        if "VOILA_BASE_URL" in os.environ:  # the one that kernels started ahead of their visitor have, too
            return  # Voilà shows outputs once and never updates them
        name = f"vidu-{os.urandom(8).hex()}"
        display(self._bundle, raw=True, display_id=name)
        self._ids.append(name)

    def show(self, player: Player) -> None:
        """Put a player into every open place."""
        self._bundle = player.bundle()
        for name in self._ids:
            update_display(self._bundle, raw=True, display_id=name)
        if not self._ids:
            self.output.layout.display = ""
            self.output.outputs = ({"output_type": "display_data", "data": self._bundle, "metadata": {}},)


class Screen:
    """Where clips are seen: one, or several that are played in step.

    Attributes
    ----------
    bar : ipywidgets.VBox
        The controls of several.
    slot : Slot
        The players.
    """

    def __init__(self) -> None:
        self.bar = widgets.VBox()
        self.slot = Slot()

    def show(self, videos: Sequence[Video], *, loops: bool = False) -> None:
        """Put clips there, in place of those before; with `loops`, they play by themselves, silently."""
        player = Player(
            videos, labels=[short_label(video) for video in videos] if len(videos) > 1 else None, loops=loops
        )
        before, self.bar.children = self.bar.children, (Synchroniser.of(player),) if len(videos) > 1 else ()
        for one in before:
            one.close()
        self.slot.show(player)


class Tools:
    """What can be done with a clip: its seed, its code, a copy.

    Parameters
    ----------
    archive
        Where the clip's pictures are kept; the code names them.
    use_seed
        Gets a seed for the form.
    """

    def __init__(self, archive: Archive, use_seed: Callable[[int], object]) -> None:
        self._archive = archive
        self._use_seed = use_seed
        self._video: Video | None = None
        self._copier = Copier()
        self._same = _button("Use this seed", "lock", "Put this clip's seed into the form", self._same_seed)
        self._next = _button("Next seed", "forward", "Put the seed after this clip's into the form", self._next_seed)
        self._save = _button("Save a copy", "save", "Save the MP4 with its recipe inside", self._save_copy)
        self._name = widgets.Text(description="Save as", placeholder="clip.mp4")
        self._name.add_class("vidu-save-name")
        self._told = widgets.HTML()
        seeds = widgets.HBox([self._same, self._next, self._copier])
        saving = widgets.HBox([self._name, self._save, self._told])
        for row in (seeds, saving):
            row.add_class("vidu-row")
        self.box = widgets.VBox([seeds, saving])
        self.box.add_class("vidu-tools")
        self.box.layout.display = "none"

    def show(self, video: Video) -> None:
        """Offer what can be done with this clip."""
        self._video = video
        seed = video.seed
        self._same.disabled = self._next.disabled = seed is None
        self._name.value = video.path.name
        self._told.value = ""
        request = video.request
        self._copier.snippets = (
            []
            if request is None
            else [
                ["Copy as Python", as_python(request, picture_path=self._picture)],
                ["Copy as curl", as_curl(request, picture_path=self._picture, base_url=BASE_URL)],
                ["Copy as requests", as_requests(request, picture_path=self._picture, base_url=BASE_URL)],
            ]
        )
        self.box.layout.display = ""

    def _picture(self, reference: Reference) -> str:
        kind = "png" if reference.bytes.startswith(b"\x89PNG") else "jpg"
        return shown_path(self._archive.folder / "references" / f"{reference.sha256}.{kind}")

    def _same_seed(self) -> None:
        if self._video and (seed := self._video.seed) is not None:
            self._use_seed(seed)

    def _next_seed(self) -> None:
        if self._video and (seed := self._video.seed) is not None:
            self._use_seed(seed % MAX_SEED + 1)

    def _save_copy(self) -> None:
        name = self._name.value.strip()
        if not self._video or not name:
            self._tell("Name a file first.", "problem")
            return
        try:
            target = expanded(name)
            target = target if target.suffix.lower() == ".mp4" else target.with_name(f"{target.name}.mp4")
            if target.exists():
                self._tell(f"{target.name} is there already: choose another name.", "problem")
                return
            saved = self._video.save(target)
        except (ViduError, OSError, ValueError) as error:
            self._tell(getattr(error, "strerror", None) or str(error), "problem")
        else:
            self._tell(f"Saved as {shown_path(saved)}, with its recipe inside.", "help")

    def _tell(self, text: str, kind: str) -> None:
        sign = "⚠ " if kind == "problem" else "✓ "
        self._told.value = f'<span class="vidu-{kind}" role="alert">{sign}{escape(text)}</span>'


def _button(label: str, icon: str, tooltip: str, act: Callable[[], object]) -> Any:
    button = widgets.Button(description=label, icon=icon, tooltip=tooltip)
    button.on_click(lambda _: act())
    return button
