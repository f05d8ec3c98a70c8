"""The ack journal: what a dead attempt left tells the next one whom not to mail."""

import os
import time
from pathlib import Path

import pytest

from services.mailer.journal import Journal, forget_old, path_of, read
from shared.errors import TransientError


def test_each_key_has_the_fate_of_its_last_line(tmp_path: Path) -> None:
    """Acknowledged, failed and offered-without-answer are told apart; a refused body is open again."""
    path = tmp_path / "b.log"
    with Journal(path) as journal:
        for key in ("sent", "unknown", "refused"):
            journal.offered(key)
        journal.accepted("sent", "250 2.0.0 Ok:\tqueued\nas 1")
        journal.refused("refused", "451 later")
        journal.failed("failed", "550 no such user")
    entries = read(path)

    assert {key: entry.fate for key, entry in entries.items()} == {
        "sent": "sent",
        "unknown": "unknown",
        "refused": None,
        "failed": "failed",
    }
    assert entries["sent"].reply == "250 2.0.0 Ok: queued as 1"


def test_a_torn_last_line_says_nothing_and_spoils_nothing(tmp_path: Path) -> None:
    """A line cut short is skipped, and what the next attempt writes stands on a line of its own."""
    path = tmp_path / "b.log"
    path.write_text("D\ta\t1.0\t\nA\ta\t1.0\t25")
    with Journal(path) as journal:
        journal.accepted("b", "250 ok")

        assert journal.before["a"].fate == "unknown"
    assert read(path)["b"].fate == "sent"


def test_two_runs_of_a_batch_cannot_write_at_once(tmp_path: Path) -> None:
    """A run that lost its lease and does not know it keeps the next one waiting."""
    with Journal(tmp_path / "b.log"), pytest.raises(TransientError, match="still ending"):
        Journal(tmp_path / "b.log")

    with Journal(tmp_path / "b.log") as journal:
        assert journal.before == {}


def test_old_journals_are_forgotten(tmp_path: Path) -> None:
    """By the last write; a mailing's empty folder goes too."""
    old, new = path_of(tmp_path, "mailer_A.0"), path_of(tmp_path, "mailer_B.0")
    for path in (old, new):
        Journal(path).__exit__(None, None, None)
    long_ago = time.time() - 40 * 86_400
    os.utime(old, (long_ago, long_ago))
    os.utime(old.parent, (long_ago, long_ago))

    assert forget_old(tmp_path, keep_days=35) == 1
    assert (old.parent.exists(), new.exists()) == (False, True)
