"""Deaf workers are found on RabbitMQ as on Redis: canaries go through the broker, whichever it is."""

import time
from pathlib import Path

import pytest
from celery import Celery

from shared.contracts.states import State
from tests.probe.rig import Rig
from tests.rabbits import Rabbit
from tests.servers import wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]
QUEUES = ("probe.high", "probe", "probe.low")


@pytest.fixture
def broker(rabbit_server: Rabbit) -> Rabbit:
    """A RabbitMQ that holds nothing of the probe's."""
    rabbit_server.empty("probe")
    return rabbit_server


def test_a_worker_that_does_not_consume_one_queue_is_found(redis_url: str, tmp_path: Path, broker: Rabbit) -> None:
    """Two workers hear their canaries; the one that stops consuming a queue is deaf to it. No heap of canaries, no dead letter."""
    rig = Rig(redis_url, tmp_path, {"PROBE_CANARY_EVERY": "1"}, broker=broker.url)
    rig.ledger.redis.flushdb()
    control = Celery(broker=broker.url).control

    def deaf() -> dict[str, list[str]]:
        return {worker["name"]: worker["deaf_queues"] for worker in rig.stats()["workers"] if worker["deaf"]}

    with rig.worker(concurrency=1):
        (node,) = control.inspect(timeout=5).ping()
        (patient,) = rig.stats()["workers"]
        with rig.worker(concurrency=1):
            deadline = time.monotonic() + 7
            while time.monotonic() < deadline:
                assert {} == deaf()
                time.sleep(0.05)

            control.cancel_consumer("probe", destination=[node], reply=True)
            wait_until(lambda: deaf() == {patient["name"]: ["probe"]}, "it is found")

            assert State.SUCCEEDED is rig.wait(rig.submit(what="work")).state
            assert all(broker.depth(queue) <= 2 for queue in QUEUES)
            assert (0, 0) == (rig.stats()["dead_letters"], rig.stats()["counters"].get("unknown_dropped", 0))
    rig.ledger.close()
