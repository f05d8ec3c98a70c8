"""`options`: what every submission may say about *how* its job is run, whatever the job is."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, model_validator

from shared.contracts.events import EventType

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
    run_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
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
