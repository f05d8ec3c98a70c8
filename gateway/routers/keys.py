"""/v1/keys: make, list and revoke API keys."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.access import Operator
from gateway.bodies import read_json, validated
from gateway.keys import DEFAULT_TENANT, KeyInfo, Limits, Principal, Scope
from gateway.openapi import json_body
from gateway.problems import Problem
from gateway.routers.shapes import PROBLEM
from gateway.state import state_of

router = APIRouter(prefix="/v1/keys", tags=["keys"])

Tenant = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


class NewKey(BaseModel):
    """What a new key is to be; `tenant` is the caller's own where it is left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "shop", "scopes": ["submit", "read"]}]})

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1)]
    tenant: Tenant | None = None
    limits: Limits = Limits()


class MadeKey(KeyInfo):
    """The new key with its secret, which is shown this once."""

    key: str


class KeyList(BaseModel):
    """The keys, oldest first."""

    items: list[KeyInfo]


@router.post("", status_code=201, summary="Make a key", openapi_extra=json_body(NewKey))
async def make(request: Request, response: Response, principal: Operator) -> MadeKey:
    """Make a key for the caller's tenant; a key of the tenant `default` may name another."""
    wanted = validated(NewKey, await read_json(request))
    tenant = wanted.tenant or principal.tenant
    if principal.tenant not in {tenant, DEFAULT_TENANT}:
        raise Problem("forbidden", f"a key of the tenant {principal.tenant!r} makes keys for that tenant only")
    key, info = await state_of(request).keys.make(tenant, wanted.name, sorted(set(wanted.scopes)), wanted.limits)
    response.headers["Location"] = f"/v1/keys/{info.id}"
    return MadeKey(**info.model_dump(), key=key)


@router.get("", summary="List the keys")
async def list_keys(request: Request, principal: Operator) -> KeyList:
    """The caller's tenant's keys; to a key of the tenant `default`, everybody's. Secrets are not among it."""
    return KeyList(items=await state_of(request).keys.list(_seen_by(principal)))


@router.delete("/{key_id}", status_code=204, summary="Revoke a key", responses={404: PROBLEM})
async def revoke(request: Request, key_id: str, principal: Operator) -> None:
    """Revoke a key, within 3 seconds at every gateway. A key may revoke itself."""
    if not await state_of(request).keys.revoke(key_id, _seen_by(principal)):
        raise Problem("not-found", "there is no such key")


def _seen_by(principal: Principal) -> str | None:
    return None if principal.tenant == DEFAULT_TENANT else principal.tenant
