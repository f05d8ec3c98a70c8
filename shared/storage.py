"""Bytes by key: a local folder by default, any S3-compatible store by URL.

A blob is written whole or not at all, and its key is checked by one function, `safe_key`, so that no name that a user or
a handler chose ever leaves the root. The two homes are `shared.local_storage` and `shared.s3_storage`.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from shared.contracts.base import Blob
from shared.errors import SettingsError, StorageError

CHUNK = 1 << 20
"""Bytes held in memory while a blob is copied, hashed or streamed."""

# S3 allows 1,024 bytes with the store's own prefix; a file name may have 255, and the writer's temporary name is its own.
MAX_KEY = 800
MAX_SEGMENT = 200
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


class InvalidKeyError(StorageError):
    """The name cannot be a key: it would be ambiguous, or would leave the root."""

    title = "The name is not allowed"


class Entry(NamedTuple):
    """One listed blob; `bytes` is its size, `modified` Unix seconds."""

    key: str
    bytes: int
    modified: float


def safe_key(*parts: str) -> str:
    """Join `parts` (each may be nested with `/`) to a key, or raise `InvalidKeyError`.

    A key is an allow-list: segments of ASCII letters, digits, `.`, `_` and `-` that do not begin with a dot. So there is no
    `..`, no absolute or empty segment, no backslash, no control character, and no two spellings of one name.
    """
    key = "/".join(parts)
    if len(key) > MAX_KEY:
        raise InvalidKeyError(f"a name may have {MAX_KEY} characters, this one has {len(key)}")
    for segment in key.split("/"):
        if len(segment) > MAX_SEGMENT or not _SEGMENT.fullmatch(segment):
            raise InvalidKeyError(
                f"{segment[:40]!r} cannot be part of a name: use letters, digits, '.', '_' and '-', "
                f"at most {MAX_SEGMENT} of them, and no dot in front"
            )
    return key


def job_folder(job_id: str) -> str:
    """Where a job's bytes lie; a child's lie inside its parent's, so that they go together."""
    top, _, index = job_id.partition(".")
    return safe_key("jobs", top, *(["children", index.replace(".", "-")] if index else []))


def chunks_of(source: Path | bytes, size: int = CHUNK) -> Iterator[bytes]:
    """Yield the bytes of a file or of a value in pieces of `size` bytes."""
    if isinstance(source, bytes):
        for start in range(0, len(source), size):
            yield source[start : start + size]
        return
    with source.open("rb", buffering=0) as file:
        while chunk := file.read(size):
            yield chunk


def sha256_of(source: Path | bytes) -> str:
    """The lower-case hex digest, in constant memory."""
    digest = hashlib.sha256()
    for chunk in chunks_of(source):
        digest.update(chunk)
    return digest.hexdigest()


class Storage(ABC):
    """Where blobs lie. All methods raise `StorageError`; those that read raise `BlobNotFoundError` where nothing lies.

    Instances may be made before a fork and used after it. Sync methods block and belong into a thread or a worker; only
    `astream` may be used on an event loop.
    """

    @staticmethod
    def at(url: str) -> "Storage":
        """Open `file:///absolute/folder` or `s3://bucket/prefix?endpoint=http://…&region=…`.

        S3 credentials come from the standard AWS_* variables. Nothing is contacted yet. Raises `SettingsError` for any other URL.
        """
        parts = urlsplit(url)
        if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
            from shared.local_storage import LocalStorage  # noqa: PLC0415 - it imports this module

            return LocalStorage(Path(unquote(parts.path)))
        if parts.scheme == "s3" and parts.netloc:
            from shared.s3_storage import S3Storage  # noqa: PLC0415 - it imports this module

            return S3Storage.from_url(url)
        raise SettingsError(f"the storage URL begins {url[:12]!r}; write file:///absolute/folder or s3://bucket/prefix?endpoint=…&region=…")

    @abstractmethod
    def put(self, key: str, source: Path | bytes, media_type: str) -> Blob:
        """Store a copy of `source` under `key`, replacing what lay there in one step; hashes on the way."""

    @abstractmethod
    def adopt(self, path: Path, key: str, media_type: str, sha256: str | None = None) -> Blob:
        """Take the file at `path` over: a rename where the disk allows it, else a copy; `path` is gone afterwards.

        `sha256` is taken on trust; a file that was only renamed and came without one stays without.
        """

    @abstractmethod
    def read(self, key: str) -> bytes:
        """The whole blob; for small ones."""

    @abstractmethod
    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to but without `end` (None: to the last), in pieces of at most about 1 MiB."""

    @abstractmethod
    def astream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Like `stream`, for an event loop: never blocks it."""

    @abstractmethod
    def local(self, key: str) -> AbstractContextManager[Path]:
        """The blob as a file to read: the store's own (do not write to it), or a temporary copy that goes on exit."""

    @abstractmethod
    def size(self, key: str) -> int:
        """The blob's size in bytes."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove the blob; removing what is not there is no error."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[Entry]:
        """The blobs below the folder `prefix` (whole segments: `a/b` holds `a/b/c`, not `a/bc`), at any depth."""

    @abstractmethod
    def delete_prefix(self, prefix: str) -> tuple[int, int]:
        """Remove everything below the folder `prefix`; returns how many blobs and how many bytes."""

    @abstractmethod
    def signed_url(self, key: str, seconds: int) -> str | None:
        """A URL that gives the blob to whoever has it, for so long; None where the store has none (a local folder)."""

    @abstractmethod
    def check(self) -> None:
        """Raise `StorageError` unless the store can be reached and read."""
