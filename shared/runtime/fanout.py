"""Fan-out and fan-in: a job's children are jobs of the same service, and the ledger counts them."""

from collections.abc import Sequence
from typing import Any

import structlog

from shared import telemetry
from shared.bus import envelope_text
from shared.contracts.states import State
from shared.job import Child, FanOut
from shared.ledger import calls
from shared.ledger.calls import Arg, NewJob
from shared.ledger.record import JobRecord
from shared.runtime.outcome import Failed
from shared.runtime.patience import patiently
from shared.runtime.runtime import Runtime

log = structlog.get_logger()
AT_ONCE = 50
"""Children made by one script: few enough not to hold the ledger up, many enough not to be slow."""


def spawn(runtime: Runtime, record: JobRecord, fan_out: FanOut, artifacts: str) -> None:
    """Make the children, then put the parent to sleep; `artifacts` (JSON) is what it published so far.

    Safe to repeat after a crash: a child's id is its parent's and its index.
    """
    chunk: list[tuple[int, Sequence[Arg]]] = []
    total, weight = 0, fan_out.own_weight
    with telemetry.step("spawn children"):
        for index, child in enumerate(fan_out.children):
            chunk.append((index, _fields(runtime, record, index, child)))
            total, weight = total + 1, weight + child.weight
            if len(chunk) == AT_ONCE:
                patiently(runtime, calls.spawn(record.id, record.token, chunk))
                chunk = []
        if chunk:
            patiently(runtime, calls.spawn(record.id, record.token, chunk))
        patiently(
            runtime,
            calls.suspend(
                record.id,
                record.token,
                total=total,
                weight=weight,
                on_failure=fan_out.on_failure,
                artifacts=artifacts,
                settles=fan_out.settles,
            ),
        )
    log.info("children_spawned", children=total)


def failed_children(runtime: Runtime, record: JobRecord) -> Failed | None:
    """Under the policy `fail`, a failed child is its parent's failure, in the child's words: permanent, for it had its own attempts."""
    if not record.text("sealed") or record.text("onfail") != "fail" or record.number("bad") == 0:
        return None
    error = _first_error(runtime, record)
    why = error.get("detail") or "the dead letters say why"
    described = {
        "type": error.get("type", "child-failed"),
        "title": "A part of the job failed",
        "detail": f"{record.number('bad')} of {record.number('total')} parts failed: {why}",
        "retryable": False,
    }
    return Failed(described | {name: error[name] for name in ("pointer", "said") if error.get(name)}, retryable=False)


def _first_error(runtime: Runtime, record: JobRecord) -> dict[str, Any]:
    """Of the children that failed."""
    seen, total = 0, record.number("total")
    while seen < total:
        page = patiently(runtime, calls.children(record.id, start=seen))
        for _, state, _, error, _ in page:
            if state is State.FAILED and error:
                return dict(error)
        if not page:
            break
        seen += len(page)
    return {}


def _fields(runtime: Runtime, record: JobRecord, index: int, child: Child) -> list[Arg]:
    job_id, command, queue = f"{record.id}.{index}", child.command, record.text("queue")
    request, trace = command.model_dump_json(by_alias=True, exclude_unset=True), telemetry.carrier()
    envelope = envelope_text(job_id=job_id, kind=command.kind, epoch=1, tenant=record.tenant, request=request, blob="", trace=trace)
    bell = runtime.bus.bell(envelope, kind=command.kind, job_id=job_id, queue=queue)
    new = NewJob(
        job_id,
        command.kind,
        record.tenant,
        queue,
        request,
        bell=bell,
        inputs=record.text("inputs"),
        trace=trace,
        running_cap=record.number("cap") or None,
    )
    return [*new.fields(), "parent", record.id, "index", index, "weight", child.weight]
