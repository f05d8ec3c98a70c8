"""/v1/dead-letters: what failed for good, to be looked at, redriven (mended, if need be) or let go."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway import mending, views
from gateway.access import Operator
from gateway.bodies import read_json, validated
from gateway.keys import DEFAULT_TENANT, Principal
from gateway.ledgers import Desk, Ledgers
from gateway.openapi import json_body
from gateway.problems import Problem, invalid
from gateway.redrives import redrive
from gateway.routers.shapes import ERRORS, PROBLEM, DeadLetterPage, DeadLetterShape, JobShape, RedrivenShape
from gateway.state import state_of
from shared.ledger import dead
from shared.ledger.dead import DeadLetter
from shared.ledger.ids import SYSTEM_TENANT

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])
Place = tuple[int, str]
"""Where an entry stands among all services' entries: its time (ms) and id; many die in the same millisecond."""
PAGE = 100
AT_MOST = 1_000
"""Dead letters redriven by one call; a longer list takes more calls, so that none outlives its client's patience."""
PATIENCE = 20.0
"""Seconds after which a slow redrive of many answers with what it did; its caller goes on with another call."""


class Filter(BaseModel):
    """Which dead letters: those that match all that is given."""

    reason: str | None = None
    kind: str | None = None


class Redrive(BaseModel):
    """`request`: what to ask for instead of what failed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"request": {"seed": "ada", "size": 512}}]})

    request: dict[str, Any] | None = None


class RedriveMany(BaseModel):
    """Redrive the dead letters of a service that match `filter`; `dry_run` only counts them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"service": "mailer", "filter": {"reason": "exhausted"}, "dry_run": True}]})

    service: str
    filter: Filter = Filter()
    dry_run: bool = False
    max_per_second: Annotated[float, Field(ge=0.1, le=1_000)] = 50.0


