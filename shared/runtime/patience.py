"""Waiting for a ledger that is being restarted: what must be said is said again until it answers."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from shared.errors import UnavailableError
from shared.ledger.calls import Call
from shared.runtime.runtime import Runtime

log = structlog.get_logger()
T = TypeVar("T")
PATIENCE = 60.0
"""Seconds to wait for a ledger that is being restarted before an outcome is given up and the job left to its rescue."""


def patiently(runtime: Runtime, call: Call[T], *, patience: float = PATIENCE, sleep: Callable[[float], None] = time.sleep) -> T:
    """Run a call, waiting out a ledger that is being restarted. Repeating is safe: every write carries token or nonce."""
    deadline, pause = time.monotonic() + patience, 0.1
    while True:
        try:
            return runtime.ledger.run(call)
        except UnavailableError as error:
            if time.monotonic() >= deadline:
                raise
            log.warning("ledger_awaited", detail=str(error))
            sleep(pause)
            pause = min(pause * 2, 2.0)
