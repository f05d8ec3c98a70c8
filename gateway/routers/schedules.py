"""/v1/schedules: recurring jobs of any kind, by cron in a time zone."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from gateway import schedules as desk_of
from gateway.access import Reader, Submitter
from gateway.bodies import read_json, validated
from gateway.openapi import header, json_body
from gateway.problems import Problem, invalid
from gateway.publisher import mismatch
from gateway.routers.schedule_shapes import SchedulePage, ScheduleShape
from gateway.routers.shapes import ERRORS, PROBLEM, JobShape
from gateway.routers.submit import HEADERS, TOLD, idempotency_key
from gateway.schedules import NewSchedule, ScheduleChange
from gateway.state import state_of
from shared.ledger import schedules
from shared.ledger.schedules import Schedule

router = APIRouter(prefix="/v1/schedules", tags=["schedules"])
Limit = Annotated[int, Query(ge=1, le=200)]
SHOWN: dict[int | str, dict[str, Any]] = {200: {"model": ScheduleShape, "description": "The schedule"}, **ERRORS}
IF_MATCH = {"parameters": [header("If-Match", "The `ETag` that was read: 412 where the schedule was changed since")]}
TRIES = 5
"""How often a change without If-Match is put on top of another one that came in between."""


@router.post(
    "",
    status_code=201,
    summary="Make a schedule",
    response_model=None,
    responses={
        201: {"model": ScheduleShape, "description": "The schedule"},
        409: PROBLEM,
        413: PROBLEM,
        415: PROBLEM,
        429: PROBLEM,
        **ERRORS,
    },
    openapi_extra=json_body(NewSchedule) | {"parameters": HEADERS[:1]},
)
async def make(request: Request, who: Submitter) -> JSONResponse:
    """The request is checked now, as a submission would be, and submitted at each run with the limits of this key."""
    state, body = state_of(request), await read_json(request)
    wanted = validated(NewSchedule, body)
    desk, what = await desk_of.defined(state.ledgers, state.uploads, wanted, who, queued=state.settings.max_queued)
    key = idempotency_key(request.headers.get("idempotency-key"))
    kept = (f"{who.tenant}:{key}", desk_of.digest(body)) if key else None
    new = schedules.new_id(desk.contract.name)
    answer = await desk.ledger.run(schedules.add(new, who.tenant, what, now=desk_of.now_ms(), idempotency=kept))
    match answer.word:
        case "mismatch":
            raise mismatch()
        case "quota":
            raise Problem(
                "quota-exceeded", f"there are {answer.detail} schedules of this tenant in {desk.contract.name}: delete some first"
            )
    made = await desk.ledger.run(schedules.read(answer.detail))
    if made is None:
        raise Problem("conflict", f"this idempotency key made the schedule {answer.detail}, which was deleted since")
    headers = {"Location": f"/v1/schedules/{made.id}"} | ({"Idempotent-Replayed": "true"} if answer.word == "replayed" else {})
    return _shown(made, status=201, headers=headers)


@router.get("", summary="List schedules", response_model=None, responses={200: {"model": SchedulePage}, **ERRORS})
async def list_schedules(
    request: Request,
    who: Reader,
    service: str | None = None,
    cursor: Annotated[str, Query(pattern=r"^[0-9A-HJKMNP-TV-Z]{0,26}$")] = "",
    limit: Limit = 50,
) -> JSONResponse:
    """The tenant's schedules, newest first."""
    ledgers = state_of(request).ledgers
    if service is not None and service not in ledgers.desks:
        raise invalid(f"there is no service {service[:40]!r}; there are {', '.join(ledgers.desks)}", "/query/service")
    services = [service] if service else list(ledgers.desks)
    found, following = await desk_of.page(ledgers, who, services, cursor=cursor, limit=limit)
    return JSONResponse({"items": [desk_of.view(each) for each in found], "next_cursor": following})


