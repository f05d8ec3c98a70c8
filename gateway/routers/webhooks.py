"""/v1/webhooks: what became of the webhooks that jobs' options asked for, and the secrets that they are signed with."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from gateway import webhooks
from gateway.access import Operator, Reader, Submitter
from gateway.bodies import read_json, validated
from gateway.openapi import json_body
from gateway.problems import Problem, invalid
from gateway.routers.shapes import ERRORS, PROBLEM
from gateway.routers.webhook_shapes import DeliveryPage, MadeSecret, NewSecret, SecretList, WholeDeliveryShape
from gateway.state import state_of
from shared.ledger import deliveries, ids

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
SHOWN: dict[int | str, dict[str, Any]] = {200: {"model": WholeDeliveryShape, "description": "The delivery"}, **ERRORS}
CURSOR = r"^([0-9]{1,15}-[a-z0-9]+_[0-9A-HJKMNP-TV-Z]{26}:[0-9]{1,15})?$"


@router.get("/deliveries", summary="List deliveries", response_model=None, responses={200: {"model": DeliveryPage}, **ERRORS})
async def list_deliveries(
    request: Request,
    who: Reader,
    job: Annotated[str, Query(max_length=80)] = "",
    state: Literal["pending", "delivered", "failed"] | None = None,
    service: str | None = None,
    cursor: Annotated[str, Query(pattern=CURSOR)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """The tenant's deliveries, newest first. They are kept for as long as their jobs."""
    ledgers = state_of(request).ledgers
    if service is not None and service not in ledgers.desks:
        raise invalid(f"there is no service {service[:40]!r}; there are {', '.join(ledgers.desks)}", "/query/service")
    services = [service] if service else list(ledgers.desks)
    wanted = webhooks.Wanted(tuple(name for name in services if not job or name == ids.service_of(job)), state or "", job)
    found, following = await webhooks.page(ledgers, who, wanted, cursor=cursor, limit=limit)
    return JSONResponse({"items": [webhooks.view(each) for each in found], "next_cursor": following})


@router.get("/deliveries/{delivery_id}", summary="Look at a delivery", response_model=None, responses=SHOWN)
async def look(request: Request, delivery_id: str, who: Reader) -> JSONResponse:
    """The delivery with its attempts."""
    _, found = await webhooks.find(state_of(request).ledgers, delivery_id, who)
    return JSONResponse(webhooks.view(found, whole=True))


@router.post(
    "/deliveries/{delivery_id}/resend",
    status_code=202,
    summary="Send it again",
    response_model=None,
    responses={202: {"model": WholeDeliveryShape, "description": "The delivery"}, **ERRORS},
)
async def resend(request: Request, delivery_id: str, who: Submitter) -> JSONResponse:
    """Due now, whatever became of it, with a day of tries before it. The same `webhook-id`: a receiver that has it may ignore it."""
    ledgers = state_of(request).ledgers
    desk, _ = await webhooks.find(ledgers, delivery_id, who)
    answer = await desk.ledger.run(deliveries.again(delivery_id, who.tenant))
    if answer.word == "unknown":
        raise webhooks.missing(delivery_id)
    _, found = await webhooks.find(ledgers, delivery_id, who)
    return JSONResponse(webhooks.view(found, whole=True), status_code=202)


@router.post(
    "/secrets",
    status_code=201,
    summary="Make a signing secret",
    response_model=None,
    responses={201: {"model": MadeSecret, "description": "The secret"}, 409: PROBLEM, 415: PROBLEM, **ERRORS},
    openapi_extra=json_body(NewSecret, required=False),
)
async def make_secret(request: Request, who: Operator) -> JSONResponse:
    """Shown this once. All webhooks of the tenant are signed with it within seconds, and for a while with those before it, too."""
    wanted = validated(NewSecret, await read_json(request, empty={}))
    made = await webhooks.make_secret(state_of(request).redis, who.tenant, overlap=wanted.others_expire_in)
    return JSONResponse({**webhooks.secret_view(made), "secret": made.secret}, status_code=201, headers={"Cache-Control": "no-store"})


@router.get("/secrets", summary="List the signing secrets", response_model=None, responses={200: {"model": SecretList}, **ERRORS})
async def list_secrets(request: Request, who: Operator) -> JSONResponse:
    """Which there are, and until when; not the secrets themselves. A tenant without one gets its first with its first delivery."""
    found = await webhooks.secrets_of(state_of(request).redis, who.tenant)
    return JSONResponse({"items": [webhooks.secret_view(secret) for secret in found]})


@router.delete("/secrets/{secret_id}", status_code=204, summary="Drop a signing secret", responses=ERRORS)
async def drop_secret(request: Request, secret_id: str, who: Operator) -> Response:
    """Nothing is signed with it any more, within seconds."""
    if not await webhooks.drop_secret(state_of(request).redis, who.tenant, secret_id):
        raise Problem("not-found", f"there is no secret {secret_id[:40]}")
    return Response(status_code=204)
