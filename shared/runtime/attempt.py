"""One attempt at one job, as one pipeline of named steps: decode → claim → perform → settle.

Nothing here knows what the job is about, and nothing elsewhere ends a job that was run. Celery acknowledged the message when
the child took it: from `claim` on the lease protects the job, and before it the ledger still says `queued`, so that the
reconciler rings again (docs/adr/0002).
"""

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from shared import telemetry
from shared.bus import more_urgent, queues_of
from shared.contracts.base import Artifact
from shared.contracts.envelope import Envelope
from shared.errors import StaleTokenError
from shared.job import FanOut
from shared.ledger import calls, dead, ids
from shared.ledger.calls import Answer
from shared.ledger.record import JobRecord
from shared.logging import bind
from shared.runtime import fanout, outcome
from shared.runtime.deaths import UNSETTLED
from shared.runtime.handle import JobHandle
from shared.runtime.outcome import Failed, FannedOut, Lost, Outcome, Postponed, Stopped, Succeeded
from shared.runtime.patience import patiently
from shared.runtime.runtime import Runtime
from shared.runtime.settling import carried_out

log = structlog.get_logger()
BREATH = 0.25
"""Seconds for which a child goes on with the next job by itself."""
ALONE = 60.0
"""Seconds for which it does so while the broker is away; at most half of its soft time limit, which is counted from the message."""
LISTEN = 0.25
"""Seconds between two looks for a next job, while the broker is away."""


def run(runtime: Runtime, kind: str, payload: Any, *, queue: str, pid: int) -> None:
    """Answer one doorbell from `queue`: everything from the message to the next state of the job whose turn it is; then go on."""
    envelope = decode(runtime, kind, payload)
    if envelope is None:
        return
    record, began = None, time.monotonic()
    try:
        record = claim(runtime, envelope, queue, pid)
        while record is not None:
            with observed(runtime, record), workdir(runtime, record) as path:
                job, ended = carried_out(runtime, record, path, perform)
                settle(runtime, record, job.artifacts, ended)
            record = None  # settled
            record = go_on(runtime, queue, pid, began) or work_alone(runtime, pid, began)
    except Exception as error:  # noqa: BLE001 - as below: no failure may leave the job unsettled
        give_up(runtime, envelope, record, error)


def decode(runtime: Runtime, kind: str, payload: Any) -> Envelope | None:
    """The typed envelope; a message that is none becomes one dead letter (L8)."""
    try:
        envelope = Envelope.model_validate(payload)
    except ValidationError as error:
        failed = outcome.malformed(error)
        bury(runtime, payload, str(failed.error["detail"]), kind=kind, pointer=str(failed.error["pointer"]))
        return None
    if envelope.kind != kind:
        bury(runtime, payload, f"the envelope says {envelope.kind!r}, the message {kind!r}", kind=kind, pointer="/kind")
        return None
    return envelope


def bury(runtime: Runtime, message: Any, detail: str, *, kind: str = "", pointer: str = "") -> None:
    """Keep a message that no contract accepts, as it came in, with the field that is to blame."""
    entry_id = ids.new(runtime.service.name)
    error = {"type": "malformed-message", "title": "The message is malformed", "detail": detail, "pointer": pointer}
    patiently(runtime, dead.bury(entry_id, {"reason": "malformed", "kind": kind, "error": error, "message": message}))
    log.error("message_buried", dead_letter=entry_id, detail=detail)


def claim(runtime: Runtime, envelope: Envelope, queue: str, pid: int) -> JobRecord | None:
    """The job's record with a fresh lease and token; None where the ledger says that there is nothing to do."""
    claimed = _claim(runtime, envelope.id, queue, pid)
    if isinstance(claimed, JobRecord):
        return claimed
    log.info("doorbell_ignored", job=envelope.id, why=claimed.word, state=claimed.detail)
    return None


def go_on(runtime: Runtime, queue: str, pid: int, began: float) -> JobRecord | None:
    """The next job without the way through the broker and the worker's parent, which takes longer than a short job; None: there is none.

    For a `BREATH` only: time limits, `max_tasks_per_child` and the parent's ears are counted in messages. Nothing more urgent is passed.
    """
    known = queue in queues_of(runtime.service.contract)
    if not known or not runtime.service.settings.rings_in_ledger or time.monotonic() - began >= BREATH:
        return None
    claimed = _claim(runtime, "", queue, pid, urgent=more_urgent(queue))
    return claimed if isinstance(claimed, JobRecord) else None


def work_alone(runtime: Runtime, pid: int, began: float) -> JobRecord | None:
    """The ledger's next job, most urgent first, while the broker is away and nobody rings; None once it is back, or after a while."""
    while runtime.away and time.monotonic() - began < min(ALONE, runtime.service.policy.soft_time_limit / 2):
        for queue in runtime.queues:
            claimed = _claim(runtime, "", queue, pid)
            if isinstance(claimed, JobRecord):
                return claimed
        time.sleep(LISTEN)
    return None


