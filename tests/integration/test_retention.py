"""Retention removes what is past its time or above its number, in steps, with everything that hangs on it, and nothing else."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from shared.contracts.registry import Contract
from shared.job import Job
from shared.ledger import calls, dead, ids, retention
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.retention import DAY_MS, Keep
from shared.ledger.store import Ledger
from shared.policy import Policy
from shared.runtime import retention as carried
from shared.runtime.runtime import Runtime
from shared.service import Service
from shared.settings import ServiceSettings
from tests.unit.test_upkeep import SweepJob

START = 1_700_000_000_000
ALL = {state: Keep(7 * DAY_MS, 1_000) for state in ("succeeded", "canceled", "expired", "failed", "malformed")}


class House:
    """A ledger of its own with a hand on the clock."""

    def __init__(self, url: str, home: Path) -> None:
        settings = ServiceSettings(redis_url=url, home=home)
        self.runtime = Runtime(Service(Contract("hoard", "For tests", ()), Policy(), settings, {}))
        self.ledger: Ledger = self.runtime.ledger

    def accept(self, now: int = START, *, inputs: str = "") -> str:
        """A queued job."""
        job_id = ids.new("hoard")
        self.ledger.run(calls.accept(NewJob(job_id, "hoard.do.v1", "t", "hoard", '{"a":1}', bell="@TAG@", inputs=inputs)), now=now)
        return job_id

    def claim(self, job_id: str, now: int = START) -> int:
        """Its token."""
        record = self.ledger.run(calls.claim(job_id, worker="w", pid=7, lease_ms=10**9, nonce=ids.ulid()), now=now)
        assert isinstance(record, JobRecord)
        return record.token

    def succeed(self, now: int = START, *, inputs: str = "") -> str:
        """A job that succeeded at `now`."""
        job_id = self.accept(now, inputs=inputs)
        self.ledger.run(calls.succeed(job_id, self.claim(job_id, now), "{}", "[]"), now=now)
        return job_id

    def fail(self, now: int = START) -> str:
        """A dead letter."""
        job_id = self.accept(now)
        error = {"type": "x", "detail": "y"}
        call = calls.fail(job_id, self.claim(job_id, now), error, retryable=False, delay_ms=0, policy_attempts=1)
        self.ledger.run(call, now=now)
        return job_id

    def fan_out(self, parts: int, now: int = START) -> str:
        """A parent that succeeded, with children that did."""
        parent = self.accept(now)
        token = self.claim(parent, now)
        fields: list[str | int] = ["kind", "hoard.do.v1", "tenant", "t", "queue", "hoard", "request", "{}", "parent", parent, "weight", 1]
        for at in range(0, parts, 50):
            chunk = [(index, [*fields, "index", index]) for index in range(at, min(at + 50, parts))]
            self.ledger.run(calls.spawn(parent, token, chunk), now=now)
        self.ledger.run(calls.suspend(parent, token, total=parts, weight=parts, on_failure="fail"), now=now)
        for index in range(parts):
            child = f"{parent}.{index}"
            self.ledger.run(calls.succeed(child, self.claim(child, now), "{}", "[]"), now=now)
        self.ledger.run(calls.succeed(parent, self.claim(parent, now), "{}", "[]"), now=now)
        return parent

    def prune(self, now: int, *, most: int = 100, **keep: Keep) -> retention.Pruned:
        """One step."""
        return self.ledger.run(retention.prune({**ALL, **keep}, most=most), now=now)

    def has(self, job_id: str) -> bool:
        """Whether the ledger knows the job."""
        return self.ledger.run(calls.read(job_id)) is not None

    def left(self) -> set[str]:
        """What is left in the server, without what counts or has a lifetime."""
        found = {str(key).removeprefix(self.ledger.prefix) for key in self.ledger.redis.keys("*")}
        return found - {"counters", "states", "alive", "hoard", "turns", "reconciler"}


@pytest.fixture
def house(redis_url: str, tmp_path: Path) -> Iterator[House]:
    """An empty ledger in a database of its own."""
    made = House(f"{redis_url.rsplit('/', 1)[0]}/9", tmp_path)
    made.ledger.redis.flushdb()
    yield made
    made.ledger.redis.flushdb()
    made.ledger.close()


def test_each_state_has_an_age_of_its_own(house: House) -> None:
    """A dead letter outlives a success of the same day; what is not done has no age."""
    done, failed, queued = house.succeed(), house.fail(), house.accept()
    pruned = house.prune(START + 8 * DAY_MS, failed=Keep(30 * DAY_MS, 1_000))

    assert {"succeeded": 1} == pruned.jobs
    assert (False, True, True) == (house.has(done), house.has(failed), house.has(queued))
    assert {"failed": 1} == house.prune(START + 31 * DAY_MS, failed=Keep(30 * DAY_MS, 1_000)).jobs
    assert house.has(queued)


def test_the_oldest_above_the_number_go(house: House) -> None:
    """However young."""
    jobs = [house.succeed(START + n) for n in range(5)]
    pruned = house.prune(START + 10, succeeded=Keep(7 * DAY_MS, 2))

    assert {"succeeded": 3} == pruned.jobs
    assert [False, False, False, True, True] == [house.has(job) for job in jobs]


def test_a_forgotten_job_leaves_nothing_behind(house: House) -> None:
    """No key of any sort: record, events, attempts, lists, children, the buried; only the note that bytes are to be removed."""
    parent = house.fan_out(3)
    house.succeed(inputs=json.dumps({"upl_1": {"key": "uploads/upl_1", "bytes": 1}}))
    failed = house.fail()
    house.ledger.run(dead.bury(ids.new("hoard"), {"reason": "malformed"}), now=START)
    house.prune(START + 8 * DAY_MS)
    house.prune(START + 8 * DAY_MS)  # the parent's children are the next step's

    assert {"bytes"} == house.left()
    assert {parent, failed} == set(house.ledger.run(retention.leftovers()))
    assert {0} == {int(n) for n in cast("dict[str, str]", house.ledger.redis.hgetall(f"{house.ledger.prefix}states")).values()}


def test_a_step_is_bounded_however_many_children(house: House) -> None:
    """A job with more children than a step takes is removed over several, and every record is counted."""
    house.fan_out(120)
    house.succeed(START + 1)
    steps: list[retention.Pruned] = []
    while not steps or steps[-1].more:
        steps.append(house.prune(START + 8 * DAY_MS, most=50))

    assert [2, 50, 50, 20] == [step.total for step in steps]
    assert 122 == int(cast("str", house.ledger.redis.hget(f"{house.ledger.prefix}counters", "pruned")))
    assert not [key for key in house.left() if key.startswith(("job:", "kids:", "orphans"))]


def test_a_redriven_job_is_not_done(house: House) -> None:
    """A new epoch takes it off the list of what ends."""
    failed = house.fail()
    house.ledger.run(calls.redrive(failed, "t"), now=START + DAY_MS)
    pruned = house.prune(START + 40 * DAY_MS)

    assert 0 == pruned.total
    assert house.has(failed)


def test_an_upload_is_used_for_as_long_as_a_job_names_it(house: House) -> None:
    """Two jobs name it; it is free when both are gone."""
    inputs = json.dumps({"upl_1": {"key": "uploads/upl_1", "bytes": 1}})
    house.succeed(START, inputs=inputs)
    house.succeed(START + DAY_MS, inputs=inputs)
    before = house.ledger.run(retention.used(["upl_1", "upl_2"]))
    house.prune(START + 7 * DAY_MS)
    between = house.ledger.run(retention.used(["upl_1"]))
    house.prune(START + 8 * DAY_MS)

    assert ([2, 0], [1], [0]) == (before, between, house.ledger.run(retention.used(["upl_1"])))


def test_the_sweep_removes_the_bytes_of_what_is_gone_and_of_what_never_was(house: House) -> None:
    """A forgotten job's folder and an old one without a record go; a kept job's, a young one and another service's stay."""
    storage = house.runtime.storage
    kept, gone, old, young = house.fail(int(time.time() * 1000)), house.fail(), ids.new("hoard"), ids.new("hoard")
    for job_id in (kept, gone, old, young, "other_1"):
        blob = storage.put(f"jobs/{job_id}/1/artifacts/a", b"12345", "text/plain")
        if job_id in {kept, old, "other_1"}:
            age = time.time() - 40 * 86_400
            os.utime(cast("Any", storage).path(blob.key), (age, age))
    with structlog.testing.capture_logs() as logs:
        removed = carried.carry_out(house.runtime, cast("Job", SweepJob()))

    assert carried.Removed(records=1, blobs=2, bytes=10) == removed
    assert {kept, young, "other_1"} == {entry.key.split("/")[1] for entry in storage.list("jobs")}
    assert [] == house.ledger.run(retention.leftovers())
    assert {"jobs_pruned", "stray_bytes_removed", "retention_carried_out"} == {line["event"] for line in logs}


def test_bytes_that_a_crash_left_are_the_next_sweeps(house: House) -> None:
    """The record went, then the sweep died: the id is still on the list, and the next sweep removes the bytes."""
    gone = house.fail()
    house.runtime.storage.put(f"jobs/{gone}/1/artifacts/a", b"12345", "text/plain")
    house.prune(START + 40 * DAY_MS)
    removed = carried.carry_out(house.runtime, cast("Job", SweepJob()))

    assert carried.Removed(records=0, blobs=1, bytes=5) == removed
