"""Write a request as code that runs elsewhere: this package's own call, `requests`, and curl.

Pure functions. The key is read from ``SEGMIND_API_KEY`` when the code runs and never stands in it. Pictures from this
machine are named as files, since they are megabytes.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from ..catalogue.models import models
from ..catalogue.request import Request
from ..client.engines import BASE_URL
from ..references.reference import Reference
from ..request import MODEL

PicturePath = Callable[[Reference], str]
"""Where a local picture lies as it was sent: a path for the place where the code is to run."""


def as_python(request: Request, picture_path: PicturePath, *, base_url: str | None = None) -> str:
    """Write the call of this package that asks the same, so that a kept clip is replayed and not paid for again.

    Parameters
    ----------
    request
        What to ask.
    picture_path
        Gives the file of a local picture, as it was sent.
    base_url
        The service's root; None leaves the choice to the environment.
    """
    pictures = [_reference(reference, picture_path, indent=8) for reference in request.references]
    arguments = [_prompt(request.prompt, indent=4), _lines("[", [f"{one}," for one in pictures], "]", indent=4)]
    for name, field in models[MODEL].by_parameter.items():
        value = getattr(request, name)
        if not field.required and value != field.default:
            arguments.append(f"{name}={_literal(value)}")
    if base_url:
        arguments.append(f"client=vidu.Client(base_url={_literal(base_url)})")
    call = "".join(f"    {argument},\n" for argument in arguments)
    by_wire = any(picture.startswith(_FROM_WIRE) for picture in pictures)
    more = "from vidu_nb.references.reference import image_file_to_base64\n" if by_wire else ""
    return f"import vidu_nb as vidu\n{more}\nvideo = vidu.generate(\n{call})\nvideo\n"


def as_requests(request: Request, picture_path: PicturePath, *, base_url: str = BASE_URL) -> str:
    """Write the same call in plain `requests`; it writes ``clip.mp4``. Parameters as for `as_python`."""
    local = any(not reference.is_url for reference in request.references)
    pictures = [_url_in_python(reference, picture_path) for reference in request.references]
    body = {name: _literal(value) for name, value in request.payload().items()} | {
        "prompt": _prompt(request.prompt, indent=8),
        "image_urls": _lines("[", [f"{one}," for one in pictures], "]", indent=8),
    }
    return _REQUESTS.format(
        imports="import base64\nimport os" if local else "import os",
        helper=_BASE64_OF if local else "",
        url=_literal(_url(base_url)),
        body="".join(f'        "{name}": {value},\n' for name, value in body.items()),
    )


def as_curl(request: Request, picture_path: PicturePath, *, base_url: str = BASE_URL) -> str:
    """Write the same call for a shell (bash or zsh); it writes ``clip.mp4``. Parameters as for `as_python`."""
    pictures = [_url_in_shell(reference, picture_path) for reference in request.references]
    body = {name: _in_heredoc(_json(value)) for name, value in request.payload().items() if name != "image_urls"}
    body["image_urls"] = "[\n    " + ",\n    ".join(pictures) + "\n  ]"
    files = [shlex.quote(picture_path(reference)) for reference in request.references if not reference.is_url]
    return _CURL.format(
        check=f"ls -- {' '.join(files)} &&\n" if files else "",
        url=shlex.quote(_url(base_url)),
        body=",\n".join(f'  "{name}": {value}' for name, value in body.items()),
    )


_REQUESTS = """\
{imports}
from pathlib import Path

import requests
{helper}
response = requests.post(
    {url},
    headers={{"x-api-key": os.environ["SEGMIND_API_KEY"]}},
    json={{
{body}    }},
    timeout=600,
    allow_redirects=False,  # a redirect would carry the key to another place
)
if response.status_code != 200:
    raise RuntimeError(f"{{response.status_code}}: {{response.text[:500]}}")
Path("clip.mp4").write_bytes(response.content)
"""

_BASE64_OF = """

def base64_of(path):
    return base64.b64encode(Path(path).read_bytes()).decode()

