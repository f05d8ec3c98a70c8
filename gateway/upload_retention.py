"""Finished uploads that no job names and that are old: they go in two steps, for a submission may be under way.

Only the gateway sees all ledgers, and each counts how many of its jobs name an upload. First an upload's record goes, so that no
new job can name it; at a later sweep its bytes, if still no job does. Whoever was accepted in between keeps them.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator

import structlog

from gateway.ledgers import Ledgers
from shared.ledger import retention
from shared.metrics_http import PRUNED_UPLOADS as PRUNED
from shared.storage import Storage

log = structlog.get_logger()
FOLDER = "uploads"
RECORD = ".json"
AT_ONCE = 100


async def sweep(storage: Storage, ledgers: Ledgers, *, keep: float) -> int:
    """Remove what nobody has named for `keep` seconds after it was finished; how many lost their bytes.

    Raises UnavailableError where a ledger does not answer: what cannot be known to be unused stays.
    """
    removed = freed = 0
    old = await asyncio.to_thread(lambda: list(_old(storage, time.time() - keep)))
    for start in range(0, len(old), AT_ONCE):
        batch = old[start : start + AT_ONCE]
        names = [name for name, _, _ in batch]
        counts = [await desk.ledger.run(retention.used(names)) for desk in ledgers.desks.values()]
        for (name, has_record, size), *used in zip(batch, *counts, strict=True):
            if any(used):
                continue
            await asyncio.to_thread(storage.delete, f"{FOLDER}/{name}{RECORD if has_record else ''}")
            if not has_record:
                removed, freed = removed + 1, freed + size
    if removed:
        log.info("unused_uploads_removed", count=removed, bytes=freed)
        PRUNED.inc(removed)
    return removed


def _old(storage: Storage, before: float) -> Iterator[tuple[str, bool, int]]:
    """(id, whether its record is there, bytes) of uploads that nobody wrote to since `before` (Unix seconds)."""
    for name, group in itertools.groupby(storage.list(FOLDER), key=lambda entry: entry.key.split("/")[1].removesuffix(RECORD)):
        entries = list(group)
        if max(entry.modified for entry in entries) < before:
            yield name, any(entry.key.endswith(RECORD) for entry in entries), sum(entry.bytes for entry in entries)
