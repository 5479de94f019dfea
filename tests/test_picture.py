"""A picture that a model made, and its papers: shown, saved, read back, and made into something else."""

from __future__ import annotations

import base64
import functools
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

import vidu_nb as vidu
from vidu_nb import image_file, models
from vidu_nb.errors import InvalidRequest, ViduError
from vidu_nb.folders import copy_target
from vidu_nb.pictures import PICTURE_COPIES
from vidu_nb.receipt import Receipt
from vidu_nb.recipe import RECIPE_TAG, recipe_of, with_recipe
from vidu_nb.references.reference import Reference

DRAW = models["sdxl1.0-txt2img"]
NOISE = Image.fromarray(np.random.default_rng(7).integers(0, 255, (700, 900, 3), np.uint8))
MOST_SHOWN = 150_000  # characters of a notebook's output


def encoded(image=NOISE, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def moving(frames=30, side=400):
    """A GIF of a few megabytes; its colours are chosen by a quick way, for the usual one takes seconds."""
    images = [
        NOISE.resize((side, side)).rotate(3 * number).quantize(method=Image.Quantize.FASTOCTREE)
        for number in range(frames)
    ]
    return encoded(images[0], "GIF", save_all=True, append_images=images[1:], duration=80, loop=0)


NAMES = ("large.png", "photo.jpg", "small.png", "still.webp", "moving.gif")


@functools.cache
def file(name):
    """The bytes of a picture, made where they are asked for: every worker imports this file."""
    match name:
        case "large.png":
            return encoded()
        case "photo.jpg":
            return encoded(kind="JPEG", quality=95)
        case "small.png":
            return encoded(Image.new("RGB", (256, 192), "navy"))
        case "still.webp":
            return encoded(kind="WEBP")
        case "moving.gif":
            return moving()


@pytest.fixture
def make(tmp_path):
    """Makes a picture of some bytes with the papers of a paid one."""

    def picture(data=None, name="made.png", prompt="A lighthouse at dusk", *, engine="segmind", **more):
        path = tmp_path / "kept" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file("small.png") if data is None else data)
        request = DRAW.request(prompt=prompt, seed=7, **more)
        receipt = Receipt(engine=engine, model=DRAW.slug, cost_usd=0.008, request_id="r-1", sha256="ab" * 32)
        return vidu.Picture(path, request, receipt)

    return picture


@pytest.fixture(params=NAMES)
def picture(make, request):
    return make(file(request.param), request.param)


# Shown.


def test_a_picture_shows_itself(picture):
    """Inline with its caption and its prompt, below 150 kB of notebook; a JPEG for viewers that show no HTML."""
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "image/jpeg"}
    assert sum(map(len, bundle.values())) < MOST_SHOWN
    assert "A lighthouse at dusk" in bundle["text/html"]
    assert "seed 7 · segmind, $0.008" in bundle["text/html"]
    assert "PREVIEW" not in bundle["text/html"]
    source = re.search(r'<img[^>]* src="data:image/\w+;base64,([^"]+)"', bundle["text/html"])[1]
    assert Image.open(io.BytesIO(base64.b64decode(source))).size
    assert Image.open(io.BytesIO(base64.b64decode(bundle["image/jpeg"]))).format == "JPEG"


def test_a_gif_moves(make):
    """A large GIF moves in a small copy; a small one is shown as it is."""
    html = make(file("moving.gif"), "moving.gif")._repr_mimebundle_()["text/html"]
    kind, source = re.search(r'src="data:(image/\w+);base64,([^"]+)"', html).groups()
    assert kind == "image/webp"
    assert Image.open(io.BytesIO(base64.b64decode(source))).n_frames > 1


def test_a_small_file_is_shown_as_it_is(make):
    """Its very bytes, and no note of a copy."""
    picture = make()
    html = picture._repr_mimebundle_()["text/html"]
    assert base64.b64encode(picture.bytes).decode() in html
    assert "small copy" not in html


def test_the_whole_file_is_embedded_where_asked_for(make):
    """`embed` puts every byte into the notebook."""
    picture = make(file("large.png"))
    assert base64.b64encode(picture.bytes).decode() in picture.embed().html()


def test_a_link_leads_to_the_file(make, monkeypatch):
    """Where a link plays, it leads from the small copy to the file."""
    monkeypatch.setenv("VIDU_NB_PLAYER", "link")
    html = make(file("large.png"))._repr_mimebundle_()["text/html"]
    assert '<a href="kept/made.png"' in html
    assert "small copy" not in html


def test_a_placeholder_is_never_passed_off_as_the_models_work(make):
    """A preview bears the badge, and says so in its caption."""
    picture = make(engine="preview")
    assert picture.is_preview
    assert "PREVIEW" in picture._repr_mimebundle_()["text/html"]
    assert "preview, free" in picture.caption


