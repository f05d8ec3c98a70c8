"""Composes the gateway: middleware, problems, routers, and the state that they share. `uvicorn --factory gateway.app:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from gateway import handlers, openapi
from gateway.middleware import EdgeMiddleware
from gateway.routers import every_router
from gateway.settings import GatewaySettings
from gateway.state import opened
from shared.metrics_http import HttpMetrics


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what the application stands on, and close it."""
    async with opened(app.state.settings) as app.state.gateway:
        yield


def make_app(settings: GatewaySettings) -> FastAPI:
    """The application for `settings`; nothing is opened before its lifespan starts."""
    app = FastAPI(title="Counterfoil", version="1", description=openapi.DESCRIPTION, lifespan=lifespan, docs_url="/docs", redoc_url=None)
    app.state.settings, app.state.metrics = settings, HttpMetrics()
    handlers.install(app)
    app.add_middleware(EdgeMiddleware, max_body_bytes=settings.max_body_bytes, requests=app.state.metrics, access_log=settings.access_log)
    for router in every_router():
        app.include_router(router)
    openapi.install(app)
    return app


def app() -> FastAPI:
    """The application for the environment's settings."""
    return make_app(GatewaySettings())
