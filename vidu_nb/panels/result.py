"""The result: where a clip or a picture is shown, and what can be done with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from IPython.display import display, update_display

from ..catalogue.request import Medium, Request
from ..errors import ViduError
from ..files import expanded, shown_path
from ..references.attachment import Attachment
from ..storage.archive import Archive
from ..video import COPIES, Video
from ..widgets.synchroniser import Synchroniser
from .made import Made, each, player_of
from .seeds import next_seed
from .snippets import PicturePath, as_curl, as_python, as_requests

_EMPTY = '<div class="vidu-slot" style="color:var(--jp-ui-font-color2,#616161)">What is made appears here.</div>'
_MOST_ROWS = 40  # of code: what is longer scrolls
_SNIPPETS: dict[str, Callable[[Request, PicturePath], str]] = {
    "Python": as_python,
    "curl": as_curl,
    "requests": as_requests,
}


class ResultView:
    """Shows clips and pictures in a cell's ordinary output, so that the saved notebook shows them without a kernel.

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
        self._bundle: Mapping[str, Any] = {"text/plain": "", "text/html": _EMPTY}

    def display(self) -> None:
        """Open a place below the cell that runs."""
        if "VOILA_BASE_URL" in os.environ:  # the one that kernels started ahead of their visitor have, too
            return  # Voilà shows outputs once and never updates them
        name = f"vidu-{os.urandom(8).hex()}"
        display(self._bundle, raw=True, display_id=name)
        self._display_ids.append(name)

    def begin_with(self, bundle: Mapping[str, Any]) -> None:
        """Show a MIME bundle where a place is opened before anything was made."""
        self._bundle = bundle

    def show(self, made: Any) -> None:
        """Show what a call returned in place of what was shown before."""
        self._put(made._repr_mimebundle_(), bar=[])

    def compare(self, made: Sequence[Made]) -> None:
        """Show results side by side; several clips get a bar of controls."""
        clips = [one for one in made if isinstance(one, Video)]
        bar = [Synchroniser.from_player(player_of(clips))] if len(clips) == len(made) > 1 else []
        self._put(player_of(made).bundle(), bar=bar)

    def show_bundle(self, bundle: Mapping[str, Any]) -> None:
        """Show a MIME bundle in place of what was shown before."""
        self._put(bundle, bar=[])

    def _put(self, bundle: Mapping[str, Any], *, bar: Sequence[Any]) -> None:
        before, self.bar.children = self.bar.children, tuple(bar)
        for one in before:
            one.close()
        self._bundle = bundle
        for name in self._display_ids:
            update_display(bundle, raw=True, display_id=name)
        if not self._display_ids:
            self.output.layout.display = ""
            self.output.outputs = ({"output_type": "display_data", "data": bundle, "metadata": {}},)


