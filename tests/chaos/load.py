"""The load: jobs handed in one by one by people who try again until they hear yes."""

import random
import threading
import time
from collections.abc import Callable
from typing import Self

import structlog

log = structlog.get_logger()
SHORTEST, LONGEST = 0.02, 0.1
"""Seconds that a job works: short, so that there are many, and kills find workers busy."""
CLERKS = 4
AGAIN = 0.2


class Load:
    """`submit(number, seconds)` hands a job in and returns its id; it raises where it got no answer, and is then called again."""

    def __init__(self, submit: Callable[[int, float], str], *, jobs: int, seed: int) -> None:
        rng = random.Random(seed)
        self._seconds = [rng.uniform(SHORTEST, LONGEST) for _ in range(jobs)]
        self._submit = submit
        self._lock = threading.Lock()
        self._next = 0
        self._open = threading.Event()
        self._stopping = threading.Event()
        self._clerks = [threading.Thread(target=self._work, name=f"clerk-{n}", daemon=True) for n in range(CLERKS)]
        self.accepted: dict[int, str] = {}
        self.retried = 0

    def __enter__(self) -> Self:
        """Handing in."""
        self._open.set()
        for clerk in self._clerks:
            clerk.start()
        return self

    def __exit__(self, *_: object) -> None:
        """No more."""
        self._stopping.set()
        self._open.set()
        for clerk in self._clerks:
            clerk.join(60)

    @property
    def complete(self) -> bool:
        """Whether every job was accepted."""
        return len(self.accepted) == len(self._seconds)

    def hold(self, *, full: bool) -> None:
        """Hand in no more while `full`: a queue that outgrows its workers would only measure the queue."""
        if full:
            self._open.clear()
        else:
            self._open.set()

    def _work(self) -> None:
        while (number := self._take()) is not None:
            while not self._stopping.is_set():
                try:
                    job_id = self._submit(number, self._seconds[number])
                except Exception as error:  # noqa: BLE001 - whatever it is, a client tries again
                    log.debug("submit_tried_again", number=number, error=repr(error))
                    self.retried += 1
                    time.sleep(AGAIN)
                else:
                    self.accepted[number] = job_id
                    break

    def _take(self) -> int | None:
        self._open.wait()
        with self._lock:
            if self._stopping.is_set() or self._next == len(self._seconds):
                return None
            self._next += 1
            return self._next - 1
