"""How many connections may send at once: halved when the server says 421, one more after each hundred mails taken."""

GROW_AFTER = 100


class Crowd:
    """The connections of a batch, by number. Of those that are there, the first ones are admitted."""

    def __init__(self, most: int) -> None:
        """Begin with all of them."""
        self._there = set(range(most))
        self._most = most
        self._now = most
        self._taken = 0

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
        self._taken = 0

    def succeeded(self) -> None:
        """A mail was taken."""
        self._taken += 1
        if self._taken >= GROW_AFTER and self._now < self._most:
            self._now, self._taken = self._now + 1, 0
