"""`python -m tests.chaos.mailing --kills 20 --on-unknown skip`: SIGKILL workers in a mailing, count every copy, write docs/mailer.md.

A real worker with two pool children mails everybody through a sink that counts copies. Each blow falls once so many more mails have
been taken: on a busy pool child or on the whole worker, which is then started again with a home of its own, as on another host.
"""

import argparse
import csv
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from shared.bus import Bus, envelope_text
from shared.contracts.mailer import SendMailing
from shared.contracts.states import TERMINAL
from shared.ledger import calls, ids
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger
from shared.settings import ServiceSettings
from shared.storage import Storage
from tests.integration.smtp_peer import Peer
from tests.integration.smtp_peer import running as sinking
from tests.servers import ROOT, redis_server, running, wait_until

PAGE = ROOT / "docs" / "mailer.md"
CONNECTIONS = 4
CHILDREN = 2
PATIENCE = 900.0


@dataclass
class Field:
    """The worker under fire."""

    folder: Path
    url: str
    peer: Peer
    chance: random.Random
    struck: Counter[str] = field(default_factory=Counter)
    starts: int = 0

    def start(self) -> None:
        """A worker, on a host of its own as far as files go; the storage is shared."""
        self.starts += 1
        home = self.folder / f"host-{self.starts}"
        home.mkdir()
        settings = {
            "MAILER_REDIS_URL": self.url,
            "MAILER_STORAGE_URL": f"file://{self.folder}/storage",
            "MAILER_HOME": str(home),
            "COUNTERFOIL_HOME": str(home),
            "MAILER_SMTP_URL": self.peer.url,
            "MAILER_CONNECTIONS": str(CONNECTIONS),
            "MAILER_CONCURRENCY": str(CHILDREN),
        }
        command = [sys.executable, "-m", "shared.start", "worker", "services.mailer.app"]
        with (home / "worker.log").open("wb") as log:
            self.worker = subprocess.Popen(
                command, env={**os.environ, **settings}, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def strike(self) -> None:
        """One blow: half of them on a child, half on all."""
        children = psutil.Process(self.worker.pid).children()
        if children and self.chance.random() < 0.5:
            self.struck["a pool child"] += 1
            self.chance.choice(children).send_signal(signal.SIGKILL)
            return
        self.struck["the whole worker"] += 1
        os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait()
        self.start()

    def stop(self) -> None:
        """The end."""
        os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait()


def submit(ledger: Ledger, url: str, mails: int, on_unknown: str) -> str:
    """Accept the mailing; its id."""
    people = [{"email": f"u{number}@example.com", "name": f"U {number}"} for number in range(mails)]
    body = {"from": {"email": "news@example.com"}, "subject": "Hi {{ name }}", "html": "<p>Hello {{ name }}</p>", "batch_size": 100}
    request = json.dumps({**body, "recipients": people, "on_unknown": on_unknown})
    job_id, kind = ids.new("mailer"), SendMailing.kind
    text = envelope_text(job_id=job_id, kind=kind, epoch=1, tenant="chaos", request=request, blob="", trace={})
    bell = Bus("mailer", ServiceSettings(redis_url=url, broker_url=url)).bell(text, kind=kind, job_id=job_id, queue="mailer")
    ledger.run(calls.accept(NewJob(job_id, kind, "chaos", "mailer", request, bell=bell)))
    return job_id


def fight(folder: Path, *, mails: int, kills: int, on_unknown: str, seed: int) -> dict[str, object]:
    """One mailing under fire: what was counted."""
    with running(redis_server(folder / "ledger")) as server, sinking(Peer(delay=0.002)) as peer:
        url = f"redis://127.0.0.1:{server.port}/0"
        ledger = Ledger(url, "mailer", rings_here=True)
        under = Field(folder, url, peer, random.Random(seed))
        under.start()
        began, job_id = time.monotonic(), submit(ledger, url, mails, on_unknown)
        try:
            for number in range(1, kills + 1):
                goal = mails * number // (kills + 1)
                wait_until(lambda goal=goal: sum(peer.copies.values()) >= goal, f"{goal} mails", seconds=PATIENCE)  # type: ignore[misc]
                under.strike()
            wait_until(lambda: _read(ledger, job_id).state in TERMINAL, "the end of the mailing", seconds=PATIENCE)
        finally:
            under.stop()
        record = _read(ledger, job_id)
        ledger.close()
        return {**_count(folder, record, peer, mails), "struck": dict(under.struck), "seconds": round(time.monotonic() - began)}


def _read(ledger: Ledger, job_id: str) -> JobRecord:
    record = ledger.run(calls.read(job_id))
    assert record is not None
    return record


def _count(folder: Path, record: JobRecord, peer: Peer, mails: int) -> dict[str, object]:
    """Beside each other: what the sink has, and what recipients.csv says."""
    key = next(artifact.key for artifact in record.artifacts if artifact.name == "recipients.csv")
    with Storage.at(f"file://{folder}/storage").local(key) as path:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    said = {row["email"]: row["state"] for row in rows}
    flagged = {row["email"] for row in rows if row["resent"]}
    twice = {email for email, count in peer.copies.items() if count > 1}
    without = {f"u{number}@example.com" for number in range(mails)} - set(peer.copies)
    return {
        "recipients": len(said),
        "sent": sum(state == "sent" for state in said.values()),
        "unknown, listed": sum(state == "unknown" for state in said.values()),
        "of these without a copy": sum(said[email] == "unknown" for email in without),
        "lost (no copy, and not listed as unknown)": sum(said.get(email) != "unknown" for email in without),
        "said to be sent, no copy": sum(said.get(email) == "sent" for email in without),
        "two copies": len(twice),
        "two copies, not flagged": len(twice - flagged),
        "flagged as resent": len(flagged),
    }


def main() -> int:
    """Fight, print, write; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mailing", description="SIGKILL workers in a mailing; count every copy.")
    parser.add_argument("--mails", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--on-unknown", choices=("skip", "resend"), action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write docs/mailer.md")
    given = parser.parse_args()
    found: dict[str, dict[str, object]] = {}
    for policy in given.on_unknown or ["skip", "resend"]:
        with tempfile.TemporaryDirectory() as folder:
            found[policy] = fight(Path(folder), mails=given.mails, kills=given.kills, on_unknown=policy, seed=given.seed)
        sys.stdout.write(f"{policy}: {json.dumps(found[policy], indent=1)}\n")
    if given.write:
        _write(found, shlex.join(["python", "-m", "tests.chaos.mailing", *sys.argv[1:]]))
    broken = [
        policy
        for policy, counted in found.items()
        if counted["recipients"] != given.mails
        or counted["lost (no copy, and not listed as unknown)"]
        or counted["two copies, not flagged"]
        or (policy == "skip" and counted["two copies"])
    ]
    sys.stdout.write("".join(f"Broken: {policy}\n" for policy in broken))
    return 1 if broken else 0


def _write(found: dict[str, dict[str, object]], command: str) -> None:
    begin, end = "<!-- chaos: written by `python -m tests.chaos.mailing --write` -->", "<!-- /chaos -->"
    names = list(found)
    lines = [f"| | {' | '.join(f'`{name}`' for name in names)} |", "|---" * (len(names) + 1) + "|"]
    for what in next(iter(found.values())):
        cells = (found[name][what] for name in names)
        told = (", ".join(f"{n} × {who}" for who, n in cell.items()) if isinstance(cell, dict) else f"{cell:,}" for cell in cells)
        lines.append(f"| {what} | {' | '.join(told)} |")
    text = "\n".join((begin, *lines, "", f"`{command}` · {CHILDREN} children of {CONNECTIONS} connections · {os.cpu_count()} cores", end))
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    PAGE.write_text(f"{head.rstrip()}\n\n{text}\n{rest.partition(end)[2]}".rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
