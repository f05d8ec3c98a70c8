"""One process that is kept running: start, watch, start again."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deploy.embedded.backoff import Backoff
from deploy.embedded.leftovers import MARK, end_marked, end_tree
from deploy.embedded.life import Life
from deploy.embedded.logs import Console, Log
from deploy.embedded.spec import Spec

LAUNCH = str(Path(__file__).with_name("launch.py"))


class Child:
    """Keeps one `Spec` running until it is told to stop."""

    def __init__(
        self, spec: Spec, *, mark: str, env: dict[str, str], cwd: Path, log: Log, console: Console, changed: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.starts = 0
        self._mark = mark
        self._env = {**env, **spec.env, MARK: mark}
        self._cwd = cwd
        self._log = log
        self._console = console
        self._changed = changed
        self._process: asyncio.SubprocessTransport | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The running process; None between two."""
        return self._process.get_pid() if self._process and self._process.get_returncode() is None else None

    async def run(self) -> None:
        """Start it, and again whenever it dies, until `stop` or `kill`."""
        backoff = Backoff()
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._live()
            self._changed()
            if self._stopping.is_set():
                break
            delay = backoff.after(time.monotonic() - began, code)
            self._tell(code, delay, looping=backoff.looping)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
        self._log.close()

    async def _live(self) -> int:
        """From start to the end of all that it started; its exit status."""
        life = Life(self._on_line)
        try:
            transport = await self._start(life)
        except OSError as error:
            self._on_line(f"could not be started: {error}".encode())
            return 127
        await life.ended.wait()
        self._changed()
        end_tree(transport.get_pid())  # a killed worker's pool children would hold its slots
        await asyncio.to_thread(end_marked, self._mark)  # and what those started is in groups of its own
        life.flush()
        transport.close()
        return transport.get_returncode() or 0

    async def _start(self, life: Life) -> asyncio.SubprocessTransport:
        parent = () if self.spec.is_guard else (sys.executable, "-S", LAUNCH, str(os.getpid()))
        stdin = subprocess.PIPE if self.spec.is_guard else subprocess.DEVNULL
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: life,
            *(*parent, *self.spec.argv),
            stdin=stdin,
            stderr=subprocess.STDOUT,
            env=self._env,
            cwd=self._cwd,
            start_new_session=True,
        )
        self._process = transport
        self.starts += 1
        self._changed()
        if self._stopping.is_set():  # asked to stop while it was being started
            self.stop()
        return transport

    def _on_line(self, line: bytes) -> None:
        self._log.write(line)
        self._console.line(self.spec.name, line)

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
