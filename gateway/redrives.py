"""Opening a new epoch for a job that ended without success."""

from gateway.ledgers import Desk, missing
from gateway.problems import Problem
from shared.bus import envelope_text
from shared.ledger import calls
from shared.ledger.record import JobRecord


async def redrive(desk: Desk, record: JobRecord, *, request: str = "") -> JobRecord:
    """The job in its new epoch; `request` (JSON) replaces what it was asked. Raises Problem 409 unless it may be redriven."""
    text = envelope_text(
        job_id=record.id,
        kind=record.kind,
        epoch=record.number("epoch") + 1,
        tenant=record.tenant,
        request=request or record.text("request") or "null",
        blob="" if request else record.text("request_blob"),
        trace=record.carrier,
    )
    bell = desk.bus.bell(text, kind=record.kind, job_id=record.id, queue=record.text("queue"))
    answer = await desk.ledger.run(calls.redrive(record.id, record.tenant, request=request, bell=bell))
    if answer.word == "conflict":
        raise Problem("conflict", f"the job is {answer.detail}; only a failed, canceled or expired one can be run again")
    desk.postman.call()
    fresh = await desk.ledger.run(calls.read(record.id)) if answer.word == "ok" else None
    if fresh is None:
        raise missing(record.id)
    return fresh
