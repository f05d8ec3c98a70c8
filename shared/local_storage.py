"""The local home of blobs: files below one folder, written to a temporary name and renamed into place."""

import asyncio
import errno
import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.contracts.base import Blob
from shared.errors import BlobNotFoundError, StorageError
from shared.storage import CHUNK, Entry, Storage, chunks_of, safe_key

# No key begins with a dot, so that this folder is nobody's blob. It lies inside the root because a rename is atomic only
# inside one file system.
INCOMING = ".incoming"
ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class LocalStorage(Storage):
    """Blobs as files below `root`, which is made at the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        """Where the blob lies, whether it is there or not."""
        return self.root / safe_key(key)

    def put(self, key: str, source: Path | bytes, media_type: str) -> Blob:
        """See `Storage.put`."""
        target, digest, size = self.path(key), hashlib.sha256(), 0
        temporary = self.root / INCOMING / uuid.uuid4().hex
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb", buffering=0) as file:
                for chunk in chunks_of(source, CHUNK):
                    digest.update(chunk)
                    _write_all(file.write, chunk)
                    size += len(chunk)
            self._move(temporary, target)
        except OSError as error:
            raise StorageError(f"{key} was not written: {error.strerror}") from error
        finally:
            temporary.unlink(missing_ok=True)
        return Blob(key=key, bytes=size, sha256=digest.hexdigest(), media_type=media_type)

    def adopt(self, path: Path, key: str, media_type: str, sha256: str | None = None) -> Blob:
        """See `Storage.adopt`."""
        target = self.path(key)
        try:
            size = path.stat().st_size
            self._move(path, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise StorageError(f"{key} was not taken over: {error.strerror}") from error
            blob = self.put(key, path, media_type)  # another file system
            path.unlink()
            return blob
        return Blob(key=key, bytes=size, sha256=sha256, media_type=media_type)

    def read(self, key: str) -> bytes:
        """See `Storage.read`."""
        try:
            return self.path(key).read_bytes()
        except OSError as error:
            raise _reading(key, error) from error

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Generator[bytes]:
        """See `Storage.stream`."""
        try:
            with self.path(key).open("rb", buffering=0) as file:
                file.seek(start)
                left = None if end is None else max(end - start, 0)
                while chunk := file.read(CHUNK if left is None else min(CHUNK, left)):
                    left = None if left is None else left - len(chunk)
                    yield chunk
        except OSError as error:
            raise _reading(key, error) from error

    async def astream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See `Storage.astream`: each read runs in a thread, because a disk that stalls must not stall everybody."""
        pieces = self.stream(key, start, end)
        reading: asyncio.Task[bytes | None] | None = None
        try:
            while True:
                reading = asyncio.create_task(asyncio.to_thread(next, pieces, None))
                # Shielded: a client that goes away cancels us, but the thread cannot be cancelled and still has the file.
                if (chunk := await asyncio.shield(reading)) is None:
                    return
                yield chunk
        finally:
            if reading is None or reading.done():
                pieces.close()
            else:
                reading.add_done_callback(lambda _: pieces.close())

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """See `Storage.local`."""
        self.size(key)
        yield self.path(key)

    def size(self, key: str) -> int:
        """See `Storage.size`."""
        path = self.path(key)
        try:
            status = path.stat()
        except OSError as error:
            raise _reading(key, error) from error
        if not path.is_file():
            raise BlobNotFoundError(f"nothing lies under {key}")
        return status.st_size

    def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        try:
            self.path(key).unlink(missing_ok=True)
        except ABSENT:
            return
        except OSError as error:
            raise StorageError(f"{key} was not removed: {error.strerror}") from error

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Storage.list`."""
        top = self.path(prefix) if prefix else self.root
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                path = Path(folder) / name
                try:
                    status = path.stat()
                except FileNotFoundError:  # removed since the folder was read
                    continue
                yield Entry(path.relative_to(self.root).as_posix(), status.st_size, status.st_mtime)

    def delete_prefix(self, prefix: str) -> tuple[int, int]:
        """See `Storage.delete_prefix`."""
        count = size = 0
        for entry in self.list(safe_key(prefix)):
            self.delete(entry.key)
            count, size = count + 1, size + entry.bytes
        for folder, _, _ in os.walk(self.path(prefix), topdown=False):
            try:
                Path(folder).rmdir()
            except OSError as error:
                # Somebody wrote into it meanwhile, or removed it too: both are as good as done.
                if error.errno not in {errno.ENOTEMPTY, errno.ENOENT}:
                    raise StorageError(f"{prefix} was not removed: {error.strerror}") from error
        return count, size

    def signed_url(self, key: str, seconds: int) -> str | None:  # noqa: ARG002 - the store's contract
        """None: a folder has no URLs; the gateway signs links of its own."""
        safe_key(key)
        return None

    def check(self) -> None:
        """See `Storage.check`."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"the storage folder cannot be made: {error.strerror}") from error
        if not os.access(self.root, os.R_OK | os.W_OK | os.X_OK):
            raise StorageError("the storage folder is not writable for this user")

    def _move(self, source: Path, target: Path) -> None:
        for _ in range(5):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                source.replace(target)
            except FileNotFoundError:
                if not source.exists():
                    raise
                continue  # `delete_prefix` took the empty folder between the two calls
            return
        raise FileNotFoundError(errno.ENOENT, "its folder is removed again and again")


def _write_all(write: Callable[[memoryview], int], chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[write(view) :]


def _reading(key: str, error: OSError) -> StorageError:
    if isinstance(error, ABSENT):
        return BlobNotFoundError(f"nothing lies under {key}")
    return StorageError(f"{key} cannot be read: {error.strerror}")
