"""The upkeep that every service has: a nightly sweep of temporary files and of done jobs, and a look at the queues every 15 minutes."""

import shutil
import stat
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from shared.bus import queues_of
from shared.contracts.upkeep import MeasureQueues, QueueHealth, Sweep, SweepResult
from shared.job import Job
from shared.ledger import calls
from shared.runtime import checks, retention
from shared.runtime.runtime import Runtime
from shared.service import Handler

log = structlog.get_logger()
SCHEDULE: Mapping[type, str] = {Sweep: "30 3 * * *", MeasureQueues: "*/15 * * * *"}
"""When the upkeep runs: cron, UTC. A service may say otherwise in its policy.py."""


def handlers(runtime: Runtime) -> Mapping[str, Handler]:
    """The handlers of a service's upkeep kinds."""

    def sweep(command: Sweep, job: Job) -> SweepResult:
        swept = sweep_folder(runtime.service.settings.home / "work" / runtime.service.name, command.older_than, job)
        kept = retention.carry_out(runtime, job)
        return SweepResult(removed=swept.removed + kept.records + kept.blobs, bytes=swept.bytes + kept.bytes)

    def measure(_command: MeasureQueues, _job: Job) -> QueueHealth:
        checks.look(runtime)
        return measure_queues(runtime)

    found: dict[str, Handler] = {}
    for kind, command in runtime.service.contract.by_kind.items():
        if issubclass(command, Sweep):
            found[kind] = sweep
        elif issubclass(command, MeasureQueues):
            found[kind] = measure
    return found


def schedule(runtime: Runtime) -> Mapping[str, str]:
    """Kind → cron expression of the service's built-in schedules."""
    if runtime.service.schedule is not None:
        return runtime.service.schedule
    return {
        kind: cron
        for kind, command in runtime.service.contract.by_kind.items()
        for base, cron in SCHEDULE.items()
        if issubclass(command, base)
    }


def sweep_folder(folder: Path, older_than: float, job: Job) -> SweepResult:
    """Remove attempts' folders untouched for `older_than` seconds: their workers were killed, a live one writes."""
    removed = freed = 0
    limit = time.time() - older_than
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    for number, entry in enumerate(entries):
        job.checkpoint()
        try:
            size = _remove_if_older(entry, limit)
        except FileNotFoundError:
            continue  # its attempt ended while we looked, and removed it itself
        except OSError as error:
            log.warning("temporary_folder_left", name=entry.name, reason=str(error))
            continue
        if size is not None:
            freed, removed = freed + size, removed + 1
            job.progress(number / len(entries), "sweep", entry.name)
    log.info("temporary_files_swept", removed=removed, bytes=freed)
    return SweepResult(removed=removed, bytes=freed)


def _remove_if_older(entry: Path, limit: float) -> int | None:
    """Remove what was last touched before `limit` (Unix seconds): the bytes that were in it; None where it was touched since."""
    is_folder = entry.is_dir() and not entry.is_symlink()
    found = [path.lstat() for path in ([entry, *entry.rglob("*")] if is_folder else [entry])]
    if max(each.st_mtime for each in found) >= limit:
        return None
    if is_folder:
        shutil.rmtree(entry)
    else:
        entry.unlink()
    return sum(each.st_size for each in found if stat.S_ISREG(each.st_mode))


def measure_queues(runtime: Runtime) -> QueueHealth:
    """Depth, oldest age and dead letters, to the log; the same figures stand in /metrics at any time."""
    stats = runtime.ledger.run(calls.stats(queues_of(runtime.service.contract)))
    depth = {name: queue["depth"] for name, queue in stats["queues"].items()}
    oldest = max((queue["oldest_age"] for queue in stats["queues"].values()), default=0.0)
    log.info("queues_measured", depth=depth, oldest_age=oldest, dead_letters=stats["dead_letters"], states=stats["states"])
    return QueueHealth(depth=depth, oldest_age=oldest, dead_letters=stats["dead_letters"])
