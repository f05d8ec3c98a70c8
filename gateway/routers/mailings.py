"""/v1/mailings/{id}/…: what can be done about a mailing that is over."""

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from gateway import jobs
from gateway.access import Submitter
from gateway.bodies import read_json, validated
from gateway.ledgers import Desk
from gateway.openapi import json_body
from gateway.problems import Problem
from gateway.routers.shapes import ERRORS, PROBLEM, JobShape
from gateway.routers.submit import HEADERS, TOLD, idempotency_key
from gateway.state import state_of
from shared.contracts.mailer import SendMailing, Who
from shared.ledger.record import JobRecord

router = APIRouter(prefix="/v1/mailings", tags=["mailer"])
LABEL = "resend_of"
"""The label of a mailing that was made of another: its value is the other's id."""
TOLD_BY = "recipients.jsonl"
ONCE_ONLY = ("run_at", "expires_at", "unique_key", "unique_mode", "unique_ttl")
"""Options of the old mailing that were about that one."""


class Resend(BaseModel):
    """To whom.

    `failed`: who was refused. `missed`: also who was still to come when it was cancelled, and all of a dry run. `unknown`: of whom nobody
    knows whether they have it, so that they may get it twice.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"who": "missed"}]})

    who: Who


@router.post(
    "/{job_id}/resend",
    status_code=202,
    summary="Send a mailing to those who are without it",
    response_model=None,
    responses={
        202: {"model": JobShape, "description": "The new mailing", "headers": TOLD},
        **dict.fromkeys((409, 413, 415, 429), PROBLEM),
        **ERRORS,
    },
    openapi_extra=json_body(Resend) | {"parameters": HEADERS},
)
async def resend(request: Request, job_id: str, who: Submitter) -> JSONResponse:
    """A new mailing of the same content, labelled `resend_of`, with the values that each had. Within a day it is made once only."""
    state = state_of(request)
    wanted = validated(Resend, await read_json(request))
    desk, record = await jobs.find(state.ledgers, job_id, who)
    _refuse(record, wanted.who)
    body = json.dumps(await _again(desk, record, wanted.who)).encode()
    key = idempotency_key(request.headers.get("idempotency-key")) or f"resend {record.id} {record.number('epoch')} {wanted.who}"
    ticket = await state.publisher.submit(SendMailing, body, who, key=key)
    headers = {"Location": f"/v1/jobs/{ticket.job['id']}", "Retry-After": "1"} | (
        {"Idempotent-Replayed": "true"} if ticket.replayed else {}
    )
    return JSONResponse(ticket.job, status_code=202, headers=headers)


def _refuse(record: JobRecord, who: Who) -> None:
    if record.kind != SendMailing.kind:
        raise Problem("not-found", f"there is no mailing {record.id}: this job is a {record.kind}")
    if not record.done:
        raise Problem("conflict", f"the mailing is {record.state}; wait until it is done, or cancel it")
    if all(artifact.name != TOLD_BY for artifact in record.artifacts):
        raise Problem("conflict", f"the mailing is {record.state} and does not say who got it ({TOLD_BY}): retry it instead")
    counts = record.json("result") or {}
    if counts and not any(counts.get(state) for state in (("failed", "canceled", "rendered") if who == "missed" else (who,))):
        raise Problem("conflict", f"of this mailing's recipients none is {who}: there is nobody to send to")


async def _again(desk: Desk, record: JobRecord, who: Who) -> dict[str, Any]:
    """The request of the new mailing."""
    asked: dict[str, Any] = json.loads(await jobs.request_of(desk, record))
    options = {name: value for name, value in asked.get("options", {}).items() if name not in ONCE_ONLY}
    labels = {**options.get("labels", {}), LABEL: record.id}
    return {**asked, "dry_run": False, "recipients": {"mailing": record.id, "who": who}, "options": {**options, "labels": labels}}
