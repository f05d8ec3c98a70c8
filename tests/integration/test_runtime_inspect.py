"""What Celery's own tools ask of a worker is answered: Flower's worker page is made of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from tests.probe.rig import Rig
from tests.servers import wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(200)]


@pytest.fixture
def rig(redis_url: str, tmp_path: Path) -> Iterator[Rig]:
    """A probe service on an empty ledger."""
    rig = Rig(redis_url, tmp_path)
    rig.ledger.redis.flushdb()
    yield rig
    rig.ledger.close()


def test_a_worker_tells_its_settings_and_figures(rig: Rig) -> None:
    """`celery inspect stats` and `conf` are answered: everything in a worker's settings can be written as JSON."""
    app = Celery("asker", broker=rig.url, set_as_current=False)
    try:
        with rig.worker(concurrency=1):
            wait_until(lambda: bool(app.control.inspect(timeout=3).stats()), "stats are answered", seconds=30)
            settings = app.control.inspect(timeout=5).conf()
    finally:
        app.close()

    assert settings is not None
    assert ["probe"] == [next(iter(settings.values()))["task_default_queue"]]
