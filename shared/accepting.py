"""From a command to the record of a new job, as the ledger accepts it: for whoever submits one, the gateway or a schedule."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.bus import Bus, blob_json, envelope_text, queue_name
from shared.contracts.base import Blob, Command
from shared.contracts.events import TERMINAL_EVENTS
from shared.contracts.options import Options, WebhookOptions
from shared.contracts.registry import Contract
from shared.ledger.calls import NewJob


@dataclass(frozen=True, slots=True)
class Written:
    """A submission on its way to the ledger. `request` is the command's JSON; `blob` is where it lies if it is large."""

    id: str
    tenant: str
    queue: str
    request: str
    blob: Blob | None
    inputs: Mapping[str, Blob]
    trace: Mapping[str, str]
    running_cap: int | None


def new_job(bus: Bus, command: Command, w: Written, *, labels: Mapping[str, str] | None = None) -> NewJob:
    """The record with its doorbell. `labels` go beside those of the command's options."""
    options, reference = command.options, blob_json(w.blob)
    text = envelope_text(job_id=w.id, kind=command.kind, epoch=1, tenant=w.tenant, request=w.request, blob=reference, trace=w.trace)
    return NewJob(
        w.id,
        command.kind,
        w.tenant,
        w.queue,
        "" if w.blob else w.request,
        bell=bus.bell(text, kind=command.kind, job_id=w.id, queue=w.queue),
        request_blob=reference,
        inputs=json.dumps({name: found.model_dump() for name, found in w.inputs.items()}) if w.inputs else "",
        labels={**options.labels, **labels} if labels else options.labels,
        trace=w.trace,
        run_at=_ms(options, "run_at"),
        expires_at=_ms(options, "expires_at"),
        max_attempts=options.max_attempts,
        webhook=webhook_fields(options.webhook) if options.webhook else None,
        running_cap=w.running_cap,
    )


def heard(workers: Iterable[Mapping[str, Any]]) -> Collection[str]:
    """The queues to which somebody listens who is not leaving; `workers` as the ledger's `stats` tells of them."""
    return {queue for worker in workers if not worker.get("draining") for queue in worker["queues"]}


def queue_of(contract: Contract, command: Command, heard: Collection[str]) -> str:
    """Where a command waits: with a need, in a queue of that need; if it makes do and nobody is `heard` there, with all others."""
    name, priority, need = contract.name, command.options.priority, command.need()
    queue = queue_name(name, priority, need)
    return queue_name(name, priority) if need is not None and command.makes_do() and queue not in heard else queue


def unique_of(tenant: str, command: Command) -> tuple[str, int]:
    """The ledger's unique key and its time to live in seconds (0: until the job is done); '' where none is asked for."""
    options = command.options
    if not options.unique_key:
        return "", 0
    return f"{tenant}:{command.kind}:{options.unique_key}", options.unique_ttl if options.unique_mode == "ttl" else 0


def webhook_fields(asked: WebhookOptions) -> Mapping[str, str]:
    """What the record says of it: whom to tell, of what (by words, with a space on either side), and in whose line that waits."""
    wanted = TERMINAL_EVENTS if asked.events is None else asked.events
    words = sorted({str(event).removeprefix("job.") for event in wanted})
    return {"webhook": str(asked.url), "tells": f" {' '.join(words)} ", "receiver": f"{asked.url.host}:{asked.url.port}"}


def _ms(options: Options, name: str) -> int | None:
    when: Any = getattr(options, name)
    return None if when is None else int(when.timestamp() * 1000)
