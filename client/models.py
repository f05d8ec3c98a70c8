"""What the gateway answers with, typed. Readers ignore fields they do not know (docs: the wire contract, v1)."""

from datetime import datetime
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from shared.contracts.states import State


class Model(BaseModel):
    """Read-only; unknown fields are kept in `model_extra`, so that an older client loses nothing it was sent."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Progress(Model):
    """How far a job is: `fraction` from 0 to 1, `eta_seconds` where it can be told."""

    fraction: float = 0.0
    step: str | None = None
    detail: str | None = None
    eta_seconds: float | None = None


class Attempt(Model):
    """One try at a job."""

    number: int
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None
    reason: str | None = None
    crash: dict[str, Any] | None = None


class JobProblem(Model):
    """Why a job failed; `type` is a stable slug, `pointer` the guilty field of the request, `said` what a program (FFmpeg) said to it."""

    type: str = "job-failed"
    title: str = ""
    detail: str = ""
    retryable: bool = False
    pointer: str | None = None
    said: list[str] = []
    attempts: list[Attempt] = []


class JobArtifact(Model):
    """One output: `bytes` is its size, `sha256` lower-case hex, `href` where to get it."""

    name: str
    media_type: str = "application/octet-stream"
    bytes: int
    sha256: str | None = None
    href: str | None = None


class Children(Model):
    """How many jobs this one fanned out into, and how they ended."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0


class Job(Model):
    """A job as `GET /v1/jobs/{id}` shows it."""

    id: str
    service: str
    kind: str
    state: State
    done: bool = False
    progress: Progress = Progress()
    attempt: int = 0
    epoch: int = 1
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    run_at: datetime | None = None
    request: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: JobProblem | None = None
    artifacts: list[JobArtifact] = []
    children: Children | None = None
    labels: dict[str, str] = {}
    paused: bool = False
    trace_id: str | None = None
    links: dict[str, str] = {}

    @property
    def seconds(self) -> float | None:
        """From acceptance to the end; None while it is not done."""
        return (self.finished_at - self.created_at).total_seconds() if self.finished_at else None

    def artifact(self, name: str) -> JobArtifact:
        """The artifact called `name`. Raises KeyError with the names there are."""
        for artifact in self.artifacts:
            if artifact.name == name:
                return artifact
        there = ", ".join(artifact.name for artifact in self.artifacts) or "none"
        raise KeyError(f"{self.id} has no artifact {name!r}; it has: {there}")


class Event(Model):
    """One numbered event of a job: a CloudEvent 1.0. `seq` is its number, from 1 without a gap."""

    seq: int
    type: str
    time: datetime | None = None
    subject: str | None = None
    data: dict[str, Any] = {}


class ScheduleRun(Model):
    """One run of a schedule, or `count` that were missed together. `outcome`: submitted (its `job`), skipped or failed (`detail`)."""

    scheduled_for: datetime
    at: datetime | None = None
    outcome: str
    job: str | None = None
    detail: str | None = None
    count: int = 1
    by_hand: bool = False


class Schedule(Model):
    """A job that is submitted again and again; `next_runs` are to come, `last_runs` are over, newest first."""

    id: str
    service: str = ""
    kind: str
    cron: str
    timezone: str = "UTC"
    paused: bool = False
    late_by_at_most: int | None = None
    request: Any = None
    next_run_at: datetime | None = None
    next_runs: list[datetime] = []
    last_run_at: datetime | None = None
    last_runs: list[ScheduleRun] = []


class DeadLetter(Model):
    """A message or job that needs a human: as received, with the reason and the attempts."""

    id: str
    service: str = ""
    kind: str | None = None
    reason: str = ""
    at: datetime | None = None
    trace_id: str | None = None


class ApiKey(Model):
    """An API key; `key` is the secret itself and is shown only in the answer to its creation."""

    id: str
    tenant: str = ""
    name: str | None = None
    scopes: list[str] = []
    key: str | None = None
    limits: dict[str, int | None] = {}
    created_at: datetime | None = None
    last_used_on: str | None = None


class SuppressedAddress(Model):
    """An address that is not mailed: why, since when, and the mailing (a job's id) that it came from."""

    address: str
    reason: str
    at: datetime | None = None
    mailing: str | None = None
    note: str | None = None


class Queue(Model):
    """One queue of a service; `oldest_age` is in seconds, 0 where nothing waits; `canary_age`: since any worker took anything from it.

    `need`: what its jobs need and only some machines have (`gpu`); such a queue may rightly have no listener while nothing waits there.
    """

    name: str
    need: str | None = None
    depth: int = 0
    oldest_age: float = 0.0
    canary_age: float | None = None


class Worker(Model):
    """One worker: `slots` jobs at once, `busy` of them now, listening on `queues`; `deaf`: it does not hear `deaf_queues`.

    `warm`: how many of its processes have loaded everything; None where a worker does not say.
    """

    name: str
    host: str = ""
    pid: int = 0
    slots: int = 0
    busy: int = 0
    warm: int | None = None
    heartbeat_at: datetime | None = None
    queues: list[str] = []
    deaf: bool = False
    deaf_queues: list[str] = []


class WebhookStanding(Model):
    """How a service's webhooks fare. Ages in seconds; `deliverer_age`: since one last looked, None where none ever did."""

    pending: int = 0
    oldest_age: float = 0.0
    receivers_failing: int = 0
    deliverer_age: float | None = None


class Check(Model):
    """Something that a service stands on, as a worker found it at `at`; not `ok`: `detail` says what is wrong."""

    name: str
    ok: bool = True
    detail: str = ""
    at: datetime | None = None


class Service(Model):
    """A service as `GET /v1/services` shows it; its commands and catalogue are in `model_extra`.

    Not `available`: its ledger does not answer, as `detail` says, and nothing else is known of it.
    """

    name: str
    title: str = ""
    available: bool = True
    detail: str | None = None
    checks: list[Check] = []
    queues: list[Queue] = []
    running: int = 0
    retrying: int = 0
    dead_letters: int = 0
    webhooks: WebhookStanding = WebhookStanding()
    workers: list[Worker] = []


class Span(Model):
    """One step of a trace. `start` is in nanoseconds since 1970, `ns` its length; `links` are the (trace, span) ids that led to it."""

    span_id: str = Field(validation_alias=AliasChoices("span_id", "span"))
    parent_id: str | None = Field(default=None, validation_alias=AliasChoices("parent_id", "parent_span_id", "parent"))
    name: str
    service: str = ""
    start: int = 0
    ns: int | None = None
    error: str | None = None
    links: list[tuple[str, str]] = []


class Trace(Model):
    """All spans known of one trace; without an id there is none. `url` is where to look at it, if anywhere."""

    trace_id: str | None = None
    url: str | None = None
    spans: list[Span] = []
