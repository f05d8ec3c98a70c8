"""What is said of a dead child, from what it leaves behind: real processes that die, and the kernel's counters as files."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime.deaths import UNSETTLED, Deaths, oom_counter
from tests.servers import wait_until


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A child that is up, and does what it is told on its standard input."""
    code = "import os, sys\nprint('up', flush=True)\nfor line in sys.stdin: os._exit(int(line))"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process
        process.kill()


def dead(child: subprocess.Popen[bytes]) -> int:
    """The child's pid once it is dead; it is not waited for."""
    found = os.WEXITED | os.WNOWAIT
    os.waitid(os.P_PID, child.pid, found)
    return child.pid


def machine(root: Path, kills: int) -> Path:
    """A machine whose kernel has killed so often in our cgroup, and more elsewhere."""
    cgroup = root / "sys/fs/cgroup/memory/pod"
    cgroup.mkdir(parents=True, exist_ok=True)
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/cgroup").write_text("4:memory:/pod\n0::/\n")
    (cgroup / "memory.oom_control").write_text(f"oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n")
    (root / "proc/vmstat").write_text("nr_free_pages 5\noom_kill 99\n")
    return root


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_signal_is_named(child: subprocess.Popen[bytes], tmp_path: Path, sign: signal.Signals) -> None:
    """The signal's name, from the exit status, which is left for Celery to take; no OOM kill without evidence."""
    deaths = Deaths(tuple, root=machine(tmp_path, 3))
    deaths.begin()
    deaths.saw(child.pid)
    child.send_signal(sign)

    why = deaths.explain(dead(child))

    assert ("signal", sign.name) == (why["cause"], why["signal"])
    assert sign.name in why["reason"]
    assert "OOM" not in why["reason"]
    assert why["memory_bytes"] > 1_000_000
    assert -sign == child.wait()


def test_an_oom_kill_is_told_from_a_kill(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """The kernel's count for our cgroup rose around the death: said as probable, with the memory it had."""
    deaths = Deaths(tuple, root=machine(tmp_path, 3))
    deaths.begin()
    deaths.saw(child.pid)
    machine(tmp_path, 4)  # the kernel has chosen it, and it is not dead yet
    deaths.begin()
    deaths.saw(child.pid)
    child.kill()
    deaths.begin()

    why = deaths.explain(dead(child))

    assert ("oom", "SIGKILL") == (why["cause"], why["signal"])
    assert "probably by the kernel's OOM killer, having" in why["reason"]


def test_an_oom_kill_of_before_explains_nothing(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """Another process of the cgroup was killed, and this one was seen alive at two looks afterwards."""
    deaths = Deaths(tuple, root=machine(tmp_path, 3))
    machine(tmp_path, 4)
    for _ in range(2):
        deaths.begin()
        deaths.saw(child.pid)
    child.kill()

    assert "signal" == deaths.explain(dead(child))["cause"]


@pytest.mark.parametrize(("status", "cause"), [(0, "exit"), (3, "exit"), (UNSETTLED, "unsettled")])
def test_an_exit_is_told_by_its_status(child: subprocess.Popen[bytes], status: int, cause: str) -> None:
    """A library that calls exit() in the middle of a job is found by the number."""
    assert child.stdin is not None
    child.stdin.write(f"{status}\n".encode())
    child.stdin.close()

    why = Deaths(tuple).explain(dead(child))

    assert (cause, status) == (why["cause"], why["exit_status"])


def test_what_this_worker_did_itself_is_known(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """A hard time limit is the cause, not the SIGKILL that it came with."""
    deaths = Deaths(tuple, root=tmp_path)
    child.kill()

    why = deaths.explain(dead(child), "it ran over the hard time limit of 3 seconds")

    assert ("time_limit", "it ran over the hard time limit of 3 seconds") == (why["cause"], why["reason"])


def test_a_child_that_celery_waited_for_is_still_explained() -> None:
    """Once it has been waited for, the kernel forgets the status; the process object has it, though the pool has let it go."""

    class Process:
        """As billiard's."""

        def __init__(self) -> None:
            self._popen = subprocess.Popen(["/bin/sh", "-c", "kill -ABRT $$"])
            self.pid = self._popen.pid

    process = Process()
    pool = [process]
    deaths = Deaths(lambda: pool)
    deaths.begin()
    process._popen.wait()
    pool.clear()
    deaths.begin()

    assert "SIGABRT" == deaths.explain(process.pid)["signal"]


def test_a_stranger_is_not_explained(tmp_path: Path) -> None:
    """Nobody knows: said so, and nothing made up."""
    why = Deaths(tuple, root=tmp_path).explain(2**22 - 1)

    assert {"cause": "unknown", "reason": "its process is gone, and nobody saw how"} == why


def test_the_narrowest_counter_is_taken(tmp_path: Path) -> None:
    """This cgroup's count by version 2, else by version 1, else the machine's, else none."""
    assert oom_counter(tmp_path) is None
    counters = [
        ("proc/vmstat", "oom_kill 7\n", 7),
        ("sys/fs/cgroup/memory/memory.oom_control", "oom_kill 6\n", 6),
        ("sys/fs/cgroup/pod/memory.events", "oom 9\noom_kill 5\n", 5),
    ]
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/pod\n4:memory:/elsewhere\n")
    for name, text, kills in counters:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        counter = oom_counter(tmp_path)

        assert counter is not None
        assert kills == counter()


def test_a_child_that_dies_while_it_is_looked_at_is_left_for_the_next_look() -> None:
    """No race ends the keeper's beat."""
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
        wait_until(lambda: not Path(f"/proc/{process.pid}").exists(), "it is gone")

        Deaths(tuple).saw(process.pid)
