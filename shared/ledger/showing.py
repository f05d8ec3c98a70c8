"""Artifacts that can be fetched while their job still runs."""

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
