"""How long a process that died waits before it is started again."""

import signal

QUICK = (0.2, 0.5, 1.0, 1.5)
SLOW = (5.0, 10.0, 15.0)
SETTLED = 20.0
"""Seconds after which a process counts as running, not as crash-looping."""


class Backoff:
    """How long to wait before a start, in seconds: under 2 for the first deaths, then longer, never for good."""

    def __init__(self) -> None:
        self.deaths = 0

    def after(self, lived: float, code: int) -> float:
        """The wait after a process lived that many seconds and ended with `code`, as `subprocess` counts (-9: SIGKILL)."""
        if lived >= SETTLED:
            self.deaths = 0
        self.deaths += 1
        # Somebody who kills a process again and again is not the process's fault: that never slows it down.
        steps = QUICK if code == -signal.SIGKILL else QUICK + SLOW
        return steps[min(self.deaths, len(steps)) - 1]

    @property
    def looping(self) -> bool:
        """True once quick starts did not help."""
        return self.deaths > len(QUICK)
