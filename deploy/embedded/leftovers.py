"""Finds and ends processes of this home that have lost their supervisor.

Every process of a home carries a mark in its environment, which its own children inherit, whatever process group or session
they move to. So nothing is ended by name, and nothing of another home is touched.
"""

import contextlib
import os
import time

import psutil

MARK = "COUNTERFOIL_RUN"
"""The environment variable: `<home>#<run>#<process>#`."""


def mark(*parts: object) -> str:
    """The mark of a home, of one run of it, or of one process of the run: each the prefix of what it contains."""
    return "".join(f"{part}#" for part in parts)


def _own_line() -> set[int]:
    """This process and its ancestors: a shell inside the home may start the next one."""
    me = psutil.Process()
    return {me.pid, *(parent.pid for parent in me.parents())}


def marked(prefix: str) -> list[psutil.Process]:
    """Every live process whose mark starts with `prefix`, with all its descendants."""
    spared, found = _own_line(), dict[int, psutil.Process]()
    for process in psutil.process_iter():
        # Others' processes deny, and any may end while we look: neither is ours to end.
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in spared and process.environ().get(MARK, "").startswith(prefix):
                found[process.pid] = process
                found.update((child.pid, child) for child in process.children(recursive=True))
    return [process for pid, process in found.items() if pid not in spared and _lives(process)]


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def end_marked(prefix: str, *, within: float = 5.0) -> int:
    """SIGKILL what `marked` finds, again until nothing is left or `within` seconds are over; how many were ended."""
    ended: set[int] = set()
    deadline = time.monotonic() + within
    while (left := marked(prefix)) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
                ended.add(process.pid)
        psutil.wait_procs(left, timeout=0.2)
    return len(ended)


def end_tree(pid: int) -> None:
    """SIGKILL a process, its process group (which it leads) and every descendant, in whatever group they are."""
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, 9)
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
