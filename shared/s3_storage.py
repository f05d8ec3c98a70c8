"""The distributed home of blobs: any S3-compatible store, through obstore (imported at the first use, which takes 40 ms).

obstore runs on one Rust runtime per process, made at its first call. That runtime does not survive a fork: measured with
0.12.1, a child forked after the first call waits for ever, and what it did to the shared poll set stops its parent as
well. So an instance may be made before a fork, but the process that forks must not have *used* one: `_store` refuses with
a sentence instead of hanging. (Celery's parent never touches the storage; its children and the gateway do.)
"""

import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from shared.contracts.base import Blob
from shared.errors import BlobNotFoundError, SettingsError, StorageError
from shared.storage import CHUNK, Entry, Storage, chunks_of, safe_key

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import S3Store

# S3 takes at most 10,000 parts; a margin is kept for a file that grows while it is read.
MAX_PARTS = 9_000
MIN_PART = 8 << 20
PARTS_AT_ONCE = 3
"""So an upload holds about 32 MiB in memory, up to 70 GB; above that parts grow with the file."""

_used_by: set[int] = set()
"""The process that made the Rust runtime in this address space; a forked child inherits its parent's entry."""


class S3Storage(Storage):
    """Blobs as objects of one bucket below `prefix`; `patience` is for how many seconds a failing request is tried again."""

    def __init__(
        self, bucket: str, prefix: str = "", *, endpoint: str | None = None, region: str | None = None, patience: float = 60.0
    ) -> None:
        self.bucket = bucket
        self.prefix = safe_key(prefix) if prefix else ""
        self.endpoint = endpoint
        self.region = region
        self.patience = patience
        self._made: S3Store | None = None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read `s3://bucket/prefix?endpoint=http://…&region=…`; raises `SettingsError` for an unknown parameter."""
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if unknown := sorted(query.keys() - {"endpoint", "region"}):
            raise SettingsError(f"the storage URL has the parameter {unknown[0]!r}; it may have endpoint and region. Credentials: AWS_*.")
        return cls(parts.netloc, unquote(parts.path).strip("/"), endpoint=query.get("endpoint"), region=query.get("region"))

    @property
    def _store(self) -> "S3Store":
        if _used_by - {os.getpid()}:
            raise StorageError(
                "this process was forked from one that had used S3 storage, which its client does not survive: use it only after the fork"
            )
        if self._made is None:
            from obstore.store import S3Store  # noqa: PLC0415 - heavy, and only where S3 is used

            given: dict[str, Any] = {"endpoint": self.endpoint, "region": self.region}
            self._made = S3Store(
                self.bucket,
                prefix=self.prefix or None,
                **{name: value for name, value in given.items() if value is not None},
                client_options={
                    "allow_http": (self.endpoint or "").startswith("http://"),
                    "connect_timeout": timedelta(seconds=5),
                    # The default, 30 s for a whole request, would cut a large download off; silence is what counts.
                    "timeout": timedelta(hours=12),
                    "read_timeout": timedelta(seconds=30),
                },
                retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=self.patience)},
            )
            _used_by.add(os.getpid())
        return self._made

    def put(self, key: str, source: Path | bytes, media_type: str) -> Blob:
        """See `Storage.put`; a stream of parts above 8 MiB, so memory stays flat."""
        import obstore  # noqa: PLC0415 - as above

        digest, size = hashlib.sha256(), 0

        def pieces() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks_of(source, CHUNK):
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        try:
            expected = len(source) if isinstance(source, bytes) else source.stat().st_size
        except OSError as error:
            raise StorageError(f"{key} was not written: {error.strerror}") from error
        with _speaking_of(key):
            body = b"".join(pieces()) if expected <= MIN_PART else pieces()
            obstore.put(
                self._store,
                safe_key(key),
                body,
                attributes={"Content-Type": media_type},
                use_multipart=not isinstance(body, bytes),
                chunk_size=max(MIN_PART, expected // MAX_PARTS + 1),
                max_concurrency=PARTS_AT_ONCE,
            )
        return Blob(key=key, bytes=size, sha256=digest.hexdigest(), media_type=media_type)

    def adopt(self, path: Path, key: str, media_type: str, sha256: str | None = None) -> Blob:
        """See `Storage.adopt`: an upload, hashed on the way; refuses bytes that do not have the `sha256` given."""
        blob = self.put(key, path, media_type)
        if sha256 is not None and sha256 != blob.sha256:
            self.delete(key)
            raise StorageError(f"{key} was not taken over: its bytes changed on the way")
        path.unlink()
        return blob

    def read(self, key: str) -> bytes:
        """See `Storage.read`."""
        import obstore  # noqa: PLC0415 - as above

        with _speaking_of(key):
            return obstore.get(self._store, safe_key(key)).bytes().to_bytes()

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See `Storage.stream`."""
        import obstore  # noqa: PLC0415 - as above

        if end is not None and end <= start:
            return
        with _speaking_of(key):
            for piece in obstore.get(self._store, safe_key(key), options=_range(start, end)).stream(min_chunk_size=CHUNK // 4):
                yield bytes(piece)

    async def astream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See `Storage.astream`."""
        import obstore  # noqa: PLC0415 - as above

        if end is not None and end <= start:
            return
        with _speaking_of(key):
            answer = await obstore.get_async(self._store, safe_key(key), options=_range(start, end))
            async for piece in answer.stream(min_chunk_size=CHUNK // 4):
                yield bytes(piece)

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """See `Storage.local`: a temporary copy, whose name ends as the key does (FFmpeg looks at suffixes)."""
        with tempfile.TemporaryDirectory(prefix="counterfoil-") as folder:
            path = Path(folder) / safe_key(key).rpartition("/")[2]
            with path.open("wb") as file:
                for chunk in self.stream(key):
                    file.write(chunk)
            yield path

    def size(self, key: str) -> int:
        """See `Storage.size`."""
        import obstore  # noqa: PLC0415 - as above

        with _speaking_of(key):
            return int(obstore.head(self._store, safe_key(key))["size"])

    def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        import obstore  # noqa: PLC0415 - as above

        try:
            with _speaking_of(key):
                obstore.delete(self._store, safe_key(key))
        except BlobNotFoundError:
            return

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Storage.list`."""
        import obstore  # noqa: PLC0415 - as above

        with _speaking_of(prefix or "the list"):
            for page in obstore.list(self._store, prefix=safe_key(prefix) if prefix else None, chunk_size=1_000):
                for found in page:
                    yield Entry(found["path"], int(found["size"]), found["last_modified"].timestamp())

    def delete_prefix(self, prefix: str) -> tuple[int, int]:
        """See `Storage.delete_prefix`."""
        import obstore  # noqa: PLC0415 - as above

        count = size = 0
        with _speaking_of(prefix):
            for page in obstore.list(self._store, prefix=safe_key(prefix), chunk_size=1_000):
                obstore.delete(self._store, [found["path"] for found in page])
                count, size = count + len(page), size + sum(int(found["size"]) for found in page)
        return count, size

    def signed_url(self, key: str, seconds: int) -> str | None:
        """See `Storage.signed_url`; signed here, without asking the store."""
        import obstore  # noqa: PLC0415 - as above

        with _speaking_of(key):
            return obstore.sign(self._store, "GET", safe_key(key), timedelta(seconds=seconds))

    def check(self) -> None:
        """See `Storage.check`."""
        next(self.list(), None)


def _range(start: int, end: int | None) -> "GetOptions":
    if end is not None:
        return {"range": (start, end)}
    return {"range": {"offset": start}} if start else {}


@contextmanager
def _speaking_of(key: str) -> Iterator[None]:
    """Turn obstore's errors into the house's; the store's own words go to the log by way of the cause."""
    from obstore.exceptions import BaseError  # noqa: PLC0415 - as above

    try:
        yield
    except FileNotFoundError as error:
        raise BlobNotFoundError(f"nothing lies under {key}") from error
    except (BaseError, OSError) as error:
        raise StorageError(f"the object store refused or failed at {key}: {type(error).__name__}") from error
