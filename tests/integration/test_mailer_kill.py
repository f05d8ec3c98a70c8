"""The crash window: SIGKILL in the middle of a batch, again and again, each rescue as on a host of its own."""

import csv
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.mailer.settings import MailerSettings
from shared.contracts.mailer import SendBatch
from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger
from tests.integration.smtp_peer import Peer, running
from tests.unit.mailer_job import FakeJob, mailing, plan

RECIPIENTS = 400
CONNECTIONS = 4
KILL_AFTER = {"skip": (30, 120, 310), "resend": (60, 210)}


@dataclass
class Arena:
    """One batch, and the ledger in which its journal lies."""

    root: Path
    url: str
    ledger: Ledger
    peer: Peer

    def begin(self, on_unknown: str) -> None:
        """Plan the mailing; its batch is a job in the ledger."""
        people = [{"email": f"u{number}@example.com", "name": "U"} for number in range(RECIPIENTS)]
        command = mailing(recipients=people, batch_size=RECIPIENTS, on_unknown=on_unknown)
        batch = next(iter(plan(command, FakeJob(self.root), MailerSettings(smtp_url=self.peer.url)).children)).command
        assert isinstance(batch, SendBatch)
        self.job = ids.new("mailer")
        (self.root / "command.json").write_text(batch.model_dump_json())
        self.ledger.run(calls.accept(NewJob(self.job, batch.kind, "t", "mailer", "{}", bell="@TAG@")))

    def attempt(self, host: int) -> tuple[subprocess.Popen[bytes], int]:
        """A process that works on the batch, with a home of its own, and its token."""
        record = self.ledger.run(calls.claim(self.job, worker="w", pid=7, lease_ms=600_000, nonce=uuid.uuid4().hex))
        assert isinstance(record, JobRecord)
        home = self.root / f"host-{host}"
        env = {**os.environ, "MAILER_HOME": str(home), "MAILER_SMTP_URL": self.peer.url, "MAILER_CONNECTIONS": str(CONNECTIONS)}
        arguments = [str(self.root), str(self.root / "command.json"), self.url, self.job, str(record.token)]
        return subprocess.Popen([sys.executable, "-m", "tests.integration.mailer_attempt", *arguments], env=env), record.token

    def kill(self, host: int, after: int) -> None:
        """One attempt, ended by SIGKILL once the server has taken that many."""
        process, token = self.attempt(host)
        self.peer.wait_for(after)
        process.kill()
        process.wait()
        self.ledger.run(calls.lose(self.job, token, budget=99, why={"reason": "killed"}))

    def fates(self) -> Mapping[str, Mapping[str, str]]:
        """What the last attempt says of each recipient."""
        table = (self.root / "recipients.csv").read_text(encoding="utf-8").splitlines()
        return {row["email"]: row for row in csv.DictReader(table)}


@pytest.fixture
def arena(tmp_path: Path, redis_url: str) -> Iterator[Arena]:
    """A slow server and a ledger."""
    url = redis_url.replace("/0", "/6")
    ledger = Ledger(url, "mailer", rings_here=True)
    with running(Peer(delay=0.004)) as peer:
        yield Arena(tmp_path, url, ledger, peer)
    ledger.close()


@pytest.mark.parametrize("on_unknown", ["skip", "resend"])
def test_kills_lose_nobody_and_hide_no_copy(arena: Arena, on_unknown: str) -> None:
    """`skip`: one copy at most, and each missing one is listed as unknown, at most one per connection and kill.

    `resend`: everybody has the mail, and whoever has two is flagged.
    """
    arena.begin(on_unknown)
    for host, after in enumerate(KILL_AFTER[on_unknown]):
        arena.kill(host, after)
    last, _ = arena.attempt(99)

    assert last.wait(timeout=60) == 0
    fates, copies = arena.fates(), arena.peer.copies
    unknown = [email for email, row in fates.items() if row["state"] == "unknown"]
    flagged = {email for email, row in fates.items() if row["resent"] == "yes"}

    assert set(fates) == {f"u{number}@example.com" for number in range(RECIPIENTS)}
    assert all(copies[email] >= 1 for email, row in fates.items() if row["state"] == "sent")
    if on_unknown == "skip":
        assert max(copies.values()) == 1
        assert 1 <= len(unknown) <= CONNECTIONS * len(KILL_AFTER[on_unknown])
    else:
        assert (unknown, max(copies.values())) == ([], 2)
        assert {email for email, count in copies.items() if count > 1} <= flagged
        assert len(flagged) <= CONNECTIONS * len(KILL_AFTER[on_unknown])
