"""Workers that stop and workers that die, on every broker."""

import time

import pytest

from shared.contracts.states import State
from tests.conformance.brokers import Broker
from tests.probe.rig import Rig
from tests.servers import wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(240)]


def test_a_stopping_worker_gives_its_jobs_back_uncharged(rig: Rig) -> None:
    """L5: SIGTERM lets a short job end; a long one goes back, is not charged, and another worker takes it from the broker."""
    with rig.worker(concurrency=2) as first:
        short, long = rig.submit(what="work", seconds=1.0), rig.submit(what="stuck", seconds=0.1)
        for job in (short, long):
            rig.wait_for(job, lambda record: record.state is State.RUNNING, "the job runs")
        began = time.monotonic()
        first.stop()
        spent = time.monotonic() - began
    back = rig.job(long)
    with rig.worker(concurrency=2) as second:
        rig.wait_for(long, lambda record: record.state is State.RUNNING, "another worker runs it")
        again = rig.job(long)
        second.kill()
    with rig.worker(concurrency=2):
        done = rig.wait(long)

    assert (State.SUCCEEDED, 1) == (rig.job(short).state, rig.did(short))
    assert (State.QUEUED, 0, 0, 0) == (back.state, back.number("attempt"), back.number("errors"), back.number("crashes"))
    assert spent < 15
    assert (1, 0) == (again.number("attempt"), again.number("crashes"))
    assert (State.SUCCEEDED, 2, 1) == (done.state, done.number("attempt"), done.number("crashes"))


def test_jobs_accepted_with_no_worker_and_no_message_are_done_by_the_first_that_comes(rig: Rig, broker: Broker) -> None:
    """L1, L3: accepted while nobody works, then the broker is emptied: whoever comes does them all, once."""
    jobs = [rig.submit(what="work", seconds=0.01, priority=priority) for priority in ("high", "normal", "low") for _ in range(5)]
    broker.empty()
    with rig.worker(concurrency=2):
        done = [rig.wait(job) for job in jobs]
        wait_until(lambda: not any(queue["depth"] for queue in rig.stats()["queues"].values()), "nothing waits")

    assert {State.SUCCEEDED} == {record.state for record in done}
    assert [1] * 15 == [rig.did(job) for job in jobs]
