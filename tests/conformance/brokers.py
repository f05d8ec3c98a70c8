"""The brokers that every behaviour is held to, and what a test may do to one behind the platform's back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kombu.connection import Connection
from kombu.messaging import Producer

from shared.bus import Bus, queue_names, transport_options
from shared.settings import ServiceSettings
from tests.rabbits import rabbit
from tests.servers import redis_server, running

NAMES = ("redis", "rabbitmq")


@dataclass
class Broker:
    """One broker with the ledger beside it. `url` is empty where it is the ledger's own Redis."""

    name: str
    ledger_url: str
    url: str = ""

    @property
    def address(self) -> str:
        """Where messages go."""
        return self.url or self.ledger_url

    def connect(self) -> Connection:
        """A connection of the test's own."""
        return Connection(self.address, transport_options=transport_options(self.address))

    def put(self, body: Any, *, queue: str = "probe", content_type: str = "application/json", **headers: Any) -> None:
        """A message as a stranger would send it."""
        with self.connect() as connection, connection.channel() as channel:
            Producer(channel, auto_declare=False).publish(
                body, exchange="", routing_key=queue, headers=headers, content_type=content_type, content_encoding="utf-8"
            )

    def bus(self) -> Bus:
        """A bus that publishes from outside the ledger on every broker: for copies of doorbells."""
        return Bus("probe", ServiceSettings.model_construct(redis_url="", broker_url=self.address))

    def empty(self, service: str = "probe") -> None:
        """Throw away every message that waits."""
        with self.connect() as connection:
            for queue in queue_names(service):
                channel = connection.channel()
                try:
                    channel.queue_purge(queue)
                except connection.channel_errors:
                    continue  # there is no such queue yet
                finally:
                    channel.close()


@contextmanager
def broker_named(name: str, folder: Path) -> Iterator[Broker]:
    """A broker of that name, and an empty ledger; skips where the server is not installed."""
    with running(redis_server(folder / "ledger")) as ledger:
        url = f"redis://127.0.0.1:{ledger.port}/0"
        if name == "redis":
            yield Broker(name, url)
            return
        with rabbit(folder / "rabbit") as server:
            yield Broker(name, url, server.url)
