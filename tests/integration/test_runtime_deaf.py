"""Deaf workers are found: up, beating, with a slot free, and taking nothing. Two real workers, one of which goes deaf."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from celery import Celery

from shared.contracts.states import State
from tests.probe.rig import Rig
from tests.servers import wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]
EVERY = 1.0
QUEUES = ("probe.high", "probe", "probe.low")


@dataclass(frozen=True)
class Patient:
    """The worker that goes deaf: its Celery node, its own name, and Celery's remote control of it.

    The control has a line of its own, so that a worker obeys it that hears no job.
    """

    control: Any
    node: str
    name: str


@pytest.fixture(scope="module")
def rig(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A probe service whose canaries fly once a second: deaf after four."""
    rig = Rig(redis_url, tmp_path_factory.mktemp("probe"), {"PROBE_CANARY_EVERY": str(EVERY)})
    rig.ledger.redis.flushdb()
    yield rig
    rig.ledger.close()


@pytest.fixture(scope="module", autouse=True)
def patient(rig: Rig) -> Iterator[Patient]:
    """Two workers; the first of them."""
    control = Celery(broker=rig.url).control
    with rig.worker(concurrency=1):
        (node,) = control.inspect(timeout=3).ping()
        (worker,) = rig.stats()["workers"]
        with rig.worker(concurrency=1):
            yield Patient(control, node, worker["name"])


def deaf(rig: Rig) -> dict[str, list[str]]:
    """The deaf workers with what they do not hear."""
    return {worker["name"]: worker["deaf_queues"] for worker in rig.stats()["workers"] if worker["deaf"]}


def never(true: Callable[[], object], seconds: float) -> None:
    """It is not true at any look for so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert not true()
        time.sleep(0.05)


def test_healthy_workers_are_not_deaf_idle_or_busy(rig: Rig) -> None:
    """Six rounds: heard by both, no child troubled, no depth, no heap; a worker whose slots are full may be silent."""
    wait_until(lambda: all(worker["silent"]["probe.low"] < 2 * EVERY for worker in rig.stats()["workers"]), "both hear")

    never(lambda: deaf(rig) or any(queue["depth"] for queue in rig.stats()["queues"].values()), 6 * EVERY)

    jobs = [rig.submit(what="spin", seconds=7 * EVERY) for _ in range(2)]
    wait_until(lambda: all(rig.job(job).state is State.RUNNING for job in jobs), "both are busy")
    never(lambda: deaf(rig) or any(rig.ledger.redis.llen(queue) > 2 for queue in QUEUES), 7 * EVERY)

    assert {State.SUCCEEDED} == {rig.wait(job).state for job in jobs}
    never(lambda: deaf(rig), 2 * EVERY)
    assert 0 == rig.stats()["counters"].get("unknown_dropped", 0)
    assert 0 == rig.stats()["dead_letters"]


def test_a_worker_that_does_not_consume_one_queue_is_deaf_to_it(rig: Rig, patient: Patient) -> None:
    """Its heart beats, it hears the other queues, and the other worker does its work: reported all the same, until it hears again."""
    wait_until(lambda: patient.control.cancel_consumer("probe", destination=[patient.node], reply=True), "it obeys")

    wait_until(lambda: deaf(rig) == {patient.name: ["probe"]}, "it is found")

    assert State.SUCCEEDED is rig.wait(rig.submit(what="work")).state
    assert rig.stats()["queues"]["probe"]["canary_age"] < 4 * EVERY
    wait_until(lambda: patient.control.add_consumer("probe", destination=[patient.node], reply=True), "it obeys")
    wait_until(lambda: deaf(rig) == {}, "it hears again")


def test_a_worker_whose_loop_hangs_is_deaf_to_all(rig: Rig, patient: Patient) -> None:
    """Celery's loop stands still while the keeper's thread goes on beating."""
    patient.control.broadcast("nap", arguments={"seconds": 600.0}, destination=[patient.node])

    wait_until(lambda: deaf(rig) == {patient.name: list(QUEUES)}, "it is found")

    assert 2 == len(rig.stats()["workers"])
    assert State.SUCCEEDED is rig.wait(rig.submit(what="work")).state
