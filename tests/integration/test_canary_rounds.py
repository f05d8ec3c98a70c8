"""A round of canaries: something to be heard in each queue, and never more than that."""

from collections.abc import Iterator

import pytest

from shared.ledger import calls, canaries
from shared.ledger.store import Ledger

START = 1_700_000_000_000
HIGH, LOW = ("avatar.high", -1, 2, "canary @TAG@"), ("avatar", -1, 3, "canary @TAG@")
LOOKS = "cf:{avatar}:canary"


@pytest.fixture
def ledger(redis_url: str) -> Iterator[Ledger]:
    """An empty ledger whose Redis is the broker, too."""
    ledger = Ledger(redis_url, "avatar", rings_here=True)
    ledger.redis.flushdb()
    yield ledger
    ledger.close()


def lengths(ledger: Ledger) -> list[int]:
    """How many messages lie in the two queues."""
    return [int(ledger.redis.llen(queue)) for queue in ("avatar.high", "avatar")]


def test_each_listener_of_an_empty_queue_gets_one(ledger: Ledger) -> None:
    """With a delivery tag of its own; and no depth that would wake an autoscaler."""
    assert [] == ledger.run(canaries.ring(10, [HIGH, LOW]), now=START)

    assert [2, 3] == lengths(ledger)
    tags = ledger.redis.lrange("avatar", 0, -1)
    assert 3 == len(set(tags))
    assert all(str(tag).startswith("canary canary.") for tag in tags)
    assert [0] == [queue["depth"] for queue in ledger.run(calls.stats(["avatar"]))["queues"].values()]


def test_where_something_waits_nothing_is_added(ledger: Ledger) -> None:
    """However long nobody comes: a queue is not flooded, neither with canaries nor behind jobs."""
    for second in range(0, 600, 10):
        ledger.run(canaries.ring(10, [HIGH, LOW]), now=START + second * 1_000)

    assert [2, 3] == lengths(ledger)


def test_a_queue_is_told_to_have_waited_since_the_first_look_in_a_row(ledger: Ledger) -> None:
    """A sender that was away for three rounds begins anew."""
    told = []
    for second in (0, 10, 20, 60):
        ledger.run(canaries.ring(10, [HIGH]), now=START + second * 1_000)
        told.append(ledger.redis.hget(LOOKS, "avatar.high"))

    assert [f"{START} {START + 20_000}", f"{START + 60_000} {START + 60_000}"] == told[-2:]


def test_behind_something_more_urgent_nobody_is_deaf(ledger: Ledger) -> None:
    """A worker that takes what is urgent may rightly leave the rest; a queue that nobody listens to is another complaint."""
    ledger.run(canaries.ring(10, [HIGH, LOW]), now=START)
    ledger.redis.rpop("avatar", 3)
    ledger.run(canaries.ring(10, [HIGH, LOW]), now=START + 10_000)

    assert ["avatar.high"] == ledger.redis.hkeys(LOOKS)
    assert [2, 0] == lengths(ledger)

    ledger.run(canaries.ring(10, [("avatar.high", -1, 0, "canary")]), now=START + 20_000)

    assert [] == ledger.redis.hkeys(LOOKS)


def test_another_broker_is_told_by_the_caller(ledger: Ledger) -> None:
    """Then the script says how many to publish where, by the depths that it was given."""
    asked = [("avatar.high", 0, 2, ""), ("avatar", 5, 3, "")]

    assert [("avatar.high", 2)] == ledger.run(canaries.ring(10, asked), now=START)
    assert [0, 0] == lengths(ledger)
    assert ["avatar", "avatar.high"] == sorted(ledger.redis.hkeys(LOOKS))
