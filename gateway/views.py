"""How a job looks on the wire (API: "The job"). Plain dictionaries: this is on the path of every submit."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gateway.links import sign_link
from shared.cloud_events import moment
from shared.contracts.base import Artifact
from shared.contracts.states import TERMINAL, State
from shared.ledger import ids
from shared.ledger.dead import DeadLetter
from shared.ledger.record import JobRecord
from shared.telemetry import trace_id_of

__all__ = ["moment"]  # which stands with events, and which views are full of

Json = dict[str, Any]


def links(job_id: str) -> Json:
    """Where to go from a job."""
    here = f"/v1/jobs/{job_id}"
    return {"self": here, "events": f"{here}/events", "cancel": f"{here}/cancel", "trace": f"{here}/trace"}


def accepted(job_id: str, kind: str, request: Any, *, run_at: int | None, labels: Mapping[str, str], trace: Mapping[str, str]) -> Json:
    """A job that was accepted this moment: known without asking the ledger."""
    return {
        "id": job_id,
        "service": ids.service_of(job_id),
        "kind": kind,
        "state": "queued",
        "done": False,
        "progress": {"fraction": 0.0, "step": "queued", "detail": "", "eta_seconds": None},
        "attempt": 0,
        "epoch": 1,
        "created_at": moment(int(time.time() * 1000)),
        "started_at": None,
        "finished_at": None,
        "run_at": moment(run_at),
        "request": request,
        "result": None,
        "error": None,
        "artifacts": [],
        "children": {"total": 0, "succeeded": 0, "failed": 0},
        "labels": dict(labels),
        "paused": False,
        "trace_id": trace_id_of(trace),
        "links": links(job_id),
    }


def job(record: JobRecord, *, secret: bytes | None = None, link_seconds: int = 0) -> Json:
    """A job as the ledger has it; with a `secret`, artifacts also get links that browsers can open."""
    return {
        "id": record.id,
        "service": ids.service_of(record.id),
        "kind": record.kind,
        "state": record.state,
        "done": record.done,
        "progress": _progress(record),
        "attempt": record.number("attempt"),
        "epoch": record.number("epoch"),
        "created_at": moment(record.time("created")),
        "started_at": moment(record.time("started")),
        "finished_at": moment(record.time("finished")),
        "run_at": moment(record.time("run_at")),
        "request": _request(record),
        "result": record.json("result"),
        "error": _error(record),
        "artifacts": [_artifact(record.id, artifact, secret, link_seconds) for artifact in record.artifacts],
        "children": {"total": record.number("total"), "succeeded": record.number("ok"), "failed": record.number("bad")},
        "labels": record.json("labels") or {},
        "paused": record.text("paused") == "1" and not record.done,
        "trace_id": trace_id_of(record.carrier),
        "links": links(record.id),
    }


def dead_letter(entry: DeadLetter) -> Json:
    """A dead letter: the message as received, why it lies here, and what was tried."""
    record = entry.job
    received = entry.entry.get("message")
    error = entry.entry.get("error")
    if record is not None:
        error = record.json("error")
        received = {
            "id": record.id,
            "kind": record.kind,
            "epoch": record.number("epoch"),
            "tenant": record.tenant,
            "command": _request(record),
            "trace": record.carrier,
        }
    here = f"/v1/dead-letters/{entry.id}"
    return {
        "id": entry.id,
        "service": ids.service_of(entry.id),
        "kind": entry.kind or None,
        "job": record.id if record else None,
        "reason": entry.reason,
        "at": moment(entry.at),
        "error": error,
        "attempts": attempts(record.attempts) if record else [],
        "message": received,
        "trace_id": trace_id_of(record.carrier) if record else None,
        "links": {"self": here, "redrive": f"{here}/redrive", **({"job": f"/v1/jobs/{record.id}"} if record else {})},
    }


def attempts(log: Sequence[Mapping[str, Any]]) -> list[Json]:
    """The attempt log with readable times."""
    return [
        {
            "number": int(entry.get("number", 0)),
            "epoch": int(entry.get("epoch", 1)),
            "started_at": moment(int(entry.get("started_at") or 0)),
            "ended_at": moment(int(entry.get("ended_at") or 0)),
            "outcome": entry.get("outcome"),
            "reason": entry.get("reason"),
            "worker": entry.get("worker"),
            **({"crash": entry["crash"]} if entry.get("crash") else {}),
        }
        for entry in log
    ]


def _progress(record: JobRecord) -> Json:
    if record.state is State.SUCCEEDED:
        return {"fraction": 1.0, "step": "done", "detail": "", "eta_seconds": None}
    told = record.json("progress") or {}
    return {
        "fraction": told.get("fraction", 0.0),
        "step": told.get("step") or str(record.state),
        "detail": told.get("detail", ""),
        "eta_seconds": None if record.state in TERMINAL else told.get("eta_seconds"),
    }


def _request(record: JobRecord) -> Any:
    """The command as it was sent; one of over 64 kB lies in storage, and only its measure is shown."""
    blob = record.json("request_blob")
    if blob:
        return {"stored": {"bytes": blob["bytes"], "sha256": blob["sha256"]}}
    return json.loads(record.text("request") or "null")


def _error(record: JobRecord) -> Json | None:
    error = record.json("error")
    if error is None or record.state in {State.SUCCEEDED, State.QUEUED}:
        return None
    return {**error, "attempts": attempts(record.attempts)}


def _artifact(job_id: str, artifact: Artifact, secret: bytes | None, seconds: int) -> Json:
    href = f"/v1/jobs/{job_id}/artifacts/{quote(artifact.name)}"
    shown = {"name": artifact.name, "media_type": artifact.media_type, "bytes": artifact.bytes, "sha256": artifact.sha256, "href": href}
    if secret is not None:
        expires = int(time.time()) + seconds
        token = sign_link(secret, job_id, "*", expires)
        signature = token.rpartition("signature=")[2]
        shown["browser_href"] = f"/v1/signed/{expires}.{signature}/{job_id}/{quote(artifact.name)}"
    return shown
