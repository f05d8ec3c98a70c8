"""Whose turn it is, on RabbitMQ: messages wait here, unacknowledged, until a child is free; then the most urgent goes first.

Celery hands each message to its pool as it comes. RabbitMQ sends a few ahead of each queue, so that an urgent one would wait behind
them, and one that lies behind a long job would outstay the broker's consumer timeout, which closes the channel. (On Redis Celery
takes no message before a child is free.) What has lain here too long goes back to the broker, for another worker or another turn.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import structlog

log = structlog.get_logger()


class Turns:
    """`free` says whether a child is; `hand_over` gives it a message; `order` names the queues, most urgent first."""

    def __init__(
        self,
        order: Sequence[str],
        *,
        free: Callable[[], bool],
        hand_over: Callable[[Any], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting: dict[str, deque[tuple[float, Any]]] = {queue: deque() for queue in order}
        self._free = free
        self._hand_over = hand_over
        self._clock = clock

    def take(self, message: Any) -> None:
        """A message came in."""
        queue = str(message.delivery_info.get("routing_key", ""))
        self._waiting.setdefault(queue, deque()).append((self._clock(), message))
        self.serve()

    def serve(self) -> None:
        """Hand over what can be; called at every turn of the worker's loop, for that is when a child may have become free."""
        for queue in self._waiting.values():
            while queue and self._free():
                _, message = queue.popleft()
                self._hand_over(message)

    def give_back(self, older_than: float) -> int:
        """Return to the broker what has waited for so long (seconds); how many."""
        limit = self._clock() - older_than
        count = 0
        for queue in self._waiting.values():
            while queue and queue[0][0] <= limit:
                _, message = queue.popleft()
                message.requeue()
                count += 1
        if count:
            log.info("messages_returned", count=count, why="no child was free for them")
        return count
