"""Retention carried out: records in small steps, then the bytes of jobs that are gone, then bytes that never had a record.

The worker's parent takes one step a look (`step`), so that a backlog melts while the service works. Bytes are the nightly sweep's
(`carry_out`): the parent may not touch storage, because an object store's client does not survive the fork. What retention
removes it counts (`pruned`) and logs.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from shared.job import Job
from shared.ledger import retention
from shared.ledger.ids import service_of
from shared.ledger.retention import DAY_MS, Pruned
from shared.runtime.runtime import Runtime
from shared.storage import Entry, Storage, job_folder

log = structlog.get_logger()
LONGEST = 600.0
"""Seconds of a sweep that go to retention, at most: it holds a pool child. The next sweep goes on."""
SHARE = 0.5
"""Of the service's soft time limit, at most."""
JOBS = "jobs"


@dataclass(frozen=True, slots=True)
class Removed:
    """What one sweep removed: records in the ledger; blobs and their bytes in storage."""

    records: int = 0
    blobs: int = 0
    bytes: int = 0


def step(runtime: Runtime) -> Pruned:
    """One bounded step on the ledger; what went is counted there and logged."""
    pruned = runtime.ledger.run(retention.prune(retention.kept(runtime.service.settings)))
    if pruned.total:
        log.info("jobs_pruned", jobs=dict(pruned.jobs), children=pruned.children, more=pruned.more)
    return pruned


def carry_out(runtime: Runtime, job: Job, *, clock: Callable[[], float] = time.monotonic) -> Removed:
    """Everything that is due, within the sweep's share of time; `retention_behind` is logged where that was too little."""
    deadline = clock() + min(LONGEST, SHARE * runtime.service.policy.soft_time_limit)

    def in_time() -> bool:
        job.checkpoint()
        return clock() < deadline

    records, more = 0, True
    while more and in_time():
        pruned = step(runtime)
        records, more = records + pruned.total, pruned.more
        job.progress(0.2, "prune", f"{records} records")
    blobs, freed = _gone_jobs(runtime, in_time)
    strays, more_freed = _strays(runtime, in_time)
    removed = Removed(records, blobs + strays, freed + more_freed)
    if not in_time():
        log.warning("retention_behind", detail="the sweep's time was over; the next one goes on")
    log.info("retention_carried_out", records=removed.records, blobs=removed.blobs, stray_blobs=strays, bytes=removed.bytes)
    return removed


def _gone_jobs(runtime: Runtime, in_time: Callable[[], bool]) -> tuple[int, int]:
    """The bytes of jobs whose records went. An id leaves the list after its bytes: a crash in between means once more, not never."""
    blobs = freed = 0
    gone: list[str] = []
    while (found := runtime.ledger.run(retention.leftovers(gone))) and in_time():
        for job_id in found:
            count, size = runtime.storage.delete_prefix(job_folder(job_id))
            blobs, freed = blobs + count, freed + size
        gone = found
    return blobs, freed


def _strays(runtime: Runtime, in_time: Callable[[], bool]) -> tuple[int, int]:
    """Bytes of this service's jobs without a record, older than anything that retention would keep.

    A zombie wrote them after its job was deleted, or a submission stored a large request and was refused. The age is a guard, too:
    where a ledger was lost and begun anew, no bytes go before their time.
    """
    rules = retention.kept(runtime.service.settings).values()
    before = time.time() - max(rule.age_ms for rule in rules) / 1000 - DAY_MS / 1000
    blobs = freed = 0
    for batch in _batches(_folders(runtime.storage, runtime.service.name, before), retention.AT_ONCE):
        if not in_time():
            break
        for job_id, known in zip(batch, runtime.ledger.run(retention.known(batch)), strict=True):
            if not known:
                count, size = runtime.storage.delete_prefix(job_folder(job_id))
                blobs, freed = blobs + count, freed + size
                log.warning("stray_bytes_removed", job=job_id, blobs=count, bytes=size)
    return blobs, freed


def _folders(storage: Storage, service: str, before: float) -> Iterator[str]:
    """Ids of this service's job folders that nobody wrote to since `before` (Unix seconds). Listings come in order, folder by folder."""

    def job_of(entry: Entry) -> str:
        return entry.key.split("/")[1]

    for job_id, entries in itertools.groupby(storage.list(JOBS), key=job_of):
        newest = max(entry.modified for entry in entries)
        if service_of(job_id) == service and newest < before:
            yield job_id


def _batches(ids: Iterator[str], size: int) -> Iterator[list[str]]:
    """itertools.batched, which Python 3.11 does not have."""
    while batch := list(itertools.islice(ids, size)):
        yield batch
