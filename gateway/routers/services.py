"""GET /v1/services: what there is to ask for, and how it fares."""

import asyncio
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response

from gateway import views
from gateway.access import Reader
from gateway.compressed import json_answer
from gateway.ledgers import Desk
from gateway.openapi import content, header, told
from gateway.problems import Problem
from gateway.routers.shapes import ERRORS, ServiceList
from gateway.state import state_of
from shared.bus import need_of, queues_of
from shared.contracts.base import Command
from shared.errors import UnavailableError
from shared.ledger import calls, checks, deliveries

TOLD = told(ETag="A validator of what the service offers")

router = APIRouter(prefix="/v1/services", tags=["services"])


@router.get("", summary="List the services", response_model=None, responses={200: {"model": ServiceList}, **ERRORS})
async def list_services(request: Request, _who: Reader, *, details: bool = True) -> Response:
    """Every service: its commands with JSON Schema, its catalogue, queues, workers.

    `details=false` leaves out schemas, examples and catalogues, for whoever looks often: they are most of it, and change with a release.
    """
    desks = state_of(request).ledgers.desks.values()
    return await json_answer(request, {"items": await asyncio.gather(*(_service(desk, details=details) for desk in desks))})


@router.get(
    "/{service}/catalogue",
    summary="What a service offers",
    response_model=None,
    responses={
        200: content("The catalogue", "application/json", {"type": "object"}, headers=TOLD),
        304: {"description": "You have it"},
        **ERRORS,
    },
    openapi_extra={"parameters": [header("If-None-Match", "304 if this is the ETag")]},
)
async def show_catalogue(request: Request, service: str, _who: Reader) -> Response:
    """Styles, presets, formats, limits: as in the list of services, with an `ETag`."""
    desk = state_of(request).ledgers.desks.get(service)
    if desk is None:
        raise Problem("not-found", f"there is no service {service}")
    stats = await desk.ledger.run(calls.stats((), catalogue=True))
    return await json_answer(request, stats["catalogue"], cached=True)


async def _service(desk: Desk, *, details: bool) -> dict[str, Any]:
    name = desk.contract.name
    shown: dict[str, Any] = {
        "name": name,
        "title": desk.contract.title,
        "commands": [_command(command, details=details) for command in desk.contract.commands if command.route is not None],
        "links": {"catalogue": f"/v1/services/{name}/catalogue"},
    }
    try:
        stats = await desk.ledger.run(calls.stats(queues_of(desk.contract), catalogue=details))
        noted = await desk.ledger.run(checks.noted())
        hooks = await desk.ledger.run(deliveries.standing())
    except UnavailableError as error:  # one ledger that is down hides no other service
        return {**shown, "available": False, "detail": str(error)}
    states = stats["states"]
    return {
        **shown,
        "available": True,
        **({"catalogue": stats["catalogue"]} if details else {}),
        "checks": [{"name": check.name, "ok": not check.problem, "detail": check.problem, "at": views.moment(check.at)} for check in noted],
        "limits": stats["limits"],
        "queues": [{"name": queue, "need": need_of(queue, desk.contract), **figures} for queue, figures in stats["queues"].items()],
        "running": states.get("running", 0) + states.get("canceling", 0),
        "retrying": states.get("retrying", 0),
        "dead_letters": stats["dead_letters"],
        "webhooks": {
            "pending": hooks.pending,
            "under_way": hooks.out,
            "oldest_age": hooks.oldest_age,
            "receivers_failing": hooks.failing,
            "delivered": hooks.counts.get("delivered", 0),
            "failed": hooks.counts.get("failed", 0),
            "deliverer_age": hooks.heard,
        },
        "workers": [
            {**worker, "heartbeat_at": views.moment(worker["heartbeat_at"]), "started_at": views.moment(worker.get("started_at"))}
            for worker in stats["workers"]
        ],
    }


def _command(command: type[Command], *, details: bool) -> dict[str, Any]:
    return {"kind": command.kind, "route": f"/v1/{command.route}", **(_details(command) if details else {})}


@cache
def _details(command: type[Command]) -> dict[str, Any]:
    return {
        "schema": command.model_json_schema(by_alias=True),
        "result_schema": command.result.model_json_schema(by_alias=True),
        "examples": [dict(example) for example in command.examples],
    }
