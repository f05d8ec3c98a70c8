"""/v1/jobs: look, list, cancel, retry, delete, trace."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from gateway import jobs, views
from gateway.access import Operator, Reader, Submitter
from gateway.keys import Principal
from gateway.ledgers import missing
from gateway.openapi import header
from gateway.problems import Problem, invalid
from gateway.redrives import redrive
from gateway.routers.shapes import ERRORS, PROBLEM, JobPage, JobShape, TraceShape
from gateway.state import state_of
from shared.contracts.states import State
from shared.ledger import calls, precedence, retention
from shared.ledger.calls import Answer, Call
from shared.storage import job_folder
from shared.telemetry import trace_id_of
from shared.traces import read_trace

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
Limit = Annotated[int, Query(ge=1, le=200)]
ANSWERS: dict[int | str, dict[str, Any]] = {200: {"model": JobShape, "description": "The job"}, **ERRORS}
TAKEN: dict[int | str, dict[str, Any]] = {202: {"model": JobShape, "description": "The job"}, 409: PROBLEM, **ERRORS}


@router.get("", summary="List jobs", response_model=None, responses={200: {"model": JobPage}, **ERRORS})
async def list_jobs(
    request: Request,
    who: Reader,
    service: str | None = None,
    state: State | None = None,
    label: Annotated[list[str] | None, Query(description="k:v; repeat for more, all must match")] = None,
    cursor: Annotated[str, Query(pattern=r"^[0-9A-HJKMNP-TV-Z]{0,26}$")] = "",
    limit: Limit = 50,
) -> JSONResponse:
    """The tenant's jobs, newest first."""
    ledgers = state_of(request).ledgers
    if service is not None and service not in ledgers.desks:
        raise invalid(f"there is no service {service[:40]!r}; there are {', '.join(ledgers.desks)}", "/query/service")
    labels = tuple(_label(text) for text in label or ())
    wanted = jobs.Wanted((service,) if service else tuple(ledgers.desks), state or "", labels)
    found, following = await jobs.page(ledgers, who, wanted, cursor=cursor, limit=limit)
    return JSONResponse({"items": [views.job(record) for record in found], "next_cursor": following})


@router.get(
    "/{job_id}",
    summary="Look at a job",
    response_model=None,
    responses=ANSWERS,
    openapi_extra={"parameters": [header("Prefer", "RFC 7240: `wait=20` waits up to 20 seconds for the job to be done")]},
)
async def get_job(request: Request, job_id: str, who: Reader) -> JSONResponse:
    """The job; with `Prefer: wait=20` the answer waits until it is done or the time is over."""
    state = state_of(request)
    desk, record = await jobs.find(state.ledgers, job_id, who)
    headers: dict[str, str] = {}
    if wait := jobs.wait_of(request.headers.get("prefer")):
        record = await jobs.until_done(desk, record, wait)
        headers["Preference-Applied"] = f"wait={wait:.0f}"
    if not record.done:
        headers["Retry-After"] = "1"
    return JSONResponse(views.job(record, secret=state.link_secret, link_seconds=state.settings.link_lifetime), headers=headers)


@router.post("/{job_id}/cancel", status_code=202, summary="Cancel a job", response_model=None, responses=TAKEN)
async def cancel(request: Request, job_id: str, who: Submitter) -> JSONResponse:
    """Ask for a cancel; asking again is harmless. 409 once the job is done."""
    desk = state_of(request).ledgers.of(job_id)
    answer = await desk.ledger.run(calls.cancel(job_id, who.tenant))
    if answer.word == "unknown":
        raise missing(job_id)
    if answer.word == "done":
        raise Problem("conflict", f"the job is {answer.detail} already; there is nothing to cancel")
    _, record = await jobs.find(state_of(request).ledgers, job_id, who)
    return JSONResponse(views.job(record), status_code=202)


@router.post("/{job_id}/pause", status_code=202, summary="Pause a job", response_model=None, responses=TAKEN)
async def pause(request: Request, job_id: str, who: Submitter) -> JSONResponse:
    """Nothing of it begins until it is resumed, its children included; a mailing stops within about a second. 409 once it is done."""
    return await _halt(request, job_id, who, precedence.pause(job_id, who.tenant), "there is nothing to pause")


@router.post("/{job_id}/resume", status_code=202, summary="Resume a job", response_model=None, responses=TAKEN)
async def resume(request: Request, job_id: str, who: Submitter) -> JSONResponse:
    """It goes on where it was; harmless where it was not paused. 409 once it is done."""
    return await _halt(request, job_id, who, precedence.resume(job_id, who.tenant), "there is nothing to resume")


async def _halt(request: Request, job_id: str, who: Principal, call: Call[Answer], otherwise: str) -> JSONResponse:
    ledgers = state_of(request).ledgers
    answer = await ledgers.of(job_id).ledger.run(call)
    if answer.word == "unknown":
        raise missing(job_id)
    if answer.word == "done":
        raise Problem("conflict", f"the job is {answer.detail} already; {otherwise}")
    _, record = await jobs.find(ledgers, job_id, who)
    return JSONResponse(views.job(record), status_code=202)


@router.post("/{job_id}/retry", status_code=202, summary="Retry a job", response_model=None, responses=TAKEN)
async def retry(request: Request, job_id: str, who: Submitter) -> JSONResponse:
    """A failed, canceled or expired job gets a new epoch, with the request it had."""
    desk, record = await jobs.find(state_of(request).ledgers, job_id, who)
    return JSONResponse(views.job(await redrive(desk, record)), status_code=202)


@router.delete("/{job_id}", status_code=204, summary="Delete a job", responses={409: PROBLEM, **ERRORS})
async def delete(request: Request, job_id: str, who: Operator) -> Response:
    """Forget a done job: record, events, children, artifacts."""
    desk, record = await jobs.find(state_of(request).ledgers, job_id, who)
    answer = await desk.ledger.run(retention.delete(job_id, who.tenant))
    if answer.word == "conflict":
        raise Problem("conflict", f"the job is {answer.detail}; cancel it first, or wait until it is done")
    await asyncio.to_thread(desk.storage.delete_prefix, job_folder(record.id))
    return Response(status_code=204)


@router.get("/{job_id}/trace", summary="A job's trace", response_model=None, responses={200: {"model": TraceShape}, **ERRORS})
async def trace(request: Request, job_id: str, who: Reader) -> dict[str, Any]:
    """The spans of the job's trace that were recorded on this machine, oldest first; elsewhere the collector has them."""
    state = state_of(request)
    _, record = await jobs.find(state.ledgers, job_id, who)
    trace_id = trace_id_of(record.carrier)
    spans = await asyncio.to_thread(read_trace, state.settings.home, trace_id) if trace_id else []
    where = state.settings.trace_url.replace("{trace_id}", trace_id or "") or None
    return {"trace_id": trace_id, "url": where, "spans": [asdict(span) for span in spans]}


def _label(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name:
        raise invalid("a label filter reads key:value", "/query/label")
    return name, value
