"""Our service: real workers of one core each, a job from its acceptance to its success, everything on."""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import psutil

from bench.submit.servers import running, until
from bench.transcoder.plain import Turn
from shared.bus import Bus, envelope_text
from shared.contracts.transcoder import Transcode
from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger
from shared.settings import ServiceSettings
from shared.storage import Storage

UPLOAD = "upl_12345678"
PATIENCE = 7_200.0


def run(source: Path, preset: str, folder: Path, url: str, cores: Sequence[int], ready: Callable[[], object] = lambda: None) -> Turn:
    """One worker for each core; all of them are ready before the job is accepted, and `ready` is called in between."""
    folder.mkdir(parents=True)
    settings = ServiceSettings(redis_url=url, broker_url=url, home=folder)
    ledger = Ledger(url, "transcoder", rings_here=True)
    ledger.redis.flushdb()
    storage = Storage.at(settings.storage_url)
    blob = storage.put("uploads/film", source, "video/mp4")
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(folder, url, core, ledger)) for core in cores]
        watch = stack.enter_context(_Watch(workers))
        ready()
        before, began = watch.cpu(), time.monotonic()
        job = _submit(ledger, settings, blob.model_dump_json(), preset)
        record = _done(ledger, job)
        wall, cpu = time.monotonic() - began, watch.cpu() - before
    ledger.close()
    single = [item.key for item in record.artifacts if item.name == "video-720p.mp4"]
    best = folder / "storage" / single[0] if single else _joined(folder, storage, record)
    return Turn(wall, cpu, watch.peak, best)


def _joined(folder: Path, storage: Storage, record: JobRecord) -> Path:
    """The largest rendition of a package, as one file."""
    keys = {item.name: item.key for item in record.artifacts}
    sizes = sorted(
        {int(name.split("/")[1].removesuffix("p")) for name in keys if name.startswith("hls/") and name.split("/")[1][0].isdigit()}
    )
    names = sorted(name for name in keys if name.startswith(f"hls/{sizes[-1]}p/") and name.endswith((".mp4", ".m4s")))
    path = folder / "best.mp4"
    with path.open("wb") as file:
        for name in sorted(names, key=lambda name: (not name.endswith("init.mp4"), name)):
            file.write(storage.read(keys[name]))
    return path


def _submit(ledger: Ledger, settings: ServiceSettings, blob: str, preset: str) -> str:
    job_id, text = ids.new("transcoder"), json.dumps({"source": UPLOAD, "preset": preset, "poster": False})
    envelope = envelope_text(job_id=job_id, kind=Transcode.kind, epoch=1, tenant="t", request=text, blob="", trace={})
    bell = Bus("transcoder", settings).bell(envelope, kind=Transcode.kind, job_id=job_id, queue="transcoder")
    inputs = f'{{"{UPLOAD}":{blob}}}'
    ledger.run(calls.accept(NewJob(job_id, Transcode.kind, "t", "transcoder", text, bell=bell, inputs=inputs)))
    return job_id


def _done(ledger: Ledger, job: str) -> JobRecord:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        record = ledger.run(calls.read(job))
        if record is not None and record.done:
            if record.text("state") != "succeeded":
                raise RuntimeError(f"the job {record.text('state')}: {record.text('error')}")
            return record
        time.sleep(0.1)
    raise RuntimeError("the job takes too long")


@contextmanager
def _worker(folder: Path, url: str, core: int, ledger: Ledger) -> Iterator[psutil.Process]:
    environ = {"TRANSCODER_REDIS_URL": url, "TRANSCODER_BROKER_URL": url, "TRANSCODER_HOME": str(folder), "TRANSCODER_THREADS": "1"}
    environ["TRANSCODER_STORAGE_URL"] = f"file://{folder}/storage"
    command = ["taskset", "-c", str(core), sys.executable, "-m", "shared.start", "worker", "services.transcoder.app"]
    log = folder / f"worker-{core}.log"
    with running(command, environ, log) as process:
        until(lambda: any(worker["pid"] == process.pid for worker in ledger.run(calls.stats(["transcoder"]))["workers"]), process, log)
        yield psutil.Process(process.pid)


class _Watch:
    """CPU time and memory of workers with all their children: the living, and those that were waited for."""

    def __init__(self, workers: Sequence[psutil.Process]) -> None:
        self._workers = workers
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def cpu(self) -> float:
        """Seconds so far."""
        return sum(_cpu(process) for worker in self._workers for process in (worker, *worker.children(recursive=True)))

    def _look(self) -> None:
        while not self._over.wait(0.25):
            for worker in self._workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    family = (worker, *worker.children(recursive=True))
                    self.peak = max(self.peak, sum(_resident(process) for process in family))


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
