"""What nobody foresaw is a problem, too, from the whole application as it is served."""

import asyncio
from pathlib import Path

import httpx
import pytest
import structlog

from gateway.app import make_app
from gateway.settings import GatewaySettings


@pytest.mark.parametrize(("method", "path"), [("GET", "/readyz"), ("POST", "/v1/avatars"), ("GET", "/v1/jobs")])
def test_a_bug_is_a_problem(method: str, path: str) -> None:
    """500 `internal`, in our words, by FastAPI's routes as by the lane; nothing reaches the server above."""

    async def ask() -> httpx.Response:
        app = make_app(GatewaySettings(home=Path("home")))  # its lifespan did not run: whatever needs the state fails
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, path, json={"seed": "ada"})

    with structlog.testing.capture_logs() as told:  # structlog's default prints the traceback with locals: seconds of CPU
        answer = asyncio.run(ask())

    assert (500, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert "https://counterfoil.dev/problems/internal" == answer.json()["type"]
    assert "state" not in answer.json()["detail"]
    assert ["error"] == [line["log_level"] for line in told]
