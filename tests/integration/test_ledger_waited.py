"""How long a job was ready before it was claimed: told by its record, once, and by its `job.started`."""

from collections.abc import Iterator

import pytest

from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger

KIND = "avatar.generate.v1"
START = 1_800_000_000_000


@pytest.fixture
def ledger(redis_url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    ledger = Ledger(redis_url, "avatar", rings_here=True)
    ledger.redis.flushdb()
    yield ledger
    ledger.close()


def claimed(ledger: Ledger, job_id: str, at: int, nonce: str) -> JobRecord:
    """The job's record, claimed `at` ms after the start."""
    call = calls.claim(job_id, worker="w", pid=1, lease_ms=15_000, nonce=nonce, queue="", caps=(0, 0))
    record = ledger.run(call, now=START + at)
    assert isinstance(record, JobRecord), record
    return record


def look(ledger: Ledger, at: int) -> None:
    """One look of the reconciler."""
    ledger.run(calls.reconcile("w", budget=3, most=100, depths={"avatar": -1}), now=START + at)


@pytest.mark.parametrize("run_at", [None, 40_000])
def test_a_job_waits_from_when_it_could_start(ledger: Ledger, run_at: int | None) -> None:
    """From its acceptance or its `run_at`; a retry from its own time; one whose worker was lost from its rescue. Work is never waiting."""
    job_id, begin = ids.new("avatar"), run_at or 0
    at = None if run_at is None else START + run_at
    ledger.run(calls.accept(NewJob(job_id, KIND, "acme", "avatar", "{}", run_at=at)), now=START)
    look(ledger, begin)
    first = claimed(ledger, job_id, begin + 700, "n1")
    assert claimed(ledger, job_id, begin + 900, "n1").number("waited") == first.number("waited")  # a lost answer, asked for again
    ledger.run(calls.fail(job_id, first.token, {}, retryable=True, delay_ms=5_000, policy_attempts=4), now=START + begin + 2_000)
    look(ledger, begin + 7_000)
    retried = claimed(ledger, job_id, begin + 7_300, "n2")
    look(ledger, begin + 30_000)  # its lease is over
    rescued = claimed(ledger, job_id, begin + 30_050, "n3")
    events = ledger.run(calls.events(job_id)).events

    assert [700, 300, 50] == [record.number("waited") for record in (first, retried, rescued)]
    assert [700, 300, 50] == [event.data["waited_ms"] for event in events if event.type == "job.started"]


def test_a_done_job_is_no_larger_for_it(ledger: Ledger) -> None:
    """With a million finished jobs every field counts: the event keeps it."""
    job_id = ids.new("avatar")
    ledger.run(calls.accept(NewJob(job_id, KIND, "acme", "avatar", "{}")), now=START)
    record = claimed(ledger, job_id, 10, "n")
    ledger.run(calls.succeed(job_id, record.token, "{}", "[]"), now=START + 20)

    assert not ledger.redis.hexists(f"{ledger.prefix}job:{job_id}", "waited")
