"""Drives the probe service: workers as real processes, jobs through the ledger, everything counted."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from shared.bus import Bus, envelope_text, queue_name, queues_of
from shared.contracts.options import Priority
from shared.ledger import calls, ids
from shared.ledger.calls import Answer, NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger
from shared.settings import ServiceSettings
from tests.probe.contract import CONTRACT
from tests.servers import ROOT, wait_until

KIND = "probe.act.v1"


@dataclass
class Worker:
    """A Celery worker of the probe, with its pool children."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The parent's pid."""
        return self.process.pid

    def children(self) -> list[int]:
        """The pool children's pids."""
        return [child.pid for child in psutil.Process(self.pid).children()]

    def kill(self) -> None:
        """SIGKILL the parent."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 15.0) -> int:
        """SIGTERM, and wait for the end."""
        self.process.terminate()
        return self.process.wait(seconds)


@dataclass
class Rig:
    """A ledger with a probe service around it."""

    url: str
    home: Path
    env: Mapping[str, str] = field(default_factory=dict)
    broker: str = ""
    """The broker's URL; empty: the ledger's Redis."""

    def __post_init__(self) -> None:
        settings = ServiceSettings(redis_url=self.url, broker_url=self.broker or self.url, home=self.home)
        self.ledger = Ledger(self.url, "probe", rings_here=settings.rings_in_ledger)
        self.bus = Bus("probe", settings, CONTRACT.needs)
        self.marks = self.home / "marks"

    def submit(self, **asked: Any) -> str:
        """Accept a job as the gateway does; its id. What can be asked for: see `ask`."""
        answer = self.ask(**asked)
        assert answer.word == "accepted", answer
        return answer.detail

    def ask(
        self,
        *,
        priority: Priority = "normal",
        run_at: int | None = None,
        expires_at: int | None = None,
        unique: str = "",
        unique_ttl: int = 0,
        at_once: bool = False,
        tenant: str = "t",
        running_cap: int | None = None,
        **act: Any,
    ) -> Answer:
        """The ledger's answer to a new job that does `act`. `at_once`: its message goes out as by the gateway."""
        job_id, queue = ids.new("probe"), queue_name("probe", priority, "rare" if act.get("rare") else None)
        request = json.dumps({"marks": str(self.marks), **act})
        bell = self._bell(job_id, queue, request, epoch=1)
        job = NewJob(job_id, KIND, tenant, queue, request, bell=bell, run_at=run_at, expires_at=expires_at, running_cap=running_cap)
        answer = self.ledger.run(calls.accept(job, unique=unique, unique_ttl=unique_ttl))
        if at_once:
            self.bus.ring(*(self.job(waiting) for waiting in self.ledger.run(calls.outbox())))
        return answer

    def redrive(self, job: JobRecord, **act: Any) -> None:
        """Open a new epoch, with another request."""
        request = json.dumps({"marks": str(self.marks), **act})
        bell = self._bell(job.id, job.text("queue"), request, epoch=job.number("epoch") + 1)
        assert self.ledger.run(calls.redrive(job.id, "t", request=request, bell=bell)).word == "ok"

    def _bell(self, job_id: str, queue: str, request: str, *, epoch: int) -> str:
        text = envelope_text(job_id=job_id, kind=KIND, epoch=epoch, tenant="t", request=request, blob="", trace={})
        return self.bus.bell(text, kind=KIND, job_id=job_id, queue=queue)

    def job(self, job_id: str) -> JobRecord:
        """The job as it is."""
        record = self.ledger.run(calls.read(job_id))
        assert record is not None, f"{job_id} is gone"
        return record

    def wait(self, job_id: str, *, seconds: float = 60.0) -> JobRecord:
        """The job once it is done."""
        wait_until(lambda: self.job(job_id).done, f"{job_id} is done", seconds=seconds)
        return self.job(job_id)

    def wait_for(self, job_id: str, true: Callable[[JobRecord], bool], what: str, *, seconds: float = 60.0) -> JobRecord:
        """The job once `true` holds."""
        wait_until(lambda: true(self.job(job_id)), what, seconds=seconds)
        return self.job(job_id)

    def events(self, job_id: str) -> list[str]:
        """The types of the job's events, without the progress."""
        page = self.ledger.run(calls.events(job_id, most=10_000))
        assert list(range(1, page.last + 1)) == [event.seq for event in page.events]
        return [event.type.removeprefix("job.") for event in page.events if event.type != "job.progressed"]

    def did(self, job_id: str, word: str = "did") -> int:
        """How often the job left the mark `word`: its side effects, counted."""
        lines = self.marks.read_text().splitlines() if self.marks.exists() else []
        return sum(line.startswith(f"{word} {job_id} ") for line in lines)

    def stats(self) -> dict[str, Any]:
        """One look at the service."""
        return self.ledger.run(calls.stats(queues_of(CONTRACT)))

    @contextmanager
    def worker(self, *, concurrency: int = 2, queues: str = "", pool: str = "prefork", **env: str) -> Iterator[Worker]:
        """A worker, ready; SIGKILLed at the end with whatever is left of it."""
        log = self.home / f"worker-{ids.ulid()}.log"
        command = [sys.executable, "-m", "celery", "-A", "tests.probe.app", "worker", "--loglevel", "info", "-c", str(concurrency)]
        command += ["-n", f"{ids.ulid()}@%h", "--without-gossip", "--without-mingle", "-P", pool, *(["-Q", queues] if queues else [])]
        given = {**os.environ, "PROBE_REDIS_URL": self.url, "PROBE_BROKER_URL": self.broker or self.url, "PROBE_HOME": str(self.home)}
        given |= {**self.env, **env}
        with log.open("wb") as sink:
            process = subprocess.Popen(command, cwd=ROOT, env=given, stdout=sink, stderr=sink)
        worker = Worker(process, log)
        try:
            wait_until(lambda: self._joined(process, log), "the worker is ready", seconds=90)
            yield worker
        finally:
            family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            process.kill()
            process.wait()
            for child in family:
                if child.is_running():
                    child.send_signal(signal.SIGKILL)

    def _joined(self, process: subprocess.Popen[bytes], log: Path) -> bool:
        assert process.poll() is None, f"the worker ended:\n{log.read_text()[-3_000:]}"
        return any(worker["pid"] == process.pid for worker in self.stats()["workers"])
