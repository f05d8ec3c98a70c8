"""What is counted, for both sides alike, and the table of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.marks import percentile

ABSENT = "n/a"
RESCUE_WITHIN = 20.0
ENOUGH = 100
"""Rescues without which the 99th percentile is but the slowest."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One side after the storm. None: that side has no such thing."""

    name: str
    accepted: int
    accepted_twice: int | None
    """Jobs that the ledger has beyond those: a POST that was repeated after a lost answer, and taken for another."""
    succeeded: int
    lost: int
    """Accepted, and never done."""
    dead_lettered: int | None
    full_disk: int | None
    """Attempts that failed, and say so, because the storage had no room."""
    settled_twice: int | None
    """Jobs with more than one terminal event in an epoch: what the ledger promises never to have."""
    reran: int
    """Jobs whose handler ran to its end more than once: a kill between the end and the note of it."""
    plain_twice: int
    """Jobs whose unguarded side effect happened more than once."""
    once_twice: int | None
    """The same for the effect under `job.once`."""
    victims: int
    """Jobs that were under way in a process when it was killed."""
    rescue: Sequence[float] = field(repr=False)
    """Seconds from a kill to the next start of each victim that ran again."""
    counters: Mapping[str, int]
    seconds: float

    @property
    def broken(self) -> list[str]:
        """The promises that did not hold; empty is how it should be."""
        in_time = len(self.rescue) < ENOUGH or percentile(self.rescue, 0.99) <= RESCUE_WITHIN
        held = {
            "lost": self.lost == 0,
            "accepted twice": not self.accepted_twice,
            "settled twice": not self.settled_twice,
            "an effect under job.once twice": not self.once_twice,
            f"99 of 100 rescues within {RESCUE_WITHIN:.0f} s": in_time,
        }
        return [promise for promise, kept in held.items() if not kept]

    def row(self) -> list[str]:
        """The table's cells, in the order of `COLUMNS`."""
        told = [
            self.accepted,
            self.accepted_twice,
            self.succeeded,
            self.lost,
            self.dead_lettered,
            self.full_disk,
            self.settled_twice,
            self.reran,
            self.plain_twice,
            self.once_twice,
        ]
        times = " / ".join(f"{percentile(self.rescue, share):.1f}" for share in (0.5, 0.99, 1.0)) if self.rescue else ABSENT
        stale = self.counters.get("stale_refused", 0) if self.counters else None
        return [
            self.name,
            *("n/a" if one is None else f"{one:,}" for one in told),
            f"{self.victims:,}",
            times,
            ABSENT if stale is None else f"{stale:,}",
        ]


COLUMNS = (
    "", "accepted", "accepted twice", "succeeded", "lost", "dead letters", "attempts that met a full disk, retried",
    "settled twice", "handler ran to its end twice",
    "effect twice, unguarded", "effect twice, `job.once`", "jobs hit by a kill", "rescue s p50 / p99 / max", "stale writes refused",
)  # fmt: skip


def table(tallies: Sequence[Tally]) -> str:
    """A Markdown table, turned: a side a column, for there are more figures than sides."""
    rows = [COLUMNS, *(one.row() for one in tallies)]
    turned = [[row[n] for row in rows] for n in range(len(COLUMNS))]
    lines = [f"| {' | '.join(cells)} |" for cells in turned]
    return "\n".join([lines[0], "|" + "---|" * len(rows), *lines[1:]])
