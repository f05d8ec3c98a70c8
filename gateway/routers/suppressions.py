"""/v1/suppressions: whom the tenant's mailings leave out, and why; kept in the mailer's ledger, where its batches look."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway import views
from gateway.access import Operator, Reader, Submitter
from gateway.bodies import read_json, validated
from gateway.ledgers import Desk
from gateway.openapi import json_body
from gateway.problems import Problem, invalid
from gateway.routers.shapes import ERRORS, PROBLEM
from gateway.state import state_of
from shared.contracts.mailer import SUPPRESSIONS, Email, Suppression, SuppressionReason
from shared.ledger import registers
from shared.mailboxes import BadAddressError, folded, normalise

router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"])
PAGE = 500
LOOKED_AT = 5_000
"""Entries that one call goes through at most, where a reason is asked for that few have."""


class NewSuppressions(BaseModel):
    """Addresses that are not to be mailed; `note` is for people."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"addresses": ["ada@example.com"], "note": "asked by telephone"}]})

    addresses: Annotated[list[Email], Field(min_length=1, max_length=1_000)]
    reason: SuppressionReason = "manual"
    note: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


class SuppressionShape(BaseModel):
    """One address that is not mailed; `mailing` is the job that it came from."""

    address: str
    reason: SuppressionReason
    at: str
    mailing: str | None
    note: str | None


class SuppressionPage(BaseModel):
    """Some of them, in alphabetical order; pass `next_cursor` as `cursor` for more."""

    items: list[SuppressionShape]
    next_cursor: str | None


class AddedShape(BaseModel):
    """`added` were new; `known` were on the list, and keep their reason unless it was a weaker one."""

    added: int
    known: int


@router.get("", summary="List suppressed addresses", response_model=None, responses={200: {"model": SuppressionPage}, **ERRORS})
async def list_suppressions(
    request: Request,
    who: Reader,
    reason: SuppressionReason | None = None,
    cursor: Annotated[str, Query(max_length=300)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> JSONResponse:
    """In alphabetical order. A page may have fewer entries than `limit` and yet a `next_cursor`, where few have the `reason`."""
    desk, items, after, looked = _mailer(request), list[views.Json](), cursor, 0
    while len(items) < limit and looked < LOOKED_AT:
        most = PAGE if reason else limit
        found = await desk.ledger.run(registers.page(who.tenant, SUPPRESSIONS, after=after, most=most))
        for address, fact in found.items():
            after = address
            if reason in {None, fact["reason"]}:
                items.append(_shown(address, fact))
                if len(items) == limit:
                    break
        looked += len(found)
        if len(found) < most and len(items) < limit:
            return JSONResponse({"items": items, "next_cursor": None})
    return JSONResponse({"items": items, "next_cursor": after})


@router.post(
    "",
    summary="Suppress addresses",
    response_model=None,
    responses={200: {"model": AddedShape}, 413: PROBLEM, 415: PROBLEM, **ERRORS},
    openapi_extra=json_body(NewSuppressions),
)
async def suppress(request: Request, who: Submitter) -> JSONResponse:
    """No mailing of the tenant goes to these addresses from now on, not even the rest of one that is being sent."""
    wanted = validated(NewSuppressions, await read_json(request))
    keys = {_key(address, f"/addresses/{index}") for index, address in enumerate(wanted.addresses)}
    known = Suppression(reason=wanted.reason, at=int(time.time() * 1_000), note=wanted.note)
    facts = dict.fromkeys(keys, known.model_dump(exclude_defaults=True))
    added = await _mailer(request).ledger.run(registers.keep(who.tenant, SUPPRESSIONS, facts, over=known.over))
    return JSONResponse({"added": added, "known": len(keys) - added})


@router.get(
    "/{address:path}", summary="Is an address suppressed?", response_model=None, responses={200: {"model": SuppressionShape}, **ERRORS}
)
async def get_suppression(request: Request, address: str, who: Reader) -> JSONResponse:
    """The entry; 404 where the address may be mailed."""
    key = _key(address, "/path/address")
    found = await _mailer(request).ledger.run(registers.find(who.tenant, SUPPRESSIONS, [key]))
    if key not in found:
        raise _not_listed()
    return JSONResponse(_shown(key, found[key]))


@router.delete("/{address:path}", status_code=204, summary="Mail an address again", responses=ERRORS)
async def allow(request: Request, address: str, who: Operator) -> Response:
    """Off the list. Be sure that its owner wants it: mail to who complained costs the sender's name."""
    removed = await _mailer(request).ledger.run(registers.remove(who.tenant, SUPPRESSIONS, [_key(address, "/path/address")]))
    if not removed:
        raise _not_listed()
    return Response(status_code=204)


def _mailer(request: Request) -> Desk:
    desk = state_of(request).ledgers.desks.get("mailer")
    if desk is None:
        raise Problem("not-found", "this installation has no mailer")
    return desk


def _key(address: str, pointer: str) -> str:
    try:
        return folded(normalise(address))
    except BadAddressError as error:
        raise invalid(str(error), pointer) from error


def _not_listed() -> Problem:
    return Problem("not-found", "this address is not on the suppression list")


def _shown(address: str, fact: Any) -> views.Json:
    known = Suppression.model_validate(fact)
    told = {"mailing": known.mailing or None, "note": known.note or None}
    return {"address": address, "reason": known.reason, "at": views.moment(known.at), **told}
