"""Processes that come back: what systemd, Docker or Kubernetes do for a worker that was killed."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from tests.servers import ROOT

LOOK = 0.1


class Supervised:
    """One command, started again whenever it ends, until the block ends. All output of all its lives goes to one log."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
        self._command, self._env, self._log = list(command), {**os.environ, **env}, log
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.starts = 0
        self.asleep_until = 0.0
        self.process = self._start()
        self._thread = threading.Thread(target=self._watch, name=f"watch-{log.stem}", daemon=True)

    def __enter__(self) -> Self:
        """Watched."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """SIGKILL of what is left, children included."""
        self._stopping.set()
        self._thread.join()
        family = self.family()
        self.process.kill()
        self.process.wait()
        for pid in family[1:]:
            send(pid, signal.SIGKILL)

    @property
    def pid(self) -> int:
        """The present life's process id."""
        return self.process.pid

    def family(self) -> list[int]:
        """The process and its children; only itself where it has just died."""
        try:
            return [self.pid, *(child.pid for child in psutil.Process(self.pid).children(recursive=True))]
        except psutil.NoSuchProcess:
            return [self.pid]

    def kill(self) -> None:
        """SIGKILL of the process itself; what becomes of its children is its own affair."""
        with self._lock:
            self.process.kill()
            self.process.wait()

    @property
    def asleep(self) -> bool:
        """Frozen for some time yet."""
        return time.monotonic() < self.asleep_until

    def halt(self) -> list[int]:
        """SIGSTOP of the whole family; whom it was sent."""
        family = self.family()
        for pid in family:
            send(pid, signal.SIGSTOP)
        return family

    def resume(self, family: Sequence[int], *, after: float = 0.0) -> None:
        """SIGCONT, in the background where it is to be later."""

        def wake() -> None:
            self._stopping.wait(after)
            for pid in family:
                send(pid, signal.SIGCONT)

        if after:
            self.asleep_until = time.monotonic() + after
            threading.Thread(target=wake, name="waker", daemon=True).start()
        else:
            wake()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        with self._log.open("ab") as sink:
            return subprocess.Popen(self._command, cwd=ROOT, env=self._env, stdout=sink, stderr=sink)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK):
            with self._lock:
                if self.process.poll() is not None:
                    self.process = self._start()


def send(pid: int, what: signal.Signals) -> None:
    """Send a signal to whoever is still there."""
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        time.sleep(0)  # it died by itself, which is what everything here is about
