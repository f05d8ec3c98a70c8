"""Per-stage timings of one job: for its result, and as spans of its trace."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from shared.telemetry import step


class Clock:
    """Adds up the wall time of named stages; a stage that is entered again adds to its sum."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body under `name`, also when it raises."""
        started = time.perf_counter()
        try:
            with step(name):
                yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - started

    def note(self, name: str, seconds: float) -> None:
        """Add what somebody else measured."""
        self._seconds[name] = self._seconds.get(name, 0.0) + seconds

    def milliseconds(self) -> dict[str, float]:
        """The sums in milliseconds, to a tenth, in the order in which the stages were first entered."""
        return {name: round(seconds * 1000, 1) for name, seconds in self._seconds.items()}
