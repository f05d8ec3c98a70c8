"""JSON answers that are worth compressing: gzip where the client takes it (RFC 9110, 12.5.3), and 304 for what it has already."""

import asyncio
import gzip
import hashlib
import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.ranges import matches

LEAST = 4_096
"""Bytes from which compressing pays."""
_LEVEL = 5
_ELSEWHERE = 65_536
"""Larger bodies are compressed in a thread: the event loop has others to serve."""
_CODING = re.compile(r"\s*(?P<name>gzip|x-gzip|\*)\s*(?:;\s*q\s*=\s*(?P<weight>[01](?:\.\d{0,3})?)\s*)?$", re.IGNORECASE)


def takes_gzip(header: str | None) -> bool:
    """Whether an Accept-Encoding header allows gzip; `*` counts where gzip is not named."""
    found = [match for part in (header or "").split(",") if (match := _CODING.match(part))]
    named = [match for match in found if match["name"] != "*"] or found
    return any(float(match["weight"] or 1) > 0 for match in named)


async def json_answer(request: Request, body: Any, *, cached: bool = False) -> Response:
    """`body` as JSON. `cached`: with an ETag, so that a client that has it gets a 304 and no bytes."""
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"Vary": "Accept-Encoding"}
    if cached:
        # Weak: the same for both codings.
        etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        headers |= {"ETag": f"W/{etag}", "Cache-Control": "private, no-cache"}
        if matches(request.headers.get("if-none-match"), etag):
            return Response(status_code=304, headers=headers)
    if len(data) >= LEAST and takes_gzip(request.headers.get("accept-encoding")):
        headers["Content-Encoding"] = "gzip"
        data = await asyncio.to_thread(_packed, data) if len(data) >= _ELSEWHERE else _packed(data)
    return Response(data, headers=headers, media_type="application/json")


def _packed(data: bytes) -> bytes:
    return gzip.compress(data, _LEVEL, mtime=0)
