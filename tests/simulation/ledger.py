"""A ledger in memory: the pure machine inside, and around it what the Lua scripts do beyond it (nonces, fan-in, the looks, the journal)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.contracts.states import TERMINAL, State
from shared.job import ChildPolicy
from shared.ledger import machine
from shared.ledger.inputs import Cancel, ChildEnded, Claim, Effect, Input, Lose, Redrive, Release, Renew, Ring, Suspend, Tick
from shared.ledger.machine import Job, Refused
from tests.simulation.broker import Broker
from tests.simulation.referee import BUDGET, LEASE, Referee


@dataclass(slots=True)
class Entry:
    """A job's record."""

    id: str
    job: Job
    behaviour: str
    parent: str = ""
    worker: str = ""
    pid: int = 0
    nonce: int = 0
    kids: dict[str, str] = field(default_factory=dict)
    journal: str = ""
    sealed: bool = False


class Ledger:
    """The truth. `now` is its clock, in ms, the only one that leases are measured by."""

    def __init__(self, broker: Broker, referee: Referee) -> None:
        self.now = 1_000_000
        self.entries: dict[str, Entry] = {}
        self.ready: dict[str, int] = {}
        self.looks = 0
        self._broker = broker
        self._referee = referee

    # What gateways say.
    def accept(self, job_id: str, behaviour: str, *, run_at: int | None = None, expires_at: int | None = None, parent: str = "") -> None:
        """A new job, with its first event and its doorbell."""
        job, effects = machine.accepted(self.now, run_at=run_at, expires_at=expires_at)
        entry = self.entries[job_id] = Entry(job_id, job, behaviour, parent)
        self._perform(entry, effects)

    def cancel(self, job_id: str) -> None:
        """A user's wish."""
        self.apply(self.entries[job_id], Cancel())

    def redrive(self, job_id: str) -> None:
        """A new epoch."""
        entry = self.entries[job_id]
        if not self.apply(entry, Redrive()):
            entry.sealed = False

    # What workers say.
    def claim(self, doorbell: str, worker: str, pid: int, nonce: int, *, skew: int = 0) -> tuple[str, int] | str:
        """The job whose turn it is, with its token, or why none. `skew` is what the worker's clock is off by; it must not matter."""
        del skew
        if (had := self.had_already(worker, pid, nonce)) is not None:
            return had.id, had.job.token
        entry = self.entries[min(self.ready, key=self.ready.__getitem__, default=doorbell)]
        if entry.job.wait == "woken":
            self._referee.woke(entry.id, entry.job, [self.entries[kid].job.state for kid in entry.kids])
        if refused := self.apply(entry, Claim(LEASE)):
            return refused
        if entry.job.state in TERMINAL:
            return "expired"
        entry.worker, entry.pid, entry.nonce = worker, pid, nonce
        self.ready.pop(entry.id, None)
        return entry.id, entry.job.token

    def had_already(self, worker: str, pid: int, nonce: int) -> Entry | None:
        """What this very call was given before its answer was lost."""
        return next((entry for entry in self.held(worker) if (entry.pid, entry.nonce) == (pid, nonce)), None)

    def held(self, worker: str) -> list[Entry]:
        """What a worker holds."""
        return [entry for entry in self.entries.values() if entry.worker == worker and entry.job.lease is not None]

    def renew(self, entry: Entry) -> None:
        """The parent is alive, and so is the child."""
        self.apply(entry, Renew(entry.job.token, LEASE))

    def lose(self, entry: Entry) -> None:
        """The parent saw the child dead."""
        self.apply(entry, Lose(entry.job.token, BUDGET))

    def release(self, entry: Entry) -> None:
        """A stopping worker gives it back."""
        self.apply(entry, Release(entry.job.token))

    def settle(self, job_id: str, what: Input) -> str:
        """How an attempt ended; 'stale' where it was none of the caller's business any more."""
        return self.apply(self.entries[job_id], what)

    def spawn(self, parent: str, token: int, index: int, behaviour: str) -> bool:
        """One child; made already, it is left alone, or redriven where it had failed."""
        entry, kid = self.entries[parent], f"{parent}.{index}"
        if entry.job.token != token or entry.job.lease is None:
            return False
        if kid not in self.entries:
            entry.kids[kid] = "open"
            self.accept(kid, behaviour, parent=parent)
        elif self.entries[kid].job.state in TERMINAL - {State.SUCCEEDED}:
            entry.kids[kid] = "open"
            self.redrive(kid)
        return True

    def suspend(self, parent: str, token: int, total: int, policy: ChildPolicy) -> None:
        """All children are made."""
        entry = self.entries[parent]
        for kid in entry.kids:
            state = self.entries[kid].job.state
            entry.kids[kid] = str(state) if state in TERMINAL else "open"
        states = list(entry.kids.values())
        ok = states.count("succeeded")
        bad = len(states) - ok - states.count("open")
        if not self.apply(entry, Suspend(token, total, policy, ok, bad)):
            entry.sealed = True

    def begin(self, job_id: str, token: int, nonce: int) -> str:
        """The journal: open, unknown, done; 'stale' for whoever lost the job."""
        entry = self.entries[job_id]
        if entry.job.lease is None or entry.job.token != token:
            return "stale"
        was, mine = entry.journal, f"intent {nonce}"
        if was == "done":
            return was
        entry.journal = mine
        return "unknown" if was and was != mine else "open"

    def done(self, job_id: str, token: int) -> bool:
        """The effect happened."""
        entry = self.entries[job_id]
        if entry.job.lease is None or entry.job.token != token:
            return False
        entry.journal = "done"
        return True

    # What the reconciler does, once a second.
    def look(self) -> None:
        """Level-triggered: take back, expire, make due, ring again."""
        for entry in list(self.entries.values()):
            if entry.job.state not in TERMINAL:
                self.apply(entry, Tick(BUDGET))
        self.ring_missing()

    def ring_missing(self) -> None:
        """The two-looks rule: fewer messages than queued jobs twice in a row; then the missing number again, oldest first."""
        missing = len(self.ready) - self._broker.depth()
        self.looks = self.looks + 1 if missing > 0 else 0
        if self.looks >= 2:
            self.looks = 0
            for job_id in sorted(self.ready, key=self.ready.__getitem__)[:missing]:
                self._broker.push(job_id)

    def apply(self, entry: Entry, what: Input) -> str:
        """One input, whole or not at all: '' or why it was refused."""
        before = entry.job
        try:
            after, effects = machine.step(before, what, self.now)
        except Refused as refusal:
            self._referee.refused(entry.id, what, refusal.reason)
            return refusal.reason
        entry.job = after
        self._referee.took(entry.id, what, before, after, self.now)
        self._perform(entry, effects)
        if after.state in TERMINAL and before.state not in TERMINAL:
            self._ended(entry)
        return ""

    def _perform(self, entry: Entry, effects: Sequence[Effect]) -> None:
        for effect in effects:
            self._referee.told(entry.id, effect, entry.job)
            if isinstance(effect, Ring):
                self.ready[entry.id] = self.now
                self._broker.push(entry.id)

    def _ended(self, entry: Entry) -> None:
        self.ready.pop(entry.id, None)
        for kid in entry.kids:
            if self.entries[kid].job.state not in TERMINAL:
                self.cancel(kid)
        if entry.parent:
            self.child_ended(self.entries[entry.parent], entry)

    def child_ended(self, parent: Entry, kid: Entry) -> None:
        """Counted once however often it is told, and corrected where a redriven child ends otherwise."""
        before, state = parent.kids[kid.id], str(kid.job.state)
        if parent.job.state in TERMINAL or before == state:
            return
        parent.kids[kid.id] = state
        if before == "open":
            self.apply(parent, ChildEnded(succeeded=kid.job.state is State.SUCCEEDED))
