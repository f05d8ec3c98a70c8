"""Run one program to its end: progress out, cancel in, a watchdog over it, its last words kept."""

import os
import selectors
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.transcoder import disk
from services.transcoder.process import Limits, Program, cpu_seconds, monotonic
from services.transcoder.progress import ProgressParser, Snapshot
from services.transcoder.ring import LineRing
from services.transcoder.sandbox import Sandbox, sandbox
from services.transcoder.settings import settings
from shared.errors import TransientError
from shared.job import Checkpoint

TICK = 0.25
"""Seconds between two looks at the cancel flag and the watchdog."""
CHUNK = 65_536
LOOK_EVERY = 2.0
"""Seconds between two looks at the files of the attempt, and at the disk."""


def _silent(_: Snapshot) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How a run is watched: `stall_seconds` without progress is a hang, `wall_seconds` (None: no end) is too long."""

    checkpoint: Checkpoint
    stall_seconds: float
    wall_seconds: float | None = None
    on_progress: Callable[[Snapshot], None] = _silent


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `status` is the exit status, negative for a signal; times in seconds."""

    status: int
    words: list[str]
    last: Snapshot
    wall: float
    cpu: float
    stdout: bytes = b""


@dataclass
class _Reading:
    """What has been read from both pipes so far."""

    stdout_limit: int
    parser: ProgressParser = field(default_factory=ProgressParser)
    ring: LineRing = field(default_factory=LineRing)
    stdout: bytearray = field(default_factory=bytearray)

    def take(self, chunk: bytes, *, from_stdout: bool) -> list[Snapshot]:
        if not from_stdout:
            self.ring.feed(chunk)
            return []
        self.stdout += chunk[: max(self.stdout_limit - len(self.stdout), 0)]
        return [] if self.stdout_limit else self.parser.feed(chunk)


def run(arguments: Sequence[str], *, cwd: Path, limits: Limits, watch: Watch, keep_stdout: int = 0, within: Sandbox | None = None) -> Ended:
    """Run `arguments` (an absolute path first) in `cwd`; `keep_stdout` > 0 keeps so many bytes of stdout instead of parsing progress.

    It runs in the sandbox `within`, or in this process's: all that it sees is `cwd` and what is linked there (see `Program`).

    Whatever `watch.checkpoint` raises (a cancel, a lost lease), and whatever else leaves this function (a soft time limit), the
    program and its group are dead before it does. Raises TransientError for a hang, TimeoutError after `wall_seconds`, and disk.py's
    errors for a folder that grows too large and a disk that fills up.
    """
    started, used = monotonic(), cpu_seconds()
    reading = _Reading(keep_stdout)
    with Program(arguments, limits, cwd, within or sandbox()) as program:
        _follow(program, reading, watch, started)
        status = program.wait()
    return Ended(status, reading.ring.lines(), reading.parser.last, monotonic() - started, cpu_seconds() - used, bytes(reading.stdout))


def _follow(program: Program, reading: _Reading, watch: Watch, started: float) -> None:
    """Until both pipes are closed: read, report, look at the cancel flag, and bite if nothing moves."""
    moved, seen, looked, given = started, _activity(program, Snapshot()), started, settings()
    with selectors.DefaultSelector() as pipes:
        pipes.register(program.stdout, selectors.EVENT_READ, data=True)
        pipes.register(program.stderr, selectors.EVENT_READ, data=False)
        while pipes.get_map():
            for key, _ in pipes.select(TICK):
                for snapshot in _read(pipes, key, reading):
                    watch.on_progress(snapshot)
            watch.checkpoint()
            activity = _activity(program, reading.parser.last)
            now = monotonic()
            if now - looked >= LOOK_EVERY:
                looked = now
                disk.refuse_more(program.cwd, given.max_work_bytes, given.spare_bytes // 2)
            if activity != seen:
                moved, seen = now, activity
            _bite(program, watch, idle=now - moved, age=now - started)


def _read(pipes: selectors.BaseSelector, key: selectors.SelectorKey, reading: _Reading) -> list[Snapshot]:
    chunk = os.read(key.fd, CHUNK)
    if not chunk:
        pipes.unregister(key.fileobj)
    return reading.take(chunk, from_stdout=bool(key.data))


def _activity(program: Program, at: Snapshot) -> tuple[int, ...]:
    return (program.activity(), at.frame, int(at.seconds * 1_000), at.bytes)


def _bite(program: Program, watch: Watch, *, idle: float, age: float) -> None:
    if idle > watch.stall_seconds:
        program.terminate()
        raise TransientError(f"the encoder hung: no progress for {watch.stall_seconds:g} s; it was killed", type="encoder-hung")
    if watch.wall_seconds is not None and age > watch.wall_seconds:
        program.terminate()
        raise TimeoutError
