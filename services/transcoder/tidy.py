"""The shelf's bounds. A done job's segments serve only jobs to come, so they are kept for a while and up to a size, and no longer.

Until a job has succeeded its segments are its own, whatever their size: they go with its record (retention), for it may be redriven.
"""

import json
import time
from dataclasses import dataclass

import structlog

from services.transcoder.settings import TranscoderSettings
from services.transcoder.shelf import POINTERS, Shelf
from shared.errors import StorageError
from shared.storage import Entry, Storage, safe_key

DAY = 86_400.0
RETIRED = "retired"
STAMP = f"{POINTERS}/looked"
"""The folder of one empty blob, whose age says when somebody last looked for lost pointers."""
LONGEST_KEPT = 60 * DAY
"""Age of a pointer that leads to nothing any more, whatever retention is set to."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Retired:
    """The segments of one job that succeeded."""

    entry: Entry
    folder: str
    bytes: int
    digests: tuple[str, ...]


def retire(shelf: Shelf, digests: list[str], settings: TranscoderSettings) -> None:
    """This family's segments are needed no longer by itself; then see to the bounds. What storage refuses is logged: the job is done."""
    try:
        size = sum(entry.bytes for entry in shelf.storage.list(f"{shelf.family}/{POINTERS}"))
        told = {"folder": shelf.family, "bytes": size, "digests": digests}
        key = safe_key(POINTERS, RETIRED, shelf.family.rpartition("/")[2])
        shelf.storage.put(key, json.dumps(told).encode(), "application/json")
        keep(shelf.storage, settings)
    except StorageError as error:
        log.warning("segments_not_tidied", detail=str(error))


def keep(storage: Storage, settings: TranscoderSettings, *, now: float | None = None) -> int:
    """Remove what is too old, then the oldest beyond the size; how many bytes went. Once a day pointers to nothing, too."""
    now = time.time() if now is None else now
    found = sorted(
        (_read(storage, entry) for entry in storage.list(f"{POINTERS}/{RETIRED}")), key=lambda job: job.entry.modified, reverse=True
    )
    kept = freed = 0
    for job in found:
        kept += job.bytes
        if kept > settings.keep_segments_bytes or now - job.entry.modified > settings.keep_segments_days * DAY:
            freed += _remove(storage, job)
    _lost_pointers(storage, now)
    if freed:
        log.info("segments_tidied", bytes=freed)
    return freed


def _read(storage: Storage, entry: Entry) -> Retired:
    told = json.loads(storage.read(entry.key))
    return Retired(entry, told["folder"], told["bytes"], tuple(told["digests"]))


def _remove(storage: Storage, job: Retired) -> int:
    """Pointers first, so that none leads to bytes that are going."""
    for digest in job.digests:
        storage.delete(safe_key(POINTERS, "transcoder", digest[:2], digest))
    _, freed = storage.delete_prefix(f"{job.folder}/{POINTERS}")
    storage.delete(job.entry.key)
    return freed


def _lost_pointers(storage: Storage, now: float) -> None:
    looked = max((entry.modified for entry in storage.list(STAMP)), default=0.0)
    if now - looked < DAY:
        return
    storage.put(f"{STAMP}/at", b"", "text/plain")
    for entry in list(storage.list(f"{POINTERS}/transcoder")):
        if now - entry.modified > LONGEST_KEPT:
            storage.delete(entry.key)
