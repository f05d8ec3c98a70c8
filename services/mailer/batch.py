"""One batch: read its recipients, write each a mail, send them, take down what became of each."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.mailer import fates, mime
from services.mailer.content import Writer, open_content
from services.mailer.journal import Fate, Journal, path_of
from services.mailer.pacing import Pace
from services.mailer.sending import Mail, Sender
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import BatchResult, Recipient, SendBatch
from shared.job import Job

log = structlog.get_logger()

LOST_ANSWER = "offered in an earlier attempt that ended before the server's answer; not sent again"
CHECK_EVERY = 200


@dataclass(slots=True)
class Batch:
    """A batch at work."""

    command: SendBatch
    job: Job
    writer: Writer
    out: fates.FateFile
    settings: MailerSettings
    done: int = 0

    def send(self, lines: Iterator[bytes], sender: str) -> None:
        """Send to all whom the journal does not know. Raises as `Sender.run`."""
        with Journal(path_of(self.settings.journals, self.job.id)) as journal:
            work = Sender(
                mails=self._mails(lines, journal),
                sender=sender,
                journal=journal,
                record=self._record,
                settings=self.settings,
                pace=Pace(self.command.rate_per_second),
            )
            asyncio.run(work.run(self.job.checkpoint))

    def rehearse(self, lines: Iterator[bytes]) -> None:
        """The dry run: write every mail, send none."""
        for number, line in enumerate(lines):
            if number % CHECK_EVERY == 0:
                self.job.checkpoint()
            recipient = Recipient.model_validate_json(line)
            key, address = self.writer.key(recipient)
            message = self._written(recipient, key, address)
            if message is not None:
                self._take_down(recipient.email, "rendered", f"{len(message)} bytes", key, time.time())

    def _mails(self, lines: Iterator[bytes], journal: Journal) -> Iterator[Mail]:
        for number, line in enumerate(lines):
            if number % CHECK_EVERY == 0:
                self.job.checkpoint()
            recipient = Recipient.model_validate_json(line)
            key, address = self.writer.key(recipient)
            before = journal.before.get(key)
            if before is not None and before.fate is not None:
                self._take_down(recipient.email, before.fate, before.reply or LOST_ANSWER, key, before.at)
                continue
            message = self._written(recipient, key, address)
            if message is not None:
                yield Mail(key, recipient.email, address, mime.dot_stuffed(message))

    def _written(self, recipient: Recipient, key: str, address: str) -> bytes | None:
        """The message; None where it cannot be written for this recipient, which is taken down as failed."""
        try:
            return self.writer.write(recipient, key, address)
        except ValueError as error:
            self._take_down(recipient.email, "failed", f"not sent: {error}", key, time.time())
            return None

    def _record(self, mail: Mail, fate: Fate, reply: str) -> None:
        self._take_down(mail.email, fate, reply, mail.key, time.time())

    def _take_down(self, email: str, state: fates.State, reply: str, key: str, at: float) -> None:
        self.out.add(email=email, state=state, reply=reply, message_id=self.writer.skeleton.message_id(key), at=at)
        self.done += 1
        total = max(self.command.count, self.done)
        self.job.progress(self.done / total, "send", f"{self.done} of {total}")


def send_batch(command: SendBatch, job: Job, settings: MailerSettings) -> BatchResult:
    """Mail one batch. Raises `TransientError` where the relay cannot be used: a later attempt goes on where this one ended."""
    started = time.monotonic()
    content, writer = open_content(command.content, command.mailing, job)
    path = job.workdir / fates.NAME
    with fates.FateFile(path) as out, job.open(command.recipients) as recipients:
        batch = Batch(command, job, writer, out, settings)
        _run(batch, recipients, content.sender.email)
    job.publish(fates.NAME, path, fates.MEDIA_TYPE)
    counts = {state: out.counts[state] for state in ("sent", "failed", "unknown", "rendered")}
    log.info("mail_batch_finished", number=command.number, seconds=round(time.monotonic() - started, 3), **counts)
    plan = {"planned_at": command.planned_at, "rejected_rows": command.rejected_rows, "rejected": command.rejected}
    return BatchResult.model_validate({**counts, **plan})


def _run(batch: Batch, recipients: Path, sender: str) -> None:
    with recipients.open("rb") as lines:
        if batch.command.dry_run:
            batch.rehearse(lines)
        else:
            batch.send(lines, sender)
