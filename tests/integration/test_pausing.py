"""Pauses in the ledger: nothing of a paused job begins, nothing of it is lost, and a cancel leaves time to settle up."""

from collections.abc import Iterator

import pytest

from shared.contracts.states import State
from shared.ledger import calls, ids
from shared.ledger.calls import Answer, NewJob
from shared.ledger.precedence import outranked, pause, resume
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger

QUEUE, TENANT = "mailer", "acme"


@pytest.fixture
def ledger(redis_url: str) -> Iterator[Ledger]:
    """An empty ledger of the mailer's."""
    ledger = Ledger(f"{redis_url.rpartition('/')[0]}/7", "mailer", rings_here=True)
    ledger.redis.flushdb()
    yield ledger
    ledger.redis.flushdb()
    ledger.close()


def submit(ledger: Ledger) -> str:
    """A job."""
    new = NewJob(ids.new("mailer"), "mailer.mailing.v1", TENANT, QUEUE, "{}", bell="@TAG@")
    return ledger.run(calls.accept(new)).detail


def claim(ledger: Ledger, job_id: str = "", *, nonce: str = "") -> JobRecord | Answer:
    """A worker hears a doorbell of the queue (or of this very job)."""
    queue = "" if job_id else QUEUE
    return ledger.run(calls.claim(job_id or "mailer_x", worker="w", pid=1, lease_ms=15_000, nonce=nonce or ids.ulid(), queue=queue))


def mailing(ledger: Ledger, parts: int, *, settles: bool = True) -> str:
    """A parent that waits for so many children."""
    parent = submit(ledger)
    held = claim(ledger, parent)
    assert isinstance(held, JobRecord)
    fields = NewJob("", "mailer.batch.v1", TENANT, QUEUE, "{}", bell="@TAG@").fields()
    ledger.run(calls.spawn(parent, held.token, [(n, [*fields, "parent", parent, "index", n, "weight", 1]) for n in range(parts)]))
    ledger.run(calls.suspend(parent, held.token, total=parts, weight=parts, on_failure="count", settles=settles))
    return parent


def look(ledger: Ledger) -> calls.Look:
    """The reconciler looks, and counts doorbells."""
    return ledger.run(calls.reconcile("w", budget=3, most=100, depths={QUEUE: -1}))


def state(ledger: Ledger, job_id: str) -> State:
    """Where the job is."""
    record = ledger.run(calls.read(job_id))
    assert record is not None
    return record.state


def test_no_child_of_a_paused_job_begins_and_all_do_afterwards(ledger: Ledger) -> None:
    """Doorbells find nobody, also by name, and none is rung again for them; others' turns come; after the resume every child is claimed."""
    parent = mailing(ledger, 4)
    running = claim(ledger)
    assert isinstance(running, JobRecord)
    before = ledger.run(outranked(running.id, []))
    assert Answer("ok", "running") == ledger.run(pause(parent, TENANT)) == ledger.run(pause(parent, TENANT))
    assert (False, True) == (before, ledger.run(outranked(running.id, [])))
    ledger.run(calls.postpone(running.id, running.token, delay_ms=0, reason="paused"))
    other = submit(ledger)
    looks = [look(ledger) for _ in range(3)]
    first, *rest = [claim(ledger) for _ in range(3)]

    assert isinstance(first, JobRecord)
    assert (other, 0, 0) == (first.id, sum(seen.rung_again for seen in looks), sum(seen.mended for seen in looks))
    assert [Answer("unknown"), Answer("unknown")] == rest
    assert not isinstance(claim(ledger, f"{parent}.0"), JobRecord)
    assert 0 == sum(look(ledger).mended + look(ledger).rung_again for _ in range(3))
    assert Answer("ok", "running") == ledger.run(resume(parent, TENANT)) == ledger.run(resume(parent, TENANT))
    assert 4 == look(ledger).due
    claimed = [claim(ledger) for _ in range(4)]
    assert {f"{parent}.{n}" for n in range(4)} == {each.id for each in claimed if isinstance(each, JobRecord)}


def test_a_job_that_waits_can_be_paused(ledger: Ledger) -> None:
    """It does not start, and does after the resume; a cancel needs no resume; what is done cannot be paused."""
    one, two = submit(ledger), submit(ledger)
    for each in (one, two):
        ledger.run(pause(each, TENANT))
    assert not isinstance(claim(ledger), JobRecord)
    ledger.run(calls.cancel(two, TENANT))
    ledger.run(resume(one, TENANT))
    look(ledger)
    claimed = claim(ledger)

    assert isinstance(claimed, JobRecord)
    assert (one, State.CANCELED) == (claimed.id, state(ledger, two))
    assert Answer("done", "canceled") == ledger.run(pause(two, TENANT))
    assert Answer("unknown") == ledger.run(pause(one, "other")) == ledger.run(resume("mailer_x", TENANT))
    ledger.run(calls.redrive(two, TENANT, bell="@TAG@"))
    assert isinstance(claim(ledger), JobRecord)


@pytest.mark.parametrize("paused", [False, True])
def test_a_cancelled_parent_settles_up_once_its_last_child_has_ended(ledger: Ledger, *, paused: bool) -> None:
    """Who waits ends at once, who runs is told; then the parent runs once more, undisturbed, and is canceled with a result."""
    parent = mailing(ledger, 3)
    child = claim(ledger)
    assert isinstance(child, JobRecord)
    if paused:
        ledger.run(pause(parent, TENANT))
        claim(ledger)
    assert Answer("ok", "canceling") == ledger.run(calls.cancel(parent, TENANT))
    assert State.CANCELING is ledger.run(calls.peek(child.id, child.token))
    assert not isinstance(claim(ledger, parent), JobRecord)
    ledger.run(calls.canceled(child.id, child.token))
    settling = claim(ledger)

    assert isinstance(settling, JobRecord)
    assert (parent, State.CANCELING) == (settling.id, settling.state)
    assert State.RUNNING is ledger.run(calls.peek(parent, settling.token))
    assert Answer("ok", "canceling") == ledger.run(calls.cancel(parent, TENANT))
    assert State.CANCELED is ledger.run(calls.succeed(parent, settling.token, '{"sent":1}', "[]"))
    ended = ledger.run(calls.read(parent))
    assert ended is not None
    assert (State.CANCELED, {"sent": 1}) == (ended.state, ended.json("result"))


def test_without_asking_for_it_a_cancelled_parent_ends_at_once(ledger: Ledger) -> None:
    """A film's segments have nothing to tell."""
    parent = mailing(ledger, 3, settles=False)
    ledger.run(calls.cancel(parent, TENANT))

    assert State.CANCELED is state(ledger, parent)
