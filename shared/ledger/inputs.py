"""What can happen to a job (inputs) and what the outside world is told (effects): the vocabulary of the state machine."""

from dataclasses import dataclass

from shared.contracts.events import EventType
from shared.job import ChildPolicy


# Effects: what the outside world is told.
@dataclass(frozen=True, slots=True)
class Emit:
    """Append an event."""

    type: EventType


@dataclass(frozen=True, slots=True)
class Ring:
    """Publish the doorbell."""


@dataclass(frozen=True, slots=True)
class Bury:
    """Put the job into the dead letters."""

    reason: str


Effect = Emit | Ring | Bury


# Inputs: what can happen to a job.
@dataclass(frozen=True, slots=True)
class Claim:
    """A worker heard the doorbell."""

    lease_ms: int


@dataclass(frozen=True, slots=True)
class Renew:
    """The holder's parent is alive."""

    token: int
    lease_ms: int


@dataclass(frozen=True, slots=True)
class Succeed:
    """The handler returned a result."""

    token: int


@dataclass(frozen=True, slots=True)
class Fail:
    """The handler raised. `policy_attempts` applies where the user set no `max_attempts`."""

    token: int
    retryable: bool
    delay_ms: int
    policy_attempts: int


@dataclass(frozen=True, slots=True)
class Lose:
    """The pool child died while it held the job."""

    token: int
    budget: int


@dataclass(frozen=True, slots=True)
class Release:
    """A stopping worker gives the job back."""

    token: int


@dataclass(frozen=True, slots=True)
class Postpone:
    """The handler goes on later, of its own accord."""

    token: int
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The handler stopped because of a cancel."""

    token: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """The user asks for a cancel; of a parent that settles up, `ended` children end with it at once."""

    ended: int = 0


@dataclass(frozen=True, slots=True)
class Suspend:
    """The handler fanned out: `total` children exist, `ok` and `bad` of them are done already.

    `settles`: it runs once more after a cancel; of one that was cancelled meanwhile, `ended` children end with it at once.
    """

    token: int
    total: int
    on_failure: ChildPolicy
    ok: int = 0
    bad: int = 0
    settles: bool = False
    ended: int = 0


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """One more child reached a terminal state."""

    succeeded: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """The reconciler looks: an expired lease, a deadline, a due time."""

    budget: int


@dataclass(frozen=True, slots=True)
class Redrive:
    """The user opens a new epoch."""


Input = Claim | Renew | Succeed | Fail | Lose | Release | Postpone | Stopped | Cancel | Suspend | ChildEnded | Tick | Redrive
