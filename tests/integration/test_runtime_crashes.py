"""What dies takes no job with it: SIGKILL of a worker, a pool child, the ledger's server; the broker emptied."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.contracts.states import State
from tests.probe.rig import Rig
from tests.servers import redis_server, running, wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]


@pytest.fixture
def rig(redis_url: str, tmp_path: Path) -> Iterator[Rig]:
    """A probe service on an empty ledger."""
    rig = Rig(redis_url, tmp_path)
    rig.ledger.redis.flushdb()
    yield rig
    rig.ledger.close()


def test_a_job_of_a_killed_worker_is_done_by_another_within_20_seconds_once(rig: Rig) -> None:
    """L4, L9: SIGKILL of the worker in a job: another worker does it, after the lease, and its effect happens once."""
    with rig.worker(concurrency=1) as first:
        job = rig.submit(what="stuck", seconds=0.1)
        rig.wait_for(job, lambda record: record.state is State.RUNNING, "the job runs")
        with rig.worker(concurrency=1):
            first.kill()
            killed = float(rig.ledger.redis.time()[0])

            rig.wait_for(job, lambda record: record.number("attempt") == 2, "it runs again", seconds=20)
            done = rig.wait(job)

    assert 0 < done.attempts[-1]["started_at"] / 1000 - killed < 20
    assert (State.SUCCEEDED, 2, 1) == (done.state, done.number("attempt"), done.number("crashes"))
    assert (2, 1) == (rig.did(job, "began"), rig.did(job, "did"))
    assert ["accepted", "started", "rescued", "started", "succeeded"] == rig.events(job)


def test_the_children_of_a_killed_worker_die_with_it(rig: Rig) -> None:
    """L4: no orphan goes on working while another worker has the job already."""
    with rig.worker(concurrency=2) as worker:
        job = rig.submit(what="spin", seconds=60.0)
        rig.wait_for(job, lambda record: record.state is State.RUNNING, "the job runs")
        children = worker.children()

        worker.kill()

        wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in children), "no child is left", seconds=5)


def test_a_job_of_a_killed_child_runs_again_within_2_seconds(rig: Rig) -> None:
    """L9: SIGKILL of the pool child only: its job is running again within 2 s, and is done once."""
    with rig.worker(concurrency=2):
        job = rig.submit(what="stuck", seconds=0.1)
        running_ = rig.wait_for(job, lambda record: record.state is State.RUNNING, "the job runs")
        os.kill(running_.number("pid"), signal.SIGKILL)
        killed = rig.ledger.redis.time()

        rig.wait_for(job, lambda record: record.number("attempt") == 2, "it runs again", seconds=10)
        done = rig.wait(job)

    assert 0 < done.attempts[-1]["started_at"] / 1000 - (killed[0] + killed[1] / 1e6) < 2
    assert (State.SUCCEEDED, 1) == (done.state, rig.did(job))


def test_a_job_that_kills_its_worker_is_dead_lettered_after_three(rig: Rig) -> None:
    """L5: crashes have a budget of their own; a poison job ends as worker_lost and does not loop."""
    with rig.worker(concurrency=2):
        job = rig.submit(what="kill")
        done = rig.wait(job)
        other = rig.wait(rig.submit(what="work"))

    assert (State.FAILED, "worker_lost", 3, 0) == (done.state, done.text("reason"), done.number("crashes"), done.number("errors"))
    assert 3 == rig.did(job, "began")
    assert State.SUCCEEDED is other.state


def test_no_accepted_job_is_lost_when_the_broker_is_emptied(rig: Rig) -> None:
    """L3: with every message gone from the broker, all jobs are still done, once."""
    jobs = [rig.submit(what="work", seconds=0.01) for _ in range(30)]
    for queue in ("probe", "probe.high", "probe.low"):
        rig.ledger.redis.delete(queue)

    with rig.worker(concurrency=2):
        done = [rig.wait(job) for job in jobs]

    assert {State.SUCCEEDED} == {record.state for record in done}
    assert [1] * 30 == [rig.did(job) for job in jobs]


def test_repeated_messages_run_a_job_once(rig: Rig) -> None:
    """L3: the broker may repeat; the claim drops the copies."""
    jobs = [rig.submit(what="work", seconds=0.05) for _ in range(10)]
    messages = rig.ledger.redis.lrange("probe", 0, -1)
    rig.ledger.redis.lpush("probe", *messages, *messages)

    with rig.worker(concurrency=2):
        for job in jobs:
            rig.wait(job)
        wait_until(lambda: rig.ledger.redis.llen("probe") == 0, "every copy was taken")
        wait_until(lambda: rig.stats()["counters"].get("duplicate_dropped", 0) == 20, "every copy was dropped")

    assert [1] * 10 == [rig.did(job) for job in jobs]


def test_no_accepted_job_is_lost_when_the_ledgers_server_is_killed(tmp_path: Path) -> None:
    """L1: SIGKILL and restart of Redis under load: whatever was accepted is done, once."""
    with running(redis_server(tmp_path / "ledger", appendonly=True)) as server:
        rig = Rig(f"redis://127.0.0.1:{server.port}/0", tmp_path)
        with rig.worker(concurrency=2):
            jobs = [rig.submit(what="work", seconds=0.2) for _ in range(20)]
            wait_until(lambda: sum(rig.job(job).done for job in jobs) >= 4, "some are done")

            server.restart(signal.SIGKILL)
            jobs += [rig.submit(what="work", seconds=0.01) for _ in range(5)]
            done = [rig.wait(job, seconds=90) for job in jobs]

    assert {State.SUCCEEDED} == {record.state for record in done}
    assert [1] * 25 == [rig.did(job) for job in jobs]
