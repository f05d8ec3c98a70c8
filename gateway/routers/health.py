"""/livez: the process answers. /readyz: what it stands on answers. /metrics: how everything fares, for Prometheus."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from gateway.ledgers import Desk
from gateway.openapi import content
from gateway.problems import Problem
from gateway.routers.shapes import PROBLEM
from gateway.state import state_of
from shared.bus import queues_of
from shared.errors import UnavailableError
from shared.ledger import calls, deliveries
from shared.ledger.deliveries import Standing
from shared.metrics import ServiceSnapshot, exposition, families, ledger_up, webhook_families

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Is the process alive?")
async def livez() -> dict[str, str]:
    """200 as long as the event loop turns; asks nothing else, so that a dead ledger restarts no gateway."""
    return {"status": "alive"}


@router.get("/readyz", summary="Is everything there?", response_model=None, responses={503: PROBLEM})
async def readyz(request: Request) -> JSONResponse:
    """200 if every service's ledger and broker answers; else 503, which says what does not."""
    state = state_of(request)
    checks = dict(await asyncio.gather(*(_check(desk) for desk in state.ledgers.desks.values())))
    silent = sorted(f"{name}: {what}" for name, found in checks.items() for what, word in found.items() if word != "ok")
    if silent:
        raise Problem("unavailable", f"no answer from {', '.join(silent)}", extra={"checks": checks})
    return JSONResponse({"status": "ready", "checks": checks})


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_model=None,
    response_class=Response,
    responses={200: content("The figures", "text/plain", {"type": "string"})},
)
async def metrics(request: Request) -> Response:
    """Requests, and each service's queues, states, workers and event counts, read from its ledger now."""
    state = state_of(request)
    looks = await asyncio.gather(*(_snapshot(desk) for desk in state.ledgers.desks.values()))
    up = ledger_up({name: look is not None for name, look in zip(state.ledgers.desks, looks, strict=True)})
    answered = [look for look in looks if look is not None]
    hooks = webhook_families({shot.service: standing for shot, standing in answered})
    more = [*families(shot for shot, _ in answered), *hooks, up]
    body, media_type = exposition(request.app.state.metrics.registry, more, accept=request.headers.get("accept", ""))
    return Response(body, media_type=media_type)


async def _check(desk: Desk) -> tuple[str, dict[str, str]]:
    words = {"ledger": "ok", "broker": "ok"}
    try:
        async with asyncio.timeout(5):
            await desk.ledger.run(calls.outbox(0))  # a script that runs proves more than a PING: the server takes writes
    except (UnavailableError, TimeoutError):
        words["ledger"] = "no answer"
    if desk.bus.rings_here:
        words["broker"] = words["ledger"]
    else:
        try:
            await asyncio.to_thread(desk.bus.check)
        except UnavailableError:
            words["broker"] = "no answer"
    return desk.contract.name, words


async def _snapshot(desk: Desk) -> tuple[ServiceSnapshot, Standing] | None:
    try:
        stats, standing = await asyncio.gather(
            desk.ledger.run(calls.stats(queues_of(desk.contract))), desk.ledger.run(deliveries.standing())
        )
        return ServiceSnapshot.of(desk.contract.name, stats), standing
    except UnavailableError:
        return None  # counterfoil_ledger_up says so
