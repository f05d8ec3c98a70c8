"""`make chaos`, or `python -m tests.chaos --jobs 3000 --kills 40 --plain --write`: the storm at any length, its figures, the page."""

import argparse
import logging
import shlex
import sys
import tempfile
from pathlib import Path

import structlog

from tests.chaos import disk, ours, page, plain_celery
from tests.chaos.storm import storm
from tests.chaos.tally import Tally, table


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill everything, count every job.")
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--kills", type=int, default=12, help="SIGKILLs; a third as many other disturbances come on top")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=3, help="with two children each")
    parser.add_argument("--fans", type=float, default=0.0, help="the share of jobs that leave their work to three children (ours only)")
    parser.add_argument("--rabbit", action="store_true", help="RabbitMQ, started for this, carries the doorbells, and is killed, too")
    parser.add_argument("--plain", action="store_true", help="the same on plain Celery beside it")
    parser.add_argument("--only-plain", action="store_true", help="plain Celery alone")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    parser.add_argument("--keep", type=Path, help="a folder for logs, marks and data, kept; default: a temporary one")
    return parser.parse_args()


def main() -> int:
    """Fight, print, write; 1 where a promise was broken."""
    disk.enter(sys.argv[1:])
    given = arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    blows = storm(given.seed, jobs=given.jobs, kills=given.kills, rabbit=given.rabbit, disk=disk.may_mount())
    if not disk.may_mount():
        sys.stdout.write("The storage's disk is not filled: this process may not mount a small one (root or user namespaces).\n")
    tallies: list[Tally] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        common = {"jobs": given.jobs, "seed": given.seed, "workers": given.workers}
        if not given.only_plain:
            tally, field = ours.battle(folder / "ours", blows, with_rabbit=given.rabbit, fans=given.fans, **common)
            tallies.append(tally)
            sys.stdout.write(f"\nstruck: {field.struck}\ncounters: {dict(tally.counters)}\n{tally.seconds:.0f} s\n")
        if given.plain or given.only_plain:
            tallies.append(plain_celery.battle(folder / "plain", blows, with_rabbit=given.rabbit, **common)[0])
    sys.stdout.write(f"\n{table(tallies)}\n")
    if given.write:
        page.write(
            tallies,
            blows,
            command=shlex.join(["make", "chaos", f"JOBS={given.jobs}", f"KILLS={given.kills}", f"SEED={given.seed}", *_told(given)]),
            rabbit=given.rabbit,
        )
    broken = [promise for one in tallies if one.counters for promise in one.broken]
    sys.stdout.write("".join(f"Broken: {promise}\n" for promise in broken))
    return int(bool(broken))


def _told(given: argparse.Namespace) -> list[str]:
    """The ARGS that make the same run again."""
    fans = [f"--fans {given.fans:g}"] if given.fans else []
    asked = [*fans, *(["--rabbit"] if given.rabbit else []), *(["--plain"] if given.plain else [])]
    return [f"ARGS={' '.join(asked)}"] if asked else []


if __name__ == "__main__":
    raise SystemExit(main())
