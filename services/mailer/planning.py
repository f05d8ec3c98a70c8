"""A mailing's plan: read the recipients once, reject the bad rows by name, cut the good ones into batches.

The batches of a mailing with `rate_per_second` share that rate through the ledger, and each has its turn: until then it waits there, and
holds no worker.
"""

import csv
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from services.mailer import preflight
from services.mailer.again import digest, listed
from services.mailer.content import from_command
from services.mailer.policy import LONGEST_PACED
from services.mailer.preflight import Fields
from services.mailer.previewing import test_rows
from services.mailer.rows import Rejected, Row
from services.mailer.settings import MailerSettings
from shared.contracts.base import Blob
from shared.contracts.mailer import MailingResult, SendBatch, SendMailing
from shared.errors import PermanentError
from shared.job import Child, FanOut, Job

log = structlog.get_logger()

REJECTED = "rejected.csv"
LOOK_EVERY = 1_000
IN_MEMORY = 50_000
"""Recipients whose digests are kept in memory: some 5 MB."""


def rows(command: SendMailing, job: Job) -> Iterator[Row | Rejected]:
    """All rows in order; an address that came before is rejected as a duplicate. The same command gives the same rows."""
    source = listed(command.recipients, job) if command.test is None else test_rows(command.test, command, job)
    yield from _distinct(source, job.workdir / "seen.sqlite")


def _distinct(source: Iterator[Row | Rejected], path: Path) -> Iterator[Row | Rejected]:
    """Addresses seen are kept as 16-byte digests, the first ones in memory, which is quicker: a million would be 90 MB there."""
    first = set[bytes]()
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as seen:
        seen.execute("PRAGMA journal_mode = OFF")
        seen.execute("PRAGMA synchronous = OFF")
        seen.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        seen.execute("BEGIN")
        for row in source:
            if isinstance(row, Row):
                seen_as = digest(row.address)
                if len(first) < IN_MEMORY and seen_as not in first:
                    first.add(seen_as)
                elif seen_as in first or seen.execute("INSERT OR IGNORE INTO seen VALUES (?)", (seen_as,)).rowcount == 0:
                    yield Rejected(row.row, row.recipient.email, "duplicate")
                    continue
            yield row


def batch_of(command: SendMailing, index: int) -> int:
    """The number of the batch that good row number `index` (from 0) is in."""
    return index // command.batch_size


class RejectedFile:
    """`rejected.csv`: the row's number, the address as it was, the reason."""

    def __init__(self, path: Path) -> None:
        """Begin the file with its header row."""
        self.path = path
        self.count = 0
        self._file = path.open("w", encoding="utf-8", errors="replace", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow(("row", "email", "reason"))

    def add(self, row: Rejected) -> None:
        """One row."""
        self.count += 1
        self._csv.writerow((row.row, row.email, row.reason))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


@dataclass(slots=True)
class Plan:
    """The batches so far: each a stashed file of JSON lines, and how many lines it has."""

    job: Job
    rejected: RejectedFile
    fields: Fields
    batches: list[tuple[Blob, int]] = field(default_factory=list)
    good: int = 0

    def read(self, command: SendMailing) -> None:
        """Cut the rows into stashed batches and collect the rejected ones."""
        lines = _BatchFile(self.job.workdir / "batch.jsonl", self._stash)
        with closing(lines), closing(self.rejected):
            for seen, row in enumerate(rows(command, self.job)):
                if seen % LOOK_EVERY == 0:
                    self.job.checkpoint()
                    self.job.progress(0.0, "plan", f"{seen:,} rows read")
                if isinstance(row, Rejected):
                    self.rejected.add(row)
                    continue
                self.fields.look(row.recipient)
                lines.add(batch_of(command, self.good), row.line)
                self.good += 1
            lines.cut()

    def _stash(self, path: Path, count: int) -> None:
        name = f"batch-{len(self.batches):05}.jsonl"
        self.batches.append((self.job.stash(name, path, "application/x-ndjson"), count))


class _BatchFile:
    """Collects lines in a file and hands it over whenever the batch's number changes."""

    def __init__(self, path: Path, hand_over: Callable[[Path, int], None]) -> None:
        self._path = path
        self._hand_over = hand_over
        self._file = path.open("w", encoding="utf-8")
        self._number = 0
        self._count = 0

    def add(self, number: int, line: str) -> None:
        if number != self._number:
            self.cut()
            self._number = number
            self._file = self._path.open("w", encoding="utf-8")
        self._file.write(line + "\n")
        self._count += 1

    def close(self) -> None:
        self._file.close()

    def cut(self) -> None:
        self._file.close()
        if self._count:
            self._hand_over(self._path, self._count)
        self._count = 0


def plan_mailing(command: SendMailing, job: Job, settings: MailerSettings) -> FanOut | MailingResult:
    """Check everything, then fan out into batches. Raises `PermanentError` where the request cannot be done as it is.

    Where every single row was rejected there is nobody to mail: the result says so and `rejected.csv` why.
    """
    started = time.time()
    content = from_command(command, job, settings)
    plan = Plan(job, RejectedFile(job.workdir / REJECTED), Fields(content))
    plan.read(command)
    rejected = plan.rejected.count
    log.info("mailing_planned", recipients=plan.good, rejected=rejected, batches=len(plan.batches))
    if not plan.good and not rejected:
        raise PermanentError("there is no recipient: the upload has a header but no rows", pointer="/recipients")
    if not plan.good:
        job.publish(REJECTED, plan.rejected.path, "text/csv")
        return MailingResult(
            recipients=0, sent=0, failed=0, rejected_rows=rejected, batches=0, dry_run=command.dry_run, seconds=0.0, per_second=0.0
        )
    plan.fields.refuse()
    _refuse_endless(command, plan.good)
    if command.preflight != "off" and plan.fields.first is not None:
        preflight.publish(preflight.examine(command, content, job, settings, plan.fields.first, plan.good), command, job)
    # Artifacts count only with the job's result, which comes after the batches: until then this is a stash that they pass on.
    rejected_file = job.stash(REJECTED, plan.rejected.path, "text/csv") if rejected else None
    stashed = job.stash("content.json", content.model_dump_json().encode(), "application/json")
    return FanOut(
        children=[
            Child(
                SendBatch(
                    mailing=job.id,
                    number=number,
                    content=stashed,
                    recipients=recipients,
                    count=count,
                    dry_run=command.dry_run,
                    rate_per_second=command.rate_per_second,
                    not_before=started + number * command.batch_size / command.rate_per_second if command.rate_per_second else 0.0,
                    on_unknown=command.on_unknown or ("resend" if job.priority == "high" else "skip"),
                    transactional=command.transactional,
                    planned_at=started,
                    rejected_rows=rejected,
                    rejected=rejected_file,
                ),
                weight=float(count),
            )
            for number, (recipients, count) in enumerate(plan.batches)
        ],
        on_failure="count",
        settles=True,
    )


def _refuse_endless(command: SendMailing, recipients: int) -> None:
    if command.rate_per_second and not command.dry_run and recipients / command.rate_per_second > LONGEST_PACED:
        hours = recipients / command.rate_per_second / 3_600
        raise PermanentError(
            f"{recipients:,} mails at {command.rate_per_second:g} per second take {hours:.1f} hours; a paced mailing may take "
            f"{LONGEST_PACED / 3_600:.0f}. Raise the rate or split the mailing.",
            pointer="/rate_per_second",
        )
