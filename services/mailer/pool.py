"""Connections outlive a batch: this process keeps its event loop, and in it the connections that may carry more.

Nothing runs between two batches, so that a server that hung up meanwhile is noticed when the next one begins.
"""

import asyncio
import atexit
import time
from collections.abc import Coroutine
from typing import Any

import structlog
import uvloop

from services.mailer.breaker import Breaker
from services.mailer.connection import Connection
from services.mailer.settings import MailerSettings
from shared.errors import SettingsError, TransientError

log = structlog.get_logger()


class Pool:
    """Idle connections, the one used last on top, and what is known of the servers."""

    def __init__(self, settings: MailerSettings) -> None:
        """Nothing is opened yet."""
        self._settings = settings
        self._runner: asyncio.Runner | None = None
        self._idle: list[tuple[float, Connection]] = []
        self.breaker = Breaker(settings.relays)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in the loop. What it raises ends the loop, and the connections with it."""
        self._runner = self._runner or asyncio.Runner(loop_factory=uvloop.new_event_loop)
        try:
            self._runner.run(work)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop everything."""
        idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.drop()
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    async def take(self) -> Connection:
        """A connection that may carry a mail: an idle one, or a new one. Raises as `Connection.connect`."""
        while self._idle:
            since, connection = self._idle.pop()
            if connection.alive and time.monotonic() - since < self._settings.idle_close:
                connection.reused = True
                return connection
            connection.drop()
        relays = self.breaker.order()
        for number, relay in enumerate(relays, start=1):
            try:
                return await Connection.connect(relay, self._settings)
            except TransientError as error:
                self.breaker.failed(relay)
                if number == len(relays):
                    raise
                log.warning("mail_server_passed_over", host=relay.host, port=relay.port, reason=error.detail)
        raise SettingsError("MAILER_SMTP_URL names no mail server.")

    async def give(self, connection: Connection) -> None:
        """Keep it for the next batch, or end it politely where it has carried enough."""
        connection.reused = False
        if connection.alive and connection.carried < self._settings.messages_per_connection:
            self._idle.append((time.monotonic(), connection))
        else:
            await connection.close()


_pools: dict[MailerSettings, Pool] = {}


def pool_of(settings: MailerSettings) -> Pool:
    """This process's pool for these settings."""
    if settings not in _pools:
        close_all()
        _pools[settings] = Pool(settings)
    return _pools[settings]


@atexit.register
def close_all() -> None:
    """Drop every idle connection of this process."""
    while _pools:
        _pools.popitem()[1].close()
