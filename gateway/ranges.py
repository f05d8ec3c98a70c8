"""Serves a blob over HTTP: validators, one range, HEAD, in constant memory (RFC 9110, sections 8.8, 13 and 14)."""

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.problems import Problem
from shared.contracts.base import Blob
from shared.errors import StorageError
from shared.storage import Storage

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(; ?[A-Za-z0-9-]+=[A-Za-z0-9.,_-]+)*")

# What a browser would run scripts from. An artifact is made from a stranger's input, and must not act on our origin.
_ACTIVE = frozenset({"text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml"})
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:"


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to but without `end`."""

    start: int
    end: int


def etag_of(blob: Blob) -> str:
    """A strong validator: the digest; where there is none, one of the key and size (such a blob never changes)."""
    return f'"{blob.sha256 or hashlib.sha256(f"{blob.key}:{blob.bytes}".encode()).hexdigest()}"'


def range_of(header: str | None, size: int) -> Span | None:
    """The one range asked for, cut to `size`; None where the whole is to be sent.

    What is malformed, in another unit or of several ranges is ignored, as RFC 9110 (14.2) allows. Raises Problem 416.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        headers = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
        raise Problem("range-not-satisfiable", f"the content has {size} bytes", headers=headers)
    return Span(start, end)


async def blob_response(
    request: Request, storage: Storage, blob: Blob, *, filename: str, disposition: Literal["inline", "attachment"] = "inline"
) -> Response:
    """The answer to GET or HEAD for `blob`: 200, 206, 304 or Problem 416; Problem 404 where its bytes are gone."""
    etag = etag_of(blob)
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        # The same name may have other bytes after a retry of its job: ask again, mostly for a 304.
        "Cache-Control": "private, no-cache",
        "Content-Disposition": _disposition(disposition, filename),
    }
    media_type = blob.media_type if _MEDIA_TYPE.fullmatch(blob.media_type) else "application/octet-stream"
    if media_type.partition(";")[0].lower() in _ACTIVE:
        headers["Content-Security-Policy"] = SANDBOX
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    wanted = None
    if request.method == "GET" and request.headers.get("if-range", etag) == etag:
        wanted = range_of(request.headers.get("range"), blob.bytes)
    span = wanted or Span(0, blob.bytes)
    headers["Content-Length"] = str(span.end - span.start)
    if wanted:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{blob.bytes}"
    if request.method == "HEAD":
        return Response(status_code=200, headers=headers, media_type=media_type)
    body = await _begun(storage, blob, span)
    return StreamingResponse(body, status_code=206 if wanted else 200, headers=headers, media_type=media_type)


async def _begun(storage: Storage, blob: Blob, span: Span) -> AsyncIterator[bytes]:
    """The stream with its first piece already read: a blob that is gone is a 404 then, and not a broken 200."""
    pieces = storage.astream(blob.key, span.start, span.end)
    first = await anext(pieces, b"")

    async def whole() -> AsyncIterator[bytes]:
        sent = len(first)
        yield first
        async for piece in pieces:
            sent += len(piece)
            yield piece
        if sent != span.end - span.start:
            raise StorageError(f"{blob.key} has {sent} bytes where {span.end - span.start} were expected")

    return whole()


def matches(header: str | None, etag: str) -> bool:
    """If-None-Match: `*` or a list, compared weakly (RFC 9110, 13.1.2)."""
    if header is None:
        return False
    return header.strip() == "*" or etag in {candidate.strip().removeprefix("W/") for candidate in header.split(",")}


def _disposition(kind: str, filename: str) -> str:
    """RFC 6266: the plain form for what is plain ASCII, else RFC 8187's."""
    name = filename.rpartition("/")[2]
    if re.fullmatch(r"[A-Za-z0-9 ._()+-]+", name):
        return f'{kind}; filename="{name}"'
    return f"{kind}; filename*=UTF-8''{quote(name, safe='')}"
