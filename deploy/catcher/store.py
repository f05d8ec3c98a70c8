"""The mails on disk: one `.eml` file each, and an SQLite index that can be made again from them.

Files lie a thousand to a folder (`messages/000012/000012345.eml`) and are named by a running number, never by anything in a
mail. A file is complete before its 250 is said; index rows follow in groups, and rows that a crash lost are read off the
files at the next start. The envelope stands in the file itself, as a delivered mail has it: Return-Path, Delivered-To,
Received. Nothing is fsynced: these are mails to look at, not to keep.
"""

import asyncio
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import structlog

from deploy.catcher.smtp import Envelope
from deploy.catcher.summary import summarise
from deploy.catcher.texts import TextIndex

log = structlog.get_logger()

PER_FOLDER = 1_000
SELECT = "SELECT id, at, mail_from, rcpt_to, sender, recipient, subject, bytes FROM mails"
GROUP_SECONDS = 0.1
GROUP_ROWS = 500
ENVELOPE = re.compile(rb"^(Return-Path|Delivered-To): <?([^>\r\n]*)>?\r$", re.MULTILINE)
SCHEMA = """
CREATE TABLE IF NOT EXISTS mails (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, mail_from TEXT NOT NULL, rcpt_to TEXT NOT NULL,
  sender TEXT NOT NULL, recipient TEXT NOT NULL, subject TEXT NOT NULL, bytes INTEGER NOT NULL, words TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A mail as the list shows it; `at` is Unix seconds, `rcpt_to` the envelope's recipients."""

    id: int
    at: float
    mail_from: str
    rcpt_to: list[str]
    sender: str
    recipient: str
    subject: str
    bytes: int


