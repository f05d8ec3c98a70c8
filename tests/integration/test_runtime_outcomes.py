"""How a job can end, with a real worker: nine outcomes."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.contracts.states import State
from shared.ledger import calls, dead
from tests.probe.rig import Rig, Worker
from tests.servers import wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def rig(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A probe service on an empty ledger."""
    rig = Rig(redis_url, tmp_path_factory.mktemp("probe"))
    rig.ledger.redis.flushdb()
    yield rig
    rig.ledger.close()


@pytest.fixture(scope="module")
def worker(rig: Rig) -> Iterator[Worker]:
    """One worker for the whole file, with a hard time limit of 3 s."""
    with rig.worker(concurrency=2, PROBE_HARD_TIME_LIMIT="3") as worker:
        yield worker


@pytest.mark.usefixtures("worker")
def test_a_job_succeeds_with_progress_and_result(rig: Rig) -> None:
    """A typed result comes back, with numbered events, the terminal one last (L7)."""
    job = rig.submit(what="work", seconds=0.6)

    done = rig.wait(job)

    assert (State.SUCCEEDED, {"said": "worked", "attempt": 1, "children": []}) == (done.state, done.json("result"))
    page = rig.ledger.run(calls.events(job))
    assert ("job.accepted", "job.started", "job.progressed", "job.succeeded") == tuple(
        dict.fromkeys(event.type.value for event in page.events)
    )


@pytest.mark.usefixtures("worker")
def test_a_transient_error_is_retried(rig: Rig) -> None:
    """L5: an error is retried by the reconciler, after its delay, and counted."""
    done = rig.wait(rig.submit(what="flaky", until_attempt=3))

    assert (State.SUCCEEDED, 3, 2, 0) == (done.state, done.number("attempt"), done.number("errors"), done.number("crashes"))


@pytest.mark.usefixtures("worker")
def test_a_remotes_retry_after_is_waited_out_and_our_own_pauses_have_full_jitter(rig: Rig) -> None:
    """What a remote asks for goes before the policy's cap of 1 s; else error n waits at most 0.1 s × 2^(n-1), for the tests' policy."""
    asked, unasked = rig.submit(what="flaky", until_attempt=2, seconds=2.5), rig.submit(what="flaky", until_attempt=3)
    done = rig.wait(asked)
    rig.wait(unasked)

    def pauses(job: str) -> list[int]:
        told = [event for event in rig.ledger.run(calls.events(job)).events if event.type == "job.retrying"]
        return [event.data["run_at"] - event.time for event in told]

    assert [2_500] == pauses(asked)
    assert 2_500 <= done.attempts[1]["started_at"] - done.attempts[0]["ended_at"] < 5_000
    assert [True, True] == [0 <= pause <= most for pause, most in zip(pauses(unasked), (100, 200), strict=True)]


@pytest.mark.usefixtures("worker")
def test_errors_run_out(rig: Rig) -> None:
    """L5: after max_attempts errors the job is dead-lettered as exhausted."""
    done = rig.wait(rig.submit(what="flaky", until_attempt=9))

    assert (State.FAILED, "exhausted", 3) == (done.state, done.text("reason"), done.number("errors"))
    assert ["failed", "failed", "failed"] == [attempt["outcome"] for attempt in done.attempts]


@pytest.mark.usefixtures("worker")
def test_a_permanent_error_is_not_retried(rig: Rig) -> None:
    """A permanent error goes to the dead letters at once, and names the field."""
    done = rig.wait(rig.submit(what="refuse"))

    assert (State.FAILED, "permanent", 1) == (done.state, done.text("reason"), done.number("attempt"))
    assert "/seconds" == done.json("error")["pointer"]


@pytest.mark.usefixtures("worker")
def test_a_job_that_runs_over_its_soft_limit_fails_for_now(rig: Rig) -> None:
    """The soft time limit is an error of its own, retried and then exhausted; the worker lives."""
    done = rig.wait(rig.submit(what="work", seconds=30.0))

    assert (State.FAILED, "exhausted", "time-limit") == (done.state, done.text("reason"), done.json("error")["type"])


@pytest.mark.usefixtures("worker")
def test_a_cooperating_job_stops_within_2_seconds(rig: Rig) -> None:
    """L6: a running job that looks up stops within 2 s of the cancel."""
    job = rig.submit(what="work", seconds=1.9)
    rig.wait_for(job, lambda record: record.state is State.RUNNING, "the job runs")
    asked = time.monotonic()
    rig.ledger.run(calls.cancel(job, "t"))

    done = rig.wait(job)

    assert State.CANCELED is done.state
    assert time.monotonic() - asked < 2
    assert (["accepted", "started", "canceling", "canceled"], 0) == (rig.events(job), rig.did(job))


