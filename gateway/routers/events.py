"""GET /v1/jobs/{id}/events: a job's numbered events, live by SSE or as a list; each one a CloudEvent 1.0."""

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from gateway import jobs
from gateway.access import Reader
from gateway.feed import Feed
from gateway.ledgers import Desk
from gateway.openapi import header
from gateway.problems import invalid
from gateway.routers.shapes import ERRORS, EventShape
from gateway.state import state_of
from shared.cloud_events import cloud_event
from shared.contracts.events import JobEvent
from shared.contracts.states import TERMINAL, State
from shared.ledger import calls
from shared.ledger.record import JobRecord

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
PING_EVERY = 10.0
READ_AGAIN = 5.0
PAGE = 500
HIGHEST = 2**53 - 1
"""Event numbers pass through Lua, whose numbers are doubles."""


@router.get(
    "/{job_id}/events",
    summary="A job's events",
    response_model=None,
    responses={
        200: {"model": list[EventShape], "content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "CloudEvents"},
        **ERRORS,
    },
    openapi_extra={"parameters": [header("Last-Event-ID", "Only events with higher numbers, as `after`", pattern="^[0-9]{1,15}$")]},
)
async def events(
    request: Request,
    job_id: str,
    who: Reader,
    after: Annotated[int, Query(ge=0, le=HIGHEST, description="only events with higher numbers")] = 0,
) -> Response:
    """With `Accept: text/event-stream` a live stream that resumes after `Last-Event-ID` and ends with the job; otherwise a list."""
    desk, record = await jobs.find(state_of(request).ledgers, job_id, who)
    after = max(after, _last_event_id(request.headers.get("last-event-id")))
    if "text/event-stream" in request.headers.get("accept", ""):
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_stream(desk, record, after), media_type="text/event-stream", headers=headers)
    return JSONResponse([cloud_event(record.id, record.kind, record.carrier, event) async for event in _history(desk, job_id, after)])


async def _history(desk: Desk, job_id: str, after: int) -> AsyncIterator[JobEvent]:
    while True:
        page = await desk.ledger.run(calls.events(job_id, after=after, most=PAGE))
        for event in page.events:
            yield event
        if len(page.events) < PAGE:
            return
        after = page.events[-1].seq


async def _stream(desk: Desk, record: JobRecord, after: int) -> AsyncIterator[bytes]:
    """Replays, then follows. It closes only after the terminal event of the *last* epoch: a redriven job has more to say."""
    pinged = time.monotonic()
    watch = desk.feed.watch(record.id)
    try:
        while True:
            page = await desk.ledger.run(calls.events(record.id, after=after, most=PAGE))
            for event in page.events:
                after = event.seq
                body = json.dumps(cloud_event(record.id, record.kind, record.carrier, event), ensure_ascii=False, separators=(",", ":"))
                yield f"id: {event.seq}\nevent: {event.type}\ndata: {body}\n\n".encode()
            if page.state == "" or (after >= page.last and State(page.state) in TERMINAL):
                return
            if page.events:
                continue
            heard = await Feed.heard(watch, READ_AGAIN)
            watch.clear()
            if not heard and time.monotonic() - pinged >= PING_EVERY - READ_AGAIN:
                pinged = time.monotonic()
                yield b": ping\n\n"
    finally:
        desk.feed.drop(watch, record.id)


def _last_event_id(header: str | None) -> int:
    if not header:
        return 0
    if not header.isascii() or not header.isdigit() or len(header) > len(str(HIGHEST)) - 1:
        raise invalid("Last-Event-ID is the number of an event", "/header/last-event-id")
    return int(header)
