"""How many connections may send at once: halved when the server says 421, one more after each hundred mails taken.

All processes share that through the ledger; a batch's own count is what goes at once, and what the ledger says a moment later.
"""

import time

from shared.errors import UnavailableError
from shared.job import Throttles

GROW_AFTER = 100
EVERY = 1.0
"""Seconds between two looks."""


class Crowd:
    """The connections of a batch, by number. Of those that are there, the first ones are admitted."""

    def __init__(self, most: int, throttles: Throttles, name: str) -> None:
        """`name` is the server's. Call `look` before the first is admitted."""
        self._there = set(range(most))
        self._most = most
        self._now = most
        self._taken = 0
        self._throttles = throttles
        self._name = name
        self._too_many = False
        self._next = 0.0

    def admits(self, number: int) -> bool:
        """May this connection take a mail?"""
        return self._now >= self._most or sum(other < number for other in self._there) < self._now

    def leave(self, number: int) -> int:
        """It is gone; how many are left."""
        self._there.discard(number)
        return len(self._there)

    def shrink(self) -> None:
        """The server has too many."""
        self._now = max(1, self._now // 2)
        self._too_many = True

    def succeeded(self) -> None:
        """A mail was taken."""
        self._taken += 1

    def look(self) -> None:
        """Tell the ledger what happened since the last time, and hear what all processes together found; seldom, unless there is news."""
        now = time.monotonic()
        if now < self._next and not self._too_many:
            return
        self._next = now + EVERY
        more = self._taken // GROW_AFTER
        try:
            share = self._throttles.crowd(self._name, halve=self._too_many, more=more / self._most)
        except UnavailableError:
            return  # said next time
        self._taken -= more * GROW_AFTER
        self._too_many = False
        self._now = max(1, round(self._most * share))
