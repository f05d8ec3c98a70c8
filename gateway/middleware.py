"""One pure-ASGI layer around everything: server span, size limit, last resort for errors, metrics, log, security headers.

One layer instead of six, because each costs every request a coroutine; `BaseHTTPMiddleware` would cost a task besides.
"""

import time
from collections.abc import Iterable
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.handlers import answer
from gateway.problems import Problem
from gateway.rates import KEY as RATE_KEY
from gateway.tracing import KEY, shown_path, trace_id_of
from shared.metrics_http import HttpMetrics
from shared.telemetry import current_trace_id, responded, server_span

log = structlog.get_logger()

ROUTE_KEY = "counterfoil.route"
"""A handler that FastAPI does not route may leave its route template here, for the metrics and the span."""

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
# Asked every second by machines; a span and a log line for each would drown the rest.
QUIET = frozenset({"/livez", "/readyz", "/metrics"})
UNMATCHED = "unmatched"


class EdgeMiddleware:
    """Wraps the application. `unlimited` are path prefixes that watch over the size of their bodies themselves."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_body_bytes: int,
        requests: HttpMetrics,
        access_log: bool = False,
        unlimited: Iterable[str] = ("/v1/uploads",),
    ) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.requests = requests
        self.access_log = access_log
        self.unlimited = tuple(unlimited)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"] in QUIET:
            await self._serve(scope, receive, send, None)
            return
        with server_span(scope["method"], "", scope["headers"]) as span:
            if found := current_trace_id():
                scope[KEY] = found
            await self._serve(scope, receive, send, span)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, span: Any) -> None:
        started, status = time.perf_counter(), 0
        trace_header = (b"x-trace-id", trace_id_of(scope).encode())

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = list(message.get("headers", ()))
                headers.append(trace_header)
                headers.extend(SECURITY_HEADERS)
                headers.extend(scope.get(RATE_KEY, ()))
            await send(message)

        try:
            try:
                await self.app(scope, self._limited(scope, receive), send_on)
            except ClientDisconnect:
                status = status or 499  # nginx's number for a client that went away
            except Exception as error:
                response = await answer(Request(scope), error)
                if status:  # half an answer is out: the connection must break, or the client would take it for whole
                    raise
                await response(scope, receive, send_on)
        finally:
            self._account(scope, status, time.perf_counter() - started, span)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        if scope["method"] in {"GET", "HEAD"} or scope["path"].startswith(self.unlimited):
            return receive
        limit, seen = self.max_body_bytes, 0
        declared = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)

        async def receive_on() -> Message:
            nonlocal seen
            if declared > limit:
                raise _too_large(limit)
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise _too_large(limit)
            return message

        return receive_on

    def _account(self, scope: Scope, status: int, seconds: float, span: Any) -> None:
        route = str(scope.get(ROUTE_KEY) or getattr(scope.get("route"), "path", UNMATCHED))
        self.requests.observe(scope["method"], route, status, seconds)
        if span is not None:
            responded(span, status, route if route != UNMATCHED else "")
            if self.access_log:
                log.info(
                    "request_served",
                    method=scope["method"],
                    path=shown_path(scope["path"]),
                    route=route,
                    status=status,
                    ms=round(seconds * 1_000, 1),
                    trace_id=trace_id_of(scope),
                )


def _too_large(limit: int) -> Problem:
    return Problem("payload-too-large", f"a body may have {limit} bytes; send larger things as an upload")
