"""The workers under test: how each is started, and how its queue is filled before."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from celery import Celery
from redis import Redis

from shared.bus import envelope_text, message
from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.store import Ledger

QUEUE = "noop"
KIND = "noop.do.v1"
TRACE = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}


@dataclass(frozen=True, slots=True)
class Runner:
    """One kind of worker. `fill(url, jobs)` queues jobs; `done(url)` says how many the ledger has as succeeded (None: it has none)."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    fill: Callable[[str, int], None]
    done: Callable[[str], int | None]


def environ(runner: Runner, url: str, home: Path, concurrency: int) -> dict[str, str]:
    """The worker's environment."""
    common = {"NOOP_REDIS_URL": url, "NOOP_HOME": str(home), "COUNTERFOIL_HOME": str(home), "NOOP_CONCURRENCY": str(concurrency)}
    return {**os.environ, **common, "COUNTERFOIL_LOG_LEVEL": "info", **runner.environ}


def fill_plain(url: str, jobs: int) -> None:
    """As `.delay()` does it."""
    with Celery("noop", broker=url, set_as_current=False) as app, app.connection_for_write() as connection:
        producer = app.amqp.Producer(connection)
        for number in range(jobs):
            app.send_task("noop.do", args=(number,), queue=QUEUE, producer=producer, ignore_result=False)


def fill_ours(url: str, jobs: int) -> None:
    """As the gateway does it: record, event and doorbell in one step."""
    ledger = Ledger(url, QUEUE, rings_here=True)
    for number in range(jobs):
        job_id, request = ids.new(QUEUE), json.dumps({"number": number})
        text = envelope_text(job_id=job_id, kind=KIND, epoch=1, tenant="bench", request=request, blob="", trace=TRACE)
        bell = message(text, kind=KIND, job_id=job_id, queue=QUEUE)
        ledger.run(calls.accept(NewJob(job_id, KIND, "bench", QUEUE, request, bell=bell, trace=TRACE)))
    ledger.close()


def succeeded(url: str) -> int:
    """Jobs that the ledger has as succeeded."""
    with Redis.from_url(url, decode_responses=True) as client:
        return int(str(client.hget(f"cf:{{{QUEUE}}}:states", "succeeded") or 0))


PLAIN = ("-m", "celery", "-A", "bench.noop.plain", "worker", "--without-gossip", "--without-mingle", "--loglevel", "info")
RUNNERS = (
    Runner("Celery, late ack", (sys.executable, *PLAIN), {"NOOP_RESULTS": "0"}, fill_plain, lambda _url: None),
    Runner("Celery, late ack, Redis results", (sys.executable, *PLAIN), {"NOOP_RESULTS": "1"}, fill_plain, lambda _url: None),
    Runner("Counterfoil", (sys.executable, "-m", "shared.start", "worker", "bench.noop.ours"), {}, fill_ours, succeeded),
)