@pytest.mark.usefixtures("worker")
def test_a_job_that_never_looks_up_is_killed_within_10_seconds(redis_url: str, tmp_path: Path) -> None:
    """L6: a job that does not cooperate loses its process; the worker goes on."""
    rig = Rig(redis_url.replace("/0", "/5"), tmp_path)
    rig.ledger.redis.flushdb()
    with rig.worker(concurrency=1):
        job = rig.submit(what="spin", seconds=60.0)
        rig.wait_for(job, lambda record: record.state is State.RUNNING, "the job runs")
        asked = time.monotonic()
        rig.ledger.run(calls.cancel(job, "t"))

        done = rig.wait(job, seconds=15)
        spent = time.monotonic() - asked
        other = rig.wait(rig.submit(what="work"))

    assert (State.CANCELED, State.SUCCEEDED) == (done.state, other.state)
    assert spent < 10


@pytest.mark.usefixtures("worker")
def test_a_job_cancelled_before_it_starts_never_starts(rig: Rig) -> None:
    """L6: the doorbell of a cancelled job is ignored."""
    job = rig.submit(what="work", run_at=int(time.time() * 1000) + 60_000)
    rig.ledger.run(calls.cancel(job, "t"))

    assert (["accepted", "canceled"], 0) == (rig.events(job), rig.did(job, "began"))


@pytest.mark.usefixtures("worker")
def test_a_job_waits_for_its_time_and_expires_when_it_is_late(rig: Rig) -> None:
    """run_at is kept to; a job not started by expires_at never starts."""
    now = int(rig.ledger.redis.time()[0] * 1000)
    later = rig.submit(what="work", run_at=now + 2_500)
    late = rig.submit(what="work", run_at=now + 60_000, expires_at=now + 1_500)

    done, expired = rig.wait(later), rig.wait(late)

    assert done.number("started") >= now + 2_500
    assert (State.EXPIRED, 0) == (expired.state, rig.did(late, "began"))


@pytest.mark.usefixtures("worker")
def test_children_wake_their_parent_once_all_are_done(rig: Rig) -> None:
    """A parent sleeps without worker or lease; the last child wakes it; progress is the children's, weighted."""
    done = rig.wait(rig.submit(what="fan", parts=12, seconds=0.2))

    assert (State.SUCCEEDED, ["succeeded"] * 12) == (done.state, done.json("result")["children"])
    fractions = [event.data["fraction"] for event in rig.ledger.run(calls.events(done.id)).events if event.type == "job.progressed"]
    assert fractions == sorted(fractions)
    assert max(fractions) > 0


@pytest.mark.usefixtures("worker")
def test_a_cancelled_parent_cancels_its_children(rig: Rig) -> None:
    """No child outlives its parent's cancel."""
    job = rig.submit(what="fan", parts=6, seconds=2.0)
    rig.wait_for(job, lambda record: record.text("wait") == "waiting", "the parent sleeps")
    rig.ledger.run(calls.cancel(job, "t"))

    for index in range(6):
        assert State.CANCELED is rig.wait(f"{job}.{index}").state
    assert State.CANCELED is rig.job(job).state


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("until", "said", "tries"), [(3, "settled", 3), (9, None, 3)], ids=["in time", "never"])
def test_settling_up_is_tried_again(rig: Rig, until: int, said: str | None, tries: int) -> None:
    """What may pass does not cost a cancelled parent its result; where it does not pass, the event says what was lost."""
    job = rig.submit(what="audit", parts=2, seconds=60.0, until_attempt=until)
    rig.wait_for(job, lambda record: record.text("wait") == "waiting", "the parent sleeps")
    rig.ledger.run(calls.cancel(job, "t"))
    done = rig.wait(job)
    reasons = [event.data.get("reason", "") for event in rig.ledger.run(calls.events(job)).events if event.type == "job.canceled"]

    assert (State.CANCELED, tries) == (done.state, rig.did(job, "tried"))
    assert said == (done.json("result") or {}).get("said")
    assert said or "cancelled on request; settling up failed: the books are away" == reasons[-1]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    "message",
    [
        b"not json at all",
        b"[]",
        b'{"body": 5}',
        b"\xff\xfe\x00",
        b'{"properties": {"delivery_tag": "x"}, "headers": {}, "body": "!!"}',
        b'{"properties": {"delivery_tag": "x", "delivery_info": {"exchange": "", "routing_key": "probe"}}, "headers": {}, "body": "e30="}',
    ],
)
def test_a_malformed_broker_message_is_one_dead_letter(rig: Rig, message: bytes) -> None:
    """L8: what is no message is dead-lettered once, and the worker goes on unharmed."""
    before = rig.stats()["dead_letters"]
    rig.ledger.redis.lpush("probe", message)

    wait_until(lambda: rig.stats()["dead_letters"] == before + 1, "it is in the dead letters")
    done = rig.wait(rig.submit(what="work"))

    assert State.SUCCEEDED is done.state
    assert before + 1 == rig.stats()["dead_letters"]
    assert "malformed" == rig.ledger.run(dead.page(most=1))[0].reason


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("was", "becomes", "pointer"),
    [
        (b'"task": "probe.act.v1"', b'"task": "probe.unheard.v9"', ""),
        (b'"content-type": "application/json"', b'"content-type": "application/x-python-serialize"', ""),
    ],
)
def test_a_message_of_an_unknown_kind_or_encoding_is_one_dead_letter(rig: Rig, was: bytes, becomes: bytes, pointer: str) -> None:
    """L8: an unknown kind and a pickle are dead-lettered, never run."""
    bell = rig.bus.bell('{"id": 5}', kind="probe.act.v1", job_id="x", queue="probe").replace("@TAG@", "t1").encode()
    before = rig.stats()["dead_letters"]
    assert was in bell
    rig.ledger.redis.lpush("probe", bell.replace(was, becomes))

    wait_until(lambda: rig.stats()["dead_letters"] == before + 1, "it is in the dead letters")

    assert pointer == rig.ledger.run(dead.page(most=1))[0].entry["error"]["pointer"]


