"""RabbitMQ's own ways: what its queues are declared with, publishing with confirms, and fetching what it gave up on.

Quorum queues (https://www.rabbitmq.com/docs/quorum-queues) survive a broker's crash. They need no global QoS and know no
per-message priority, which is why there is a queue per priority.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.messaging import Producer

from shared.errors import UnavailableError

DELIVERIES = 20
"""How often RabbitMQ hands out a message before it gives up on it; version 4's own default. The ledger rings again for a live job."""
CONFIRM_WITHIN = 10.0
"""Seconds. A broker that is short of memory or disk takes no messages and says nothing."""
Letter = Mapping[str, Any]
"""Keyword arguments of kombu's `Producer.publish`."""


def is_rabbit(url: str) -> bool:
    """Whether `url` is a RabbitMQ's."""
    return url.startswith(("amqp://", "amqps://"))


def dead_queue_name(service: str) -> str:
    """Where RabbitMQ puts what it gives up on: `avatar.dlq`."""
    return f"{service}.dlq"


def queue(name: str, service: str) -> Queue:
    """One of a service's queues. Every process must declare it with the same words, or RabbitMQ refuses the later one."""
    arguments = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead_queue_name(service),
        # Without these two a dead letter is sent and forgotten: gone where its queue is away for a moment.
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-delivery-limit": DELIVERIES,
    }
    return Queue(name, Exchange(""), routing_key=name, queue_arguments=arguments)


def dead_queue(service: str) -> Queue:
    """The queue of what RabbitMQ gave up on."""
    name = dead_queue_name(service)
    return Queue(name, Exchange(""), routing_key=name, queue_arguments={"x-queue-type": "quorum"})


def publish(connection: Connection, letters: Iterable[Letter]) -> None:
    """Publish, and return once the broker has confirmed all: one wait for the lot, not one for each.

    Raises UnavailableError where the broker refuses one (a quorum queue without a leader, just after a start), and a timeout where
    it says nothing.
    """
    with connection.channel() as channel:
        channel.confirm_select()
        waiting: set[int] = set()
        refused: set[int] = set()

        def settled(tag: int, multiple: bool) -> None:
            waiting.difference_update([each for each in waiting if each <= tag] if multiple else [tag])

        def rejected(tag: int, multiple: bool) -> None:
            refused.add(tag)
            settled(tag, multiple)

        channel.events["basic_ack"].add(settled)
        channel.events["basic_nack"].add(rejected)
        producer = Producer(channel, auto_declare=False)
        for number, letter in enumerate(letters, 1):
            waiting.add(number)
            producer.publish(**letter)
        while waiting:
            connection.drain_events(timeout=CONFIRM_WITHIN)
        if refused:
            raise UnavailableError("broker", f"the broker refused {len(refused)} messages")


def fetch_dead(connection: Connection, service: str, keep: Callable[[Any], None], most: int) -> int:
    """Hand up to `most` dead letters to `keep`, each acknowledged once it returns; how many there were."""
    with connection.channel() as channel:
        bound = dead_queue(service)(channel)
        for number in range(most):
            message = bound.get(no_ack=False)
            if message is None:
                return number
            keep(message)
            message.ack()
    return most
