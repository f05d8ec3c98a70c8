"""An earlier job, as a later one of the same service sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.contracts.base import Artifact, Blob
from shared.contracts.states import State


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier job of the same service and tenant that is done. `request` is its command's JSON, `inputs` its uploads by id."""

    id: str
    kind: str
    state: State
    request: bytes
    artifacts: Sequence[Artifact]
    inputs: Mapping[str, Blob]
