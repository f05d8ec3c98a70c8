"""Composes the gateway: problems, routers, one edge, one lane, and what they share. `uvicorn --factory gateway.app:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from gateway import handlers, openapi
from gateway.lane import Gateway
from gateway.routers import every_router, submit_lane, webhook_told
from gateway.settings import GatewaySettings
from gateway.state import opened
from shared.logging import configure
from shared.metrics_http import HttpMetrics


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what the application stands on, and close it."""
    async with opened(app.state.settings) as app.state.gateway:
        yield


def make_app(settings: GatewaySettings) -> FastAPI:
    """The application for `settings`; nothing is opened before its lifespan starts."""
    app = Gateway(settings, HttpMetrics(), submit_lane(), lifespan=lifespan, webhooks=webhook_told.router, **openapi.TITLES)
    handlers.install(app)
    for router in every_router():
        app.include_router(router)
    openapi.install(app)
    return app


def app() -> FastAPI:
    """The application for the environment's settings."""
    settings = GatewaySettings()
    configure("gateway", settings.log_level)  # structlog's default prints tracebacks with locals: keys in the log, seconds of CPU
    return make_app(settings)
