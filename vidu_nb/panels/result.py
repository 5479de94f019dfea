"""The result: where a clip is shown, and what can be done with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets
from IPython.display import display, update_display

from ..catalogue.request import Request
from ..errors import ViduError
from ..files import expanded, shown_path
from ..player import Player
from ..references.reference import Reference
from ..request import MAX_SEED
from ..storage.archive import Archive
from ..video import COPIES, Video
from ..widgets.synchroniser import Synchroniser
from .history import short_label
from .snippets import PicturePath, as_curl, as_python, as_requests

_EMPTY = '<div class="vidu-slot" style="color:var(--jp-ui-font-color2,#616161)">The clip appears here.</div>'
_SNIPPETS: dict[str, Callable[[Request, PicturePath], str]] = {
    "Python": as_python,
    "curl": as_curl,
    "requests": as_requests,
}


class ResultView:
    """Shows clips in a cell's ordinary output, so that the saved notebook shows them without a kernel.

    Attributes
    ----------
    bar : ipywidgets.VBox
        The controls of several clips that play in step; empty for one.
    output : ipywidgets.Output
        The place inside the panel that is used where there is no cell's output to update: under Voilà, and for a panel
        inside another widget.
    """

    def __init__(self) -> None:
        self.bar = widgets.VBox()
        self.output = widgets.Output()
        self.output.layout.display = "none"
        self._display_ids: list[str] = []
        self._bundle: Mapping[str, str] = {"text/plain": "", "text/html": _EMPTY}

    def display(self) -> None:
        """Open a place below the cell that runs."""
        if "VOILA_BASE_URL" in os.environ:  # the one that kernels started ahead of their visitor have, too
            return  # Voilà shows outputs once and never updates them
        name = f"vidu-{os.urandom(8).hex()}"
        display(self._bundle, raw=True, display_id=name)
        self._display_ids.append(name)

    def show(self, videos: Sequence[Video]) -> None:
        """Show clips in place of those before: one, or several with a bar of controls."""
        many = len(videos) > 1
        player = Player(videos, labels=[short_label(video) for video in videos] if many else None)
        self._put(player.bundle(), bar=[Synchroniser.from_player(player)] if many else [])

    def show_bundle(self, bundle: Mapping[str, str]) -> None:
        """Show a MIME bundle in place of the clips before."""
        self._put(bundle, bar=[])

    def _put(self, bundle: Mapping[str, str], *, bar: Sequence[Any]) -> None:
        before, self.bar.children = self.bar.children, tuple(bar)
        for one in before:
            one.close()
        self._bundle = bundle
        for name in self._display_ids:
            update_display(bundle, raw=True, display_id=name)
        if not self._display_ids:
            self.output.layout.display = ""
            self.output.outputs = ({"output_type": "display_data", "data": bundle, "metadata": {}},)


class ClipTools:
    """Offers what can be done with a clip: take over its seed, copy its request as code, save a copy.

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
        self._same = _button("Use this seed", "lock", "Put this clip's seed into the form", self._same_seed)
        self._next = _button("Next seed", "forward", "Put the seed after this clip's into the form", self._next_seed)
        self._copies = [self._copy_button(language) for language in _SNIPPETS]
        self._snippet = widgets.Textarea(rows=12)
        self._snippet.add_class("vidu-snippet")
        self._save = _button("Save a copy", "save", "Save the MP4 with its recipe inside", self._save_copy)
        self._name = widgets.Text(description="Save as", placeholder="clip.mp4")
        self._name.add_class("vidu-save-name")
        self._saved = widgets.HTML()
        seeds = widgets.HBox([self._same, self._next, *self._copies])
        saving = widgets.HBox([self._name, self._save, self._saved])
        for row in (seeds, saving):
            row.add_class("vidu-row")
        self.box = widgets.VBox([seeds, self._snippet, saving])
        self.box.add_class("vidu-tools")
        self.box.layout.display = "none"

    def show(self, video: Video) -> None:
        """Offer what can be done with this clip."""
        self._video = video
        self._same.disabled = self._next.disabled = video.seed is None
        self._name.value = video.path.name
        self._saved.value = ""
        for button in self._copies:
            button.disabled = video.request is None
        self._snippet.value, self._snippet.layout.display = "", "none"
        self.box.layout.display = ""

    def _copy_button(self, language: str) -> Any:
        tooltip = "Show the same call as code for elsewhere"
        return _button(f"Copy as {language}", "copy", tooltip, lambda: self._show_snippet(language))

    def _show_snippet(self, language: str) -> None:
        """Write the code, now that it is asked for: it takes a look at every picture."""
        if self._video and self._video.request:
            self._snippet.value = _SNIPPETS[language](self._video.request, self._picture_path)
            self._snippet.description = f"As {language}: select all and copy"
            self._snippet.layout.display = ""
            self._snippet.focus()

    def _picture_path(self, reference: Reference) -> str:
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
            self._say("Name a file first.", "problem")
            return
        try:
            target = expanded(name)
            target = target if target.suffix.lower() in COPIES else target.with_name(f"{target.name}.mp4")
            if target.exists():
                self._say(f"{target.name} is there already: choose another name.", "problem")
                return
            saved = self._video.save(target)
        except (ViduError, OSError, ValueError) as error:
            self._say(getattr(error, "strerror", None) or str(error), "problem")
        else:
            self._say(f"Saved as {shown_path(saved)}, with its recipe inside.", "help")

    def _say(self, text: str, kind: str) -> None:
        sign = "⚠ " if kind == "problem" else "✓ "
        self._saved.value = f'<span class="vidu-{kind}" role="alert">{sign}{escape(text)}</span>'


def _button(label: str, icon: str, tooltip: str, act: Callable[[], object]) -> Any:
    button = widgets.Button(description=label, icon=icon, tooltip=tooltip)
    button.on_click(lambda _: act())
    return button
