"""The middleware around a small application, the settings, and the key file."""

import asyncio
import logging
import re
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI, Request
from prometheus_client import generate_latest
from starlette.responses import StreamingResponse

from gateway import handlers
from gateway.keyfile import kept_key
from gateway.middleware import ROUTE_KEY, EdgeMiddleware
from gateway.settings import GatewaySettings
from gateway.tus import checksum_of, filename_of, media_type_of, metadata_header, metadata_of
from shared.errors import SettingsError
from shared.metrics_http import HttpMetrics

METRICS = HttpMetrics()


def application() -> FastAPI:
    """Routes that fail in every way."""
    app = FastAPI()
    handlers.install(app)
    app.add_middleware(EdgeMiddleware, max_body_bytes=10, requests=METRICS, access_log=True)

    @app.get("/boom/{name}")
    async def boom(name: str) -> None:
        raise RuntimeError(f"secret {name}")

    @app.post("/echo")
    async def echo(request: Request) -> int:
        request.scope[ROUTE_KEY] = "/hand-made"
        return len(await request.body())

    @app.post("/parsed")
    async def parsed(body: dict[str, int]) -> dict[str, int]:
        return body

    twice = APIRouter(prefix="/included")

    @twice.get("/{name}")
    async def read(name: str) -> str:
        return name

    @twice.delete("/{name}")
    async def remove(name: str) -> str:
        return name

    app.include_router(twice)

    @app.get("/torn")
    async def torn() -> StreamingResponse:
        async def half() -> Any:
            yield b"half"
            raise RuntimeError("secret")

        return StreamingResponse(half())

    return app


def call(method: str, path: str, **kwargs: Any) -> httpx.Response:
    """One request through the whole application."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(application())
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **kwargs)

    return asyncio.run(send())


def test_a_crash_is_a_problem_that_tells_nothing() -> None:
    """500 with the trace id, which the log has too, together with what really happened."""
    with structlog.testing.capture_logs() as logs:
        response = call("GET", "/boom/x")

    body = response.json()

    assert (response.status_code, body["type"]) == (500, "https://counterfoil.dev/problems/internal")
    assert "secret" not in response.text
    assert [log["trace_id"] for log in logs if log["event"] == "request_failed"] == [body["trace_id"]]
    assert response.headers["x-content-type-options"] == "nosniff"


def test_half_an_answer_breaks_off() -> None:
    """Once bytes are out, a failure must break the connection, or the client would take the half for the whole."""
    with structlog.testing.capture_logs(), pytest.raises(RuntimeError):
        call("GET", "/torn")


@pytest.mark.parametrize("path", ["/echo", "/parsed"])
@pytest.mark.parametrize("content", [b'{"a": 12345}', [b'{"a": ', b"12345}"]])
def test_a_body_over_the_limit_is_413(path: str, content: Any) -> None:
    """Whether its length was declared or not, and whoever reads the body."""

    async def pieces() -> Any:
        for piece in content:
            yield piece

    response = call("POST", path, content=content if isinstance(content, bytes) else pieces(), headers={"Content-Type": "application/json"})

    assert (response.status_code, response.json()["title"]) == (413, "The body is too large")


def test_fastapis_own_validation_speaks_problem() -> None:
    """Its pointers lead into the body; another media type is 415; broken JSON is 422."""
    json_type = {"Content-Type": "application/json"}

    assert call("POST", "/parsed", json={"a": "x"}).json()["errors"][0]["pointer"] == "/a"
    assert call("POST", "/parsed", content=b"{", headers=json_type).status_code == 422
    assert call("POST", "/parsed", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415


def test_405_allows_what_every_route_at_the_path_has() -> None:
    """Two routes of one path are one resource (RFC 9110, 15.5.6)."""
    response = call("PUT", "/included/x")

    assert (response.status_code, response.headers["allow"]) == (405, "DELETE, GET")
    assert call("PUT", "/echo").headers["allow"] == "POST"


def test_metrics_have_templates_not_paths() -> None:
    """A path from outside never becomes a label; a hand-made route names itself."""
    for name in ("a", "b"):
        with structlog.testing.capture_logs():
            call("GET", f"/boom/{name}")
    call("POST", "/echo", content=b"x")
    call("GET", "/included/x")
    call("GET", "/wp-admin")
    text = generate_latest(METRICS.registry).decode()

    assert 'counterfoil_http_requests_total{method="GET",route="/boom/{name}",status="500"}' in text
    assert 'counterfoil_http_requests_total{method="POST",route="/hand-made",status="200"}' in text
    assert 'counterfoil_http_requests_total{method="GET",route="/included/{name}",status="200"}' in text
    assert 'route="unmatched",status="404"' in text
    assert "wp-admin" not in text


def test_the_access_log_has_one_line_a_request() -> None:
    """With route, status, time and trace; no query and no link's token, which would open what they sign."""
    with structlog.testing.capture_logs() as logs:
        response = call("POST", "/echo?signature=abc", content=b"x")
        call("GET", "/v1/signed/99.abc/job/a.png")

    line, signed = [log for log in logs if log["event"] == "request_served"]

    assert (line["route"], line["status"], line["trace_id"]) == ("/hand-made", 200, response.headers["x-trace-id"])
    assert "abc" not in str(line)
    assert signed["path"] == "/v1/signed/…/job/a.png"
    assert logging.getLevelNamesMapping()[line["log_level"].upper()] == logging.INFO


