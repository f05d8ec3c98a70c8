"""One broker after the other; a worker of the probe for each."""

from collections.abc import Iterator

import pytest

from tests.conformance.brokers import NAMES, Broker, broker_named
from tests.probe.rig import Rig, Worker


@pytest.fixture(scope="session", params=NAMES)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Every behaviour, on every broker."""
    with broker_named(request.param, tmp_path_factory.mktemp(request.param)) as broker:
        yield broker


@pytest.fixture(scope="session")
def rig(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The probe service on that broker."""
    rig = Rig(broker.ledger_url, tmp_path_factory.mktemp(f"probe-{broker.name}"), broker=broker.url)
    yield rig
    rig.ledger.close()


@pytest.fixture(scope="module")
def worker(rig: Rig) -> Iterator[Worker]:
    """One worker for a whole file."""
    with rig.worker(concurrency=2) as worker:
        yield worker