def _claim(runtime: Runtime, job_id: str, queue: str, pid: int, *, urgent: Sequence[str] = ()) -> JobRecord | Answer:
    lease_ms, nonce = int(runtime.service.policy.lease * 1000), uuid.uuid4().hex
    caps = runtime.service.settings.caps
    call = calls.claim(job_id, worker=runtime.worker, pid=pid, lease_ms=lease_ms, nonce=nonce, queue=queue, caps=caps, urgent=urgent)
    return patiently(runtime, call)


@contextmanager
def observed(runtime: Runtime, record: JobRecord) -> Iterator[None]:
    """The span of this attempt and the ids that every log line inside it carries."""
    attempt, epoch = record.number("attempt"), record.number("epoch")
    resumed = bool(record.text("sealed"))
    span = telemetry.process_span(
        runtime.service.name, record.kind, record.id, attempt=attempt, epoch=epoch, carrier=record.carrier, queue=record.text("queue")
    )
    with span, bind(job=record.id, kind=record.kind, attempt=attempt, epoch=epoch):
        log.info("attempt_resumed" if resumed else "attempt_started")
        yield


@contextmanager
def workdir(runtime: Runtime, record: JobRecord) -> Iterator[Path]:
    """Where a private folder for this attempt may be; the token in its name keeps a zombie out of its successor's."""
    path = runtime.service.settings.home / "work" / runtime.service.name / f"{record.id}-{record.token}"
    try:
        yield path  # made by `JobHandle.workdir`: most jobs need none, and making and removing it took as long as a step on the ledger
    finally:
        if path.exists():
            shutil.rmtree(path, ignore_errors=True)


def perform(runtime: Runtime, record: JobRecord, job: JobHandle) -> Outcome:
    """Typed command in, typed result out; whatever is raised becomes an outcome."""
    command_type = runtime.service.contract.by_kind[record.kind]
    try:
        command = command_type.model_validate_json(request_of(runtime, record))
    except ValidationError as error:
        return outcome.malformed(error)
    if (failed := fanout.failed_children(runtime, record)) is not None:
        return failed
    try:
        answer = runtime.handlers[record.kind](command, job)
    except Exception as error:  # noqa: BLE001 - the whole point: every failure has an outcome
        return outcome.of(error)
    return FannedOut(answer) if isinstance(answer, FanOut) else Succeeded(answer)


def request_of(runtime: Runtime, record: JobRecord) -> bytes:
    """The command's JSON: from the ledger, or from storage where it was too large for it."""
    blob = record.json("request_blob")
    return runtime.storage.read(blob["key"]) if blob else record.text("request").encode()


def give_up(runtime: Runtime, envelope: Envelope, record: JobRecord | None, error: Exception) -> None:
    """Settle what broke between the steps (storage, disk, a lazy fan-out), or end this process.

    While this process lives its parent renews the lease, so that an attempt nobody settles would hold its job for ever.
    """
    with bind(job=envelope.id, kind=envelope.kind):
        log.error("attempt_broke", detail=type(error).__name__, exc_info=error)
        try:
            if record is not None:
                settle(runtime, record, (), outcome.of(error))
                return
        except Exception:
            log.exception("attempt_not_settled")
        leave()


def leave() -> None:
    """End this process: its parent sees it at once and takes back whatever it held, on the crash budget."""
    os._exit(UNSETTLED)


def settle(runtime: Runtime, record: JobRecord, artifacts: Sequence[Artifact], ended: Outcome) -> None:
    """Tell the ledger how it ended: one clause per outcome."""
    made = json.dumps([artifact.model_dump() for artifact in artifacts])
    try:
        match ended:
            case Succeeded(result):
                patiently(runtime, calls.succeed(record.id, record.token, result.model_dump_json(by_alias=True), made))
                log.info("attempt_succeeded")
            case FannedOut(fan_out):
                fanout.spawn(runtime, record, fan_out, made)
            case Failed():
                _settle_failure(runtime, record, ended)
            case Postponed(reason, seconds):
                patiently(runtime, calls.postpone(record.id, record.token, delay_ms=max(0, int(seconds * 1000)), reason=reason))
                log.info("attempt_postponed", seconds=round(seconds, 3))
            case Stopped():
                patiently(runtime, calls.canceled(record.id, record.token))
                log.info("attempt_canceled")
            case Lost():
                log.warning("lease_lost")
    except StaleTokenError:
        log.warning("outcome_refused", outcome=type(ended).__name__)


def _settle_failure(runtime: Runtime, record: JobRecord, failed: Failed) -> None:
    retry = runtime.service.policy.retry
    delay = retry.delay(record.number("errors") + 1, retry_after=failed.retry_after)
    error = {**failed.error, "attempt": record.number("attempt")}
    call = calls.fail(
        record.id, record.token, error, retryable=failed.retryable, delay_ms=int(delay * 1000), policy_attempts=retry.max_attempts
    )
    state = patiently(runtime, call)
    if failed.cause is not None and failed.error.get("type") == "unforeseen":
        log.error("attempt_failed", state=state, detail=failed.error.get("detail"), exc_info=failed.cause)
    else:
        log.warning("attempt_failed", state=state, detail=failed.error.get("detail"))
