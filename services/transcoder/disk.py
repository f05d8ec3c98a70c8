"""Is there room on the worker's disk? Asked before something large is begun, and while it grows."""

import shutil
from pathlib import Path

from shared.errors import JobError, PermanentError, TransientError

GIGABYTE = 1_000_000_000


def preflight(folder: Path, wanted: int, spare: int, what: str) -> None:
    """Raise unless `wanted` bytes fit on the disk of `folder` and leave `spare`; `what` is what they are, for the sentence.

    PermanentError where even an empty disk could not hold them; TransientError where there is only no room now.
    """
    found = shutil.disk_usage(folder)
    if wanted > found.total - spare:
        raise PermanentError(
            f"{what} would take {_size(wanted)}, and this worker's disk has {_size(found.total)} in all",
            type="too-large",
            pointer="/source",
        )
    if wanted > found.free - spare:
        raise _full(f"{what} would take {_size(wanted)}, but {_size(max(found.free - spare, 0))} are free", None)


def refuse_full(folder: Path, spare: int) -> None:
    """Raise TransientError once less than `spare` bytes are free: what goes on writing would take the whole host's work down with it."""
    free = shutil.disk_usage(folder).free
    if free < spare:
        raise _full(f"only {_size(free)} are left", None)


def refuse_more(folder: Path, most: int, spare: int) -> None:
    """Raise PermanentError once the files in `folder` take more than `most` bytes, TransientError once less than `spare` are free."""
    refuse_full(folder, spare)
    if (found := used(folder)) > most:
        why = f"the job's files took {_size(found)} of disk; {_size(most)} are allowed"
        raise PermanentError(why, type="too-large", pointer="/source")


def used(folder: Path) -> int:
    """The bytes that the files below `folder` take; what is linked there is not counted."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except FileNotFoundError:  # renamed or removed while we looked
            continue
    return total


def _full(why: str, pointer: str | None) -> JobError:
    return TransientError(f"the worker's disk is too full: {why}", type="disk-full", pointer=pointer)


def _size(count: int) -> str:
    return f"{count / GIGABYTE:.1f} GB" if count >= GIGABYTE / 10 else f"{count / 1e6:.1f} MB"
