"""The answers' shapes, for OpenAPI: what `views` makes, described. Nothing is validated against them on the way out."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from gateway.routers.webhook_shapes import WebhooksShape
from shared.contracts.events import EventType
from shared.contracts.states import State


class ProblemError(BaseModel):
    """One guilty place in the request, as a JSON pointer into the body (or /query/…, /header/…)."""

    pointer: str
    message: str


class ProblemShape(BaseModel):
    """An RFC 9457 problem."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    trace_id: str
    errors: list[ProblemError] | None = None


class ProgressShape(BaseModel):
    """How far the job is."""

    fraction: float
    step: str
    detail: str
    eta_seconds: float | None


class AttemptShape(BaseModel):
    """One try."""

    number: int
    epoch: int
    started_at: datetime
    ended_at: datetime
    outcome: str
    reason: str | None = None
    worker: str | None = None
    crash: dict[str, Any] | None = None


class ErrorShape(BaseModel):
    """Why it failed, and what was tried. `pointer` is the guilty field of the request, `said` what a program (FFmpeg) said to it."""

    type: str
    title: str
    detail: str
    retryable: bool
    pointer: str | None = None
    said: list[str] | None = None
    attempts: list[AttemptShape]


class ArtifactShape(BaseModel):
    """One output. `browser_href` needs no key and is good for an hour."""

    name: str
    media_type: str
    bytes: int
    sha256: str
    href: str
    browser_href: str | None = None


class ChildrenShape(BaseModel):
    """The jobs that this one fanned out into."""

    total: int
    succeeded: int
    failed: int


class JobShape(BaseModel):
    """A job."""

    id: str
    service: str
    kind: str
    state: State
    done: bool
    progress: ProgressShape
    attempt: int
    epoch: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    run_at: datetime | None
    request: Any
    result: dict[str, Any] | None
    error: ErrorShape | None
    artifacts: list[ArtifactShape]
    children: ChildrenShape
    labels: dict[str, str]
    paused: bool
    trace_id: str | None
    links: dict[str, str]


class JobPage(BaseModel):
    """Some jobs, newest first; pass `next_cursor` as `cursor` for more."""

    items: list[JobShape]
    next_cursor: str | None


class DeadLetterShape(BaseModel):
    """A dead letter: the message as received, why it lies here, and what was tried."""

    id: str
    service: str
    kind: str | None
    job: str | None
    reason: str
    at: datetime
    error: dict[str, Any] | None
    attempts: list[AttemptShape]
    message: Any
    trace_id: str | None
    links: dict[str, str]


class DeadLetterPage(BaseModel):
    """Some dead letters, newest first."""

    items: list[DeadLetterShape]
    next_cursor: str | None


class RedrivenShape(BaseModel):
    """What a redrive of many did; `jobs` are the ids of what was redriven."""

    matched: int
    redriven: int
    dry_run: bool
    jobs: list[str]


class QueueShape(BaseModel):
    """A queue; `oldest_age` in seconds, 0 where nothing waits; `canary_age`: seconds since any worker took anything from it.

    `held_back`: those of `depth` that may not start yet, for their tenant or the service runs as many jobs as it may. `need`: what its jobs
    need and only some machines have (`gpu`); it is served by workers that were told to.
    """

    name: str
    need: str | None = None
    depth: int
    held_back: int = 0
    oldest_age: float
    canary_age: float | None = None


class WorkerShape(BaseModel):
    """A worker that told of itself within the last 15 seconds. `deaf`: it has a slot free and takes nothing from `deaf_queues`.

    `warm`: how many of its processes have loaded everything that a job would otherwise wait for.
    """

    name: str
    host: str
    pid: int
    slots: int
    busy: int
    warm: int | None = None
    heartbeat_at: datetime
    started_at: datetime | None = None
    queues: list[str]
    deaf: bool = False
    deaf_queues: list[str] = []


class CommandShape(BaseModel):
    """What may be submitted at `route`, and what its result is: JSON Schema and examples (not with `details=false`)."""

    kind: str
    route: str
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    result_schema: dict[str, Any] | None = None
    examples: list[dict[str, Any]] | None = None


class CheckShape(BaseModel):
    """Something that the service stands on (storage, a mail relay, FFmpeg), as a worker found it at `at`; not `ok`: `detail` says why."""

    name: str
    ok: bool
    detail: str
    at: str


class LimitsShape(BaseModel):
    """How many jobs may run at once, in the service and for one tenant in it, as its workers have it; null: any number."""

    running: int | None
    running_per_tenant: int | None


class ServiceLinks(BaseModel):
    """Where the rest is."""

    catalogue: str


class ServiceShape(BaseModel):
    """A service; what follows `available` is there only where its ledger answers, else `detail` says why not."""

    name: str
    title: str
    commands: list[CommandShape]
    links: ServiceLinks
    available: bool
    detail: str | None = None
    catalogue: dict[str, Any] | None = None
    checks: list[CheckShape] | None = None
    limits: LimitsShape | None = None
    queues: list[QueueShape] | None = None
    running: int | None = None
    retrying: int | None = None
    dead_letters: int | None = None
    webhooks: WebhooksShape | None = None
    workers: list[WorkerShape] | None = None


class ServiceList(BaseModel):
    """All services."""

    items: list[ServiceShape]


class SpanShape(BaseModel):
    """A span that ended; `start` in nanoseconds since 1970, `ns` its length."""

    trace: str
    span: str
    parent: str | None
    name: str
    service: str
    kind: str
    start: int
    ns: int
    pid: int
    error: str | None
    attributes: dict[str, Any]
    events: list[Any]
    links: list[list[str]]


class TraceShape(BaseModel):
    """A job's trace: where people look at it, and the spans recorded here."""

    trace_id: str | None
    url: str | None
    spans: list[SpanShape]


class EventShape(BaseModel):
    """A CloudEvent 1.0 in JSON; `data` also has what belongs to the event's type."""

    specversion: str
    id: str
    source: str
    type: EventType
    subject: str
    time: datetime
    datacontenttype: str
    sequence: str
    seq: int
    data: dict[str, Any]
    traceparent: str | None = None


PROBLEM: dict[str, Any] = {"model": ProblemShape, "description": "A problem (RFC 9457)"}
ERRORS: dict[int | str, dict[str, Any]] = dict.fromkeys((401, 403, 404, 422), PROBLEM)
