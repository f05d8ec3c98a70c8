"""`python -m bench.ledger`: accept and claim beside 1,000 and 1,000,000 finished jobs, and the memory of one; writes docs/benchmarks.md."""

import argparse
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.ledger.filling import Hands, fill, memory
from bench.submit.report import write
from bench.submit.servers import ledger as server
from shared.ledger import retention
from shared.ledger.retention import Keep
from shared.ledger.store import Ledger

MARKERS = ("<!-- bench.ledger: written by `python -m bench.ledger` -->", "<!-- /bench.ledger -->")
STEPS = ("accept", "claim", "succeed")
EVERYTHING_OLD = {"succeeded": Keep(0, 0)}


def main(argv: Sequence[str] | None = None) -> int:
    """Fill two ledgers, measure both in turns. Returns 0."""
    args = _arguments().parse_args(argv)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        hands, said = [], ""
        for number in (args.few, args.many):
            url, said = stack.enter_context(server(Path(folder) / str(number), "no"))
            one = Hands(Ledger(url, "avatar", rings_here=True))
            stack.callback(one.ledger.close)
            _burst(one, 200)  # scripts loaded, first pages allocated
            before, began = memory(one.ledger), time.monotonic()
            fill(one, number)
            each = (memory(one.ledger) - before) / number
            print(f"{number:>9,} finished jobs: {each:,.0f} bytes each, filled in {time.monotonic() - began:.0f} s", flush=True)
            hands.append((number, one, each))
        costs = {number: {step: list[float]() for step in STEPS} for number, _, _ in hands}
        for _ in range(args.turns):
            for number, one, _ in hands:
                for step, cost in _burst(one, args.jobs).items():
                    costs[number][step].append(cost)
        prune = [_prune(one) for _, one, _ in hands]
    lines = [
        f"| finished jobs | {' | '.join(f'{step} µs' for step in STEPS)} | 100 jobs pruned, ms | bytes a job |",
        "|---|---|---|---|---|---|",
    ]
    medians = [{step: statistics.median(costs[number][step]) for step in STEPS} for number, _, _ in hands]
    for (number, _, each), found, pruned in zip(hands, medians, prune, strict=True):
        lines.append(f"| {number:,} | {' | '.join(f'{found[step]:.0f}' for step in STEPS)} | {pruned:.1f} | {each:,.0f} |")
    few, many = medians
    ratios = ", ".join(f"{step} **{many[step] / few[step]:.2f} ×**" for step in STEPS)
    text = "\n".join((*lines, "", f"{args.many:,} beside {args.few:,}: {ratios}."))
    print(f"\n{text}")
    if not args.no_write:
        command = shlex.join(["python", "-m", "bench.ledger", *(argv if argv is not None else sys.argv[1:])])
        place = f"Python {platform.python_version()} · {os.cpu_count()} cores · {datetime.now(UTC):%Y-%m-%d}"
        how = f"`{command}` · medians of {args.turns} turns of {args.jobs} jobs on each ledger · {said} · {place}"
        about = (
            "Processor time of the server's main thread for one call, its reading and writing included; two ledgers in turns. Each "
            "finished job has a request of 39 bytes, a result of 90, a trace context, 3 events and an attempt; its idempotency key, which "
            "goes after a day, is not counted."
        )
        write("\n".join((MARKERS[0], "## A full ledger", "", about, "", text, "", how, MARKERS[1])), markers=MARKERS)
    return 0


def _burst(hands: Hands, jobs: int) -> dict[str, float]:
    """Microseconds of the server's time for one call of each step, over so many jobs."""
    accepted, claimed = [], []

    def accept() -> Iterator[None]:
        for _ in range(jobs):
            accepted.append(hands.accept())
            yield

    def claim() -> Iterator[None]:
        for job_id in accepted:
            claimed.append(hands.claim(job_id))
            yield

    def succeed() -> Iterator[None]:
        for record in claimed:
            hands.succeed(record)
            yield

    return {step: _server_time(hands.ledger, work) for step, work in zip(STEPS, (accept, claim, succeed), strict=True)}


def _server_time(ledger: Ledger, work: Callable[[], Iterator[None]]) -> float:
    """Microseconds a call that the server's main thread had a processor for: what else the machine does is not in it."""

    def spent() -> float:
        cpu = ledger.redis.info("cpu")
        return float(cpu["used_cpu_user_main_thread"]) + float(cpu["used_cpu_sys_main_thread"])

    before = spent()
    number = sum(1 for _ in work())
    return (spent() - before) * 1e6 / number


def _prune(hands: Hands, steps: int = 5) -> float:
    """Milliseconds of the server's time for a step of retention that removes 100 jobs."""

    def work() -> Iterator[None]:
        for _ in range(steps):
            hands.ledger.run(retention.prune(EVERYTHING_OLD))
            yield

    hands.ledger.run(retention.prune(EVERYTHING_OLD))
    return _server_time(hands.ledger, work) / 1_000


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.ledger", description="Accept and claim in an empty ledger and in a full one.")
    parser.add_argument("--few", type=int, default=1_000, help="finished jobs in the first ledger (default: 1,000)")
    parser.add_argument("--many", type=int, default=1_000_000, help="and in the second (default: 1,000,000: 2 GB of memory)")
    parser.add_argument("--jobs", type=int, default=1_000, help="in each turn (default: 1,000)")
    parser.add_argument("--turns", type=int, default=5, help="of each ledger, one after the other (default: 5)")
    parser.add_argument("--no-write", action="store_true", help="print only; leave docs/benchmarks.md as it is")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
