"""Artifacts that can be fetched while their job still runs: its own, and those that a child made for the parent that waits for it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from shared.contracts.base import Artifact
from shared.contracts.states import State
from shared.ledger.calls import Call, held_state
from shared.ledger.record import legible_json


def show(job_id: str, token: int, artifacts: Sequence[Artifact], body: Mapping[str, Any]) -> Call[State]:
    """Make a job's artifacts so far visible, with a `progressed` event of the data `body`. Raises StaleTokenError."""
    made = json.dumps([artifact.model_dump() for artifact in artifacts])
    return Call("show", (job_id, token, made, legible_json(body)), held_state)


def show_above(child_id: str, token: int, artifacts: Sequence[Artifact], told: Artifact, rank: int) -> Call[bool]:
    """Make a child's artifacts visible as its waiting parent's, in one step, with a `progressed` event of the parent that names `told`.

    False where nothing was done: something of this `rank` (0: none) or a higher one was shown before, or the parent does not wait.
    Raises StaleTokenError where the child is no longer held.
    """
    made = json.dumps([artifact.model_dump() for artifact in artifacts])
    return Call("show_above", (child_id, token, made, json.dumps(told.model_dump(exclude={"key"})), rank), _shown)


def _shown(reply: Sequence[str]) -> bool:
    held_state(reply)
    return reply[2] == "1"
