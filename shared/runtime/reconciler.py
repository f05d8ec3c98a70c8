"""The reconciler: one level-triggered look a second, and the way out for doorbells where the broker is another server.

A thread of its own. The broker may hang for as long as its client is patient, and leases must be renewed meanwhile.
"""

import hashlib
import json
import threading
import time
from typing import Any

import structlog

from shared.bus import queues_of
from shared.errors import UnavailableError
from shared.ledger import calls, dead, hearing, ids
from shared.runtime import retention, ticking
from shared.runtime.ears import Canaries
from shared.runtime.intake import legible, plain
from shared.runtime.runtime import Runtime

log = structlog.get_logger()
BEAT = 0.25
LOOK_EVERY = 1.0
AT_ONCE = 500
BATCH = 100


class Reconciler(threading.Thread):
    """One per worker; the ledger's short lock sees to it that one at a time looks."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(name="reconciler", daemon=True)
        self._runtime = runtime
        self._stopping = threading.Event()
        self._looked = float("-inf")
        self._canaries = Canaries(runtime)
        self._broker_answers = True

    def run(self) -> None:
        """Look and deliver until told to stop; an unreachable ledger or broker is waited out."""
        while not self._stopping.wait(BEAT):
            try:
                self.turn()
            except UnavailableError as error:
                log.warning("look_missed", detail=str(error))
            except Exception:
                log.exception("look_failed")

    def stop(self) -> None:
        """End after the present turn; what is given back meanwhile, another worker publishes."""
        self._stopping.set()

    def turn(self) -> None:
        """Once: look where it is time, then publish what waits."""
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self.look()
        if not self._runtime.bus.rings_here and self._broker_answers:
            try:
                self.deliver()
            except UnavailableError as error:
                if error.what != "broker":
                    raise
                self._lost(error)

    def look(self) -> None:
        """Take back, expire, make due; ring again what the broker lost. A broker that does not answer is not asked to hold anything."""
        runtime = self._runtime
        depths = self._depths()
        budget = runtime.service.policy.retry.crash_budget
        look = runtime.ledger.run(calls.reconcile(runtime.worker, budget=budget, most=AT_ONCE, depths=depths))
        if look.rescued or look.expired or look.rung_again:
            log.warning("ledger_reconciled", rescued=look.rescued, expired=look.expired, rung_again=look.rung_again, due=look.due)
        if look.mended:
            log.error("ledger_mended", jobs=look.mended, why="a script of the ledger must have failed half-way; please report it")
        if look.mine:
            ticking.step(runtime)
            self._canaries.send(depths)
            retention.step(runtime)
        if depths:
            runtime.bus.fetch_dead(self._keep)

    def deliver(self) -> None:
        """Publish what the ledger's scripts could not. What the broker does not take goes back to the outbox."""
        runtime = self._runtime
        while waiting := runtime.ledger.run(calls.outbox(BATCH)):
            try:
                records = [runtime.ledger.run(calls.read(job_id)) for job_id in waiting]
                runtime.bus.ring(*(record for record in records if record is not None and not record.done))
            except UnavailableError:
                runtime.ledger.run(calls.unsent(waiting))
                raise

    def _depths(self) -> dict[str, int]:
        """Messages by queue; empty while the broker does not answer, and told once."""
        try:
            depths = self._runtime.bus.depths(queues_of(self._runtime.service.contract))
        except UnavailableError as error:
            self._lost(error)
            return {}
        if not self._broker_answers:
            log.info("broker_back")
        self._broker_answers = True
        return depths

    def _lost(self, error: UnavailableError) -> None:
        if self._broker_answers:
            log.warning("broker_lost", detail=str(error))
        self._broker_answers = False

    def _keep(self, message: Any) -> None:
        """The broker gave up on a message. A job that the ledger knows needs no message: if it waits, it is rung again."""
        headers = message.headers if isinstance(message.headers, dict) else {}
        job_id = str(headers.get("id", ""))
        if job_id == hearing.canary_id(self._runtime.service.name):
            return
        if job_id and self._runtime.ledger.run(calls.read(job_id)) is not None:
            log.info("doorbell_given_up_by_broker", job=job_id)
            return
        entry_id, entry = given_up(self._runtime.service.name, message, headers)
        self._runtime.ledger.run(dead.bury(entry_id, entry))
        log.error("message_buried", dead_letter=entry_id, detail=entry["error"]["detail"])


def given_up(service: str, message: Any, headers: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The dead letter of a message that the broker gave up on. Its id comes from the message: one that comes twice is one dead letter."""
    body = legible(message.body)
    received = {"headers": plain(headers), "content_type": message.content_type, "body": body}
    digest = hashlib.sha256(json.dumps([received, message.properties.get("message_id")], sort_keys=True).encode()).digest()
    deaths = headers.get("x-death")
    last = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    detail = f"the broker gave up on it: {last.get('reason', 'it did not say why')}, queue {last.get('queue', 'unknown')}"
    error = {"type": "rejected-by-broker", "title": "The broker gave up on the message", "detail": detail, "pointer": ""}
    entry = {"reason": "rejected_by_broker", "kind": str(headers.get("task", "")), "error": error, "message": received}
    return ids.of_digest(service, digest), entry
