"""Which of several mail servers to turn to: the first in the list that has not failed of late."""

import time
from collections.abc import Callable, Sequence

from services.mailer.settings import Relay

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
LOSSES = 2
"""Connections in a row that broke before they had carried a mail: the server is up, and of no use."""


class Breaker:
    """Remembers failures, a pause for each server that doubles with each; a mail that was taken clears it."""

    def __init__(self, relays: Sequence[Relay], now: Callable[[], float] = time.monotonic) -> None:
        """All are thought to be well."""
        self._relays = tuple(relays)
        self._now = now
        self._until: dict[Relay, float] = {}
        self._pause: dict[Relay, float] = {}
        self._losses: dict[Relay, int] = {}

    def order(self) -> list[Relay]:
        """All of them, in the order to try them: those on pause come last, who has waited longest first."""
        now = self._now()
        well = [relay for relay in self._relays if self._until.get(relay, 0.0) <= now]
        return well + sorted((relay for relay in self._relays if relay not in well), key=lambda relay: self._until[relay])

    def failed(self, relay: Relay) -> None:
        """It cannot be reached, or does not let us in."""
        if self._until.get(relay, 0.0) > self._now():
            return  # the connections of a batch find the same thing at the same time
        pause = self._pause.get(relay, FIRST_PAUSE)
        self._until[relay] = self._now() + pause
        self._pause[relay] = min(pause * 2, LONGEST_PAUSE)

    def broke(self, relay: Relay) -> None:
        """A fresh connection broke."""
        self._losses[relay] = self._losses.get(relay, 0) + 1
        if self._losses[relay] >= LOSSES:
            self.failed(relay)

    def took(self, relay: Relay) -> None:
        """It took a mail."""
        for memory in (self._until, self._pause, self._losses):
            memory.pop(relay, None)
