"""Which workers are deaf: up, with a slot free, and taking nothing from a queue in which something waited to be taken.

That something waits is seen to by canaries: a doorbell for nobody's job, one for each listener, in a queue that holds nothing. Whoever
takes any message from a queue has heard it; brokers serve idle consumers in turn, so that a worker that is silent through four
rounds does not listen. Silence is told by the worker itself, as an age, so that clocks do not matter.
"""

from collections.abc import Mapping, Sequence
from typing import Any

ROUNDS = 4
"""Rounds of canaries that a worker may miss: it was busy for a moment, or between two polls."""
GAP = 3
"""Rounds after which the sender was away itself, and counting begins anew. The script has it, too."""


def canary_id(service: str) -> str:
    """The id on a canary: no job has it, and a worker that knows no canaries finds no such job and drops it."""
    return f"{service}_{'0' * 26}"


def rounds(flat: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """By queue: since when something has been waiting to be heard at every look, and the last such look (Unix ms)."""
    return {queue: (int(first), int(last)) for queue, (first, last) in ((name, text.split()) for name, text in flat.items())}


def deaf_queues(worker: Mapping[str, Any], waited: Mapping[str, tuple[int, int]], now: int) -> list[str]:
    """The queues to which this worker should listen and does not. `waited` as of `rounds`, `now` in Unix ms."""
    every = float(worker.get("canary_every") or 0)
    free = worker.get("free_for")
    patience = ROUNDS * every
    if not every or worker.get("draining") or free is None or free < patience:
        return []
    silent: Mapping[str, float] = worker.get("silent") or {}
    return [
        queue
        for queue, seconds in silent.items()
        if seconds >= patience
        and queue in waited
        and now - waited[queue][1] <= GAP * every * 1_000
        and waited[queue][1] - waited[queue][0] >= patience * 1_000
    ]


def judged(workers: Sequence[dict[str, Any]], looks: Mapping[str, str], now: int) -> list[dict[str, Any]]:
    """The workers with `deaf_queues`, and `deaf` where there are any. `looks`: as the ledger keeps them, see `rounds`."""
    waited = rounds(looks)
    found = [(worker, deaf_queues(worker, waited, now)) for worker in workers]
    return [{**worker, "deaf": bool(queues), "deaf_queues": queues} for worker, queues in found]


def canary_age(queue: str, workers: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds since any worker heard this queue; None where none that listens can tell."""
    ages = [float(worker["silent"][queue]) for worker in workers if queue in (worker.get("silent") or {})]
    return min(ages, default=None)