def test_a_service_may_have_a_ledger_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """AVATAR_REDIS_URL goes before COUNTERFOIL_REDIS_URL, its broker follows its own ledger, as in the service itself."""
    monkeypatch.setenv("COUNTERFOIL_REDIS_URL", "redis://platform:1/0")
    monkeypatch.setenv("AVATAR_REDIS_URL", "redis://avatar:2/0")
    settings = GatewaySettings()
    avatar, mailer = settings.service("avatar"), settings.service("mailer")

    assert (avatar.redis_url, avatar.broker_url, avatar.rings_in_ledger) == ("redis://avatar:2/0", "redis://avatar:2/0", True)
    assert (mailer.redis_url, mailer.broker_url) == ("redis://platform:1/0", "redis://platform:1/0")
    monkeypatch.setenv("COUNTERFOIL_BROKER_URL", "amqp://rabbit//")
    assert GatewaySettings().service("avatar").broker_url == "amqp://rabbit//"
    assert GatewaySettings().platform.storage_url == f"file://{GatewaySettings().home}/storage"
    assert settings.home.is_absolute()


KEY = re.compile(r"k_[0-9]+")


def test_the_key_file_is_made_once(tmp_path: Path) -> None:
    """0600, made by the first call, read by the second, mended where it was too open, refused where it is no key."""
    path = tmp_path / "home" / "api-key"

    assert kept_key(path, lambda: "k_1", KEY) == "k_1"
    assert kept_key(path, lambda: "k_2", KEY) == "k_1"
    path.chmod(0o644)
    kept_key(path, lambda: "k_3", KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["api-key"]
    path.write_text("")
    with pytest.raises(SettingsError):
        kept_key(path, lambda: "k_4", KEY)


def test_several_gateways_that_start_at_once_agree(tmp_path: Path) -> None:
    """One of them wins, all of them use its key."""
    for turn in range(20):
        path, together = tmp_path / f"key-{turn}", threading.Barrier(8)

        def start(number: int, path: Path = path, together: threading.Barrier = together) -> str:
            together.wait()
            return kept_key(path, lambda: f"k_{number}", KEY)

        with ThreadPoolExecutor(8) as pool:
            keys = set(pool.map(start, range(8)))

        assert len(keys) == 1


def test_tus_metadata_goes_round() -> None:
    """What HEAD gives back means what POST said; values may be empty."""
    metadata = metadata_of("filename w6kubXA0,empty,filetype dmlkZW8vbXA0")

    assert metadata == {"filename": "é.mp4", "empty": "", "filetype": "video/mp4"}
    assert metadata == metadata_of(metadata_header(metadata))
    assert (filename_of(metadata), media_type_of(metadata)) == ("é.mp4", "video/mp4")
    assert checksum_of(None) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("C:\\x\\y.txt", "y.txt"),
        ("../../etc/passwd", "passwd"),
        ("a\x00b\n.txt", "ab.txt"),
        ("..", None),
        ("", None),
        ("é" * 200, "é" * 127),
    ],
)
def test_a_file_name_is_made_harmless(given: str, expected: str | None) -> None:
    """No folder, no control character, no more than 255 bytes."""
    assert expected == filename_of({"filename": given})