def test_hostile_texts_stay_texts(make):
    """HTML in a prompt is escaped, in the alternative text as well; a terminal's sequences are spelled out."""
    picture = make(prompt='"><script>alert(1)</script>\x1b[31m')
    html = picture._repr_mimebundle_()["text/html"]
    assert "<script" not in html
    assert re.search(r'alt="[^"]*&lt;script&gt;', html)


def test_a_picture_that_has_gone_is_named(make):
    """Showing, opening, saving: one error that names the file."""
    picture = make()
    picture.path.unlink()
    for use in (picture._repr_mimebundle_, picture.open, lambda: picture.save("copy.png"), lambda: picture.size):
        with pytest.raises(ViduError, match=r"made\.png does not exist"):
            use()
    assert "made.png" in repr(picture)


def test_a_bomb_is_named_and_not_decoded(make, bomb):
    """A picture of 10 gigapixels has a caption, and no copy."""
    html = make(bomb)._repr_mimebundle_()["text/html"]
    assert "too many pixels" in html
    assert len(html) < 5000


def test_a_truncated_file_is_an_error(make):
    """Its file was cut after it was kept."""
    with pytest.raises(ViduError, match=r"made\.png can't be read as a picture"):
        make(file("large.png")[:-2000]).open()


def test_several_show_as_a_row(make):
    """Four pictures side by side, below 150 kB together; as text a line each."""
    row = vidu.Pictures(make(file("large.png"), f"{number}.png") for number in range(4))
    bundle = row._repr_mimebundle_()
    assert bundle["text/html"].count("<img") == 4
    assert sum(map(len, bundle.values())) < MOST_SHOWN
    assert len(repr(row).splitlines()) == 4
    assert isinstance(row[:2], vidu.Pictures)
    assert isinstance(row[0], vidu.Picture)
    assert vidu.Pictures()._repr_mimebundle_()


def test_show_takes_clips_and_pictures_together(make, small_video):
    """In any order, with labels; what is neither is refused."""
    shown = vidu.show([make(), small_video, vidu.Pictures([make(), make()])], labels=["a", "b", "c", "d"])
    assert shown.html().count("<img") == 3
    assert shown.html().count("<video") == 1
    assert shown.bundle()["image/jpeg"]
    assert not hasattr(shown, "_ipython_display_")  # no bar: pictures have no timeline
    with pytest.raises(InvalidRequest, match="no Video or Picture"):
        vidu.show(["made.png"])


# Saved and read back.


def test_a_saved_picture_gives_its_papers_back(picture):
    """Request, seed, cost, from the file alone; not one pixel is another."""
    path = picture.save("out/")
    back = vidu.load(path)
    assert isinstance(back, vidu.Picture)
    assert (back.request, back.receipt) == (picture.request, picture.receipt)
    assert back.request.key() == picture.request.key()
    assert path.name == picture.path.name
    before, after = (Image.open(one) for one in (picture.path, path))
    assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()
    again = vidu.load(back.save("again/"))
    assert again.path.stat().st_size == path.stat().st_size


def test_a_copy_gets_the_ending_of_its_format(make):
    """A name without an ending; another ending converts, and an animation is not made to stand still."""
    assert make().save("copy").name == "copy.png"
    assert Image.open(make().save("copy.jpg")).format == "JPEG"
    assert Image.open(make(file("photo.jpg"), "photo.jpg").save("copy.webp")).format == "WEBP"
    with pytest.raises(InvalidRequest, match="it moves"):
        make(file("moving.gif"), "moving.gif").save("copy.png")
    assert vidu.load("copy.jpg").request == make().request


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [12, 13, 300, -1])
def test_a_damaged_picture_is_not_copied(make, tmp_path, name, length):
    """What is left of the file is no picture to give away: the error says so, and nothing is written."""
    picture = make(file(name)[:length], name)
    for target in (tmp_path / name, tmp_path / "other.png"):
        with pytest.raises(ViduError, match="can't be read as a picture"):
            picture.save(target)
        assert not target.exists()


def test_several_are_saved_under_numbers(make):
    """As one name with numbers, or into a folder under their own."""
    row = vidu.Pictures(make(name=f"{number}.png") for number in "ab")
    assert [path.name for path in row.save("out.png")] == ["out.png", "out_2.png"]
    assert [path.name for path in row.save("folder/")] == ["a.png", "b.png"]


@pytest.mark.parametrize("target", ["copy.mp4", "copy.txt", "copy.svg"])
def test_other_endings_are_refused_before_anything_is_paid_for(make, target):
    """The message names those that are taken."""
    with pytest.raises(InvalidRequest, match=r"\.png, \.jpg, \.jpeg, \.gif or \.webp"):
        copy_target(target, PICTURE_COPIES)
    with pytest.raises(InvalidRequest):
        make().save(target)


