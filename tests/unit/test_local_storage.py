"""The local store: whole blobs or none, right digests, ranges, and no leftovers."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from shared.errors import BlobNotFoundError, StorageError
from shared.local_storage import LocalStorage
from shared.storage import CHUNK, sha256_of

BIG = bytes(range(256)) * (CHUNK // 256) * 2 + b"tail"


@pytest.fixture
def store(tmp_path: Path) -> LocalStorage:
    """An empty store."""
    return LocalStorage(tmp_path / "root")


def test_put_describes_what_it_wrote(store: LocalStorage, tmp_path: Path) -> None:
    """The blob has the key, size, digest and media type; bytes and files are the same."""
    source = tmp_path / "source"
    source.write_bytes(BIG)

    blob = store.put("a/b.bin", source, "image/png")

    assert ("a/b.bin", len(BIG), hashlib.sha256(BIG).hexdigest(), "image/png") == (blob.key, blob.bytes, blob.sha256, blob.media_type)
    assert store.read("a/b.bin") == BIG
    assert store.put("c", BIG, "image/png").sha256 == blob.sha256
    assert sha256_of(source) == blob.sha256


def test_a_put_that_fails_leaves_the_old_blob(store: LocalStorage) -> None:
    """A disk that fills up half-way changes nothing and leaves no temporary file."""
    store.put("a", b"old", "text/plain")

    def half(_source: bytes, _size: int) -> Iterator[bytes]:
        yield b"new"
        raise OSError(28, "No space left on device")

    with patch("shared.local_storage.chunks_of", half), pytest.raises(StorageError, match="No space left"):
        store.put("a", b"new and longer", "text/plain")

    assert store.read("a") == b"old"
    assert [path.name for path in store.root.rglob("*") if path.is_file()] == ["a"]


@pytest.mark.parametrize(
    ("start", "end"), [(0, None), (0, 0), (5, 9), (CHUNK - 1, CHUNK + 1), (3, None), (len(BIG), None), (len(BIG) + 9, None), (9, 5)]
)
def test_a_range_is_a_slice(store: LocalStorage, start: int, end: int | None) -> None:
    """`stream` and `astream` give what slicing the bytes would, across pieces and beyond the end."""
    store.put("a", BIG, "text/plain")

    async def collect() -> bytes:
        return b"".join([chunk async for chunk in store.astream("a", start, end)])

    expected = BIG[start:end]

    assert expected == b"".join(store.stream("a", start, end))
    assert expected == asyncio.run(collect())


def test_an_abandoned_async_stream_closes_its_file(store: LocalStorage) -> None:
    """A client that goes away in the middle leaves no open file behind (ResourceWarning would fail this test)."""
    store.put("a", BIG, "text/plain")

    async def leave_early() -> None:
        pieces = store.astream("a")
        async for _ in pieces:
            break
        await pieces.aclose()  # type: ignore[attr-defined] # it is a generator, the contract only says iterator

    async def cancelled() -> None:
        async def read() -> None:
            async for _ in store.astream("a"):
                await asyncio.sleep(0)

        task = asyncio.create_task(read())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave_early())
    asyncio.run(cancelled())


def test_adopt_renames(store: LocalStorage, tmp_path: Path) -> None:
    """A file on the same disk is taken over without a copy: the inode stays, the old path is gone."""
    source = tmp_path / "upload"
    source.write_bytes(b"12345")
    inode = source.stat().st_ino

    blob = store.adopt(source, "uploads/u", "video/mp4")

    assert (blob.bytes, blob.sha256) == (5, None)
    assert inode == store.path("uploads/u").stat().st_ino
    assert not source.exists()


def test_adopt_copies_across_disks(store: LocalStorage, tmp_path: Path) -> None:
    """Where a rename is impossible the bytes are copied, and the source still goes."""
    source = tmp_path / "upload"
    source.write_bytes(b"12345")
    real = Path.replace

    def exdev(self: Path, target: Path) -> Path:
        if self == source:
            raise OSError(18, "Invalid cross-device link")
        return real(self, target)

    with patch.object(Path, "replace", exdev):
        blob = store.adopt(source, "uploads/u", "video/mp4")

    assert hashlib.sha256(b"12345").hexdigest() == blob.sha256
    assert store.read("uploads/u") == b"12345"
    assert not source.exists()


def test_what_is_not_there_says_so(store: LocalStorage) -> None:
    """Absent blobs, folders and names below a blob are all `BlobNotFoundError`; deleting them is no error."""
    store.put("a/b", b"x", "text/plain")

    for key in ("nope", "a", "a/b/c"):
        with pytest.raises(BlobNotFoundError):
            store.read(key)
        with pytest.raises(BlobNotFoundError):
            store.size(key)
        with pytest.raises(BlobNotFoundError), store.local(key):
            pass
    store.delete("nope")
    store.delete("a/b/c")

    assert store.size("a/b") == 1


def test_a_prefix_is_a_folder(store: LocalStorage) -> None:
    """`delete_prefix` takes whole segments and nothing beside them, counts, and removes the empty folders."""
    for key in ("jobs/a/1", "jobs/a/x/2", "jobs/ab/3"):
        store.put(key, b"four", "text/plain")

    assert [entry.key for entry in store.list("jobs/a")] == ["jobs/a/1", "jobs/a/x/2"]
    assert store.delete_prefix("jobs/a") == (2, 8)
    assert store.delete_prefix("jobs/a") == (0, 0)
    assert [entry.key for entry in store.list()] == ["jobs/ab/3"]
    assert not (store.root / "jobs/a").exists()


def test_local_gives_the_file_itself(store: LocalStorage) -> None:
    """No copy is made of what is a file already."""
    store.put("a/b.mp4", b"x", "video/mp4")

    with store.local("a/b.mp4") as path:
        assert store.root / "a/b.mp4" == path
    assert store.signed_url("a/b.mp4", 60) is None
