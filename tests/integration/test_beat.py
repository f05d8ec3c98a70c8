"""Celery Beat on a real ledger: a tick makes one job, however many Beats run and however late one of them is."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery
from celery.beat import Scheduler

from shared.contracts.states import State
from shared.ledger import calls
from shared.ledger.ids import SYSTEM_TENANT
from shared.policy import Policy
from shared.runtime import beat
from shared.runtime.runtime import Runtime
from shared.service import Service
from shared.settings import ServiceSettings
from shared.worker import settings
from tests.probe.contract import CONTRACT

MEASURE, SWEEP = "probe.measure.v1", "probe.sweep.v1"
DATABASE = 9
"""This module's own, on the session's server."""


@dataclass
class House:
    """A ledger and what Beat has made in it."""

    runtime: Runtime
    app: Celery

    def beat(self, last_run_at: datetime) -> Scheduler:
        """A Beat whose schedules last ran then."""
        scheduler: Scheduler = beat.scheduler(self.runtime)(app=self.app)
        for entry in scheduler.schedule.values():
            entry.last_run_at = last_run_at
        return scheduler

    def kinds(self) -> list[str]:
        """The kinds of the jobs that there are."""
        return sorted(record.kind for record in self.runtime.ledger.run(calls.jobs(SYSTEM_TENANT)))


@pytest.fixture
def house(redis_url: str) -> Iterator[House]:
    """An empty ledger with the probe's app."""
    url = f"{redis_url.rpartition('/')[0]}/{DATABASE}"
    service = Service(CONTRACT, Policy(), ServiceSettings(redis_url=url, broker_url=url), {})
    runtime = Runtime(service)
    app = Celery("probe", broker=url, set_as_current=False)
    app.conf.update(settings(service, runtime))
    runtime.ledger.redis.flushdb()
    yield House(runtime, app)
    runtime.ledger.redis.flushdb()
    runtime.ledger.close()


def run_due(scheduler: Scheduler) -> None:
    """Let a Beat do everything that is due now."""
    while scheduler.tick() == 0:
        pass


def test_two_beats_make_one_job(house: House) -> None:
    """Eight Beats that wake in the same moment make one job of each schedule, and one doorbell each."""
    yesterday = datetime.now(UTC) - timedelta(days=1, minutes=1)
    threads = [threading.Thread(target=run_due, args=(house.beat(yesterday),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [MEASURE, SWEEP] == house.kinds()
    assert house.runtime.ledger.redis.llen("probe.low") == 2


def test_late_beat_makes_no_second_job(house: House) -> None:
    """A Beat that was held up for an hour comes upon a tick that another one has done."""
    yesterday = datetime.now(UTC) - timedelta(days=1, minutes=1)
    run_due(house.beat(yesterday))
    run_due(house.beat(yesterday))
    (key,) = house.runtime.ledger.redis.keys(f"*:beat:{SWEEP}:*")

    assert [MEASURE, SWEEP] == house.kinds()
    assert str(key).endswith("T03:30"), "the schedule's minute, not this one"


def test_each_tick_makes_a_job(house: House) -> None:
    """Different minutes are different ticks."""
    answers = [beat.tick(house.runtime, MEASURE, f"2026-11-22T10:{minute}") for minute in ("00", "15", "15", "30")]

    assert ["accepted", "accepted", "replayed", "accepted"] == [answer.word for answer in answers]
    assert answers[1].detail == answers[2].detail
    assert [MEASURE] * 3 == house.kinds()


def test_only_the_services_own_schedules_tick(house: House) -> None:
    """Celery adds none of its own: a tick of a kind that no contract has would be a dead letter."""
    assert {MEASURE, SWEEP} == set(house.beat(datetime.now(UTC)).schedule)


def test_job_of_a_tick_is_a_job_like_any_other(house: House) -> None:
    """Queued with low priority, owned by the system, with a doorbell that says which job it is."""
    answer = beat.tick(house.runtime, SWEEP, "2026-11-22T03:30")
    record = house.runtime.ledger.run(calls.read(answer.detail))
    (bell,) = house.runtime.ledger.redis.lrange("probe.low", 0, -1)

    assert record is not None
    assert (SWEEP, SYSTEM_TENANT, State.QUEUED, "probe.low") == (record.kind, record.tenant, record.state, record.text("queue"))
    assert record.id == json.loads(bell)["headers"]["id"]
