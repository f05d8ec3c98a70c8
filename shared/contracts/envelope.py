"""What travels over the broker: the typed command with the job's identity and the trace context.

The envelope is a doorbell. What the ledger says of job `id` decides; a lost, repeated or stale envelope changes nothing.
"""

from typing import Any

from pydantic import Field

from shared.contracts.base import KIND, Blob, Message

JOB_ID = r"^[a-z][a-z0-9]*_[0-9A-HJKMNP-TV-Z]{26}(\.[0-9]+)?$"


class Envelope(Message):
    """A command under way. `command` is its body, or None with `command_blob` where it is larger than 64 kB."""

    id: str = Field(pattern=JOB_ID)
    kind: str = Field(pattern=KIND.pattern)
    epoch: int = Field(ge=1)
    tenant: str
    command: dict[str, Any] | None = None
    command_blob: Blob | None = None
    trace: dict[str, str] = {}
