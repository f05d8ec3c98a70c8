"""The ack journal: what makes a crash cost no duplicate.

One append-only file per batch. `D key` is written before a body is offered, `A key` after the server's 250, `N key` after
another answer to the body (it was not taken, another try is right), `F key` when a recipient has failed for good. After a
SIGKILL the next attempt reads: A or F is settled and skipped, a D without an answer is *unknown*. Each line is one
`write(2)` into the page cache (3 µs), which the death of the process cannot take back; only the machine's own crash could,
and no fsync guards against that.

The file is locked while an attempt runs, so a run that lost its lease and does not know it yet cannot send beside the next.
"""

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from shared.errors import TransientError

Fate = Literal["sent", "failed", "unknown"]
FATES: dict[str, Fate | None] = {"A": "sent", "F": "failed", "D": "unknown", "N": None}
FIELDS = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A recipient's last line: what became of them (None: still open), when (Unix seconds), in the server's words."""

    fate: Fate | None
    at: float
    reply: str


def read(path: Path) -> dict[str, Entry]:
    """The last entry of each key; empty where there is no journal. An unfinished last line says nothing."""
    entries: dict[str, Entry] = {}
    if not path.exists():
        return entries
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            fields = line.rstrip("\n").split("\t", FIELDS - 1)
            if line.endswith("\n") and len(fields) == FIELDS and fields[0] in FATES:
                entries[fields[1]] = Entry(FATES[fields[0]], float(fields[2]), fields[3])
    return entries


def path_of(folder: Path, job_id: str) -> Path:
    """Where the journal of a batch lies: a folder per mailing keeps any one folder small."""
    mailing = job_id.partition(".")[0]
    return folder / mailing / f"{job_id}.log"


class Journal:
    """A batch's journal, open for writing. `before` is what earlier attempts left."""

    def __init__(self, path: Path) -> None:
        """Open and lock it. Raises `TransientError` where another run of the batch still holds it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise TransientError("another run of this batch is still ending", type="batch-busy", retry_after=2.0) from error
        self.before = read(path)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")

    def offered(self, key: str) -> None:
        """The body is about to be written to the server."""
        self._append("D", key, "")

    def accepted(self, key: str, reply: str) -> None:
        """The server took the mail."""
        self._append("A", key, reply)

    def refused(self, key: str, reply: str) -> None:
        """The server answered the body and did not take it; it may be offered again."""
        self._append("N", key, reply)

    def failed(self, key: str, reply: str) -> None:
        """The recipient has failed for good."""
        self._append("F", key, reply)

    def _append(self, mark: str, key: str, reply: str) -> None:
        words = " ".join(reply.split())
        os.write(self._file, f"{mark}\t{key}\t{time.time():.3f}\t{words}\n".encode(errors="replace"))

    def __enter__(self) -> Self:
        """The open journal."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Unlock and close."""
        os.close(self._file)


def forget_old(folder: Path, keep_days: int) -> int:
    """Remove journals that were last written more than `keep_days` ago; how many."""
    if not folder.exists():
        return 0
    limit, removed = time.time() - keep_days * 86_400, 0
    for mailing in folder.iterdir():
        if mailing.stat().st_mtime > limit:
            continue
        for path in mailing.glob("*.log"):
            if path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)
                removed += 1
        if not any(mailing.iterdir()):
            mailing.rmdir()
    return removed
