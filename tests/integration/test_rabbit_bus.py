"""The bus on a real RabbitMQ: from many threads, across a fork, over a restart."""

import gc
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.bus import Bus, envelope_text
from shared.errors import UnavailableError
from shared.settings import ServiceSettings
from tests.rabbits import Rabbit
from tests.servers import wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(120)]
THREADS, EACH = 8, 25


@pytest.fixture
def broker(rabbit_server: Rabbit) -> Rabbit:
    """A RabbitMQ that holds nothing of the probe's."""
    rabbit_server.empty("probe")
    return rabbit_server


@pytest.fixture
def bus(broker: Rabbit, tmp_path: Path) -> Bus:
    """The probe's bus on it."""
    return Bus("probe", ServiceSettings(redis_url="redis://127.0.0.1", broker_url=broker.url, home=tmp_path))


def ring(bus: Bus, number: int) -> None:
    """One doorbell."""
    text = envelope_text(job_id=f"probe_{number}", kind="probe.act.v1", epoch=1, tenant="t", request="{}", blob="", trace={})
    bus.publish(text, kind="probe.act.v1", job_id=f"probe_{number}", queue=bus.service)


def taken(bus: Bus, number: int) -> bool:
    """One doorbell; False where the broker refuses it."""
    try:
        ring(bus, number)
    except UnavailableError:
        return False
    return True


def test_many_threads_publish_and_look_at_once(bus: Bus, broker: Rabbit) -> None:
    """Every message arrives once; looks in between get answers, not each other's."""

    def play(thread: int) -> list[int]:
        looks = []
        for number in range(EACH):
            ring(bus, thread * EACH + number)
            looks.append(bus.depth("probe"))
        return looks

    wait_until(lambda: taken(bus, -1), "the queue is new, and takes messages")
    with ThreadPoolExecutor(THREADS) as pool:
        looks = [look for found in pool.map(play, range(THREADS)) for look in found]

    assert all(0 <= look <= THREADS * EACH + 1 for look in looks)
    wait_until(lambda: broker.depth("probe") == THREADS * EACH + 1, "every message is there")


def test_a_forked_childs_end_leaves_the_connection_alone(bus: Bus, broker: Rabbit) -> None:
    """A pool child inherits the socket; whatever it collects, the parent's connection lives."""
    ring(bus, 1)
    bus.check()
    kept = (bus._out._connection, bus._look._connection)
    child = os.fork()
    if child == 0:
        bus._out._connection = bus._look._connection = None  # as a child does that forgets its parent's connections
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    ring(bus, 2)
    bus.check()

    assert kept == (bus._out._connection, bus._look._connection)
    wait_until(lambda: broker.depth("probe") == 2, "both are there")


def test_a_restarted_broker_is_found_again(bus: Bus, broker: Rabbit) -> None:
    """While it is away each use says so; the first one after it is back works, with what was confirmed before still there."""
    wait_until(lambda: taken(bus, 1), "the queue is new, and takes messages")
    wait_until(lambda: bus.depth("probe") == 1, "it is there")
    broker.server.stop(signal.SIGKILL)
    for use in (bus.check, lambda: bus.depth("probe"), lambda: ring(bus, 2)):
        with pytest.raises(UnavailableError, match="broker: probe's broker does not answer"):
            use()
    broker.server.start()
    bus.check()
    wait_until(lambda: taken(bus, 3), "the queue has found itself, and takes messages")

    wait_until(lambda: bus.depth("probe") >= 2, "what was confirmed is there")
