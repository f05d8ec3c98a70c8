"""A journal of side effects in memory, for the fake jobs of unit tests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from socket import socketpair
from typing import Any

from shared.contracts.options import Priority
from shared.job import Caretaker, ChildResult, Note, Once, Register


class FakeNoting:
    """Implements `shared.job.Noting`: a socket whose other end is closed can be read."""

    def __init__(self) -> None:
        """The answer is there."""
        self._end, other = socketpair()
        other.close()
        self.fileno = self._end.fileno
        self.answer = self.drop = self._end.close


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

    def post(self, notes: Sequence[Note]) -> FakeNoting:
        """Noted at once; the answer waits."""
        self.note(notes)
        return FakeNoting()


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

    def keep(self, facts: Mapping[str, Any]) -> int:
        """Keep what is new."""
        before = len(self.facts)
        self.facts = {**facts, **self.facts}
        return len(self.facts) - before

    def remove(self, keys: Sequence[str]) -> int:
        """Forget them."""
        return sum(self.facts.pop(key, None) is not None for key in keys)

    def page(self, *, after: str = "", most: int = 1_000) -> Mapping[str, Any]:
        """In the order of the keys."""
        return {key: self.facts[key] for key in sorted(self.facts) if key > after} if most else {}


class NoEffects:
    """For fake jobs whose service has none: the part of `shared.job.Job` that it never uses."""

    priority: Priority = "normal"
    waited: float = 0.0

    def outranked(self) -> bool:
        """Nobody waits."""
        return False

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
