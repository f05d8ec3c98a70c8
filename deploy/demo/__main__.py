"""`python -m deploy.demo`, which is `make demo`."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from client.errors import ClientError
from deploy.demo.errands import ERRANDS, run_all
from deploy.demo.home import NotUpError, ensure_up
from deploy.demo.report import show, show_trace, where_to_look

FAILED = 1
OUTPUT = Path("out/demo")
WIDTH = 120
"""Columns where the output is no terminal; rich would take 80, which breaks job ids."""
TRACED = "mailing"
"""The job whose trace is shown: it fans out."""


def main() -> int:
    """Run the demo.

    Returns:
        0 where all jobs succeeded, 1 otherwise.
    """
    arguments = argparse.ArgumentParser(prog="python -m deploy.demo", description="One real job of each service, from start to result.")
    arguments.add_argument("--keep", action="store_true", help="leave Counterfoil running where the demo started it")
    keep = bool(arguments.parse_args().keep)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    try:
        with ensure_up(console, keep=keep) as home, home.client() as client:
            outcomes = run_all(ERRANDS, client, OUTPUT, console)
            show(console, outcomes, OUTPUT)
            done = [outcome for outcome in outcomes if outcome.succeeded]
            for outcome in sorted(done, key=lambda outcome: outcome.errand.label != TRACED)[:1]:
                if outcome.job:
                    show_trace(console, client, outcome.job)
            where_to_look(console, home, OUTPUT, stays_up=keep or not home.started)
    except (NotUpError, ClientError) as error:
        print(error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130
    services = sorted({outcome.job.service for outcome in done if outcome.job})
    print(f"{len(done)} of {len(outcomes)} jobs succeeded, of {len(services)} services: {', '.join(services)}.")
    return 0 if len(done) == len(outcomes) else FAILED


if __name__ == "__main__":
    raise SystemExit(main())
