"""A cast in a form: the prompt chooses its pictures, which stand behind those in the tray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalogue.model import Model
from ..errors import InvalidRequest
from ..references.cast import Cast, holds_cast


def part_with_cast(model: Model, values: Mapping[str, Any]) -> tuple[dict[str, Any], Cast | None]:
    """Return values without the cast among their references, and the cast, None where there is none."""
    field = model.by_role("references")
    names = ["references", *((field.name, field.parameter) if field else ())]
    name = next((one for one in names if one in values and holds_cast(values[one])), None)
    if name is None:
        return dict(values), None
    given = values[name]
    sources = [given] if isinstance(given, Cast) else list(given)
    members = {who: many for one in sources if isinstance(one, Cast) for who, many in one.items()}
    others = [one for one in sources if not isinstance(one, Cast)]
    rest = {other: value for other, value in values.items() if other != name}
    return rest | ({name: others} if others else {}), Cast(members)


def with_members(model: Model, values: Mapping[str, Any], cast: Cast | None) -> dict[str, Any]:
    """Return values with the cast behind their pictures, as far as the model can take one."""
    prompt, field = model.by_role("prompt"), model.by_role("references")
    if not cast or prompt is None:
        return dict(values)
    text = str(values.get(prompt.parameter) or "")
    takes_pictures = field is not None or any(one.type == "picture" for one in model.media)
    if not takes_pictures and not mentioned(cast, text):
        return dict(values)
    name = field.parameter if field else "references"
    own = values.get(name) or ()
    return {**values, name: [*(own if isinstance(own, tuple | list) else [own]), cast]}


def mentioned(cast: Cast, text: str) -> tuple[str, ...]:
    """Return the names that a prompt mentions; of one with an unknown name, none."""
    try:
        return cast.mentioned(text)
    except InvalidRequest:
        return ()


def without_mentions(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a request, whose prompt mentions nobody any more, as a form with a cast takes them."""
    prompt = model.by_role("prompt")
    text = values.get(prompt.parameter) if prompt else None
    return {**values, prompt.parameter: text.replace("@", "@@")} if prompt and isinstance(text, str) else dict(values)
