"""`python -m bench.avatar`: warm p50 by kind, cold start, loads, memory, and DiceBear's renderer beside ours; writes docs/benchmarks.md."""

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.avatar.child import STYLE
from bench.submit.report import write

HERE = Path(__file__).parent
MARKERS = ("<!-- bench.avatar: written by `python -m bench.avatar` -->", "<!-- /bench.avatar -->")
ABOUT = (
    "One process as a pool child is, everything from the command to the file's bytes, at 1,024 × 1,024 pixels as PNG; the photo is "
    "`deploy/samples/portrait.jpg`, decoded anew each time. Cold start is from the process's start until every engine is loaded. Processor "
    "time is that of all threads (a painting has two). Where the load in the last line is above the cores, the wall times are the others'."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write. Returns 0."""
    args = _arguments().parse_args(argv)
    ours = _json([sys.executable, "-m", "bench.avatar.child", str(args.photo), str(args.turns)])
    lines = ["| kind | warm p50 ms | CPU ms | memory after, MB |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {found['wall_ms']:,.0f} | {found['cpu_ms']:,.0f} | {found['rss_mb']:,} |" for name, found in ours["kinds"].items()
    ]
    cold, (first, last) = ours["cold"], ours["loads"]
    said = [
        (
            f"Cold start: **{cold['wall_s']:.1f} s** ({cold['cpu_s']:.1f} s of processor time). Networks loaded: {first} at the start, "
            f"{last} after {ours['jobs']} jobs. Memory: {ours['rested_mb']:,} MB loaded, {ours['peak_mb']:,} MB at the peak."
        ),
        _beside_node(args.node, ours["svg"], args.turns * 40),
    ]
    text = "\n".join((*lines, "", *said))
    print(text)
    if not args.no_write:
        given = argv if argv is not None else sys.argv[1:]
        command = shlex.join(["python", "-m", "bench.avatar", *("FOLDER" if word == str(args.node) else word for word in given)])
        packages = ", ".join(f"{name} {version(name)}" for name in ("dicebear-core", "pyvips-binary", "onnxruntime", "ai-edge-litert"))
        load = f"load {os.getloadavg()[0]:.1f}"
        place = f"Python {platform.python_version()} · {packages} · {os.cpu_count()} cores, {load} · {datetime.now(UTC):%Y-%m-%d}"
        how = f"`{command}` · medians of {args.turns} · {place}"
        write("\n".join((MARKERS[0], "## Avatars", "", ABOUT, "", text, "", how, MARKERS[1])), markers=MARKERS)
    return 0


def _beside_node(folder: Path | None, ours: dict[str, float], count: int) -> str:
    """DiceBear's own renderer on the same style, in turn."""
    mine = f"An SVG of the style `{STYLE}` alone takes {ours['wall_ms']:.2f} ms ({ours['cpu_ms']:.2f} ms CPU)"
    node = shutil.which("node")
    if folder is None or node is None:
        return f"{mine}; give `--node FOLDER` (`npm install @dicebear/core@10 @dicebear/styles@10` in it) for DiceBear's own renderer."
    theirs = _json([node, str(HERE / "node.mjs"), str(folder), STYLE, str(count)])
    wall, cpu = ours["wall_ms"] / theirs["p50_ms"], ours["cpu_ms"] / theirs["cpu_ms"]
    return (
        f"{mine}; DiceBear's own renderer {theirs['version']} on Node: {theirs['p50_ms']:.2f} ms ({theirs['cpu_ms']:.2f} ms CPU). "
        f"Python takes **{wall:.1f} ×** its time and **{cpu:.1f} ×** its processor time (Node compiles and collects on other threads)."
    )


def _json(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stderr[-2_000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.avatar", description="What an avatar costs.")
    parser.add_argument("--photo", type=Path, default=Path("deploy/samples/portrait.jpg"))
    parser.add_argument("--turns", type=int, default=9, help="avatars of each kind (default: 9)")
    parser.add_argument("--node", type=Path, help="a folder with @dicebear/core and @dicebear/styles from npm")
    parser.add_argument("--no-write", action="store_true", help="print only; leave docs/benchmarks.md as it is")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
