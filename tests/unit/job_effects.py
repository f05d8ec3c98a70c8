"""A journal of side effects in memory, for the fake jobs of unit tests."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from socket import socketpair
from typing import Any, Generic, TypeVar

from shared.contracts.base import Blob
from shared.contracts.options import Priority
from shared.job import Caretaker, ChildResult, Grant, Note, Once, Rate, Register
from shared.past import Past

T = TypeVar("T")


class Heard(Generic[T]):
    """Implements `shared.job.Coming`: a socket whose other end is closed can be read."""

    def __init__(self, answer: T) -> None:
        """The answer is there."""
        self._answer = answer
        self._end, other = socketpair()
        other.close()

    def fileno(self) -> int:
        """Readable."""
        return self._end.fileno()

    def answer(self) -> T:
        """What was given."""
        self._end.close()
        return self._answer

    def drop(self) -> None:
        """Forget it."""
        self._end.close()


@dataclass
class FakeEffects:
    """Implements `shared.job.Effects` on a dict; `kept` outlives the attempt where the test hands it on."""

    kept: dict[str, Once] = field(default_factory=dict)
    groups: list[int] = field(default_factory=list)
    on_note: Callable[[Sequence[Note]], None] = lambda _notes: None

    def known(self) -> Mapping[str, Once]:
        """A copy, as a ledger would give it."""
        return dict(self.kept)

    def note(self, notes: Sequence[Note]) -> None:
        """Note them all."""
        self.on_note(notes)
        self.groups.append(len(notes))
        for note in notes:
            if note.word == "open" and note.value is None:
                self.kept.pop(note.key, None)
            else:
                self.kept[note.key] = Once("unknown", note.value) if note.word == "begin" else Once(note.word, note.value)

    def post(self, notes: Sequence[Note]) -> Heard[None]:
        """Noted at once; the answer waits."""
        self.note(notes)
        return Heard(None)


@dataclass
class FakeRegister:
    """Implements `shared.job.Register` on a dict."""

    facts: dict[str, Any] = field(default_factory=dict)
    looks: list[list[str]] = field(default_factory=list)
    """What was asked for, look by look."""

    def find(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """What is known."""
        self.looks.append(list(keys))
        return {key: self.facts[key] for key in keys if key in self.facts}

    def keep(self, facts: Mapping[str, Any], *, over: str = "") -> int:
        """Keep what is new, or stands above what there was."""
        before = len(self.facts)
        weaker = {key for key in facts if over and key in self.facts and over in json.dumps(self.facts[key])}
        self.facts = {**facts, **{key: fact for key, fact in self.facts.items() if key not in weaker}}
        return len(self.facts) - before

    def remove(self, keys: Sequence[str]) -> int:
        """Forget them."""
        return sum(self.facts.pop(key, None) is not None for key in keys)

    def page(self, *, after: str = "", most: int = 1_000) -> Mapping[str, Any]:
        """In the order of the keys."""
        return {key: self.facts[key] for key in sorted(self.facts) if key > after} if most else {}


@dataclass
class FakeThrottles:
    """Implements `shared.job.Throttles` in memory: evenly spaced slots, and crowds as the test has set them."""

    free: dict[str, float] = field(default_factory=dict)
    crowds: dict[str, float] = field(default_factory=dict)

    def slots(self, requests: Sequence[Sequence[Rate]], *, horizon: float) -> list[Grant]:
        """As the ledger's script."""
        return [self._slot(rates, horizon) for rates in requests]

    def _slot(self, rates: Sequence[Rate], horizon: float) -> Grant:
        now = time.monotonic()
        for rate in rates:
            self.free[rate.name] = max(self.free.get(rate.name, now), now - 0.1)
        binding = max(rates, key=lambda rate: self.free[rate.name])
        wait = max(0.0, self.free[binding.name] - now)
        if wait > horizon:
            return Grant(granted=False, wait=wait - horizon, rate=binding)
        for rate in rates:
            self.free[rate.name] += 1 / rate.per_second
        return Grant(granted=True, wait=wait, rate=binding)

    def post(self, requests: Sequence[Sequence[Rate]], *, horizon: float) -> Heard[list[Grant]]:
        """Asked at once."""
        return Heard(self.slots(requests, horizon=horizon))

    def crowd(self, name: str, *, halve: bool = False, more: float = 0.0) -> float:
        """The share."""
        share = self.crowds.get(name, 1.0)
        self.crowds[name] = share / 2 if halve else min(1.0, share + more)
        return self.crowds[name]


class NoEffects:
    """For fake jobs whose service has none: the part of `shared.job.Job` that it never uses."""

    priority: Priority = "normal"
    need: str | None = None

    def publish_above(self, files: Mapping[str, Path | bytes], media_types: Mapping[str, str], rank: int) -> bool:
        """There is no parent."""
        del files, media_types, rank
        return False

    waited: float = 0.0

    def outranked(self) -> bool:
        """Nobody waits."""
        return False

    def awaited(self) -> bool:
        """Nobody waits."""
        return False

    def throttles(self) -> FakeThrottles:
        """Of its own."""
        return FakeThrottles()

    def own_artifact(self, name: str) -> Blob | None:
        """Nothing."""
        del name
        return None

    def past(self, job_id: str) -> Past | None:
        """There was none before."""
        del job_id
        return None

    def effects(self) -> FakeEffects:
        """An empty journal."""
        return FakeEffects()

    def effects_of(self, child: ChildResult) -> Mapping[str, Once]:
        """Nothing."""
        del child
        return {}

    def secret(self, name: str) -> bytes:
        """The same one for everybody."""
        return name.encode().ljust(64, b"-")

    def register(self, name: str) -> Register:
        """An empty one."""
        del name
        return FakeRegister()

    def caretaker(self) -> Caretaker:
        """It is no upkeep."""
        raise PermissionError