class MailStore:
    """Keeps and finds mails. One process, one thread; `keep` may be called thousands of times a second."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, make it where it is missing, and index what is not indexed."""
        self._messages = folder / "messages"
        self._messages.mkdir(parents=True, exist_ok=True)
        self._index = sqlite3.connect(folder / "index.sqlite", isolation_level=None)
        self._index.execute("PRAGMA journal_mode = WAL")
        self._index.execute("PRAGMA synchronous = OFF")
        self._index.execute(SCHEMA)
        self._pending: list[tuple[object, ...]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0
        self._folders: set[Path] = set()
        self._last: int = self._index.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'mails'").fetchone()[0]
        self._adopt()
        self._count = int(self._index.execute("SELECT count(*) FROM mails").fetchone()[0])
        self.texts = TextIndex(folder / "texts.sqlite", self.path)
        self.sweep()

    @property
    def last(self) -> int:
        """The number of the last mail."""
        return self._last

    def path(self, number: int) -> Path:
        """Where mail `number` lies."""
        return self._messages / f"{number // PER_FOLDER:06}" / f"{number:09}.eml"

    def keep(self, envelope: Envelope, message: bytes) -> int:
        """Store a mail; its number. Raises `OSError`."""
        self._last += 1
        number, now = self._last, time.time()
        path = self.path(number)
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        partial = path.with_suffix(".tmp")
        partial.write_bytes(_head(envelope, number, now) + message)
        partial.replace(path)
        self._note(number, now, envelope.sender or "", envelope.recipients, message)
        self._flush_soon()
        return number

    def _note(self, number: int, at: float, mail_from: str, rcpt_to: list[str], message: bytes) -> None:
        summary = summarise(message)
        people = " ".join(rcpt_to)
        words = f"{summary.subject}\n{summary.sender}\n{summary.to}\n{mail_from}\n{people}".lower()
        self._pending.append((number, at, mail_from, people, summary.sender, summary.to, summary.subject, len(message), words))

    def _flush_soon(self) -> None:
        if len(self._pending) >= GROUP_ROWS:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GROUP_SECONDS, self.flush)

    def flush(self) -> None:
        """Write the waiting index rows."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pending:
            self._index.execute("BEGIN")
            self._index.executemany("INSERT OR REPLACE INTO mails VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", self._pending)
            self._index.execute("COMMIT")
            self._count += len(self._pending)
            self._pending.clear()

    def _adopt(self) -> None:
        """Index the files that a crash left unindexed."""
        for path in self._files_after(self._last):
            number = int(path.stem)
            message = path.read_bytes()
            seen = ENVELOPE.findall(message[: message.find(b"\r\nReceived: ") + 2])
            mail_from = next((value.decode() for name, value in seen if name == b"Return-Path"), "")
            rcpt_to = [value.decode() for name, value in seen if name == b"Delivered-To"]
            self._note(number, path.stat().st_mtime, mail_from, rcpt_to, message)
            self._last = max(self._last, number)
        if self._pending:
            log.info("mails_indexed_again", mails=len(self._pending))
        self.flush()

    def _files_after(self, number: int) -> Iterator[Path]:
        for folder in sorted(self._messages.iterdir()):
            if folder.name.isdigit() and int(folder.name) >= number // PER_FOLDER:
                yield from (path for path in sorted(folder.glob("*.eml")) if path.stem.isdigit() and int(path.stem) > number)

    def count(self) -> int:
        """How many mails there are."""
        self.flush()
        return self._count

    def find(self, query: str = "", *, limit: int = 50, before: int | None = None) -> list[Listed]:
        """The newest mails first, those with a number below `before` only.

        Every word of `query` must occur: anywhere in the people and the subject, or as a word of the mail (the last: as its beginning).
        """
        self.flush()
        where, conditions = ["id < ?"], list[object]([before or 2**62])
        for word in query.lower().split():
            where.append("instr(words, ?) > 0")
            conditions.append(word)
        found = {
            row[0]: row
            for row in self._index.execute(f"{SELECT} WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?", (*conditions, limit))
        }
        if query.strip():
            more = [number for number in self.texts.find(query, limit=limit, before=before or 2**62) if number not in found]
            marks = ", ".join("?" * len(more))
            found |= {row[0]: row for row in self._index.execute(f"{SELECT} WHERE id IN ({marks})", more)}
        return [_listed(found[number]) for number in sorted(found, reverse=True)[:limit]]

    def newer(self, number: int, query: str = "") -> int | None:
        """The number of the next newer mail; with a `query`, of the nearest of the last 200 that match."""
        if query.strip():
            return min((mail.id for mail in self.find(query, limit=200) if mail.id > number), default=None)
        self.flush()
        return next((int(row[0]) for row in self._index.execute("SELECT min(id) FROM mails WHERE id > ?", (number,)) if row[0]), None)

    def get(self, number: int) -> Listed | None:
        """One mail's row."""
        self.flush()
        row = self._index.execute(f"{SELECT} WHERE id = ?", (number,)).fetchone()
        return _listed(row) if row else None

    def clear(self) -> int:
        """Remove all mails; how many there were. Numbers go on; the files themselves go with the next `sweep`."""
        removed = self.count()
        self._index.execute("DELETE FROM mails")
        self._count = 0
        self.texts.clear(self._last)
        gone = self._messages.with_name(f"removed-{time.time_ns()}")
        self._messages.rename(gone)
        self._messages.mkdir()
        self._folders.clear()
        return removed

    def sweep(self) -> None:
        """Remove the files of cleared mails. May be called from another thread."""
        for gone in self._messages.parent.glob("removed-*"):
            shutil.rmtree(gone, ignore_errors=True)

    def close(self) -> None:
        """Write what waits and close the index."""
        self.flush()
        self._index.close()
        self.texts.close()


def _listed(row: tuple[int, float, str, str, str, str, str, int]) -> Listed:
    number, at, mail_from, rcpt_to, sender, recipient, subject, size = row
    return Listed(number, at, mail_from, rcpt_to.split(), sender, recipient, subject, size)


def _head(envelope: Envelope, number: int, now: float) -> bytes:
    lines = [f"Return-Path: <{envelope.sender or ''}>", *(f"Delivered-To: {each}" for each in envelope.recipients)]
    lines.append(f"Received: from {envelope.helo or 'unknown'} ([{envelope.peer}]) by catcher.localhost with ESMTP id {number};")
    lines.append(f"\t{formatdate(now)}")
    return ("\r\n".join(lines) + "\r\n").encode()
