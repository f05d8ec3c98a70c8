"""The trace id of the request at hand: of its span where one is recorded, of the caller's header, else made up."""

import os
from collections.abc import MutableMapping
from typing import Any

KEY = "counterfoil.trace_id"
"""Where the middleware keeps it in the ASGI scope, as 32 hex digits."""


def trace_id_of(scope: MutableMapping[str, Any]) -> str:
    """The request's trace id; the same one for the whole request, also without the middleware."""
    found: str | None = scope.get(KEY)
    if found is None:
        found = scope[KEY] = os.urandom(16).hex()
    return found
