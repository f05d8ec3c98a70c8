"""A job's event as CloudEvents 1.0 JSON: what event streams and webhooks tell."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shared.contracts.events import JobEvent
from shared.ledger import ids


def moment(ms: int | None) -> str | None:
    """Unix milliseconds as RFC 3339 in UTC."""
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cloud_event(job_id: str, kind: str, trace: Mapping[str, str], event: JobEvent) -> dict[str, Any]:
    """The event, with the distributed-tracing and sequence extensions. `trace`: the W3C context of the request that made the job."""
    shown: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{job_id}:{event.seq}",
        "source": f"/v1/jobs/{job_id}",
        "type": str(event.type),
        "subject": job_id,
        "time": moment(event.time),
        "datacontenttype": "application/json",
        "sequence": f"{event.seq:010d}",
        "seq": event.seq,
        "data": {"job": job_id, "service": ids.service_of(job_id), "kind": kind, **event.data},
    }
    if traceparent := trace.get("traceparent"):
        shown["traceparent"] = traceparent
    return shown
