"""Reads the marks that the jobs left, for both sides alike: who ran what, when, how often, and how soon after a kill it ran again.

A mark is a line `word job attempt pid time`: `began`, `plain` (the unguarded effect), `did`, `left` (the storage was full).
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mark:
    """One line. `at` is in Unix seconds."""

    word: str
    job: str
    pid: int
    at: float


@dataclass(frozen=True, slots=True)
class Kill:
    """The processes that one SIGKILL took, and when."""

    at: float
    pids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Rescue:
    """A job that was under way in a process when it was killed, and the seconds until it ran again."""

    job: str
    killed_at: float
    seconds: float


class Book:
    """The marks file while it grows, for several threads. Each line is parsed once: tens of thousands are asked for many times a second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._marks: list[Mark] = []
        self._lock = threading.Lock()

    def marks(self) -> list[Mark]:
        """All complete lines, in the order they were written."""
        with self._lock:
            if self.path.exists():
                with self.path.open("rb") as file:
                    file.seek(self._read)
                    whole = file.read().rpartition(b"\n")[0]
                self._read += len(whole) + bool(whole)
                split = (line.split() for line in whole.decode().splitlines())
                self._marks += [
                    Mark(word, job, int(pid), float(at)) for word, job, _attempt, pid, at in (parts for parts in split if len(parts) == 5)
                ]
            return self._marks[:]

    def done(self) -> set[str]:
        """The jobs that ran to their end at least once."""
        return {mark.job for mark in self.marks() if mark.word == "did"}


def busy(marks: Iterable[Mark]) -> dict[int, str]:
    """Process id → the job it began and has not done."""
    at_work: dict[int, str] = {}
    for mark in marks:
        if mark.word in {"did", "left"}:
            at_work.pop(mark.pid, None)
        else:
            at_work[mark.pid] = mark.job
    return at_work


def counts(marks: Iterable[Mark], word: str) -> Counter[str]:
    """How often each job left the mark `word`."""
    return Counter(mark.job for mark in marks if mark.word == word)


def rescues(marks: Sequence[Mark], kills: Iterable[Kill]) -> tuple[int, list[Rescue]]:
    """How many jobs were under way in a killed process, and those of them that ran again."""
    victims, rescued = 0, list[Rescue]()
    begun: defaultdict[str, list[float]] = defaultdict(list)
    for mark in marks:
        if mark.word == "began":
            begun[mark.job].append(mark.at)
    for kill in kills:
        hit = busy(mark for mark in marks if mark.at <= kill.at and mark.pid in kill.pids)
        victims += len(hit)
        rescued += [
            Rescue(job, kill.at, min(later) - kill.at) for job in hit.values() if (later := [at for at in begun[job] if at > kill.at])
        ]
    return victims, rescued


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, 0.0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
