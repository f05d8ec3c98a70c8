"""One process that is kept running: start, watch, start again."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable
from pathlib import Path

from deploy.embedded.leftovers import end_tree
from deploy.embedded.logs import Console, Log
from deploy.embedded.spec import Spec

LAUNCH = str(Path(__file__).with_name("launch.py"))
QUICK = (0.2, 0.5, 1.0, 1.5)
SLOW = (5.0, 10.0, 15.0)
SETTLED = 20.0
"""Seconds after which a process counts as running, not as crash-looping."""


class Backoff:
    """How long to wait before a start, in seconds: under 2 for the first deaths, then longer, never for good."""

    def __init__(self) -> None:
        self.deaths = 0

    def after(self, lived: float, code: int) -> float:
        """The wait after a process lived that many seconds and ended with `code`, as `subprocess` counts (-9: SIGKILL)."""
        if lived >= SETTLED:
            self.deaths = 0
        self.deaths += 1
        # Somebody who kills a process again and again is not the process's fault: that never slows it down.
        steps = QUICK if code == -signal.SIGKILL else QUICK + SLOW
        return steps[min(self.deaths, len(steps)) - 1]

    @property
    def looping(self) -> bool:
        """True once quick starts did not help."""
        return self.deaths > len(QUICK)


class Child:
    """Keeps one `Spec` running until it is told to stop."""

    def __init__(self, spec: Spec, *, env: dict[str, str], cwd: Path, log: Log, console: Console, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.starts = 0
        self._env = {**env, **spec.env}
        self._cwd = cwd
        self._log = log
        self._console = console
        self._changed = changed
        self._process: Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The running process; None between two."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def run(self) -> None:
        """Start it, and again whenever it dies, until `stop` or `kill`."""
        backoff = Backoff()
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._once()
            if self._stopping.is_set():
                break
            delay = backoff.after(time.monotonic() - began, code)
            self._tell(code, delay, looping=backoff.looping)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
        self._log.close()

    async def _once(self) -> int:
        """One life, from start to the last of its process group; its exit status."""
        parent = () if self.spec.is_guard else (sys.executable, "-S", LAUNCH, str(os.getpid()))
        stdin = PIPE if self.spec.is_guard else DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *(*parent, *self.spec.argv), stdin=stdin, stdout=PIPE, stderr=STDOUT, env=self._env, cwd=self._cwd, start_new_session=True
            )
        except OSError as error:
            self._log.write(f"could not be started: {error}".encode())
            return 127
        self._process = process
        self.starts += 1
        self._changed()
        if self._stopping.is_set():  # asked to stop while it was being started
            self.stop()
        pump = asyncio.create_task(self._pump(process))
        code = await process.wait()
        end_tree(process.pid)  # a killed worker's pool children would hold its slots and its output
        await asyncio.wait([pump], timeout=0.5)
        pump.cancel()
        return code

    async def _pump(self, process: Process) -> None:
        """Its output, line by line, into the log."""
        assert process.stdout is not None  # noqa: S101 - it was opened with PIPE
        rest = b""
        while chunk := await process.stdout.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > 65_536:  # noqa: PLR2004 - as much as one read: a process that ends no line must not fill the memory
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._log.write(line)
                self._console.line(self.spec.name, line)
        if rest:
            self._log.write(rest)

    def stop(self) -> None:
        """SIGTERM to the process alone: what it does with its children is its own affair."""
        self._stopping.set()
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the process, its group and its descendants."""
        self._stopping.set()
        if (pid := self.pid) is not None:
            end_tree(pid)

    def _tell(self, code: int, delay: float, *, looping: bool) -> None:
        ended = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        if not looping:
            self._console.warn(f"{self.spec.name} {ended}; starting it again.")
            return
        last = "\n".join(f"    {line}" for line in self._log.tail)
        self._console.warn(
            f"{self.spec.name} {ended} again and again; next try in {delay:.0f} s. Its last lines, from {self._log.path}:\n{last}"
        )
