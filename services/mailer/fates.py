"""`recipients.csv` and `recipients.jsonl`: for each recipient what happened, in the server's words, under which Message-ID, and when."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from shared.contracts.base import Artifact
from shared.job import Job

COLUMNS = ("email", "state", "reply", "message_id", "time", "resent")
NAMES: Mapping[str, str] = {"recipients.csv": "text/csv", "recipients.jsonl": "application/x-ndjson"}
TABLE, LINES = NAMES

LINE = "{" + ",".join(f'"{column}":%s' for column in COLUMNS) + "}\n"
SPECIAL = re.compile(r"[\",\r\n]")
"""Makes a cell that is to be quoted."""
State = Literal["sent", "failed", "unknown", "suppressed", "canceled", "rendered"]
STATES: tuple[State, ...] = ("sent", "failed", "unknown", "suppressed", "canceled", "rendered")


@lru_cache(maxsize=16)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=64)
def _said(state: State, reply: str, resent: bool) -> tuple[str, str]:
    """A row and a line with room for address, Message-ID and time: servers say the same few words over and over."""
    words = io.StringIO()
    csv.writer(words).writerow((state, reply, "yes" if resent else ""))
    said, _, again = words.getvalue().replace("%", "%%").rpartition(",")
    line = LINE % ("%s", encode_basestring(state), encode_basestring(reply).replace("%", "%%"), "%s", '"%s"', str(resent).lower())
    return f"%s,{said},%s,%s,{again}", line


class FateFiles:
    """Writes both files and counts the states; a mailing's files are its batches' files one after the other."""

    def __init__(self, folder: Path) -> None:
        """Begin the files; the table has a header row."""
        self._folder = folder
        self.counts: Counter[str] = Counter()
        """By state, and those who may have two (`resent`)."""
        self.first = float("inf")
        """When the first of those who were added one by one met their fate (Unix seconds)."""
        self._open = ExitStack()
        self._table = self._open.enter_context((folder / TABLE).open("w", encoding="utf-8", newline=""))
        self._lines = self._open.enter_context((folder / LINES).open("w", encoding="utf-8"))
        self._csv = csv.writer(self._table)
        self._csv.writerow(COLUMNS)

    def add(self, *, email: str, state: State, reply: str, message_id: str, at: float, resent: bool = False) -> None:
        """One recipient; `at` in Unix seconds."""
        self.counts[state] += 1
        self.counts["resent"] += resent
        self.first = min(self.first, at)
        time = f"{_second(int(at))}.{int(at % 1.0 * 1000):03}Z"
        row, line = _said(state, reply, resent)
        if SPECIAL.search(email) or SPECIAL.search(message_id):
            self._csv.writerow((email, state, reply, message_id, time, "yes" if resent else ""))
        else:
            self._table.write(row % (email, message_id, time))
        self._lines.write(line % (encode_basestring(email), encode_basestring(message_id), time))

    def append(self, parts: Mapping[str, Path]) -> None:
        """All rows of a batch's files, by name; what it counted is the caller's to add."""
        for name, out in ((TABLE, self._table), (LINES, self._lines)):
            if name not in parts:
                continue  # a batch of an older release
            with parts[name].open(encoding="utf-8", newline="") as rows:
                if name == TABLE:
                    rows.readline()
                while piece := rows.read(1 << 20):
                    out.write(piece)

    def publish(self, job: Job, *, at_once: bool = False) -> list[Artifact]:
        """Store both as the job's; after the block. `at_once`: whatever becomes of the job, they can be fetched."""
        return [job.publish(name, self._folder / name, media_type, at_once=at_once) for name, media_type in NAMES.items()]

    def __enter__(self) -> Self:
        """The open files."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close them."""
        self._open.close()
