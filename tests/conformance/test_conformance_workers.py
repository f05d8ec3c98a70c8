"""Workers that stop and workers that die, on every broker."""

import time
from itertools import accumulate

import pytest

from shared.contracts.states import State
from shared.ledger import calls
from tests.chaos.marks import Book
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


def test_caps_on_running_jobs_hold_and_every_slot_is_used(rig: Rig) -> None:
    """A tenant's cap of one and the service's of two, with three children: never more at once, all done once."""
    with rig.worker(concurrency=3, PROBE_MAX_RUNNING="2"):
        capped = [rig.submit(what="work", seconds=0.2, tenant="capped", running_cap=1, at_once=True) for _ in range(4)]
        others = [rig.submit(what="work", seconds=0.4, at_once=True) for _ in range(5)]
        done = [rig.wait(job) for job in capped + others]
        limits = rig.stats()["limits"]

    assert {State.SUCCEEDED} == {record.state for record in done}
    assert [1] * 9 == [rig.did(job) for job in capped + others]
    assert (1, 2) == (at_once(rig, capped), at_once(rig, capped + others))
    assert {"running": 2, "running_per_tenant": None} == limits


def at_once(rig: Rig, jobs: list[str]) -> int:
    """The most of these jobs that were at work at the same moment."""
    steps = {"began": 1, "did": -1}
    marks = [mark for mark in Book(rig.marks).marks() if mark.job in jobs]
    running = accumulate(steps[mark.word] for mark in sorted(marks, key=lambda mark: mark.at))
    return max(running)


def test_jobs_accepted_with_no_worker_and_no_message_are_done_by_the_first_that_comes(rig: Rig, broker: Broker) -> None:
    """L1, L3: accepted while nobody works, then the broker is emptied: whoever comes does them all, once."""
    jobs = [rig.submit(what="work", seconds=0.01, priority=priority) for priority in ("high", "normal", "low") for _ in range(5)]
    broker.empty()
    with rig.worker(concurrency=2):
        done = [rig.wait(job) for job in jobs]
        wait_until(lambda: not any(queue["depth"] for queue in rig.stats()["queues"].values()), "nothing waits")

    assert {State.SUCCEEDED} == {record.state for record in done}
    assert [1] * 15 == [rig.did(job) for job in jobs]


def test_what_few_machines_can_do_waits_for_one_that_is_told_to(rig: Rig) -> None:
    """A worker of that queue alone, in the solo pool, takes nothing else, sees a cancel, and stops; all others leave the queue to it."""
    with rig.worker(queues="probe.rare", pool="solo") as one:
        plain, rare = rig.submit(what="work", at_once=True), rig.submit(what="work", rare=True, at_once=True)
        done = rig.wait(rare)
        left = rig.job(plain)
        long = rig.submit(what="work", seconds=60.0, rare=True, at_once=True)
        rig.wait_for(long, lambda record: record.state is State.RUNNING, "the long one runs")
        rig.ledger.run(calls.cancel(long, "t"))
        stopped = rig.wait(long, seconds=10)
        (worker,) = (worker for worker in rig.stats()["workers"] if worker["slots"] == 1)  # those of earlier tests may still be told of
        again = rig.submit(what="stuck", rare=True, at_once=True)
        rig.wait_for(again, lambda record: record.state is State.RUNNING, "another runs")
        one.stop()

    assert (State.SUCCEEDED, State.QUEUED, State.CANCELED) == (done.state, left.state, stopped.state)
    assert (["probe.rare"], 1, False) == (worker["queues"], worker["slots"], worker["deaf"])
    assert (State.QUEUED, 0) == (rig.job(again).state, rig.job(again).number("crashes"))
    for job in (plain, again):
        rig.ledger.run(calls.cancel(job, "t"))
