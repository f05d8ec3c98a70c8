"""Schedules as the gateway makes and shows them; the worker's reconciler runs them."""

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.inputs import upload_ids
from gateway.keys import Principal
from gateway.ledgers import Desk, Ledgers
from gateway.mending import checked
from gateway.problems import Problem, invalid
from gateway.uploads import Uploads
from gateway.views import Json, moment
from shared.cron import Cron, CronError, cron
from shared.ledger import schedules
from shared.ledger.schedules import Caps, Definition, Run, Schedule

LARGEST = 131_072
"""Bytes of a schedule's request: it lies in the ledger for as long as the schedule does."""
SHOWN = 5
"""Runs to come that are shown."""
_WEEKLY: dict[str, Any] = {
    "cron": "0 9 * * MON",
    "timezone": "Europe/Berlin",
    "kind": "mailer.mailing.v1",
    "request": {
        "from": {"email": "news@example.com", "name": "News"},
        "subject": "Hi {{ name }}",
        "text": "Hello {{ name }}",
        "recipients": [{"email": "ada@example.com", "vars": {"name": "Ada"}}],
    },
    "late_by_at_most": 3600,
}
Late = Annotated[int | None, Field(ge=5, le=366 * 86_400)]


class NewSchedule(BaseModel):
    """When (`cron` in `timezone`) to submit which `request` of which `kind`.

    A run that nobody could make in time (everything was down) is made up for, once, unless it is late by more than `late_by_at_most`
    seconds: then it is skipped, and `last_runs` says so.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_WEEKLY]})

    cron: str
    kind: str
    request: dict[str, Any]
    timezone: str = "UTC"
    paused: bool = False
    late_by_at_most: Late = None


class ScheduleChange(BaseModel):
    """What is to be otherwise; what is left out stays. `request` is replaced as a whole, `late_by_at_most: null` takes the limit away."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"paused": True}, {"cron": "30 8 * * MON-FRI", "timezone": "UTC"}]})

    cron: str = ""
    request: dict[str, Any] = {}
    timezone: str = ""
    paused: bool = False
    late_by_at_most: Late = None


async def defined(ledgers: Ledgers, uploads: Uploads, wanted: NewSchedule, who: Principal, *, queued: int) -> tuple[Desk, Definition]:
    """What `wanted` says, checked as a submission would be. `queued`: the most jobs a service may have waiting. Raises Problem 422."""
    desk = ledgers.desks.get(wanted.kind.partition(".")[0])
    command = desk.contract.by_kind.get(wanted.kind) if desk else None
    if desk is None or command is None or command.route is None:
        kinds = [kind for each in ledgers.desks.values() for kind, command in each.contract.by_kind.items() if command.route]
        raise invalid(f"there is no kind {wanted.kind[:60]!r}; there are {', '.join(kinds)}", "/kind")
    when = _cron(wanted.cron, wanted.timezone)
    asked = checked(desk, wanted.kind, wanted.request)
    for field in ("run_at", "expires_at"):
        if getattr(asked.options, field) is not None:
            raise invalid("a schedule says when by itself; leave this out", f"/request/options/{field}")
    request: str = asked.model_dump_json(by_alias=True, exclude_unset=True)
    if len(request.encode()) > LARGEST:
        raise Problem("payload-too-large", f"a schedule's request has at most {LARGEST} bytes: put recipients and the like into uploads")
    inputs = {name: await uploads.resolve(name, who.tenant, f"/request{at}") for name, at in upload_ids(asked)}
    caps = Caps(queued, who.limits.live_jobs or 0, who.limits.running_jobs or 0)
    return desk, Definition(wanted.kind, when, request, paused=wanted.paused, late=wanted.late_by_at_most, inputs=inputs, caps=caps)


def merged(schedule: Schedule, change: ScheduleChange) -> NewSchedule:
    """The schedule with the fields that the change gives."""
    what = schedule.definition
    was = {
        "cron": what.cron.expression,
        "timezone": what.cron.timezone,
        "kind": what.kind,
        "request": json.loads(what.request),
        "paused": what.paused,
        "late_by_at_most": what.late,
    }
    return NewSchedule.model_construct(**{**was, **{name: getattr(change, name) for name in change.model_fields_set}})


async def find(ledgers: Ledgers, schedule_id: str, who: Principal) -> tuple[Desk, Schedule]:
    """The schedule, if it is this tenant's. Raises Problem 404."""
    desk = ledgers.desks.get(schedules.service_of(schedule_id))
    found = await desk.ledger.run(schedules.read(schedule_id)) if desk else None
    if desk is None or found is None or found.tenant != who.tenant:
        raise missing(schedule_id)
    return desk, found


async def page(ledgers: Ledgers, who: Principal, services: list[str], *, cursor: str, limit: int) -> tuple[list[Schedule], str | None]:
    """A page of a tenant's schedules, newest first, and the cursor of the next: the ULID of the last one shown."""
    found: list[Schedule] = []
    for name in services:
        after = f"{schedules.PREFIX}{name}_{cursor}" if cursor else ""
        found += await ledgers.desks[name].ledger.run(schedules.page(who.tenant, cursor=after, most=limit + 1))
    found.sort(key=lambda schedule: _ulid(schedule.id), reverse=True)
    return found[:limit], _ulid(found[limit - 1].id) if len(found) > limit else None


def missing(schedule_id: str) -> Problem:
    """No such schedule, or another tenant's."""
    return Problem("not-found", f"there is no schedule {schedule_id[:80]}")


def now_ms() -> int:
    """The time."""
    return time.time_ns() // 1_000_000


def digest(wanted: Mapping[str, Any]) -> str:
    """What an idempotency key is compared by."""
    return hashlib.sha256(b"schedule\n" + json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def view(schedule: Schedule) -> Json:
    """How a schedule looks on the wire."""
    what, here = schedule.definition, f"/v1/schedules/{schedule.id}"
    coming: list[int] = []
    if schedule.next is not None:
        with contextlib.suppress(CronError):  # its time zone has gone from this machine; the next run will say so
            coming = [schedule.next, *islice(what.cron.after(schedule.next), SHOWN - 1)]
    runs = [_run(run) for run in schedule.runs]
    made = next((run["scheduled_for"] for run in runs if run["outcome"] == "submitted"), None)
    return {
        "id": schedule.id,
        "service": what.kind.partition(".")[0],
        "kind": what.kind,
        "cron": what.cron.expression,
        "timezone": what.cron.timezone,
        "paused": what.paused,
        "late_by_at_most": what.late,
        "request": json.loads(what.request),
        "created_at": moment(schedule.created),
        "updated_at": moment(schedule.updated),
        "next_run_at": moment(schedule.next),
        "next_runs": [moment(at) for at in coming],
        "last_run_at": made,
        "last_runs": runs,
        "links": {"self": here, "run": f"{here}/run", "jobs": f"/v1/jobs?label=schedule:{schedule.id}"},
    }


def _run(run: Run) -> Json:
    return {
        "scheduled_for": moment(run.at),
        "at": moment(run.noted),
        "outcome": run.outcome,
        "job": run.job or None,
        "detail": run.detail or None,
        "count": run.count,
        "by_hand": run.by_hand,
    }


def _cron(expression: str, timezone: str) -> Cron:
    try:
        return cron(expression, timezone)
    except CronError as error:
        raise invalid(str(error), f"/{error.field}") from error


def _ulid(schedule_id: str) -> str:
    return schedule_id.rpartition("_")[2]
