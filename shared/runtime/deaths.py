"""Why a pool child died, from what is left: its exit status, its last memory, its last span, the kernel's count of OOM kills."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from shared import trail

UNSETTLED = 70
"""Exit status (EX_SOFTWARE of sysexits.h) of a child that could not tell the ledger how its attempt ended."""
NATIVE = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT"})
_REAPED_WITHIN = 0.05
REMEMBERED = 64
"""Processes that left the pool: a child may claim, die and be cleared away between two beats."""
Processes = Callable[[], Iterable[Any]]
"""The pool's processes, billiard's: `pid`, and `_popen.returncode` once somebody has waited for it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A child as it was when it was last seen alive.

    `oom_kills` is the count of one look earlier: a process that the kernel has chosen to kill goes on for a moment, and looks alive.
    """

    resident: int
    oom_kills: int


class Deaths:
    """Kept by the worker's parent. A beat calls `begin`, then `saw` for each busy child that lives and `explain` for one that does not."""

    def __init__(self, processes: Processes, *, root: Path = Path("/")) -> None:
        self._processes = processes
        self._counter = oom_counter(root)
        self._known: dict[int, Any] = {}
        self._seen: dict[int, Seen] = {}
        self._counts = deque([self._count()], maxlen=2)

    def begin(self) -> None:
        """Before the children are looked at, so that a kill during the look counts as after it."""
        self._counts.append(self._count())
        here = {process.pid: process for process in list(self._processes())}
        earlier = [(pid, process) for pid, process in self._known.items() if pid not in here]
        self._known = {**dict(earlier[-REMEMBERED:]), **here}

    def saw(self, pid: int) -> None:
        """It is alive. What it holds in memory now is what will be known of it."""
        try:
            resident = psutil.Process(pid).memory_info().rss
        except psutil.NoSuchProcess:
            return  # it died this moment: the next beat explains it
        if resident:  # else it has given its memory back, which is what the dying do first
            self._seen[pid] = Seen(resident, self._counts[0])

    def forget_all_but(self, pids: Iterable[int]) -> None:
        """What is not busy needs no explanation; and pids come back."""
        keep = set(pids)
        self._seen = {pid: seen for pid, seen in self._seen.items() if pid in keep}

    def explain(self, pid: int, known: str = "") -> dict[str, Any]:
        """What happened to the child `pid`, as data; `reason` is the sentence. `known` is why this worker killed it, if it did.

        Keys where known: cause (time_limit, oom, signal, exit, unsettled, unknown), signal, exit_status, memory_bytes, span.
        """
        seen = self._seen.pop(pid, None)
        why: dict[str, Any] = {"cause": "unknown"}
        status = self._status(pid)
        if status is not None and status < 0:
            why |= {"cause": "signal", "signal": _signal_name(-status)}
        elif status is not None:
            why |= {"cause": "unsettled" if status == UNSETTLED else "exit", "exit_status": status}
        if known:
            why["cause"] = "time_limit"
        elif why.get("signal") == "SIGKILL" and self._count() > (seen.oom_kills if seen else self._counts[0]):
            why["cause"] = "oom"
        if seen is not None:
            why["memory_bytes"] = seen.resident
        if span := trail.last(pid):
            why["span"] = span
        return {"reason": sentence(why, known), **why}

    def _status(self, pid: int) -> int | None:
        """Its exit status, negative for a signal; None where nobody knows. It is left to Celery to wait for it."""
        deadline = time.monotonic() + _REAPED_WITHIN
        while True:
            process = self._known.get(pid)
            code = getattr(getattr(process, "_popen", None), "returncode", None)
            if code is not None:
                return int(code)
            try:
                found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                found = None  # Celery was first; in a moment it has written down what it found
            if found is not None:
                return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            if process is None or time.monotonic() >= deadline:
                return None
            time.sleep(0.005)

    def _count(self) -> int:
        return self._counter() if self._counter else 0


def sentence(why: dict[str, Any], known: str = "") -> str:
    """The data of a death in words."""
    signalled = why.get("signal", "")
    if known:
        said = known
    elif why["cause"] == "oom":
        said = "its process was killed by SIGKILL, probably by the kernel's OOM killer"
    elif signalled:
        said = f"its process was killed by {signalled}" + (" (a fault in native code)" if signalled in NATIVE else "")
    elif why["cause"] == "unsettled":
        said = "its process could not tell the ledger how the attempt ended, and ended itself"
    elif "exit_status" in why:
        said = f"its process ended with exit status {why['exit_status']}"
    else:
        said = "its process is gone, and nobody saw how"
    if "memory_bytes" in why:
        said += f", having {why['memory_bytes'] / 1e6:.0f} MB of memory"
    return said + (f", in the span {why['span']!r}" if why.get("span") else "")


def oom_counter(root: Path = Path("/")) -> Callable[[], int] | None:
    """Counts the kernel's OOM kills, of this cgroup where the kernel says (v2, then v1), else of the whole machine; None: it cannot tell.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
    """

    def read(path: Path) -> int | None:
        try:
            lines = [line.split() for line in path.read_text().splitlines()]
        except OSError:
            return None
        return next((int(line[1]) for line in lines if len(line) > 1 and line[0] == "oom_kill"), None)

    for path in _places(root):
        if read(path) is not None:
            return lambda: read(path) or 0
    return None


def _places(root: Path) -> Iterable[Path]:
    mounted = root / "sys/fs/cgroup"
    try:
        lines = [line.split(":", 2) for line in (root / "proc/self/cgroup").read_text().splitlines()]
    except OSError:
        lines = []
    for number, controllers, path in (line for line in lines if len(line) == 3):  # noqa: PLR2004 - hierarchy:controllers:path, cgroups(7)
        if number == "0":
            yield mounted / path.lstrip("/") / "memory.events"
            yield mounted / "memory.events"  # a container that sees its host's path
        elif "memory" in controllers.split(","):
            yield mounted / "memory" / path.lstrip("/") / "memory.oom_control"
            yield mounted / "memory/memory.oom_control"
    yield root / "proc/vmstat"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
