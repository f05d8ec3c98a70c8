"""How a job can end, on every broker: the same states, reasons, counts and events."""

from typing import Any

import pytest

from shared.contracts.states import State
from shared.ledger import calls
from tests.probe.rig import Rig

pytestmark = [pytest.mark.serial, pytest.mark.timeout(180), pytest.mark.usefixtures("worker")]


def test_a_job_succeeds(rig: Rig) -> None:
    """L2, L7: one terminal state; events without a gap, the terminal one last."""
    done = rig.wait(rig.submit(what="work", seconds=0.3))

    assert (State.SUCCEEDED, "worked", 1) == (done.state, done.json("result")["said"], done.number("attempt"))
    assert ["accepted", "started", "succeeded"] == rig.events(done.id)


def test_a_transient_error_is_retried_until_it_works(rig: Rig) -> None:
    """L5: retries come from the ledger, so the broker's own redelivery plays no part."""
    done = rig.wait(rig.submit(what="flaky", until_attempt=3))

    assert (State.SUCCEEDED, 3, 2, 0) == (done.state, done.number("attempt"), done.number("errors"), done.number("crashes"))


def test_errors_run_out(rig: Rig) -> None:
    """L5: after max_attempts errors a job is dead-lettered as exhausted."""
    done = rig.wait(rig.submit(what="flaky", until_attempt=9))

    assert (State.FAILED, "exhausted", 3) == (done.state, done.text("reason"), done.number("errors"))


def test_a_permanent_error_is_dead_lettered_at_once(rig: Rig) -> None:
    """A permanent error is not tried again."""
    done = rig.wait(rig.submit(what="refuse"))

    assert (State.FAILED, "permanent", 1) == (done.state, done.text("reason"), done.number("attempt"))


def test_a_job_that_kills_its_process_runs_out_of_crashes(rig: Rig) -> None:
    """L5, L9: three crashes, each taken back at once, then worker_lost; the next job runs."""
    done = rig.wait(rig.submit(what="kill"))
    other = rig.wait(rig.submit(what="work"))

    assert (State.FAILED, "worker_lost", 3, 0) == (done.state, done.text("reason"), done.number("crashes"), done.number("errors"))
    assert (3, State.SUCCEEDED) == (rig.did(done.id, "began"), other.state)


def test_a_job_cancelled_before_it_starts_never_starts(rig: Rig) -> None:
    """L6: its message may be in the broker already; the ledger says no."""
    before = [rig.submit(what="work", seconds=0.5) for _ in range(2)]
    job = rig.submit(what="work")
    rig.ledger.run(calls.cancel(job, "t"))
    for other in before:
        rig.wait(other)
    rig.wait(rig.submit(what="work"))

    assert (State.CANCELED, ["accepted", "canceled"], 0) == (rig.job(job).state, rig.events(job), rig.did(job, "began"))


def test_a_running_job_is_cancelled(rig: Rig) -> None:
    """L6: within 2 s where it looks up; its effect does not happen."""
    job = rig.submit(what="work", seconds=30.0)
    rig.wait_for(job, lambda record: record.state is State.RUNNING, "the job runs")
    asked = rig.ledger.redis.time()[0]
    rig.ledger.run(calls.cancel(job, "t"))
    done = rig.wait(job, seconds=10)

    assert (State.CANCELED, 0) == (done.state, rig.did(job))
    assert done.number("finished") / 1000 - asked < 3  # 2, and the second that the clock was read in


def test_a_job_waits_for_its_time(rig: Rig) -> None:
    """`run_at` is kept by the ledger; nothing of it is in the broker before."""
    now = int(rig.ledger.redis.time()[0] * 1000)
    done = rig.wait(rig.submit(what="work", run_at=now + 3_000))

    assert State.SUCCEEDED is done.state
    assert done.attempts[0]["started_at"] >= now + 3_000


def test_a_job_expires(rig: Rig) -> None:
    """A job not started by `expires_at` never starts."""
    now = int(rig.ledger.redis.time()[0] * 1000)
    done = rig.wait(rig.submit(what="work", run_at=now + 60_000, expires_at=now + 1_500))

    assert (State.EXPIRED, 0) == (done.state, rig.did(done.id, "began"))


def test_children_wake_their_parent(rig: Rig) -> None:
    """Twelve children, one parent, one wake-up."""
    done = rig.wait(rig.submit(what="fan", parts=12, seconds=0.05))

    assert (State.SUCCEEDED, ["succeeded"] * 12) == (done.state, done.json("result")["children"])
    assert [1] * 12 == [rig.did(f"{done.id}.{index}") for index in range(12)]


def test_a_cancelled_parent_cancels_its_children(rig: Rig) -> None:
    """No child outlives its parent's cancel, waiting in the broker or running."""
    job = rig.submit(what="fan", parts=6, seconds=20.0)
    rig.wait_for(job, lambda record: record.text("wait") == "waiting", "the parent sleeps")
    rig.ledger.run(calls.cancel(job, "t"))
    ended = [rig.wait(f"{job}.{index}", seconds=15).state for index in range(6)]

    assert [State.CANCELED] * 6 == ended
    assert State.CANCELED is rig.job(job).state


def test_a_redriven_job_runs_in_a_new_epoch(rig: Rig) -> None:
    """Out of the dead letters, mended: it runs again and succeeds."""
    failed = rig.wait(rig.submit(what="refuse"))
    dead = rig.stats()["dead_letters"]
    rig.redrive(failed, what="work")
    done = rig.wait(failed.id)

    assert (State.SUCCEEDED, 2, 1) == (done.state, done.number("epoch"), rig.did(done.id))
    assert dead - 1 == rig.stats()["dead_letters"]
    assert ["accepted", "started", "failed", "redriven", "started", "succeeded"] == rig.events(done.id)


@pytest.mark.parametrize("ttl", [0, 600])
def test_a_unique_job_keeps_others_out(rig: Rig, ttl: int) -> None:
    """`until_done` lets the next one in when it is done; `ttl` does not."""
    asked: dict[str, Any] = {"what": "work", "seconds": 0.5, "unique": f"u{ttl}", "unique_ttl": ttl}
    first = rig.submit(**asked)
    second = rig.ask(**asked)
    rig.wait(first)
    third = rig.ask(**asked)

    assert ("unique", first) == (second.word, second.detail)
    assert ("accepted" if ttl == 0 else "unique") == third.word
