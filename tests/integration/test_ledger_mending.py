"""What a script that failed half-way left behind is found: no job runs for ever without a lease, or waits where nobody looks."""

from collections.abc import Iterator

import pytest

from shared.contracts.states import State
from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger

KIND = "avatar.generate.v1"


@pytest.fixture
def ledger(redis_url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    ledger = Ledger(redis_url, "avatar", rings_here=True)
    ledger.redis.flushdb()
    yield ledger
    ledger.close()


def submit(ledger: Ledger, run_at: int | None = None) -> str:
    """Accept a job; its id."""
    return ledger.run(calls.accept(NewJob(ids.new("avatar"), KIND, "acme", "avatar", "{}", bell="@TAG@", run_at=run_at))).detail


def claim(ledger: Ledger, job_id: str) -> JobRecord:
    """Claim that very job."""
    record = ledger.run(calls.claim(job_id, worker="w", pid=1, lease_ms=60_000, nonce=ids.ulid()))
    assert isinstance(record, JobRecord)
    return record


def look(ledger: Ledger) -> calls.Look:
    """One look of the reconciler."""
    return ledger.run(calls.reconcile("w", budget=3, most=100, depths={"avatar": -1}))


def job(ledger: Ledger, job_id: str) -> JobRecord:
    """The job as it is."""
    record = ledger.run(calls.read(job_id))
    assert record is not None
    return record


def test_a_whole_ledger_needs_no_mending(ledger: Ledger) -> None:
    """L2: in every state a job can be in, the look finds nothing to do."""
    parent = claim(ledger, submit(ledger))
    fields = NewJob("", KIND, "acme", "avatar", "{}", bell="@TAG@").fields()
    ledger.run(calls.spawn(parent.id, parent.token, [(n, [*fields, "parent", parent.id, "index", n, "weight", 1]) for n in range(2)]))
    ledger.run(calls.suspend(parent.id, parent.token, total=2, weight=2, on_failure="fail"))
    claim(ledger, f"{parent.id}.0")
    retried, canceling = claim(ledger, submit(ledger)), claim(ledger, submit(ledger))
    ledger.run(calls.fail(retried.id, retried.token, {"detail": "x"}, retryable=True, delay_ms=60_000, policy_attempts=3))
    ledger.run(calls.cancel(canceling.id, "acme"))
    submit(ledger, run_at=99_999_999_999_999)
    submit(ledger)
    woken = claim(ledger, submit(ledger))
    ledger.run(calls.suspend(woken.id, woken.token, total=0, weight=0, on_failure="fail"))

    assert [0, 0] == [look(ledger).mended for _ in range(2)]


def test_a_job_that_runs_without_a_lease_is_rescued(ledger: Ledger) -> None:
    """L2, L5: on its crash budget, with a reason that says so; a child of a sleeping parent as well."""
    parent, lone = claim(ledger, submit(ledger)), claim(ledger, submit(ledger))
    fields = NewJob("", KIND, "acme", "avatar", "{}", bell="@TAG@").fields()
    ledger.run(calls.spawn(parent.id, parent.token, [(0, [*fields, "parent", parent.id, "index", 0, "weight", 1])]))
    ledger.run(calls.suspend(parent.id, parent.token, total=1, weight=1, on_failure="fail"))
    child = claim(ledger, f"{parent.id}.0")
    for each in (lone, child):
        ledger.redis.hdel(f"{ledger.prefix}job:{each.id}", "lease")
        ledger.redis.zrem(f"{ledger.prefix}leases", each.id)

    assert (2, 0) == (look(ledger).mended, look(ledger).mended)
    assert [(State.QUEUED, 1)] * 2 == [(found.state, found.number("crashes")) for found in (job(ledger, lone.id), job(ledger, child.id))]
    assert "half-way" in job(ledger, lone.id).attempts[-1]["reason"]
    assert isinstance(claim(ledger, lone.id), JobRecord)


def test_a_lease_that_nobody_would_see_expire_is_seen_again(ledger: Ledger) -> None:
    """A claim that failed before its lease was listed: the lease runs out as any other."""
    record = claim(ledger, submit(ledger))
    ledger.redis.zrem(f"{ledger.prefix}leases", record.id)

    assert 1 == look(ledger).mended
    assert record.time("lease") == ledger.redis.zscore(f"{ledger.prefix}leases", record.id)


@pytest.mark.parametrize("index", ["ready:avatar", "due"])
def test_a_job_that_waits_where_nobody_looks_is_listed_again(ledger: Ledger, index: str) -> None:
    """L1, L2: accepted, and neither ready nor due."""
    waiting = submit(ledger) if index != "due" else claim(ledger, submit(ledger)).id
    if index == "due":
        ledger.run(calls.fail(waiting, 1, {"detail": "x"}, retryable=True, delay_ms=60_000, policy_attempts=3))
    ledger.redis.zrem(f"{ledger.prefix}{index}", waiting)

    assert (1, 0) == (look(ledger).mended, look(ledger).mended)
    assert ledger.redis.zscore(f"{ledger.prefix}{index}", waiting) is not None


def test_a_parent_that_nobody_woke_is_woken(ledger: Ledger) -> None:
    """L2: all its children are done, and the last one's script failed before it said so."""
    parent = claim(ledger, submit(ledger))
    fields = NewJob("", KIND, "acme", "avatar", "{}", bell="@TAG@").fields()
    ledger.run(calls.spawn(parent.id, parent.token, [(0, [*fields, "parent", parent.id, "index", 0, "weight", 1])]))
    ledger.run(calls.suspend(parent.id, parent.token, total=1, weight=1, on_failure="fail"))
    ledger.redis.hset(f"{ledger.prefix}job:{parent.id}", "ok", 1)

    assert 1 == look(ledger).mended
    assert "woken" == job(ledger, parent.id).text("wait")
