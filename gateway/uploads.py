"""Uploads of any size in constant memory: what they are, where they lie, and when they are done.

Bytes under way lie in tussi's `FilesystemStorage`: one file and one small record each; a slice is written and fsynced
before the record's offset moves, so after a SIGKILL the offset never says more than is there. (tussi's own HTTP side is
not used: it collects a whole PATCH in memory, and knows only the creation extension.) A finished upload moves to the
storage under `uploads/<id>`, its record beside it under `uploads/<id>.json`; `_finish` may be repeated after a crash at
any point, and is, by whoever looks at the upload next.
"""

import asyncio
import contextlib
import re
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from weakref import WeakValueDictionary

import structlog
from pydantic import BaseModel, ValidationError
from tussi import FilesystemStorage, StorageException, UploadNotFoundException, UploadRecord

from gateway.problems import Problem, invalid
from gateway.settings import GatewaySettings
from gateway.tus import Checksum, filename_of, media_type_of
from gateway.uploading import SLICE, append_slices, appending, spooled
from shared.contracts.base import Blob
from shared.errors import BlobNotFoundError, StorageError
from shared.local_storage import LocalStorage
from shared.storage import Storage, safe_key, sha256_of

log = structlog.get_logger()

HASHED_BYTES = 64 << 20
"""A finished upload up to this size is hashed (0.2 s); above, the hash would cost more than it protects."""
_ID = re.compile(r"upl_[0-9a-f]{32}")


class FinishedUpload(BaseModel):
    """The record beside a finished upload's bytes."""

    tenant: str
    created_at: float
    finished_at: float
    metadata: dict[str, str]
    blob: Blob


class Upload(BaseModel):
    """An upload as its tenant sees it; times in Unix seconds, `expires_at` None once it is finished."""

    id: str
    tenant: str
    length: int
    offset: int
    metadata: dict[str, str]
    expires_at: float | None
    blob: Blob | None = None


