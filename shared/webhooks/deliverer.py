"""Delivers one service's webhooks: takes what is due from its ledger, attempts it, says how it went.

Level-triggered like the reconciler: it remembers nothing that the ledger does not know. What it takes is under a lease, so that another
attempt follows however it dies, and it takes no more than it has slots for, so that a backlog stays where it is safe.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

import structlog

from shared import telemetry
from shared.errors import UnavailableError
from shared.ledger import deliveries
from shared.ledger.deliveries import Limits, Taken, Word
from shared.ledger.store import Ledger
from shared.webhooks import message, signing
from shared.webhooks.backoff import Backoff
from shared.webhooks.posting import Reach, Reply, Stopped, post
from shared.webhooks.secrets import Signers

log = structlog.get_logger()
LEASE = 15.0
RENEW_EVERY = 3.0
IDLE = 0.2
"""Seconds between two looks at a ledger that owes nothing."""
DOWN = 1.0
"""Seconds until another look at one that does not answer."""
GONE = 410
THROTTLES = frozenset({429, 502, 503, 504})
"""Answers whose `Retry-After` is meant for all that we send."""
LONGEST_HOLD = 3_600.0
"""Seconds for which a receiver may put off what has not been tried yet; what it refused waits for as long as it said."""


class Deliverer(threading.Thread):
    """One service's. `stop` ends it; what is under way then goes back to the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        signers: Signers,
        reach: Reach,
        *,
        slots: int = 32,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        public_url: str = "",
        lease: float = LEASE,
    ) -> None:
        super().__init__(name=f"webhooks {ledger.service}", daemon=True)
        self._ledger, self._signers, self._public_url = ledger, signers, public_url
        self._slots, self._limits, self._backoff = slots, limits or Limits(), backoff or Backoff()
        self._lease_ms = int(lease * 1000)
        self._renew_every = min(RENEW_EVERY, lease / 3)
        self._stopping = threading.Event()
        self._landed = threading.Event()
        self._reach = replace(reach, stopping=self._stopping.is_set)
        self._lock = threading.Lock()
        self._out: dict[str, int] = {}
        self._renewed = 0.0
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix=self.name)

    def run(self) -> None:
        """Look until told to stop; a ledger that does not answer is waited out."""
        while not self._stopping.is_set():
            try:
                pause = self.turn()
            except UnavailableError as error:
                log.warning("webhooks_look_missed", detail=str(error))
                pause = DOWN
            except Exception:
                log.exception("webhooks_look_failed")
                pause = DOWN
            self._landed.clear()
            if pause:
                self._landed.wait(pause)
        self._pool.shutdown(wait=True)

    def stop(self) -> None:
        """Take no more, and give back what is under way."""
        self._stopping.set()
        self._landed.set()

    def turn(self) -> float:
        """Once: renew, take, hand out. Answers how long to wait for the next one."""
        with self._lock:
            held = list(self._out.items())
        if held and time.monotonic() - self._renewed > self._renew_every:
            self._renewed = time.monotonic()
            self._ledger.run(deliveries.renew(held, lease_ms=self._lease_ms))
        free = self._slots - len(held)
        if free <= 0:
            return IDLE
        now, taken = self._ledger.run(deliveries.take(free, lease_ms=self._lease_ms, limits=self._limits))
        for delivery in taken:
            with self._lock:
                self._out[delivery.id] = delivery.number
            self._pool.submit(self._deliver, delivery, now / 1000)
        return IDLE

    def _deliver(self, delivery: Taken, now: float) -> None:
        try:
            self._attempt(delivery, now)
        except Exception:  # whatever it is: the lease runs out, and it is attempted again
            log.exception("webhook_attempt_broke", delivery=delivery.id)
        finally:
            with self._lock:
                if self._out.get(delivery.id) == delivery.number:
                    del self._out[delivery.id]
            self._landed.set()

    def _attempt(self, delivery: Taken, now: float) -> None:
        started, clock = time.time(), time.monotonic()
        body = message.body(delivery, self._public_url)
        try:
            signed = signing.headers(self._signers.of(delivery.tenant), delivery.id, int(started), body)
            reply = self._post(delivery, signed, body)
        except Stopped:
            self._end(delivery, "back", None)
            return
        except UnavailableError as error:
            log.warning("webhook_put_off", delivery=delivery.id, detail=str(error))
            self._end(delivery, "back", None, delay=DOWN)
            return
        seconds = round(time.monotonic() - clock, 3)
        noted: dict[str, object] = {"number": delivery.number, "at": int(started * 1000), "seconds": seconds, "status": reply.status}
        word, delay = self._word(delivery, reply, elapsed=now + seconds - delivery.since / 1000)
        noted["outcome"] = "delivered" if word == "delivered" else "failed"
        if word != "delivered":
            noted["reason"] = reply.reason
        hold = min(reply.retry_after or 0.0, LONGEST_HOLD) if reply.status in THROTTLES else 0.0
        self._end(delivery, word, {name: value for name, value in noted.items() if value is not None}, delay=delay, hold=hold)
        tell = {"delivered": log.info, "again": log.warning}.get(word, log.error)
        event = {"delivered": "webhook_delivered", "again": "webhook_attempt_failed"}.get(word, "webhook_given_up")
        told = {"job": delivery.job, "delivery": delivery.id, "host": urlsplit(delivery.url).hostname, "attempt": delivery.number}
        tell(event, **told, seconds=seconds, status=reply.status, **({} if reply.ok else {"reason": reply.reason}))

    def _post(self, delivery: Taken, signed: dict[str, str], body: bytes) -> Reply:
        host, told = urlsplit(delivery.url).hostname or "", str(delivery.event.type)
        with telemetry.delivery_span(delivery.id, told, host, attempt=delivery.number, carrier=delivery.trace) as span:
            trace = telemetry.carrier().get("traceparent")  # no more of it: baggage is not for strangers
            headers = {"Content-Type": message.MEDIA_TYPE, **signed, **({"traceparent": trace} if trace else {})}
            reply = post(delivery.url, headers, body, self._reach)
            if reply.status is not None:
                telemetry.responded(span, reply.status)
            return reply

    def _word(self, delivery: Taken, reply: Reply, *, elapsed: float) -> tuple[Word, float]:
        if reply.ok:
            return "delivered", 0.0
        if reply.status == GONE:
            return "gone", 0.0
        delay = self._backoff.following(delivery.tries + 1, elapsed, retry_after=reply.retry_after)
        return ("failed", 0.0) if delay is None else ("again", delay)

    def _end(self, delivery: Taken, word: Word, attempt: dict[str, object] | None, *, delay: float = 0.0, hold: float = 0.0) -> None:
        """Write it down, for as long as the lease lasts: after that, somebody else's attempt decides."""
        call = deliveries.ended(delivery, word, attempt, delay_ms=int(delay * 1000), hold_ms=int(hold * 1000))
        deadline = time.monotonic() + self._lease_ms / 1000
        while True:
            try:
                answer = self._ledger.run(call)
            except UnavailableError:
                if time.monotonic() > deadline or self._stopping.wait(DOWN):
                    raise
            else:
                if answer.word != "ok":
                    log.info("webhook_attempt_overtaken", delivery=delivery.id, why=answer.word)
                return
