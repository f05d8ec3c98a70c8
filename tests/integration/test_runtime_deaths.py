"""A crash is explained where people look: in the job's events, its attempt log and its dead letter. With a real worker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.states import State
from shared.ledger import calls, dead
from tests.probe.rig import Rig

pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def rig(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A probe service with one worker, whose hard time limit is 3 s."""
    rig = Rig(redis_url, tmp_path_factory.mktemp("probe"))
    rig.ledger.redis.flushdb()
    with rig.worker(concurrency=2, PROBE_HARD_TIME_LIMIT="3"):
        yield rig
    rig.ledger.close()


def told(rig: Rig, job: str, event: str) -> list[dict[str, Any]]:
    """The data of a job's events of one type."""
    return [each.data for each in rig.ledger.run(calls.events(job, most=1_000)).events if each.type == f"job.{event}"]


def test_a_fault_in_native_code_is_explained_in_three_places(rig: Rig) -> None:
    """L5: signal, progress, span and memory stand in each rescue, in the attempt log and, after the third, in the dead letter."""
    job = rig.submit(what="segfault", seconds=1.2)
    done = rig.wait(job)

    (letter,) = [entry for entry in rig.ledger.run(dead.page()) if entry.id == job]
    ended = told(rig, job, "failed")
    places = [*told(rig, job, "rescued"), ended[0]["error"]["crash"], *(attempt["crash"] for attempt in done.attempts)]
    assert 6 == len(places)
    for place in places:
        assert ("signal", "SIGSEGV", "draw picture") == (place["cause"], place["signal"], place["span"])
        assert {"step": "draw", "fraction": 0.43} == place["progress"]
        assert place["memory_bytes"] > 10_000_000
        assert "killed by SIGSEGV (a fault in native code)" in place["reason"]
        assert "; at 43 %, step draw" in place["reason"]
    assert ("worker_lost", "worker-lost") == (letter.reason, done.json("error")["type"])
    assert "SIGSEGV" in done.json("error")["detail"]


def test_an_exit_is_explained_by_its_status(rig: Rig) -> None:
    """A process that ends itself in the middle of a job; what an earlier attempt told is not taken for this one's progress."""
    job = rig.submit(what="leave")
    rig.wait(job)

    rescues = told(rig, job, "rescued")
    assert [("exit", 3)] * 2 == [(why["cause"], why["exit_status"]) for why in rescues]
    assert [{"step": "begin", "fraction": 0.7}, None] == [why.get("progress") for why in rescues]
    assert "exit status 3" in rescues[0]["reason"]


def test_the_hard_time_limit_is_the_cause(rig: Rig) -> None:
    """Not the SIGKILL that enforced it."""
    job = rig.submit(what="stubborn", seconds=60.0)
    rig.wait_for(job, lambda record: record.number("crashes") == 1, "it ran over its time")
    rig.ledger.run(calls.cancel(job, "t"))
    rig.wait(job)

    (why,) = told(rig, job, "rescued")
    assert "time_limit" == why["cause"]
    assert "it ran over the hard time limit of 3 seconds" in why["reason"]


def test_a_lease_that_nobody_renewed_is_another_reason(redis_url: str, tmp_path: Path) -> None:
    """Nobody saw the process die: dead-lettered as expired_lease, with the worker and how long it was silent."""
    alone = Rig(redis_url.replace("/0", "/8"), tmp_path)
    alone.ledger.redis.flushdb()
    start = int(alone.ledger.redis.time()[0] * 1000)
    job = alone.submit(what="work")
    alone.ledger.run(calls.renew("w1", lease_ms=1_000, info={}), now=start)
    for crash in range(3):
        now = start + 20_000 * (crash + 1)
        alone.ledger.run(calls.claim(job, worker="w1", pid=7, lease_ms=1_000, nonce=str(crash)), now=now)
        alone.ledger.run(calls.reconcile("w2", budget=3, most=10, depths={}), now=now + 1_000)

    done = alone.job(job)
    assert (State.FAILED, "expired_lease", 3) == (done.state, done.text("reason"), done.number("crashes"))
    (first, _) = told(alone, job, "rescued")
    assert ("lease_expired", "w1", 21) == (first["cause"], first["worker"], first["silent_seconds"])
    assert ["expired-lease", "w1"] == [done.json("error")["type"], done.json("error")["crash"]["worker"]]
    alone.ledger.close()
