"""A schedule's run as a job: the request that was checked when the schedule was made, accepted the way a submission is."""

import hashlib
import os
from collections.abc import Collection, Mapping

from pydantic import ValidationError

from shared.accepting import Written, new_job, queue_of, unique_of
from shared.bus import Bus
from shared.contracts.base import Command
from shared.contracts.registry import Contract
from shared.errors import PermanentError
from shared.ledger import calls
from shared.ledger.calls import Answer, Call
from shared.ledger.schedules import Caps, Schedule

LABEL = "schedule"
"""The label that every run's job bears: its value is the schedule's id."""


def accepting(
    schedule: Schedule,
    contract: Contract,
    bus: Bus,
    job_id: str,
    *,
    trace: Mapping[str, str],
    caps: Caps,
    heard: Collection[str],
    idempotency: tuple[str, str] | None,
) -> Call[Answer]:
    """The call that makes this run's job; `heard` as of `shared.accepting`.

    Raises:
        PermanentError: the service takes such a request no more.
    """
    what = schedule.definition
    command = _command(contract, what.kind, what.request)
    queue = queue_of(contract, command, heard)
    written = Written(job_id, schedule.tenant, queue, what.request, None, what.inputs, trace, caps.running or None)
    unique, ttl = unique_of(schedule.tenant, command)
    return calls.accept(
        new_job(bus, command, written, labels={LABEL: schedule.id}),
        idempotency=idempotency,
        unique=unique,
        unique_ttl=ttl,
        cap=caps.queued,
        tenant_cap=caps.live,
    )


def run_key(schedule: Schedule, at: int) -> tuple[str, str]:
    """The idempotency key of the run due at `at`; no user's has this form, for theirs begin with a tenant and a colon."""
    key = f"schedule/{schedule.id}/{at}"
    return key, hashlib.sha256(key.encode()).hexdigest()


def fresh_trace() -> dict[str, str]:
    """A trace of its own (W3C Trace Context): a run that nobody asked for just now has no caller to go on from."""
    return {"traceparent": f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"}


def _command(contract: Contract, kind: str, request: str) -> Command:
    known = contract.by_kind.get(kind)
    if known is None or known.route is None:
        raise PermanentError(f"the service {contract.name} has no kind {kind} any more; make a new schedule")
    try:
        return known.model_validate_json(request)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = "/".join(str(part) for part in first["loc"])
        raise PermanentError(f"the request is not valid any more: {where or 'it'}: {first['msg']}; change the schedule") from error
