"""What a finished job costs the ledger's memory, apart from what the user sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.ledger.filling import REQUEST, Hands, fill, memory
from shared.ledger import calls
from shared.ledger.store import Ledger
from tests.servers import redis_server, running

JOBS = 2_000
MOST = 2_048
"""Bytes; 1,870 measured on Valkey 8.1 with a result of 90 bytes, a trace context, three events and an attempt."""


@pytest.fixture
def hands(tmp_path: Path) -> Iterator[Hands]:
    """On a server of their own, for its memory is what is measured."""
    with running(redis_server(tmp_path)) as server:
        ledger = Ledger(f"redis://127.0.0.1:{server.port}/0", "avatar", rings_here=True)
        yield Hands(ledger)
        ledger.close()


def test_a_finished_job_without_its_request_takes_two_kilobytes_at_most(hands: Hands) -> None:
    """All its keys and its places in lists together, as the server counts them."""
    for _ in range(200):  # scripts, first pages, what grows by leaps
        hands.finish_one()
    before = memory(hands.ledger)
    for _ in range(JOBS):
        hands.finish_one()
    each = (memory(hands.ledger) - before) / JOBS

    assert each - len(REQUEST) <= MOST


def test_the_copies_of_the_benchmark_are_like_the_ledgers_own(hands: Hands) -> None:
    """Or a full ledger would be full of something else."""
    own = hands.finish_one()
    fill(hands, 10)
    states = hands.ledger.redis.hgetall(f"{hands.ledger.prefix}states")
    listed = hands.ledger.run(calls.jobs("bench", state="succeeded"))
    pages = [hands.ledger.run(calls.events(job.id)) for job in listed]

    assert len(listed) == 11
    assert states == {"queued": "0", "running": "0", "succeeded": "11"}
    assert own == listed[-1].id
    assert [{"accepted", "started", "succeeded"}] * 11 == [{event.type.removeprefix("job.") for event in page.events} for page in pages]
