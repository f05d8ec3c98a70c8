"""The gateway with the probe's contract among its own: `uvicorn --factory tests.probe.gateway:app`."""

from fastapi import FastAPI

from shared.contracts import registry
from tests.probe.contract import CONTRACT


def app() -> FastAPI:
    """As `gateway.app.app`. The registry is told before the gateway is imported, for its modules keep the function."""
    known = {**registry.contracts(), CONTRACT.name: CONTRACT}
    registry.contracts = lambda: known  # type: ignore[assignment]  # a plain function in place of a cached one
    from gateway.app import app as make  # noqa: PLC0415 - see above

    return make()
