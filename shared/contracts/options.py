"""`options`: what every submission may say about *how* its job is run, whatever the job is."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, model_validator

from shared.contracts.events import EventType


def _within_the_calendar(when: datetime) -> datetime:
    """Refuse what is before 1970 or, seen from UTC, after 9999: no ledger and no calendar could show it."""
    if not 0 <= when.timestamp() < 253_402_300_800:  # noqa: PLR2004 - 10000-01-01T00:00:00Z
        msg = "a time lies between 1970 and 9999"
        raise ValueError(msg)
    return when


Moment = Annotated[AwareDatetime, AfterValidator(_within_the_calendar)]
Priority = Literal["high", "normal", "low"]
LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9_.\-/]+$")]
LabelValue = Annotated[str, StringConstraints(max_length=255)]


class WebhookOptions(BaseModel):
    """Where to tell of this job's events; `events` None means the terminal ones."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: HttpUrl
    events: list[EventType] | None = None


class Options(BaseModel):
    """Priority, delay, expiry, uniqueness, labels, webhook, attempts. Times are RFC 3339 with an offset."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    priority: Priority = "normal"
    run_at: Moment | None = None
    expires_at: Moment | None = None
    unique_key: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    unique_mode: Literal["until_done", "ttl"] = "until_done"
    unique_ttl: Annotated[int, Field(ge=1, le=31 * 86_400, description="seconds, with unique_mode ttl")] = 86_400
    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] = {}
    webhook: WebhookOptions | None = None
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None

    @model_validator(mode="after")
    def _expires_after_run(self) -> "Options":
        if self.run_at and self.expires_at and self.expires_at <= self.run_at:
            msg = "expires_at must be later than run_at, or the job could never start"
            raise ValueError(msg)
        return self
