"""The services' ledgers and brokers, as the gateway reaches them; a job's id says which."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.feed import Feed
from gateway.postman import Postman
from gateway.problems import Problem
from gateway.settings import GatewaySettings
from shared.bus import Bus
from shared.contracts.registry import Contract, contracts
from shared.ledger import ids
from shared.ledger.store import AsyncLedger
from shared.storage import Storage


@dataclass(frozen=True, slots=True)
class Desk:
    """One service, seen from the gateway."""

    contract: Contract
    ledger: AsyncLedger
    bus: Bus
    postman: Postman
    feed: Feed
    storage: Storage


class Ledgers:
    """All services' desks, by name. Nothing is connected before it is used."""

    def __init__(self, settings: GatewaySettings, known: Mapping[str, Contract] | None = None) -> None:
        self.desks: dict[str, Desk] = {}
        for name, contract in (known or contracts()).items():
            own = settings.service(name)
            ledger = AsyncLedger(own.redis_url, name, rings_here=own.rings_in_ledger)
            bus = Bus(name, own, contract.needs)
            self.desks[name] = Desk(
                contract, ledger, bus, Postman(ledger, bus), Feed(own.redis_url, ledger.prefix), Storage.at(own.storage_url)
            )

    def of(self, job_id: str) -> Desk:
        """The desk of the service that `job_id` begins with. Raises Problem 404 where there is none."""
        desk = self.desks.get(ids.service_of(job_id))
        if desk is None:
            raise missing(job_id)
        return desk

    async def close(self) -> None:
        """Close the connections."""
        for desk in self.desks.values():
            await desk.postman.close()
            await desk.feed.close()
            await desk.ledger.close()


def missing(job_id: str) -> Problem:
    """No such job, or another tenant's: the same answer, so that ids cannot be probed."""
    return Problem("not-found", f"there is no job {job_id[:80]}")
