"""A process of the home, as data: the supervisor knows nothing else of what it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Stage(IntEnum):
    """Started in this order, each stage after the one before it answers; stopped in the reverse order.

    The ledger goes last (but for the guard), so that workers can write down what they give back.
    """

    GUARD = 0
    LEDGER = 1
    ROOMS = 2
    SCHEDULES = 3
    """Beats and webhooks: the home is ready without them. The first tick is minutes away, and what is owed to receivers is kept."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One process to keep running."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own environment."""
    stage: Stage = Stage.ROOMS
    answers: Callable[[], bool] | None = None
    """True once the process serves. Called from a thread; must not raise and must end within a few seconds."""
    title: str = ""
    """What people call it while they wait for it; empty: its name."""

    @property
    def is_guard(self) -> bool:
        """True for the process that outlives a killed supervisor to clear up behind it: its stdin is the lifeline."""
        return self.stage is Stage.GUARD
