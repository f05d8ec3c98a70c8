"""One external program at a time: started under limits in a process group of its own, ended for certain."""

import contextlib
import marshal
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from services.transcoder.launcher import BOOT
from services.transcoder.sandbox import Sandbox

ROOT = str(Path(__file__).resolve().parents[2])
"""Where the launcher finds itself."""
OPEN_FILES = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use. `cpu_seconds` counts all its threads; memory is address space, not resident."""

    cpu_seconds: int
    memory_mb: int
    file_bytes: int
    nice: int = 0

    def resources(self) -> Mapping[str, int]:
        """By setrlimit(2) name."""
        return {"cpu": self.cpu_seconds, "as": self.memory_mb * 2**20, "fsize": self.file_bytes, "core": 0, "nofile": OPEN_FILES}


@dataclass
class Program:
    """A running program. As a context manager it is killed, with all its children, however the block is left.

    It sees `cwd`, and what is linked there: a symlink in it is an input, to read and not to write.
    """

    arguments: Sequence[str]
    limits: Limits
    cwd: Path
    sandbox: Sandbox
    _child: "subprocess.Popen[bytes]" = field(init=False)

    def __enter__(self) -> Self:
        """Start it. stdin is empty; stdout and stderr are pipes. The environment is all but empty."""
        enclosed = self.sandbox.spec(self.arguments[0], self.cwd)
        spec = {"parent": os.getpid(), "nice": self.limits.nice, "limits": self.limits.resources(), **enclosed}
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", BOOT, ROOT, marshal.dumps(spec).hex(), *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.cwd,
            env={"LC_ALL": "C", "HOME": str(self.cwd), "TMPDIR": str(self.cwd)},
            process_group=0,
            close_fds=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave nothing behind: whatever was written is worthless by now, so there is nothing to be gentle about."""
        self.kill()
        self.stdout.close()
        self.stderr.close()

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        return self._child.pid

    @property
    def stdout(self) -> IO[bytes]:
        """The reading end."""
        assert self._child.stdout is not None  # noqa: S101 - it was asked for above
        return self._child.stdout

    @property
    def stderr(self) -> IO[bytes]:
        """The reading end."""
        assert self._child.stderr is not None  # noqa: S101 - it was asked for above
        return self._child.stderr

    def wait(self, seconds: float | None = None) -> int:
        """The exit status, negative for a signal. Raises TimeoutError."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired as late:
            raise TimeoutError from late

    def kill(self) -> None:
        """SIGKILL to the whole group, and reap. Harmless once it has ended."""
        if self._child.poll() is None:
            self._signal(signal.SIGKILL)
            self._child.wait()

    def terminate(self, grace: float = 5.0) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds. FFmpeg under attack has been seen to ignore the first."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            self.wait(grace)
        self.kill()

    def activity(self) -> int:
        """Bytes read so far, from any file: FFmpeg reports no progress while it moves an index to a file's front, but it reads.

        Written bytes would not do: FFmpeg goes on writing progress blocks while it hangs.
        """
        try:
            text = Path(f"/proc/{self.pid}/io").read_text(encoding="ascii")
        except OSError:  # not Linux, or just gone
            return 0
        return int(text.partition("rchar:")[2].split(maxsplit=1)[0])

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def cpu_seconds() -> float:
    """CPU time of all children that have ended, in seconds: the difference around a program is what it used."""
    used = os.times()
    return used.children_user + used.children_system


def monotonic() -> float:
    """The clock that the watchdog goes by, in seconds."""
    return time.monotonic()
