"""`python -m bench.transcoder`: films by one plain FFmpeg and by our workers, a core each, in turns; writes docs/benchmarks.md."""

import argparse
import os
import platform
import shlex
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.submit.report import write
from bench.submit.servers import ledger
from bench.transcoder import ours, plain
from bench.transcoder.films import FILMS
from bench.transcoder.plain import Turn
from bench.transcoder.quality import frames, vmaf
from services.transcoder.binary import tools

MARKERS = ("<!-- bench.transcoder: written by `python -m bench.transcoder` -->", "<!-- /bench.transcoder -->")
ABOUT = (
    "Each contestant has one core a process (taskset), one encoder thread and the same niceness. The plain FFmpeg makes the same sizes "
    "and the sound from one decode, with the same settings, into files, and nothing else. Ours is a whole job, from its acceptance to its "
    "success: probing, every packet's time read, segments stored and joined, packaging, every output checked, artifacts hashed and stored; "
    "the CPU time is that of all of the workers' processes. One worker and the plain FFmpeg run at the same time, a core each, which the "
    "next turn swaps: the speed of this machine swings within minutes, and so it swings for both. VMAF is the mean over every fifth frame "
    "of the largest size."
)
PRESETS = ("mp4-720p", "hls")
NAMES = ("one plain FFmpeg", "ours, one worker", "ours, two workers")
PLAIN, ONE, TWO = NAMES


def main(argv: Sequence[str] | None = None) -> int:
    """Run the turns. Returns 0."""
    args = _arguments().parse_args(argv)
    lines = [
        "| film, preset, turns | by | wall s | × | × of one worker | CPU s | × | VMAF | frames | memory MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    with TemporaryDirectory(dir=args.folder) as name, ledger(Path(name) / "ledger", "always") as (url, _):
        for film in args.films:
            source = FILMS[film](Path(name), args.seconds)
            for preset in args.presets:
                lines += _rows(f"{film}, {preset}", _turns(source, preset, Path(name) / f"{film}-{preset}", url, args), source)
                print("\n".join(lines[-len(NAMES) :]), flush=True)
    if not args.no_write:
        given = list(argv if argv is not None else sys.argv[1:])
        given = given[: given.index("--folder")] + given[given.index("--folder") + 2 :] if "--folder" in given else given
        command = shlex.join(["python", "-m", "bench.transcoder", *given])  # where its files lay is nobody's business
        load = f"load {os.getloadavg()[1]:.0f} on {os.cpu_count()} cores"
        place = f"ffmpeg {tools().ffmpeg.label} · Python {platform.python_version()} · {load} · {datetime.now(UTC):%Y-%m-%d}"
        how = f"`{command}` · films of {args.seconds:g} s · medians · {place}"
        write("\n".join((MARKERS[0], "## Films", "", ABOUT, "", *lines, "", how, MARKERS[1])), markers=MARKERS)
    return 0


def _turns(source: Path, preset: str, folder: Path, url: str, args: argparse.Namespace) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {name: [] for name in NAMES}
    number, began = 0, time.monotonic()
    while number < args.turns or time.monotonic() - began < 60 * args.minutes:
        at, cores = folder / str(number), args.cores if number % 2 == 0 else args.cores[::-1]
        for name, turn in zip((PLAIN, ONE), _at_once(source, preset, at, url, cores), strict=True):
            turns[name].append(turn)
        turns[TWO].append(ours.run(source, preset, at / "two", url, cores))
        if number:  # the first turn's outputs are looked at
            shutil.rmtree(at)
        number += 1
    return turns


def _at_once(source: Path, preset: str, at: Path, url: str, cores: Sequence[int]) -> tuple[Turn, Turn]:
    """The plain FFmpeg on the first core, and our worker on the second one."""
    begun: list[Future[Turn]] = []
    with ThreadPoolExecutor(1) as beside:
        mine = ours.run(
            source,
            preset,
            at / "one",
            url,
            cores[1:],
            ready=lambda: begun.append(beside.submit(plain.run, source, preset, at / "plain", cores[0])),
        )
        return begun[0].result(), mine


def _rows(what: str, turns: dict[str, list[Turn]], source: Path) -> list[str]:
    rows = []
    base = turns[PLAIN]
    for name, found in turns.items():
        wall, cpu = (statistics.median(getattr(turn, figure) for turn in found) for figure in ("wall", "cpu"))
        # Ratios are medians of ratios within a turn: whatever else the machine did, it did to both.
        alone = statistics.median(turn.wall / other.wall for turn, other in zip(found, turns[ONE], strict=True))
        slower = statistics.median(turn.wall / other.wall for turn, other in zip(found, base, strict=True))
        dearer = statistics.median(turn.cpu / other.cpu for turn, other in zip(found, base, strict=True))
        best = found[0].best
        memory = max(turn.memory for turn in found) / 1e6
        score = f"{vmaf(best, source):.2f} | {frames(best):,} of {frames(source):,} | {memory:,.0f}"
        rows.append(
            f"| {what}, {len(found)} turns | {name} | {wall:.1f} | {slower:.2f} | {alone:.2f} | {cpu:.1f} | {dearer:.2f} | {score} |"
        )
    return rows


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.transcoder", description="Films by one plain FFmpeg and by our workers, a core each, in turns."
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="of each film (default: 120)")
    parser.add_argument("--turns", type=int, default=2, help="of each contestant, at least (default: 2, which swaps the cores)")
    parser.add_argument("--minutes", type=float, default=0.0, help="and more of them, until these have passed with a film (default: 0)")
    parser.add_argument("--films", nargs="+", choices=list(FILMS), default=list(FILMS), help="which (default: both)")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS), help="which (default: both)")
    parser.add_argument("--cores", nargs=2, type=int, default=[0, 1], help="the two that are used (default: 0 1)")
    parser.add_argument("--folder", type=Path, default=None, help="where files go meanwhile (default: the system's)")
    parser.add_argument("--no-write", action="store_true", help="print only; leave docs/benchmarks.md as it is")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