def test_the_content_decides_what_a_file_is(make, small_video, tmp_path):
    """A picture called .mp4 is a picture, a clip called .png a clip."""
    picture = tmp_path / "picture.mp4"
    picture.write_bytes(make().save("copy.png").read_bytes())
    assert vidu.load(picture).request == make().request
    clip = tmp_path / "clip.png"
    clip.write_bytes(small_video.save("clip.mp4").read_bytes())
    assert vidu.load(clip).request == small_video.request


def test_a_file_from_elsewhere_loads(tmp_path):
    """It has no papers; one that is no picture is an error."""
    (tmp_path / "holiday.jpg").write_bytes(file("photo.jpg"))
    holiday = vidu.load(tmp_path / "holiday.jpg")
    assert (holiday.request, holiday.receipt, holiday.caption) == (None, None, "holiday.jpg")
    (tmp_path / "page.png").write_text("<html>")
    with pytest.raises(ViduError):
        vidu.load(tmp_path / "page.png")


@pytest.mark.parametrize(
    "recipe",
    [
        "no JSON", "[]", "{}", '{"format": 1}', '{"format": "NaN"}', '{"format": 1, "request": 5, "receipt": []}',
        '{"format": 1, "request": {"prompt": ["x"]}, "receipt": {"cost_usd": "much"}, "request_model": {"a": 1}}',
        '{"format": 1, "request_model": "gone-model", "request": {"prompt": "x"}}',
        '{"format": 1, "request_model": "sdxl1.0-txt2img", "request": {"prompt": "x", "image": "/etc/passwd"}}',
        "[" * 30_000,
    ],
)  # fmt: skip
def test_a_strangers_recipe_is_no_crash(tmp_path, recipe):
    """Whatever stands in the file: the picture loads, shows, and tells its chain."""
    path = tmp_path / "strange.png"
    path.write_bytes(image_file.write_text(file("small.png"), RECIPE_TAG, recipe))
    picture = vidu.load(path)
    assert picture.request is None
    assert picture._repr_mimebundle_()["text/html"]
    assert repr(picture.chain())


