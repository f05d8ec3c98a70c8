"""What outlives every job, as a worker reaches it: the service's registers in its ledger, and its throttles."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.job import Grant, Rate
from shared.ledger import registers, throttles
from shared.ledger.calls import Call
from shared.ledger.posted import Posted
from shared.ledger.store import Ledger


class LedgerRegister:
    """Implements `shared.job.Register`. `run` waits out a ledger that is being restarted; each call may be repeated."""

    def __init__(self, run: Callable[[Call[Any]], Any], tenant: str, name: str) -> None:
        self._run = run
        self._of = tenant, name

    def find(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """What it has of these keys."""
        found: Mapping[str, Any] = self._run(registers.find(*self._of, keys)) if keys else {}
        return found

    def keep(self, facts: Mapping[str, Any], *, over: str = "") -> int:
        """Add facts; how many were new."""
        return int(self._run(registers.keep(*self._of, facts, over=over))) if facts else 0

    def remove(self, keys: Sequence[str]) -> int:
        """Forget these keys."""
        return int(self._run(registers.remove(*self._of, keys))) if keys else 0

    def page(self, *, after: str = "", most: int = 1_000) -> Mapping[str, Any]:
        """Facts in the order of their keys."""
        found: Mapping[str, Any] = self._run(registers.page(*self._of, after=after, most=most))
        return found


class LedgerThrottles:
    """Implements `shared.job.Throttles`. `patiently` waits out a ledger that is being restarted: asked twice, a slot is lost."""

    def __init__(self, patiently: Callable[[Call[Any]], Any], ledger: Ledger) -> None:
        self._patiently = patiently
        self._ledger = ledger

    def slots(self, requests: Sequence[Sequence[Rate]], *, horizon: float) -> list[Grant]:
        """A slot for each request."""
        granted: list[Grant] = self._patiently(throttles.slots(requests, horizon=horizon))
        return granted

    def post(self, requests: Sequence[Sequence[Rate]], *, horizon: float) -> Posted[list[Grant]]:
        """The same, not waited for."""
        return self._ledger.post(throttles.slots(requests, horizon=horizon))

    def crowd(self, name: str, *, halve: bool = False, more: float = 0.0) -> float:
        """The share that each may have."""
        return self._ledger.run(throttles.crowd(name, halve=halve, more=more))
