"""JSON bodies: the same bytes as the standard library's, whatever they hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu_nb.net import json_body as module
from vidu_nb.net.json_body import json_body

_PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text())
_VALUES = st.recursive(_PLAIN, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)))


@given(st.dictionaries(st.text(), _VALUES))
def test_any_body_is_that_of_the_standard_library(payload):
    """Texts, numbers, lists, lists in lists."""
    assert json_body(payload) == json.dumps(payload).encode()


@pytest.mark.parametrize("place", [0, 10_000, 19_999])
@pytest.mark.parametrize("letter", ['"', "\\", "\n", "\x00", "\x1f", "\x7f", "é", "\ud800", "😀", "A"])
def test_a_long_text_is_escaped_where_one_letter_needs_it(letter, place):
    """Wherever it stands."""
    text = "A" * place + letter + "A" * (20_000 - place)
    for payload in ({"image_urls": [text]}, {"prompt": text}):
        assert json_body(payload) == json.dumps(payload).encode()


def test_base64_is_not_looked_at_letter_by_letter(monkeypatch):
    """What `json` gets to escape is short."""
    seen = []
    dumps = json.dumps
    monkeypatch.setattr(module.json, "dumps", lambda value: seen.append(len(dumps(value))) or dumps(value))
    json_body({"prompt": "A cat", "image_urls": ["data:image/png;base64," + "A" * 1_000_000] * 3})
    assert max(seen) < 20
