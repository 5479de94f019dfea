"""A cast: whom a prompt mentions, in any script, and what is then asked for."""

from __future__ import annotations

import pickle
import unicodedata

import pytest
from PIL import Image

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest

COLOURS = iter(range(1, 250))


def wall():
    return Image.new("RGB", (160, 160), (next(COLOURS), 90, 90))


def cast_of(*names, **many):
    return vidu.Cast({name: wall() for name in names} | {name: [wall() for _ in range(n)] for name, n in many.items()})


def asked(prompt, references, **parameters):
    request = vidu.VideoRequest(prompt=prompt, references=references, **parameters)
    return request.prompt, [one.name for one in request.references]


@pytest.mark.parametrize(
    ("names", "prompt", "sent", "pictures"),
    [
        (["anna"], "@anna waves.", "anna (image 1) waves.", ["anna"]),
        (["anna"], "@ANNA, then @Anna", "anna (image 1), then anna (image 1)", ["anna"]),
        (["anna", "ben"], "@ben, @anna, @ben", "ben (image 1), anna (image 2), ben (image 1)", ["ben", "anna"]),
        (["an", "anna"], "@anna sees @an.", "anna (image 1) sees an (image 2).", ["anna", "an"]),
        (["anna"], "@anna's hat, @anna’s hat", "anna (image 1)'s hat, anna (image 1)’s hat", ["anna"]),
        (["anna"], "an @anna-like doll", "an anna (image 1)-like doll", ["anna"]),
        (["anna", "anna-like"], "an @anna-like doll", "an anna-like (image 1) doll", ["anna-like"]),
        (["anna"], "@anna- (@anna) “@anna”", "anna (image 1)- (anna (image 1)) “anna (image 1)”", ["anna"]),
        (["anna"], "@@anna and @anna", "@anna and anna (image 1)", ["anna"]),
        (["anna"], "@@@anna, @@@@anna", "@anna (image 1), @@anna", ["anna"]),
        (["anna"], "@anna, me@anna.org, ß@anna, ü_@anna", "anna (image 1), me@anna.org, ß@anna, ü_@anna", ["anna"]),
        (["anna"], "@ @anna @, @- @! @", "@ anna (image 1) @, @- @! @", ["anna"]),
        (["安娜"], "@安娜走进咖啡馆", "安娜 (image 1)走进咖啡馆", ["安娜"]),
        (["安", "安娜"], "然后@安娜走，@安走", "然后安娜 (image 1)走，安 (image 2)走", ["安娜", "安"]),
        (["anna"], "然后@anna走进", "然后anna (image 1)走进", ["anna"]),
        (["アンナ"], "@アンナは歩く", "アンナ (image 1)は歩く", ["アンナ"]),
        (["안나"], "@안나가 걷는다", "안나 (image 1)가 걷는다", ["안나"]),
        (["अन्ना"], "@अन्ना चलती है", "अन्ना (image 1) चलती है", ["अन्ना"]),
        (["น้ำ"], "แล้ว@น้ำเดิน", "แล้วน้ำ (image 1)เดิน", ["น้ำ"]),
        (["Анна"], "@анна идёт", "Анна (image 1) идёт", ["Анна"]),
        (["آنا"], "@آنا می‌رود", "آنا (image 1) می‌رود", ["آنا"]),
        (["Weiß"], "@WEISS and @weiß", "Weiß (image 1) and Weiß (image 1)", ["Weiß"]),
        (["7", "77"], "@7 waves, @77", "7 (image 1) waves, 77 (image 2)", ["7", "77"]),
        (["anna"], "@anna🐱 @🐱 👩‍🚀@anna", "anna (image 1)🐱 @🐱 👩‍🚀anna (image 1)", ["anna"]),
    ],
)  # fmt: skip
def test_a_mention_is_a_name_in_any_script(names, prompt, sent, pictures):
    """The longest name that ends where a word may; its pictures come in the order of first mention."""
    assert asked(prompt, cast_of(*names)) == (sent, pictures)


def test_accents_are_the_same_however_they_are_written():
    """A name and its mention match whether an accent is a character of its own or not."""
    for form, other in (("NFC", "NFD"), ("NFD", "NFC")):
        cast = cast_of(unicodedata.normalize(form, "Élodie"))
        assert list(cast) == ["Élodie"]
        prompt = unicodedata.normalize(other, "@élodie, @ÉLODIE")
        assert asked(prompt, cast)[0] == "Élodie (image 1), Élodie (image 1)"
    with pytest.raises(InvalidRequest, match="are the same name"):
        cast_of("Élodie", unicodedata.normalize("NFD", "élodie"))


