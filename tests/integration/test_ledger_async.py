"""The gateway's ledger: calls that travel together, one after the other, through errors and restarts."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.errors import UnavailableError
from shared.ledger import calls
from shared.ledger.calls import Call
from shared.ledger.store import LARGEST_BATCH, AsyncLedger
from tests.servers import redis_server, running

PATIENCE = 20.0
BROKEN: Call[Any] = Call("events", ("x", "no number", 1), list)
"""Its script fails on the server."""


def with_ledger(url: str, use: Callable[[AsyncLedger], Awaitable[None]]) -> None:
    """Run `use` with a ledger; what hangs fails."""

    async def run() -> None:
        ledger = AsyncLedger(url, "async", rings_here=True)
        try:
            await asyncio.wait_for(use(ledger), PATIENCE)
        finally:
            await ledger.close()

    asyncio.run(run())


def test_a_call_right_after_a_reply_is_sent(redis_url: str) -> None:
    """Whoever is woken by a reply and calls again at once is not left waiting for somebody else's call."""

    async def use(ledger: AsyncLedger) -> None:
        for _ in range(20):
            assert await ledger.run(calls.outbox(0)) == []

    with_ledger(redis_url, use)


def test_many_callers_at_once_all_get_their_own_reply(redis_url: str) -> None:
    """More than a pipeline takes, several calls each."""

    async def caller(ledger: AsyncLedger, number: int) -> list[str]:
        found = []
        for step in range(3):
            key = f"caller {number}.{step}"
            assert (await ledger.run(calls.remember(key, "ab", key))).word == "remembered"
            found.append((await ledger.run(calls.remember(key, "ab", ""))).detail)
        return found

    async def use(ledger: AsyncLedger) -> None:
        callers = range(2 * LARGEST_BATCH)
        found = await asyncio.gather(*(caller(ledger, number) for number in callers))

        assert [[f"caller {number}.{step}" for step in range(3)] for number in callers] == found

    with_ledger(redis_url, use)


def test_a_failing_script_fails_its_caller_only(redis_url: str) -> None:
    """Also where the server does not know the script yet; the others of its pipeline and the next calls are answered."""

    async def use(ledger: AsyncLedger) -> None:
        for _ in range(2):
            await ledger.redis.script_flush()
            replies = await asyncio.gather(
                ledger.run(calls.outbox(0)), ledger.run(BROKEN), ledger.run(calls.outbox(0)), return_exceptions=True
            )

            assert [list, redis.ResponseError, list] == [type(reply) for reply in replies]
            with pytest.raises(redis.ResponseError):
                await ledger.run(BROKEN)
            assert await ledger.run(calls.outbox(0)) == []

    with_ledger(redis_url, use)


def test_a_restart_between_two_calls_goes_unnoticed(tmp_path: Path) -> None:
    """The idle connection is dead, the call is sent again on a fresh one; while the server is down callers are told so at once."""
    with running(redis_server(tmp_path / "redis")) as server:

        async def use(ledger: AsyncLedger) -> None:
            assert await ledger.run(calls.outbox(0)) == []
            await asyncio.to_thread(server.restart)
            assert await ledger.run(calls.outbox(0)) == []
            await asyncio.to_thread(server.stop)
            with pytest.raises(UnavailableError, match="async's ledger does not answer"):
                await ledger.run(calls.outbox(0))
            await asyncio.to_thread(server.start)
            assert await ledger.run(calls.outbox(0)) == []

        with_ledger(f"redis://127.0.0.1:{server.port}/0", use)
