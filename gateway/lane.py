"""The gateway's application: FastAPI, with one layer of ours around it and a lane of its own for submissions.

Measured with py-spy at 32 connections: FastAPI's and Starlette's stack, routing and dependency solving took half of a submit's
CPU time, for a handler that takes the raw request anyway. The submit routes are mounted like all others, so that OpenAPI, 405s
and tests see them; a plain POST to one of them goes to its endpoint directly.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.middleware import ROUTE_KEY, EdgeMiddleware
from gateway.settings import GatewaySettings
from shared.metrics_http import HttpMetrics

Endpoint = Callable[[Request], Awaitable[Response]]


class Lane:
    """Hands a POST to one of `endpoints` (by exact path) to it, and everything else on."""

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Endpoint]) -> None:
        self._app = app
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        scope[ROUTE_KEY] = scope["path"]
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


class Gateway(FastAPI):
    """FastAPI with the edge outermost, also around FastAPI's own error layers, and `lane`: submit endpoints by path."""

    def __init__(self, settings: GatewaySettings, metrics: HttpMetrics, lane: Mapping[str, Endpoint], **kwargs: Any) -> None:
        # A redirect's Location would be made of whatever Host the client sent.
        super().__init__(docs_url="/docs", redoc_url=None, redirect_slashes=False, **kwargs)
        self.state.settings, self.state.metrics = settings, metrics
        self._lane = lane

    def build_middleware_stack(self) -> ASGIApp:
        """The layers, outermost first: edge, lane, FastAPI's."""
        settings: GatewaySettings = self.state.settings
        stack = super().build_middleware_stack()
        if isinstance(stack, ServerErrorMiddleware):  # it would answer in its own words before the edge, which is the last resort
            stack = stack.app
        inner = Lane(stack, self._lane)
        return EdgeMiddleware(inner, max_body_bytes=settings.max_body_bytes, requests=self.state.metrics, access_log=settings.access_log)
