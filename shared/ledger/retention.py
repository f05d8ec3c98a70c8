"""What retention says to a ledger: how long done jobs are kept, and how they go in small steps.

The record goes first and leaves its id on the list `bytes`, in one script; the bytes in storage follow, then the id leaves the list.
A crash in between leaves bytes for the next sweep, never a record that points to nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.ledger.calls import Answer, Arg, Call
from shared.ledger.record import pairs
from shared.settings import ServiceSettings

AT_ONCE = 100
"""Records removed by one script: 3 to 5 ms, which is what a claim may have to wait for it."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept of one state: for `age_ms` after a job's end, and no more than `most` of them."""

    age_ms: int
    most: int


def kept(settings: ServiceSettings) -> dict[str, Keep]:
    """By terminal state, as the service's settings say. `malformed`: messages that became no job, kept like other dead letters."""

    def keep(days: float) -> Keep:
        return Keep(int(days * DAY_MS), settings.keep_at_most)

    canceled, failed = keep(settings.keep_canceled_days), keep(settings.keep_failed_days)
    return {
        "succeeded": keep(settings.keep_succeeded_days),
        "canceled": canceled,
        "expired": canceled,
        "failed": failed,
        "malformed": failed,
    }


@dataclass(frozen=True, slots=True)
class Pruned:
    """One step: `jobs` by state, `children` of jobs that are gone; `more`: there is more to remove right now."""

    more: bool
    children: int
    jobs: Mapping[str, int]

    @property
    def total(self) -> int:
        """All records removed."""
        return self.children + sum(self.jobs.values())


def prune(keep: Mapping[str, Keep], *, most: int = AT_ONCE) -> Call[Pruned]:
    """One step: forget at most `most` jobs that are past their time or above their number, oldest first."""
    args: list[Arg] = [most]
    for state, rule in keep.items():
        args += [state, rule.age_ms, rule.most]

    def parse(reply: Any) -> Pruned:
        more, children, by_state = reply
        return Pruned(bool(more), int(children), {state: int(n) for state, n in pairs(by_state).items()})

    return Call("prune", tuple(args), parse)


def leftovers(done: Sequence[str] = (), *, most: int = AT_ONCE) -> Call[list[str]]:
    """Strike `done` off the list of gone jobs whose bytes are still there; the oldest of what is left on it."""
    return Call("leftovers", (most, *done), list)


def known(job_ids: Sequence[str]) -> Call[list[bool]]:
    """Of each id: whether the ledger has the job."""
    return Call("known", tuple(job_ids), lambda reply: [int(one) == 1 for one in reply])


def used(upload_ids: Sequence[str]) -> Call[list[int]]:
    """Of each upload: how many jobs of this service name it."""
    return Call("used", tuple(upload_ids), lambda reply: [int(n) for n in reply])


def delete(job_id: str, tenant: str) -> Call[Answer]:
    """Forget a done job. Answers: ok, conflict (state), unknown."""
    return Call("delete", (job_id, tenant), lambda reply: Answer(*reply))
