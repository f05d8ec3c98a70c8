"""A claim whose answer was lost is sent again, by redis-py or by us: the child must get the very job it has."""

from collections.abc import Iterator

import pytest

from shared.contracts.states import State
from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger


@pytest.fixture
def ledger(redis_url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    ledger = Ledger(redis_url.replace("/0", "/9"), "avatar", rings_here=True)
    ledger.redis.flushdb()
    yield ledger
    ledger.close()


def submit(ledger: Ledger, tenant: str) -> str:
    """Accept a job."""
    return ledger.run(calls.accept(NewJob(ids.new("avatar"), "avatar.generate.v1", tenant, "avatar", "{}", bell="@TAG@"))).detail


def claim(ledger: Ledger, doorbell: str, nonce: str, *, pid: int = 7) -> JobRecord:
    """Answer a doorbell; the job and its record."""
    record = ledger.run(calls.claim(doorbell, worker="w", pid=pid, lease_ms=60_000, nonce=nonce, queue="avatar"))
    assert isinstance(record, JobRecord)
    return record


def test_a_repeated_claim_gets_the_same_job(ledger: Ledger) -> None:
    """L2: not the next one in turn; the first would be held by a child that never heard of it, and renewed for ever."""
    first, second, third = submit(ledger, "acme"), submit(ledger, "bolt"), submit(ledger, "corp")

    claimed = [claim(ledger, third, "n1") for _ in range(2)]

    assert [first, first] == [record.id for record in claimed]
    assert [1, 1] == [record.token for record in claimed]
    assert State.QUEUED is ledger.run(calls.read(second)).state  # type: ignore[union-attr]  # it was accepted above


def test_another_doorbell_of_the_same_child_is_another_claim(ledger: Ledger) -> None:
    """Only the nonce makes it the same call."""
    bells = [submit(ledger, "acme"), submit(ledger, "acme")]
    first = claim(ledger, bells[0], "n1")
    ledger.run(calls.succeed(first.id, first.token, "{}", "[]"))

    assert bells == [first.id, claim(ledger, bells[1], "n2").id]


def test_a_repeated_claim_of_a_job_cancelled_meanwhile_is_still_a_claim(ledger: Ledger) -> None:
    """L6: its child then stops it; left alone, the parent would kill a child that is innocent of it."""
    job = submit(ledger, "acme")
    claim(ledger, job, "n1")
    ledger.run(calls.cancel(job, "acme"))

    assert (job, State.CANCELING) == ((again := claim(ledger, job, "n1")).id, again.state)
