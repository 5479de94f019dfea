"""One parameter: how a value is checked, whatever model it belongs to."""

from __future__ import annotations

import json
import math
import pickle
import re

import numpy as np
import pytest
from catalogues import painter_with
from hypothesis import given
from hypothesis import strategies as st

from vidu_nb.catalogue.field import Field
from vidu_nb.errors import InvalidRequest

URL = "https://example.com/cat.png"
CLIP = "https://example.com/walk.mp4"


def refused(field, value):
    """The sentence with which a value is refused."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are compared by whoever asks
        field.check(value)
    return str(caught.value)


def number(**limits):
    return Field("scale", "number", "scale", **limits)


def integer(**limits):
    return Field("steps", "integer", "steps", **limits)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        (number(minimum=0, maximum=1), -0.1, "-0.1 is out of range: pass a number from 0 to 1"),
        (number(minimum=0.5), 0, "0 is out of range: pass a number from 0.5"),
        (number(maximum=2), 2.5, "2.5 is out of range: pass a number up to 2"),
        (number(), math.nan, "nan is not a number: pass one"),
        (number(), -math.inf, "-inf is not a number: pass one"),
        (number(), 10**5000, "a whole number of more than 4300 digits can't be sent as JSON"),
        (number(choices=(0.5, 1)), 0.7, "0.7 is not offered: pass 0.5 or 1"),
        (number(multiple_of=0.1), 0.25, "0.25 is not a multiple of 0.1: pass a number that is one"),
        (integer(minimum=1, maximum=4), 5, "5 is out of range: pass a whole number from 1 to 4"),
        (integer(minimum=1, maximum=4), 0, "0 is out of range: pass a whole number from 1 to 4"),
        (integer(minimum=0), -1, "-1 is out of range: pass a whole number from 0"),
        (integer(multiple_of=8), 12, "12 is not a multiple of 8: pass a whole number that is one"),
        (integer(choices=(5, 10), remarks={10: "no"}), 7, "7 is not offered: pass 5"),
        (integer(choices=(5,), remarks={5: "no"}), 7, "7 is not offered: pass 5"),
        (integer(choices=(5, 10)), "5", "'5' is not offered: pass the whole number 5 or 10"),
        (integer(), 10**5000, "a whole number of more than 4300 digits can't be sent as JSON"),
        (Field("n", "string", "n", choices=("a", "b")), ["a"], "['a'] is not one of a, b"),
        (Field("n", "string", "n", max_length=3), "abcd", "has 4 characters: the limit is 3"),
        (Field("n", "string", "n"), 5, "5 is not text"),
        (Field("n", "boolean", "n"), 1, "1 is not True or False"),
        (Field("n", "string", "n", required=True), None, "is missing"),
        (Field("n", "string", "n", required=True, hint="say what"), None, "is missing: say what"),
        (Field("n", "integer", "n", required=True, sure=False), None, "is missing"),
        (Field("n", "string", "n", required=True, role="prompt", hint="say what"), None, "None is not text"),
        (Field("n", "picture", "n", required=True), None, "is missing: pass a picture"),
        (Field("n", "link", "n", required=True), None, "is missing: pass a video or a sound"),
        (Field("n", "links", "n", required=True), None, "is empty: pass one or more videos or sounds"),
        (Field("n", "links", "n", required=True, max_items=2), [], "is empty: pass one to 2 videos or sounds"),
        (Field("n", "pictures", "n", required=True), [], "is empty: pass one or more pictures"),
        (Field("n", "pictures", "n", min_items=2, max_items=3), [URL], "1 given: pass 2 to 3 pictures"),
        (Field("n", "links", "n", max_items=2), [CLIP] * 3, "n: 3 given: pass at most 2"),
        (Field("n", "pictures", "n", max_items=2), [URL] * 3, "n: 3 given: pass at most 2"),
        (Field("n", "links", "n"), iter(lambda: CLIP, 0), "n: more than 100 given: pass at most 100"),
    ],
    ids=lambda value: "" if isinstance(value, Field) else str(value)[:50] if isinstance(value, str) else "_",
)  # fmt: skip
def test_a_wrong_value_is_told_with_what_to_pass(field, value, says):
    """The sentence shows the value and the cure."""
    assert refused(field, value) == says


@pytest.mark.parametrize(
    ("field", "value", "held"),
    [
        (number(multiple_of=0.1), 0.3, 0.3),
        (number(multiple_of=0.1), 1e15, 10**15),
        (number(choices=(0.5, 1)), np.float64(1), 1),
        (number(), np.float32(0.5), 0.5),
        (number(), 10**400, 10**400),
        (integer(multiple_of=8), 8 * 10**300, 8 * 10**300),
        (integer(), -0.0, 0),
        (integer(min_items=5), 3, 3),
        (Field("n", "string", "n"), "", ""),
        (Field("n", "string", "n"), None, None),
        (Field("n", "links", "n", min_items=2), [], ()),
        (Field("n", "pictures", "n", min_items=2), None, ()),
        (Field("n", "link", "n"), None, None),
        (Field("n", "picture", "n"), None, None),
        (Field("n", "boolean", "n"), np.bool_(True), True),
    ],
    ids=repr,
)
def test_a_right_value_is_held_as_pythons_own(field, value, held):
    """What is inside of the limits is taken; numbers of other libraries become Python's."""
    assert (field.check(value), type(field.check(value))) == (held, type(held))


