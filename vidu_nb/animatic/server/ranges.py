"""A part of a file for who asks for one (RFC 9110, section 14): players seek with it.

Starlette's `FileResponse` does this for files on disk; here they are in memory.
"""

from __future__ import annotations

import re
from hashlib import sha256

from fastapi import HTTPException, Request, Response

_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)


def range_response(request: Request, data: bytes, media_type: str) -> Response:
    """Return a file, or the part of it that the request asks for.

    Several ranges at once, other units and what is no range are answered with the whole file, as anybody may.

    Raises
    ------
    HTTPException
        416: the range begins behind the end.
    """
    etag = f'"{sha256(data).hexdigest()[:32]}"'
    headers = {"accept-ranges": "bytes", "etag": etag}
    wanted = request.headers.get("range", "")
    if request.headers.get("if-range", etag) != etag:  # a part of another file
        wanted = ""
    part = byte_range(wanted, len(data))
    if part is None:
        return Response(data, media_type=media_type, headers=headers)
    if not part:
        whole = {"content-range": f"bytes */{len(data)}"}
        raise HTTPException(416, f"the file has {len(data):,} bytes: the range is not in it", whole)
    headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{len(data)}"
    return Response(data[part.start : part.stop], 206, media_type=media_type, headers=headers)


def byte_range(header: str, size: int) -> range | None:
    """Return the bytes that a Range header names; empty where none of them exists, None where it names no one range.

    >>> byte_range("bytes=2-5", 10), byte_range("bytes=-3", 10), byte_range("bytes=10-", 10), byte_range("", 10)
    (range(2, 6), range(7, 10), range(0, 0), None)
    """
    found = _ONE_RANGE.fullmatch(header)
    if not found or found[1] == found[2] == "":
        return None
    first, last = found[1], found[2]
    if not first:
        return range(max(size - int(last), 0), size)
    if last and int(last) < int(first):
        return None
    part = range(int(first), min(int(last) + 1, size) if last else size)
    return part or range(0)
