"""`python -m shared.start`, as the home and the images call it; and how the home knows that a worker is there."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery

from deploy.embedded import answers
from shared.ledger import calls
from shared.ledger.store import Ledger
from tests.servers import ROOT, redis_server, running, wait_until


@contextmanager
def started(home: Path, redis_url: str, *arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """The probe's worker or Beat, and its log."""
    log = home / "log"
    env = {**os.environ, "PROBE_REDIS_URL": redis_url, "PROBE_HOME": str(home)}
    with log.open("wb") as sink:
        process = subprocess.Popen([sys.executable, "-m", "shared.start", *arguments], cwd=ROOT, env=env, stdout=sink, stderr=sink)
    try:
        yield process, log
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()


def events(log: Path) -> list[dict[str, Any]]:
    """The log's whole lines, which are JSON but for what Celery prints at its shutdown."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]


def test_a_worker_takes_the_queues_it_is_told_and_leaves_when_asked(tmp_path: Path) -> None:
    """The home notices it, the images' health check reaches it by its name, and SIGTERM ends it with status 0."""
    with running(redis_server(tmp_path / "redis")) as redis:
        url = f"redis://127.0.0.1:{redis.port}/0"
        look = answers.worker(url, "probe")
        before = look()
        with started(tmp_path, url, "worker", "tests.probe.app", "--queues", "probe.high", "--concurrency", "1") as (process, log):
            wait_until(look, "the worker has a heartbeat", seconds=90)
            (answer,) = Celery("asker", broker=url, set_as_current=False).control.ping(
                [f"probe@{socket.gethostname()}"], timeout=30, limit=1
            )
            ledger = Ledger(url, "probe", rings_here=True)
            wait_until(lambda: ledger.run(calls.stats(()))["workers"][0]["warm"] == 1, "its child has loaded everything", seconds=30)
            (worker,) = ledger.run(calls.stats(()))["workers"]
            process.terminate()
            status = process.wait(30)

        assert not before
        assert {f"probe@{socket.gethostname()}": {"ok": "pong"}} == answer
        assert (["probe.high"], 1, process.pid) == (worker["queues"], worker["slots"], worker["pid"])
        assert status == 0
        assert "worker_ready" in [event["event"] for event in events(log)]


def test_beat_speaks_as_the_workers_do(tmp_path: Path) -> None:
    """Its first line is JSON, with the service's name and its schedules."""
    with running(redis_server(tmp_path / "redis")) as redis:
        url = f"redis://127.0.0.1:{redis.port}/0"
        with started(tmp_path, url, "beat", "tests.probe.app") as (_, log):
            wait_until(lambda: any(event["event"] == "beat_ready" for event in events(log)), "Beat is ready", seconds=90)
            first = log.read_text().splitlines()[0]

    assert ("beat_ready", "probe", "info") == tuple(json.loads(first)[name] for name in ("event", "service", "level"))


def test_a_worker_of_an_earlier_run_is_not_taken_for_ours(tmp_path: Path) -> None:
    """A SIGKILLed worker stays listed for 15 s: only one that started after the home did makes it ready."""
    now = time.time() * 1000
    info = {"name": "old", "host": socket.gethostname(), "pid": 1, "slots": 1, "queues": []}
    with running(redis_server(tmp_path / "redis")) as redis:
        url = f"redis://127.0.0.1:{redis.port}/0"
        look, ledger = answers.worker(url, "probe"), Ledger(url, "probe", rings_here=True)
        ledger.run(calls.renew("old", lease_ms=1_000, info={**info, "started_at": int(now) - 1}))
        too_old = look()
        ledger.run(calls.renew("new", lease_ms=1_000, info={**info, "name": "new", "started_at": int(now) + 1_000}))
        fresh = look()

    assert (False, True) == (too_old, fresh)


def test_a_ledger_that_is_not_there_has_no_workers() -> None:
    """The look does not raise: the home waits on."""
    assert not answers.worker("redis://127.0.0.1:1/0", "probe")()
