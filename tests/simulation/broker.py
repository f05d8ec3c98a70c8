"""A broker that may lose, repeat, reorder or be emptied at any moment (L3)."""

import random


class Broker:
    """A list of job ids. `redelivers`: what a dead worker had unacknowledged comes back (RabbitMQ) or is gone (Redis)."""

    def __init__(self, rng: random.Random, *, redelivers: bool) -> None:
        self._rng = rng
        self._messages: list[str] = []
        self._redelivers = redelivers

    def push(self, job_id: str) -> None:
        """A doorbell rings."""
        self._messages.append(job_id)

    def depth(self) -> int:
        """How many messages wait."""
        return len(self._messages)

    def take(self) -> str | None:
        """Mostly the oldest."""
        return self._messages.pop(0) if self._messages else None

    def back(self, job_ids: list[str]) -> None:
        """A worker died with these unacknowledged."""
        if self._redelivers:
            self._messages += job_ids

    def misbehave(self) -> None:
        """Lose one, repeat one, mix all, or lose all."""
        if not self._messages:
            return
        at = self._rng.randrange(len(self._messages))
        match self._rng.randrange(8):
            case 0 | 1 | 2:
                del self._messages[at]
            case 3 | 4:
                self._messages.append(self._messages[at])
            case 5 | 6:
                self._rng.shuffle(self._messages)
            case _:
                self._messages.clear()
