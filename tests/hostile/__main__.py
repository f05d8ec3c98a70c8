"""`python -m tests.hostile [--seed N] [--only FAMILY] [--keep FOLDER]`: all hostile sources through the real service, and a report.

Exits 1 where one of them hung it, crashed it, left something behind, was to be tried again, or read what it should not.
"""

import argparse
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from tests.hostile.bases import RECIPES, make
from tests.hostile.canaries import canaries
from tests.hostile.inputs import EACH, inputs
from tests.hostile.report import report
from tests.hostile.trial import Tally, attempt

EVERY = 25


def main() -> int:
    """Run them one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--each", type=int, default=EACH, help="inputs for each kind of damage and container")
    parser.add_argument("--only", help="one family alone")
    parser.add_argument("--name", help="one input alone, by its name")
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that did what they must not")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    tally = Tally()
    with TemporaryDirectory() as folder:
        work, bait = Path(folder) / "work", Path(folder) / "somebody-else"
        work.mkdir()
        bait.mkdir()
        with canaries(make(bait, "film.ts", *RECIPES["ts"])) as watched:
            for each in inputs(given.seed, work, watched, each=given.each, only=given.only):
                if given.name not in (None, each.name):
                    continue
                verdict = attempt(each, work, watched, "hls" if len(tally.verdicts) % 10 == 0 else "mp4-480p")
                tally.verdicts.append(verdict)
                if verdict.faults:
                    sys.stderr.write(f"{each.family} {each.name}: {'; '.join(verdict.faults)} ({verdict.outcome}: {verdict.detail})\n")
                    if given.keep:
                        (given.keep / f"{each.family}-{each.name}").write_bytes(each.content)
                if len(tally.verdicts) % EVERY == 0:
                    sys.stderr.write(f"{len(tally.verdicts)} tried, {len(tally.faulty)} faulty\n")
    sys.stdout.write(report(tally))
    return int(bool(tally.faulty))


if __name__ == "__main__":
    raise SystemExit(main())
