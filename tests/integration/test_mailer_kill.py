"""The crash window: SIGKILL in the middle of a batch, again and again, and nobody gets a second copy."""

import csv
import os
import subprocess
import sys
from pathlib import Path

from services.mailer.settings import MailerSettings
from tests.integration.smtp_peer import Peer, running
from tests.unit.mailer_job import FakeJob, mailing, plan

RECIPIENTS = 400
CONNECTIONS = 4
KILL_AFTER = (30, 120, 210, 310)


def attempt(tmp_path: Path, command: Path, peer: Peer) -> subprocess.Popen[bytes]:
    """Start a process that works on the batch."""
    env = {**os.environ, "MAILER_HOME": str(tmp_path), "MAILER_SMTP_URL": peer.url, "MAILER_CONNECTIONS": str(CONNECTIONS)}
    return subprocess.Popen([sys.executable, "-m", "tests.integration.mailer_attempt", str(tmp_path), str(command)], env=env)


def test_four_kills_cost_no_duplicate_and_lose_nobody(tmp_path: Path) -> None:
    """Everybody has one mail or is listed as unknown; at most one unknown per connection and kill."""
    recipients = [{"email": f"u{number}@example.com", "name": "U"} for number in range(RECIPIENTS)]
    with running(Peer(delay=0.004)) as peer:
        settings = MailerSettings(home=tmp_path, smtp_url=peer.url)
        fan_out = plan(mailing(recipients=recipients, batch_size=RECIPIENTS), FakeJob(tmp_path), settings)
        command = tmp_path / "command.json"
        command.write_text(next(iter(fan_out.children)).command.model_dump_json())
        for count in KILL_AFTER:
            process = attempt(tmp_path, command, peer)
            peer.wait_for(count)
            process.kill()
            process.wait()
        last = attempt(tmp_path, command, peer)

        assert last.wait(timeout=60) == 0
    table = (tmp_path / "recipients.csv").read_text(encoding="utf-8").splitlines()
    fates = {row["email"]: row["state"] for row in csv.DictReader(table)}
    unknown = [email for email, state in fates.items() if state == "unknown"]

    assert max(peer.copies.values()) == 1
    assert set(fates) == {str(each["email"]) for each in recipients}
    assert set(fates.values()) <= {"sent", "unknown"}
    assert all(peer.copies[email] == 1 for email, state in fates.items() if state == "sent")
    assert 1 <= len(unknown) <= CONNECTIONS * len(KILL_AFTER)
