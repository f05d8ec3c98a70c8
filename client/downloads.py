"""Artifacts to files: resumed with Range after a break, checked against their sha256, in place only when whole."""

import hashlib
from pathlib import Path
from urllib.parse import quote

import httpx

from client.errors import ClientError, IntegrityError, UnavailableError, UnreachableError
from client.models import Job, JobArtifact
from client.transport import Transport, backoff
from client.uploads import OnBytes


def place(artifact: JobArtifact, to: Path) -> Path:
    """Where an artifact goes: under `to` if that is a folder (nested names make folders), else `to` itself.

    Raises ClientError where the name would leave the folder: names come from a server, and are not trusted.
    """
    if not to.is_dir():
        return to
    target = to / artifact.name
    if not target.resolve().is_relative_to(to.resolve()):
        raise ClientError(f"The artifact name {artifact.name!r} leads out of {to}; it was not downloaded.")
    return target


def download(transport: Transport, job: Job, artifact: JobArtifact, to: Path, *, on_progress: OnBytes | None = None) -> Path:
    """Fetch one artifact and return the file. A partial file of an earlier try (`.part`) is gone on with.

    Raises IntegrityError where the bytes are not the announced ones, even from a fresh start; ApiError; UnreachableError.
    """
    target = place(artifact, to)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.part")
    url = f"/v1/jobs/{job.id}/artifacts/{quote(artifact.name)}"
    begun_before = partial.exists()
    _fill(transport, url, partial, artifact.bytes, on_progress or (lambda _done, _total: None))
    if begun_before and not whole(partial, artifact):  # the leftover was of something else
        partial.unlink()
        _fill(transport, url, partial, artifact.bytes, on_progress or (lambda _done, _total: None))
    if not whole(partial, artifact):
        partial.unlink(missing_ok=True)
        raise IntegrityError(f"{artifact.name} of {job.id} did not arrive as announced (size or sha256 differ); nothing was kept.")
    return partial.replace(target)


def whole(path: Path, artifact: JobArtifact) -> bool:
    """Whether the file has the announced size and, where one was announced, the sha256."""
    if path.stat().st_size != artifact.bytes:
        return False
    if artifact.sha256 is None:
        return True
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest() == artifact.sha256


def _fill(transport: Transport, url: str, partial: Path, size: int, tell: OnBytes) -> None:
    partial.touch()
    breaks = 0
    while (have := partial.stat().st_size) < size:
        try:
            _go_on(transport, url, partial, have, size, tell)
        except (UnreachableError, UnavailableError):
            breaks = 0 if partial.stat().st_size > have else breaks + 1
            if breaks >= transport.attempts:
                raise
            transport.sleep(backoff(breaks))
        else:
            break  # what was announced is checked after this
    tell(partial.stat().st_size, size)


def _go_on(transport: Transport, url: str, partial: Path, have: int, size: int, tell: OnBytes) -> None:
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with transport.stream("GET", url, headers=headers) as response:
        # 200 to a Range request means that the server sends it all again (RFC 9110, section 14.2).
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        with partial.open("ab" if resumed else "wb") as sink:
            for block in response.iter_bytes():
                sink.write(block)
                tell(sink.tell(), size)
