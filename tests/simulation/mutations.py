"""Mechanisms taken out, one at a time: a simulation that would not notice is no proof that they work."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from shared.contracts.events import EventType as E
from shared.contracts.states import TERMINAL, State
from shared.ledger import machine
from shared.ledger.inputs import Cancel, ChildEnded, Claim, Emit, Redrive, Release, Tick
from shared.ledger.machine import Job, Refused, Step
from tests.simulation.ledger import Entry, Ledger
from tests.simulation.referee import LEASE

Patch = pytest.MonkeyPatch


def _instead(patch: Patch, what: type, handler: Callable[[Job, Any, int], Step]) -> None:
    patch.setitem(machine._TABLE, what, handler)


def no_fencing(patch: Patch) -> None:
    """A writer's token is not looked at."""
    patch.setattr(machine, "_held", lambda _job, _token: None)


def no_crash_budget(patch: Patch) -> None:
    """A job that kills its worker is tried for ever."""
    was = machine._crash
    patch.setattr(machine, "_crash", lambda job, _budget, *rest: was(job, 1_000, *rest))


def claim_without_compare_and_set(patch: Patch) -> None:
    """Whoever hears the doorbell has the job, whatever its state."""

    def claim(job: Job, what: Claim, now: int) -> Step:
        if job.state in TERMINAL:
            raise Refused("taken")
        held = replace(job, state=State.RUNNING, token=job.token + 1, lease=now + what.lease_ms, wait="", attempt=job.attempt + 1)
        return held, [Emit(E.STARTED)]

    _instead(patch, Claim, claim)


def token_not_renewed(patch: Patch) -> None:
    """Two attempts have the same fencing token."""
    was = machine._claim

    def claim(job: Job, what: Claim, now: int) -> Step:
        held, effects = was(job, what, now)
        return replace(held, token=max(1, job.token)), effects

    _instead(patch, Claim, claim)


def fan_in_counts_twice(patch: Patch) -> None:
    """A child that ends is counted for each time that its parent is told."""
    was = Ledger.child_ended

    def ended(ledger: Ledger, parent: Entry, kid: Entry) -> None:
        was(ledger, parent, kid)
        if parent.job.state not in TERMINAL:
            ledger.apply(parent, ChildEnded(succeeded=kid.job.state is State.SUCCEEDED))

    patch.setattr(Ledger, "child_ended", ended)


def reconcile_never_rings_again(patch: Patch) -> None:
    """What the broker lost stays lost."""
    patch.setattr(Ledger, "ring_missing", lambda _ledger: None)


def reconcile_looks_only_at_messages(patch: Patch) -> None:
    """Leases, deadlines and due times are nobody's business."""
    patch.setattr(Ledger, "look", lambda ledger: ledger.ring_missing())


def leases_by_the_workers_clock(patch: Patch) -> None:
    """A lease ends when the worker's own clock says so."""
    was = Ledger.claim

    def claim(ledger: Ledger, doorbell: str, worker: str, pid: int, nonce: int, *, skew: int = 0) -> tuple[str, int] | str:
        claimed = was(ledger, doorbell, worker, pid, nonce)
        if not isinstance(claimed, str):
            entry = ledger.entries[claimed[0]]
            entry.job = replace(entry.job, lease=(entry.job.lease or 0) + skew)
        return claimed

    patch.setattr(Ledger, "claim", claim)


def leases_taken_early(patch: Patch) -> None:
    """The reconciler takes back what has half of its lease left."""
    was = machine._tick
    _instead(patch, Tick, lambda job, tick, now: was(job, tick, now + LEASE // 2))


def cancel_only_tells(patch: Patch) -> None:
    """A cancelled job that has not started is started all the same."""
    was = machine._cancel

    def cancel(job: Job, what: Cancel, now: int) -> Step:
        after, effects = was(job, what, now)
        return (job, effects) if job.state is State.QUEUED and job.attempt == 0 else (after, effects)

    _instead(patch, Cancel, cancel)


def shutdown_burns_an_attempt(patch: Patch) -> None:
    """A worker that is stopped costs its jobs an attempt."""
    was = machine._release

    def release(job: Job, what: Release, now: int) -> Step:
        after, effects = was(job, what, now)
        return replace(after, attempt=job.attempt), effects

    _instead(patch, Release, release)


def redrive_keeps_the_old_crashes(patch: Patch) -> None:
    """A new epoch begins with the budget used up."""
    was = machine._redrive

    def redrive(job: Job, what: Redrive, now: int) -> Step:
        after, effects = was(job, what, now)
        return replace(after, crashes=job.crashes), effects

    _instead(patch, Redrive, redrive)


def journal_forgets_at_the_claim(patch: Patch) -> None:
    """A new attempt does not know what the last one did."""
    was = Ledger.claim

    def claim(ledger: Ledger, doorbell: str, worker: str, pid: int, nonce: int, *, skew: int = 0) -> tuple[str, int] | str:
        claimed = was(ledger, doorbell, worker, pid, nonce, skew=skew)
        if not isinstance(claimed, str):
            ledger.entries[claimed[0]].journal = ""
        return claimed

    patch.setattr(Ledger, "claim", claim)


def repeated_claim_gets_another(patch: Patch) -> None:
    """A claim that is sent again after a lost answer gets the next job in turn, and nobody works on the first."""
    patch.setattr(Ledger, "had_already", lambda *_: None)


MUTATIONS: Mapping[str, Callable[[Patch], None]] = {
    mutation.__name__: mutation
    for mutation in (
        no_fencing, no_crash_budget, claim_without_compare_and_set, token_not_renewed, fan_in_counts_twice, reconcile_never_rings_again,
        reconcile_looks_only_at_messages, leases_by_the_workers_clock, leases_taken_early, cancel_only_tells, shutdown_burns_an_attempt,
        redrive_keeps_the_old_crashes, journal_forgets_at_the_claim, repeated_claim_gets_another,
    )
}  # fmt: skip
