"""Dead letters: what failed for good, with the message as received, and what can be done about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.ledger.calls import Answer, Call
from shared.ledger.record import JobRecord, legible_json


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One entry. `job` is None for a message that never became a job; then `entry` has it as it came in."""

    id: str
    at: int
    job: JobRecord | None
    entry: Mapping[str, Any]

    @property
    def reason(self) -> str:
        """One word: permanent, exhausted, worker_lost, expired_lease, malformed, rejected_by_broker."""
        return self.job.text("reason") if self.job else str(self.entry.get("reason", "malformed"))

    @property
    def kind(self) -> str:
        """The command's kind; '' where the message did not even say."""
        return self.job.kind if self.job else str(self.entry.get("kind", ""))

    @property
    def tenant(self) -> str:
        """Whose it is; '' where the message did not even say."""
        return self.job.tenant if self.job else ""


def _entry(reply: Any) -> DeadLetter:
    job_id, at, record, attempts, raw = reply
    return DeadLetter(job_id, int(float(at)), JobRecord.parse(job_id, record, attempts), json.loads(raw) if raw else {})


def page(*, start: int = 0, most: int = 100) -> Call[list[DeadLetter]]:
    """Dead letters, newest first, from rank `start`."""
    return Call("dead", (start, most), lambda reply: [_entry(item) for item in reply])


def one(entry_id: str) -> Call[DeadLetter | None]:
    """One dead letter."""
    return Call("dead_one", (entry_id,), lambda reply: _entry(reply) if reply else None)


def bury(entry_id: str, entry: Mapping[str, Any]) -> Call[Answer]:
    """Keep a message that no contract accepts."""
    return Call("bury", (entry_id, legible_json(entry)), lambda reply: Answer(reply[0]))


def discard(entry_id: str) -> Call[Answer]:
    """Let a dead letter go; its job stays failed. Answers: ok, unknown."""
    return Call("discard", (entry_id,), lambda reply: Answer(reply[0]))