def test_a_recipe_of_a_later_version_is_an_error(tmp_path):
    """Rather than half of a request."""
    path = tmp_path / "later.png"
    path.write_bytes(image_file.write_text(file("small.png"), RECIPE_TAG, '{"format": 99}'))
    with pytest.raises(ViduError, match="Upgrade vidu-nb"):
        vidu.load(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_that_is_too_large_is_cut_to_what_fits(make, name):
    """A prompt of a megabyte: the receipt stays, and no half of a request is read back."""
    picture = make(file(name), name, prompt="word " * 200_000)
    back = vidu.load(picture.save("out/"))
    assert back.receipt == picture.receipt
    assert back.request is None


def test_no_reference_picture_is_in_the_file(make, photo):
    """Names and hashes, no pixels."""
    picture = make(file("large.png"))
    request = models["sdxl-img2img"].request(prompt="In oil", image=Reference(photo, name="wave.png"))
    drawn = vidu.Picture(picture.path, request, picture.receipt)
    data = drawn.save("out.png").read_bytes()
    assert len(data) < len(file("large.png")) + 5000
    assert b"wave.png" in data
    assert vidu.load("out.png").request is None


# What is made of it.


def test_a_picture_is_a_reference(picture):
    """By its pixels, with its name; and knows how it was made, which is no part of what it is."""
    reference = Reference(picture)
    plain = Reference(picture.path)
    assert (reference, reference.sha256, reference.name) == (plain, plain.sha256, plain.name)
    assert reference.made_by["request"]["prompt"] == "A lighthouse at dusk"
    assert plain.made_by is None
    one, other = (vidu.VideoRequest(prompt="Waves", references=[source]) for source in (picture, picture.path))
    assert one.key() == other.key()
    assert one == other


def test_several_pictures_are_several_references(make):
    """A row is taken as its pictures."""
    row = vidu.Pictures([make(name="a.png"), make(encoded(Image.new("RGB", (300, 200), "red")), "b.png")])
    request = vidu.VideoRequest(prompt="Waves", references=row)
    assert [one.name for one in request.references] == ["a.png", "b.png"]


def test_a_clip_remembers_how_its_pictures_were_made(make, small_video):
    """From the first request to the last, in the clip's own file; each that can be made again is at hand."""
    request = vidu.VideoRequest(prompt="Waves break", references=make(), seed=3)
    video = vidu.Video(small_video.path, request, small_video.receipt)
    for clip in (video, vidu.load(video.save("film.mp4")), vidu.load(video.save("plain.mp4", references=False))):
        chain = clip.chain()
        assert [(step.model, step.prompt) for step in chain] == [
            (DRAW.slug, "A lighthouse at dusk"), (vidu.VideoRequest.of.slug, "Waves break"),
        ]  # fmt: skip
        assert [step.seed for step in chain] == [7, 3]
        assert chain.cost_usd == pytest.approx(0.508)
        assert chain[0].request == make().request
        assert chain[0].used_as == "made.png"
    assert vidu.load("film.mp4").chain()[-1].request == request
    assert vidu.load("film.mp4").request.references[0].made_by == request.references[0].made_by
    assert vidu.load("plain.mp4").chain()[-1].request is None


def test_a_long_chain_ends_somewhere(make):
    """Of a picture that was made of a picture, a hundred times, the last steps are told; the file stays small."""
    drawn = make()
    for number in range(100):
        request = models["sdxl-img2img"].request(prompt=f"Step {number}", image=drawn)
        drawn = vidu.Picture(drawn.path, request, drawn.receipt)
    chain = drawn.chain()
    assert 3 < len(chain) < 10
    assert chain[-1].prompt == "Step 99"
    assert len(json.dumps(drawn.recipe())) < 10_000
    assert [step.prompt for step in vidu.load(drawn.save("out.png")).chain()] == [step.prompt for step in chain]


def test_a_picture_in_two_places_is_one_step(make, small_video):
    """It was made once, and paid for once."""
    drawn = make()
    request = vidu.VideoRequest(prompt="Waves", references=[drawn, drawn])
    assert len(vidu.Video(small_video.path, request, small_video.receipt).chain()) == 2


def test_a_chain_shows_strangers_texts_as_texts(tmp_path):
    """HTML and a terminal's sequences in every text of the recipe."""
    hostile = "<img src=x onerror=alert(1)>\x1b[2J\u202e"
    maker = {"request_model": hostile, "request": {"prompt": hostile}, "receipt": {"engine": hostile, "seed": 1}}
    note = {"name": hostile, "size": None, "sha256": "0" * 64, "url": "https://a.example/b.png", "made_by": maker}
    recipe = {"format": 1, "request_model": hostile, "request": {"prompt": hostile, "image": note}}
    path = tmp_path / "hostile.png"
    path.write_bytes(with_recipe(file("small.png"), recipe))
    chain = vidu.load(path).chain()
    assert len(chain) == 2
    assert "<img" not in chain._repr_mimebundle_()["text/html"]
    for text in chain._repr_mimebundle_().values():
        assert not {"\x1b", "\u202e"} & set(text)


def test_what_is_no_recipe_is_no_maker():
    """A stranger's note of how a picture was made may be anything."""
    deep = {"request": {"prompt": "x"}}
    for _ in range(500):
        deep = {"request": {"image": {"made_by": deep}}}
    for odd in (5, "x", [], {"request": 5}, {"request": {"prompt": "x" * 2_000_000}}, {"request": {"a": {1, 2}}}, None):
        assert Reference.from_wire("https://a.example/b.png", made_by=odd).made_by is None
    assert len(json.dumps(Reference.from_wire("https://a.example/b.png", made_by=deep).made_by)) < 9000


def test_old_recipes_stay_as_they_were(small_video):
    """A clip of plain pictures has the same recipe as before."""
    assert "made_by" not in json.dumps(recipe_of(small_video.request, small_video.receipt))


def moving_gif(*colours):
    """The bytes of a GIF with a frame of each colour."""
    first, *rest = (Image.new("RGB", (160, 160), colour) for colour in colours)
    made = io.BytesIO()
    first.save(made, "GIF", save_all=True, append_images=rest, duration=100)
    return made.getvalue()


def test_a_gif_that_moves_is_sent_whole_where_a_model_takes_it(tmp_path):
    """Its frames arrive as they are, and two that begin alike are two pictures; elsewhere the first frame is sent."""
    face = Image.new("RGB", (160, 160), "white")
    red, green = moving_gif("navy", "red"), moving_gif("navy", "green")
    model = vidu.models["sd2.1-faceswapper"]
    asked = [model.request(input_face_image=face, target_face_image=gif) for gif in (red, green)]
    assert [one.target_face_image.bytes for one in asked] == [red, green]
    assert asked[0].key() != asked[1].key()
    again = model.request_class.from_payload(asked[0].payload())
    assert again.target_face_image == asked[0].target_face_image
    archive = vidu.Archive(tmp_path / "kept")
    archive.keep_references(asked[0])
    assert [path.suffix for path in archive.references.iterdir()].count(".gif") == 1
    still = vidu.models["faceswap-v2"].request(source_img=face, target_img=red)
    assert still.target_img.bytes.startswith(b"\x89PNG")
    assert still.target_img.notes == ("only the first frame of the animation is used",)
