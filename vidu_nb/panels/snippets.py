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

from ..catalogue.field import MANY, Field
from ..catalogue.models import DEFAULT
from ..catalogue.request import Medium, Request
from ..client.engines import BASE_URL
from ..references.attachment import Attachment
from ..references.reference import Reference
from ..references.sources import is_png

PicturePath = Callable[[Medium], str]
"""Where a local picture lies as it was sent: a path for the place where the code is to run."""


def as_python(request: Request, picture_path: PicturePath, *, base_url: str | None = None) -> str:
    """Write the call of this package that asks the same, so that what is kept is replayed and not paid for again.

    Parameters
    ----------
    request
        What to ask.
    picture_path
        Gives the file of a local picture, as it was sent.
    base_url
        The service's root; None leaves the choice to the environment.
    """
    model = request.model
    function, name = ("generate", "video") if model.returns == "video" else ("picture", "picture")
    positional = [one for one in (model.by_role("prompt"), model.by_role("references")) if one is not None]
    positional = positional if name == "video" and len(positional) == 2 else positional[:1]
    arguments = []
    for field in (*positional, *(one for one in model.fields.values() if one not in positional)):
        value = getattr(request, field.parameter)
        if field not in positional and (value is None or value in ((), field.sent_default)):
            continue
        written = _argument(field, value, picture_path)
        arguments.append(written if field in positional else f"{field.parameter}={written}")
    if model != DEFAULT:
        arguments.append(f"model={_literal(model.slug)}")
    if base_url:
        arguments.append(f"client=vidu.Client(base_url={_literal(base_url)})")
    call = "".join(f"    {argument},\n" for argument in arguments)
    more = "from vidu_nb.references.reference import image_file_to_base64\n" if _FROM_WIRE in call else ""
    return f"import vidu_nb as vidu\n{more}\n{name} = vidu.{function}(\n{call})\n{name}\n"


def as_requests(request: Request, picture_path: PicturePath, *, base_url: str = BASE_URL) -> str:
    """Write the same call in plain `requests`; it writes ``clip.mp4``, or ``picture`` with the ending of what comes.

    Parameters as for `as_python`.
    """
    local = any(not one.is_url for one in request.media)
    body = {}
    for name, value in request.each_medium(lambda one: one).items():
        field = request.model.fields[name]
        if field.type in MANY:
            body[name] = _lines("[", [f"{_url_in_python(one, picture_path)}," for one in value], "]", indent=8)
        elif field.is_media:
            body[name] = _url_in_python(value, picture_path)
        else:
            body[name] = _prompt(value, indent=8) if field.role == "prompt" else _literal(value)
    is_video = request.model.returns == "video"
    imports = "import base64\nimport os" if local or not is_video else "import os"
    return _REQUESTS.format(
        imports=imports,
        helper=_BASE64_OF if local else "",
        url=_literal(_url(request, base_url)),
        body="".join(f'        "{name}": {value},\n' for name, value in body.items()),
        save=_SAVE_CLIP if is_video else _SAVE_PICTURES,
    )


