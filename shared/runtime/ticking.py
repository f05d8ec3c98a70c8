"""Schedules that are due become jobs: part of the reconciler's look, level-triggered like the rest of it.

What is due stands in the ledger, not in anybody's clock, and a run's job, its note and the time of the next run are written in one
script that names the run it makes. So two workers that look at once make one job, and a worker that dies at any moment has made it or not.
"""

from collections.abc import Collection

import structlog

from shared.accepting import heard
from shared.cron import CronError, Due
from shared.errors import PermanentError, UnavailableError
from shared.ledger import calls, ids, schedules
from shared.ledger.schedules import Run, Schedule
from shared.recurring import accepting, fresh_trace, run_key
from shared.runtime.runtime import Runtime

log = structlog.get_logger()


def step(runtime: Runtime) -> int:
    """Make the runs that are due; how many schedules were looked at."""
    now, due = runtime.ledger.run(schedules.ticks())
    ears = heard(runtime.ledger.run(calls.stats(()))["workers"]) if due and runtime.service.contract.needs else ()
    for schedule_id, flat in due:
        try:
            schedule = Schedule.parse(schedule_id, flat)
            if schedule is not None and schedule.next is not None:
                _run(runtime, schedule, now, ears)
        except UnavailableError:
            raise
        except Exception:  # one schedule that cannot be read must not keep the others waiting
            log.exception("schedule_unreadable", schedule=schedule_id)
    return len(due)


def _run(runtime: Runtime, schedule: Schedule, now: int, ears: Collection[str] = ()) -> None:
    expected, definition = schedule.next or now, schedule.definition
    try:
        due = definition.cron.due(expected, now)
    except CronError as error:  # its time zone is not known here any more: nobody can say when the next run is
        _note(runtime, schedule, Run("failed", expected, now, str(error)), Due(expected, 0, None))
        return
    if definition.late is not None and now - due.at > definition.late * 1000:
        why = f"nobody made it in time: {(now - due.at) // 1000} s late, and {definition.late} s are allowed (late_by_at_most)"
        _note(runtime, schedule, Run("skipped", due.at, now, why, count=due.missed + 1), due)
        return
    _submit(runtime, schedule, due, now, ears)


def _submit(runtime: Runtime, schedule: Schedule, due: Due, now: int, ears: Collection[str]) -> None:
    service = runtime.service
    job_id, run = ids.new(service.name), Run("submitted", due.at, now)
    missed = None
    if due.missed:
        missed = Run("skipped", due.at, now, "nobody was there to make them; the last one is made up for", count=due.missed)
    try:
        accept = accepting(
            schedule,
            service.contract,
            runtime.bus,
            job_id,
            trace=fresh_trace(),
            caps=schedule.definition.caps,
            heard=ears,
            idempotency=run_key(schedule, due.at),
        )
    except PermanentError as error:
        _note(runtime, schedule, Run("failed", due.at, now, str(error)), due)
        return
    answer = runtime.ledger.run(schedules.tick(schedule, run, following=due.following, missed=missed, accept=accept))
    match answer.word:
        case "accepted" | "replayed":
            log.info("schedule_ticked", schedule=schedule.id, job=answer.detail, due=due.at, missed=due.missed)
        case "unique":
            why = f"the job {answer.detail} has this unique_key and is not done"
            _note(runtime, schedule, Run("skipped", due.at, now, why), due)
        case "full" | "quota":
            log.warning("schedule_put_off", schedule=schedule.id, why=answer.word, there_are=answer.detail)
        case "stale":
            log.info("schedule_moved_on", schedule=schedule.id)
        case _:
            _note(runtime, schedule, Run("failed", due.at, now, f"the ledger answered {answer.word!r}"), due)


def _note(runtime: Runtime, schedule: Schedule, run: Run, due: Due) -> None:
    """A run that made no job."""
    runtime.ledger.run(schedules.tick(schedule, run, following=due.following))
    log.warning("schedule_run_lost", schedule=schedule.id, outcome=run.outcome, due=run.at, runs=run.count, reason=run.detail)
