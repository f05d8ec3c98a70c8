"""A ledger whose jobs have webhooks, and the deliverer that works it off, for tests."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared.addresses import networks
from shared.ledger import calls, deliveries, ids
from shared.ledger.calls import NewJob
from shared.ledger.deliveries import Delivery, Limits
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger
from shared.webhooks.backoff import Backoff
from shared.webhooks.deliverer import Deliverer
from shared.webhooks.posting import Reach
from shared.webhooks.secrets import Signers
from tests.servers import wait_until

SOON = Backoff((0.05,) * 6, window=3_600.0)
LOOPBACK = networks("127.0.0.0/8")


@dataclass
class Desk:
    """One service's ledger, with nobody else at it."""

    ledger: Ledger
    signers: Signers
    tenant: str = field(default_factory=lambda: f"t{time.time_ns()}")

    def job(self, url: str, *, tells: str = " succeeded ") -> str:
        """A job that tells this URL."""
        host = url.split("/")[2]
        webhook = {"webhook": url, "tells": tells, "receiver": host}
        job_id = ids.new(self.ledger.service)
        self.ledger.run(calls.accept(NewJob(job_id, "avatar.generate.v1", self.tenant, "hooked", "{}", bell="@TAG@", webhook=webhook)))
        return job_id

    def succeed(self, job_id: str, result: object = None) -> None:
        """End it well."""
        claimed = self.ledger.run(calls.claim(job_id, worker="w", pid=1, lease_ms=60_000, nonce=job_id))
        assert isinstance(claimed, JobRecord)
        self.ledger.run(calls.succeed(job_id, claimed.token, json.dumps({"ok": True} if result is None else result), "[]"))

    def done(self, url: str, result: object = None) -> str:
        """A job that has succeeded; its delivery's id."""
        job_id = self.job(url)
        self.succeed(job_id, result)
        return f"{job_id}:{self.ledger.run(calls.events(job_id)).last}"

    def look(self, delivery_id: str) -> Delivery:
        """The delivery as it is now."""
        found = self.ledger.run(deliveries.read(delivery_id, self.tenant))
        assert found is not None
        return found

    def until(self, delivery_id: str, true: Callable[[Delivery], bool]) -> Delivery:
        """The delivery once this is true of it."""
        wait_until(lambda: true(self.look(delivery_id)), f"{delivery_id}: {self.look(delivery_id)}")
        return self.look(delivery_id)

    @contextmanager
    def delivering(
        self,
        *,
        reach: Reach | None = None,
        slots: int = 8,
        limits: Limits | None = None,
        backoff: Backoff = SOON,
    ) -> Iterator[Deliverer]:
        """A deliverer at work; loopback addresses are allowed unless `reach` says otherwise."""
        one = Deliverer(self.ledger, self.signers, reach or Reach(LOOPBACK, 20.0), slots=slots, limits=limits, backoff=backoff)
        one.start()
        try:
            yield one
        finally:
            one.stop()
            one.join(10)
            assert not one.is_alive()
