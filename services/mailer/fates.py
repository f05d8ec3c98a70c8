"""`recipients.csv`: for each recipient what happened, in the server's words, under which Message-ID, and when."""

import csv
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

NAME = "recipients.csv"
MEDIA_TYPE = "text/csv"
COLUMNS = ("email", "state", "reply", "message_id", "time")

State = Literal["sent", "failed", "unknown", "rendered"]


class FateFile:
    """Writes the file and counts the states; a mailing's file is its batches' files one after the other."""

    def __init__(self, path: Path) -> None:
        """Begin the file with its header row."""
        self.path = path
        self.counts: Counter[str] = Counter()
        self._file = path.open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow(COLUMNS)

    def add(self, *, email: str, state: State, reply: str, message_id: str, at: float) -> None:
        """One recipient; `at` in Unix seconds."""
        self.counts[state] += 1
        time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._csv.writerow((email, state, reply, message_id, time))

    def append(self, part: Path) -> None:
        """All rows of another such file; add what its batch counted to `counts`."""
        with part.open(encoding="utf-8", newline="") as rows:
            rows.readline()
            while piece := rows.read(1 << 20):
                self._file.write(piece)

    def __enter__(self) -> Self:
        """The open file."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self._file.close()
