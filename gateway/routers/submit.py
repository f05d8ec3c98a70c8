"""POST /v1/avatars, /v1/mailings, /v1/transcodes … : one route for each command that a contract offers to users.

The routes are made from the contracts: a new service takes no edit here. The handler reads the raw body, because FastAPI's own
body parsing costs as much as the whole accept.
"""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from gateway.bodies import is_json
from gateway.keys import authenticate
from gateway.lane import Endpoint
from gateway.openapi import header, told
from gateway.problems import Problem, invalid
from gateway.routers.shapes import PROBLEM, JobShape
from gateway.state import state_of
from shared.contracts.base import Command
from shared.contracts.registry import Contract

LONGEST_KEY = 255
HEADERS = [
    header("Idempotency-Key", "Quoted or bare. The same key and body within 24 h gives the same job.", maxLength=LONGEST_KEY),
    header("traceparent", "W3C trace context; the job's trace continues it."),
]
TOLD = told(Location="The job", Retry_After="Seconds until a look is worth it", Idempotent_Replayed="`true` where the key had made the job")


def routers(contracts: list[Contract]) -> APIRouter:
    """The submit routes of all contracts."""
    router = APIRouter()
    for contract in contracts:
        for command in contract.commands:
            if command.route is not None:
                _mount(router, contract, command)
    return router


def lane(contracts: Iterable[Contract]) -> dict[str, Endpoint]:
    """The same endpoints by path, for `gateway.lane`."""
    commands = (command for contract in contracts for command in contract.commands)
    return {f"/v1/{command.route}": _endpoint(command) for command in commands if command.route is not None}


def _mount(router: APIRouter, contract: Contract, command: type[Command]) -> None:
    body: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{command.__name__}"}}
    if command.examples:
        body["examples"] = {f"example {n}": {"value": dict(example)} for n, example in enumerate(command.examples, 1)}
    router.add_api_route(
        f"/v1/{command.route}",
        _endpoint(command),
        methods=["POST"],
        status_code=202,
        tags=[contract.name],
        summary=contract.title,
        description=command.__doc__ or "",
        response_model=None,
        responses={
            202: {"model": JobShape, "description": "The job", "headers": TOLD},
            **dict.fromkeys((401, 403, 409, 413, 415, 422, 429, 503), PROBLEM),
        },
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": body}},
            "parameters": HEADERS,
            "security": [{"ApiKey": []}],
        },
        operation_id=f"submit_{command.route}",
    )


def _endpoint(command: type[Command]) -> Endpoint:
    async def submit(request: Request) -> Response:
        state = state_of(request)
        who = await authenticate(request, "submit", state.keys)
        if not is_json(request.headers.get("content-type")):
            raise Problem("unsupported-media", "send the body as application/json")
        ticket = await state.publisher.submit(
            command, await request.body(), who, key=idempotency_key(request.headers.get("idempotency-key"))
        )
        headers = {"Location": f"/v1/jobs/{ticket.job['id']}", "Retry-After": "1"}
        if ticket.replayed:
            headers["Idempotent-Replayed"] = "true"
        return Response(to_json(ticket.job), status_code=202, headers=headers, media_type="application/json")

    return submit


def idempotency_key(header: str | None) -> str | None:
    """The key, without the quotes of a structured-field string (RFC 8941). Raises Problem 422 where it is empty or too long."""
    if header is None:
        return None
    quoted = len(header) > 1 and header[0] == header[-1] == '"'
    key = header[1:-1].replace('\\"', '"').replace("\\\\", "\\") if quoted else header.strip()
    if not key or len(key) > LONGEST_KEY:
        raise invalid(f"an idempotency key has 1 to {LONGEST_KEY} characters", "/header/idempotency-key")
    return key
