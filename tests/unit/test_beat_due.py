"""The minute that a schedule names is the same for every Beat, however late each of them is."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from celery import Celery
from celery.beat import ScheduleEntry
from celery.schedules import crontab

from shared.bus import Bus
from shared.errors import UnavailableError
from shared.ledger.calls import Answer, Call
from shared.runtime import beat
from shared.runtime.runtime import Runtime
from shared.settings import ServiceSettings


def entry(schedule: crontab, last_run_at: datetime) -> ScheduleEntry:
    """A Beat entry as its scheduler keeps it."""
    app = Celery("due", set_as_current=False)
    app.conf.update(enable_utc=True, timezone="UTC")
    return ScheduleEntry(name="k", task="k", last_run_at=last_run_at, schedule=schedule, app=app)


QUARTERS, NIGHTLY = crontab(minute="*/15"), crontab(minute="30", hour="3")


@pytest.mark.parametrize(
    ("schedule", "last", "due"),
    [
        (QUARTERS, "2026-11-22T10:07:12", "2026-11-22T10:15"),
        (QUARTERS, "2026-11-22T10:15:00.2", "2026-11-22T10:30"),
        (QUARTERS, "2026-11-22T23:59:59", "2026-11-23T00:00"),
        (NIGHTLY, "2026-11-22T03:29:59", "2026-11-22T03:30"),
        (NIGHTLY, "2026-11-22T03:30:01", "2026-11-23T03:30"),
        (NIGHTLY, "2026-12-31T12:00:00", "2027-01-01T03:30"),
    ],
)
def test_due_minute_is_the_schedules(schedule: crontab, last: str, due: str) -> None:
    """It follows from the last run alone; no clock is asked."""
    assert due == beat.due_minute(entry(schedule, datetime.fromisoformat(last).replace(tzinfo=UTC)))


class ShakyLedger:
    """A ledger that does not answer the first `down` times."""

    def __init__(self, down: int) -> None:
        self.down = down
        self.asked = 0
        self.accepted: list[tuple[Any, ...]] = []

    def run(self, call: Call[Answer]) -> Answer:
        """Accept, in the end."""
        self.asked += 1
        if self.asked <= self.down:
            raise UnavailableError("ledger", "restarting")
        self.accepted.append(call.args)
        return call.parse(["accepted", str(call.args[0])])


@pytest.fixture
def runtime() -> Callable[[ShakyLedger], Runtime]:
    """As much of a runtime as a tick needs."""

    def make(ledger: ShakyLedger) -> Runtime:
        bus = Bus("probe", ServiceSettings(redis_url="redis://h/0", broker_url="redis://h/0"))
        return cast("Runtime", SimpleNamespace(service=SimpleNamespace(name="probe"), ledger=ledger, bus=bus))

    return make


def test_tick_waits_for_the_ledger(runtime: Callable[[ShakyLedger], Runtime]) -> None:
    """A ledger that is being restarted does not cost the tick, and with it the night's sweep."""
    ledger = ShakyLedger(down=2)
    answer = beat.tick(runtime(ledger), "probe.sweep.v1", "2026-11-22T03:30")

    assert answer.word == "accepted"
    assert ledger.asked == 3


def test_ticks_of_one_minute_share_their_key(runtime: Callable[[ShakyLedger], Runtime]) -> None:
    """Two Beats ask with the same key and digest for one minute and kind, and with another for any other."""
    ledger = ShakyLedger(down=0)
    for kind, minute in (
        ("probe.sweep.v1", "03:30"),
        ("probe.sweep.v1", "03:30"),
        ("probe.sweep.v1", "03:31"),
        ("probe.measure.v1", "03:30"),
    ):
        beat.tick(runtime(ledger), kind, minute)
    keys = [args[1:3] for args in ledger.accepted]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert len({args[0] for args in ledger.accepted}) == 4
