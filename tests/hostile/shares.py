"""A run's work, shared among processes."""

import argparse
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from tests.hostile.bases import RECIPES, make
from tests.hostile.canaries import canaries
from tests.hostile.inputs import inputs
from tests.hostile.report import named
from tests.hostile.trial import Tally, attempt

EVERY = 25


def share(given: argparse.Namespace, number: int) -> Tally:
    """Every so many-th input, with a work folder and bait of one's own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    tally = Tally()
    with TemporaryDirectory() as folder:
        work, bait = Path(folder) / "work", Path(folder) / "somebody-else"
        work.mkdir()
        bait.mkdir()
        with canaries(make(bait, "film.ts", *RECIPES["ts"])) as watched:
            for at, each in enumerate(inputs(given.seed, work, watched, each=given.each, only=given.only)):
                if at % given.jobs != number or given.name not in (None, each.name):
                    continue
                verdict = attempt(each, work, watched, "hls" if at % 10 == 0 else "mp4-480p")
                tally.add(verdict)
                if verdict.faults:
                    sys.stderr.write(f"{named(verdict)}: {'; '.join(verdict.faults)} ({verdict.outcome}: {verdict.detail})\n")
                    if given.keep:
                        (given.keep / f"{each.family}-{each.name}").write_bytes(each.content)
                if len(tally.verdicts) % EVERY == 0:
                    sys.stderr.write(f"{number}: {len(tally.verdicts)} tried, {len(tally.faulty)} faulty\n")
    return tally
