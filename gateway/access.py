"""`Depends(requires("read"))`: authentication for routes that FastAPI serves, with the lock shown in its documentation."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.keys import Principal, Scope, authenticate
from gateway.state import state_of

# It only documents: with auto_error it would answer in its own words.
_bearer = HTTPBearer(auto_error=False, scheme_name="ApiKey", description="`Authorization: Bearer cf_…`, made by `counterfoil keys`")


def requires(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    """A dependency that gives the `Principal`, or raises Problem 401 or 403."""

    async def principal(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> Principal:
        return await authenticate(request, scope, state_of(request).keys)

    return principal


Reader = Annotated[Principal, Depends(requires("read"))]
Submitter = Annotated[Principal, Depends(requires("submit"))]
Operator = Annotated[Principal, Depends(requires("operate"))]
