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
            _send(pid, signal.SIGKILL)

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

    def freeze(self, seconds: float) -> threading.Thread:
        """SIGSTOP of the whole family, SIGCONT after `seconds`: a machine that was asleep. The thread ends once it woke."""
        frozen = self.family()
        for pid in frozen:
            _send(pid, signal.SIGSTOP)

        def wake() -> None:
            self._stopping.wait(seconds)
            for pid in frozen:
                _send(pid, signal.SIGCONT)

        waker = threading.Thread(target=wake, name="waker", daemon=True)
        waker.start()
        return waker

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        with self._log.open("ab") as sink:
            return subprocess.Popen(self._command, cwd=ROOT, env=self._env, stdout=sink, stderr=sink)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK):
            with self._lock:
                if self.process.poll() is not None:
                    self.process = self._start()


def _send(pid: int, what: signal.Signals) -> None:
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        time.sleep(0)  # it died by itself, which is what everything here is about
