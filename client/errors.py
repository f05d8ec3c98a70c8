"""What can go wrong when talking to a gateway.

ClientError
├── UnreachableError          no answer: not running, wrong address, or the connection broke and may not be repeated
├── WaitTimeoutError          the job is not done yet; it goes on, and can be waited for again
├── JobFailedError            the job ended, but not as succeeded; `job` says how
├── IntegrityError            bytes arrived that are not what the gateway announced
└── ApiError                  the gateway said no, with an RFC 9457 problem
    ├── InvalidRequestError       invalid-request, idempotency-mismatch, unsupported-media, payload-too-large
    ├── UnauthenticatedError      no key, or a revoked one
    ├── ForbiddenError            the key lacks the scope
    ├── NotFoundError             unknown, or another tenant's
    ├── ConflictError             conflict, unique-conflict, idempotency-in-flight
    ├── LimitedError              rate-limited, quota-exceeded: come back after `retry_after` seconds
    └── UnavailableError          queue-full, unavailable, or a proxy's 502 or 504
"""

from typing import TYPE_CHECKING

from client.problems import Problem

if TYPE_CHECKING:
    from client.models import Job


class ClientError(Exception):
    """The root; the message is one sentence that a user can act on."""


class UnreachableError(ClientError):
    """The gateway did not answer."""


class WaitTimeoutError(ClientError, TimeoutError):
    """The time is over and the job is not done. Nothing was stopped."""


class IntegrityError(ClientError):
    """The bytes do not have the announced size or sha256."""


class JobFailedError(ClientError):
    """The job ended as failed, canceled or expired."""

    def __init__(self, job: "Job") -> None:
        """Keep the job; the message is its error's detail, where it has one."""
        super().__init__(f"{job.id} {job.state}: {job.error.detail if job.error else 'no error was recorded'}")
        self.job = job


class ApiError(ClientError):
    """The gateway refused. `status` is the HTTP status, `problem` the whole document, `retry_after` in seconds."""

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        """Make the sentence from the problem."""
        super().__init__(problem.sentence())
        self.problem = problem
        self.status = problem.status
        self.retry_after = retry_after


class InvalidRequestError(ApiError):
    """The body or a parameter is wrong; `problem.errors` points at what."""


class UnauthenticatedError(ApiError):
    """There is no valid API key in the request."""


class ForbiddenError(ApiError):
    """The key is valid but lacks the scope."""


class NotFoundError(ApiError):
    """There is no such thing, or it is another tenant's."""


class ConflictError(ApiError):
    """The thing's state does not allow it."""


class LimitedError(ApiError):
    """A rate limit or quota was reached."""


class UnavailableError(ApiError):
    """The platform cannot take it now; the same request may work later."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequestError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: NotFoundError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    429: LimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def api_error(problem: Problem, *, retry_after: float | None = None) -> ApiError:
    """The class of `ApiError` that fits the problem's status."""
    return _BY_STATUS.get(problem.status, ApiError)(problem, retry_after=retry_after)
