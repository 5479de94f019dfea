"""Signed URLs: one object is one picture whatever its signature, and no signature leaves the archive."""

from __future__ import annotations

import hashlib
import json

import pytest
from faults import KEY, clip
from services import Service

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.recipe import describe
from vidu_nb.references.signatures import shareable, unsigned
from vidu_nb.request import MODEL

CAT = "https://bucket.example/cats/cat%20one.png"
#: How storages sign: two signatures of one object, and the URL of what they sign.
SIGNED = {
    "S3": (
        "X-Amz-Algorithm=AWS4&X-Amz-Credential={0}%2Fs3&X-Amz-Date={0}&X-Amz-Security-Token={0}&X-Amz-Signature={0}",
        "",
    ),
    "S3, with a version": ("versionId=a%2F&X-Amz-Credential={0}&X-Amz-Signature={0}&x-amz-date={0}", "versionId=a%2F"),
    "S3, its names in another case": ("x-amz-credential={0}&x-amz-SIGNATURE={0}&v=1", "v=1"),
    "S3, version 2": ("AWSAccessKeyId={0}&Expires={0}&Signature={0}%3D", ""),
    "Google": ("X-Goog-Algorithm=GOOG4&X-Goog-Credential={0}&X-Goog-Date={0}&X-Goog-Signature={0}", ""),
    "Google, version 2": ("GoogleAccessId={0}%40a.iam&Expires={0}&Signature={0}&generation=17", "generation=17"),
    "CloudFront": ("Expires={0}&Signature={0}__&Key-Pair-Id={0}", ""),
    "CloudFront, with a policy": ("size=large&Policy={0}&Signature={0}&Key-Pair-Id={0}", "size=large"),
    "Azure": ("sv=2024-11-04&st={0}&se={0}&sr=b&sp=r&spr=https&sig={0}%3D", ""),
    "Azure, a snapshot": ("snapshot=2026-11-27&sp=r&se={0}&sv=2024-11-04&sr=bs&sig={0}", "snapshot=2026-11-27"),
    "Aliyun": ("OSSAccessKeyId={0}&Expires={0}&Signature={0}&security-token={0}", ""),
    "Aliyun, resized": (
        "x-oss-process=image%2Fresize,w_640&x-oss-credential={0}&x-oss-date={0}&x-oss-signature={0}",
        "x-oss-process=image%2Fresize,w_640",
    ),
    "Tencent": ("q-sign-algorithm=sha1&q-ak={0}&q-sign-time={0}&q-key-time={0}&q-signature={0}", ""),
    "Discord": ("ex={0}&is={0}&hm={0}&", ""),
}  # fmt: skip
#: What only looks like a signature: another value is another picture.
UNSIGNED = [
    "expires=5", "signature=5", "sig=5", "sv=5&sp=7", "ex=5", "token=5", "X-Amz-Date=5", "policy=5&expires=7", "key=5",
    "v=5", "=5", "5", "a=5&&b", "",
]  # fmt: skip


def signed(query, value):
    return f"{CAT}?{query.format(value)}"


def key_of_0_1(request, engine="segmind"):
    """The key under which version 0.1 paid for a request of one URL."""
    said = request.payload()
    said["image_urls"] = [hashlib.sha256(url.encode()).hexdigest() for url in said["image_urls"]]
    whole = {"engine": engine, "model": MODEL, "request": said, "version": 1}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def asking(url, **changes):
    return vidu.VideoRequest(**{"prompt": "A cat", "references": url, "seed": 7, **changes})


@pytest.mark.parametrize(("query", "rest"), SIGNED.values(), ids=SIGNED)
def test_one_object_under_two_signatures_is_one_picture(query, rest):
    """The same identity, by whatever storage it was signed; what is sent is the URL as it was given."""
    one, other = asking(signed(query, "AK1")), asking(signed(query, "AK2"))
    plain = f"{CAT}?{rest}" if rest else CAT
    assert one.key() == other.key() == asking(plain).key()
    assert one.payload()["image_urls"] == [signed(query, "AK1")]
    assert unsigned(signed(query, "AK1")).rstrip("&?") == plain
    assert "AK1" not in shareable(signed(query, "AK1"))


@pytest.mark.parametrize("query", UNSIGNED)
def test_what_is_no_signature_may_say_which_picture_is_meant(query):
    """Half of a signature is none: another value is another picture, under the key that version 0.1 gave it."""
    url = f"{CAT}?{query}#part"
    assert unsigned(url) == url
    assert asking(url).key() == key_of_0_1(asking(url))
    if "5" in query:
        assert asking(url).key() != asking(url.replace("5", "6")).key()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:word@a.example/cat.png?width=640", "https://a.example/cat.png?width=640"),
        ("https://a.example/cat.png?token=eyJ&width=640#part", "https://a.example/cat.png?width=640#part"),
        ("https://a.example/cat.png?api_key=k&access-token=t&X-Api-Key=k&sig=s&jwt=j", "https://a.example/cat.png"),
        ("https://a.example/cat.png?tok%65n=eyJ", "https://a.example/cat.png"),
        ("https://me:word@a.example", "https://a.example"),
        ("https://a.example/@me/cat.png?keyword=5&design=7", "https://a.example/@me/cat.png?keyword=5&design=7"),
        ("not a URL", "not a URL"),
    ],
)
def test_a_url_for_others_holds_no_token_and_no_password(url, shown):
    """Also where nobody knows which storage signed it."""
    assert shareable(url) == shown


