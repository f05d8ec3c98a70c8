"""The words of the mails' texts, to be searched: an index of its own, made in the background from the files.

A mail is kept in microseconds and read in a millisecond, so its text follows later: while mails pour in a few at a time, otherwise as fast
as it goes. SQLite's FTS5 without content: it has the words, the files have the mails. A file of its own, so that no reader waits for a
writer of the other.
"""

import asyncio
import email
import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from email.message import Message
from html.parser import HTMLParser
from pathlib import Path

import structlog

from deploy.catcher.summary import decoded, summarise

log = structlog.get_logger()
AT_ONCE, AT_ONCE_BUSY = 200, 20
LOOK_EVERY = 0.5
LONGEST = 200_000
"""Characters of a mail's text that are indexed."""
SCHEMA = """
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(
  words, content='', columnsize=0, prefix='2 3', tokenize="unicode61 remove_diacritics 2"
);
CREATE TABLE IF NOT EXISTS reached (number INTEGER NOT NULL);
"""
UNSEEN = frozenset({"script", "style", "head", "title"})


class TextIndex:
    """Finds mails by the words in them. Written from one thread at a time, read from any."""

    def __init__(self, file: Path, path_of: Callable[[int], Path]) -> None:
        """Open it, make it where it is missing. `path_of`: where a mail lies."""
        self._path_of = path_of
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(SCHEMA)
        self.reached = int((self._db.execute("SELECT max(number) FROM reached").fetchone() or (0,))[0] or 0)
        """All mails up to this number are in it."""

    def find(self, query: str, *, limit: int, before: int) -> list[int]:
        """Numbers below `before` of mails with all words of `query`, the last perhaps as the beginning of a longer one; newest first.

        Were each a beginning, two common ones would take 200 ms among 50,000 mails.
        """
        phrases = [f'"{word}"' for word in re.sub(r'["\x00]', " ", query).split() if re.search(r"\w", word)]
        if not phrases:
            return []
        select = "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
        with self._lock:
            return [int(row[0]) for row in self._db.execute(select, (" AND ".join(phrases) + "*", before, limit))]

    def add_some(self, upto: int, most: int) -> int:
        """Read at most so many mails that come next, up to number `upto`; how many."""
        numbers = range(self.reached + 1, min(upto, self.reached + most) + 1)
        rows = [(number, _words(self._path_of(number))) for number in numbers]
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO texts (rowid, words) VALUES (?, ?)", [row for row in rows if row[1]])
            self._reach(numbers.stop - 1)
            self._db.execute("COMMIT")
        return len(rows)

    def clear(self, upto: int) -> None:
        """Forget all words; mails up to number `upto` are gone."""
        with self._lock:
            self._db.execute("DROP TABLE texts")
            self._db.executescript(SCHEMA)
            self._reach(upto)

    def _reach(self, number: int) -> None:
        self.reached = max(self.reached, number)
        self._db.execute("DELETE FROM reached")
        self._db.execute("INSERT INTO reached VALUES (?)", (self.reached,))

    async def keep_up(self, last: Callable[[], int]) -> None:
        """Index what comes, for as long as it runs; `last` is the number of the last mail."""
        seen = last()
        while True:
            await asyncio.sleep(0 if self.reached < last() == seen else LOOK_EVERY)
            busy, seen = last() != seen, last()
            if self.reached < seen:
                try:
                    await asyncio.to_thread(self.add_some, seen, AT_ONCE_BUSY if busy else AT_ONCE)
                except (OSError, sqlite3.Error):  # a disk that is full: mail is taken all the same
                    log.exception("texts_not_indexed")
                    await asyncio.sleep(LOOK_EVERY * 20)

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._db.close()


class _Seen(HTMLParser):
    """Collects what a reader of HTML sees."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Into a tag."""
        del attrs
        self._hidden += tag in UNSEEN

    def handle_endtag(self, tag: str) -> None:
        """Out of it."""
        self._hidden -= tag in UNSEEN and self._hidden > 0

    def handle_data(self, data: str) -> None:
        """What is between."""
        if not self._hidden:
            self.words.append(data)


def _words(path: Path) -> str:
    """People, subject, text and file names of a mail; '' where it is gone or cannot be read. A tenth of the time that `reading` takes."""
    try:
        raw = path.read_bytes()
        summary, parts = summarise(raw), list(email.message_from_bytes(raw).walk())
        text = _of_type(parts, "text/plain")
        if not text.strip() and (source := _of_type(parts, "text/html")):
            page = _Seen()
            page.feed(source)
            text = " ".join(page.words)
        names = [decoded(str(part.get_filename() or "").encode("utf-8", "replace")) for part in parts]
    except (OSError, ValueError, LookupError, AssertionError, TypeError, AttributeError):  # what the standard library makes of hostile mail
        return ""
    return " ".join([summary.subject, summary.sender, summary.to, *filter(None, names), text[:LONGEST]])


def _of_type(parts: Sequence[Message], kind: str) -> str:
    """The first part of this type that is no attachment."""
    for part in parts:
        if part.get_content_type() == kind and part.get_content_disposition() != "attachment":
            raw = part.get_payload(decode=True)
            charset = part.get_content_charset() or "utf-8"
            return raw[: LONGEST * 4].decode(charset, "replace") if isinstance(raw, bytes) else ""
    return ""
