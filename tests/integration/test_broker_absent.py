"""A broker that does not answer is told in the house's own terms, whatever its client raises."""

import socket
from collections.abc import Callable

import pytest

from shared.bus import Bus
from shared.errors import UnavailableError
from shared.settings import ServiceSettings


@pytest.fixture
def closed_port() -> int:
    """A port of this machine where nobody listens: it was free a moment ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{}/1", "amqp://127.0.0.1:{}//"])
def test_absent_broker_is_unavailable(url: str, closed_port: int) -> None:
    """Checking, counting and publishing each say that the broker does not answer; none of them lets the client's error through."""
    bus = Bus("avatar", ServiceSettings(redis_url="redis://127.0.0.1/0", broker_url=url.format(closed_port)))
    asked: list[Callable[[], object]] = [
        bus.check,
        lambda: bus.depth("avatar"),
        lambda: bus.publish("{}", kind="avatar.generate.v1", job_id="avatar_1", queue="avatar"),
    ]

    for ask in asked:
        with pytest.raises(UnavailableError, match="broker: avatar's broker does not"):
            ask()


def test_queue_that_is_not_there_is_empty(redis_url: str) -> None:
    """On a broker that answers, nothing waits in a queue that nobody declared."""
    bus = Bus("avatar", ServiceSettings(redis_url="redis://127.0.0.1/0", broker_url=redis_url))

    assert bus.depth("avatar.never-declared") == 0