@pytest.mark.parametrize("storage", ["S3", "CloudFront, with a policy", "Azure"])
def test_the_second_signature_replays_what_the_first_paid_for(storage):
    """A fresh link to the same picture costs nothing; another picture does."""
    with Service(lambda call: call.say(clip(str(call)), cost=0.5)) as service:
        client = vidu.Client(KEY, service.url, archive="clips", notify=len)
        query = SIGNED[storage][0]
        first = client.generate(asking(signed(query, "AK1")))
        second = client.generate(asking(signed(query, "AK2")))
        assert (second.bytes, second.receipt.replayed) == (first.bytes, True)
        assert client.generate(asking(signed(query, "AK3")), offline=True).receipt.replayed
        assert not client.generate(asking(signed(query, "AK1").replace("cat%20one", "dog"))).receipt.replayed
        assert len(service.posts) == 2
        [entry] = [one for one in client.archive.entries() if "AK1" in json.dumps(one.request) and "cat%20" in str(one)]
        assert client.archive.open(entry).request == asking(signed(query, "AK1"))  # all that it takes to repeat it


@pytest.mark.parametrize("state", ["stored", "stored, without its journal", "unknown", "linked"])
def test_what_version_0_1_paid_for_under_its_key_is_not_paid_again(state):
    """Its key held the signature: a clip replays, one on its way is fetched, and an unknown call is told."""

    def answer(call):
        call.say(clip("a") if call.path == "/clip.mp4" else b'{"credits": 5}')

    request = asking(signed(SIGNED["S3"][0], "AK1"))
    with Service(answer) as service:
        client = vidu.Client(KEY, service.url, archive="clips", notify=len, timeout=5)
        key = key_of_0_1(request, engine=client.engine)
        assert key != request.key(engine=client.engine)
        attempt = client.archive.journal.open(
            key, engine=client.engine, model=client.model, lock=key, price_usd=0.5, request=describe(request)
        ).add("sent")
        if state == "unknown":
            attempt.add("unknown", reason="cut off")
            with pytest.raises(errors.OutcomeUnknown, match="brought no usable answer"):
                client.generate(request)
        else:
            attempt.add("linked", link=f"{service.url}/clip.mp4", headers={})
            if state != "linked":
                assert len(client.resume()) == 1
            if state == "stored, without its journal":
                client.archive.journal.folder.rename("elsewhere")
            assert client.generate(request).bytes == clip("a")
            assert client.generate(request, offline=True).receipt.replayed
        assert service.posts == []


@pytest.mark.parametrize("references", [True, False])
@pytest.mark.parametrize("storage", ["S3", "Google, version 2", "Azure, a snapshot", "Aliyun, resized"])
def test_no_signature_is_in_a_saved_copy_or_in_what_is_shown(storage, references, small_video, photo, command):
    """The copy's request is the same one, so that it still replays."""
    secret = "AKIASECRET"
    request = small_video.request.replace(references=[signed(SIGNED[storage][0], secret), photo])
    video = vidu.Video(small_video.path, request, small_video.receipt)
    path = video.save("copy.mp4", references=references)
    assert secret.encode() not in path.read_bytes()
    shown = [repr(video), video.caption, repr(request), json.dumps(video.recipe()), str(video._repr_mimebundle_())]
    shown += [command("show", path).out, command("show", path, "--json").out, request.references[0].label]
    assert not [text for text in shown if secret in text]
    if references:
        again = vidu.load(path).request
        assert again.key() == request.key()
        assert again.references[0].url == unsigned(request.references[0].url)


@pytest.mark.parametrize(
    "bad",
    ["https://a.example:99999/a?X-Amz-Signature={0}&X-Amz-Credential={0}", f"{CAT}?token={{0}}&a={2100 * 'x'}"],
)
def test_no_signature_is_in_an_error(bad):
    """Of a URL that can't be used, and of one that a service quotes."""
    with pytest.raises(errors.InvalidRequest) as caught:
        asking(bad.format("AKIASECRET"))
    assert "AKIASECRET" not in str(caught.value)


def test_no_signature_is_in_a_services_error():
    """A service quotes the URL that it could not fetch."""
    url = signed(SIGNED["S3"][0], "AKIASECRET")
    with Service(
        lambda call: call.say(json.dumps({"error": f"could not fetch '{url}'"}).encode(), status=400)
    ) as service:
        client = vidu.Client(KEY, service.url, archive="clips", notify=len)
        with pytest.raises(errors.BadRequest) as caught:
            client.generate(asking(url))
    assert caught.value.message == f"could not fetch '{CAT}'"
