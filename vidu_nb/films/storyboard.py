"""A film's storyboard, drawn: a row a scene, as HTML, as text and as a picture."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from ..client.client import Client
from ..console import dollars, printable
from ..errors import one_line
from ..sweeps.runner import Outcome
from ..thumbnails import MAX_SHEET, Card, grey, opened, sheet_jpeg, side_by_side, small_jpeg, thumbnail_uri
from .board import BEGIN, END, Board, Row, find_clips, look, make_board

if TYPE_CHECKING:
    from .film import Film

MAX_ROWS = 24  # scenes with pictures; of those after them there is a line each
_MAX_BYTES = 145_000  # of text, HTML and picture together, as a notebook holds them
_WORDS_BYTES = 22_000  # of all prompts together
_SHORT = 190  # characters of a prompt that are seen before it is unfolded
_LINE = 60  # characters of a prompt in a line
_SHORT_STATE = 40  # characters
_TEXT_LINES = 60  # scenes in plain text
_POSTER_BYTES = (500, 7_000)  # in base64: at least, and at most
_FACE_BYTES = (250, 900)
_ALL_FACES_BYTES = 16_000
_FACES, _NAMES = 4, 12  # members with a picture, and names, in a row
_BOX, _FACE = (176, 120), 26  # px
_STILL_BYTES = (21_000, 33_000)  # of the picture: at least, and at most
_STILL_EACH = 4_000  # of it, at most for each scene

_MUTED = "color:var(--jp-ui-font-color2,#616161)"
_SMALL = f"{_MUTED};font-size:12px;line-height:1.5"
_EDGE = "var(--jp-border-color2,#e0e0e0)"
_CHAIN = "var(--jp-brand-color1,#1976d2)"
_NAME = "font-weight:600;color:var(--jp-content-link-color,var(--jp-brand-color1,#1976d2))"
#: State → the colour of its dot; words stand beside it.
_DOTS = {
    "kept": "#2e9e4f", "making": "#1e88e5", "waits": "#9e9e9e", "to shoot": "#9e9e9e", "failed": "#e53935",
    "unknown": "#fb8c00",
}  # fmt: skip


class FilmPage:
    """What is shown of a film while it is shot."""

    what = "film"
    unit = "scene"

    def __init__(self, film: Film, client: Client) -> None:
        self._film = film
        self._client = client
        self._before = find_clips(film, client)

    def __len__(self) -> int:
        return len(self._film)

    def plan(self) -> object:
        """The priced film shows itself."""
        return self._film

    def plan_html(self) -> str:
        """Return nothing: the storyboard stands below the bar."""
        return ""

    def grid_html(self, results: Mapping[int, Outcome], in_flight: Collection[int]) -> str:
        """Return the storyboard with what landed."""
        return storyboard_html(self.board(results, in_flight))

    def board(self, results: Mapping[int, Outcome], in_flight: Collection[int]) -> Board:
        """Return the same before it is HTML."""
        return make_board(self._film, {**self._before, **results}, self._client, in_flight, landed=frozenset(results))

    def results(self, results: Mapping[int, Outcome], headline: str) -> list[object]:  # noqa: ARG002
        """Return nothing: the film that is returned shows itself."""
        return []


# As HTML.


def storyboard_html(board: Board, *, most: int = _MAX_BYTES) -> str:
    """Return a storyboard as HTML; every text in it is escaped and it holds no script.

    Of two amounts of dollars MathJax would make a formula, hence the class that it leaves alone.

    Parameters
    ----------
    board
        What is shown.
    most
        Bytes that a notebook holds of it: pictures get what the texts leave.
    """
    shown = board.rows[:MAX_ROWS]
    poster_bytes = _between(_POSTER_BYTES, (most - _held(_blank(board))) // max(1, len(shown)) - 200)
    return _page(board, [_picture_html(board, row, poster_bytes) for row in shown])


def _blank(board: Board) -> str:
    """Return the page without posters."""
    return _page(board, ["" for _ in board.rows[:MAX_ROWS]])


def _between(limits: tuple[int, int], value: int) -> int:
    return max(limits[0], min(limits[1], value))


def _held(text: str) -> int:
    """Return how many bytes a notebook holds of a text."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _page(board: Board, pictures: Sequence[str]) -> str:
    """Return the page with a picture for each of the first rows."""
    shown, others = board.rows[: len(pictures)], board.rows[len(pictures) :]
    words = _WORDS_BYTES // max(1, len(shown))
    faces = sum(min(len(row.names), _FACES) for row in shown)
    face_bytes = _between(_FACE_BYTES, _ALL_FACES_BYTES // max(1, faces))
    lines = [_row_html(board, row, words, one, face_bytes) for row, one in zip(shown, pictures, strict=True)]
    stopped = board.film.stopped
    why = f'<div style="font-size:13px;margin-top:2px">⚠ Stopped: {escape(stopped)}</div>' if stopped else ""
    return (
        f'<div class="vidu-film tex2jax_ignore" style="max-width:1000px;margin:4px 0;line-height:1.45">'
        f'<div style="font-weight:600;font-size:15px;overflow-wrap:anywhere">{escape(board.title)}</div>'
        f'<div style="{_SMALL};overflow-wrap:anywhere">{escape(board.headline)}</div>{why}'
        f'<div style="margin-top:8px">{"".join(lines)}</div>{_others_html(others)}</div>'
    )


def _row_html(board: Board, row: Row, words: int, picture: str, face_bytes: int) -> str:
    """Return a row; between it and one that it continues there is a line from poster to poster, and no edge."""
    edge = "" if row.continues or row.number == 1 else f"border-top:1px solid {_EDGE};"
    follows = row.number < len(board.rows) and board.rows[row.number].continues
    link = f'<div style="width:2px;height:12px;margin:0 auto;background:{_CHAIN}"></div>' if row.continues else ""
    rest = f'<div style="width:2px;flex:1;margin:0 auto;background:{_CHAIN}"></div>' if follows else ""
    top = 0 if row.continues else 12
    return (
        f'<div style="{edge}display:flex;flex-wrap:wrap;gap:0 16px;padding:{top}px 0 {0 if follows else 12}px">'
        f'<div style="width:{_BOX[0]}px;flex:none;display:flex;flex-direction:column">{link}{picture}{rest}</div>'
        f'<div style="flex:1 1 260px;min-width:0;padding:{12 if row.continues else 0}px 0 {12 if follows else 0}px">'
        f"{_head_html(row)}{_words_html(row.prompt, words)}{_faces_html(board, row, face_bytes)}</div></div>"
    )


def _head_html(row: Row) -> str:
    """Return number, title, chain, state and price in a line."""
    title = f" {escape(row.title)}" if row.title else ""
    chain = f'<span style="{_SMALL}">↳ continues scene {row.number - 1}</span>' if row.continues else ""
    dot = f'<span style="color:{_DOTS[row.kind]}" aria-hidden="true">●</span>'
    price = f" · {escape(dollars(row.price_usd))}" if row.price_usd else ""
    state, rest = short_state(row)
    below = f'<div style="font-size:12px;overflow-wrap:anywhere">{escape(rest)}</div>' if rest else ""
    return (
        f'<div style="display:flex;flex-wrap:wrap;gap:0 12px;align-items:baseline">'
        f'<span style="font-weight:600;overflow-wrap:anywhere">{row.number}{"." if title else ""}{title}</span>{chain}'
        f'<span style="{_SMALL};margin-left:auto;white-space:nowrap">{dot} {escape(state)}{price}</span></div>{below}'
    )


def short_state(row: Row) -> tuple[str, str]:
    """Return a scene's state in a few words, and what went wrong, which wants a line of its own."""
    state, _, rest = row.state.partition(": ") if len(row.state) > _SHORT_STATE else (row.state, "", "")
    return state, rest


def _words_html(prompt: str, most: int) -> str:
    """Return a prompt, of which more than a few lines are folded away; cut where it has more than `most` bytes."""
    words = _cut(prompt, most)
    if len(words) <= _SHORT * 1.3:
        return f'<div style="font-size:13px;overflow-wrap:anywhere">{_marked(words)}</div>'
    at = _break(words, _SHORT)
    return (
        f'<details style="font-size:13px;overflow-wrap:anywhere"><summary>{_marked(words[:at])} …</summary>'
        f"… {_marked(words[at:].lstrip())}</details>"
    )


def _break(text: str, at: int) -> int:
    """Return the last place before one where a text may be broken: at a space, and in no mention."""
    space = text.rfind(" ", at - 40, at)
    at = space if space > 0 else at
    start = text.rfind(BEGIN, 0, at)
    return start if start >= 0 and text.find(END, start) >= at else at


def _cut(text: str, most: int) -> str:
    """Return a text of which a notebook holds so many bytes at most."""
    if _held(_marked(text)) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _held(_marked(text[:middle])) <= most else (low, middle - 1)
    return f"{text[: _break(text, low)].rstrip()} …"


def _marked(text: str) -> str:
    """Return a text as HTML, with its mentions set off."""
    html = escape(text)
    return html.replace(BEGIN, f'<span style="{_NAME}">@').replace(END, "</span>")


def _faces_html(board: Board, row: Row, most: int) -> str:
    """Return who is seen, each with a small round picture."""
    parts = []
    look = f"width:{_FACE}px;height:{_FACE}px;border-radius:50%;margin:0"
    for place, name in enumerate(row.names[:_NAMES]):
        copies = board.film.cast.small(name) if place < _FACES else []
        box = (round(_FACE * 1.5),) * 2
        face = f'<img src="{thumbnail_uri(copies[0], box, most, fills=True)}" alt="" style="{look}">' if copies else ""
        parts.append(f'<span style="display:inline-flex;align-items:center;gap:5px">{face}{escape(name)}</span>')
    parts += [f"+{len(row.names) - _NAMES}"] if len(row.names) > _NAMES else []
    html = "".join(parts)
    return f'<div style="{_SMALL};display:flex;flex-wrap:wrap;gap:4px 12px;margin-top:5px">{html}</div>' if html else ""


def _picture_html(board: Board, row: Row, most: int) -> str:
    """Return a clip's poster; where there is none, quietly who will be seen."""
    shape, data = _shape(board, row), picture_of(board, row)
    look = f"display:block;width:{shape[0]}px;height:{shape[1]}px;margin:0 auto;border-radius:6px"
    if row.poster is None:
        look += f";opacity:.45;border:1px dashed {_EDGE};box-sizing:border-box"
    elif row.clip is None:
        look += ";opacity:.6"  # a preview's
    if data is None:
        return f'<div style="{look};opacity:1;background:var(--jp-layout-color2,#f5f5f5)"></div>'
    uri = thumbnail_uri(data, (shape[0] * 3 // 2, shape[1] * 3 // 2), most)
    alt = f"Scene {row.number}: {one_line(_bare(row.prompt), 80)}"
    return f'<img src="{uri}" alt="{escape(alt)}" style="{look}">'


def picture_of(board: Board, row: Row) -> bytes | None:
    """Return a scene's poster as JPEG, or else who will be seen, side by side; None where nobody is known."""
    if row.poster is not None:
        return row.poster
    faces = tuple(copies[0] for name in row.names[:_FACES] if (copies := board.film.cast.small(name)))
    width, height = _shape(board, row)
    return side_by_side(faces, (width * 3 // 2, height * 3 // 2)) if faces else None


def _shape(board: Board, row: Row) -> tuple[int, int]:
    """Return the size in pixels at which a scene's picture is shown: its own shape in the box that all share."""
    width, height = board.film.request(row.number - 1).frame_size
    if row.poster is not None:
        width, height = opened(row.poster).size
    scale = min(_BOX[0] / width, _BOX[1] / height)
    return round(width * scale), round(height * scale)


def _bare(prompt: str) -> str:
    """Return a prompt as plain text, with its mentions as they are written."""
    return prompt.replace(BEGIN, "@").replace(END, "")


def _others_html(others: Sequence[Row]) -> str:
    """Return a line for each scene that is shown without a picture."""
    if not others:
        return ""
    lines = "".join(f"<div>{escape(line)}</div>" for line in _lines(others))
    summary = f"<summary>{len(others)} more scenes</summary>"
    return f'<details style="{_SMALL};overflow-wrap:anywhere">{summary}{lines}</details>'


# As text, and as a picture.


def _lines(table: Sequence[Row]) -> Iterator[str]:
    """Yield a line for each scene: number, state, price, title and words."""
    for row in table:
        price = f" · {dollars(row.price_usd)}" if row.price_usd else ""
        chain = f" ↳ continues {row.number - 1}" if row.continues else ""
        title = f" {one_line(row.title, _LINE)}:" if row.title else ""
        words = one_line(_bare(row.prompt), _LINE)
        yield f"{row.number}. [{one_line(row.state, 100)}{price}]{chain}{title} {words}"


def storyboard_text(board: Board) -> str:
    """Return a storyboard as plain text that is safe in a terminal."""
    lines = [f"Film: {one_line(board.film.title)}" if board.film.title else "Film", f"  {board.headline}"]
    lines += [f"  Stopped: {one_line(board.film.stopped, 300)}"] if board.film.stopped else []
    lines += [f"  {line}" for line in _lines(board.rows[:_TEXT_LINES])]
    more = len(board.rows) - _TEXT_LINES
    lines += [f"  … and {more} more"] if more > 0 else []
    return "\n".join(map(printable, lines))


def storyboard_jpeg(board: Board, *, most: int = _STILL_BYTES[0]) -> str:
    """Return a storyboard as a JPEG of some `most` bytes in base64, for viewers that show no HTML."""
    cards = []
    for row in board.rows[:MAX_SHEET]:
        data = picture_of(board, row) or small_jpeg(grey(16), side=16)
        name = row.title or re.sub(r"\s+", " ", _bare(row.prompt))
        price = f" · {dollars(row.price_usd)}" if row.price_usd else ""
        chain = f" · continues {row.number - 1}" if row.continues and row.kind != "waits" else ""
        state = row.kind if row.kind == "waits" else row.state  # the price stands behind it, and a line is short
        lines = (f"{row.number}. {name}", f"{state}{price}{chain}")
        cards.append(Card(opened(data), lines, is_faint=row.clip is None))
    others = len(board.rows) - len(cards)
    shape = board.film.request(0).frame_size
    more = f"and {others} more scenes" if others else ""
    return sheet_jpeg(f"{board.title}: {board.headline}", cards, shape=shape, more=more, most=most)


def film_text(film: Film) -> str:
    """Return a film as a page of plain text."""
    return storyboard_text(look(film))


def bundle(film: Film) -> dict[str, str]:
    """Return the MIME bundle that Jupyter shows, at most 150 kB of a notebook."""
    board = look(film)
    text = storyboard_text(board)
    left = _MAX_BYTES - _held(text) - _held(_blank(board))
    half = _between(_STILL_BYTES, left * 3 // 8)  # of what is left, in base64
    still = storyboard_jpeg(board, most=min(half, max(2, len(board.rows)) * _STILL_EACH))
    html = storyboard_html(board, most=_MAX_BYTES - _held(text) - len(still))
    return {"text/plain": text, "text/html": html, "image/jpeg": still}
