"""What goes wrong, and when: a seeded list of disturbances, spread evenly over the load."""

import random
from dataclasses import dataclass
from typing import Literal

What = Literal["worker", "child", "gateway", "server", "broker", "freeze", "empty", "cut", "full"]
KILLS: dict[What, int] = {"worker": 50, "child": 30, "gateway": 10, "server": 10}
"""SIGKILLs, with their weights: a whole worker, a busy pool child, the gateway, the ledger's server."""
WITH_RABBIT: dict[What, int] = {**KILLS, "broker": 10}
"""Where RabbitMQ carries the doorbells, it is killed, too."""
OTHERS: tuple[What, ...] = ("freeze", "empty", "cut")
"""A worker frozen past its lease (a zombie), the broker's lists deleted, every connection reset."""
WITH_DISK: tuple[What, ...] = (*OTHERS, "full")
"""Where the storage lies on a small disk of its own, that is filled for some seconds."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """`what` happens once `after` jobs were accepted; `pick` (0 to 1) chooses among several that it could happen to."""

    what: What
    after: int
    pick: float

    @property
    def kill(self) -> bool:
        """Whether it is one of the SIGKILLs that were asked for."""
        return self.what in WITH_RABBIT


def storm(seed: int, *, jobs: int, kills: int, rabbit: bool = False, disk: bool = False) -> list[Disturbance]:
    """`kills` SIGKILLs (one of each sort at least, where there are enough), and a third as many of the other things."""
    rng = random.Random(seed)
    weights = WITH_RABBIT if rabbit else KILLS
    sorts = [*weights][: max(0, kills)]
    whats: list[What] = [*sorts, *rng.choices([*weights], weights=[*weights.values()], k=max(0, kills - len(sorts)))]
    others = WITH_DISK if disk else OTHERS
    whats += [others[n % len(others)] for n in range((kills + 2) // 3)]
    rng.shuffle(whats)
    return [Disturbance(what, jobs * (n + 1) // (len(whats) + 1), rng.random()) for n, what in enumerate(whats)]
