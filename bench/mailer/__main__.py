"""`python -m bench.mailer`: mails a second of all senders in turns, to a sink, a distant one, a real Postfix; writes docs/benchmarks.md."""

import argparse
import os
import platform
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.mailer import postfix
from bench.mailer.lanes import DISTANT, NEAR, REAL, SOURCE, TUTORIAL, Lane, Turn, server, turn
from bench.mailer.transport import stuffed
from bench.submit.report import write
from bench.submit.servers import ledger

MARKERS = ("<!-- bench.mailer: written by `python -m bench.mailer` -->", "<!-- /bench.mailer -->")
ABOUT = (
    "Personal mails of {size:,} bytes over 16 connections; a turn of one sender follows that of another, and the figures are medians. "
    "`smtp-source` sends one and the same text and looks at nothing; the tutorial gets a tenth of the mails or less. Transport alone "
    "sends ready bytes. The whole path begins with an uploaded list and ends with `recipients.csv`: plan, batches as jobs, template, MIME, "
    "SMTP, the intent of each mail in the ledger before its body and the end after it, in one process, as one of a worker's children."
)
Figures = Mapping[str, list[Turn]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the turns. Returns 0, or 1 where smtp-source or smtp-sink are missing."""
    args = _arguments().parse_args(argv)
    if postfix.found("smtp-source") is None or postfix.found("smtp-sink") is None:
        print("smtp-source and smtp-sink are missing: apt-get install --no-install-recommends postfix", file=sys.stderr)
        return 1
    lanes = [NEAR, DISTANT, *([] if postfix.why_not() else [REAL])]
    parts = []
    with TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with ledger(folder / "ledger", args.fsync) as (url, what):
            for number, lane in enumerate(lanes):
                parts += _table(lane, _measured(lane, args, url, folder / str(number)))
    if postfix.why_not():
        parts.append(f"No lane against a real Postfix: {postfix.why_not()}.")
        print(f"NOT MEASURED: {parts[-1]}", file=sys.stderr)
    text = "\n".join(parts)
    print(f"\n{text}")
    if not args.no_write:
        command = shlex.join(["python", "-m", "bench.mailer", *(argv if argv is not None else sys.argv[1:])])
        place = (
            f"Python {platform.python_version()} · minijinja {version('minijinja')} · {os.cpu_count()} cores · {datetime.now(UTC):%Y-%m-%d}"
        )
        how = f"`{command}` · medians of {args.turns} turns · {what}, AOF with appendfsync {args.fsync} · {place}{args.remark}"
        about = ABOUT.format(size=len(stuffed()))
        write("\n".join((MARKERS[0], "## Mailing", "", about, "", text, "", how, MARKERS[1])), markers=MARKERS)
    return 0


def _measured(lane: Lane, args: argparse.Namespace, url: str, folder: Path) -> Figures:
    figures: dict[str, list[Turn]] = {sender.name: [] for sender in lane.senders}
    with server(lane, folder) as port:
        for number in range(args.turns):
            for sender in lane.senders:
                home = folder / f"home-{number}-{lane.senders.index(sender)}"
                found = turn(sender, port, int(args.mails * lane.share), ledger=url, home=home)
                figures[sender.name].append(found)
                print(f"{lane.name:<24} {sender.name:<50} {found.rate:>7,.0f}/s {found.cpu_us:>7,.0f} µs", flush=True)
    return figures


def _table(lane: Lane, figures: Figures) -> list[str]:
    rates = {name: statistics.median(turn.rate for turn in turns) for name, turns in figures.items()}
    lines = [
        f"| to {lane.name} | mails/s (slowest-fastest turn) | of smtp-source | of the tutorial | CPU µs a mail |",
        "|---|---|---|---|---|",
    ]
    for name, turns in figures.items():
        every = [turn.rate for turn in turns]
        cpu = statistics.median(turn.cpu_us for turn in turns)
        ratios = f"{rates[name] / rates[SOURCE.name]:.2f} | {rates[name] / rates[TUTORIAL.name]:.1f}"
        lines.append(f"| {name} | {rates[name]:,.0f} ({min(every):,.0f}-{max(every):,.0f}) | {ratios} | {cpu:,.0f} |")
    return [*lines, ""]


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.mailer", description="Mails a second: smtp-source, the tutorial, and ours, in turns."
    )
    parser.add_argument("--mails", type=int, default=5_000, help="of each sender in a turn; slow ones get fewer (default: 5,000)")
    parser.add_argument("--turns", type=int, default=3, help="of each sender, one after the other (default: 3)")
    parser.add_argument("--fsync", choices=("always", "everysec", "no"), default="always", help="the ledger's appendfsync")
    parser.add_argument("--folder", help="where the servers keep their files (default: the system's temporary folder)")
    parser.add_argument("--remark", default="", help="a remark on the machine for the page, such as ' · a busy machine'")
    parser.add_argument("--no-write", action="store_true", help="print only; leave docs/benchmarks.md as it is")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
