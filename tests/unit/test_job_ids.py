"""Job ids sort as they were made, in one thread, in many, and when the clock is set back; forked children never share one."""

import os
import re
import threading
import time

import pytest

from shared.contracts.envelope import JOB_ID
from shared.ledger import ids

HOUR_NS = 3_600_000_000_000


def test_id_is_the_service_and_a_ulid() -> None:
    """The service's name, an underscore, 26 characters that the envelope's pattern accepts."""
    job_id = ids.new("avatar")

    assert ids.service_of(job_id) == "avatar"
    assert ids.service_of(f"{job_id}.12") == "avatar"
    assert re.fullmatch(JOB_ID, job_id)


def test_time_is_in_front() -> None:
    """The first ten characters are the milliseconds; the ULID specification's own example."""
    assert ids.ulid(1_469_918_176_385)[:10] == "01ARYZ6S41"
    assert ids.ulid(2**48 - 1)[:10] == "7ZZZZZZZZZ"


def test_ids_of_one_millisecond_sort_as_made() -> None:
    """Within a millisecond the random part is counted up."""
    made = [ids.ulid(1_700_000_000_000) for _ in range(1_000)]

    assert sorted(set(made)) == made


def test_ids_sort_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes back an hour (or leaps) does not make an id that sorts before its elders."""
    before = ids.ulid()
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - HOUR_NS)

    assert before < ids.ulid() < ids.ulid()


def test_ids_differ_across_threads() -> None:
    """Eight threads make a thousand ids each: none twice, and each thread's own in order."""
    made: list[list[str]] = [[] for _ in range(8)]

    def make(mine: list[str]) -> None:
        mine.extend(ids.ulid() for _ in range(1_000))

    threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(mine == sorted(mine) for mine in made)
    assert len({job_id for mine in made for job_id in mine}) == 8_000


def _from_a_child(now_ms: int) -> str:
    """The id that a forked child makes in this millisecond."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, ids.ulid(now_ms).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as pipe:
        return pipe.read()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns of threads at a fork; that is the point
def test_forked_children_never_share_an_id() -> None:
    """Two pool children that make their first id in the parent's last millisecond do not count up to the same one."""
    now = 1_700_000_000_000
    parent = ids.ulid(now)
    children = [_from_a_child(now) for _ in range(4)]

    assert all(len(child) == 26 for child in children)
    assert len({parent, *children}) == 5


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns of threads at a fork; that is the point
def test_fork_while_another_thread_makes_ids() -> None:
    """A lock that was held at the fork does not hang the child."""
    with ids._lock:
        child = _from_a_child(1_700_000_000_000)

    assert len(child) == 26