@pytest.mark.parametrize("prompt", ["@annabel waves", "@anna_b waves", "@anna2", "@ann", "@nobody’s", "@アンナ"])
def test_an_unknown_name_is_refused_with_those_that_there_are(prompt):
    """A name that only begins like another is a stranger; the message lists the cast and the way to write an @."""
    with pytest.raises(InvalidRequest, match=r"nobody in the cast has that name.*it has anna, ben.*@@") as caught:
        asked(prompt, cast_of("anna", "ben"))
    assert caught.value.field == "prompt"


def test_a_name_that_is_nearly_right_is_suggested():
    """Whoever mistypes a name reads the one that was meant, as the cast spells it."""
    with pytest.raises(InvalidRequest, match="did you mean @Anna"):
        asked("@anan waves", cast_of("Anna", "ben"))


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a--b",
        "-a",
        "a-",
        "@anna",
        "anna's",
        "a.b",
        "🐱",
        "a\n",
        "a\0",
        "\ud800",
        41 * "a",
        7,
        "\u0301a",
    ],
)
def test_a_name_that_can_not_be_written_is_refused(name):
    """A name is words with single hyphens; anything else is refused when the cast is made."""
    with pytest.raises(InvalidRequest, match="can't be written after an @") as caught:
        vidu.Cast({name: wall()})
    assert caught.value.field == "cast"


def test_several_pictures_of_one_name_are_told_together():
    """A name with three pictures takes three places, and the prompt tells all of them."""
    cast = cast_of("cafe", anna=3)
    assert asked("In the @cafe sits @anna.", cast) == (
        "In the cafe (image 1) sits anna (image 2, image 3, image 4).",
        ["cafe", "anna 1", "anna 2", "anna 3"],
    )


def test_more_pictures_than_the_model_takes_are_counted_by_name():
    """The message says how many are taken, and who brings how many; others in the list count as well."""
    cast = cast_of(anna=5, ben=2, carl=1)
    with pytest.raises(InvalidRequest, match=r"at most 7 .* asks for 8: anna 5, ben 2, carl 1$"):
        asked("@anna, @ben and @carl", cast)
    with pytest.raises(InvalidRequest, match=r"asks for 8: anna 5, ben 2, others 1$"):
        asked("@anna and @ben", [cast, wall()])
    assert len(asked("@anna and @ben", cast)[1]) == 7


def test_who_mentions_nobody_is_told_how_to():
    """A model that needs a picture gets none from a cast that nobody mentions, and the message names the names."""
    with pytest.raises(InvalidRequest, match=r"mentions nobody of the cast.*write @anna, @ben"):
        asked("A wave.", cast_of("anna", "ben"))
    assert asked("A wave.", [cast_of("anna"), vidu.Reference(wall(), name="sea")]) == ("A wave.", ["sea"])
    with pytest.raises(InvalidRequest, match="is empty: pass one to 7 pictures"):
        asked("A wave.", vidu.Cast())
    with pytest.raises(InvalidRequest, match="there is no cast"):
        asked("@anna waves", vidu.Cast())


def test_a_cast_stands_wherever_references_do():
    """`references` and `image_urls`, alone or in a list; the pictures stand where the cast does."""
    cast, sea = cast_of("anna", "ben"), vidu.Reference(wall(), name="sea")
    assert vidu.VideoRequest(prompt="@ben", image_urls=cast).prompt == "ben (image 1)"
    assert asked("@ben, @anna", [cast, sea]) == ("ben (image 1), anna (image 2)", ["ben", "anna", "sea"])
    assert asked("@ben, @anna", (sea, cast)) == ("ben (image 2), anna (image 3)", ["sea", "ben", "anna"])


def test_two_casts_are_one():
    """Pictures come in the order of mention, whichever cast they are of; one name with two meanings is refused."""
    people, places = cast_of("anna"), cast_of("cafe")
    sea = vidu.Reference(wall(), name="sea")
    assert asked("In the @cafe sits @anna", [people, sea, places]) == (
        "In the cafe (image 1) sits anna (image 2)", ["cafe", "anna", "sea"]
    )  # fmt: skip
    assert asked("@anna", [people, people, places])[1] == ["anna"]
    with pytest.raises(InvalidRequest, match="two casts have anna"):
        asked("@anna", [people, cast_of("anna")])


def test_each_model_has_its_own_words():
    """What stands for a name is what the model's file says; single pictures are filled in their order."""
    cast = cast_of(anna=2, ben=1)
    wan = vidu.models["wan2.7-r2v"].request(prompt="@ben sees @anna's hat", references=cast)
    assert wan.prompt == "Image1 sees Image2, Image3's hat"
    img2img = vidu.models["sdxl-img2img"].request(prompt="@ben in oil", references=cast)
    assert img2img.value("image") == cast["ben"][0]
    with pytest.raises(InvalidRequest, match=r"at most 1 .* asks for 2: anna 2"):
        vidu.models["sdxl-img2img"].request(prompt="@anna in oil", references=cast)
    with pytest.raises(InvalidRequest, match=r"a prompt mentions a cast, and faceswap-v2 takes none"):
        vidu.models["faceswap-v2"].request(references=cast)