@router.get("", summary="List dead letters", response_model=None, responses={200: {"model": DeadLetterPage}, **ERRORS})
async def list_dead_letters(
    request: Request,
    who: Operator,
    service: str | None = None,
    reason: str | None = None,
    kind: str | None = None,
    cursor: Annotated[str, Query(pattern=r"^([0-9]{1,15}\.[A-Za-z0-9_.]{1,80})?$")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """Newest first. A cursor is an entry, by time and id: entries that come in meanwhile do not shift the pages."""
    ledgers = state_of(request).ledgers
    desks = [_desk(ledgers, service)] if service else list(ledgers.desks.values())
    wanted, found = Filter(reason=reason, kind=kind), list[DeadLetter]()
    for desk in desks:
        mine: list[DeadLetter] = []
        async for entry in _matching(desk, who, wanted, before=_cursor(cursor)):
            mine.append(entry)
            if len(mine) > limit:
                break
        found += mine
    found.sort(key=_place, reverse=True)
    following = "{}.{}".format(*_place(found[limit - 1])) if len(found) > limit else None
    return JSONResponse({"items": [views.dead_letter(entry) for entry in found[:limit]], "next_cursor": following})


@router.get("/{entry_id}", summary="Look at a dead letter", response_model=None, responses={200: {"model": DeadLetterShape}, **ERRORS})
async def get_dead_letter(request: Request, entry_id: str, who: Operator) -> JSONResponse:
    """The message as received, the reason, the last error, the attempt log."""
    _, entry = await _find(state_of(request).ledgers, entry_id, who)
    return JSONResponse(views.dead_letter(entry))


@router.delete("/{entry_id}", status_code=204, summary="Let a dead letter go", responses=ERRORS)
async def discard(request: Request, entry_id: str, who: Operator) -> Response:
    """The entry goes; its job stays, failed."""
    desk, entry = await _find(state_of(request).ledgers, entry_id, who)
    await desk.ledger.run(dead.discard(entry.id))
    return Response(status_code=204)


@router.post(
    "/redrive",
    status_code=202,
    summary="Redrive many",
    response_model=None,
    responses={202: {"model": RedrivenShape}, 413: PROBLEM, 415: PROBLEM, **ERRORS},
    openapi_extra=json_body(RedriveMany),
)
async def redrive_many(request: Request, who: Operator) -> JSONResponse:
    """At most 1,000 or 20 s at a time, no faster than `max_per_second`: call again for the rest.

    Messages that never became a job are left out: mend them one by one.
    """
    wanted = validated(RedriveMany, await read_json(request))
    desk = _desk(state_of(request).ledgers, wanted.service, "/service")
    entries = [entry async for entry in _matching(desk, who, wanted.filter) if entry.job is not None]
    done: list[str] = []
    until = time.monotonic() + PATIENCE
    for entry in [] if wanted.dry_run else entries[:AT_MOST]:
        if (started := time.monotonic()) > until:
            break
        if entry.job is not None:
            try:
                done.append((await redrive(desk, entry.job)).id)
            except Problem as problem:
                if problem.slug not in {"conflict", "not-found"}:  # somebody else redrove or deleted it meanwhile
                    raise
        await asyncio.sleep(max(0.0, 1 / wanted.max_per_second - (time.monotonic() - started)))
    return JSONResponse({"matched": len(entries), "redriven": len(done), "dry_run": wanted.dry_run, "jobs": done}, status_code=202)


@router.post(
    "/{entry_id}/redrive",
    status_code=202,
    summary="Redrive a dead letter",
    response_model=None,
    responses={202: {"model": JobShape}, 409: PROBLEM, 413: PROBLEM, 415: PROBLEM, **ERRORS},
    openapi_extra=json_body(Redrive, required=False),
)
async def redrive_one(request: Request, entry_id: str, who: Operator) -> JSONResponse:
    """A new epoch for its job, as it was or with a mended `request`. A message that never became a job needs the mended one."""
    state = state_of(request)
    wanted = validated(Redrive, await read_json(request, empty={}))
    desk, entry = await _find(state.ledgers, entry_id, who)
    if entry.job is None:
        return JSONResponse(await mending.revive(state.publisher, desk, entry, wanted.request, who), status_code=202)
    mended = mending.mended(desk, entry.job, wanted.request) if wanted.request is not None else ""
    return JSONResponse(views.job(await redrive(desk, entry.job, request=mended)), status_code=202)


def _desk(ledgers: Ledgers, service: str, pointer: str = "/query/service") -> Desk:
    desk = ledgers.desks.get(service)
    if desk is None:
        raise invalid(f"there is no service {service[:40]!r}; there are {', '.join(ledgers.desks)}", pointer)
    return desk


def _place(entry: DeadLetter) -> Place:
    return entry.at, entry.id


def _cursor(text: str) -> Place | None:
    at, _, entry_id = text.partition(".")
    return (int(at), entry_id) if text else None


def _sees(who: Principal, entry: DeadLetter) -> bool:
    """A tenant sees its own; the installation's owner also what belongs to nobody (a message that did not say) and to the system."""
    return entry.tenant == who.tenant or (who.tenant == DEFAULT_TENANT and entry.tenant in {"", SYSTEM_TENANT})


async def _matching(desk: Desk, who: Principal, wanted: Filter, before: Place | None = None) -> AsyncIterator[DeadLetter]:
    start = 0
    while True:
        page = await desk.ledger.run(dead.page(start=start, most=PAGE))
        for entry in page:
            late_enough = before is None or _place(entry) < before
            if late_enough and _sees(who, entry) and wanted.reason in {None, entry.reason} and wanted.kind in {None, entry.kind}:
                yield entry
        if len(page) < PAGE:
            return
        start += PAGE


async def _find(ledgers: Ledgers, entry_id: str, who: Principal) -> tuple[Desk, DeadLetter]:
    desk = ledgers.of(entry_id)
    entry = await desk.ledger.run(dead.one(entry_id))
    if entry is None or not _sees(who, entry):
        raise Problem("not-found", f"there is no dead letter {entry_id[:80]}")
    return desk, entry
