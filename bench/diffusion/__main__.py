"""`python -m bench.diffusion`: load, paint, cancel and a full card, of full-size models with random weights; writes docs/benchmarks.md.

Needs the group avatar-gpu and a GPU (`--tiny` tries the whole of it on a processor, with a model of 32 px, and writes nothing).
"""

import argparse
import json
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from bench.submit.report import write

MARKERS = ("<!-- bench.diffusion: written by `python -m bench.diffusion` -->", "<!-- /bench.diffusion -->")
ABOUT = (
    "**Random weights**: the architectures of Stable Diffusion 1.5 and XL, full size, in half precision, without their training. The times"
    "  and the memory are those of the real ones; the pictures are noise and prove nothing about beauty. One process as a "
    "`--need gpu --pool solo` worker is. Load is from the pulled folder, every file's SHA-256 checked, onto the card. Seconds are those "
    "of `Painter.paint`, text to pixels; memory is the peak above the model's own."
)
MODELS = ("sd-1-5", "sdxl-base")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write. Returns 0."""
    args = _arguments().parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        found = [_child(name, folder, args) for name in (("tiny",) if args.tiny else args.models)]
    text = "\n\n".join(_told(one) for one in found)
    print(text)
    if not (args.no_write or args.tiny):
        given = argv if argv is not None else sys.argv[1:]
        packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "diffusers", "transformers"))
        place = f"{found[0]['card']} · Python {platform.python_version()} · {packages} · {datetime.now(UTC):%Y-%m-%d}"
        command = shlex.join(["python", "-m", "bench.diffusion", *given])
        how = f"`{command}` · medians of {args.turns} (two for four at once, one for sixteen) · {place}"
        write("\n".join((MARKERS[0], "## Diffusion", "", ABOUT, "", text, "", how, MARKERS[1])), markers=MARKERS)
    return 0


def _told(one: dict[str, Any]) -> str:
    lines = [f"| {one['name']} | s | slowest s | memory, GB |", "|---|---|---|---|"]
    lines += [f"| {name} | {row['s']:.2f} | {row['slowest_s']:.2f} | {row['above_gb']:.2f} |" for name, row in one["rows"].items()]
    job, stops = one["job"], one["cancel_s"]
    size = f"{one['parameters_m']:,.0f} million parameters ({one['unet_m']:,.0f} in the U-Net), {one['gb']:.1f} GB on disk"
    loaded = f"Pulled from a folder in {one['pull_s']:.1f} s, loaded in **{one['load_s']:.1f} s**"
    said = [
        f"{size}, {one['model_gb']:.1f} GB on the card. {loaded}; the first picture took {one['first_s']:.2f} s.",
        f"A whole job of four variants at 30 steps, four PNGs of 512 px: {job['s']:.2f} s ({job['paint_ms'] / 1000:.2f} s of it painting).",
        f"A cancel stops it within **{max(stops['one']):.2f} s** (four at once: {max(stops['four']):.2f} s; the slowest of five each).",
    ]
    if "crowded" in one:
        full = one["crowded"]
        tried = " → ".join(map(str, full["tried"]))
        alike = (
            "the same pictures"
            if not full["largest_difference"]
            else f"pictures that differ by {full['largest_difference']} of 255 at most"
        )
        left = f"With {full['free_gb']:.1f} GB left free by plain tensors"
        said += [
            f"{left}, sixteen variants of 4 steps went as batches of {tried} in {full['s']:.2f} s: {alike}.",
            f"With no room for one beside those tensors: {_refusal(full['full'])}",
            f"With another process in their place: {_refusal(one['others'])}",
        ]
    return "\n".join((*lines, "", " ".join(said)))


def _refusal(error: dict[str, Any]) -> str:
    return f"`{error['type']}`, {'tried again' if error['retryable'] else 'permanent'} (“{error['detail']}”)."


def _child(name: str, folder: str, args: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.diffusion.child", name, folder, "cpu" if args.tiny else "cuda", str(args.turns)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=args.timeout)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)} ended with {done.returncode}")
    print(done.stdout.splitlines()[-1], flush=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.diffusion", description="What a diffusion model costs on this card.")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--turns", type=int, default=3, help="pictures of each kind (default: 3)")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for a model, at most")
    parser.add_argument("--folder", help="where some 20 GB have room for a while; default: the system's folder for temporary files")
    parser.add_argument("--tiny", action="store_true", help="a model of 32 px, on the processor: does the bench itself work?")
    parser.add_argument("--no-write", action="store_true", help="print only; leave docs/benchmarks.md as it is")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
