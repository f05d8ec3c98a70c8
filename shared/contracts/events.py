"""The events of a job: one enum for SSE, webhooks and AsyncAPI."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class EventType(StrEnum):
    """What happened to a job, in the past tense."""

    ACCEPTED = "job.accepted"
    STARTED = "job.started"
    PROGRESSED = "job.progressed"
    RETRYING = "job.retrying"
    RESCUED = "job.rescued"
    CANCELING = "job.canceling"
    SUCCEEDED = "job.succeeded"
    FAILED = "job.failed"
    CANCELED = "job.canceled"
    EXPIRED = "job.expired"
    REDRIVEN = "job.redriven"


TERMINAL_EVENTS = frozenset({EventType.SUCCEEDED, EventType.FAILED, EventType.CANCELED, EventType.EXPIRED})


class JobEvent(BaseModel):
    """One numbered event. `seq` counts from 1 without a gap; `time` is Unix milliseconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seq: int
    type: EventType
    time: int
    data: dict[str, Any] = {}
