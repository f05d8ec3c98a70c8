"""Who goes next on RabbitMQ, and what goes back."""

from types import SimpleNamespace
from typing import Any

from shared.runtime.turns import Turns

ORDER = ("probe.high", "probe", "probe.low")


class Desk:
    """Two children, a clock, and what was handed over or returned."""

    def __init__(self, children: int = 2) -> None:
        self.free = children
        self.now = 0.0
        self.served: list[str] = []
        self.returned: list[str] = []
        self.turns = Turns(ORDER, free=lambda: self.free > 0, hand_over=self._serve, clock=lambda: self.now)

    def _serve(self, message: Any) -> None:
        self.free -= 1
        self.served.append(message.name)

    def comes(self, queue: str, name: str) -> None:
        """A message from `queue`."""
        message = SimpleNamespace(name=name, delivery_info={"routing_key": queue}, requeue=lambda: self.returned.append(name))
        self.turns.take(message)

    def ends(self) -> None:
        """A child is free again, and the worker's loop turns."""
        self.free += 1
        self.turns.serve()


def test_a_message_is_handed_over_while_a_child_is_free() -> None:
    """No more than there are children."""
    desk = Desk()
    for name in "abc":
        desk.comes("probe", name)

    assert ["a", "b"] == desk.served


def test_the_most_urgent_goes_first() -> None:
    """A high message that came last is served before the normal and low ones that wait; within a queue the oldest goes first."""
    desk = Desk(children=0)
    for queue, name in (("probe.low", "l1"), ("probe", "n1"), ("probe", "n2"), ("probe.high", "h1"), ("probe.high", "h2")):
        desk.comes(queue, name)
    for _ in range(5):
        desk.ends()

    assert ["h1", "h2", "n1", "n2", "l1"] == desk.served


def test_what_waited_too_long_goes_back() -> None:
    """Oldest first, and only what is old enough; the rest keeps its turn."""
    desk = Desk(children=0)
    for now, queue, name in ((0.0, "probe", "n1"), (1.0, "probe.low", "l1"), (9.0, "probe", "n2")):
        desk.now = now
        desk.comes(queue, name)
    desk.now = 10.0
    count = desk.turns.give_back(8.0)
    desk.ends()

    assert (2, ["n1", "l1"]) == (count, desk.returned)
    assert ["n2"] == desk.served


def test_a_queue_nobody_named_is_served_last() -> None:
    """A message whose routing key is another queue's is not forgotten."""
    desk = Desk(children=0)
    desk.comes("elsewhere", "x")
    desk.comes("probe.low", "l1")
    desk.ends()
    desk.ends()

    assert ["l1", "x"] == desk.served
