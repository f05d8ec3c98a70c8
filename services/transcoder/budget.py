"""What a job may cost, kept at segment ends: before each encode somebody looks at the clock and at what was spent.

What a segment took is noted in the name of an empty blob in the job's folder: a listing adds it up, on any worker, after any crash.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from services.transcoder.shelf import Shelf
from shared.contracts.transcoder import Budget, Window
from shared.errors import JobPostponed, PermanentError

SPENT = "spent"
AT_WORK = "at-work"
"""The folder of an empty blob for each encode of the job that is going on."""
WAIT = 5.0
"""Seconds until one looks again whether the others have ended."""
MS = 1_000


@dataclass(frozen=True, slots=True)
class Purse:
    """A job family's budget; None: no bounds."""

    budget: Budget | None
    shelf: Shelf

    @contextmanager
    def spending(self, name: str) -> Iterator[Callable[[float], None]]:
        """Around an encode, which says at its end what it took; `name` is its own within the job.

        Raises JobPostponed until the window opens, PermanentError where the CPU time is spent: once nobody of the job is encoding any
        more, for its failure ends them all in the middle of what they do.
        """
        self.open(name)
        try:
            yield self.spend
        finally:
            if self._counts:
                self.shelf.storage.delete(self._at_work(name))

    def open(self, name: str, now: datetime | None = None) -> None:
        """Before an encode. Raises as `spending`."""
        if self.budget is None:
            return
        if self.budget.window is not None:
            wait = seconds_until(self.budget.window, now or datetime.now(ZoneInfo(self.budget.window.timezone)))
            if wait:
                at = f"{self.budget.window.start} ({self.budget.window.timezone})"
                raise JobPostponed(f"it is outside of the budget's window, which opens at {at}", seconds=wait)
        allowed = self.budget.cpu_seconds
        if allowed is None:
            return
        if (spent := self.spent()) < allowed:
            self.shelf.storage.put(self._at_work(name), b"", "text/plain")
            return
        self.shelf.storage.delete(self._at_work(name))  # left there by a worker that was killed
        if any(self.shelf.storage.list(f"{self.shelf.family}/{AT_WORK}")):
            raise JobPostponed("the budget is spent; other parts of the film are being finished", seconds=WAIT)
        raise PermanentError(
            f"the budget of {allowed:g} s of CPU time is spent ({spent:.1f} s); what is encoded is kept: redrive the job with a larger one",
            type="budget-spent",
            pointer="/budget/cpu_seconds",
        )

    def spend(self, cpu_seconds: float) -> None:
        """After an encode."""
        if self._counts:
            name = f"{uuid4().hex}-{round(cpu_seconds * MS)}"
            self.shelf.storage.put(f"{self.shelf.family}/{SPENT}/{name}", b"", "text/plain")

    @property
    def _counts(self) -> bool:
        return self.budget is not None and self.budget.cpu_seconds is not None

    def _at_work(self, name: str) -> str:
        return f"{self.shelf.family}/{AT_WORK}/{name}"

    def spent(self) -> float:
        """CPU seconds so far, of all segments."""
        return sum(int(entry.key.rpartition("-")[2]) for entry in self.shelf.storage.list(f"{self.shelf.family}/{SPENT}")) / MS


def seconds_until(window: Window, now: datetime) -> float:
    """Until the window is open: 0 within it. A window from 22:00 to 06:00 lies across midnight; one of no length is always open."""
    start, end, here = time.fromisoformat(window.start), time.fromisoformat(window.end), now.time()
    inside = start <= here < end if start < end else here >= start or here < end
    if inside:
        return 0.0
    opens = now.replace(hour=start.hour, minute=start.minute, second=0, microsecond=0)
    return ((opens if opens > now else opens + timedelta(days=1)) - now).total_seconds()
