"""A disk that can be filled: a small file system of our own where the storage lies, in a mount namespace that nobody else sees.

Needs Linux, and leave to mount (root, or user namespaces). Where that is refused the disk stays whole, and the run says so.
"""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

INSIDE = "CHAOS_MOUNTS"
"""Set in a process that may mount."""
ROOM = 32 << 20
PER_JOB = 16 << 10
"""Bytes that the small disk has, and more for each job: a receipt, in whole pages, with its folders."""


def may_mount() -> bool:
    """Whether this process is in a mount namespace of its own."""
    return os.environ.get(INSIDE) == "1"


def enter(arguments: Sequence[str]) -> None:
    """Start `python -m tests.chaos` again where it may mount; return where that is not allowed, or where it has been done."""
    if may_mount() or shutil.which("unshare") is None:
        return
    inside = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run([*inside, *_mount(Path(folder), 1 << 16)], capture_output=True, check=False)
    if tried.returncode == 0:
        sys.stdout.flush()
        os.execvpe(inside[0], [*inside, sys.executable, "-m", "tests.chaos", *arguments], {**os.environ, INSIDE: "1"})  # noqa: S606 - no shell


@contextmanager
def small(folder: Path, *, jobs: int) -> Iterator[Path]:
    """`folder` on a file system of its own, with room for so many jobs."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(_mount(folder, ROOM + jobs * PER_JOB), check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave not a byte free; the file that takes the room, to be removed."""
    ballast = folder / ".ballast"
    with ballast.open("wb", buffering=0) as file:
        for chunk in (bytes(1 << 20), bytes(1 << 12)):
            try:
                while file.write(chunk):
                    continue
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return ballast


def _mount(folder: Path, size: int) -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", f"size={size}", "counterfoil-chaos", str(folder)]
