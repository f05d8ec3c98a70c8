"""The states of a job, and how long an outside observer has to wait for the next one."""

from enum import StrEnum


class State(StrEnum):
    """Where a job is. `done` is true exactly in the four terminal states."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED, State.EXPIRED})