def as_curl(request: Request, picture_path: PicturePath, *, base_url: str = BASE_URL) -> str:
    """Write the same call for a shell (bash or zsh). What it writes and its parameters are as for `as_requests`."""
    body = {}
    for name, value in request.each_medium(lambda one: one).items():
        field = request.model.fields[name]
        if field.type in MANY:
            body[name] = "[\n    " + ",\n    ".join(_url_in_shell(one, picture_path) for one in value) + "\n  ]"
        else:
            body[name] = _url_in_shell(value, picture_path) if field.is_media else _in_heredoc(_json(value))
    files = [shlex.quote(picture_path(one)) for one in request.media if not one.is_url]
    return (_CURL if request.model.returns == "video" else _CURL_PICTURES).format(
        check=f"ls -- {' '.join(files)} &&\n" if files else "",
        url=shlex.quote(_url(request, base_url)),
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
{save}"""

_SAVE_CLIP = """\
Path("clip.mp4").write_bytes(response.content)
"""

# A picture comes as its bytes; with `base64`, or where there are several, as JSON with base64 text.
_SAVE_PICTURES = """\
pictures = {"picture": response.content}
if "json" in response.headers.get("content-type", ""):
    texts = response.json()["image"]
    texts = [texts] if isinstance(texts, str) else texts
    pictures = {f"picture-{i}": base64.b64decode(text.split(",")[-1]) for i, text in enumerate(texts, 1)}
for name, data in pictures.items():
    ending = {b"\\x89PN": "png", b"GIF": "gif"}.get(data[:3], "jpg")
    Path(f"{name}.{ending}").write_bytes(data)
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

_CURL_PICTURES = """\
{check}kind=$(curl --fail-with-body --silent --show-error --max-time 600 \\
  --output picture.part --write-out '%{{content_type}}' \\
  --header "x-api-key: $SEGMIND_API_KEY" \\
  --header "Content-Type: application/json" \\
  -d @- {url} <<END
{{
{body}
}}
END
) && case "$kind" in
  *png*) mv picture.part picture.png ;;
  *gif*) mv picture.part picture.gif ;;
  *json*) number=0; grep -o '[A-Za-z0-9+/=]\\{{64,\\}}' picture.part | while read -r text; do
      number=$((number + 1))
      case "$text" in iVBOR*) kind=png ;; R0lG*) kind=gif ;; *) kind=jpg ;; esac
      printf %s "$text" | base64 -d > "picture-$number.$kind"
    done ;;
  *) mv picture.part picture.jpg ;;
esac || {{ echo 'no picture came; picture.part holds the answer, if there was one'; false; }}
"""


def _url(request: Request, base_url: str) -> str:
    return f"{base_url}/v1/{request.model.slug}"


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


def _argument(field: Field, value: Any, picture_path: PicturePath) -> str:
    """Write a parameter's value as an argument of a call."""
    if field.type in MANY:
        return _lines("[", [f"{_medium(one, picture_path, indent=8)}," for one in value], "]", indent=4)
    if field.is_media:
        return _medium(value, picture_path, indent=4)
    return _prompt(value, indent=4) if field.role == "prompt" else _literal(value)


def _prompt(prompt: str, *, indent: int) -> str:
    """Write a prompt's lines one below the other, as Python joins them."""
    pieces = [_literal(line) for line in prompt.splitlines(keepends=True)]
    return pieces[0] if len(pieces) == 1 else _lines("(", pieces, ")", indent=indent)


def _lines(opening: str, pieces: list[str], closing: str, *, indent: int) -> str:
    """Put brackets around pieces, one on each line, where the line that opens them is indented by so many spaces."""
    margin = " " * indent
    return "\n".join([opening, *(f"{margin}    {piece}" for piece in pieces), f"{margin}{closing}"])


def _medium(medium: Medium, picture_path: PicturePath, *, indent: int) -> str:
    if isinstance(medium, Attachment):
        return _literal(medium.url if medium.is_url else picture_path(medium))
    return _reference(medium, picture_path, indent=indent)


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
    return is_png(reference.url) and hashlib.sha256(reference.bytes).hexdigest() != reference.sha256


def _url_in_python(medium: Medium, picture_path: PicturePath) -> str:
    if medium.is_url:
        return _literal(medium.url)
    return f"{_literal(_head(medium))} + base64_of({_literal(picture_path(medium))})"


# In a shell.


def _json(value: Any) -> str:
    """Write JSON with nothing invisible in it: a terminal acts on control characters, also on pasted ones."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _in_heredoc(text: str) -> str:
    """Escape text for a here-document, within which the shell acts on these three characters alone."""
    return text.replace("\\", "\\\\").replace("$", "\\$").replace("`", "\\`")


def _url_in_shell(medium: Medium, picture_path: PicturePath) -> str:
    if medium.is_url:
        return _in_heredoc(_json(medium.url))
    head = _in_heredoc(_json(_head(medium)))[:-1]  # without the closing quote: the content follows
    return f"{head}$(base64 < {shlex.quote(picture_path(medium))} | tr -d '\\n')\""


def _head(medium: Medium) -> str:
    """Return ``data:image/png;base64,`` as it was sent."""
    head, comma, _ = medium.url.partition(",")
    return head + comma
