"""Who waits for news of a job is woken when the ledger tells of it: one subscription per ledger, however many wait.

News is a hint, never the truth: whoever is woken reads the ledger, and whoever is not reads it again after a few seconds.
"""

import asyncio
import contextlib

import redis.asyncio as aioredis
import structlog
from redis.exceptions import RedisError

log = structlog.get_logger()


class Feed:
    """Subscribes when the first one waits."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._channel = f"{prefix}feed"
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._listener: asyncio.Task[None] | None = None

    def watch(self, job_id: str) -> asyncio.Event:
        """Begin to listen. Read the ledger after this and before `heard`, and what happens in between is not missed."""
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen(), name=f"feed {self._channel}")
        event = asyncio.Event()
        self._waiting.setdefault(job_id, set()).add(event)
        return event

    @staticmethod
    async def heard(event: asyncio.Event, seconds: float) -> bool:
        """Wait for what `watch` gave, at most `seconds`; True if there was news."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        return True

    def drop(self, event: asyncio.Event, job_id: str) -> None:
        """Stop listening."""
        waiting = self._waiting.get(job_id)
        if waiting is not None:
            waiting.discard(event)
            if not waiting:
                del self._waiting[job_id]

    async def close(self) -> None:
        """End the subscription."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener

    async def _listen(self) -> None:
        while True:
            try:
                await self._subscribed()
            except (RedisError, OSError) as error:
                log.warning("feed_lost", channel=self._channel, detail=type(error).__name__)
                await asyncio.sleep(1.0)

    async def _subscribed(self) -> None:
        client = aioredis.Redis.from_url(self._url, decode_responses=True, socket_connect_timeout=5, socket_keepalive=True)
        async with client, client.pubsub() as subscription:
            await subscription.subscribe(self._channel)
            async for message in subscription.listen():
                if message["type"] == "message":
                    self._tell(str(message["data"]).partition(" ")[0])

    def _tell(self, job_id: str) -> None:
        for event in self._waiting.get(job_id, ()):
            event.set()
