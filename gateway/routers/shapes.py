"""The answers' shapes, for OpenAPI: what `views` makes, described. Nothing is validated against them on the way out."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

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


class ErrorShape(BaseModel):
    """Why it failed, and what was tried."""

    type: str
    title: str
    detail: str
    retryable: bool
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


PROBLEM: dict[str, Any] = {"model": ProblemShape, "description": "A problem (RFC 9457)"}
ERRORS: dict[int | str, dict[str, Any]] = dict.fromkeys((401, 403, 404, 422), PROBLEM)
