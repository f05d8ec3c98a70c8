"""Looking at jobs: one, waited for, or a page of them across services."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.feed import Feed
from gateway.keys import Principal
from gateway.ledgers import Desk, Ledgers, missing
from shared.ledger import calls
from shared.ledger.record import JobRecord

LONGEST_WAIT = 60.0
READ_AGAIN = 5.0
"""Seconds after which a waiter reads the ledger although nobody told it to: news may be lost, the ledger is not."""
SCANNED_AT_MOST = 2_000
_PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is to hold; `labels` must all match."""

    services: tuple[str, ...]
    state: str = ""
    labels: tuple[tuple[str, str], ...] = ()


def wait_of(prefer: str | None) -> float:
    """The seconds of `Prefer: wait=20` (RFC 7240), at most a minute; 0 where it is not asked for."""
    found = _PREFER_WAIT.search(prefer or "")
    return min(float(found[1]), LONGEST_WAIT) if found else 0.0


async def find(ledgers: Ledgers, job_id: str, who: Principal) -> tuple[Desk, JobRecord]:
    """The job, if it is this tenant's. Raises Problem 404."""
    desk = ledgers.of(job_id)
    record = await desk.ledger.run(calls.read(job_id))
    if record is None or record.tenant != who.tenant:
        raise missing(job_id)
    return desk, record


async def request_of(desk: Desk, record: JobRecord) -> bytes:
    """The job's request as JSON, be it in the ledger or, being large, in storage."""
    blob = record.json("request_blob")
    return await asyncio.to_thread(desk.storage.read, blob["key"]) if blob else record.text("request").encode()


async def until_done(desk: Desk, record: JobRecord, seconds: float) -> JobRecord:
    """The job once it is done, or as it is when the time is over."""
    deadline = time.monotonic() + seconds
    while not record.done and (left := deadline - time.monotonic()) > 0:
        event = desk.feed.watch(record.id)
        try:
            fresh = await desk.ledger.run(calls.read(record.id))
            if fresh is None or fresh.done:
                return fresh or record
            record = fresh
            await Feed.heard(event, min(left, READ_AGAIN))
        finally:
            desk.feed.drop(event, record.id)
    return record


async def page(ledgers: Ledgers, who: Principal, wanted: Wanted, *, cursor: str, limit: int) -> tuple[list[JobRecord], str | None]:
    """A page of jobs, newest first, and the cursor of the next one. A cursor is the ULID of the last job looked at."""
    found: list[JobRecord] = []
    scanned = 0
    while len(found) < limit and scanned < SCANNED_AT_MOST:
        batch = await _newest(ledgers, who, wanted, cursor, limit)
        scanned += len(batch)
        for record in batch:
            cursor = _ulid(record.id)
            if _matches(record, wanted.labels):
                found.append(record)
                if len(found) == limit:
                    break
        if len(batch) < limit:
            return found, (cursor if len(found) == limit and batch and _ulid(batch[-1].id) != cursor else None)
    return found, cursor


async def _newest(ledgers: Ledgers, who: Principal, wanted: Wanted, cursor: str, most: int) -> Sequence[JobRecord]:
    """The newest `most` jobs below the cursor, merged over the services."""
    pages = await asyncio.gather(
        *(
            ledgers.desks[name].ledger.run(
                calls.jobs(who.tenant, state=wanted.state, cursor=f"{name}_{cursor}" if cursor else "", most=most)
            )
            for name in wanted.services
        )
    )
    merged = sorted((record for page_ in pages for record in page_), key=lambda record: _ulid(record.id), reverse=True)
    return merged[:most]


def _ulid(job_id: str) -> str:
    return job_id.partition("_")[2]


def _matches(record: JobRecord, labels: Sequence[tuple[str, str]]) -> bool:
    if not labels:
        return True
    has = record.json("labels") or {}
    return all(has.get(name) == value for name, value in labels)
