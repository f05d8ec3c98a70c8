"""How schedules look on the wire, for OpenAPI."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel


class ScheduleRunShape(BaseModel):
    """One run of a schedule, or `count` of them that were missed together; `detail` says why there is no job."""

    scheduled_for: datetime
    at: datetime
    outcome: Literal["submitted", "skipped", "failed"]
    job: str | None
    detail: str | None
    count: int
    by_hand: bool


class ScheduleShape(BaseModel):
    """A schedule, the runs to come, and what became of the last ones, newest first."""

    id: str
    service: str
    kind: str
    cron: str
    timezone: str
    paused: bool
    late_by_at_most: int | None
    request: Any
    created_at: datetime
    updated_at: datetime
    next_run_at: datetime | None
    next_runs: list[datetime]
    last_run_at: datetime | None
    last_runs: list[ScheduleRunShape]
    links: dict[str, str]


class SchedulePage(BaseModel):
    """Some schedules, newest first."""

    items: list[ScheduleShape]
    next_cursor: str | None
