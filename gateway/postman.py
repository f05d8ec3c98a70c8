"""Publishes doorbells where the broker is another server than the ledger, behind the answer's back.

A 202 means that the job is in the ledger (L1); its message may follow. So no submit waits for the broker, none fails with it, and
submissions that come together are published together. What this process leaves undone, the workers' reconcilers do.
"""

import asyncio
import time

import structlog

from shared.bus import Bus
from shared.errors import UnavailableError
from shared.ledger import calls
from shared.ledger.store import AsyncLedger

log = structlog.get_logger()
BATCH = 100
PAUSE = 2.0
"""Seconds for which a broker that did not answer is left alone."""


class Postman:
    """One per service. Drains the ledger's outbox as long as there is something in it."""

    def __init__(self, ledger: AsyncLedger, bus: Bus) -> None:
        self._ledger = ledger
        self._bus = bus
        self._round: asyncio.Task[None] | None = None
        self._again = False
        self._not_before = float("-inf")

    def call(self) -> None:
        """There is something in the outbox. Returns at once."""
        self._again = True
        if self._round is None and not self._bus.rings_here and time.monotonic() >= self._not_before:
            self._round = asyncio.create_task(self._deliver(), name="postman")

    async def close(self) -> None:
        """Let the present round end."""
        if self._round is not None:
            await asyncio.gather(self._round, return_exceptions=True)

    async def _deliver(self) -> None:
        try:
            while self._again:
                self._again = False
                while waiting := await self._ledger.run(calls.outbox(BATCH)):
                    await self._publish(waiting)
        except UnavailableError as error:
            self._not_before = time.monotonic() + PAUSE
            log.warning("doorbells_left_to_the_reconciler", detail=str(error))
        finally:
            self._round = None

    async def _publish(self, waiting: list[str]) -> None:
        records = await asyncio.gather(*(self._ledger.run(calls.read(job_id)) for job_id in waiting))
        try:
            await asyncio.to_thread(self._bus.ring, *(record for record in records if record is not None and not record.done))
        except UnavailableError:
            await self._ledger.run(calls.unsent(waiting))
            raise
