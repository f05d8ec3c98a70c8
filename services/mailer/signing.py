"""Signing ahead: while the sender waits for the server, threads sign the mails that come next.

OpenSSL signs without Python's lock, so that two threads and the sender's loop share two cores. The sender takes mails one by one from
an iterator, and finds them ready.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

THREADS = 2
AHEAD = 32
"""Mails that may be signed before they are asked for."""
Item = TypeVar("Item")


@cache
def _threads() -> ThreadPoolExecutor:
    """This process's; made after the fork, when first used."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="dkim")


def ahead(items: Iterator[Item], work: Callable[[Item], Item]) -> Iterator[Item]:
    """Each item once `work` is done with it, in order. What `work` raises is raised in the item's turn."""
    waiting = deque[Future[Item]]()
    for item in items:
        waiting.append(_threads().submit(work, item))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
