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
from gateway.problems import Problem, invalid
from gateway.routers.shapes import ERRORS, PROBLEM, JobShape
from gateway.routers.submit import HEADERS, TOLD, idempotency_key
from gateway.state import state_of
from shared.contracts.mailer import PreviewMailing, SendMailing, Who
from shared.contracts.mailer_preview import PreviewResult
from shared.ledger import retention
from shared.ledger.record import JobRecord

router = APIRouter(prefix="/v1/mailings", tags=["mailer"])
LABEL = "resend_of"
"""The label of a mailing that was made of another: its value is the other's id."""
PATIENCE = 20.0
"""Seconds that the answer waits for a preview."""
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


@router.post(
    "/preview",
    summary="See one mail of a mailing, without sending it",
    response_model=None,
    responses={
        200: {"model": PreviewResult, "description": "The mail"},
        202: {"model": JobShape, "description": "It takes longer than 20 s: the job whose result it will be"},
        **dict.fromkeys((409, 413, 415, 429), PROBLEM),
        **ERRORS,
    },
    openapi_extra=json_body(PreviewMailing),
)
async def preview(request: Request, who: Submitter) -> JSONResponse:
    """The body of a mailing, and whose mail is to be shown (`like`, else the first recipient's). With the preflight's findings."""
    state, body = state_of(request), await read_json(request)
    if isinstance(body, dict) and isinstance(options := body.setdefault("options", {}), dict):
        options.setdefault("priority", "high")
    ticket = await state.publisher.submit(PreviewMailing, json.dumps(body).encode(), who)
    desk, record = await jobs.find(state.ledgers, ticket.job["id"], who)
    record = await jobs.until_done(desk, record, PATIENCE)
    if not record.done:
        return JSONResponse(ticket.job, status_code=202, headers={"Location": f"/v1/jobs/{record.id}"})
    await desk.ledger.run(retention.delete(record.id, who.tenant))  # looked at once, by whoever asked
    result = record.json("result")
    if result is None:
        raise Problem("conflict", f"the preview {record.state}: {(record.json('error') or {}).get('detail', 'no reason was given')}")
    problem = result.pop("problem", None)
    if problem is not None:
        raise invalid(problem["detail"], problem["pointer"])
    return JSONResponse(result)


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
