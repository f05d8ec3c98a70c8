"""How one attempt at a job can end. One clause per outcome in `attempt.settle`."""

import errno
from dataclasses import dataclass, field
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from pydantic import ValidationError

from shared.contracts.base import Result
from shared.errors import JobCanceled, JobError, JobPostponed, StaleTokenError, StorageError, TransientError, UnavailableError
from shared.job import FanOut

FULL = (errno.ENOSPC, errno.EDQUOT)


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


def of(error: BaseException) -> Outcome:
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
        case _:
            return Failed(_described(_passing(error)), True, None, error)


def _passing(error: BaseException) -> TransientError:
    """What no handler's author said: it may pass. An unknown error's own text stays in the log, for it may hold anything."""
    match error:
        case SoftTimeLimitExceeded():
            return TransientError("it ran longer than the service's time limit allows", type="time-limit")
        case UnavailableError():
            return TransientError(str(error), type="unavailable")
        case StorageError():  # its text is a key of ours and the system's word: "No space left on device"
            return TransientError(f"the storage failed: {error}", type="storage")
        case OSError() if error.errno in FULL:
            return TransientError(f"the worker's disk is full: {error.strerror}", type="disk-full")
        case _:
            return TransientError(f"an unforeseen error: {type(error).__name__}", type="unforeseen")


def malformed(error: ValidationError) -> Failed:
    """The ledger's request fits no contract any more: trying again cannot help."""
    first = error.errors(include_url=False, include_input=False)[0]
    pointer = "/" + "/".join(str(part) for part in first["loc"])
    detail = f"the request does not fit its contract at {pointer}: {first['msg']}"
    described = {"type": "malformed-request", "title": "The request is malformed", "detail": detail, "retryable": False, "pointer": pointer}
    return Failed(described, retryable=False, cause=error)


def _described(error: JobError) -> dict[str, Any]:
    body = {"type": error.type, "title": error.title, "detail": error.detail, "retryable": error.retryable}
    return body | ({"pointer": error.pointer} if error.pointer else {}) | ({"said": list(error.said)} if error.said else {})
