"""`/v1/schedules`: recurring jobs."""

from collections.abc import Iterator, Mapping
from typing import Any

from client.models import Job, Schedule
from client.pages import items
from client.transport import Transport


class Schedules:
    """Jobs that are submitted again and again, by cron in a time zone."""

    def __init__(self, transport: Transport) -> None:
        """Made by `Counterfoil`."""
        self._transport = transport

    def create(
        self,
        kind: str,
        request: Mapping[str, Any],
        *,
        cron: str,
        timezone: str = "UTC",
        paused: bool = False,
        late_by_at_most: int | None = None,
        idempotency_key: str | None = None,
    ) -> Schedule:
        """Make one. `late_by_at_most` (seconds): a run that nobody could make within it is skipped."""
        body: dict[str, Any] = {"kind": kind, "request": dict(request), "cron": cron, "timezone": timezone, "paused": paused}
        body |= {} if late_by_at_most is None else {"late_by_at_most": late_by_at_most}
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return Schedule.model_validate(self._transport.request("POST", "/v1/schedules", json=body, headers=headers).json())

    def list(self, *, service: str | None = None, limit: int | None = None) -> Iterator[Schedule]:
        """The tenant's schedules, newest first, fetched as they are consumed."""
        return (Schedule.model_validate(item) for item in items(self._transport, "/v1/schedules", {"service": service}, limit=limit))

    def show(self, schedule: str) -> Schedule:
        """One schedule with the runs to come and the last ones."""
        return Schedule.model_validate(self._transport.request("GET", f"/v1/schedules/{schedule}").json())

    def change(self, schedule: str, **fields: Any) -> Schedule:
        """Change cron, timezone, request, paused or late_by_at_most; what is left out stays."""
        return Schedule.model_validate(self._transport.request("PATCH", f"/v1/schedules/{schedule}", json=fields).json())

    def run(self, schedule: str) -> Job:
        """One run now, besides those to come."""
        return Job.model_validate(self._transport.request("POST", f"/v1/schedules/{schedule}/run").json())

    def delete(self, schedule: str) -> None:
        """No further runs; the jobs that it made stay."""
        self._transport.request("DELETE", f"/v1/schedules/{schedule}")
