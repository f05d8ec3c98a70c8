"""Schedules on a real ledger: a run is made once, whoever looks and whoever dies; what could not be made says so."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from threading import Thread

import pytest

from shared.contracts.base import Blob
from shared.cron import cron
from shared.ledger import calls, schedules
from shared.ledger.record import JobRecord
from shared.ledger.schedules import Caps, Definition, Schedule
from shared.ledger.store import source
from shared.policy import Policy
from shared.runtime import ticking
from shared.runtime.runtime import Runtime
from shared.service import Service
from shared.settings import ServiceSettings
from tests.probe.contract import CONTRACT
from tests.servers import ROOT

KIND, TENANT = "probe.act.v1", "acme"
DATABASE = 8
"""This module's own, on the session's server."""
MINUTE, DAY = 60_000, 86_400_000
MONDAY = int(datetime.fromisoformat("2026-03-02T09:00+01:00").timestamp() * 1000)
DAILY = Definition(KIND, cron("0 9 * * *", "Europe/Berlin"), '{"what":"work"}')
TICKER = """
import os, signal, sys
from tests.integration.test_schedules import probe
from shared.runtime import ticking
runtime, left = probe(sys.argv[1]), 30
execute = runtime.ledger._execute
def mortal(*command):
    global left
    left -= 1
    reply = execute(*command)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return reply
runtime.ledger._execute = mortal
ticking.step(runtime)
"""
"""A worker that is SIGKILLed after a script has run and before it hears so."""


def probe(url: str) -> Runtime:
    """A worker's parent of the probe, as far as schedules are concerned."""
    return Runtime(Service(CONTRACT, Policy(), ServiceSettings(redis_url=url, broker_url=url), {}), "w@test")


@pytest.fixture
def url(redis_url: str) -> str:
    """An empty database."""
    return f"{redis_url.rpartition('/')[0]}/{DATABASE}"


@pytest.fixture
def runtime(url: str) -> Iterator[Runtime]:
    """A reconciler's view of an empty ledger."""
    runtime = probe(url)
    runtime.ledger.redis.flushdb()
    yield runtime
    runtime.ledger.redis.flushdb()
    runtime.ledger.close()


def add(runtime: Runtime, what: Definition, *, since: int = MONDAY - MINUTE) -> str:
    """A schedule that was made at `since`."""
    new = schedules.new_id("probe")
    assert "accepted" == runtime.ledger.run(schedules.add(new, TENANT, what, now=since)).word
    return new


def read(runtime: Runtime, schedule_id: str) -> Schedule:
    """The schedule as it is."""
    found = runtime.ledger.run(schedules.read(schedule_id))
    assert found is not None
    return found


def jobs(runtime: Runtime) -> list[JobRecord]:
    """All jobs, newest first."""
    return runtime.ledger.run(calls.jobs(TENANT, most=2_000))


def look(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, now: int) -> None:
    """One look of a reconciler at this time."""
    ledger = runtime.ledger
    run = type(ledger).run
    with monkeypatch.context() as at:
        at.setattr(ledger, "run", lambda call, **_: run(ledger, call, now=now))
        ticking.step(runtime)


def test_a_run_is_made_once_whoever_looks_and_whoever_is_killed(runtime: Runtime, url: str) -> None:
    """Two processes look, one of them is SIGKILLed between two steps: of 100 schedules one job, one doorbell, one note each."""
    made = [add(runtime, DAILY) for _ in range(100)]
    killed = subprocess.run([sys.executable, "-c", TICKER, url], cwd=ROOT, check=False, timeout=60)
    before = len(jobs(runtime))
    ticking.step(runtime)

    assert (-signal.SIGKILL, True) == (killed.returncode, 20 < before < 30)
    assert sorted(made) == sorted(job.json("labels")["schedule"] for job in jobs(runtime))
    assert 100 == runtime.ledger.redis.llen("probe")
    assert {("submitted", "skipped")} == {tuple(run.outcome for run in read(runtime, each).runs) for each in made}
    assert 0 == ticking.step(runtime)


