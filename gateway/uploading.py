"""Moves the body of one request into tussi's store: slice by slice, or by way of a spool where a checksum must hold first."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from starlette.requests import ClientDisconnect
from tussi import (
    FilesystemStorage,
    InsufficientStorageException,
    OffsetMismatchException,
    UploadNotFoundException,
    UploadSizeExceededException,
)

from gateway.problems import Problem
from gateway.tus import Checksum

SLICE = 4 << 20
"""Bytes of one upload in memory, and between two fsyncs."""


@contextmanager
def appending() -> Iterator[None]:
    """Turn tussi's refusals into problems; its other failures are ours, and stay exceptions."""
    try:
        yield
    except OffsetMismatchException as error:
        detail = f"another request moved the upload to {error.actual}"
        raise Problem("conflict", detail, headers={"Upload-Offset": str(error.actual)}) from error
    except UploadSizeExceededException as error:
        raise Problem("payload-too-large", "the body is longer than the Upload-Length declared") from error
    except UploadNotFoundException as error:
        raise Problem("not-found", "the upload was terminated meanwhile") from error
    except InsufficientStorageException as error:
        raise Problem("insufficient-storage", "there is no room for this upload now") from error


async def append_slices(store: FilesystemStorage, identifier: str, offset: int, body: AsyncIterator[bytes], room: int) -> None:
    """Write `body` from `offset` on; `room` is how many bytes the upload still wants.

    A connection that breaks raises ClientDisconnect, after what had come was written.
    """
    waiting, start = bytearray(), offset
    with appending():
        try:
            async for piece in body:
                waiting += piece
                if offset - start + len(waiting) > room:
                    raise UploadSizeExceededException
                if len(waiting) >= SLICE:
                    waiting, whole = bytearray(), waiting
                    await store.write(identifier, offset, bytes(whole))
                    offset += len(whole)
        except ClientDisconnect:
            if waiting:
                await store.write(identifier, offset, bytes(waiting))
            raise
        if waiting:
            await store.write(identifier, offset, bytes(waiting))


@asynccontextmanager
async def spooled(folder: Path, body: AsyncIterator[bytes], checksum: Checksum, room: int) -> AsyncIterator[AsyncIterator[bytes]]:
    """The body again, once all of it came and has the checksum; raises Problem 460 where it has not.

    tus wants a mismatched body discarded whole; with bodies of any size that needs a file.
    """
    path, size, hashed = folder / f"{uuid.uuid4().hex}.spool", 0, checksum.start()
    try:
        with path.open("xb") as file:
            async for piece in body:
                size += len(piece)
                if size > room:
                    raise Problem("payload-too-large", "the body is longer than the Upload-Length declared")
                hashed.update(piece)
                await asyncio.to_thread(file.write, piece)
        if not checksum.matches(hashed):
            raise Problem("checksum-mismatch", f"the {size} bytes received do not have the {checksum.algorithm} given; nothing was kept")
        yield _pieces(path)
    finally:
        path.unlink(missing_ok=True)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while piece := await asyncio.to_thread(file.read, SLICE):
            yield piece
