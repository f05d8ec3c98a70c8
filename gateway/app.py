"""Composes the gateway: middleware, problems, routers, and the state that they share. `uvicorn --factory gateway.app:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry

from gateway import handlers
from gateway.metrics import Requests
from gateway.middleware import EdgeMiddleware
from gateway.routers import health, keys, uploads
from gateway.settings import GatewaySettings
from gateway.state import opened

ROUTERS = (health.router, keys.router, uploads.router)


def make_app(settings: GatewaySettings, registry: CollectorRegistry = REGISTRY) -> FastAPI:
    """The application for `settings`; nothing is opened before its lifespan starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings) as app.state.gateway:
            yield

    app = FastAPI(title="Counterfoil", version="1", lifespan=lifespan, docs_url="/docs", redoc_url=None)
    handlers.install(app)
    app.add_middleware(EdgeMiddleware, max_body_bytes=settings.max_body_bytes, requests=Requests(registry), access_log=settings.access_log)
    for router in ROUTERS:
        app.include_router(router)
    return app


def app() -> FastAPI:
    """The application for the environment's settings."""
    return make_app(GatewaySettings())