class ResultTools:
    """Offers what can be done with a result: take over its seed, copy its request as code, save a copy.

    Parameters
    ----------
    archive
        Where the request's pictures are kept; the code names them.
    use_seed
        Gets a seed for the form.
    use_picture
        Gets a picture that is to be a reference of a clip.
    """

    def __init__(
        self, archive: Archive, use_seed: Callable[[int], object], use_picture: Callable[[Made], object]
    ) -> None:
        self._archive = archive
        self._use_seed, self._use_picture = use_seed, use_picture
        self._made: Made | None = None
        self._same = _button("Use this seed", "lock", "Put this result's seed into the form", self._same_seed)
        self._next = _button("Next seed", "forward", "Put the seed after this one into the form", self._next_seed)
        self._reference = _button(
            "Use as reference", "picture-o", "Put this picture among the references of a clip", self._as_reference
        )
        self._copies = [self._copy_button(language) for language in _SNIPPETS]
        self._snippet = widgets.Textarea()
        self._snippet.add_class("vidu-snippet")
        self._save = _button("Save a copy", "save", "Save the file with its recipe inside", self._save_copy)
        self._name = widgets.Text(description="Save as")
        self._name.add_class("vidu-save-name")
        self._saved = widgets.HTML()
        uses = widgets.HBox([self._reference, self._same, self._next, *self._copies])
        saving = widgets.HBox([self._name, self._save, self._saved])
        for row in (uses, saving):
            row.add_class("vidu-row")
        self.box = widgets.VBox([uses, self._snippet, saving])
        self.box.add_class("vidu-tools")
        self.box.layout.display = "none"

    def show(self, made: Any) -> None:
        """Offer what can be done with a result; with the first of several pictures."""
        self._made = first = each(made)[0]
        has_seed = first.request is None or first.request.model.by_role("seed") is not None
        for button in (self._same, self._next):
            button.disabled, button.layout.display = first.seed is None, "" if has_seed else "none"
        self._reference.layout.display = "none" if isinstance(first, Video) else ""
        self._name.value = self._name.placeholder = first.path.name
        self._saved.value = ""
        for button in self._copies:
            button.disabled = first.request is None
        self._snippet.value, self._snippet.layout.display = "", "none"
        self.box.layout.display = ""

    def _copy_button(self, language: str) -> Any:
        tooltip = "Show the same call as code for elsewhere"
        return _button(f"Copy as {language}", "copy", tooltip, lambda: self._show_snippet(language))

    def _show_snippet(self, language: str) -> None:
        """Write the code, now that it is asked for: it takes a look at every picture."""
        if self._made and self._made.request:
            self._snippet.value = code = _SNIPPETS[language](self._made.request, self._picture_path)
            self._snippet.rows = min(code.count("\n") + 1, _MOST_ROWS)
            self._snippet.description = f"As {language}: select all and copy"
            self._snippet.layout.display = ""
            self._snippet.focus()

    def _picture_path(self, medium: Medium) -> str:
        kind = "png" if medium.bytes.startswith(b"\x89PNG") else "jpg"
        if isinstance(medium, Attachment):
            kind = medium.name.rpartition(".")[2] or "bin"
        return shown_path(self._archive.folder / "references" / f"{medium.sha256}.{kind}")

    def _same_seed(self) -> None:
        if self._made and (seed := self._made.seed) is not None:
            self._use_seed(seed)

    def _next_seed(self) -> None:
        request = self._made.request if self._made else None
        field = request.model.by_role("seed") if request else None
        if self._made and field and (seed := self._made.seed) is not None:
            self._use_seed(next_seed(field, seed))

    def _as_reference(self) -> None:
        if self._made:
            self._use_picture(self._made)

    def _save_copy(self) -> None:
        name = self._name.value.strip()
        if not self._made or not name:
            self._say("Name a file first.", "problem")
            return
        try:
            target = self._target(self._made, expanded(name))
            if target.exists():
                self._say(f"{target.name} is there already: choose another name.", "problem")
                return
            saved = self._made.save(target)
        except (ViduError, OSError, ValueError) as error:
            self._say(getattr(error, "strerror", None) or str(error), "problem")
        else:
            self._say(f"Saved as {shown_path(saved)}, with its recipe inside.", "help")

    def _target(self, made: Made, target: Path) -> Path:
        """Return a copy's path, with the ending that says what is in it."""
        endings = COPIES if isinstance(made, Video) else (made.path.suffix.lower(), ".png", ".jpg", ".jpeg")
        ending = ".mp4" if isinstance(made, Video) else made.path.suffix
        return target if target.suffix.lower() in endings else target.with_name(f"{target.name}{ending}")

    def _say(self, text: str, kind: str) -> None:
        sign = "⚠ " if kind == "problem" else "✓ "
        self._saved.value = f'<span class="vidu-{kind}" role="alert">{sign}{escape(text)}</span>'


def _button(label: str, icon: str, tooltip: str, act: Callable[[], object]) -> Any:
    button = widgets.Button(description=label, icon=icon, tooltip=tooltip)
    button.on_click(lambda _: act())
    return button
