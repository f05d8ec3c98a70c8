"""GET /v1/services: what there is to ask for, and how it fares."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from gateway import views
from gateway.access import Reader
from gateway.ledgers import Desk
from gateway.routers.shapes import ERRORS, ServiceList
from gateway.state import state_of
from shared.bus import need_of, queues_of
from shared.contracts.base import Command
from shared.errors import UnavailableError
from shared.ledger import calls, checks

router = APIRouter(prefix="/v1/services", tags=["services"])


@router.get("", summary="List the services", response_model=None, responses={200: {"model": ServiceList}, **ERRORS})
async def list_services(request: Request, _who: Reader) -> dict[str, Any]:
    """Every service: its commands with JSON Schema, its catalogue, queues, workers."""
    desks = state_of(request).ledgers.desks.values()
    return {"items": await asyncio.gather(*(_service(desk) for desk in desks))}


async def _service(desk: Desk) -> dict[str, Any]:
    name = desk.contract.name
    shown: dict[str, Any] = {
        "name": name,
        "title": desk.contract.title,
        "commands": [_command(command) for command in desk.contract.commands if command.route is not None],
    }
    try:
        stats = await desk.ledger.run(calls.stats(queues_of(desk.contract)))
        noted = await desk.ledger.run(checks.noted())
    except UnavailableError as error:  # one ledger that is down hides no other service
        return {**shown, "available": False, "detail": str(error)}
    states = stats["states"]
    return {
        **shown,
        "available": True,
        "catalogue": stats["catalogue"],
        "checks": [{"name": check.name, "ok": not check.problem, "detail": check.problem, "at": views.moment(check.at)} for check in noted],
        "limits": stats["limits"],
        "queues": [{"name": queue, "need": need_of(queue, desk.contract), **figures} for queue, figures in stats["queues"].items()],
        "running": states.get("running", 0) + states.get("canceling", 0),
        "retrying": states.get("retrying", 0),
        "dead_letters": stats["dead_letters"],
        "workers": [
            {**worker, "heartbeat_at": views.moment(worker["heartbeat_at"]), "started_at": views.moment(worker.get("started_at"))}
            for worker in stats["workers"]
        ],
    }


def _command(command: type[Command]) -> dict[str, Any]:
    return {
        "kind": command.kind,
        "route": f"/v1/{command.route}",
        "schema": command.model_json_schema(by_alias=True),
        "result_schema": command.result.model_json_schema(by_alias=True),
        "examples": [dict(example) for example in command.examples],
    }
