"""Gives images to processes, and says of each process that dies or hangs whether it was the image's doing.

A machine that is busy, or that ends processes for want of memory, looks like a hang or a crash. So time is what the process had of the
processor, or lay idle for; and whatever happened is an image's doing only if it happens again, to that image alone, in a fresh process.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

import psutil

EATER = (sys.executable, "-m", "tests.hostile_images.eating")
BATCH = 500
"""Images a process, as `max_tasks_per_child` has it."""
TRIES = 2
"""Times that a suspect is given to a fresh process."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds without a word: `busy` of the processor's time, or `idle` of the clock's without using any of it."""

    busy: float = 60.0
    idle: float = 120.0
    look_every: float = 1.0


@dataclass
class Verdict:
    """What became of the images. `alarms` happened once and not again; `findings` are images' doings, or errors nobody foresaw."""

    fates: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)
    megabytes: int = 0

    def take(self, number: int, fate: str, seconds: float, megabytes: int) -> None:
        """Count one image."""
        self.fates[fate.partition(":")[0]] += 1
        self.slowest = max(self.slowest, (seconds, number))
        self.megabytes = max(self.megabytes, megabytes)
        if fate.startswith("finding"):
            self.findings.append(f"image {number}: {fate}")


def feed(first: int, last: int, verdict: Verdict, *, eater: Sequence[str] = EATER, limits: Limits = Limits()) -> None:
    """Give the images from `first` to `last` (exclusive) to processes; every one of them is judged."""
    while first < last:
        done, end = _serve(first, min(first + BATCH, last), verdict, eater, limits)
        if end is None:
            first = done
            continue
        # The suspect is the image it was at; between two images, or behind the last, it is the one it had eaten.
        suspect = max(first, done - 1) if end.between and done > first else done
        first = max(done, suspect + 1)
        trials = [_serve(suspect, suspect + 1, Verdict(), eater, limits)[1] for _ in range(TRIES)]
        if all(trial is not None for trial in trials):
            verdict.findings.append(
                f"image {suspect}: {end.why}, and again by itself: {', '.join(str(trial and trial.why) for trial in trials)}"
            )
        else:
            verdict.alarms.append(f"at image {suspect}: {end.why}; not again when it was given alone, {TRIES} times")
        if suspect >= done:
            verdict.fates["finding" if all(trials) else "unharmed alone"] += 1


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended that should not have; `between`: it was at no image."""

    why: str
    between: bool


def _serve(first: int, last: int, verdict: Verdict, eater: Sequence[str], limits: Limits) -> tuple[int, End | None]:
    """One process's meal: the first image that it has not eaten, and how it ended, None where it ate all."""
    with tempfile.TemporaryFile("w+") as said, subprocess.Popen(
        [*eater, str(first), str(last)], stdout=subprocess.PIPE, stderr=said, text=True
    ) as process:  # fmt: skip
        assert process.stdout is not None
        done, at_one = first, False
        with _watched(process, limits) as watch:
            for line in process.stdout:
                watch.heard()
                if at_one := not line.startswith("["):
                    continue
                number, fate, seconds, megabytes = json.loads(line)
                verdict.take(number, fate, seconds, megabytes)
                done = number + 1
        code = process.wait()
        if not code and done >= last:
            return done, None
        return done, End(watch.why or f"the process ended with {code}: {_tail(said)}", between=not at_one)


def _tail(said: IO[str]) -> str:
    """The last words on stderr: a native library's complaint, a traceback's end."""
    said.seek(0)
    lines = [line.strip() for line in said if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


class _Watch:
    """Ends a process that says nothing while it uses the processor for too long, or does nothing for too long."""

    def __init__(self, process: "subprocess.Popen[str]", limits: Limits) -> None:
        self.why = ""
        self._process, self._limits = psutil.Process(process.pid), limits
        self._word, self._over = threading.Event(), threading.Event()

    def heard(self) -> None:
        """It said something."""
        self._word.set()

    def stop(self) -> None:
        """It has ended."""
        self._over.set()

    def run(self) -> None:
        """Look until it ends."""
        began = used = 0.0
        idle = 0.0
        while not self._over.wait(self._limits.look_every):
            try:
                times = self._process.cpu_times()
                waiting = self._process.status() in (psutil.STATUS_SLEEPING, psutil.STATUS_DISK_SLEEP)
            except psutil.NoSuchProcess:
                return
            now = times.user + times.system
            idle = idle + self._limits.look_every if waiting and now - used < 0.01 else 0.0
            used = now
            if self._word.is_set():
                self._word.clear()
                began, idle = now, 0.0
            elif now - began > self._limits.busy:
                self._end(f"no word after {now - began:.0f} s of the processor")
            elif idle > self._limits.idle:
                self._end(f"no word and nothing done for {idle:.0f} s")

    def _end(self, why: str) -> None:
        self.why = self.why or why
        self._process.kill()


@contextmanager
def _watched(process: "subprocess.Popen[str]", limits: Limits) -> Iterator[_Watch]:
    watch = _Watch(process, limits)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()
