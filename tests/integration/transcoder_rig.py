"""The transcoder service for real: workers as processes, jobs through the ledger, every encode counted from their logs."""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from shared.bus import Bus, envelope_text, queue_name, queue_names
from shared.contracts.transcoder import Transcode
from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger
from shared.settings import ServiceSettings
from shared.storage import Storage
from tests.integration.transcoder_media import UPLOAD
from tests.servers import ROOT, wait_until


@dataclass
class TranscoderRig:
    """A ledger and a storage with a transcoder service around them."""

    url: str
    home: Path

    def __post_init__(self) -> None:
        self.settings = ServiceSettings(redis_url=self.url, broker_url=self.url, home=self.home)
        self.ledger = Ledger(self.url, "transcoder", rings_here=True)
        self.bus = Bus("transcoder", self.settings)
        self.storage = Storage.at(self.settings.storage_url)

    def submit(self, source: Path, *, tenant: str = "t", **request: Any) -> str:
        """Accept a job on an upload as the gateway does; its id."""
        blob = self.storage.put(f"uploads/{tenant}/{source.name}", source, "video/mp4").model_copy(update={"sha256": None})
        job_id, queue = ids.new("transcoder"), queue_name("transcoder", "normal")
        text = json.dumps({"source": UPLOAD, **request})
        inputs = json.dumps({UPLOAD: blob.model_dump()})
        answer = self.ledger.run(
            calls.accept(NewJob(job_id, Transcode.kind, tenant, queue, text, bell=self._bell(job_id, text, tenant, epoch=1), inputs=inputs))
        )
        assert answer.word == "accepted", answer
        return job_id

    def redrive(self, job: JobRecord) -> None:
        """Open a new epoch."""
        bell = self._bell(job.id, job.text("request"), job.tenant, epoch=job.number("epoch") + 1)
        assert self.ledger.run(calls.redrive(job.id, job.tenant, bell=bell)).word == "ok"

    def _bell(self, job_id: str, request: str, tenant: str, *, epoch: int) -> str:
        text = envelope_text(job_id=job_id, kind=Transcode.kind, epoch=epoch, tenant=tenant, request=request, blob="", trace={})
        return self.bus.bell(text, kind=Transcode.kind, job_id=job_id, queue=queue_name("transcoder", "normal"))

    def job(self, job_id: str) -> JobRecord:
        """The job as it is."""
        record = self.ledger.run(calls.read(job_id))
        assert record is not None, f"{job_id} is gone"
        return record

    def wait(self, job_id: str, *, seconds: float = 120.0) -> JobRecord:
        """The job once it is done."""
        wait_until(lambda: self.job(job_id).done, f"{job_id} is done", seconds=seconds)
        return self.job(job_id)

    def lines(self) -> list[dict[str, Any]]:
        """Every line that any worker logged."""
        found: list[dict[str, Any]] = []
        for log in sorted(self.home.glob("worker-*.log")):
            for line in log.read_text(errors="replace").splitlines():
                with contextlib.suppress(ValueError, TypeError):
                    found.append(dict(json.loads(line)))
        return found

    def encoded(self, job_id: str) -> Counter[int]:
        """How often each part of a job was encoded."""
        ended = [line for line in self.lines() if line.get("event") == "segment_encoded"]
        return Counter(line["part"] for line in ended if str(line.get("job", "")).startswith(job_id))

    def programs(self) -> list[psutil.Process]:
        """Every FFmpeg that works in this home."""
        return [process for process in psutil.process_iter() if _works_in(process, self.home)]

    def scratch(self) -> list[Path]:
        """What lies in the work folders."""
        return [path for path in (self.home / "work").rglob("*") if path.is_file() or path.is_symlink()]

    @contextmanager
    def worker(self, *, concurrency: int = 1, **env: str) -> Iterator[psutil.Process]:
        """A worker, ready; SIGKILLed at the end with whatever is left of it."""
        log = self.home / f"worker-{ids.ulid()}.log"
        command = [sys.executable, "-m", "shared.start", "worker", "services.transcoder.app", "--concurrency", str(concurrency)]
        given = {"TRANSCODER_REDIS_URL": self.url, "TRANSCODER_BROKER_URL": self.url, "TRANSCODER_HOME": str(self.home)}
        given |= {"TRANSCODER_STORAGE_URL": self.settings.storage_url, "TRANSCODER_SHORTEST_PART": "2", "TRANSCODER_LONGEST_PART": "2"}
        with log.open("wb") as sink:
            process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **given, **env}, stdout=sink, stderr=sink)
        worker = psutil.Process(process.pid)
        try:
            wait_until(lambda: self._joined(process, log), "the worker is ready", seconds=90)
            yield worker
        finally:
            kill(worker)
            process.wait()

    def _joined(self, process: "subprocess.Popen[bytes]", log: Path) -> bool:
        assert process.poll() is None, f"the worker ended:\n{log.read_text()[-3_000:]}"
        workers = self.ledger.run(calls.stats(queue_names("transcoder")))["workers"]
        return any(worker["pid"] == process.pid for worker in workers)


def kill(worker: psutil.Process) -> None:
    """SIGKILL a worker and its children; their FFmpegs go by themselves."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in (worker, *worker.children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _works_in(process: psutil.Process, home: Path) -> bool:
    try:
        return "ffmpeg" in process.name() and process.cwd().startswith(str(home))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
