"""Signed URLs: which object one names, without the signature that lets somebody fetch it for a while.

A storage signs a URL anew each time it is asked for one. Two signatures of one object are one picture: the same clip
answers both, and is paid for once. And a signature is a key: it goes to the service that fetches the picture, and into
nothing that is shown or handed on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote


class _Scheme(NamedTuple):
    """How a storage signs: patterns of names that a signed URL has all of, and of those that come with them.

    Whatever else stands in a query may say which object is meant, such as ``versionId`` and ``x-oss-process``.
    """

    has: tuple[str, ...]
    adds: str


_SCHEMES = (
    _Scheme(("x-amz-signature", "x-amz-credential"), adds="x-amz-.*"),  # S3 and its like, version 4
    _Scheme(("x-goog-signature", "x-goog-credential"), adds="x-goog-.*"),  # Google, version 4
    _Scheme(("x-tos-signature", "x-tos-credential"), adds="x-tos-(?!process).*"),  # Volcengine
    _Scheme(("x-oss-signature", "x-oss-credential"), adds="x-oss-(?!process|ac-).*"),  # Aliyun, version 4
    _Scheme(("q-signature", "q-ak"), adds="q-(sign|ak|key|header|url).*|x-cos-security-token"),  # Tencent
    _Scheme(  # version 2 of S3, Google and Aliyun; Huawei; CloudFront
        ("signature", "expires|policy", "awsaccesskeyid|googleaccessid|ossaccesskeyid|accesskeyid|key-pair-id"),
        adds="hash-algorithm|(x-(amz|obs)-)?security-token",
    ),
    _Scheme(  # Azure's shared access signatures
        ("sig", "sv", "se|si"),
        adds="s[tpri]|sip|spr|ss|srt|sdd|ses|se|si|scid|saoid|suoid|sk(oid|tid|t|e|s|v)|rsc[cdelt]",
    ),
    _Scheme(("token", "expires|e"), adds="token_path"),  # Bunny, Qiniu
    _Scheme(("hm", "ex", "is"), adds=""),  # Discord
)
#: Names of parameters that let somebody in, whoever made the URL.
_SECRET = re.compile(
    r"(.*[-_.])?(signature|sig|sign|token|jwt|secret|password|passwd|pwd|credentials?|auth|authorization|policy"
    r"|(api|access|private|subscription)[-_.]?key|key|sas|hmac|hdnts|hdnea)",
)


def unsigned(url: str) -> str:
    """Return a URL without a storage's signature; one that has none comes back as it is.

    >>> unsigned("https://a.example/cat.png?v=2&X-Amz-Credential=k&X-Amz-Date=d&X-Amz-Signature=5f")
    'https://a.example/cat.png?v=2'
    """
    names = {name for name, _ in _parameters(url)}
    for scheme in _SCHEMES:
        if all(any(re.fullmatch(pattern, name) for name in names) for pattern in scheme.has):
            return _without(url, re.compile("|".join([*scheme.has, scheme.adds])).fullmatch)
    return url


def shareable(url: str) -> str:
    """Return a URL for others to see: without a signature, a token or a password.

    >>> shareable("https://me:word@a.example/cat.png?width=640&token=eyJhbGci")
    'https://a.example/cat.png?width=640'
    """
    url = _without(unsigned(url), _SECRET.fullmatch)
    scheme, slashes, rest = url.partition("://")
    end = re.search(r"[/?#]|$", rest)
    host = rest[: end.start()] if end else rest
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{rest[len(host) :]}"


def _parameters(url: str) -> list[tuple[str, str]]:
    """Return a query's parameters in order: each one's name in lower case, and how it is written."""
    query = url.partition("#")[0].partition("?")[2]
    return [(unquote(one.partition("=")[0]).lower(), one) for one in query.split("&")]


def _without(url: str, is_dropped: Callable[[str], object]) -> str:
    """Return a URL without some of its parameters, and otherwise as it is written."""
    found = _parameters(url)
    stays = [written for name, written in found if not is_dropped(name)]
    if len(stays) == len(found):
        return url
    head, hash_, fragment = url.partition("#")
    query = "&".join(stays)
    return f"{head.partition('?')[0]}{'?' if query else ''}{query}{hash_}{fragment}"
