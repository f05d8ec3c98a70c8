"""The upkeep commands that every service has: its built-in schedules turn into jobs of these kinds.

Each contract subclasses them with a kind of its own, because a kind begins with its service's name.
"""

from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.base import Command, Result


class SweepResult(Result):
    """How much the nightly sweep removed; `bytes` is the disk space given back."""

    removed: int
    bytes: int


class Sweep(Command):
    """Remove temporary files older than `older_than` seconds that no live job owns."""

    result: ClassVar[type[Result]] = SweepResult

    older_than: Annotated[int, Field(ge=0)] = 86_400


class QueueHealth(Result):
    """One look at a service's queues; `oldest_age` is in seconds, 0 where nothing waits."""

    depth: dict[str, int]
    oldest_age: float
    dead_letters: int


class MeasureQueues(Command):
    """Look at the queues (depth, oldest age, dead letters) and tell the log and the metrics."""

    result: ClassVar[type[Result]] = QueueHealth
