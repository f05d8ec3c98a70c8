"""`python -m tests.hostile [--seed N] [--only FAMILY] [--keep FOLDER] [--write]`: all hostile sources through the real service, a report.

Exits 1 where one of them hung it, crashed it, left something behind, was to be tried again, or read what it should not.
"""

import argparse
import sys
import time
from multiprocessing import get_context
from pathlib import Path

from bench.submit.report import write
from tests.hostile.inputs import EACH
from tests.hostile.report import MARKERS, PAGE, report, signed
from tests.hostile.shares import share
from tests.hostile.trial import Tally


def main() -> int:
    """Run them, some side by side."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--each", type=int, default=EACH, help="inputs for each kind of damage and container")
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried at once, in processes of their own")
    parser.add_argument("--only", help="one family alone")
    parser.add_argument("--name", help="one input alone, by its name")
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that did what they must not")
    parser.add_argument("--write", action="store_true", help="put the report of a whole run into docs/transcoder.md")
    given = parser.parse_args()
    if given.write and (given.only or given.name):
        parser.error("--write is for a whole run, without --only and --name")
    began = time.monotonic()
    with get_context("spawn").Pool(given.jobs) as pool:
        tallies = pool.starmap(share, [(given, number) for number in range(given.jobs)])
    tally = Tally([verdict for tally in tallies for verdict in tally.verdicts], began, max(tally.peak for tally in tallies))
    sys.stdout.write(report(tally))
    if given.write:
        write("\n".join((MARKERS[0], report(tally), signed(given.seed, given.jobs), MARKERS[1])), PAGE, markers=MARKERS)
    return int(bool(tally.faulty))


if __name__ == "__main__":
    raise SystemExit(main())
