"""What a parent's progress foretells while its children are at work, and when it says nothing yet."""

from collections.abc import Iterator
from typing import Any

import pytest

from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger

NEW = NewJob(ids.new("mailer"), "mailer.send.v1", "acme", "mailer", "{}", bell="@TAG@")
BEGAN = 1_800_000_000_000
"""Unix ms at which the parent goes to sleep."""


@pytest.fixture
def ledger(redis_url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    ledger = Ledger(redis_url, "mailer", rings_here=True)
    ledger.redis.flushdb()
    yield ledger
    ledger.close()


def claim(ledger: Ledger, job_id: str) -> JobRecord:
    """Claim that very job at the beginning."""
    record = ledger.run(calls.claim(job_id, worker="w", pid=1, lease_ms=3_600_000, nonce=ids.ulid()), now=BEGAN)
    assert isinstance(record, JobRecord)
    return record


@pytest.mark.parametrize(
    ("after", "fraction", "expected"),
    [
        (80, 0.0002, None),  # the first mail of five thousand, after 80 ms: "380 s to go", it said once
        (1_999, 0.5, None),
        (2_000, 0.5, 2.0),
        (60_000, 0.75, 20.0),
        (60_000, 1.0, 0.0),
    ],
)
def test_the_time_to_go_is_told_once_it_can_be_known(ledger: Ledger, after: int, fraction: float, expected: float | None) -> None:
    """As if the rest went as fast as what was done; not within the first two seconds."""
    parent = claim(ledger, ledger.run(calls.accept(NEW), now=BEGAN).detail)
    child = [(0, [*NEW.fields(), "parent", parent.id, "index", 0, "weight", 1])]
    ledger.run(calls.spawn(parent.id, parent.token, child), now=BEGAN)
    ledger.run(calls.suspend(parent.id, parent.token, total=1, weight=1, on_failure="fail"), now=BEGAN)
    token = claim(ledger, f"{parent.id}.0").token
    told: dict[str, Any] = {"fraction": fraction, "step": "send", "detail": "1 of 5000 sent"}
    ledger.run(calls.progress(f"{parent.id}.0", token, fraction, told, event=True), now=BEGAN + after)

    progress = [event.data for event in ledger.run(calls.events(parent.id)).events if event.type == "job.progressed"][-1]
    assert (progress["fraction"], progress["detail"]) == (fraction, "0 of 1 parts done; 1 of 5000 sent")
    assert progress.get("eta_seconds") == expected