class Uploads:
    """All uploads of the installation; a tenant's calls see that tenant's only."""

    def __init__(self, storage: Storage, folder: Path, *, max_bytes: int, expiry: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.max_bytes = max_bytes
        self._storage = storage
        self._folder = folder
        self._expiry = expiry
        self._incoming = FilesystemStorage(folder)
        self._finishing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @classmethod
    def beside(cls, storage: Storage, settings: GatewaySettings) -> "Uploads":
        """With the incoming folder on the storage's own disk where it is local, so that finishing is a rename."""
        folder = storage.root / ".uploads" if isinstance(storage, LocalStorage) else settings.home / "uploads"
        return cls(storage, folder, max_bytes=settings.max_upload_bytes, expiry=settings.upload_expiry)

    async def create(self, tenant: str, length: int, metadata: dict[str, str]) -> Upload:
        """A new upload of `length` bytes, whose disk space is reserved at once. Raises Problem 413, 507."""
        if length > self.max_bytes:
            raise Problem("payload-too-large", f"an upload may have {self.max_bytes} bytes, this one wants {length}")
        identifier = f"upl_{uuid.uuid4().hex}"
        with appending():
            await self._incoming.create(identifier, length, metadata, {"tenant": tenant})
        return await self.get(identifier, tenant)

    async def get(self, identifier: str, tenant: str) -> Upload:
        """How far the upload is. Raises Problem 404 where it is not there, over, or another tenant's."""
        if not _ID.fullmatch(identifier):
            raise _unknown()
        record = await asyncio.to_thread(self._under_way, identifier)
        if record is not None and record.offset == record.length:
            await self._finish(identifier)
            record = None
        if record is None:
            return await self._finished(identifier, tenant)
        if record.server_metadata.get("tenant") != tenant or record.last_write + self._expiry < time.time():
            raise _unknown()
        return Upload(
            id=identifier,
            tenant=tenant,
            length=record.length or 0,
            offset=record.offset,
            metadata=record.metadata,
            expires_at=record.last_write + self._expiry,
        )

    async def append(self, upload: Upload, offset: int, body: AsyncIterator[bytes], checksum: Checksum | None = None) -> Upload:
        """Write `body` at `offset`, in slices as it comes; what came before a connection broke is kept.

        With a `checksum` nothing is kept unless all of it came and matches. Raises Problem 404 (terminated meanwhile), 409
        (wrong offset, or finished), 413 (longer than declared), 460, 507.
        """
        if upload.blob is not None or offset != upload.offset:
            detail = "the upload is finished and cannot change" if upload.blob is not None else f"the upload is at {upload.offset}"
            raise Problem("conflict", detail, headers={"Upload-Offset": str(upload.offset)})
        room = upload.length - offset
        if checksum is None:
            await append_slices(self._incoming, upload.id, offset, body, room)
        else:
            async with spooled(self._folder, body, checksum, room) as pieces:
                await append_slices(self._incoming, upload.id, offset, pieces, room)
        return await self.get(upload.id, upload.tenant)

    async def terminate(self, upload: Upload) -> None:
        """Remove the upload, finished or not."""
        with contextlib.suppress(UploadNotFoundException):
            await self._incoming.delete(upload.id)
        for key in (f"uploads/{upload.id}.json", f"uploads/{upload.id}"):
            await asyncio.to_thread(self._storage.delete, key)

    async def resolve(self, identifier: str, tenant: str, pointer: str) -> Blob:
        """The bytes of a finished upload, for the field at `pointer`. Raises Problem 422 where there are none (yet)."""
        try:
            upload = await self.get(identifier, tenant)
        except Problem as problem:
            raise invalid(f"there is no upload {identifier[:80]}; it may be over, or was never finished", pointer) from problem
        if upload.blob is None:
            raise invalid(f"the upload {identifier} is not finished: {upload.offset} of {upload.length} bytes came", pointer)
        return upload.blob

    async def sweep(self) -> int:
        """Remove what nobody finished in time; returns how many uploads went."""
        removed, now = 0, time.time()
        for info in await self._incoming.list_uploads():
            if info.offset != info.length and info.last_write + self._expiry < now:
                with contextlib.suppress(StorageException):  # somebody terminated it meanwhile, or it is the next sweep's
                    await self._incoming.delete(info.upload_id)
                    removed += 1
        await asyncio.to_thread(self._drop_spools, now - self._expiry)
        if removed:
            log.info("stale_uploads_removed", count=removed)
        return removed

    def _drop_spools(self, before: float) -> None:
        for path in self._folder.glob("*.spool"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()

    def _under_way(self, identifier: str) -> UploadRecord | None:
        try:
            return UploadRecord.from_file(self._folder / f"{identifier}.meta")
        except FileNotFoundError:
            return None

    async def _finished(self, identifier: str, tenant: str) -> Upload:
        try:
            done = FinishedUpload.model_validate_json(
                await asyncio.to_thread(self._storage.read, safe_key("uploads", f"{identifier}.json"))
            )
        except (BlobNotFoundError, ValidationError) as error:
            raise _unknown() from error
        if done.tenant != tenant:
            raise _unknown()
        size = done.blob.bytes
        return Upload(id=identifier, tenant=tenant, length=size, offset=size, metadata=done.metadata, expires_at=None, blob=done.blob)

    async def _finish(self, identifier: str) -> None:
        async with self._finishing.setdefault(identifier, asyncio.Lock()):
            await asyncio.to_thread(self._finish_now, identifier)

    def _finish_now(self, identifier: str) -> None:
        """Bytes, then their record, then forget: a crash between any two leaves what the next call goes on from."""
        record = self._under_way(identifier)
        if record is None:
            return
        incoming, key, media_type = self._folder / identifier, safe_key("uploads", identifier), media_type_of(record.metadata)
        hashed = (record.length or 0) <= HASHED_BYTES
        try:
            blob = self._storage.adopt(incoming, key, media_type, sha256_of(incoming) if hashed else None)
        except (FileNotFoundError, StorageError):
            if incoming.exists():
                raise
            # A crash came after the rename, or another gateway is doing the same right now.
            size = self._storage.size(key)
            with self._storage.local(key) as path:
                blob = Blob(key=key, bytes=size, sha256=sha256_of(path) if hashed else None, media_type=media_type)
        done = FinishedUpload(
            tenant=record.server_metadata["tenant"],
            created_at=record.created_at,
            finished_at=time.time(),
            metadata=record.metadata,
            blob=blob.model_copy(update={"name": filename_of(record.metadata)}),
        )
        self._storage.put(f"{key}.json", done.model_dump_json().encode(), "application/json")
        (self._folder / f"{identifier}.meta").unlink(missing_ok=True)
        log.info("upload_finished", upload=identifier, bytes=blob.bytes)


def _unknown() -> Problem:
    return Problem("not-found", "there is no such upload; it may be over")


__all__ = ["SLICE", "FinishedUpload", "Upload", "Uploads"]
