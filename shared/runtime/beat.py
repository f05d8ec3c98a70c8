"""Celery Beat whose ticks become jobs: a tick makes at most one, however many Beats run.

The job's idempotency key is the kind and the minute that the schedule named, not the one in which a Beat got round to it, so that
the ledger keeps the second Beat's tick out even where that Beat was held up.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

import structlog
from celery.beat import ScheduleEntry, Scheduler

from shared.bus import envelope_text, queue_name
from shared.ledger import calls, ids
from shared.ledger.calls import Answer, NewJob
from shared.runtime.patience import patiently
from shared.runtime.runtime import Runtime

log = structlog.get_logger()
SYSTEM = ids.SYSTEM_TENANT


def tick(runtime: Runtime, kind: str, minute: str) -> Answer:
    """Accept the job of one tick; 'replayed' where another Beat was first."""
    service = runtime.service.name
    job_id, queue = ids.new(service), queue_name(service, "low")
    envelope = envelope_text(job_id=job_id, kind=kind, epoch=1, tenant=SYSTEM, request="{}", blob="", trace={})
    bell = runtime.bus.bell(envelope, kind=kind, job_id=job_id, queue=queue)
    key = f"{SYSTEM}:beat:{kind}:{minute}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    call = calls.accept(NewJob(job_id, kind, SYSTEM, queue, "{}", bell=bell), idempotency=(key, digest))
    return patiently(runtime, call)  # Celery would forget a tick that raises, and the next one may be a day away


def due_minute(entry: ScheduleEntry) -> str:
    """The minute in UTC for which this entry is due: the first of its schedule after its last run."""
    last, until, _ = entry.schedule.remaining_delta(entry.last_run_at)
    due: datetime = last + until
    return due.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")


def scheduler(runtime: Runtime) -> type[Scheduler]:
    """A Beat scheduler for this service. It keeps no file: schedules are code, and ticks are in the ledger."""

    class LedgerScheduler(Scheduler):  # type: ignore[misc]  # celery is untyped
        def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **_: Any) -> None:  # noqa: ARG002 - Celery's signature
            minute = due_minute(entry)
            if advance:
                self.reserve(entry)
            answer = tick(runtime, entry.task, minute)
            log.info("schedule_ticked", kind=entry.task, minute=minute, answer=answer.word, job=answer.detail)

    return LedgerScheduler