def test_a_request_holds_what_is_sent():
    """A request has no cast: it is replaced, pickled and identified by the words and the pictures that are sent."""
    cast = cast_of("anna", "ben")
    request = vidu.VideoRequest(prompt="@anna waves", references=cast)
    plain = vidu.VideoRequest(prompt="anna (image 1) waves", references=cast["anna"])
    assert request == plain == pickle.loads(pickle.dumps(request))
    assert request.key() == plain.key()
    assert request.replace(seed=7).prompt == "anna (image 1) waves"
    assert request.replace(prompt="@ben runs", references=cast).references == cast["ben"]


def test_a_prompt_that_grows_too_long_says_why():
    """At the limit of 1,500 characters the names' own words may be too much, and the message tells both counts."""
    cast = cast_of("anna")
    room = 1500 - len("anna (image 1)")
    assert len(asked("@anna" + "." * room, cast)[0]) == 1500
    with pytest.raises(InvalidRequest, match=r"1,492 characters become 1,501 .*the limit is 1,500") as caught:
        asked("@anna" + "." * (room + 1), cast)
    assert caught.value.field == "prompt"
    with pytest.raises(InvalidRequest, match=r"prompt: has 2,014 characters"):
        asked("@anna" + "." * 2000, cast)


def refused_by():
    cast = cast_of("anna")
    face, image = vidu.models["faceswap-v2"], vidu.models["sdxl-img2img"]
    yield lambda: vidu.Reference(cast)
    yield lambda: vidu.Cast(anna=cast)
    yield lambda: face.request(source_img=cast, target_img=wall())
    yield lambda: image.request(prompt="@anna", image=cast)
    yield lambda: vidu.VideoRequest(prompt="@anna", references={"x": cast})
    yield lambda: vidu.VideoRequest(prompt="@anna", references=iter([cast]))
    yield lambda: vidu.VideoRequest(prompt="@anna", references=[[cast]])


@pytest.mark.parametrize("call", list(refused_by()), ids=range(7))
def test_where_a_picture_is_wanted_a_cast_is_refused(call):
    """Whoever passes a cast for a picture reads what it is and how to pass one of its pictures."""
    with pytest.raises(InvalidRequest, match=r"a Cast holds pictures of several|a list is not a picture"):
        call()


@pytest.mark.parametrize("call", [vidu.show, vidu.consistency, vidu.framing, vidu.storyboard])
def test_where_a_clip_is_wanted_a_cast_is_refused(call):
    """A cast is no clip and no request, and nothing breaks over it."""
    with pytest.raises(InvalidRequest):
        call(cast_of("anna"))


@pytest.mark.parametrize("given", ["people", ["anna.jpg"], 7, wall()])
def test_what_is_no_names_makes_no_cast(given):
    """A folder is read by `Cast.load`; the message says so."""
    with pytest.raises(InvalidRequest, match=r"Cast.load\(folder\)"):
        vidu.Cast(given)


def test_a_cast_is_a_value():
    """Names are found in any case; changes give new ones; equal ones are equal."""
    cast = cast_of("Anna", "ben")
    other = wall()
    assert cast["ANNA"] == cast["anna"]
    assert ("anna" in cast, "nobody" in cast, None in cast, cast.get("x")) == (True, False, False, None)
    assert list(cast.replace(anna=other, carl=other)) == ["Anna", "ben", "carl"]
    assert cast.replace(anna=other)["anna"] == (vidu.Reference(other),)
    assert list(cast.without("ANNA")) == ["ben"]
    assert cast == vidu.Cast(dict(cast)) == pickle.loads(pickle.dumps(cast))
    assert cast != cast.replace(anna=other)
    assert len({cast, vidu.Cast(dict(cast))}) == 1
    with pytest.raises(InvalidRequest, match="nobody in the cast"):
        cast.without("nobody")


def test_a_large_cast_has_limits_and_a_short_repr():
    """A hundred names are taken, and a repr shows two dozen; more are refused before a picture is read."""
    one = vidu.Reference(wall())
    cast = vidu.Cast({f"n{i}": one for i in range(100)})
    assert repr(cast).endswith("n23, and 76 more)")
    with pytest.raises(InvalidRequest, match="1,000,000 names: at most 100"):
        vidu.Cast({f"n{i}": "no-such-file.png" for i in range(1_000_000)})
    with pytest.raises(InvalidRequest, match="at most 20"):
        vidu.Cast(anna=[one] * 21)
