"""The errors of the house.

    CounterfoilError
    ├── JobError                  raised by a handler; says what happens next
    │   ├── PermanentError        never retried: straight to the dead letters
    │   ├── TransientError        retried as the service's policy says; may carry retry_after
    │   ├── JobPostponed          not a failure: the handler goes on later, and no attempt is burned
    │   └── JobCanceled           raised by job.checkpoint() once a cancel was requested
    ├── StaleTokenError           the writer's lease is gone: somebody else has the job, or nobody may
    ├── MalformedMessageError     no contract accepts this message: dead-lettered once
    ├── StorageError
    │   └── BlobNotFoundError
    ├── UnavailableError          ledger, broker or storage does not answer
    └── SettingsError             settings contradict each other; refuses to start with a sentence

The raiser says what happens next (Temporal's `ApplicationError(non_retryable=...)`): no list of exception names elsewhere.
"""

from collections.abc import Sequence
from typing import ClassVar


class CounterfoilError(Exception):
    """The root. `title` is the short, constant name that users see; the message is the sentence for this case."""

    title: ClassVar[str] = "Something went wrong"


class JobError(CounterfoilError):
    """A handler's failure. `type` is a stable slug that clients may switch on; `pointer` names the guilty field.

    `said` are the lines of a program that it rests on, for those who know the program; the detail says it in plain words.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        type: str = "job-failed",  # noqa: A002 - RFC 9457's word
        pointer: str | None = None,
        said: Sequence[str] = (),
    ) -> None:
        """Keep the sentence for the user in `detail`."""
        super().__init__(detail)
        self.detail = detail
        self.type = type
        self.pointer = pointer
        self.said = tuple(said)


class PermanentError(JobError):
    """Trying again cannot help (bad input, a refused request)."""

    title = "The job cannot succeed as it was requested"


class TransientError(JobError):
    """Trying again may help. `retry_after` (seconds) is what a remote asked for, where it did."""

    title = "The job failed for now"
    retryable = True

    def __init__(
        self,
        detail: str,
        *,
        type: str = "job-failed",  # noqa: A002 - RFC 9457's word
        pointer: str | None = None,
        said: Sequence[str] = (),
        retry_after: float | None = None,
    ) -> None:
        """Keep the remote's wish beside the sentence."""
        super().__init__(detail, type=type, pointer=pointer, said=said)
        self.retry_after = retry_after


class JobPostponed(JobError):  # noqa: N818 - it is not an error, it is an outcome
    """Nothing failed, but there is nothing to do for now (a rate limit, a server that asked to come later): the job goes on then.

    It holds no worker meanwhile. The next run begins anew; what this one did, it has noted in the journal (`job.effects`).
    """

    title = "The job goes on later"

    def __init__(self, reason: str, *, seconds: float) -> None:
        """`reason` is for people; `seconds` from now."""
        super().__init__(reason, type="postponed")
        self.seconds = seconds


class JobCanceled(JobError):  # noqa: N818 - it is not an error, it is an outcome
    """The user cancelled the job, and the handler noticed."""

    title = "The job was cancelled"

    def __init__(self) -> None:
        """Nothing to say beyond the name."""
        super().__init__("cancelled on request", type="canceled")


class StaleTokenError(CounterfoilError):
    """This run of the job is over: its fencing token is stale, so the ledger refused the write."""

    title = "The lease is gone"


class MalformedMessageError(CounterfoilError):
    """No contract accepts the message. `pointer` names the field, as a JSON pointer, where one is to blame."""

    title = "The message is malformed"

    def __init__(self, detail: str, *, pointer: str | None = None) -> None:
        """Keep the field's pointer beside the sentence."""
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class StorageError(CounterfoilError):
    """The storage refused or failed."""

    title = "The storage failed"


class BlobNotFoundError(StorageError):
    """No bytes lie under this key."""

    title = "The bytes are gone"


class UnavailableError(CounterfoilError):
    """A server this process depends on does not answer. `what` names it."""

    title = "A backing service does not answer"

    def __init__(self, what: str, detail: str) -> None:
        """Keep the server's name for /readyz and the problem."""
        super().__init__(f"{what}: {detail}")
        self.what = what
        self.detail = detail


class SettingsError(CounterfoilError):
    """The settings contradict each other; the sentence says which and how to mend it."""

    title = "The settings contradict each other"
