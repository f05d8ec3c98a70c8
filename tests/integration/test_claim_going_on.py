"""A child that goes on with the next job takes that job's share of doorbells off the broker's list, and nothing else that lies there."""

from collections.abc import Iterator

import pytest

from shared.bus import envelope_text, message
from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger

KIND = "avatar.generate.v1"


@pytest.fixture
def ledger(redis_url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    ledger = Ledger(redis_url, "avatar", rings_here=True)
    ledger.redis.flushdb()
    yield ledger
    ledger.close()


def submit(ledger: Ledger, queue: str = "avatar", cap: int | None = None) -> str:
    """A job with its whole doorbell, as the gateway submits it; its id."""
    job_id = ids.new("avatar")
    text = envelope_text(job_id=job_id, kind=KIND, epoch=1, tenant="acme", request='{"seed": "ada"}', blob="", trace={})
    bell = message(text, kind=KIND, job_id=job_id, queue=queue)
    return ledger.run(calls.accept(NewJob(job_id, KIND, "acme", queue, "{}", bell=bell, running_cap=cap))).detail


def go_on(ledger: Ledger, nonce: str = "n", queue: str = "avatar", urgent: tuple[str, ...] = ("avatar.high",)) -> JobRecord | calls.Answer:
    """What a child gets that is done with its job."""
    return ledger.run(calls.claim("", worker="w", pid=1, lease_ms=60_000, nonce=nonce, queue=queue, urgent=urgent))


def waiting(ledger: Ledger, queue: str = "avatar") -> int:
    """Messages in the broker's list."""
    return int(str(ledger.redis.llen(queue)))


def test_the_next_job_takes_one_doorbell_along(ledger: Ledger) -> None:
    """L3: jobs and doorbells stay in step: the oldest job is claimed and one message is gone; sent again, the same and no more."""
    first, _ = submit(ledger), submit(ledger)
    claimed = [go_on(ledger, "n1") for _ in range(2)]

    assert [first, first] == [record.id for record in claimed if isinstance(record, JobRecord)]
    assert 1 == waiting(ledger)
    assert isinstance(go_on(ledger, "n2"), JobRecord)
    assert (calls.Answer("none"), 0) == (go_on(ledger, "n3"), waiting(ledger))


@pytest.mark.parametrize("strange", ["", "no message", '{"properties": {"delivery_tag": "avatar_01.7"}}', "its own, cut short"])
def test_what_is_no_doorbell_is_left_to_the_worker(ledger: Ledger, strange: str) -> None:
    """L8: a message that is not ours to the letter must become a dead letter, so that nobody may take it off by the way."""
    submit(ledger)
    own = str(ledger.redis.lindex("avatar", 0))
    ledger.redis.rpush("avatar", own[:-1] + " " if strange.startswith("its own") else strange)

    assert calls.Answer("none") == go_on(ledger)
    assert 2 == waiting(ledger)


def test_nothing_more_urgent_is_passed(ledger: Ledger) -> None:
    """A child of the normal queue goes back to its worker while a high one waits; a child of the high queue goes on there."""
    submit(ledger)
    submit(ledger, "avatar.high")

    assert calls.Answer("none") == go_on(ledger)
    assert isinstance(go_on(ledger, "n1", "avatar.high", ()), JobRecord)
    assert isinstance(go_on(ledger, "n2"), JobRecord)


def test_a_cap_leaves_the_doorbell_where_it_is(ledger: Ledger) -> None:
    """Going on is a claim like any other."""
    submit(ledger, cap=1)
    submit(ledger, cap=1)
    assert isinstance(go_on(ledger, "n1"), JobRecord)

    assert calls.Answer("none") == go_on(ledger, "n2")


def test_a_broker_elsewhere_is_not_looked_into(redis_url: str, ledger: Ledger) -> None:
    """L3: where the broker is another server, and away, the next job is claimed without a doorbell, and nothing once there is no more."""
    first = submit(ledger)
    elsewhere = Ledger(redis_url, "avatar", rings_here=False)
    claimed = [go_on(elsewhere, "n1"), go_on(elsewhere, "n2")]

    assert [first, "none"] == [one.id if isinstance(one, JobRecord) else one.word for one in claimed]
    assert 1 == waiting(ledger)
    elsewhere.close()
