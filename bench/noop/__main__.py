"""`python -m bench.noop`: jobs a second that do nothing, our worker and plain Celery's in turns; writes docs/benchmarks.md."""

import argparse
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from redis import Redis

from bench.noop.runners import QUEUE, RUNNERS, Runner, environ
from bench.submit.report import write
from bench.submit.servers import ledger, running

MARKERS = ("<!-- bench.noop: written by `python -m bench.noop` -->", "<!-- /bench.noop -->")
ABOUT = (
    "Jobs that do nothing, queued before the worker starts; the rate is that of the middle 80 % of the queue. The same server for all, "
    "emptied before every turn; the same pool (prefork); log level info. Ours with everything on: two fenced steps on the ledger, events, "
    "attempt log, spans, a log line at the start and at the end of each attempt. Celery with its defaults and late acknowledgement."
)
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: jobs a second, processor time of the worker's processes and of the server in microseconds a job."""

    rate: float
    worker_us: float
    server_us: float


def main(argv: Sequence[str] | None = None) -> int:
    """Run the turns. Returns 0."""
    args = _arguments().parse_args(argv)
    turns: dict[str, list[Turn]] = {runner.name: [] for runner in RUNNERS}
    with TemporaryDirectory() as folder, ledger(Path(folder) / "ledger", args.fsync) as (url, server):
        for number in range(args.turns):
            for runner in RUNNERS:
                turn = measure(runner, url, Path(folder) / f"{number}-{RUNNERS.index(runner)}", args)
                turns[runner.name].append(turn)
                figures = f"{turn.rate:>7,.0f} jobs/s  worker {turn.worker_us:,.0f} µs  server {turn.server_us:,.0f} µs"
                print(f"{runner.name:<34} {figures}", flush=True)
    lines = ["| worker | jobs/s (slowest-fastest turn) | CPU µs a job: worker | server |", "|---|---|---|---|"]
    for name, found in turns.items():
        rates = [turn.rate for turn in found]
        worker, spent = statistics.median(turn.worker_us for turn in found), statistics.median(turn.server_us for turn in found)
        lines.append(f"| {name} | {statistics.median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f}) | {worker:,.0f} | {spent:,.0f} |")
    medians = {name: statistics.median(turn.rate for turn in found) for name, found in turns.items()}
    *others, ours = medians
    ratios = "; ".join(f"{ours}: **{medians[ours] / medians[other]:.2f} ×** {other}" for other in others)
    text = "\n".join((*lines, "", f"{ratios}."))
    print(f"\n{text}")
    if not args.no_write:
        command = shlex.join(["python", "-m", "bench.noop", *(argv if argv is not None else sys.argv[1:])])
        packages = ", ".join(f"{name} {version(name)}" for name in ("celery", "kombu", "redis"))
        place = f"Python {platform.python_version()} · {packages} · {os.cpu_count()} cores · {datetime.now(UTC):%Y-%m-%d}"
        how = f"`{command}` · medians of {args.turns} turns each of {args.jobs:,} jobs · pool of {args.concurrency} · {server}, "
        how += f"AOF with appendfsync {args.fsync} · {place}"
        write("\n".join((MARKERS[0], "## Jobs that do nothing", "", ABOUT, "", text, "", how, MARKERS[1])), markers=MARKERS)
    return 0


def measure(runner: Runner, url: str, home: Path, args: argparse.Namespace) -> Turn:
    """One turn: fill the queue, start the worker, watch the queue go down. Raises RuntimeError where it does not."""
    home.mkdir(parents=True)
    with Redis.from_url(url, decode_responses=True) as client:
        client.flushall()
        client.config_set("appendfsync", "no")  # for the filling only
        runner.fill(url, args.jobs)
        client.config_set("appendfsync", args.fsync)
        server = psutil.Process(int(client.info("server")["process_id"]))
        command = [*runner.command, "--concurrency", str(args.concurrency)]
        with running(command, environ(runner, url, home, args.concurrency), home / "worker.log") as process:
            worker = psutil.Process(process.pid)
            _falls_to(client, int(args.jobs * 0.9), home / "worker.log", process.poll)
            began, before = time.perf_counter(), (_cpu(worker), _own(server))
            left = _falls_to(client, int(args.jobs * 0.1), home / "worker.log", process.poll)
            took, after = time.perf_counter() - began, (_cpu(worker), _own(server))
            _falls_to(client, 0, home / "worker.log", process.poll)
            deadline = time.monotonic() + PATIENCE
            while (done := runner.done(url)) is not None and done < args.jobs:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{runner.name}: {done} of {args.jobs} jobs are done")
                time.sleep(0.05)
    jobs = int(args.jobs * 0.9) - left
    return Turn(jobs / took, (after[0] - before[0]) * 1e6 / jobs, (after[1] - before[1]) * 1e6 / jobs)


def _falls_to(client: Redis, most: int, log: Path, ended: Callable[[], int | None]) -> int:
    deadline = time.monotonic() + PATIENCE
    while (left := int(str(client.llen(QUEUE)))) > most:
        if ended() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the worker does not work:\n{log.read_text(errors='replace')[-2_000:]}")
        time.sleep(0.02)
    return left


def _own(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _cpu(worker: psutil.Process) -> float:
    return _own(worker) + sum(_own(child) for child in worker.children())


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.noop", description="Jobs that do nothing: plain Celery's worker and ours, in turns."
    )
    parser.add_argument("--jobs", type=int, default=5_000, help="in each turn (default: 5,000)")
    parser.add_argument("--turns", type=int, default=3, help="of each worker, one after the other (default: 3)")
    parser.add_argument("--concurrency", type=int, default=2, help="pool children (default: 2)")
    parser.add_argument("--fsync", choices=("always", "everysec", "no"), default="always", help="the server's appendfsync, for all alike")
    parser.add_argument("--no-write", action="store_true", help="print only; leave docs/benchmarks.md as it is")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
