"""Celery Beat whose ticks become jobs: a tick makes at most one, however many Beats run.

The job's idempotency key is the schedule's name and the minute, so that the ledger keeps the second Beat's tick out.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

import structlog
from celery.beat import ScheduleEntry, Scheduler

from shared.bus import envelope_text, queue_name
from shared.ledger import calls, ids
from shared.ledger.calls import Answer, NewJob
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
    return runtime.ledger.run(calls.accept(NewJob(job_id, kind, SYSTEM, queue, "{}", bell=bell), idempotency=(key, digest)))


def scheduler(runtime: Runtime) -> type[Scheduler]:
    """A Beat scheduler for this service. It keeps no file: schedules are code, and ticks are in the ledger."""

    class LedgerScheduler(Scheduler):  # type: ignore[misc]  # celery is untyped
        def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **_: Any) -> None:  # noqa: ARG002 - Celery's signature
            due = self.reserve(entry) if advance else entry
            minute = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M")
            answer = tick(runtime, due.task, minute)
            log.info("schedule_ticked", kind=due.task, minute=minute, answer=answer.word, job=answer.detail)

    return LedgerScheduler