@pytest.mark.usefixtures("worker")
def test_an_envelope_with_a_wrong_field_names_it(rig: Rig) -> None:
    """L8: the dead letter says which field of the envelope is to blame, and keeps the message as received."""
    bell = rig.bus.bell('{"id": "nonsense", "kind": "probe.act.v1"}', kind="probe.act.v1", job_id="x", queue="probe")
    before = rig.stats()["dead_letters"]
    rig.ledger.redis.lpush("probe", bell.replace("@TAG@", "t2"))

    wait_until(lambda: rig.stats()["dead_letters"] == before + 1, "it is in the dead letters")

    entry = rig.ledger.run(dead.page(most=1))[0].entry
    assert ("/id", "nonsense") == (entry["error"]["pointer"], entry["message"]["id"])


def test_a_stopping_worker_gives_its_jobs_back_uncharged(redis_url: str, tmp_path: Path) -> None:
    """L5: SIGTERM lets short jobs end; a long one goes back to the queue, and its attempt is not counted."""
    rig = Rig(redis_url.replace("/0", "/6"), tmp_path)
    rig.ledger.redis.flushdb()
    with rig.worker(concurrency=2) as worker:
        short, long = rig.submit(what="work", seconds=1.0), rig.submit(what="work", seconds=30.0)
        rig.wait_for(long, lambda record: record.state is State.RUNNING, "the long job runs")
        rig.wait_for(short, lambda record: record.state is not State.QUEUED, "the short job runs")
        started = time.monotonic()
        worker.stop()
        spent = time.monotonic() - started

    back = rig.job(long)
    assert State.SUCCEEDED is rig.job(short).state
    assert (State.QUEUED, 0, 0, 0) == (back.state, back.number("attempt"), back.number("errors"), back.number("crashes"))
    assert spent < 15
    assert [] == rig.stats()["workers"]


@pytest.mark.usefixtures("worker")
def test_a_paused_worker_changes_nothing_when_it_wakes(redis_url: str, tmp_path: Path) -> None:
    """L4, L10: a zombie (SIGSTOP past its lease, then SIGCONT) is refused by its stale token, and counted."""
    rig = Rig(redis_url.replace("/0", "/7"), tmp_path, {"PROBE_LEASE": "3"})
    rig.ledger.redis.flushdb()
    with rig.worker(concurrency=1) as first:
        job = rig.submit(what="stuck", seconds=0.1)
        rig.wait_for(job, lambda record: record.state is State.RUNNING, "the job runs")
        frozen = [first.pid, *first.children()]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        with rig.worker(concurrency=1):
            done = rig.wait(job)
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
            wait_until(lambda: rig.stats()["counters"].get("stale_refused", 0) > 0, "the zombie was refused")

    assert (State.SUCCEEDED, 2, 1) == (done.state, done.number("attempt"), rig.did(job))
    assert ["accepted", "started", "rescued", "started", "succeeded"] == rig.events(job)
