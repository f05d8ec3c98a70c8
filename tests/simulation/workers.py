"""Workers as they are: a parent that keeps, children that run attempts, each of which can stop existing between any two lines.

An attempt is a generator; each `yield` is an effect boundary, where the child may be killed, its worker paused, or time may pass.
"""

import random
from collections import Counter
from collections.abc import Generator, Iterator

from shared.contracts.states import State
from shared.ledger.inputs import Fail, Input, Stopped, Succeed
from tests.simulation.broker import Broker
from tests.simulation.ledger import Ledger
from tests.simulation.referee import MAX_ATTEMPTS, Violation

SLOTS = 2
DELAY = 2_000


class Died(Exception):  # noqa: N818 - it is a process that did
    """The attempt took its process down."""


class Worker:
    """One worker process with its pool. `skew` is what its clock is off by, in ms."""

    def __init__(self, name: str, ledger: Ledger, broker: Broker, sink: Counter[str], rng: random.Random) -> None:
        self.slot, self._ledger, self._broker, self._sink, self._rng = name, ledger, broker, sink, rng
        self._starts = self._pids = 0
        self.skew = rng.randrange(-60_000, 60_000)
        self.paused = False
        self.alive = False
        self.start()

    def start(self) -> None:
        """A new process, under a new name, with new children."""
        self._starts += 1
        self.name = f"{self.slot}.{self._starts}"
        self.alive = True
        self.idle: list[int] = []
        self.busy: dict[int, Iterator[None]] = {}
        self.unacked: list[str] = []
        for _ in range(SLOTS):
            self._fork()

    def _fork(self) -> None:
        self._pids += 1
        self.idle.append(self._pids)

    def crash(self) -> None:
        """SIGKILL of the whole; the children die with their parent."""
        self.alive = self.paused = False
        self._end()

    def _end(self) -> None:
        self.idle.clear()
        self.busy.clear()
        self._broker.back(self.unacked)

    def crash_child(self) -> None:
        """SIGKILL of one child at work; the pool replaces it."""
        if self.busy:
            del self.busy[self._rng.choice(list(self.busy))]
            self._fork()

    def stop(self) -> None:
        """SIGTERM, and the grace is over: what is left goes back, uncharged."""
        for entry in self._ledger.held(self.name):
            self._ledger.release(entry)
        self._end()
        self.alive = False

    def listen(self) -> None:
        """A free child takes a message."""
        if self.idle and (doorbell := self._broker.take()) is not None:
            pid = self.idle.pop()
            self.unacked.append(doorbell)
            self.busy[pid] = self._attempt(pid, doorbell)

    @property
    def at_rest(self) -> bool:
        """Nothing to do and nothing to hear."""
        return not self.busy and not self._broker.depth()

    def advance(self) -> None:
        """One child goes on to its next boundary; one whose attempt is over lives on, under the same process id."""
        if not self.busy:
            return
        pid = self._rng.choice(list(self.busy))
        try:
            next(self.busy[pid])
        except StopIteration:
            del self.busy[pid]
            self.idle.append(pid)
        except Died:
            del self.busy[pid]
            self._fork()

    def beat(self) -> None:
        """The parent: renew the living, take back from the dead, end what does not stop."""
        for entry in self._ledger.held(self.name):
            if entry.pid not in self.busy and entry.pid not in self.idle:
                self._ledger.lose(entry)
            else:
                self._ledger.renew(entry)

    def _attempt(self, pid: int, doorbell: str) -> Iterator[None]:
        nonce = self._rng.getrandbits(40)
        yield
        claimed = self._ledger.claim(doorbell, self.name, pid, nonce, skew=self.skew)
        if self._rng.random() < 0.1:  # the answer was lost: the same call again
            yield
            claimed = self._ledger.claim(doorbell, self.name, pid, nonce, skew=self.skew)
        yield
        if doorbell in self.unacked:
            self.unacked.remove(doorbell)
        if not isinstance(claimed, str):
            yield
            yield from self._perform(*claimed)

    def _perform(self, job_id: str, token: int) -> Iterator[None]:
        entry = self._ledger.entries[job_id]
        behaviour, _, detail = entry.behaviour.partition(" ")
        match behaviour:
            case "poison":
                raise Died
            case "fan":
                yield from self._fan(job_id, token, detail)
                return
            case "broken":
                yield from self._settle(job_id, self._failed(token, retryable=False))
                return
            case "flaky" if entry.job.errors < int(detail):
                yield from self._settle(job_id, self._failed(token, retryable=True))
                return
            case "slow":
                for _ in range(int(detail)):
                    if entry.job.state is State.CANCELING and entry.job.token == token:
                        yield from self._settle(job_id, Stopped(token))
                        return
                    yield
            case _:
                pass
        if (yield from self._charge(job_id, token)):
            yield from self._settle(job_id, Succeed(token))

    def _charge(self, job_id: str, token: int) -> Generator[None, None, bool]:
        """The side effect, through the journal; False where the run was over."""
        fate = self._ledger.begin(job_id, token, self._rng.getrandbits(40))
        if fate == "open" and self._sink[f"{job_id} done"]:
            raise Violation(f"L10: {job_id}: an effect that the ledger saw done is about to be done again")
        yield  # a zombie that sleeps here will do it beside its successor: the window that only the other side can close
        if fate == "stale":
            return False
        if fate == "open" or (fate == "unknown" and not self._sink[job_id]):
            self._sink[job_id] += 1
        yield
        if not self._ledger.done(job_id, token):
            return False
        self._sink[f"{job_id} done"] = 1
        yield
        return True

    def _fan(self, job_id: str, token: int, policy: str) -> Iterator[None]:
        entry = self._ledger.entries[job_id]
        if entry.sealed:
            failed = policy == "fail" and entry.job.bad > 0
            yield from self._settle(job_id, self._failed(token, retryable=False) if failed else Succeed(token))
            return
        for index in range(3):
            if not self._ledger.spawn(job_id, token, index, self._rng.choice(("quick", "quick", "flaky 1", "broken"))):
                return
            yield
        self._ledger.suspend(job_id, token, 3, "fail" if policy == "fail" else "count")
        yield

    def _failed(self, token: int, *, retryable: bool) -> Fail:
        return Fail(token, retryable, self._rng.randrange(DELAY), MAX_ATTEMPTS)

    def _settle(self, job_id: str, what: Input) -> Iterator[None]:
        """Say it; where the answer is lost, say it again."""
        self._ledger.settle(job_id, what)
        yield
        if self._rng.random() < 0.1:
            self._ledger.settle(job_id, what)
