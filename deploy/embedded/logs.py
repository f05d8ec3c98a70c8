"""Where the processes' output goes: a bounded file each, and the console where asked for."""

import contextlib
import os
import sys
from collections import deque
from pathlib import Path
from typing import BinaryIO, TextIO

LIMIT = 10_000_000
"""Bytes a log file may reach before it becomes `<name>.log.1`, so a process keeps at most twice this."""
COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)


class Log:
    """One process's output, in a file that cannot fill the disk."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.tail: deque[str] = deque(maxlen=8)
        """The last lines, for the sentence about a crash."""
        self._limit = limit
        self._file: BinaryIO = path.open("ab", buffering=0)

    def write(self, line: bytes) -> None:
        """Append one line, given without its end."""
        self.tail.append(line.decode(errors="replace"))
        with contextlib.suppress(OSError):  # a full disk costs log lines; a reader that stopped reading would stop the process
            if self._file.tell() > self._limit:
                self._turn_over()
            self._file.write(line + b"\n")

    def _turn_over(self) -> None:
        self._file.close()
        self.path.replace(f"{self.path}.1")
        self._file = self.path.open("ab", buffering=0)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Console:
    """What the person at the terminal sees. A console that went away is no reason to stop."""

    def __init__(self, *, verbose: bool = False, out: TextIO | None = None) -> None:
        self._verbose = verbose
        self._out = out or sys.stdout
        self._coloured = self._out.isatty() and not os.environ.get("NO_COLOR")
        self._colours: dict[str, int] = {}

    def say(self, text: str, colour: int = 0) -> None:
        """A sentence of the supervisor's own."""
        with contextlib.suppress(OSError, ValueError):
            self._out.write(f"\x1b[{colour}m{text}\x1b[0m\n" if self._coloured and colour else f"{text}\n")
            self._out.flush()

    def warn(self, text: str) -> None:
        """A sentence that should not be overlooked."""
        self.say(text, colour=31)

    def line(self, name: str, line: bytes) -> None:
        """A process's own line, shown with --verbose."""
        if self._verbose:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            label = f"\x1b[{colour}m{name:<18}\x1b[0m" if self._coloured else f"{name:<18}"
            self.say(f"{label} {line.decode(errors='replace')}")
