"""What a request is called in logs: its trace id (of its span, of the caller's header, else made up), and its path."""

import os
import re
from collections.abc import MutableMapping
from typing import Any

KEY = "counterfoil.trace_id"
"""Where the middleware keeps it in the ASGI scope, as 32 hex digits."""

_SIGNED = re.compile(r"(?<=/signed/)[^/]+|(?<=/unsubscribe/).+")


def trace_id_of(scope: MutableMapping[str, Any]) -> str:
    """The request's trace id; the same one for the whole request, also without the middleware."""
    found: str | None = scope.get(KEY)
    if found is None:
        found = scope[KEY] = os.urandom(16).hex()
    return found


def shown_path(path: str) -> str:
    """The path as a log may have it: whoever reads a signed link's token could use the link."""
    return _SIGNED.sub("…", path)
