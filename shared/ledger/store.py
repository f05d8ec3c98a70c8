"""Runs calls on a Redis or Valkey server: `Ledger` in workers, `AsyncLedger` in the gateway.

The async one coalesces: calls that are waiting when the connection is free travel in one pipeline. Measured: 3.9-4.1 times
the accepts of the tutorial's `.delay()`, where one round trip per accept gave 2.3-3.2 times.
"""

import asyncio
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import hiredis
import redis
import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError

from shared.errors import UnavailableError
from shared.ledger.calls import Call
from shared.ledger.posted import Posted

T = TypeVar("T")
CONNECTION: dict[str, Any] = {
    "decode_responses": True,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 15,
}
LARGEST_BATCH = 128


def once_more() -> Retry:
    """One more try on a fresh connection, for asyncio clients, whose default is none.

    After a restart of the server every idle connection is dead, and the first call on each would fail. The scripts take a call that is
    sent twice. Not after a timeout: that would double everybody's wait.
    """
    return Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))


@cache
def source(script: str) -> str:
    """A script's text, with what every script stands on in front of it, and what it asks for in its first line (`-- with forget`)."""
    folder = files("shared.ledger") / "scripts"
    own = (folder / f"{script}.lua").read_text()
    more = own.partition("\n")[0].removeprefix("-- with ").split() if own.startswith("-- with ") else []
    return "".join((folder / f"{name}.lua").read_text() for name in ("base", "turns", "lib", *more)) + own


@cache
def digest(script: str) -> str:
    """What EVALSHA knows the script by."""
    return hashlib.sha1(source(script).encode(), usedforsecurity=False).hexdigest()


class _Address:
    """What both ledgers share: whose it is, and how a call becomes a command."""

    def __init__(self, service: str, *, rings_here: bool) -> None:
        self.service = service
        self.prefix = f"cf:{{{service}}}:"
        self._rings = "1" if rings_here else "0"

    def command(self, call: Call[Any], *, by_digest: bool = True, now: int | None = None) -> tuple[Any, ...]:
        """EVALSHA (or EVAL, the first time) with the prefix as the only key; `now` None is the server's clock."""
        head = ("EVALSHA", digest(call.script)) if by_digest else ("EVAL", source(call.script))
        return (*head, 1, self.prefix, "" if now is None else now, self._rings, *call.args)


class Ledger(_Address):
    """Blocking; for workers. Safe to use after a fork: the connection pool notices the new process.

    Raises UnavailableError where the server does not answer.
    """

    def __init__(self, url: str, service: str, *, rings_here: bool) -> None:
        super().__init__(service, rings_here=rings_here)
        self.redis: redis.Redis = redis.Redis.from_url(url, **CONNECTION)

    def run(self, call: Call[T], *, now: int | None = None) -> T:
        """Run one call. `now` is for tests: it stands in for the server's clock."""
        try:
            try:
                reply = self._execute(*self.command(call, now=now))
            except NoScriptError:
                reply = self._execute(*self.command(call, by_digest=False, now=now))
        except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError) as error:
            raise UnavailableError("ledger", f"{self.service}'s ledger does not answer ({type(error).__name__})") from error
        return call.parse(reply)

    def post(self, call: Call[T]) -> Posted[T]:
        """Send a call, and see to the answer later (see `Posted`). Raises UnavailableError where it cannot be sent."""
        try:
            return Posted(self.redis.connection_pool, self.command(call), call)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise UnavailableError("ledger", f"{self.service}'s ledger does not answer ({type(error).__name__})") from error

    def _execute(self, *command: Any) -> Any:
        return self.redis.execute_command(*command)

    def close(self) -> None:
        """Close the connections."""
        self.redis.close()


class AsyncLedger(_Address):
    """For the gateway: concurrent calls share pipelines. Raises UnavailableError where the server does not answer."""

    def __init__(self, url: str, service: str, *, rings_here: bool) -> None:
        super().__init__(service, rings_here=rings_here)
        self.redis: aioredis.Redis = aioredis.Redis.from_url(url, retry=once_more(), **CONNECTION)
        self._waiting: list[tuple[Call[Any], asyncio.Future[Any]]] = []
        self._flusher: asyncio.Task[None] | None = None

    async def run(self, call: Call[T]) -> T:
        """Run one call, together with whatever else waits at this moment."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        return call.parse(await future)

    async def _flush(self) -> None:
        """Send what waits until nothing does; every caller gets a reply or an error.

        Nothing may be awaited between the last look at `_waiting` and the end: a caller that is woken by its reply and has another
        call at once would wait for a flusher that looks no more.
        """
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
                replies = await self._replies([call for call, _ in batch])
                for (_, future), reply in zip(batch, replies, strict=True):
                    if future.done():
                        continue
                    if isinstance(reply, Exception):
                        future.set_exception(reply)
                    else:
                        future.set_result(reply)
        finally:
            self._flusher = None

    async def _replies(self, calls: list[Call[Any]]) -> list[Any]:
        """A reply or an exception for each call. A connection that broke is replaced once: accept and the like may be repeated."""
        try:
            try:
                return await self._pipeline(calls)
            except redis.ConnectionError:
                return await self._pipeline(calls)
        except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError) as error:
            down = UnavailableError("ledger", f"{self.service}'s ledger does not answer ({type(error).__name__})")
            return [down] * len(calls)
        except Exception as error:  # noqa: BLE001 - it is each caller's to handle; swallowed here, they would wait for ever
            return [error] * len(calls)

    async def _pipeline(self, calls: list[Call[Any]]) -> list[Any]:
        """All commands in one write, all replies read after it.

        redis-py's own pipeline packs in Python, which took twice as long as everything that the server did.
        """
        packed = b"".join(hiredis.pack_command(self.command(call)) for call in calls)
        connection = await self.redis.connection_pool.get_connection()
        try:
            await connection.send_packed_command(packed)
            replies = [await _reply(connection) for _ in calls]
        except BaseException:
            await connection.disconnect(nowait=True)  # its unread replies would be taken for the next batch's
            raise
        finally:
            await self.redis.connection_pool.release(connection)
        for i, reply in enumerate(replies):
            if isinstance(reply, NoScriptError):
                replies[i] = await self._in_full(calls[i])
            elif isinstance(reply, redis.ConnectionError | redis.BusyLoadingError):
                replies[i] = UnavailableError("ledger", f"{self.service}'s ledger does not answer ({type(reply).__name__})")
        return replies

    async def _in_full(self, call: Call[Any]) -> Any:
        """Run a call whose script the server does not know yet; its error is its own, not that of the calls that travelled with it."""
        try:
            return await self.redis.execute_command(*self.command(call, by_digest=False))
        except redis.ResponseError as error:
            return error

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.aclose()


async def _reply(connection: Any) -> Any:
    """One reply; an error reply is returned, so that the others of its batch are read, too."""
    try:
        return await connection.read_response()
    except redis.ResponseError as error:
        return error
