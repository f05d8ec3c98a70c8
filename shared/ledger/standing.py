"""How a service stands: what the ledger's script `stats` answers, as everybody reads it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from shared.ledger import hearing
from shared.ledger.record import pairs


def of(reply: Any) -> dict[str, Any]:
    """Queues, limits, states, dead letters, what is due, workers, counters, catalogue. Ages in seconds."""
    queues, states, dead, due, told, counters, catalogue, canaries, now = reply
    found = [{**json.loads(info), "heartbeat_at": int(float(at)), "busy": int(busy)} for info, at, busy in told]
    workers = hearing.judged(found, pairs(canaries), now=int(now))
    return {
        "queues": {
            queue: {
                "depth": int(depth),
                "held_back": int(back),
                "oldest_age": int(age) / 1000,
                "canary_age": hearing.canary_age(queue, workers),
            }
            for queue, depth, age, back in queues
        },
        "limits": limits(workers),
        "states": {name: int(n) for name, n in pairs(states).items()},
        "dead_letters": int(dead),
        "due": int(due),
        "workers": workers,
        "counters": {name: int(n) for name, n in pairs(counters).items()},
        "catalogue": json.loads(catalogue) if catalogue else {},
    }


def limits(workers: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    """How many jobs may run at once, as the workers have it: each enforces its own, so that the lowest counts. None: any number."""
    told = [worker.get("caps") or (0, 0) for worker in workers]
    names = ("running", "running_per_tenant")
    return {name: min((caps[n] for caps in told if caps[n]), default=None) for n, name in enumerate(names)}
