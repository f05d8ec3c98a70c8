"""Rolling upgrade: gateway and workers of neighbouring releases, workers replaced under load, children that are slow to load."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.bus import envelope_text
from shared.contracts.states import State
from shared.ledger import calls, hearing, ids
from shared.ledger.calls import NewJob
from tests.probe.rig import KIND, Rig
from tests.servers import gateway_server, running, wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]
NEXT = {"PROBE_CONTRACT": "next"}


@pytest.fixture
def rig(redis_url: str, tmp_path: Path) -> Iterator[Rig]:
    """A probe service on an empty ledger."""
    rig = Rig(redis_url, tmp_path)
    rig.ledger.redis.flushdb()
    yield rig
    rig.ledger.close()


@contextmanager
def gateway(rig: Rig, **env: str) -> Iterator[httpx.Client]:
    """A gateway that knows the probe, of the release that `env` says."""
    make = gateway_server(rig.home, rig.url, PROBE_REDIS_URL=rig.url, PROBE_HOME=str(rig.home), **env)
    with running(lambda port: _probing(make(port))) as server:
        wait_until((rig.home / "api-key").exists, "it has written its first key")
        key = (rig.home / "api-key").read_text().strip()
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
            yield client


def _probing(server: Any) -> Any:
    server.command[server.command.index("gateway.app:app")] = "tests.probe.gateway:app"
    return server


def submitted(client: httpx.Client, **act: Any) -> str:
    """The id of a job that was accepted over HTTP."""
    answer = client.post("/v1/acts", json=act)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def envelope(job_id: str, request: str, **more: Any) -> str:
    """An envelope with fields that this release does not know."""
    text = envelope_text(job_id=job_id, kind=KIND, epoch=1, tenant="t", request=request, blob="", trace={})
    return json.dumps({**json.loads(text), **more})


def test_a_new_worker_takes_the_old_gateways_commands(rig: Rig) -> None:
    """N/N-1: the field that the old gateway does not send has its default; a result with a field more is shown as it is."""
    with gateway(rig) as client, rig.worker(concurrency=1, **NEXT):
        job = submitted(client, what="sing")
        rig.wait(job)
        shown = client.get(f"/v1/jobs/{job}").json()
        refused = client.post("/v1/acts", json={"what": "sing", "tempo": "presto"})

    assert ("succeeded", "andante") == (shown["state"], shown["result"]["tempo"])
    assert (422, "/tempo") == (refused.status_code, refused.json()["errors"][0]["pointer"])


def test_an_old_worker_takes_the_new_gateways_commands(rig: Rig) -> None:
    """N/N-1: a field that the old worker does not know is ignored, in the command and in the envelope; a canary is dropped, not buried."""
    with gateway(rig, **NEXT) as client, rig.worker(concurrency=1):
        job = submitted(client, what="sing", tempo="presto")
        done = rig.wait(job)
        shown = client.get(f"/v1/jobs/{job}").json()

        other, request = ids.new("probe"), json.dumps({"what": "sing", "tempo": "presto"})
        bell = rig.bus.bell(envelope(other, request, mood={"gay": True}), kind=KIND, job_id=other, queue="probe")
        rig.ledger.run(calls.accept(NewJob(other, KIND, "t", "probe", request, bell=bell)))
        rig.wait(other)

        nobody = hearing.canary_id("probe")[:-1] + "1"  # as a canary looks to a worker that does not know canaries
        rig.ledger.redis.lpush("probe", rig.bus.bell(envelope(nobody, "{}"), kind=KIND, job_id=nobody, queue="probe"))
        wait_until(lambda: rig.stats()["counters"].get("unknown_dropped") == 1, "it is dropped")

    assert ("succeeded", "presto", "sang") == (shown["state"], shown["request"]["tempo"], shown["result"]["said"])
    assert (1, 0) == (done.number("attempt"), rig.stats()["dead_letters"])
    assert {State.SUCCEEDED} == {rig.job(each).state for each in (job, other)}


def test_workers_replaced_under_load_lose_and_burn_nothing(rig: Rig) -> None:
    """L5: 200 jobs while two workers are stopped and replaced in turn: each is done once, in its first attempt, without a crash."""
    with rig.worker(concurrency=2) as first, rig.worker(concurrency=2) as second:
        long = [rig.submit(what="work", seconds=7.0, priority="high") for _ in range(3)]
        jobs = [rig.submit(what="work", seconds=0.05) for _ in range(80)]
        wait_until(lambda: all(rig.job(job).state is State.RUNNING for job in long), "the long jobs run")
        first.process.terminate()
        jobs += [rig.submit(what="work", seconds=0.05) for _ in range(60)]
        with rig.worker(concurrency=2, **NEXT):
            first.process.wait(30)
            second.process.terminate()
            jobs += [rig.submit(what="work", seconds=0.05) for _ in range(60)]
            with rig.worker(concurrency=2, **NEXT):
                second.process.wait(30)
                done = [rig.wait(job, seconds=90) for job in [*jobs, *long]]

    assert {(State.SUCCEEDED, 1, 0, 0)} == {
        (record.state, record.number("attempt"), record.number("errors"), record.number("crashes")) for record in done
    }
    assert {1} == {rig.did(record.id) for record in done}
    assert 0 == rig.stats()["counters"].get("stale_refused", 0)
    given_back = [attempt for record in done for attempt in record.attempts if attempt["outcome"] == "released"]
    assert 1 <= len(given_back) <= 8, "what runs longer than the grace goes back"


def test_children_that_load_slowly_survive_crashes(rig: Rig) -> None:
    """A load of 6 s outlasts Celery's own 4 s, which kill every respawn after a crash; a warm-up in the background holds up nothing."""
    with rig.worker(concurrency=1, PROBE_SLOW_FORK="6", PROBE_WARM_UP="60") as worker:
        first = rig.wait(rig.submit(what="work"), seconds=30)
        job = rig.submit(what="stuck", seconds=0.1)
        running_ = rig.wait_for(job, lambda record: record.state is State.RUNNING, "the job runs")
        os.kill(running_.number("pid"), signal.SIGKILL)
        killed = time.monotonic()

        done = rig.wait(job, seconds=40)
        spent = time.monotonic() - killed

        assert "child_warmed_up" not in worker.log.read_text()

    assert {State.SUCCEEDED} == {first.state, done.state}
    assert (2, 1) == (done.number("attempt"), done.number("crashes"))
    assert 6 < spent < 25
