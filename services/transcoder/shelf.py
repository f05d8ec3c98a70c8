"""Finished segments, by what they are made of: the source, the part's own command, the binary. What lies here is never encoded again.

A segment lies in its job's folder, under its digest, and so lives exactly as long as the job: through retries, redrives and mended
requests. A pointer outside of it lets another job of the same tenant on the same source find it, and take a copy. No pointer keeps
bytes alive: one that leads to nothing is a miss. How long a done job's segments stay is tidy.py's affair. Writing the same segment
twice writes the same bytes, so nothing here needs a token.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from services.transcoder.binary import Tools
from shared.contracts.base import Blob
from shared.errors import BlobNotFoundError
from shared.job import Job
from shared.storage import Storage, job_folder, safe_key

POINTERS = "segments"
MEDIA_TYPE = "video/mp4"


@dataclass(frozen=True, slots=True)
class Shelf:
    """One job family's segments, and the way to those of the tenant's other jobs."""

    storage: Storage
    family: str
    tenant: str
    source: str
    """What the source is: its digest, or the storage key of an upload, which never changes once it is finished."""
    binary: str

    @classmethod
    def of(cls, job: Job, source: Blob, tools: Tools, storage: Storage) -> "Shelf":
        """The shelf of this job and its children."""
        top = job_folder(job.id.partition(".")[0])
        return cls(storage, top, job.tenant, source.sha256 or f"{source.key} {source.bytes}", tools.ffmpeg.banner)

    def digest(self, arguments: Sequence[str]) -> str:
        """The name of what these arguments make."""
        return sha256(json.dumps([self.tenant, self.source, self.binary, *arguments]).encode()).hexdigest()

    def find(self, digest: str) -> Blob | None:
        """The segment, in this family's own folder: another job's is copied there first, for that job may be deleted any time."""
        own = self._own(digest)
        if (size := self._size(own)) is not None:
            return Blob(key=own, bytes=size)
        try:
            told = json.loads(self.storage.read(self._pointer(digest)))
        except BlobNotFoundError:
            return None
        if self._size(told["key"]) != told["bytes"]:
            return None
        try:
            with self.storage.local(told["key"]) as path:
                return self.storage.put(own, path, MEDIA_TYPE)
        except BlobNotFoundError:  # it went in between
            return None

    def keep(self, digest: str, content: Path | bytes, media_type: str = MEDIA_TYPE) -> Blob:
        """Store a finished segment, or what is known of one."""
        blob = self.storage.put(self._own(digest), content, media_type)
        pointer = json.dumps({"key": blob.key, "bytes": blob.bytes}).encode()
        self.storage.put(self._pointer(digest), pointer, "application/json")
        return blob

    def discard(self, digest: str) -> None:
        """Forget a segment that turned out to be damaged, and where another job's, of which it may be a copy, lies."""
        self.storage.delete(self._own(digest))
        self.storage.delete(self._pointer(digest))

    def _size(self, key: str) -> int | None:
        try:
            return self.storage.size(key)
        except BlobNotFoundError:
            return None

    def _own(self, digest: str) -> str:
        return safe_key(self.family, POINTERS, digest)

    def _pointer(self, digest: str) -> str:
        return safe_key(POINTERS, "transcoder", digest[:2], digest)