def test_eight_looks_at_the_same_moment_make_one_job(runtime: Runtime) -> None:
    """Whoever comes second finds the run moved on."""
    add(runtime, DAILY)
    _, ((schedule_id, flat),) = runtime.ledger.run(schedules.ticks())
    seen = Schedule.parse(schedule_id, flat)
    assert seen is not None
    threads = [Thread(target=ticking._run, args=(runtime, seen, MONDAY + 1)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(jobs(runtime)) == len(read(runtime, schedule_id).runs)


def test_a_run_is_a_job_like_any_other(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the schedule's request, options, uploads, limits and label, a trace of its own, and a doorbell in its queue."""
    blob = Blob(key="uploads/upl_1", bytes=1)
    request = '{"what":"work","options":{"priority":"high","labels":{"a":"b"}}}'
    made = add(runtime, Definition(KIND, DAILY.cron, request, inputs={"upl_1": blob}, caps=Caps(10, 10, 3)))
    look(runtime, monkeypatch, MONDAY + 1_000)
    (job,) = jobs(runtime)

    assert (KIND, TENANT, request, "probe.high", 3) == (job.kind, job.tenant, job.text("request"), job.text("queue"), job.number("cap"))
    assert {"a": "b", "schedule": made} == job.json("labels")
    assert {"upl_1": blob} == job.inputs
    assert job.carrier["traceparent"].startswith("00-")
    assert 1 == runtime.ledger.redis.llen("probe.high")
    assert [(MONDAY, MONDAY + 1_000, job.id, False)] == [(run.at, run.noted, run.job, run.by_hand) for run in read(runtime, made).runs]
    assert MONDAY + DAY == read(runtime, made).next


@pytest.mark.parametrize(
    ("late", "outcomes"),
    [(None, [("submitted", 1), ("skipped", 3)]), (3_600, [("skipped", 4)]), (7_201, [("submitted", 1), ("skipped", 3)])],
)
def test_after_a_long_silence_at_most_the_last_run_is_made_up_for(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, late: int | None, outcomes: list[tuple[str, int]]
) -> None:
    """Everything was down for three days and two hours: what was missed is counted, and skipped where it is later than allowed."""
    made = add(runtime, Definition(KIND, DAILY.cron, DAILY.request, late=late))
    look(runtime, monkeypatch, MONDAY + 3 * DAY + 120 * MINUTE)
    schedule = read(runtime, made)

    assert outcomes == [(run.outcome, run.count) for run in schedule.runs]
    assert {MONDAY + 3 * DAY} == {run.at for run in schedule.runs}
    assert (MONDAY + 4 * DAY, outcomes[0][0] == "submitted") == (schedule.next, len(jobs(runtime)) == 1)


def test_a_request_that_is_not_valid_any_more_is_the_runs_error(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noted with the field; the schedule goes on."""
    made = add(runtime, Definition(KIND, DAILY.cron, '{"seconds":"soon"}'))
    gone = add(runtime, Definition("probe.fly.v1", DAILY.cron, "{}"))
    look(runtime, monkeypatch, MONDAY + 1_000)

    ((run,), (other,)) = (read(runtime, each).runs for each in (made, gone))
    assert ("failed", True, "failed", True) == (
        run.outcome,
        "seconds: " in run.detail,
        other.outcome,
        "no kind probe.fly.v1" in other.detail,
    )
    assert ([], MONDAY + DAY) == (jobs(runtime), read(runtime, made).next)


def test_limits_put_a_run_off_and_then_skip_it(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over its tenant's quota a run waits, out of the others' way, and is made once there is room; too late, it is skipped."""
    made = add(runtime, Definition(KIND, DAILY.cron, DAILY.request, late=60, caps=Caps(live=1)))
    look(runtime, monkeypatch, MONDAY + 1_000)
    look(runtime, monkeypatch, MONDAY + DAY + 1_000)
    look(runtime, monkeypatch, MONDAY + DAY + 2_000)
    assert (MONDAY + DAY, 1) == (read(runtime, made).next, len(read(runtime, made).runs))

    (job,) = jobs(runtime)
    runtime.ledger.run(calls.cancel(job.id, TENANT))
    look(runtime, monkeypatch, MONDAY + DAY + 10_000)
    look(runtime, monkeypatch, MONDAY + 2 * DAY + 1_000)
    look(runtime, monkeypatch, MONDAY + 2 * DAY + 61_000)
    assert ["skipped", "submitted", "submitted"] == [run.outcome for run in read(runtime, made).runs]


def test_a_unique_key_keeps_runs_from_overlapping(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the last run's job is not done, a run is skipped and says because of whom."""
    made = add(runtime, Definition(KIND, DAILY.cron, '{"options":{"unique_key":"weekly"}}'))
    look(runtime, monkeypatch, MONDAY + 1_000)
    look(runtime, monkeypatch, MONDAY + DAY + 1_000)
    (job,) = jobs(runtime)
    last, first = read(runtime, made).runs

    assert ("skipped", "submitted", job.id) == (last.outcome, first.outcome, first.job)
    assert job.id in last.detail


def test_uploads_are_kept_while_a_schedule_names_them(runtime: Runtime) -> None:
    """Counted with the jobs: from the making on, through a change, to the deletion."""
    one, two = ({name: Blob(key=name, bytes=1)} for name in ("upl_1", "upl_2"))

    def held() -> dict[str, str]:
        return {str(k): str(v) for k, v in runtime.ledger.redis.hgetall(f"{runtime.ledger.prefix}uploads").items()}

    made = add(runtime, Definition(KIND, DAILY.cron, "{}", inputs=one))
    seen = [held()]
    runtime.ledger.run(schedules.change(read(runtime, made), Definition(KIND, DAILY.cron, "{}", inputs=two), now=MONDAY))
    seen.append(held())
    runtime.ledger.run(schedules.delete(made, TENANT))
    assert [{"upl_1": "1"}, {"upl_2": "1"}, {}] == [*seen, held()]


def test_a_change_keeps_a_run_that_is_due_this_moment(runtime: Runtime) -> None:
    """Another request is no reason to lose the run of a second ago; another time is, and so is a pause."""
    made = add(runtime, DAILY)
    for what, following in (
        (Definition(KIND, DAILY.cron, '{"what":"other"}'), MONDAY),
        (Definition(KIND, DAILY.cron, "{}", paused=True), None),
        (DAILY, MONDAY + DAY),
        (Definition(KIND, cron("0 10 * * *", "Europe/Berlin"), "{}"), MONDAY + 60 * MINUTE),
    ):
        assert "ok" == runtime.ledger.run(schedules.change(read(runtime, made), what, now=MONDAY + 1)).word
        assert following == read(runtime, made).next


def test_every_script_says_what_it_stands_on() -> None:
    """`tick` accepts as `accept` does: they share the lines."""
    shared = "local function admit("

    assert shared in source("tick")
    assert shared in source("accept")
