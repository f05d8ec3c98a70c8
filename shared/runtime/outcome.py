"""How one attempt at a job can end. One clause per outcome in `attempt.settle`."""

from dataclasses import dataclass, field
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from pydantic import ValidationError

from shared.contracts.base import Result
from shared.errors import JobCanceled, JobError, JobPostponed, StaleTokenError, TransientError, UnavailableError
from shared.job import FanOut


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The handler returned its result."""

    result: Result


@dataclass(frozen=True, slots=True)
class FannedOut:
    """The handler left the work to children."""

    fan_out: FanOut


@dataclass(frozen=True, slots=True)
class Failed:
    """The handler raised. `error` is what users see."""

    error: dict[str, Any] = field(default_factory=dict)
    retryable: bool = True
    retry_after: float | None = None
    cause: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Postponed:
    """The handler goes on later, of its own accord."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """The handler noticed the cancel."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The ledger says that this attempt no longer holds the job; there is nothing to settle."""


Outcome = Succeeded | FannedOut | Failed | Postponed | Stopped | Lost


def of(error: BaseException) -> Outcome:  # noqa: PLR0911 - one return for each outcome
    """What an exception from a handler means. The raiser says whether it is worth another try; what nobody foresaw is."""
    match error:
        case JobCanceled():
            return Stopped()
        case JobPostponed():
            return Postponed(error.detail, error.seconds)
        case StaleTokenError():
            return Lost()
        case JobError():
            return Failed(_described(error), error.retryable, getattr(error, "retry_after", None), error)
        case SoftTimeLimitExceeded():
            late = TransientError("it ran longer than the service's time limit allows", type="time-limit")
            return Failed(_described(late), True, None, error)
        case UnavailableError():
            return Failed(_described(TransientError(str(error), type="unavailable")), True, None, error)
        case _:
            unforeseen = TransientError(f"an unforeseen error: {type(error).__name__}", type="unforeseen")
            return Failed(_described(unforeseen), True, None, error)


def malformed(error: ValidationError) -> Failed:
    """The ledger's request fits no contract any more: trying again cannot help."""
    first = error.errors(include_url=False, include_input=False)[0]
    pointer = "/" + "/".join(str(part) for part in first["loc"])
    detail = f"the request does not fit its contract at {pointer}: {first['msg']}"
    described = {"type": "malformed-request", "title": "The request is malformed", "detail": detail, "retryable": False, "pointer": pointer}
    return Failed(described, retryable=False, cause=error)


def _described(error: JobError) -> dict[str, Any]:
    body = {"type": error.type, "title": error.title, "detail": error.detail, "retryable": error.retryable}
    return {**body, "pointer": error.pointer} if error.pointer else body
