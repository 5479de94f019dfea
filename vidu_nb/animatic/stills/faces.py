"""Faces set into a picture, in the place of what a face-swapping model would do."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidRequest
from ..film.camera import Box
from ..film.subject import find_faces

Picture = NDArray[np.uint8]
SIDES = (256, 304, 360)  # px: on larger ones shadows become faces, and a search takes seconds
FEW_SIDES = (256,)  # for the frames of an animation
_SMALLEST = 0.25  # of the largest face's width: smaller ones are left alone
_SAME = 0.4  # of their area that boxes of the same face share
_REACH = (0.36, 0.44)  # half axes of the oval that is taken, in widths and heights of the face
_LOW = 0.54  # where its middle lies, from the top of the face
_MOST = 32  # numbers in a list


def faces_in(picture: Picture, *, sides: Sequence[int] = SIDES) -> list[Box]:
    """Find the faces that can be swapped, the largest first.

    The picture is searched in several sizes. A face is found in most of them, in places that differ a little
    and whose mean is better than each; what looks like one by chance is found in fewer.

    Parameters
    ----------
    picture
        uint8 RGB of shape (height, width, 3).
    sides
        Its longer side in pixels, each time.
    """
    groups: list[dict[int, Box]] = []  # for each face its box by the size that it was found in
    for side in sides:
        for box in find_faces(picture, side=side, smallest=_SMALLEST):
            group = next((group for group in groups if _overlap(_mean(group.values()), box) > _SAME), None)
            if group is None:
                groups.append({side: box})
            else:
                group.setdefault(side, box)
    sure = [_mean(group.values()) for group in groups if len(group) * 2 > len(sides)]
    return sorted(sure, key=lambda box: (-box.width, box.left, box.top))


def _mean(boxes: Collection[Box]) -> Box:
    edges = np.mean([(box.left, box.top, box.right, box.bottom) for box in boxes], axis=0)
    return Box(*(float(edge) for edge in edges))


def _overlap(one: Box, other: Box) -> float:
    """Return the part of two boxes' area that both have."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    both = max(0.0, across) * max(0.0, down)
    return both / (one.width * one.height + other.width * other.height - both)


def indices(text: object, *, name: str) -> list[int]:
    """Read a list of faces such as ``"0,1"``; the largest for nothing.

    Raises
    ------
    InvalidRequest
        It is something else; the message names the parameter.

    >>> indices("0, 2", name="faces"), indices(None, name="faces")
    ([0, 2], [0])
    """
    whole = "0" if text is None or text == "" else str(text)
    parts = [part.strip(" ") for part in whole[:400].split(",")]
    if len(parts) > _MOST or not all(re.fullmatch(r"[0-9]{1,4}", part) for part in parts):
        shown = whole if len(whole) <= 40 else f"{whole[:39]}…"
        raise InvalidRequest(f"{name}: {shown!r} is no list of numbers such as 0,1: 0 is the largest face", field=name)
    return list(dict.fromkeys(map(int, parts)))


def chosen(faces: Sequence[Box], wanted: Sequence[int], *, picture: str, name: str) -> list[Box]:
    """Return the faces that a list of numbers names.

    Parameters
    ----------
    faces
        Those of a picture.
    wanted
        Their numbers from 0.
    picture, name
        The parameters of the picture and of the list, for errors.

    Raises
    ------
    InvalidRequest
        There is no face at all, or none of such a number.
    """
    if not faces:
        problem = f"{picture}: no face was found in this picture: pass one that shows a face from the front"
        raise InvalidRequest(problem, field=picture)
    for number in wanted:
        if number >= len(faces):
            many = "1 face was" if len(faces) == 1 else f"{len(faces)} faces were"
            raise InvalidRequest(f"{name}: there is no face {number}: {many} found, and the largest is 0", field=name)
    return [faces[number] for number in wanted]


def swap(picture: Picture, targets: Sequence[Box], face: Picture, sources: Sequence[Box]) -> Picture:
    """Set faces into a picture.

    Parameters
    ----------
    picture
        uint8 RGB of shape (height, width, 3): what is changed.
    targets
        Its faces that are replaced.
    face
        The picture that the faces come from.
    sources
        The faces that are used, in turn.

    Returns
    -------
    numpy.ndarray
        Of the picture's shape.
    """
    changed = picture.copy()
    for number, target in enumerate(targets):
        changed = _set(changed, target, face, sources[number % len(sources)])
    return changed


def _set(picture: Picture, target: Box, face: Picture, source: Box) -> Picture:
    """Blend one face into another's place (P. Pérez et al., "Poisson Image Editing", 2003)."""
    axes = [max(2, round(reach * side)) for reach, side in zip(_REACH, (target.width, target.height), strict=True)]
    size = (2 * axes[0] + 9, 2 * axes[1] + 9)
    at = (round((target.left + target.right) / 2), round(target.top + _LOW * target.height))
    # From a pixel of the patch to one of the face.
    scale = target.width / source.width
    x = (source.left + source.right) / 2 - size[0] // 2 / scale
    y = source.top + _LOW * source.height - size[1] // 2 / scale
    shrunk, matrix = _prepared(face, np.array([[1 / scale, 0, x], [0, 1 / scale, y]]), scale)
    patch = cv2.warpAffine(
        shrunk, matrix, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    mask = np.zeros(size[::-1], np.uint8)
    cv2.ellipse(mask, (size[0] // 2, size[1] // 2), axes, 0, 0, 360, 255, -1)
    edge = max(size) + 2  # the oval may reach beyond the picture's edge, where Poisson has nothing to hold on to
    left, top = at[0] - edge, at[1] - edge  # only the face's surroundings are worked on
    near = _cut(picture, Box(left, top, at[0] + edge, at[1] + edge))
    blended = cv2.seamlessClone(patch, near, mask, (edge, edge), cv2.NORMAL_CLONE)
    changed = picture.copy()
    height, width = picture.shape[:2]
    right, bottom = min(width, left + near.shape[1]), min(height, top + near.shape[0])
    changed[max(0, top) : bottom, max(0, left) : right] = blended[
        max(0, -top) : bottom - top, max(0, -left) : right - left
    ]
    return changed


def _cut(picture: Picture, box: Box) -> Picture:
    """Cut whole pixels out of a picture, whose edges go on for ever."""
    matrix = np.array([[1, 0, box.left], [0, 1, box.top]], np.float64)
    size = (round(box.width), round(box.height))
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _prepared(face: Picture, matrix: NDArray[np.float64], scale: float) -> tuple[Picture, NDArray[np.float64]]:
    """Shrink a face that is far larger than its place beforehand: a warp alone would skip most of its pixels."""
    if scale > 0.5:
        return face, matrix
    smaller = 1.5 * scale
    size = (max(1, round(face.shape[1] * smaller)), max(1, round(face.shape[0] * smaller)))
    shrunk = np.asarray(cv2.resize(face, size, interpolation=cv2.INTER_AREA), np.uint8)
    across, down = size[0] / face.shape[1], size[1] / face.shape[0]
    return shrunk, matrix * np.array([[across], [down]])