"""

# The body comes from standard input, since an argument may hold no more than 128 kB. `ls` is there so that nothing is
# sent where a picture is missing. No comments: pasted into zsh, they would be commands.
_CURL = """\
{check}curl --fail-with-body --silent --show-error --max-time 600 \\
  --output clip.mp4 --write-out '%{{http_code}} %{{content_type}} in clip.mp4\\n' \\
  --header "x-api-key: $SEGMIND_API_KEY" \\
  --header "Content-Type: application/json" \\
  -d @- {url} <<END
{{
{body}
}}
END
"""


def _url(base_url: str) -> str:
    return f"{base_url}/v1/{MODEL}"


# In Python.

_FROM_WIRE = "vidu.Reference.from_wire("


def _literal(value: Any) -> str:
    r"""Return Python source for a value; text in double quotes, with nothing invisible in it.

    >>> print(_literal("It's \"so\"\n"))
    "It's \"so\"\n"
    """
    if not isinstance(value, str):
        return repr(value)
    # A leading double quote makes repr() choose single ones, so that each of the text's own is escaped in one way.
    inside = repr('"' + value)[2:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{inside}"'


def _prompt(prompt: str, *, indent: int) -> str:
    """Write a prompt's lines one below the other, as Python joins them."""
    pieces = [_literal(line) for line in prompt.splitlines(keepends=True)]
    return pieces[0] if len(pieces) == 1 else _lines("(", pieces, ")", indent=indent)


def _lines(opening: str, pieces: list[str], closing: str, *, indent: int) -> str:
    """Put brackets around pieces, one on each line, where the line that opens them is indented by so many spaces."""
    margin = " " * indent
    return "\n".join([opening, *(f"{margin}    {piece}" for piece in pieces), f"{margin}{closing}"])


def _reference(reference: Reference, picture_path: PicturePath, *, indent: int) -> str:
    if reference.is_url:
        source = _literal(reference.url)
        return source if Reference(reference.url).name == reference.name else _named(source, reference)
    path = picture_path(reference)
    if _is_known_by_its_pixels(reference):
        return _literal(path) if PurePath(path).name == reference.name else _named(_literal(path), reference)
    pieces = [f"image_file_to_base64({_literal(path)})"]
    pieces += [f"{name}={_literal(value)}" for name, value in (("name", reference.name), ("sha256", reference.sha256))]
    return _lines(_FROM_WIRE, [f"{piece}," for piece in pieces], ")", indent=indent)


def _named(source: str, reference: Reference) -> str:
    return f"vidu.Reference({source}, name={_literal(reference.name)})"


def _is_known_by_its_pixels(reference: Reference) -> bool:
    """Return whether reading the sent picture gives the same hash again.

    A JPEG's hash is that of the pixels before JPEG changed them, and a picture from the wire may go by its bytes.
    """
    data = reference.bytes
    return data.startswith(b"\x89PNG") and hashlib.sha256(data).hexdigest() != reference.sha256


def _url_in_python(reference: Reference, picture_path: PicturePath) -> str:
    if reference.is_url:
        return _literal(reference.url)
    return f"{_literal(_head(reference))} + base64_of({_literal(picture_path(reference))})"


# In a shell.


def _json(value: Any) -> str:
    """Write JSON with nothing invisible in it: a terminal acts on control characters, also on pasted ones."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _in_heredoc(text: str) -> str:
    """Escape text for a here-document, within which the shell acts on these three characters alone."""
    return text.replace("\\", "\\\\").replace("$", "\\$").replace("`", "\\`")


def _url_in_shell(reference: Reference, picture_path: PicturePath) -> str:
    if reference.is_url:
        return _in_heredoc(_json(reference.url))
    head = _in_heredoc(_json(_head(reference)))[:-1]  # without the closing quote: the content follows
    return f"{head}$(base64 < {shlex.quote(picture_path(reference))} | tr -d '\\n')\""


def _head(reference: Reference) -> str:
    """Return ``data:image/png;base64,`` as it was sent."""
    head, comma, _ = reference.url.partition(",")
    return head + comma
