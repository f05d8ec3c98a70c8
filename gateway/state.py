"""What the gateway's process shares between requests, opened and closed by its lifespan."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import redis.asyncio
import redis.exceptions
import structlog
from starlette.requests import HTTPConnection

from gateway import upload_retention
from gateway.keys import Keys
from gateway.ledgers import Ledgers
from gateway.links import link_secret
from gateway.publisher import Publisher
from gateway.settings import GatewaySettings
from gateway.uploads import Uploads
from shared import telemetry
from shared.errors import UnavailableError
from shared.ledger.store import once_more
from shared.storage import Storage

log = structlog.get_logger()

SWEEP_EVERY = 600.0
"""Seconds between two looks for uploads that nobody finished."""


@dataclass(slots=True)
class GatewayState:
    """One per process. `redis` is the platform's (keys, links, limits); each service's ledger has a client of its own."""

    settings: GatewaySettings
    redis: redis.asyncio.Redis
    storage: Storage
    keys: Keys
    uploads: Uploads
    link_secret: bytes
    ledgers: Ledgers
    publisher: Publisher


def state_of(connection: HTTPConnection) -> GatewayState:
    """The state of the application that serves this request."""
    return cast("GatewayState", connection.scope["app"].state.gateway)


def connect(url: str) -> redis.asyncio.Redis:
    """An asyncio client that notices a dead server: a server that went away without a FIN must not hang a request."""
    client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
        url,
        socket_timeout=5.0,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        health_check_interval=15,
        max_connections=256,
        retry=once_more(),
    )
    return client


@asynccontextmanager
async def opened(settings: GatewaySettings) -> AsyncIterator[GatewayState]:
    """Everything connected, the first key written; raises UnavailableError where the ledger stays silent too long."""
    platform = settings.platform
    telemetry.setup("gateway", settings.home)
    client = connect(platform.redis_url)
    try:
        await _until_it_answers(client, settings.start_patience)
        storage = Storage.at(platform.storage_url)
        await asyncio.to_thread(storage.check)
        keys = Keys(client)
        await keys.bootstrap(settings.home / "api-key")
        uploads = Uploads.beside(storage, settings)
        ledgers = Ledgers(settings)
        sweeper = asyncio.create_task(_sweep(uploads, storage, ledgers, settings.upload_keep), name="sweep-uploads")
        try:
            publisher = Publisher(ledgers, uploads, max_queued=settings.max_queued)
            yield GatewayState(settings, client, storage, keys, uploads, await link_secret(client), ledgers, publisher)
            await ledgers.close()
        finally:
            sweeper.cancel()
            await asyncio.gather(sweeper, return_exceptions=True)
    finally:
        await client.aclose()
        await asyncio.to_thread(telemetry.shutdown)


async def _until_it_answers(client: redis.asyncio.Redis, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            await client.ping()
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
            if time.monotonic() >= deadline:
                raise UnavailableError("ledger", f"no answer within {patience:.0f} s; is COUNTERFOIL_REDIS_URL right?") from error
            await asyncio.sleep(0.2)
        else:
            return


async def _sweep(uploads: Uploads, storage: Storage, ledgers: Ledgers, keep: float) -> None:
    while True:
        try:
            await uploads.sweep()
            await upload_retention.sweep(storage, ledgers, keep=keep)
        except Exception:  # the sweep of the next round is the retry; a sweeper that died would fill the disk unnoticed
            log.exception("upload_sweep_failed")
        await asyncio.sleep(SWEEP_EVERY)