def test_counts_that_are_not_sure_are_not_checked():
    """How many pictures a model takes is checked only where its page says so."""
    field = Field("n", "pictures", "n", min_items=2, max_items=3, sure=False)
    assert [len(field.check([URL] * count)) for count in (0, 1, 4, 9)] == [0, 1, 4, 9]


def test_links_are_taken_as_pictures_are(tmp_path):
    """One, a list, a tuple or any other iterable; a path, a URL or whatever has a path."""
    (tmp_path / "walk.mp4").write_bytes(b"moving")
    field = Field("n", "links", "n")
    for value in (CLIP, [CLIP], (CLIP,), iter([CLIP]), {"walk": CLIP}):
        assert [one.url for one in field.check(value)] == [CLIP]
    assert field.check(tmp_path / "walk.mp4")[0].name == "walk.mp4"
    assert field.check({"stroll": CLIP})[0].name == "stroll"


NAMES = [
    "model", "copy", "key", "class", "json", "_x", "__x", "model_name", "model_config", "of", "restored", "self",
    "schema", "dict", "values", "value", "media", "pictures", "by_role", "frame_size", "validate", "None", "lambda",
    "match",
    "default_model", "model_fields", "labels", "cls", "x_", "references", "replace", "mro", "client",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_parameters_name_may_be_one_that_python_or_a_request_uses(name):
    """The API's own name goes over the wire; in Python it may get an underscore, and either name is taken."""
    model = painter_with(f'[fields.{name}]\ntype = "string"')
    field = model.fields[name]
    assert field.parameter.isidentifier()
    made = model.request(text="A cat", **{field.parameter: "mine"})
    assert made == model.request(text="A cat", **{name: "mine"}) == made.replace(**{name: "mine"})
    assert made.value(name) == getattr(made, field.parameter) == "mine"
    assert made.payload() == {"text": "A cat", name: "mine"}
    assert made.prompt == "A cat"
    assert made.model is model
    assert (len(made.key()), made.key() == made.replace(**{name: "yours"}).key()) == (64, False)
    assert type(made).from_payload(json.loads(json.dumps(made.payload()))) == made
    assert pickle.loads(pickle.dumps(made)).payload() == made.payload()


def test_names_that_would_be_the_same_in_python_are_kept_apart():
    """Each parameter has a name of its own, whichever others there are."""
    names = ["class", "class_", "_class", "__class", "references_", "prompt_", "prompt"]
    model = painter_with("\n".join(f'[fields.{name}]\ntype = "string"' for name in names))
    assert len(model.by_parameter) == len(names) + 1
    assert model.fields["class_"].parameter == "class_"
    made = model.request(**{model.fields[name].parameter: name for name in names}, prompt="A cat")
    assert made.payload() == {"text": "A cat", **{name: name for name in names}}


@given(
    st.sampled_from(["string", "integer", "number", "boolean", "picture", "pictures", "link", "links"]),
    st.booleans(),
    st.booleans(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_any_value_is_held_or_refused_in_words(kind, sure, required, value):
    """Whatever somebody passes, a field takes it or says in a short sentence why not."""
    field = Field("n", kind, "n", sure=sure, required=required)
    message, held = "", None
    try:
        held = field.check(value)
    except (InvalidRequest, ValueError) as error:
        message = f"{type(error).__name__}: {error}"
    if message:
        assert re.fullmatch("(InvalidRequest|ValueError): .{1,300}", message)
    elif not field.is_media:
        json.dumps(held, allow_nan=False)
