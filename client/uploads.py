"""Uploads by tus 1.0.0 (https://tus.io/protocols/resumable-upload): in pieces, and on from where they broke off."""

import base64
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from client.errors import ClientError, ConflictError, IntegrityError, UnavailableError, UnreachableError
from client.transport import Transport, backoff

CHUNK = 8 * 2**20
"""Bytes in one PATCH: memory is bounded by it, and a break costs at most this much again."""
TUS = {"Tus-Resumable": "1.0.0"}

OnBytes = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all)."""


def upload(
    transport: Transport,
    path: Path,
    *,
    on_progress: OnBytes | None = None,
    chunk: int = CHUNK,
    media_type: str | None = None,
    upload_id: str | None = None,
) -> str:
    """Send the file and return its `upl_…` id. `upload_id` goes on with an upload that an earlier process began.

    Raises ClientError where the file cannot be read, IntegrityError where it changes size on the way, ApiError where the
    gateway refuses, UnreachableError after as many breaks in a row as the transport has attempts.
    """
    tell = on_progress or (lambda _done, _total: None)
    try:
        size = path.stat().st_size
        with path.open("rb") as source:
            location = f"/v1/uploads/{upload_id}" if upload_id else create(transport, path, size, media_type)
            offset = offset_of(transport, location) if upload_id else 0
            tell(offset, size)
            _send(transport, source, location, offset, size, chunk=chunk, tell=tell)
    except OSError as error:
        raise ClientError(f"{path} cannot be read: {error.strerror or error}.") from error
    return location.rstrip("/").rpartition("/")[2]


def create(transport: Transport, path: Path, size: int, media_type: str | None = None) -> str:
    """Announce an upload of `size` bytes and return the path of its resource."""
    guess = media_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    pairs = (("filename", path.name), ("filetype", guess))
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in pairs)
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata}
    # Safe to repeat: an announcement whose answer got lost holds no bytes, and expires.
    response = transport.request("POST", "/v1/uploads", headers=headers, safe=True)
    identity = response.headers.get("location", "").rstrip("/").rpartition("/")[2]
    if not identity:
        raise ClientError("The gateway accepted the upload but did not say where it is (no Location).")
    return f"/v1/uploads/{identity}"


def offset_of(transport: Transport, location: str) -> int:
    """How many bytes the gateway has."""
    return int(transport.request("HEAD", location, headers=TUS).headers.get("upload-offset", "0"))


def _send(transport: Transport, source: BinaryIO, location: str, offset: int, size: int, *, chunk: int, tell: OnBytes) -> None:
    breaks = 0
    while offset < size:
        source.seek(offset)
        piece = source.read(min(chunk, size - offset))
        if not piece:
            raise IntegrityError(f"The file became shorter while it was sent: {offset} of {size} bytes were there.")
        headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        try:
            response = transport.request("PATCH", location, headers=headers, content=piece, safe=False, timeout=120.0)
            offset, breaks = int(response.headers["upload-offset"]), 0
        except (UnreachableError, UnavailableError, ConflictError):
            # What arrived of the piece is unknown, so ask. A conflict is a piece that arrived although its answer did not.
            breaks += 1
            if breaks >= transport.attempts:
                raise
            transport.sleep(backoff(breaks))
            offset = offset_of(transport, location)
        tell(offset, size)