@router.get("/{schedule_id}", summary="Look at a schedule", response_model=None, responses=SHOWN)
async def look(request: Request, schedule_id: str, who: Reader) -> JSONResponse:
    """The schedule with the next five runs and what became of the last twenty."""
    _, found = await desk_of.find(state_of(request).ledgers, schedule_id, who)
    return _shown(found)


@router.patch(
    "/{schedule_id}",
    summary="Change, pause or resume a schedule",
    response_model=None,
    responses={**SHOWN, 412: PROBLEM, 413: PROBLEM, 415: PROBLEM},
    openapi_extra=json_body(ScheduleChange) | IF_MATCH,
)
async def change(request: Request, schedule_id: str, who: Submitter) -> JSONResponse:
    """What is given is changed. Its next run is the first one from now on: what a pause left out is not made up for."""
    state = state_of(request)
    asked, match = validated(ScheduleChange, await read_json(request)), request.headers.get("if-match")
    for _ in range(TRIES):
        desk, found = await desk_of.find(state.ledgers, schedule_id, who)
        _hold(found, match)
        wanted = desk_of.merged(found, asked)
        _, what = await desk_of.defined(state.ledgers, state.uploads, wanted, who, queued=state.settings.max_queued)
        answer = await desk.ledger.run(schedules.change(found, what, now=desk_of.now_ms()))
        if answer.word == "ok":
            _, found = await desk_of.find(state.ledgers, schedule_id, who)
            return _shown(found)
    raise Problem("conflict", "others change this schedule at the same time; try again")


@router.delete(
    "/{schedule_id}",
    status_code=204,
    summary="Delete a schedule",
    responses={412: PROBLEM, **ERRORS},
    openapi_extra=IF_MATCH,
)
async def delete(request: Request, schedule_id: str, who: Submitter) -> Response:
    """No further runs; the jobs that it made stay."""
    desk, found = await desk_of.find(state_of(request).ledgers, schedule_id, who)
    match = request.headers.get("if-match")
    _hold(found, match)
    answer = await desk.ledger.run(schedules.delete(schedule_id, who.tenant, str(found.version) if match else ""))
    if answer.word == "stale":
        raise _changed()
    if answer.word == "unknown":
        raise desk_of.missing(schedule_id)
    return Response(status_code=204)


@router.post(
    "/{schedule_id}/run",
    status_code=202,
    summary="Run a schedule now",
    response_model=None,
    responses={202: {"model": JobShape, "description": "The job", "headers": TOLD}, 409: PROBLEM, 429: PROBLEM, **ERRORS},
    openapi_extra={"parameters": HEADERS},
)
async def run_now(request: Request, schedule_id: str, who: Submitter) -> JSONResponse:
    """One job now, paused or not, with this key's limits; the runs to come stay as they are."""
    state = state_of(request)
    desk, found = await desk_of.find(state.ledgers, schedule_id, who)
    ticket = await state.publisher.run(desk, found, who, key=idempotency_key(request.headers.get("idempotency-key")))
    headers = {"Location": f"/v1/jobs/{ticket.job['id']}", "Retry-After": "1"} | (
        {"Idempotent-Replayed": "true"} if ticket.replayed else {}
    )
    return JSONResponse(ticket.job, status_code=202, headers=headers)


def _shown(schedule: Schedule, *, status: int = 200, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(desk_of.view(schedule), status_code=status, headers={"ETag": _etag(schedule), **(headers or {})})


def _etag(schedule: Schedule) -> str:
    """Of its definition: that it has run since is no reason to refuse a change."""
    return f'"{schedule.version}"'


def _hold(schedule: Schedule, match: str | None) -> None:
    if match is not None and match.strip() != "*" and _etag(schedule) not in [tag.strip() for tag in match.split(",")]:
        raise _changed()


def _changed() -> Problem:
    return Problem("precondition-failed", "the schedule was changed since you read it; read it again")
