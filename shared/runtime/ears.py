"""What a worker hears, and the canaries that give it something to hear (`shared.ledger.hearing` judges).

Any message counts as heard, at the door of Celery's consumer: that is the part that goes deaf while the keeper's thread goes on
beating. A canary goes no further: no child sees it, no slot is taken.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from celery.worker.consumer import Consumer

from shared.bus import envelope_text, need_of
from shared.ledger import calls, canaries, hearing, ids

if TYPE_CHECKING:
    from shared.runtime.runtime import Runtime

LOOK = 1.0
"""Seconds between two looks of the reconciler, at which rounds are sent."""
OVERHEARD = 2.0
"""Rounds without a canary after which more are sent than there are listeners: two workers can fall into step, one of them always
taking both."""
MORE = 3
PAUSE = 5.0
"""Seconds between two reports after which this process was held up itself: its silence then begins anew."""


class Ears:
    """Of one worker. Written by the consumer, read by the keeper's beat."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, float] = {}
        self._free_since: float | None = None
        self._reported = clock()
        self.draining = False

    def listen(self, queues: Sequence[str]) -> None:
        """From now on these should be heard."""
        self._heard = dict.fromkeys(queues, self._clock())

    def heard(self, queue: str) -> None:
        """A message came from `queue`."""
        if queue in self._heard:
            self._heard[queue] = self._clock()

    def report(self, *, held: int, slots: int) -> dict[str, Any]:
        """For the heartbeat: seconds of silence by queue, for how long a slot has been free (None: none is), and whether it is leaving."""
        now = self._clock()
        if now - self._reported > PAUSE:
            self._heard = dict.fromkeys(self._heard, now)
            self._free_since = None
        self._reported = now
        if held >= slots:
            self._free_since = None
        elif self._free_since is None:
            self._free_since = now
        return {
            "silent": {queue: round(now - at, 1) for queue, at in self._heard.items()},
            "free_for": None if self._free_since is None else round(now - self._free_since, 1),
            "draining": self.draining,
        }


def listening(base: type[Consumer], runtime: "Runtime") -> type[Consumer]:
    """The consumer `base`, which notes what it hears and keeps canaries to itself."""
    canary = hearing.canary_id(runtime.service.name)

    class ListeningConsumer(base):  # type: ignore[misc]  # celery is untyped
        def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
            handle = super().create_task_handler(*args, **kwargs)

            def on_message(message: Any) -> None:
                runtime.ears.heard(str(message.delivery_info.get("routing_key", "")))
                if isinstance(message.headers, dict) and message.headers.get("id") == canary:
                    message.ack()
                else:
                    handle(message)

            return on_message

    return ListeningConsumer


class Canaries:
    """Sends the rounds of one service; for the worker that holds the reconciler's lock."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._sent = float("-inf")

    def send(self, depths: Mapping[str, int]) -> None:
        """A round, where it is time. `depths`: messages by queue, most urgent first, -1 where the ledger counts."""
        runtime, now = self._runtime, time.monotonic()
        every = runtime.service.policy.canary_every
        if not every or not depths or now - self._sent < every - LOOK / 2:  # the look nearest to the time
            return
        self._sent = now
        workers = runtime.ledger.run(calls.stats(tuple(depths)))["workers"]
        contract = runtime.service.contract
        for need in (None, *contract.needs):  # apart: what waits for other machines keeps nobody from hearing these
            queues = [
                (queue, depth, how_many(workers, queue, every), self._bell(queue))
                for queue, depth in depths.items()
                if need_of(queue, contract) == need
            ]
            for queue, count in runtime.ledger.run(canaries.ring(every, queues)):
                for _ in range(count):
                    runtime.bus.publish(self._envelope(), kind=self._kind, job_id=self._id, queue=queue)

    @property
    def _id(self) -> str:
        return hearing.canary_id(self._runtime.service.name)

    @property
    def _kind(self) -> str:
        return min(self._runtime.service.contract.by_kind)  # any that a worker knows, of this version or the one before

    def _envelope(self) -> str:
        return envelope_text(job_id=self._id, kind=self._kind, epoch=1, tenant=ids.SYSTEM_TENANT, request="{}", blob="", trace={})

    def _bell(self, queue: str) -> str:
        return self._runtime.bus.bell(self._envelope(), kind=self._kind, job_id=self._id, queue=queue)


def how_many(workers: Sequence[Mapping[str, Any]], queue: str, every: float) -> int:
    """One for each that listens; more where one of them has heard nothing for two rounds."""
    listeners = [worker for worker in workers if queue in worker["queues"] and not worker.get("draining")]
    overheard = any(worker.get("silent", {}).get(queue, 0.0) > OVERHEARD * every for worker in listeners)
    return len(listeners) * (MORE if overheard else 1)
