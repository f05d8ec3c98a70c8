"""RabbitMQ killed, frozen, absent, impatient: no job is lost, none is done twice, and the gateway goes on taking them."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.contracts.states import State
from tests.gateways import Gateway
from tests.probe.rig import Rig
from tests.rabbits import Rabbit
from tests.servers import Server, gateway_server, redis_server, running, wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Redis for these ledgers alone."""
    with running(redis_server(tmp_path_factory.mktemp("ledger"))) as server:
        yield server


@pytest.fixture
def broker(rabbit_server: Rabbit) -> Rabbit:
    """A RabbitMQ that closes the channel of whoever keeps a message for 5 s, and holds nothing of the probe's."""
    rabbit_server.empty("probe")
    return rabbit_server


@pytest.fixture
def rig(ledger: Server, broker: Rabbit, tmp_path: Path) -> Iterator[Rig]:
    """The probe on both."""
    rig = Rig(f"redis://127.0.0.1:{ledger.port}/0", tmp_path, {"PROBE_HOLD": "2"}, broker=broker.url)
    rig.ledger.redis.flushdb()
    yield rig
    rig.ledger.close()


def test_jobs_longer_than_the_consumer_timeout_run_once(rig: Rig) -> None:
    """A job of 12 s and three that wait behind it, under a timeout of 5 s: the channel lives, and each is attempted once."""
    with rig.worker(concurrency=1) as worker:
        long = rig.submit(what="work", seconds=12.0, at_once=True)
        rig.wait_for(long, lambda record: record.state is State.RUNNING, "the long job runs")
        behind = [rig.submit(what="work", at_once=True) for _ in range(3)]
        done = [rig.wait(job) for job in (long, *behind)]
        said = worker.log.read_text()

    assert [(State.SUCCEEDED, 1)] * 4 == [(record.state, record.number("attempt")) for record in done]
    assert [1] * 4 == [rig.did(record.id) for record in done]
    assert "messages_returned" in said, "what waited behind the long job went back to the broker"
    assert "PRECONDITION_FAILED" not in said
    assert "Connection to broker lost" not in said


def test_a_killed_broker_loses_no_job(rig: Rig, broker: Rabbit) -> None:
    """L1, L3: SIGKILL of RabbitMQ under load, jobs accepted while it is away: done without it, once, and no attempt is charged."""
    with rig.worker(concurrency=2) as worker:
        jobs = [rig.submit(what="work", seconds=0.2, at_once=True) for _ in range(20)]
        wait_until(lambda: sum(rig.job(job).done for job in jobs) >= 4, "some are done")
        broker.server.stop(signal.SIGKILL)
        jobs += [rig.submit(what="work", seconds=0.01) for _ in range(20)]
        wait_until(lambda: "broker_lost" in worker.log.read_text(), "the worker has noticed")
        wait_until(lambda: all(rig.job(job).done for job in jobs), "a busy worker needs no broker to go on")
        broker.server.start()
        after = rig.submit(what="work")
        done = [rig.wait(job) for job in (*jobs, after)]

    assert {(State.SUCCEEDED, 1)} == {(record.state, record.number("attempt")) for record in done}
    assert [1] * 40 == [rig.did(job) for job in jobs]


def test_a_frozen_broker_costs_no_lease(rig: Rig, broker: Rabbit) -> None:
    """L4: RabbitMQ takes connections and says nothing for 8 s: leases of 3 s are renewed all the while, and retries fall due."""
    with rig.worker(concurrency=2, PROBE_LEASE="3"):
        job = rig.submit(what="work", seconds=10.0)
        rig.wait_for(job, lambda record: record.state is State.RUNNING, "the job runs")
        os.kill(broker.server.pid, signal.SIGSTOP)
        try:
            until, shortest = time.monotonic() + 8, float("inf")
            while time.monotonic() < until:
                seconds, micros = rig.ledger.redis.time()
                shortest = min(shortest, rig.job(job).number("lease") / 1000 - seconds - micros / 1e6)
                time.sleep(0.1)
        finally:
            os.kill(broker.server.pid, signal.SIGCONT)
        done = rig.wait(job)

    assert shortest > 0
    assert (State.SUCCEEDED, 1, 1) == (done.state, done.number("attempt"), rig.did(job))


def test_the_gateway_accepts_while_the_broker_is_away(ledger: Server, broker: Rabbit, tmp_path: Path) -> None:
    """L1: 202 at once with the broker down; /readyz names it; the job is done when the broker is back."""
    url = f"redis://127.0.0.1:{ledger.port}/1"
    rig = Rig(url, tmp_path, broker=broker.url)
    rig.ledger.redis.flushdb()
    broker.server.stop()
    with running(gateway_server(tmp_path / "home", url, COUNTERFOIL_BROKER_URL=broker.url)) as server:
        gateway = Gateway(server, tmp_path / "home")
        with gateway.client() as client:
            began = time.monotonic()
            answers = [client.post("/v1/avatars", json={"seed": f"ada {n}"}) for n in range(20)]
            spent = time.monotonic() - began
            ready = client.get("/readyz")
            broker.server.start()
            wait_until(lambda: client.get("/readyz").status_code == 200, "everything answers", seconds=30)
            more = client.post("/v1/avatars", json={"seed": "grace"})
            wait_until(lambda: broker.depth("avatar") == 21, "all doorbells are out", seconds=30)

    assert [202] * 21 == [answer.status_code for answer in (*answers, more)]
    assert spent < 5
    assert 503 == ready.status_code
    assert "avatar: broker" in ready.json()["detail"]
    assert {"ledger": "ok", "broker": "no answer"} == ready.json()["checks"]["avatar"]
