"""`python -m bench.submit`: the tutorials' gateway and ours in turns; prints the figures and writes docs/benchmarks.md."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from bench.submit import load, wrk
from bench.submit.figures import Figures, Load, Summary
from bench.submit.report import ratios, section, table, write
from bench.submit.servers import GATEWAYS, Gateway, ledger, serving

BODY = json.dumps({"seed": "ada@example.com", "variants": 4}).encode()
WARM_UP = 2.0
"""Seconds of load before each turn that are not counted: imports, connections and caches come up in them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the turns. Returns 0, or 1 where a gateway refused requests: its figures then say nothing."""
    args = _arguments().parse_args(argv)
    names = [gateway.name for gateway in GATEWAYS]
    turns: dict[str, list[Figures]] = {name: [] for name in names}
    with TemporaryDirectory() as folder, ledger(Path(folder) / "ledger", args.fsync) as (redis_url, server):
        for turn in range(args.turns):
            for gateway in GATEWAYS:
                figures = measure(gateway, redis_url, Path(folder) / f"{turn}-{gateway.path.replace('/', '-')}", args)
                turns[gateway.name].append(figures)
                print(
                    f"{gateway.name:<24} {figures.rate:>8,.0f} requests/s  p50 {figures.p50:.1f} ms  p99 {figures.p99:.1f} ms", flush=True
                )
    summaries = [Summary.of(name, turns[name]) for name in names]
    print(f"\n{table(summaries)}\n\n{ratios(summaries)}")
    refused = any(summary.refused for summary in summaries)
    if refused:
        print("Some answers were not 2xx: these figures say nothing, and the page is left as it was.", file=sys.stderr)
    elif not args.no_write:
        command = shlex.join(["python", "-m", "bench.submit", *(argv if argv is not None else sys.argv[1:])])
        tool = "wrk" if args.tool == "wrk" else "bench/submit/load.py"
        write(section(summaries, command=command, server=server, fsync=args.fsync, tool=tool, turns=args.turns))
    return 1 if refused else 0


def measure(gateway: Gateway, redis_url: str, home: Path, args: argparse.Namespace) -> Figures:
    """One turn: start it, warm it up, load it, stop it."""
    drive = wrk.run if args.tool == "wrk" else load.run
    with serving(gateway, redis_url, home) as (address, process):
        headers = {"Content-Type": "application/json"}
        if gateway.keyed:
            headers["Authorization"] = f"Bearer {(home / 'api-key').read_text(encoding='utf-8').strip()}"
        asked = Load(f"{address}{gateway.path}", BODY, headers, unique_keys=gateway.keyed)
        drive(asked, seconds=WARM_UP, connections=args.connections)
        before = _cpu(process)
        figures = drive(asked, seconds=args.duration, connections=args.connections)
        spent = _cpu(process) - before
    fields = (figures.rate, figures.p50, figures.p99, figures.requests, figures.refused)
    return Figures(*fields, cpu_us=spent * 1e6 / max(figures.requests, 1))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.submit", description="Submit throughput: the tutorials' gateway and ours, in turns."
    )
    parser.add_argument("--duration", type=float, default=10.0, metavar="SECONDS", help="of load in each turn (default: 10)")
    parser.add_argument("--connections", type=int, default=32, help="kept alive, one request on each at a time (default: 32)")
    parser.add_argument("--turns", type=int, default=3, help="of each gateway, one after the other (default: 3)")
    parser.add_argument("--fsync", choices=("always", "everysec", "no"), default="always", help="the server's appendfsync, for all alike")
    parser.add_argument(
        "--tool", choices=("wrk", "python"), default="wrk" if wrk.available() else "python", help="default: wrk where there is one"
    )
    parser.add_argument("--no-write", action="store_true", help="print only; leave docs/benchmarks.md as it is")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
