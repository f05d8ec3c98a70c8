"""One schedule: some jobs, some workers, a while in which anything may happen next, then calm; and then all must be well."""

import bisect
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence

from shared.contracts.states import TERMINAL, State
from tests.simulation.broker import Broker
from tests.simulation.ledger import Ledger
from tests.simulation.referee import Referee, Violation
from tests.simulation.workers import Worker

BEHAVIOURS = ("quick", "quick", "quick", "slow 4", "slow 12", "flaky 1", "flaky 2", "flaky 9", "broken", "poison", "fan fail", "fan count")
CALM_ROUNDS = 400
ROUND = 500
"""Milliseconds of a calm round: 200 s in all."""
JUMPS = (1, 50, 300, 1_000, 4_000, 16_000)


class World:
    """Everything, made from one seed."""

    def __init__(self, seed: int, *, trace: Callable[[str], None] | None = None) -> None:
        self._rng = rng = random.Random(seed)
        self._trace = trace
        self.referee = Referee()
        self.broker = Broker(rng, redelivers=rng.random() < 0.5)
        self.ledger = Ledger(self.broker, self.referee)
        self.sink: Counter[str] = Counter()
        self.workers = [Worker(f"w{n}", self.ledger, self.broker, self.sink, rng) for n in range(rng.randrange(1, 4))]
        self._left = rng.randrange(1, 5)
        self._redrives = 2
        weights: dict[Callable[[], None], int] = {
            self._accept: 6,
            self._listen: 22,
            self._advance: 40,
            self._beat: 10,
            self.ledger.look: 6,
            self._time: 10,
            self.broker.misbehave: 5,
            self._crash: 3,
            self._crash_child: 3,
            self._pause: 3,
            self._wake: 4,
            self._stop: 1,
            self._start: 5,
            self._cancel: 2,
            self._redrive: 2,
        }
        self._actions = list(weights)
        self._bounds = list(itertools.accumulate(weights.values()))

    def run(self) -> None:
        """Faults, then calm, then the reckoning. Raises Violation."""
        rng, actions, bounds = self._rng, self._actions, self._bounds
        for _ in range(rng.randrange(40, 160)):
            act = actions[bisect.bisect(bounds, rng.random() * bounds[-1])]
            if self._trace is not None:
                self._trace(f"{self.ledger.now} {getattr(act, '__name__', act)} {self._told()}")
            act()
        while self._left:
            self._accept()
        for _ in range(CALM_ROUNDS):
            if self._calm():
                break
        self.referee.at_the_end({job_id: entry.job for job_id, entry in self.ledger.entries.items()})
        self._reckon()

    def _calm(self) -> bool:
        """Half a second without faults; True once everything is done."""
        ledger = self.ledger
        ledger.now += ROUND
        for worker in self.workers:
            worker.paused = False
            if not worker.alive:
                worker.start()
            worker.beat()
            for _ in range(8):
                if worker.at_rest:
                    break
                worker.listen()
                worker.advance()
        if ledger.now % (2 * ROUND) < ROUND:
            ledger.look()
        return all(entry.job.state in TERMINAL for entry in ledger.entries.values())

    def _reckon(self) -> None:
        """L10, and that a success means that its effect happened."""
        for entry in self.ledger.entries.values():
            if entry.job.state is State.SUCCEEDED and not entry.behaviour.startswith("fan") and not self.sink[entry.id]:
                raise Violation(f"{entry.id}: succeeded, but its effect never happened")

    def _told(self) -> str:
        return " ".join(f"{e.id}={e.job.state}/{e.job.token}{'*' if e.job.lease else ''}" for e in self.ledger.entries.values())

    def _up(self) -> Sequence[Worker]:
        return [worker for worker in self.workers if worker.alive and not worker.paused]

    def _any(self, workers: Sequence[Worker]) -> Worker | None:
        return self._rng.choice(workers) if workers else None

    def _accept(self) -> None:
        if self._left:
            self._left -= 1
            rng, now = self._rng, self.ledger.now
            run_at = now + rng.randrange(20_000) if rng.random() < 0.2 else None
            expires_at = now + rng.randrange(1_000, 30_000) if rng.random() < 0.2 else None
            self.ledger.accept(f"j{self._left}", rng.choice(BEHAVIOURS), run_at=run_at, expires_at=expires_at)

    def _listen(self) -> None:
        if worker := self._any(self._up()):
            worker.listen()

    def _advance(self) -> None:
        if worker := self._any(self._up()):
            worker.advance()

    def _beat(self) -> None:
        if worker := self._any(self._up()):
            worker.beat()

    def _time(self) -> None:
        self.ledger.now += self._rng.choice(JUMPS)

    def _crash(self) -> None:
        if worker := self._any([each for each in self.workers if each.alive]):
            worker.crash()

    def _crash_child(self) -> None:
        if worker := self._any(self._up()):
            worker.crash_child()

    def _pause(self) -> None:
        if worker := self._any(self._up()):
            worker.paused = True

    def _wake(self) -> None:
        if worker := self._any([each for each in self.workers if each.paused]):
            worker.paused = False

    def _stop(self) -> None:
        if worker := self._any(self._up()):
            worker.stop()

    def _start(self) -> None:
        if worker := self._any([each for each in self.workers if not each.alive]):
            worker.start()

    def _cancel(self) -> None:
        if self.ledger.entries:
            self.ledger.cancel(self._rng.choice(list(self.ledger.entries)))

    def _redrive(self) -> None:
        ended = [entry for entry in self.ledger.entries.values() if entry.job.state in TERMINAL and not entry.parent]
        if ended and self._redrives:
            self._redrives -= 1
            self.ledger.redrive(self._rng.choice(ended).id)


def play(seed: int, *, trace: Callable[[str], None] | None = None) -> Counter[str]:
    """One schedule; what was seen in it. Raises Violation with the seed in front."""
    world = World(seed, trace=trace)
    try:
        world.run()
    except Violation as violation:
        raise Violation(f"seed {seed}: {violation}") from violation
    return world.referee.seen
